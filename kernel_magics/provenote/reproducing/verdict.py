"""Is it the same: metrics and outputs of a run held against those of its reproduction. Pure.

- ``identical``: every metric is equal to the last bit, with all its points, and so is every output once what
  chance brings is taken out (`provenote.reproducing.canonical`).
- ``within tolerance``: no metric is further off than it may be, and outputs differ at most in such numbers.
- ``different``: anything else.

Metrics that measure time are shown and not judged, unless a tolerance names them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal

from provenote.compare.columns import flat
from provenote.compare.notebooks import NotebookCell
from provenote.compare.numbers import number
from provenote.reproducing import canonical, tolerance
from provenote.reproducing.tolerance import Tolerance, Tolerances

Word = Literal["identical", "within tolerance", "different"]
Points = Sequence[tuple[Any, Any]]
Grade = Literal["equal", "near", "off", "gone", "new", "clock"]


@dataclass(frozen=True, slots=True)
class Gave:
    """What a run gave: how it ended, its metrics with their points, its cells.

    Parameters
    ----------
    status : str
    reason : str
        More about the status.
    metrics : mapping
        The last value of each.
    points : mapping of str to sequence of (step, value)
    cells : sequence of NotebookCell or None
        Its code cells; None where one did not run.
    """

    status: str
    reason: str
    metrics: Mapping[str, Any]
    points: Mapping[str, Points]
    cells: Sequence[NotebookCell | None] = ()


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, then and now.

    Parameters
    ----------
    key : str
    then, now : object
        Last values; None where it was not logged.
    grade : Grade
        ``equal`` to the last bit, ``near`` within its tolerance, ``off`` beyond it, ``gone``, ``new``, or
        ``clock``: it measures time and is not judged.
    off_points : int
        Points of its curve that are not equal.
    points : int
        All points of its curve, then.
    """

    key: str
    then: Any
    now: Any
    grade: Grade
    off_points: int = 0
    points: int = 0


@dataclass(frozen=True, slots=True)
class CellDifference:
    """A cell whose output is not the same.

    Parameters
    ----------
    number : int
        Its place among the code cells that ran, from 1.
    then, now : NotebookCell or None
        In canonical form; None where it did not run.
    near : bool
        Whether only numbers differ, each within the tolerance.
    """

    number: int
    then: NotebookCell | None
    now: NotebookCell | None
    near: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came out.

    Parameters
    ----------
    word : {'identical', 'within tolerance', 'different'}
    metrics : tuple of Metric
    cells : tuple of CellDifference
    compared : int
        Cells that were compared.
    then, now : str
        How the run and its reproduction ended.
    """

    word: Word
    metrics: tuple[Metric, ...]
    cells: tuple[CellDifference, ...]
    compared: int
    then: str
    now: str

    @property
    def judged(self) -> int:
        """How many metrics count for the verdict."""
        return sum(metric.grade != "clock" for metric in self.metrics)


def judge(then: Gave, now: Gave, allowed: Tolerances, folders: Sequence[str] = ()) -> Verdict:
    """Hold a reproduction against its run.

    Parameters
    ----------
    then, now : Gave
        ``now.cells`` in the order and number of ``then.cells``.
    allowed : mapping of str to Tolerance
    folders : sequence of str
        Where the project may have stood.
    """
    metrics = _metrics(then, now, allowed)
    widest = _widest(allowed)
    cells, compared = [], 0
    for place, (old, new) in enumerate(zip_longest(then.cells, now.cells)):
        if old is None and new is None:
            continue
        compared += 1
        found = _cell(place + 1, old, new, widest, folders)
        if found is not None:
            cells.append(found)
    bad = then.status != now.status or any(metric.grade in ("off", "gone", "new") for metric in metrics)
    if bad or any(not cell.near for cell in cells):
        word: Word = "different"
    elif cells or any(metric.grade == "near" for metric in metrics):
        word = "within tolerance"
    else:
        word = "identical"
    return Verdict(word, metrics, tuple(cells), compared, then.status, now.status)


def comparable(gave: Gave) -> bool:
    """Tell whether a run gave anything that a reproduction can be held against."""
    return any(not tolerance.is_clock(key) for key in flat(gave.metrics)) or any(
        cell is not None and cell.outputs for cell in gave.cells
    )


def _metrics(then: Gave, now: Gave, allowed: Tolerances) -> tuple[Metric, ...]:
    old, new = flat(then.metrics), flat(now.metrics)
    found = []
    for key in [*old, *(key for key in new if key not in old)]:
        points, later = then.points.get(key, ()), now.points.get(key, ())
        a, b = old.get(key), new.get(key)
        if tolerance.is_clock(key) and key not in allowed:
            found.append(Metric(key, a, b, "clock", 0, len(points)))
            continue
        if key not in new or key not in old:
            found.append(Metric(key, a, b, "gone" if key in old else "new", 0, len(points)))
            continue
        may = tolerance.of(allowed, key)
        pairs = list(zip_longest(points, later))
        off = sum(not _near_point(one, other, tolerance.EXACT) for one, other in pairs)
        grade: Grade = "equal" if same(a, b) and not off else "near" if _near(a, b, may) else "off"
        if grade == "near" and not all(_near_point(one, other, may) for one, other in pairs):
            grade = "off"
        found.append(Metric(key, a, b, grade, off, len(points)))
    return tuple(found)


def same(then: Any, now: Any) -> bool:
    """Tell whether two values are one and the same: no number equals a flag or a text."""
    if isinstance(then, bool) or isinstance(now, bool):
        return isinstance(then, bool) and isinstance(now, bool) and then == now
    return bool(then == now)


def _near(then: Any, now: Any, may: Tolerance) -> bool:
    if isinstance(then, bool) or isinstance(now, bool):
        return same(then, now)
    old, new = number(then), number(now)
    return same(then, now) if old is None or new is None else may.holds(old, new)


def _near_point(one: tuple[Any, Any] | None, other: tuple[Any, Any] | None, may: Tolerance) -> bool:
    return one is not None and other is not None and one[0] == other[0] and _near(one[1], other[1], may)


def _widest(allowed: Tolerances) -> Tolerance:
    """Return the greatest relative tolerance: numbers in outputs have no name to find theirs by."""
    return Tolerance(max((one.size for one in allowed.values() if one.relative), default=0.0))


def _cell(
    place: int, old: NotebookCell | None, new: NotebookCell | None, may: Tolerance, folders: Sequence[str]
) -> CellDifference | None:
    then = None if old is None else canonical.cell(old, folders)
    now = None if new is None else canonical.cell(new, folders)
    if then is None or now is None:
        return CellDifference(place, then, now)
    if then.digest == now.digest:
        return None
    return CellDifference(place, then, now, canonical.near(then, now, may))
