"""Try a monitor before trusting it: random clean windows, and faults put into them on purpose.

Beside it stands what is usual elsewhere, one test for each column at 5 % shared out among them, as a control:
on real data that come in the order of time it must ring nearly always, or this trial could not fail.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from provenote.events import Progress, Tell, silent
from provenote.monitor import measuring
from provenote.statistics import distances, faults, windows
from provenote.statistics.frame import Frame
from provenote.statistics.reference import ROWS, Reference

RANDOM = 200


@dataclass(frozen=True, slots=True)
class Trial:
    """One line of the table.

    Parameters
    ----------
    name : str
    gross : bool
        Whether it must always be seen.
    windows : int
        Windows that it was put into.
    seen : dict of str to int
        Windows that alarmed, by kind of check, and ``any``.
    naive : int or None
        Windows in which the usual tests rang; taken of clean windows only.
    """

    name: str
    gross: bool
    windows: int
    seen: dict[str, int]
    naive: int | None

    def plain(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def run(reference: Reference, *, random: int = RANDOM, seed: int = 0, tell: Tell = silent) -> list[Trial]:
    """Try a reference: first clean windows, then each fault in each of its own windows.

    Parameters
    ----------
    reference : Reference
    random : int
        Clean windows that begin anywhere, each judged without the own windows that it overlaps.
    seed : int
        Where they begin.
    tell : Tell
    """
    frames = measuring.own_frames(reference)
    own = [(frame, [place]) for place, frame in enumerate(frames)]
    made = [_tried("clean, own windows", False, reference, own)]
    if random:
        anywhere = _anywhere(reference, random, seed)
        made.append(_tried("clean, random windows", False, reference, anywhere))
    for fault in faults.choose(reference):
        tell(Progress("try faults", len(made), None, detail=fault.name))
        struck = [(changed, without) for frame, without in own if (changed := fault.make(frame)) is not None]
        made.append(_tried(fault.name, fault.gross, reference, struck))
    tell(Progress("try faults", len(made), len(made), state="done"))
    return made


def _tried(name: str, gross: bool, reference: Reference, frames: list[tuple[Frame, list[int]]]) -> Trial:
    seen = measuring.alarms(reference, frames)
    clean = name.startswith("clean")
    naive = sum(rings(reference, frame, without) for frame, without in frames) if clean else None
    return Trial(name, gross, len(frames), seen, naive)


def _anywhere(reference: Reference, count: int, seed: int) -> list[tuple[Frame, list[int]]]:
    times = reference.frame.times
    assert times is not None
    seconds = times.astype("datetime64[s]").astype(np.int64)
    room = int(seconds[-1] - seconds[0]) - reference.length
    found: list[tuple[Frame, list[int]]] = []
    random = np.random.default_rng(seed)
    least = max(ROWS, min((len(one) for one in reference.own), default=ROWS))
    for _ in range(4 * count):
        if room <= 0 or len(found) == count:
            break
        begin = int(seconds[0] + random.integers(0, room) // 3600 * 3600)
        first, last = np.searchsorted(seconds, [begin, begin + reference.length])
        if last - first >= least:
            overlapping = reference.overlapping(begin, begin + reference.length)
            found.append((reference.frame.take(slice(int(first), int(last))), overlapping))
    return found


def rings(reference: Reference, window: Frame, without: list[int]) -> bool:
    """Whether a Kolmogorov-Smirnov or chi-squared test of any column rings at 5 %, by Bonferroni."""
    from scipy import stats

    rest = np.ones(len(reference.frame), bool)
    for place in without:
        rest[reference.own[place].rows] = False
    level = 0.05 / max(len(reference.columns), 1)
    for name, values in reference.frame.numbers.items():
        here = window.numbers[name]
        here, there = here[~np.isnan(here)], values[rest & ~np.isnan(values)]
        if len(here) > 10 and stats.ks_2samp(there, here, method="asymp").pvalue < level:
            return True
    for name, kinds in reference.frame.words.items():
        first, second = distances.counts(kinds[rest], window.words[name])
        there_are = first + second > 0
        if there_are.sum() > 1 and stats.chi2_contingency([first[there_are], second[there_are]])[1] < level:
            return True
    return False


def length_words(seconds: int) -> str:
    """Return a window's length in words."""
    if seconds % windows.DAY == 0:
        days = seconds // windows.DAY
        return f"{days} day{'s' if days != 1 else ''}"
    return f"{seconds / 3600:g} hours"
