"""The clock: whether a window's day has the shape of the reference's day, and by how much it is moved.

The profile of a column is its median by hour of the day (by day of the week, where there is one row a day).
Its correlation with the reference's profile knows no level: rentals may double, the rush hour stays at eight.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from provenote.statistics.frame import Array, Frame

GAIN = 0.05
"""Correlation that another lag must gain over none, where own windows gain nothing."""
BLURRED = 0.4
"""Gain in an own window beyond which the columns do not tell the hour at all."""
ALIKE = 0.6
"""Correlation of own windows with the others' profile that a column needs to tell the hour."""
_LEAST = 2 / 3


@dataclass(frozen=True, slots=True)
class Lag:
    """How a window's profile lies on the reference's.

    Parameters
    ----------
    phases : int
        That it lies later; 0 is none.
    gain : float
        Correlation gained over no lag.
    alike : float
        Correlation at no lag.
    """

    phases: int
    gain: float
    alike: float


@dataclass(frozen=True, slots=True)
class Clock:
    """The profiles of a reference.

    Parameters
    ----------
    period : int
        Phases: 24 hours or 7 days; 0 where there is no clock to tell.
    columns : tuple of str
        Those that tell it.
    profiles : array, windows x columns x phases
    weights : array, columns
        The more alike a column's own windows are, the more it counts.
    limit : float
        On the gain, from own windows.
    """

    period: int
    columns: tuple[str, ...]
    profiles: Array
    weights: Array
    limit: float = GAIN

    def lag(self, frame: Frame, without: Iterable[int] = ()) -> Lag | None:
        """Return the lag of a window, None where it cannot be told."""
        if not self.columns:
            return None
        left = np.ones(len(self.profiles), bool)
        left[list(without)] = False
        own = _profiles(frame, self.columns, self.period)
        return _lag(own, _usual(self.profiles[left]), self.weights)


def learn(frame: Frame, windows: Sequence[slice], step: int | None) -> Clock:
    """Return the profiles of a reference.

    Parameters
    ----------
    frame : Frame
        With times.
    windows : sequence of slice
        Its own windows.
    step : int or None
        Seconds between rows, where they are regular.
    """
    none = Clock(0, (), np.zeros((0, 0, 0)), np.zeros(0))
    if frame.times is None or len(windows) < 3:
        return none
    period = 7 if step == 86_400 else 24
    if len(np.unique(phases(frame.times, period))) < _LEAST * period:
        return none
    names = tuple(frame.numbers)
    made = np.array([_profiles(frame.take(window), names, period) for window in windows])
    alike = np.array([_alike(made[:, place]) for place in range(len(names))])
    telling = np.flatnonzero(alike >= ALIKE)
    if not len(telling):
        return none
    profiles, weights = made[:, telling], 1 / np.maximum(1 - alike[telling], 1e-3)
    limit = GAIN
    for place in range(len(profiles)):
        own = _lag(profiles[place], _usual(np.delete(profiles, place, 0)), weights)
        if own is not None and own.phases:
            limit = max(limit, 1.1 * own.gain)
    if limit > BLURRED:
        return none
    return Clock(period, tuple(names[place] for place in telling), profiles, weights, limit)


def phases(times: Array, period: int) -> Array:
    """Return the hour of the day (24) or the day of the week (7; Monday is 0) of each time."""
    seconds = times.astype("datetime64[s]").astype(np.int64)
    if period == 24:
        return np.asarray(seconds // 3600 % 24)
    return np.asarray((seconds // 86_400 + 3) % 7)


def _profiles(frame: Frame, names: Sequence[str], period: int) -> Array:
    """Return the median of each column by phase; NaN throughout where too many phases have no row."""
    assert frame.times is not None
    turn = phases(frame.times, period)
    made = np.full((len(names), period), np.nan)
    order = np.argsort(turn, kind="stable")
    edges = np.searchsorted(turn[order], np.arange(period + 1))
    here = [place for place, name in enumerate(names) if name in frame.numbers]
    if not here:
        return made
    table = np.column_stack([frame.numbers[names[place]] for place in here])[order]
    for phase in range(period):
        rows = table[edges[phase] : edges[phase + 1]]
        gaps = np.isnan(rows).any(0)
        if not len(rows):
            continue
        medians = np.full(len(here), np.nan)
        medians[~gaps] = np.median(rows[:, ~gaps], 0)
        for place in np.flatnonzero(gaps).tolist():
            there = rows[~np.isnan(rows[:, place]), place]
            medians[place] = np.median(there) if len(there) else np.nan
        made[here, phase] = medians
    for place in here:
        made[place] = _filled(made[place])
    return made


def _filled(profile: Array) -> Array:
    """Fill single phases without a row from their neighbours in the circle."""
    there: Array = np.flatnonzero(~np.isnan(profile))
    if len(there) < _LEAST * len(profile):
        return np.full(len(profile), np.nan)
    return np.interp(np.arange(len(profile)), there, profile[there], period=len(profile))


def _usual(profiles: Array) -> Array:
    """Return the mean shape of windows' profiles, each on its own scale."""
    centered: Array = profiles - profiles.mean(2, keepdims=True)
    scale = centered.std(2, keepdims=True)
    shaped: Array = np.where(scale > 0, centered / np.where(scale > 0, scale, 1), np.nan)
    there = np.asarray(~np.isnan(shaped).any(2))
    weights = there[:, :, None].astype(float)
    return np.asarray((np.nan_to_num(shaped) * weights).sum(0) / np.maximum(weights.sum(0), 1))


def _alike(profiles: Array) -> float:
    """Return how closely the own windows of one column resemble the others, 0 where too few can tell."""
    found = [
        _related(one, _usual(np.delete(profiles, place, 0)[:, None, :])[0])
        for place, one in enumerate(profiles)
    ]
    there = [one for one in found if one == one]
    return float(np.median(there)) if there and len(there) >= 0.8 * len(found) else 0.0


def _lag(profiles: Array, usual: Array, weights: Array) -> Lag | None:
    period = usual.shape[1]
    left, right = _shaped(profiles), _shaped(usual)
    turns = (np.arange(period)[:, None] + np.arange(period)) % period  # lag x phase
    found = np.einsum("ckp,cp->kc", left[:, turns], right)
    there: Array = ~np.isnan(found[0])
    if not there.any():
        return None
    gains = np.average(found[:, there], axis=1, weights=weights[there])
    best = int(np.argmax(gains))
    gain = float(gains[best] - gains[0])
    return Lag(best if best <= period // 2 else best - period, gain, float(gains[0]))


def _shaped(profiles: Array) -> Array:
    """Return each profile without its level and size; NaN where it is flat."""
    centered = profiles - profiles.mean(1, keepdims=True)
    size = np.sqrt((centered**2).sum(1, keepdims=True))
    with np.errstate(all="ignore"):
        return np.asarray(np.where(size > 0, centered / size, np.nan))


def _related(first: Array, second: Array) -> float:
    left, right = first - first.mean(), second - second.mean()
    size = float(np.sqrt((left @ left) * (right @ right)))
    return float(left @ right) / size if size > 0 else float("nan")
