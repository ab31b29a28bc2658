"""One run in full: what is known of it (`provenote.compare.account`) laid out as a view.

The walk of lineage goes data -> run -> model: which versions were read, what was kept, which model
versions and stages name it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from provenote.compare import columns, families, numbers
from provenote.compare.account import Account, gather
from provenote.compare.table import data_of
from provenote.errors import UsageError
from provenote.model import SCHEMA, Row, is_sweep
from provenote.tracking import costs
from provenote.view import Cell, Column, Facts, Line, Part, Picture, Role, Table, View

if TYPE_CHECKING:
    from provenote.workspace import Workspace

FEW = 12
"""Lines of a list that may be long; the rest is counted."""


def one_run(workspace: Workspace, name: str, *, pictures: bool = False, now: float | None = None) -> View:
    """Show one run, or one sweep.

    Parameters
    ----------
    workspace : Workspace
    name : str
        Its name, label, id, or the start of its id or commit; a sweep's name or the start of its id.
    pictures : bool
        Whether curves are drawn; else they are one line of text each.
    now : float, optional
        Seconds since 1970.

    Returns
    -------
    View
        ``data`` is ``{"schema", "row", "document", "children", "versions", "pushed"}``; of a sweep, see
        `provenote.compare.sweep.one_sweep`.

    Raises
    ------
    UsageError
        If no run, or more than one, has that name.
    """
    from provenote.stores import index

    now = time.time() if now is None else now
    everything = index.rows(workspace, everything=True)[0]
    try:
        row = index.choose(everything, name)
    except UsageError:
        sweep = families.find(everything, name)
        if sweep is None:
            raise
        from provenote.compare.sweep import one_sweep

        return one_sweep(sweep, everything, now)
    found = gather(workspace, row)
    data = {
        "schema": SCHEMA,
        "row": data_of(row),
        "document": dict(found.document),
        "children": [child.name for child in found.children],
        "versions": [{"name": version, "is": what} for version, what in found.versions],
        "pushed": list(found.pushed),
    }
    return View(parts_of(found, now, pictures), data, more={"account": found})


def parts_of(found: Account, now: float, pictures: bool = False) -> list[Part]:
    """Lay out an account, what matters most first."""
    row, document = found.row, found.document
    parts: list[Part] = [status_line(row, now), *order_lines(row, document), *input_lines(document)]
    parts.append(Facts(_about(found, now)))
    if row.metrics:
        parts.append(_metrics(found, pictures))
    if pictures and found.series:
        parts += _curves(found)
    if row.params:
        pairs = [(key, Cell(numbers.text(value))) for key, value in columns.flat(row.params).items()]
        parts.append(Facts(pairs, "Parameters"))
    parts += _lineage(found)
    resources = _resources(document.get("resources") or {})
    if resources:
        parts.append(Facts(resources, "Resources"))
    parts += _left_out(document)
    return parts


def status_line(row: Row, now: float) -> Line:
    """Return the one line that says how a run stands."""
    mark = columns.mark(row)
    words = [row.name, "silent" if mark == "silent" else row.status]
    if row.reason:
        words.append(row.reason)
    words += [word for word in ("starred" if row.starred else "", "archived" if row.archived else "") if word]
    took = (
        numbers.clock(now - row.started) if row.ended is None else numbers.duration(row.ended - row.started)
    )
    return Line("  ".join(words), mark, "strong" if mark in ("ok", "running") else "plain", took)


def order_lines(row: Row, document: Mapping[str, Any]) -> list[Line]:
    """Say whether the cells ran in order and why, and which modules were stale."""
    if row.status in ("running", "queued"):
        return []
    evidence = document.get("evidence")
    evidence = evidence if isinstance(evidence, Mapping) else {}
    words = {
        "linear": "Cells ran in order",
        "rerun": "Cells ran in order, counting the last run of each",
        "out-of-order": "Cells ran out of order",
        "unknown": "The order of cells is not known",
    }
    if row.linearity == "linear" and "script" in evidence:
        words["linear"] = "Ran as a script, from top to bottom"
    marks = {"linear": "ok", "rerun": "ok", "out-of-order": "warn", "unknown": "warn"}
    lines = [Line(words[row.linearity], marks[row.linearity])]  # type: ignore[arg-type]
    why = [str(reason) for reason in evidence.get("why") or ()]
    lines += [
        Line(f"  {reason}", "", "warn" if row.linearity == "out-of-order" else "muted")
        for reason in why[:FEW]
    ]
    if len(why) > FEW:
        lines.append(Line(f"  and {len(why) - FEW} more", "", "muted"))
    skipped = evidence.get("skipped") or ()
    if skipped:
        lines.append(
            Line(f"  {numbers.counted(len(skipped), 'cell')} of the notebook did not run", "", "muted")
        )
    stale = document.get("stale_modules") or ()
    if stale:
        lines.append(
            Line(f"Imported before their file changed: {', '.join(map(_name, stale))}", "warn", "warn")
        )
    return lines


def input_lines(document: Mapping[str, Any]) -> list[Line]:
    """Say what the checks of the run's data told: alerts, what was left out, what changed meanwhile."""
    from provenote.contracts import door

    extra = document.get("extra") or {}
    told = door.lines([*(extra.get("inputs") or ()), *(document.get("reads") or ())])
    lines = [Line(f"Data, {one}", "warn") for one in dict.fromkeys(told)]
    for one in extra.get("inputs_changed") or ():
        lines.append(Line(f"{_name(one.get('path', ''))} changed while the run went on", "warn", "warn"))
    if len(lines) > FEW:
        lines[FEW:] = [Line(f"and {len(lines) - FEW} more of its data", "warn")]
    return lines


def _about(found: Account, now: float) -> list[tuple[str, Cell]]:
    row, document = found.row, found.document
    disk = {
        "same": "as it ran",
        "differs": "differs from what ran",
        "unknown": "not known whether it is what ran",
    }
    where = str(document.get("notebook") or "")
    if where:
        where = f"{where}, on disk: {disk.get(str(document.get('disk')), 'unknown')}"
    command = document.get("command")
    cells, outputs, shown = found.outputs
    stored = f"{numbers.counted(cells, 'cell')}, {numbers.counted(outputs, 'output')}" if cells else ""
    if shown:
        stored += f", {numbers.counted(shown, 'picture')}"
    who = "@".join(str(document[key]) for key in ("user", "host") if document.get(key))
    lock = str(document.get("environment") or "")
    python = f"Python {document['python']}" if document.get("python") else ""
    packages = numbers.counted(found.packages, "package") if found.packages else ""
    facts: list[tuple[str, str, Role]] = [
        ("label", row.label, "plain"),
        ("reason of change", str(document.get("why") or ""), "plain"),
        ("started", f"{numbers.moment(row.started, now)}, {numbers.age(now - row.started)} ago", "plain"),
        ("by", who, "plain"),
        ("notebook", where, "warn" if document.get("disk") == "differs" else "plain"),
        ("command", " ".join(map(str, command)) if command and not where else "", "code"),
        ("ended by", str(document.get("ended_by") or ""), "warn"),
        ("tags", ", ".join(row.tags), "plain"),
        *(("note", note, "plain") for note in row.notes),
        (
            "reproduced",
            row.reproduced or ("" if row.status != "finished" else "not yet"),
            "plain" if row.reproduced else "muted",
        ),
        ("test", _verdict(row, document), "error" if row.status == "failed" else "plain"),
        ("job of" if is_sweep(row.parent) else "child of", _parent(found), "code"),
        ("started from", found.origin, "code"),
        ("children", _list([child.name for child in found.children]), "code"),
        ("executed", stored, "plain"),
        (
            "environment",
            ", ".join(filter(None, (python, packages, f"lock {lock[:12]}" if lock else ""))),
            "plain",
        ),
        ("branch", str(document.get("branch") or ""), "plain"),
        ("baseline", row.baseline[:12], "code"),
        ("commit", row.commit[:12] if row.commit else "", "code"),
        ("pushed to", ", ".join(found.pushed), "plain"),
        ("id", row.id, "code"),
    ]
    titles = {
        "started": numbers.full_time(row.started),
        "baseline": row.baseline,
        "commit": row.commit or "",
        "environment": lock,
    }
    return [(name, Cell(text, role, titles.get(name, ""))) for name, text, role in facts if text]


def _verdict(row: Row, document: Mapping[str, Any]) -> str:
    """Return how a test ended; empty for a run that is none, or a test that did not come to its end."""
    job = document.get("job")
    if not isinstance(job, Mapping) or not job.get("test") or row.reason == "timed_out":
        return ""
    return {"finished": "passed", "failed": "failed"}.get(row.status, "")


def _parent(found: Account) -> str:
    parent = found.row.parent or ""
    if is_sweep(parent):
        return families.sweep_name(parent)
    return found.parent.name if found.parent else parent


def _metrics(found: Account, pictures: bool) -> Table:
    metrics = columns.flat(found.row.metrics)
    rows = []
    for key, value in metrics.items():
        points = found.series.get(key, ())
        line = [Cell(columns.heading(key)), Cell(numbers.text(value, grouped=True), "strong", _exact(value))]
        line += [Cell(f"{len(points):,}" if points else "", "muted"), Cell(best_of(key, points), "muted")]
        if not pictures:
            values = [figure for _, point in points if (figure := numbers.number(point)) is not None]
            line.append(Cell(numbers.sparkline(values) if len(values) > 1 else "", "run"))
        rows.append(line)
    heads = [Column("metric"), Column("last", "right"), Column("points", "right"), Column("best", "right")]
    extra = found.document.get("extra") or {}
    marks = extra.get("marks") or {}  # how a number of autolog was come by, as "on 10,000 of 52,000 rows"
    foot = [f"{key} is {mark}" for key, mark in marks.items() if key in metrics]
    return Table(heads if pictures else [*heads, Column("curve")], rows, caption="Metrics", foot=foot)


def best_of(key: str, points: Sequence[tuple[Any, Any]]) -> str:
    """Write the best value of a curve and its step, empty where the name does not tell what is best."""
    way = numbers.direction(key)
    known = [(figure, step) for step, value in points if (figure := numbers.number(value)) is not None]
    known = [(figure, step) for figure, step in known if figure == figure]
    if not way or len(known) < 2:
        return ""
    ranked = {
        "lower": lambda pair: pair[0],
        "higher": lambda pair: -pair[0],
        "zero": lambda pair: abs(pair[0]),
    }
    value, step = min(known, key=ranked[way])
    return f"{numbers.text(value)} at {numbers.text(step)}"


def _curves(found: Account) -> list[Part]:
    from provenote.render import plots

    picture = plots.curves(found.series)
    return [picture] if isinstance(picture, Picture) else []


def _lineage(found: Account) -> list[Part]:
    """Walk data -> this run -> what it made, with the versions that name it."""
    document = found.document
    rows: list[list[Cell]] = []
    for read in document.get("reads") or ():
        rev = str(read.get("rev") or "")
        version = rev[:12] if len(rev) == 40 else rev or "in the work tree"
        rows.append(
            [
                Cell("read"),
                Cell(str(read.get("path", "")), "code"),
                Cell(f"data, {version}", "plain", rev),
                *_bytes(read),
            ]
        )
    for name, artifact in sorted((document.get("artifacts") or {}).items()):
        kind = str(artifact.get("type", "artifact"))
        more = artifact.get("class") or artifact.get("format")
        words = f"{kind}, {str(more).rsplit('.', 1)[-1]}" if more and kind == "model" else kind
        rows.append(
            [Cell("kept"), Cell(name, "code", str(artifact.get("file", ""))), Cell(words), *_bytes(artifact)]
        )
    parts: list[Part] = []
    if rows:
        heads = [Column(""), Column("name"), Column("what"), Column("size", "right"), Column("md5")]
        parts.append(Table(heads, rows, caption="Data and models"))
    for name, what in found.versions:
        text = f"{name} is this run" if what == "version" else f"{name.replace(' #', ' in ')} is this run"
        parts.append(
            Line(f"{text}, by its tag: `provenote verify {name.split('@')[0].split(' ')[0]}` proves it", "ok")
        )
    return parts


def _bytes(item: Mapping[str, Any]) -> list[Cell]:
    size = item.get("size")
    count = f", {numbers.counted(int(item['nfiles']), 'file')}" if item.get("nfiles") else ""
    md5 = str(item.get("md5") or "")
    return [
        Cell(numbers.size(size) + count if isinstance(size, (int, float)) else ""),
        Cell(md5[:12], "code", md5),
    ]


def _resources(figures: Mapping[str, Any]) -> list[tuple[str, Cell]]:
    """Return the figures that say something, in a fixed order; all of them are in the JSON form."""

    def of(key: str) -> float | None:
        value = figures.get(key)
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    share = of("cpu_percent")
    cpu = numbers.duration(of("cpu_s"))
    memory = _megabytes(of("tree_rss_peak_mb") or of("rss_peak_mb"))
    part, limit = of("memory_share"), _megabytes(of("memory_limit_mb"))
    if part is not None and figures.get("memory_limit_by") == "control group":
        memory += f", {part:.0%} of the {limit} that its control group allows"
    pairs = [
        ("processor", f"{cpu}, {share:.0f}{numbers.THIN}%" if share else cpu, of("cpu_s")),
        ("memory, most", memory, of("tree_rss_peak_mb") or of("rss_peak_mb")),
        ("children, most", _megabytes(of("children_rss_peak_mb")), of("children_rss_peak_mb")),
        ("disk read", _megabytes(of("disk_read_mb")), of("disk_read_mb")),
        ("disk written", _megabytes(of("disk_written_mb")), of("disk_written_mb")),
        ("received, whole machine", _megabytes(of("network_received_mb")), of("network_received_mb")),
        ("sent, whole machine", _megabytes(of("network_sent_mb")), of("network_sent_mb")),
        ("disk free", _megabytes(of("disk_free_mb")), of("disk_free_mb")),
    ]
    shown = [(name, Cell(text)) for name, text, value in pairs if value]
    shown += [("GPU", _gpu(gpu)) for gpu in figures.get("gpus") or () if isinstance(gpu, Mapping)]
    if figures.get("gpu"):
        shown.append(("GPU", Cell("no GPU seen", "muted")))
    cost = figures.get("cost")
    if isinstance(cost, Mapping) and isinstance(cost.get("amount"), (int, float)):
        text = costs.text(float(cost["amount"]), str(cost.get("currency") or ""))
        network = isinstance(cost.get("parts"), Mapping) and cost["parts"].get("network")
        shown.append(("cost", Cell(text + (", the whole machine's network in it" if network else ""))))
    return shown


def _gpu(gpu: Mapping[str, Any]) -> Cell:
    words = [str(gpu.get("name", ""))]
    own, used = gpu.get("own_memory_peak_mb"), gpu.get("memory_peak_mb")
    if isinstance(own, (int, float)):
        words.append(f"{_megabytes(own)} at most")
    elif isinstance(used, (int, float)):
        words.append(f"{_megabytes(used)} at most, by anybody")
    mean = gpu.get("percent_mean")
    if isinstance(mean, (int, float)):
        words.append(f"{mean:.0f}{numbers.THIN}% busy")
    if gpu.get("busy_s") == 0:
        words.append("not used by this run")
    return Cell(", ".join(words), "warn" if gpu.get("busy_s") == 0 else "plain")


def _megabytes(value: float | None) -> str:
    return numbers.size(None if value is None else value * 1e6)


def _left_out(document: Mapping[str, Any]) -> list[Part]:
    """Say what the snapshot does not hold, and what was taken out of outputs."""
    parts: list[Part] = []
    if document.get("snapshot") == "lost":
        parts.append(Line("The snapshot of the work tree is lost; the code that ran is kept", "warn", "warn"))
    redacted = document.get("redacted")
    if redacted:
        parts.append(
            Line(f"{numbers.counted(int(redacted), 'secret')} taken out of the stored outputs", "warn")
        )
    omitted = document.get("omitted") or ()
    if omitted:
        rows = [
            [
                Cell(str(each.get("path", "")), "code"),
                Cell(numbers.size(each.get("size")) if each.get("size") is not None else ""),
                Cell(str(each.get("why") or each.get("reason") or ""), "muted"),
            ]
            for each in omitted[:FEW]
        ]
        foot = [f"and {len(omitted) - FEW:,} more: `--json`"] if len(omitted) > FEW else []
        heads = [Column("file"), Column("size", "right"), Column("why")]
        parts.append(Table(heads, rows, caption="Not in the snapshot", foot=foot))
    return parts


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more


def _name(module: Any) -> str:
    return (
        str(module.get("module") or module.get("name") or module)
        if isinstance(module, Mapping)
        else str(module)
    )


def _exact(value: Any) -> str:
    return repr(value) if isinstance(value, float) else ""
