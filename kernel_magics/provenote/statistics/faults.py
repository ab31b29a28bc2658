"""Faults put into windows on purpose: what a monitor sees of them is what it can promise.

Each fault takes a window's rows and returns them with the fault, or None where the window has nothing to put
it into. Which column it strikes is chosen once for a reference (`choose`), by what the column is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from provenote.statistics.frame import Array, Frame

if TYPE_CHECKING:
    from provenote.statistics.reference import Reference

Make = Callable[[Frame], Frame | None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Parameters
    ----------
    name : str
        As a table heads it: ``temp x100``.
    gross : bool
        Whether it must always be seen.
    make : callable
    """

    name: str
    gross: bool
    make: Make


def choose(reference: Reference) -> list[Fault]:
    """Return the faults that a reference has columns for.

    Parameters
    ----------
    reference : Reference
        Its relations say which columns can tell of each other.
    """
    frame = reference.frame
    related = [one.column for one in sorted(reference.relations.found, key=lambda one: -one.explained)]
    numbers = [name for name in frame.numbers if name not in reference.apart]
    struck = next(iter([*related, *numbers]), "")
    other = next(
        (name for name in [*related, *numbers] if name != struck and _apart(frame, struck, name)), ""
    )
    often = {name: max(one.missing[name] for one in reference.summaries) for name in frame.columns}
    whole = min(
        (name for name in numbers), key=lambda name: (round(often[name], 3), name == struck), default=""
    )
    still = {name for one in reference.summaries for name in one.constant}
    steady = next((name for name in reversed(numbers) if name not in still and name != struck), "")
    found: list[Fault] = []
    if struck:
        found.append(Fault(f"{struck} x100", True, scaled(struck, 100)))
    if whole:
        found.append(Fault(f"5 % of {whole} missing", True, lost(whole, 0.05)))
        found.append(Fault(f"20 % of {whole} missing", True, lost(whole, 0.20)))
    if struck and other:
        found.append(Fault(f"{struck} and {other} swapped", True, swapped(struck, other)))
    if steady:
        found.append(Fault(f"{steady} constant", True, held(steady)))
    found.append(Fault("10 % of the rows twice", True, doubled(0.10)))
    kinds = list(frame.words)
    if kinds:
        found.append(Fault(f"new kind in 3 % of {kinds[-1]}", True, renamed(kinds[-1], 0.03)))
    if reference.clock.columns:
        unit = "h" if reference.clock.period == 24 else "d"
        found += [
            Fault(f"clock {lag:+d} {unit}", abs(lag) > 1, moved(lag, reference.clock.period))
            for lag in ((1, 2, 3, -3) if unit == "h" else (1, -1))
        ]
    if struck:
        found.append(Fault(f"{struck} +5 %", False, scaled(struck, 1.05)))
        found.append(Fault(f"{struck} +10 %", False, scaled(struck, 1.10)))
    for name in sorted(reference.apart & frame.numbers.keys())[:1]:
        found.append(Fault(f"{name} x1.5", False, scaled(name, 1.5)))
    return found


def scaled(name: str, factor: float) -> Make:
    """Return a fault: a column in another unit, or off by a share."""
    return lambda window: _with(window, name, lambda values: values * factor)


def added(name: str, amount: float) -> Make:
    """Return a fault: a column moved by an amount."""
    return lambda window: _with(window, name, lambda values: values + amount)


def lost(name: str, share: float) -> Make:
    """Return a fault: values missing in rows drawn at random."""

    def make(window: Frame) -> Frame | None:
        return _with(window, name, lambda values: np.where(_some(len(window), share), np.nan, values))

    return make


def held(name: str) -> Make:
    """Return a fault: a sensor that repeats its first value."""

    def make(window: Frame) -> Frame | None:
        there = window.numbers.get(name, np.zeros(0))
        there = there[~np.isnan(there)]
        if not len(there):
            return None
        return _with(window, name, lambda values: np.full(len(values), there[0]))

    return make


def swapped(first: str, second: str) -> Make:
    """Return a fault: two columns under each other's name."""

    def make(window: Frame) -> Frame | None:
        numbers = dict(window.numbers)
        if first not in numbers or second not in numbers:
            return None
        numbers[first], numbers[second] = numbers[second], numbers[first]
        return replace(window, numbers=numbers)

    return make


def doubled(share: float) -> Make:
    """Return a fault: rows that came twice."""

    def make(window: Frame) -> Frame | None:
        rows = np.arange(len(window))
        return window.take(np.sort(np.concatenate([rows, rows[_some(len(rows), share)]])))

    return make


def renamed(name: str, share: float) -> Make:
    """Return a fault: a kind that nobody saw before."""

    def make(window: Frame) -> Frame | None:
        values = window.words.get(name)
        if values is None:
            return None
        words = {**window.words, name: np.where(_some(len(window), share), "never seen", values)}
        return replace(window, words=words)

    return make


def moved(lag: int, period: int = 24) -> Make:
    """Return a fault: each row told later by so many hours (days, where the period is a week)."""

    def make(window: Frame) -> Frame | None:
        if window.times is None:
            return None
        unit = np.timedelta64(3600 if period == 24 else 86_400, "s")
        return replace(window, times=window.times + lag * unit)

    return make


def _with(window: Frame, name: str, change: Callable[[Array], Array]) -> Frame | None:
    values = window.numbers.get(name)
    if values is None:
        return None
    numbers: Mapping[str, Array] = {**window.numbers, name: change(values)}
    return replace(window, numbers=dict(numbers))


def _some(rows: int, share: float) -> Array:
    """Return which rows are struck: the same for the same number of rows, at least one."""
    chosen = np.random.default_rng(rows).permutation(rows)[: max(1, round(share * rows))]
    made = np.zeros(rows, bool)
    made[chosen] = True
    return made


def _apart(frame: Frame, first: str, second: str) -> bool:
    """Whether two columns have so different middles or spreads that swapping them is a fault at all."""
    left, right = frame.numbers[first], frame.numbers[second]
    return bool(np.isfinite(left).any() and np.isfinite(right).any() and related(left, right) < 0.9)


def related(first: Array, second: Array) -> float:
    """Return how closely two columns go together: the size of their correlation."""
    there = np.isfinite(first) & np.isfinite(second)
    if there.sum() < 10:
        return 0.0
    with np.errstate(all="ignore"):
        return abs(float(np.nan_to_num(np.corrcoef(first[there], second[there])[0, 1])))
