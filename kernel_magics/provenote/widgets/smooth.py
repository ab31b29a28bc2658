"""Curves smoothed, and the band of several runs' curves: mean and spread at each step. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

Points = Sequence[tuple[float, float]]


def smoothed(points: Points, weight: float) -> list[tuple[float, float]]:
    """Return the exponential moving average of a curve, corrected for its start.

    Parameters
    ----------
    points : sequence of (step, value)
        A NaN is passed over and stays one.
    weight : float
        From 0 (the curve itself) to below 1: how much the past counts.

    Notes
    -----
    ``m_t = w * m_(t-1) + (1 - w) * y_t``, divided by ``1 - w^t`` so that it does not start at zero (the bias
    correction of Kingma and Ba, Adam, 2015, section 3).
    """
    kept, past, count = [], 0.0, 0
    for step, value in points:
        if not math.isfinite(value):
            kept.append((step, math.nan))
            continue
        count += 1
        past = weight * past + (1 - weight) * value
        kept.append((step, past / (1 - weight**count)))
    return kept


class Band(NamedTuple):
    """Mean and spread of several curves at the steps that at least one of them has."""

    steps: list[float]
    mean: list[float]
    low: list[float]
    high: list[float]


def band(curves: Sequence[Points]) -> Band:
    """Return mean, mean - sd and mean + sd at each step; where one curve has a value the three are equal.

    Parameters
    ----------
    curves : sequence of sequences of (step, value)
        NaN counts as no value. The spread is the sample standard deviation (n - 1).
    """
    at: dict[float, list[float]] = {}
    for points in curves:
        for step, value in points:
            if math.isfinite(value):
                at.setdefault(step, []).append(value)
    steps = sorted(at)
    mean = [statistics.fmean(at[step]) for step in steps]
    spread = [statistics.stdev(at[step]) if len(at[step]) > 1 else 0.0 for step in steps]
    low = [m - s for m, s in zip(mean, spread, strict=True)]
    high = [m + s for m, s in zip(mean, spread, strict=True)]
    return Band(steps, mean, low, high)
