"""Screen a version of data: its bytes, its rows by source, and what a run owes to each source.

What is found is a `provenote.checks.verdict.Verdict`: signs for a person to look at, with the figure and the
limit that the other sources gave. No screen says that data are clean.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.blame import halves, states
from provenote.blame.states import Bench, Patch, State
from provenote.checks.verdict import Finding, Verdict
from provenote.compare import numbers
from provenote.compare.columns import flat
from provenote.data import tracked
from provenote.errors import Refused, UsageError
from provenote.events import Tell, silent
from provenote.screening import sources
from provenote.screening.sources import Rows
from provenote.screens import poison
from provenote.stores import cache
from provenote.stores.gauge import Gauge
from provenote.stores.pointers import Stored

if TYPE_CHECKING:
    from provenote.workspace import Workspace

NAME = "data-screens"
MOST = 12
"""Sources without which a run is run again; the largest."""
TIMES = 3.0
"""How many times the median of the others one source's influence must be."""


def screen(
    path: str,
    *,
    label: str | None = None,
    by: str | None = None,
    without: Sequence[str] = (),
    run: str | None = None,
    metric: str | None = None,
    tell: Tell = silent,
) -> Verdict:
    """Screen data for poison.

    Parameters
    ----------
    path : str
        A file or folder in the work tree.
    label : str, optional
        The target's column; default: what the contract of the data says.
    by : str, optional
        ``author`` or a column that names the source of a row; default: the file, or the stretch of rows.
    without : sequence of str
        Columns that no model gets.
    run : str, optional
        A run that is run again without each source.
    metric : str, optional
        Its metric.
    tell : Tell
        Where progress goes.

    Raises
    ------
    UsageError
        If there is no such table, column or run.
    """
    workspace, inside = tracked.locate(path)
    if not (workspace.dvc_root / inside).exists():
        raise UsageError(f"{path} is not there", "Fetch it: `provenote data pull`")
    rows = sources.read(workspace, inside, by)
    label = label or _label(workspace, inside)
    for name in [*without, *([label] if label else [])]:
        if name not in rows.frame.columns:
            few = ", ".join(map(str, rows.frame.columns[:8]))
            raise UsageError(f"{path} has no column {name!r}", f"It has: {few}")
    features = tuple(
        str(name) for name in rows.frame.columns if name not in (label, by) and name not in without
    )
    one = tracked.at(workspace, inside)
    stored = one.stored if one else None
    found = [same_bytes(workspace, stored, tell)]
    found += poison.screen(poison.Table(rows.frame, rows.sources, label, features))
    if run is not None:
        found.append(influence(workspace, inside, rows, by, run, metric, tell))
    if rows.unread:
        few = ", ".join(rows.unread[:3]) + (
            f" and {len(rows.unread) - 3} more" if len(rows.unread) > 3 else ""
        )
        found.append(Finding("readable", "error", f"not screened, since they cannot be read: {few}"))
    subject = {"path": inside, "md5": stored.md5 if stored else "", "by": rows.kind}
    return Verdict(NAME, subject, tuple(found))


def _label(workspace: Workspace, path: str) -> str | None:
    from provenote.blame import leaking

    said = leaking.contract(workspace, path).get("label")
    return str(said) if said else None


# ---------------------------------------------------------------------- bytes


def same_bytes(workspace: Workspace, stored: Stored | None, tell: Tell) -> Finding:
    """Hold the bytes in the cache against the hash that names them."""
    if stored is None:
        return Finding(
            "bytes", "not judged", "the path is not versioned", mend="Version it: `provenote data add`"
        )
    md5s = [stored.md5]
    if stored.md5.endswith(".dir"):
        md5s += [entry.md5 for entry in cache.entries(workspace.cache_dir, stored.md5)]
    other, absent = [], 0
    gauge = Gauge(tell, "bytes", total=len(md5s), unit="files")
    for md5 in dict.fromkeys(md5s):
        where = cache.locate(workspace.cache_dir, md5)
        gauge.add(1)
        if where is None:
            absent += 1
        elif _md5(where) != md5.removesuffix(".dir"):
            other.append(md5)
    gauge.end()
    if other:
        return Finding(
            "bytes",
            "failed",
            f"{numbers.counted(len(other), 'file')} in the cache are not what their hash says: {other[0]}",
            float(len(other)),
            0.0,
            mend=f"Remove it and fetch it anew: `rm -f {cache.locate(workspace.cache_dir, other[0])}`, "
            "`provenote data pull`",
            evidence={"md5": other},
        )
    if absent:
        return Finding("bytes", "not judged", f"{numbers.counted(absent, 'file')} are not in the cache")
    return Finding(
        "bytes", "passed", f"{numbers.counted(len(md5s), 'file')} in the cache are what their hash says"
    )


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


# ---------------------------------------------------------------------- influence


def influence(
    workspace: Workspace, path: str, rows: Rows, by: str | None, run: str, metric: str | None, tell: Tell
) -> Finding:
    """Run a run again without each source: one that alone holds the metric down or up is worth a look.

    Raises
    ------
    UsageError
        If the run did not read the path, or has no such metric.
    Refused
        If it cannot be run again.
    """
    half = halves.read(workspace, run)
    metric = _metric(half, metric)
    base = State(
        half,
        reads=tuple(half.document.get("reads") or ()),
        omitted=tuple(half.document.get("omitted") or ()),
        values=half.values,
        machine=half.document.get("machine") or {},
    )
    with Bench(workspace) as bench:
        return _influence(bench, base, path, rows, by, metric, tell)


def _influence(
    bench: Bench, base: State, path: str, rows: Rows, by: str | None, metric: str, tell: Tell
) -> Finding:
    half = base.half
    whole = states.run(bench, base, f"{half.row.name}: with all", tell)
    value = numbers.number(whole.metrics.get(metric))
    if whole.status != "finished" or value is None:
        raise Refused(f"{half.row.name} cannot be run again here: {whole.reason or f'no {metric}'}")
    import pandas

    largest = pandas.Series(rows.sources).value_counts().index[:MOST]
    effects: dict[str, float] = {}
    failed: dict[str, str] = {}
    for name in map(str, largest):
        state = dataclasses.replace(base, patches=(_without(path, rows, by, name),))
        made = states.run(bench, state, f"{half.row.name}: without {name}", tell)
        now = numbers.number(made.metrics.get(metric))
        if made.status == "finished" and now is not None:
            effects[name] = float(now - value)
        else:
            failed[name] = made.reason
    return _judged(metric, value, effects, failed)


def _metric(half: halves.Half, asked: str | None) -> str:
    known = [key for key, value in flat(half.row.metrics).items() if numbers.number(value) is not None]
    if asked is not None and asked in known:
        return asked
    if asked is not None or not known:
        raise UsageError(
            f"{half.row.name} has no metric {asked!r}", f"It has: {', '.join(known[:8]) or 'none'}"
        )
    return min(known, key=lambda key: numbers.direction(key) not in ("lower", "higher"))


def _judged(metric: str, value: float, effects: dict[str, float], failed: dict[str, str]) -> Finding:
    """Hold the influence of each source against that of the others. Pure."""
    evidence: dict[str, Any] = {"metric": metric, "with_all": value, "without": effects, "failed": failed}
    if len(effects) < poison.SOURCES:
        why = f"{numbers.counted(len(effects), 'source')} are too few to hold one against: {poison.SOURCES}"
        return Finding("influence", "not judged", why, evidence=evidence)
    first = max(effects, key=lambda name: abs(effects[name]))
    others = statistics.median(abs(effect) for name, effect in effects.items() if name != first)
    second = max(abs(effect) for name, effect in effects.items() if name != first)
    limit = max(TIMES * others, second * 1.5)
    outcome = "failed" if abs(effects[first]) > limit else "passed"
    now, by = numbers.text(value + effects[first]), numbers.change(effects[first], 0.0)
    words = f"without {first} the {metric} is {now} ({by})"
    return Finding(
        "influence",
        outcome,  # type: ignore[arg-type]
        f"{words}; without any other it moves by {numbers.text(second)} at most",
        abs(effects[first]),
        limit,
        mend=f"Look at what {first} brought" if outcome == "failed" else "",
        evidence=evidence,
    )


def _without(path: str, rows: Rows, by: str | None, name: str) -> Patch:
    if rows.files:
        return Patch(f"without files of {name}", path, _removing(rows.files[name]))
    keep = [index for index, source in enumerate(rows.sources) if source != name]
    digest = hashlib.sha256(repr((by, name, len(rows.sources))).encode()).hexdigest()[:16]
    return Patch(f"without rows {digest}", path, _keeping(keep))


def _removing(files: Sequence[str]) -> Any:
    def apply(path: Path) -> None:
        for name in files:
            (path / name).unlink(missing_ok=True) if name else path.unlink(missing_ok=True)

    return apply


def _keeping(keep: Sequence[int]) -> Any:
    def apply(path: Path) -> None:
        frame = sources.table(path)
        if frame is None:
            return
        temporary = path.with_name(f".{os.getpid()}-{path.name}")  # the file may be a link into the cache
        frame = frame.iloc[list(keep)]
        if path.name.endswith((".parquet", ".pq")):
            frame.to_parquet(temporary)
        elif path.name.endswith((".jsonl", ".ndjson")):
            frame.to_json(temporary, orient="records", lines=True)
        else:
            frame.to_csv(temporary, index=False, sep="\t" if path.name.endswith(".tsv") else ",")
        temporary.replace(path)

    return apply
