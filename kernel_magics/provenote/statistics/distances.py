"""How far two samples of one column lie apart. Missing values count for nothing here.

`psi` follows Yurdakul (2018), "Statistical properties of the population stability index": without any change
its expectation is about ``(B - 1) (1/n + 1/m)``, which is taken off.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from provenote.statistics.frame import Array, missing

BINS = 10


def kolmogorov(reference: Array, window: Array) -> float:
    """Return the Kolmogorov-Smirnov distance: the largest gap of the shares below a value, 0 to 1."""
    first, second = _sorted(reference), _sorted(window)
    if not len(first) or not len(second):
        return 1.0 if len(first) != len(second) else 0.0
    return sorted_kolmogorov(first, second)


def sorted_kolmogorov(first: Array, second: Array) -> float:
    """Return the same of two samples that are sorted and hold nothing missing."""
    places = np.concatenate([first, second])
    left = np.searchsorted(first, places, "right") / len(first)
    right = np.searchsorted(second, places, "right") / len(second)
    return float(np.abs(left - right).max())


def wasserstein(reference: Array, window: Array) -> float:
    """Return how far values had to be moved on average, in standard deviations of the reference."""
    first, second = _sorted(reference), _sorted(window)
    if not len(first) or not len(second):
        return float("inf") if len(first) != len(second) else 0.0
    spread = float(first.std())
    both = np.sort(np.concatenate([first, second]))
    steps = np.diff(both)
    left = np.searchsorted(first, both[:-1], "right") / len(first)
    right = np.searchsorted(second, both[:-1], "right") / len(second)
    moved = float(np.sum(np.abs(left - right) * steps))
    return moved / spread if spread > 0 else (0.0 if moved == 0 else float("inf"))


def total_variation(reference: Array, window: Array) -> float:
    """Return the share of rows that would need another kind, 0 to 1."""
    first, second = (
        Counter(str(one) for one in values[~missing(values)].tolist()) for values in (reference, window)
    )
    return varied(first, second)


def varied(reference: Counter[str], window: Counter[str]) -> float:
    """Return the same from the rows of each kind."""
    size, other = reference.total(), window.total()
    if size <= 0 or other <= 0:
        return 1.0 if size != other else 0.0
    kinds = reference.keys() | window.keys()
    # An exact sum: that of a set has another order in each process.
    return math.fsum(abs(reference[kind] / size - window[kind] / other) for kind in kinds) / 2


def psi(reference: Array, window: Array, bins: int = BINS) -> float | None:
    """Return the population stability index less what chance alone gives; None where rows are too few.

    Parameters
    ----------
    reference, window : array
        Numbers are cut at the reference's quantiles; words are their own bins.
    bins : int
        Of numbers.

    Returns
    -------
    float or None
        None with fewer than ``50 (B - 1)`` rows in the window: it would tell of chance alone.
    """
    first, second = counts(reference, window, bins)
    size, other = first.sum(), second.sum()
    if len(first) < 2 or other < 50 * (len(first) - 1) or not size:
        return None
    left, right = np.clip(first / size, 1e-4, None), np.clip(second / other, 1e-4, None)
    chance = (len(first) - 1) * (1 / size + 1 / other)
    return float(max(0.0, float(np.sum((left - right) * np.log(left / right))) - chance))


def counts(reference: Array, window: Array, bins: int = BINS) -> tuple[Array, Array]:
    """Return how many rows of each sample fall into each bin."""
    if reference.dtype.kind != "f":
        there = [values[~missing(values)] for values in (reference, window)]
        kinds = sorted(set(there[0].tolist()) | set(there[1].tolist()))
        tables = [
            dict(zip(*np.unique(values.astype(str), return_counts=True), strict=True)) for values in there
        ]
        first, second = (np.array([table.get(kind, 0) for kind in kinds], float) for table in tables)
        return first, second
    left, right = _sorted(reference), _sorted(window)
    if not len(left):
        return np.zeros(0), np.zeros(0)
    edges = np.unique(np.quantile(left, np.linspace(0, 1, bins + 1)))
    inner = edges[1:-1]
    size = len(inner) + 1
    return (
        np.bincount(np.searchsorted(inner, left, "right"), minlength=size).astype(float),
        np.bincount(np.searchsorted(inner, right, "right"), minlength=size).astype(float),
    )


def _sorted(values: Array) -> Array:
    return np.sort(values[~np.isnan(values)])
