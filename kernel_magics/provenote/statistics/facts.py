"""Hard facts of a window: what no clean window of the reference showed, whatever its season.

Missing columns and values, numbers far outside, a constant sensor, repeated rows, kinds never seen, hours
that are missing. Each is held against the reference's own windows of the same length.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from provenote.statistics.frame import Array, Frame, missing

WIDER = 0.25
"""Share of a range that is added at both of its ends."""
MISSING_MORE = 0.01
REPEATED_MORE = 0.001
COVERED_LESS = 0.02
UNSEEN = 5
"""Rows of a kind that nobody saw before, below which it is only a note: a rare kind has to come once."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What the facts need to know of a window.

    Parameters
    ----------
    rows : int
    covered : float or None
        Share of the expected times that have a row; None where the series is not regular.
    lows, highs : dict of str to float
        By column of numbers that has any.
    missing : dict of str to float
        Share of missing values by column.
    constant : frozenset of str
        Columns with one value only.
    repeated : int
        Rows that repeat an earlier one in every column.
    kinds : dict of str to Counter
        Rows of each kind, by column of words.
    """

    rows: int
    covered: float | None
    lows: dict[str, float] = field(default_factory=dict)
    highs: dict[str, float] = field(default_factory=dict)
    missing: dict[str, float] = field(default_factory=dict)
    constant: frozenset[str] = frozenset()
    repeated: int = 0
    kinds: dict[str, Counter[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact that breaks with the reference.

    Parameters
    ----------
    kind : str
        ``absent``, ``missing``, ``range``, ``constant``, ``repeated``, ``unseen`` or ``gap``.
    column : str
        Empty where it is about whole rows.
    value, limit : float
        What was found, and what was allowed.
    count : int
        Rows that are concerned.
    note : bool
        Worth a look only.
    says : str
        More to say: the unseen kinds.
    """

    kind: str
    column: str
    value: float
    limit: float
    count: int = 0
    note: bool = False
    says: str = ""


def summarize(frame: Frame, length: int, step: int | None) -> Summary:
    """Return what the facts need to know of a window.

    Parameters
    ----------
    frame : Frame
        The rows of one window.
    length : int
        Seconds of a window.
    step : int or None
        Seconds between two rows, as `provenote.statistics.windows.step` finds them.
    """
    rows = len(frame)
    covered = None
    if step is not None and frame.times is not None:
        covered = min(1.0, len(np.unique(frame.times)) / max(length // step, 1))
    lows, highs, gone, constant = {}, {}, {}, set()
    for name, values in frame.numbers.items():
        there = values[~np.isnan(values)]
        gone[name] = 1 - len(there) / rows if rows else 0.0
        if len(there):
            lows[name], highs[name] = float(there.min()), float(there.max())
            if lows[name] == highs[name] and len(there) > 1:
                constant.add(name)
    kinds = {}
    for name, values in frame.words.items():
        kinds[name] = Counter(str(value) for value in values if value is not None)
        gone[name] = 1 - sum(kinds[name].values()) / rows if rows else 0.0
        if len(kinds[name]) == 1 and rows > 1:
            constant.add(name)
    return Summary(rows, covered, lows, highs, gone, frozenset(constant), repeated(frame), kinds)


def repeated(frame: Frame) -> int:
    """Count the rows that repeat an earlier one in every column and in their time."""
    columns: list[Array] = []
    if frame.times is not None:
        columns.append(frame.times.astype("datetime64[s]").astype(np.int64))
    for values in frame.numbers.values():
        columns.append(np.unique(values, return_inverse=True)[1])
    for values in frame.words.values():
        columns.append(np.unique(np.where(missing(values), "", values).astype(str), return_inverse=True)[1])
    if not columns or len(frame) < 2:
        return 0
    table = np.column_stack(columns)
    return len(table) - len(np.unique(table, axis=0))


def broken(window: Summary, own: Sequence[Summary]) -> list[Fact]:
    """Return the facts of a window that none of the reference's own windows shows.

    Parameters
    ----------
    window : Summary
    own : sequence of Summary
        Of the reference, at least one; a window that is itself of the reference must not be among them.
    """
    found = [*_absent(window, own), *_missing(window, own), *_ranges(window, own), *_constant(window, own)]
    found += _unseen(window, own)
    share = window.repeated / max(window.rows, 1)
    allowed = max(one.repeated / max(one.rows, 1) for one in own) + REPEATED_MORE
    if share > allowed:
        found.append(Fact("repeated", "", share, allowed, window.repeated))
    covered = [one.covered for one in own if one.covered is not None]
    if window.covered is not None and covered:
        least = min(covered) - COVERED_LESS
        if window.covered < least:
            found.append(Fact("gap", "", 1 - window.covered, 1 - least))
    return found


def _absent(window: Summary, own: Sequence[Summary]) -> list[Fact]:
    known = {name for one in own for name in one.missing}
    return [Fact("absent", name, 1.0, 0.0, window.rows) for name in sorted(known - window.missing.keys())]


def _missing(window: Summary, own: Sequence[Summary]) -> list[Fact]:
    found = []
    for name, share in window.missing.items():
        before = [one.missing[name] for one in own if name in one.missing]
        allowed = max(before, default=1.0) + MISSING_MORE
        if share > allowed:
            found.append(Fact("missing", name, share, allowed, round(share * window.rows)))
    return found


def _ranges(window: Summary, own: Sequence[Summary]) -> list[Fact]:
    found = []
    for name, low in window.lows.items():
        lows = [one.lows[name] for one in own if name in one.lows]
        highs = [one.highs[name] for one in own if name in one.highs]
        if not lows:
            continue
        least, most = min(lows), max(highs)
        margin = WIDER * (most - least)
        if low < least - margin:
            found.append(Fact("range", name, low, least - margin))
        if window.highs[name] > most + margin:
            found.append(Fact("range", name, window.highs[name], most + margin))
    return found


def _constant(window: Summary, own: Sequence[Summary]) -> list[Fact]:
    often = {name for one in own for name in one.constant}
    return [
        Fact("constant", name, 1.0, 0.0, window.rows)
        for name in sorted(window.constant - often)
        if any(name in one.missing for one in own)
    ]


def _unseen(window: Summary, own: Sequence[Summary]) -> list[Fact]:
    found = []
    for name, kinds in window.kinds.items():
        known: set[str] = set().union(*(one.kinds[name].keys() for one in own if name in one.kinds))
        new = {kind: count for kind, count in kinds.items() if kind not in known}
        if new and known:
            count = sum(new.values())
            words = ", ".join(repr(kind[:40]) for kind in sorted(new, key=lambda kind: -new[kind])[:3])
            found.append(Fact("unseen", name, count, UNSEEN - 1, count, count < UNSEEN, words))
    return found
