"""What a monitor can see, measured on its own reference before it watches anything.

False alarms are counted on the reference's own windows, each judged by the others. The smallest change is
found by putting changes of rising size into the same windows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from provenote.statistics import faults
from provenote.statistics.frame import Frame
from provenote.statistics.reference import Reference

LADDER = (0.01, 0.02, 0.05, 0.10, 0.20, 0.50, 1.0)
"""Sizes that are tried, as a share of the column's standard deviation."""
SEEN = 0.8
"""Share of windows in which a change must be seen."""
MOST = 30
"""Own windows that changes are put into, spread over the reference."""
COLUMNS = 40
"""Columns that changes are put into; of more, first those that others tell."""
WIDE = 100
"""Columns from which on only a few are measured, in a few windows."""
_ORDER = ("fact", "relation", "clock", "marginal")


@dataclass(frozen=True, slots=True)
class Smallest:
    """The smallest change of a column that is seen in at least 80 % of the windows.

    Parameters
    ----------
    column : str
    amount : float or None
        In the column's unit; None where even the largest one tried is not seen.
    share : float
        Of the windows in which it is seen (for None: in which the largest one is).
    deviation : float
        The column's standard deviation.
    """

    column: str
    amount: float | None
    share: float
    deviation: float


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured.

    Parameters
    ----------
    windows : int
        Own windows.
    false_alarms : dict of str to int
        Own windows that alarmed (for marginals: turned yellow), by kind of check; ``any`` for all alarms.
    smallest : tuple of Smallest
        By column of numbers.
    """

    windows: int
    false_alarms: dict[str, int]
    smallest: tuple[Smallest, ...]

    def plain(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "windows": self.windows,
            "false_alarms": self.false_alarms,
            "smallest": [
                {"column": one.column, "amount": one.amount, "share": one.share, "deviation": one.deviation}
                for one in self.smallest
            ],
        }


def own_frames(reference: Reference) -> list[Frame]:
    """Return the rows of each own window."""
    return [reference.frame.take(one.rows) for one in reference.own]


def alarms(reference: Reference, frames: Iterable[tuple[Frame, Sequence[int]]]) -> dict[str, int]:
    """Count windows that alarm, by kind; ``any`` counts those that call a person at all.

    Parameters
    ----------
    reference : Reference
    frames : iterable of (Frame, sequence of int)
        Each with the own windows that teach nothing for it.
    """
    found = dict.fromkeys((*_ORDER, "any"), 0)
    for frame, without in frames:
        over = [
            one for one in reference.judge(frame, without) if one.over and not (one.fact and one.fact.note)
        ]
        for kind in {one.kind for one in over}:
            found[kind] += 1
        found["any"] += any(one.alarms for one in over)
    return found


def measure(reference: Reference) -> Measured:
    """Measure what a monitor with this reference can see."""
    frames = own_frames(reference)
    clean = alarms(reference, ((frame, [place]) for place, frame in enumerate(frames)))
    return Measured(len(frames), clean, tuple(_smallest(reference, frames)))


def _smallest(reference: Reference, frames: Sequence[Frame]) -> Iterable[Smallest]:
    wide = len(reference.columns) > WIDE  # a judgement costs with the columns, and each needs its own
    chosen: list[int] = (
        np.unique(np.linspace(0, len(frames) - 1, min(len(frames), 8 if wide else MOST)).astype(int)).tolist()
        if frames
        else []
    )
    quiet = [
        int(place)
        for place in chosen
        if not any(one.alarms for one in reference.judge(frames[place], [int(place)], far=False))
    ]
    related = {one.column for one in reference.relations.found}
    names = sorted(reference.frame.numbers, key=lambda name: name not in related)[: 5 if wide else COLUMNS]
    for name, values in reference.frame.numbers.items():
        if name not in names:
            continue
        deviation = float(np.nanstd(values))
        if not quiet or not deviation > 0:
            continue
        last = len(LADDER) - 1
        share, amount = _share(reference, frames, quiet, name, LADDER[last] * deviation), None
        if share >= SEEN:  # then the least one that is seen, by halves: a larger change is seen more often
            low, amount = 0, LADDER[last] * deviation
            while low < last:
                middle = (low + last) // 2
                found = _share(reference, frames, quiet, name, LADDER[middle] * deviation)
                if found >= SEEN:
                    last, share, amount = middle, found, LADDER[middle] * deviation
                else:
                    low = middle + 1
        yield Smallest(name, amount, share, deviation)


def _share(
    reference: Reference, frames: Sequence[Frame], quiet: Sequence[int], name: str, amount: float
) -> float:
    seen = 0
    for place in quiet:
        struck = faults.added(name, amount)(frames[place])
        if struck is not None:
            seen += any(one.alarms for one in reference.judge(struck, [place], far=False))
    return seen / len(quiet)
