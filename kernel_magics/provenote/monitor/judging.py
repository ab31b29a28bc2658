"""Judge the data of one window: signals, causes, and a verdict with a finding for each kind of check."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from provenote.checks.verdict import Finding, Outcome, Verdict
from provenote.monitor import causes
from provenote.monitor.causes import Cause
from provenote.monitor.definition import Monitor
from provenote.monitor.record import Level, Record, level
from provenote.statistics import limits
from provenote.statistics.frame import Frame
from provenote.statistics.reference import ROWS, Reference, Signal
from provenote.statistics.windows import Window

CHECKS = {
    "fact": "hard facts: missing, range, constant, twice, unseen, gaps",
    "relation": "relations between columns",
    "clock": "the clock: course of the day",
    "marginal": "distribution of each column",
}
"""What each kind of check is, in the order in which they are shown."""
_LEVELS = ("null", "range", "set")
"""Rules of contracts that say of a column what signals say of it, too."""
NAMES = {"fact": "facts", "relation": "relations", "clock": "clock", "marginal": "distributions"}


def judge(
    monitor: Monitor,
    reference: Reference,
    rows: Frame,
    window: Window,
    *,
    before: Iterable[str] = (),
    contract: Sequence[Finding] = (),
    files: Mapping[str, str] | None = None,
    without: Sequence[int] = (),
) -> Record:
    """Judge the rows of one window.

    Parameters
    ----------
    monitor : Monitor
    reference : Reference
    rows : Frame
        The window's rows with all their columns.
    window : Window
    before : iterable of str
        Marginals that were over in the window before.
    contract : sequence of Finding
        What the contract says of the window's files.
    files : mapping of str to str, optional
        Path and MD5 of the files that hold the rows.
    without : sequence of int
        Own windows that the rows belong to, and that teach nothing here.
    """
    fitted = reference.fitted(rows)
    subject = {
        "monitor": monitor.name,
        "model": monitor.model,
        "window": window.name,
        "reference": monitor.md5,
        **{f"file {path}": md5 for path, md5 in (files or {}).items()},
    }
    lacking = _lacking(reference, rows)
    if lacking and rows:
        refused = Finding("window", "not judged", lacking, value=float(len(rows)), limit=float(ROWS))
        verdict = Verdict("monitor", subject, (refused, *contract))
        causes_ = tuple(_with_contract((), contract))
        found: Level = "act" if causes_ else "not judged"
        return _record(monitor, window, rows, found, causes_, {}, verdict)
    signals = reference.judge(fitted, without)
    explained = causes.explain(reference, fitted, signals, before=before, without=without)
    explained = _with_contract(explained, contract)
    findings = [_finding(kind, reference, signals, explained) for kind in CHECKS]
    if not any(one.name.startswith("contract") for one in contract):
        findings.append(
            Finding("contract", "skipped", "this monitor has no contract: `provenote data contract PATH`")
        )
    verdict = Verdict("monitor", subject, (*findings, *contract))
    values = {one.name: [one.value, one.limit, one.over, *(one.usual or (None, None))] for one in signals}
    return _record(monitor, window, rows, level(tuple(explained)), tuple(explained), values, verdict)


def _lacking(reference: Reference, rows: Frame) -> str:
    """Return why a window cannot be judged, empty where it can."""
    if not reference.learned:
        return (
            f"learning: the reference has {len(reference.own)} of the {limits.LEAST} windows that limits need"
        )
    usual = float(np.median([len(one) for one in reference.own]))
    if len(rows) < ROWS:
        return f"{len(rows):,} of {usual:,.0f} rows: at least {ROWS} are needed"
    if len(rows) < usual / 2:
        return f"{len(rows):,} of {usual:,.0f} rows: less than half of a usual window"
    return ""


def empty(monitor: Monitor, reference: Reference, window: Window) -> Record:
    """Return the record of a window without any row, with later ones after it: its delivery is lost."""
    usual = float(np.median([len(one) for one in reference.own])) if reference.own else 0.0
    cause = Cause(
        "gap",
        "no rows at all",
        f"Windows of the reference have {usual:,.0f}; later windows have theirs.",
        "Bring the files, then `provenote monitor run` judges the window anew",
        "act",
        ("gap",),
    )
    finding = Finding("facts", "failed", cause.title, 0.0, usual, mend=cause.mend)
    subject = {"monitor": monitor.name, "model": monitor.model, "window": window.name}
    verdict = Verdict("monitor", subject, (finding,))
    return _record(monitor, window, Frame(), "act", (cause,), {"gap": [1.0, 0.0, True]}, verdict)


def _finding(kind: str, reference: Reference, signals: Sequence[Signal], found: Sequence[Cause]) -> Finding:
    mine = [one for one in signals if one.kind == kind]
    over = [one for one in mine if one.over]
    told = [cause for cause in found if set(cause.signals) & {one.name for one in over}]
    acts = [cause for cause in told if cause.level == "act"]
    if kind == "clock" and not mine:
        return Finding(NAMES[kind], "skipped", "no column has a course of the day that tells the hour")
    if kind == "relation" and not reference.relations.found:
        return Finding(NAMES[kind], "skipped", "no column is told by the others")
    outcome: Outcome = "failed" if acts else "passed"
    why = "; ".join(cause.title for cause in told) or "inside the band of own windows"
    worst = max(over, key=lambda one: one.value / one.limit if one.limit else one.value, default=None)
    return Finding(
        NAMES[kind],
        outcome,
        why,
        None if worst is None else worst.value,
        None if worst is None else worst.limit,
        mend=acts[0].mend if acts else "",
        evidence={
            "level": "act" if acts else "look" if told else "healthy",
            "causes": [cause.id for cause in told],
            "over": [one.name for one in over],
            "windows": len(reference.own),
        },
    )


def _with_contract(found: Sequence[Cause], findings: Sequence[Finding]) -> list[Cause]:
    """Add what the contract says: one cause for each rule, whichever files break it.

    Where the window's own signals tell of the same column already, it is the same thing: its place in the
    files is told there, and nobody is called twice.
    """
    causes_ = list(found)
    for one in findings:
        if one.outcome not in ("failed", "error"):
            continue
        rule = str(one.evidence.get("kind") or one.name)
        column = str(one.evidence.get("column") or "")
        id_ = f"contract:{rule}:{column}" if column else f"contract:{rule}"
        same = next(
            (
                place
                for place, cause in enumerate(causes_)
                if cause.id == id_
                or (rule in _LEVELS and cause.level == "act" and cause.id.partition(":")[2] == column)
            ),
            None,
        )
        if same is None:
            title = f"the contract does not hold: {rule} {column}".rstrip()
            causes_.append(Cause(id_, title, one.why, one.mend, "act", (one.name,)))
        elif causes_[same].id != id_:
            told = f"{causes_[same].why} {one.why}"
            if one.why not in causes_[same].why:
                causes_[same] = replace(causes_[same], why=told)
    return causes_


def _record(
    monitor: Monitor,
    window: Window,
    rows: Frame,
    found: Level,
    explained: tuple[Cause, ...],
    values: Mapping[str, Any],
    verdict: Verdict,
) -> Record:
    return Record(
        monitor.name,
        window.name,
        "data",
        window.begin,
        window.end,
        len(rows),
        digest(rows.without(monitor.apart)),
        found,
        explained,
        {name: [_plain(one) for one in value] for name, value in values.items()},
        verdict.plain(),
        monitor.md5,
        time.time(),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    return float(value) if np.isfinite(value) else None


def digest(rows: Frame) -> str:
    """Return 16 hexadecimal digits of rows: the same for the same values, whatever file they are in."""
    hashed = hashlib.sha256()
    for name in sorted(rows.columns):
        hashed.update(name.encode() + b"\0")
        if name in rows.numbers:
            hashed.update(np.ascontiguousarray(rows.numbers[name]).tobytes())
        else:
            hashed.update("\0".join(str(one) for one in rows.words[name].tolist()).encode("utf-8", "replace"))
    if rows.times is not None:
        hashed.update(rows.times.astype("datetime64[s]").tobytes())
    return hashed.hexdigest()[:16]
