"""Limits from the reference's own windows: one limit on the largest of all statistics at once.

A statistic is put on the scale of what own windows show (logarithm, median, median deviation), and a window's
score is the largest of them: however many statistics there are and however they depend on each other, one
limit holds them all (Westfall and Young's maxT). The limit is the largest score of the own windows and a
tenth more; a clean window like the m others is beyond it in about 1 of m + 1 cases.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from provenote.statistics.frame import Array

MARGIN = 1.1
LEAST = 20
"""Own windows that a limit of 5 % needs."""
_FLOOR, _SOFT = 1e-3, 0.15


@dataclass(frozen=True, slots=True)
class Band:
    """What own windows show of some statistics, none of them below zero.

    Parameters
    ----------
    own : array of float, windows x statistics
        NaN where a window could not tell.
    centers, scales : array of float
        Of the logarithm of each statistic.
    limit : float
        On the score.
    usual : tuple
        Between which nine of ten own windows lie, of each statistic in its own unit.
    """

    own: Array
    centers: Array
    scales: Array
    limit: float
    usual: tuple[tuple[float, float] | None, ...] = ()

    def scores(self, values: Array) -> Array:
        """Return how far each statistic lies above what is usual, in deviations."""
        return np.asarray((np.log(values + _FLOOR) - self.centers) / self.scales)

    def bound(self, place: int) -> float:
        """Return the limit of one statistic in its own unit."""
        return float(np.exp(self.centers[place] + self.scales[place] * self.limit) - _FLOOR)

    def without(self, windows: Iterable[int]) -> Band:
        """Return the band that the other own windows give."""
        left = np.ones(len(self.own), bool)
        left[list(windows)] = False
        return _learn(self.own[left], ())


def learn(own: Array) -> Band:
    """Return the band of some own windows.

    Parameters
    ----------
    own : array of float, windows x statistics

    Notes
    -----
    Each window's own score is taken on the scale of all: a median hardly feels one window.
    """
    return _learn(own, tuple(_usual(own[:, place]) for place in range(own.shape[1])))


def _usual(values: Array) -> tuple[float, float] | None:
    there = values[~np.isnan(values)]
    return (float(np.quantile(there, 0.05)), float(np.quantile(there, 0.95))) if len(there) else None


def _learn(own: Array, usual: tuple[tuple[float, float] | None, ...]) -> Band:
    if not own.size:
        return Band(own, np.zeros(own.shape[1]), np.ones(own.shape[1]), float("inf"), usual)
    logs = np.log(own + _FLOOR)
    with np.errstate(all="ignore"):
        centers = np.nan_to_num(_median(logs))
        scales = 1.4826 * np.nan_to_num(_median(np.abs(logs - centers))) + _SOFT
        scored = (logs - centers) / scales
    largest = np.where(np.isnan(scored), -np.inf, scored).max()
    limit = float(largest) * MARGIN if largest > 0 else float(largest) + 0.1
    return Band(own, centers, scales, limit if np.isfinite(largest) else float("inf"), usual)


def _median(values: Array) -> Array:
    if not np.isnan(values).any():
        return np.asarray(np.median(values, 0))
    there = ~np.isnan(values)
    made = np.full(values.shape[1], np.nan)
    for place in range(values.shape[1]):
        if there[:, place].any():
            made[place] = np.median(values[there[:, place], place])
    return made
