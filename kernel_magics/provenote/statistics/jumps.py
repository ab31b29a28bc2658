"""Whether a metric moved: a single jump or a shift that stays, up or down, among values that came before.

A value loses what is usual at its phase (median of the same weekday or hour), then what the value before it
tells (first-order autocorrelation). What is left is held against two rules:

- *jump*: a prediction interval of Student's t whose error is spent over all looks of a year; with a hundred
  values and more it is at least as wide as the tail that they show (Weissman 1978), since a few values far
  out are usual for some metrics.
- *shift*: a conformal test martingale for each direction, betting on the rank of a value among all before
  it (Vovk 2021). It needs no distribution; the chance of ever crying wrongly is at most its level (Ville).

Below twenty values nothing is judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from provenote.statistics.frame import Array

LEAST = 20
"""Values that must have come before."""
MANY = 100
"""Values from which on the tail is read off them."""
LEVEL = 0.05
"""Chance of a false cry in a year, of each rule."""
_SAME_PHASE = 8
_SWITCH = 0.01


@dataclass(frozen=True, slots=True)
class Look:
    """One value among those before it.

    Parameters
    ----------
    state : {'learning', 'usual', 'jump', 'shift'}
    direction : {'', 'up', 'down'}
    value : float
    low, high : float
        Between which no jump is seen; infinite while learning.
    known : int
        Values that it was held against.
    """

    state: Literal["learning", "usual", "jump", "shift"]
    direction: Literal["", "up", "down"]
    value: float
    low: float
    high: float
    known: int


def follow(
    values: Sequence[float],
    phases: Sequence[int] | None = None,
    *,
    looks: int = 365,
    level: float = LEVEL,
    anew: Sequence[int] = (),
) -> list[Look]:
    """Judge each value by those before it.

    Parameters
    ----------
    values : sequence of float
        In the order of time; NaN is passed over.
    phases : sequence of int, optional
        The weekday or hour of each, where the metric may depend on it.
    looks : int
        Values in a year, over which the level is spent.
    level : float
    anew : sequence of int
        Positions from which on everything is learned again: a level that was accepted as normal.

    Returns
    -------
    list of Look
        One for each value.
    """
    made: list[Look] = []
    starts = set(anew)
    history = _History(looks, level)
    for place, value in enumerate(values):
        if place in starts:
            history = _History(looks, level)
        made.append(history.look(float(value), phases[place] if phases is not None else 0))
    return made


class _History:
    """The values so far, and the two martingales."""

    def __init__(self, looks: int, level: float) -> None:
        self._values: list[float] = []
        self._phases: list[int] = []
        self._tail = level / (2 * max(looks, 1))
        self._cry = 2 / level
        self._bets = {"up": np.array([0.5, 0.5]), "down": np.array([0.5, 0.5])}
        self._shifted: Literal["", "up", "down"] = ""

    def look(self, value: float, phase: int) -> Look:
        known = len(self._values)
        if value != value or known < LEAST:
            if value == value:
                self._keep(value, phase)
            return Look("learning", "", value, -np.inf, np.inf, known)
        values, phases = np.array(self._values), np.array(self._phases)
        everywhere = float(np.median(values))
        middles = {phase: everywhere}
        for at in set(self._phases):
            same = values[phases == at]
            middles[at] = float(np.median(same)) if len(same) >= _SAME_PHASE else everywhere
        usual = middles[phase]
        past = values - np.array([middles[at] for at in self._phases])
        echo = _echo(past)
        left = past[1:] - echo * past[:-1]
        carried = usual + echo * past[-1]
        new = value - carried
        middle, reach = float(left.mean()), _reach(left, self._tail)
        low, high = carried + middle - reach, carried + middle + reach
        self._bet(left, new, known)
        if self._shifted:
            return Look("shift", self._shifted, value, low, high, known)
        if not low <= value <= high:
            # A lone value far out must not widen the limits for the next one: it stays out of the history.
            return Look("jump", "up" if value > high else "down", value, low, high, known)
        self._keep(value, phase)
        return Look("usual", "", value, low, high, known)

    def _keep(self, value: float, phase: int) -> None:
        self._values.append(value)
        self._phases.append(phase)

    def _bet(self, left: Array, new: float, known: int) -> None:
        """Bet on the rank of the new value: a value higher than most pays ``up``, a lower one ``down``."""
        draw = float(np.random.default_rng(known).random())
        rank = (float(np.sum(left > new)) + draw * (float(np.sum(left == new)) + 1)) / (len(left) + 1)
        for way, sign in (("up", -1.0), ("down", 1.0)):
            bets = self._bets[way]
            bets = (1 - _SWITCH) * bets + _SWITCH / 2 * bets.sum()
            self._bets[way] = bets * (1 + np.array([0.0, sign]) * (rank - 0.5))
            if not self._shifted and float(self._bets[way].sum()) >= self._cry:
                self._shifted = "up" if way == "up" else "down"


def _echo(past: Array) -> float:
    """Return the first-order autocorrelation, with its bias in short histories taken back."""
    centered = past - past.mean()
    size = float(centered @ centered)
    if size <= 0:
        return 0.0
    return float(np.clip(float(centered[1:] @ centered[:-1]) / size + 1 / len(past), 0.0, 0.9))


def _reach(left: Array, tail: float) -> float:
    """Return how far from the mean a value may lie."""
    from scipy import stats

    size = len(left)
    spread = float(left.std(ddof=1)) * float(np.sqrt(1 + 1 / size))
    reach = float(stats.t.isf(tail, size - 1)) * spread
    if size < MANY:
        return reach
    sizes = np.sort(np.abs(left - left.mean()))
    top = size // 10
    edge = float(sizes[-top - 1])
    if edge <= 0:
        return reach
    index = float(np.mean(np.log(sizes[-top:] / edge)))
    return max(reach, edge * float((top / (size * 2 * tail)) ** index))
