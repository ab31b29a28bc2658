"""A report of runs: what it says, as titled sections of a view's parts. Writing it is `report_file`'s.

It stands by itself: the runs that were asked for, their values, how they lie to each other in pictures, and
what differs between the best of them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provenote.compare import beside, columns, comparison, numbers
from provenote.compare.selection import Selection, select
from provenote.errors import UsageError
from provenote.events import Tell, silent
from provenote.model import Row
from provenote.view import Cell, Column, Facts, Line, Part, Table

if TYPE_CHECKING:
    from provenote.workspace import Workspace

ROWS = 500
"""Runs in the table of a report."""
COMPARED = 4
"""Runs whose differences are shown, the baseline among them."""
CURVES = 6
"""Runs whose curves are drawn."""
DATA = 40
"""Data versions that are listed."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a report says.

    Parameters
    ----------
    title : str
    sections : tuple of (str, tuple of Part)
        Headings and what stands below them; the first heading is empty.
    rows : tuple of Row
        The runs that it is about, in their order.
    baseline : Row
        What the others are held against.
    """

    title: str
    sections: tuple[tuple[str, tuple[Part, ...]], ...]
    rows: tuple[Row, ...]
    baseline: Row


def report(
    workspace: Workspace,
    query: str = "",
    *,
    sort: str | None = None,
    baseline: str | None = None,
    title: str | None = None,
    everything: bool = False,
    tell: Tell = silent,
    now: float | None = None,
) -> Report:
    """Make the report of the runs that a query chooses.

    Parameters
    ----------
    workspace : Workspace
    query : str
        The query language; empty for all runs.
    sort : str, optional
        Fields, as `provenote.compare.selection.select` reads them; by default the newest come first.
    baseline : str, optional
        The run that the others are held against; by default the first that finished.
    title : str, optional
        By default made from the query.
    everything : bool
        Runs of all branches, and archived ones.
    tell : Tell
        Where progress goes.
    now : float, optional
        Seconds since 1970.

    Raises
    ------
    UsageError
        If no run matches, or the query, the sort or the baseline makes no sense.
    """
    from provenote.stores import index

    now = time.time() if now is None else now
    rows, _ = index.rows(workspace, everything=everything)
    chosen = select(rows, query, sort=sort or "", archived=everything, now=now)
    if not chosen.rows:
        raise UsageError(
            f"no run matches {query!r}" if query else "there is no run to report",
            "See what is here: `provenote runs -A`",
        )
    finished = (row for row in chosen.rows if row.status == "finished")
    base = index.find(workspace, baseline) if baseline else next(finished, chosen.rows[0])
    others = [row for row in chosen.rows if row.id != base.id]
    documents = {row.id: _document(workspace, row) for row in [base, *chosen.rows[:ROWS]]}
    sections: list[tuple[str, Sequence[Part]]] = [
        ("", [Facts(_made(workspace, query, sort, chosen, now))]),
        ("Runs", [_table(chosen, base, now), *_trust(chosen.rows, documents)]),
        ("Pictures", _pictures(workspace, chosen, base)),
        ("Data and environments", _origins(chosen.rows, documents)),
    ]
    if others:
        compared = comparison.of_rows(workspace, [base, *others[: COMPARED - 1]], tell)
        heading = f"What differs from {base.name}"
        sections.append((heading, beside.parts_of(compared, alone=True)))
    kept = tuple((heading, tuple(parts)) for heading, parts in sections if parts)
    return Report(title or _title(query), kept, tuple(chosen.rows), base)


def _title(query: str) -> str:
    return f"Runs where {query}" if query else "Runs"


def _document(workspace: Workspace, row: Row) -> Mapping[str, Any]:
    from provenote.compare.account import so_far
    from provenote.stores import index

    return so_far(workspace, row) if row.commit is None else index.document(workspace, row.commit)


def _made(
    workspace: Workspace, query: str, sort: str | None, chosen: Selection, now: float
) -> list[tuple[str, Cell]]:
    """Say when and from what the report was made."""
    from importlib.metadata import PackageNotFoundError, version

    from provenote.git.command import resolve, run

    commit = resolve(workspace.top, "HEAD") or ""
    branch = run(workspace.top, "symbolic-ref", "--short", "--quiet", "HEAD").stdout.decode(
        "utf-8", "replace"
    )
    try:
        ours = version("provenote")
    except PackageNotFoundError:
        ours = "unknown"
    told = [
        ("made", numbers.full_time(now)),
        ("project", workspace.dvc_root.name),
        ("commit", f"{commit[:12]}{f' on {branch.strip()}' if branch.strip() else ''}"),
        ("runs", f"{len(chosen.rows):,} of {chosen.total:,}{', those where ' + query if query else ''}"),
        ("order", f"by {sort}" if sort else "newest first"),
        ("by", f"Provenote {ours}"),
    ]
    return [(name, Cell(text)) for name, text in told]


def _table(chosen: Selection, base: Row, now: float) -> Table:
    """Lay out the runs: times are dates here, since a report is read later."""
    rows = chosen.rows[:ROWS]
    params = [columns.flat(row.params) for row in rows]
    metrics = [columns.flat(row.metrics) for row in rows]
    made: list[tuple[Column, list[Cell]]] = [
        (Column("run"), [columns.name_cell(row) for row in rows]),
        (Column("state"), [columns.state_cell(row) for row in rows]),
        (Column("order of cells"), [_order(row) for row in rows]),
        (Column("reproduced"), [_reproduced(row) for row in rows]),
        (Column("started"), [Cell(numbers.full_time(row.started)[:16], "muted") for row in rows]),
    ]
    made += [
        columns.values_column(key, [values.get(key) for values in params]) for key in columns.changed(params)
    ]
    for key in columns.shared(metrics, columns.sorted_metric(chosen.sort)):
        values = [values.get(key) for values in metrics]
        made.append(columns.values_column(columns.heading(key), values, grouped=True))
    flags = [Cell("baseline" if row.id == base.id else ", ".join(row.tags), "muted") for row in rows]
    if any(cell.text for cell in flags):
        made.append((Column(""), flags))
    left = len(chosen.rows) - len(rows)
    foot = [f"{left:,} more runs are not shown"] if left else []
    lines = list(zip(*(cells for _, cells in made), strict=True))
    return Table([column for column, _ in made], lines, [columns.mark(row) for row in rows], foot=foot)


def _order(row: Row) -> Cell:
    if row.status in ("running", "queued"):
        return Cell("")
    words = columns.ORDER_WORDS | {"linear": "linear", "unknown": "not known"}
    return Cell(words[row.linearity], "warn" if row.linearity == "out-of-order" else "muted")


def _reproduced(row: Row) -> Cell:
    if row.reproduced is None:
        return Cell("no verdict", "muted")
    roles = {"identical": "ok", "different": "warn"}
    return Cell(row.reproduced, roles.get(row.reproduced, "plain"))  # type: ignore[arg-type]


def _trust(rows: Sequence[Row], documents: Mapping[str, Mapping[str, Any]]) -> list[Part]:
    """Say what a reader must know before believing a number."""
    ended = [row for row in rows if row.status not in ("running", "queued")]
    found: list[Part] = []
    astray = [row.name for row in ended if row.linearity == "out-of-order"]
    if astray:
        found.append(Line(f"Cells ran out of order in {_few(astray)}", "warn", "warn"))
    stale = [row.name for row in ended if (documents.get(row.id) or {}).get("stale_modules")]
    if stale:
        found.append(
            Line(f"Modules were imported before their file changed in {_few(stale)}", "warn", "warn")
        )
    odd = [row.name for row in rows if row.reproduced == "different"]
    if odd:
        found.append(Line(f"Not reproduced: {_few(odd)}", "warn", "warn"))
    going = [row.name for row in rows if row.status == "running"]
    if going:
        found.append(Line(f"Still running when this was made: {_few(going)}", "running"))
    return found


def _few(names: Sequence[str], most: int = 8) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _pictures(workspace: Workspace, chosen: Selection, base: Row) -> list[Part]:
    """Draw curves of the first runs, and values of all."""
    from provenote.render import dots, pictures
    from provenote.render.axes import axes
    from provenote.stores import index

    few = [base, *(row for row in chosen.rows if row.id != base.id)][:CURVES]
    leading = columns.sorted_metric(chosen.sort)
    series = {row.name: index.series(workspace, row) for row in few}
    made = [
        pictures.overlaid({name: points for name, points in series.items() if points}),
        pictures.parallel(chosen.rows, (), leading),
    ]
    found = axes(chosen.rows, first=leading)
    params = [axis for axis in found if axis.kind == "params"]
    if params and found[-1].kind == "metrics":
        made.append(dots.scatter(params[::-1], found[-1]))
    elif len(chosen.rows) > 1:
        flat = [(row.name, columns.flat(row.metrics)) for row in few]
        made.append(dots.scales(flat))
    return [picture for picture in made if picture is not None]


def _origins(rows: Sequence[Row], documents: Mapping[str, Mapping[str, Any]]) -> list[Part]:
    """Count which data versions and environments the runs had."""
    reads: Counter[tuple[str, str]] = Counter()
    locks: Counter[tuple[str, str]] = Counter()
    silent = 0
    for row in rows:
        document = documents.get(row.id)
        if document is None:
            continue
        seen = {
            (str(read.get("path")), str(read.get("md5")))
            for read in document.get("reads") or ()
            if isinstance(read, Mapping)
        }
        silent += not seen
        reads.update(seen)
        locks[str(document.get("python") or "unknown"), str(document.get("environment") or "not kept")] += 1
    made: list[Part] = []
    if reads:
        lines = [
            [Cell(path, "code"), Cell(md5[:12], "code", md5), Cell(f"{count:,}")]
            for (path, md5), count in sorted(reads.items())[:DATA]
        ]
        left = len(reads) - len(lines)
        foot = [f"{left:,} more versions"] if left else []
        if silent:
            foot.append(f"{numbers.counted(silent, 'run')} told of no data")
        heads = [Column("data"), Column("version"), Column("runs", "right")]
        made.append(Table(heads, lines, caption="Data that were read", foot=foot))
    elif silent:
        made.append(Line("No run told which data it read", "", "muted"))
    lines = [
        [Cell(python), Cell(lock[:12], "code", lock), Cell(f"{count:,}")]
        for (python, lock), count in locks.most_common()[:DATA]
    ]
    heads = [Column("Python"), Column("lock"), Column("runs", "right")]
    made.append(Table(heads, lines, caption="Environments"))
    return made
