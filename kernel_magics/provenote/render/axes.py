"""Which parameters and metrics tell the most about a set of runs: the axes of its plots. Pure, on rows.

A parameter is as telling as the share of the leading metric's spread that it explains: the correlation ratio
(eta squared: the sum of squares between its values over the whole) where it takes few values, the square of
Spearman's rank correlation where it is a number with many.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from provenote.compare.columns import changed, flat, heading, shared
from provenote.compare.numbers import number, text
from provenote.model import Row

PARAMS = 5
METRICS = 3
"""Axes of one plot."""
KINDS = 12
"""The most values that a parameter of texts may take to be an axis, and of numbers to be judged as groups."""
SAMPLE = 2000
"""Rows that are looked at to judge a parameter."""
_COST = re.compile(r"(^|[^a-z])(time|secs?|seconds|s|ms|latency|duration|bytes|mb|gb|rss|memory|size)$")


@dataclass(frozen=True, slots=True)
class Axis:
    """One parameter or metric as numbers.

    Parameters
    ----------
    kind : {'params', 'metrics'}
    key : str
        Its flat key.
    values : list of float or None
        One a row. Texts and flags stand as their place in ``words``; None is missing, NaN or infinite.
    words : tuple of str
        The texts, empty where the values are numbers.
    """

    kind: Literal["params", "metrics"]
    key: str
    values: list[float | None]
    words: tuple[str, ...] = ()

    @property
    def heading(self) -> str:
        """What stands at the axis: a metric says which way is better."""
        return heading(self.key) if self.kind == "metrics" else self.key


def measured(rows: Sequence[Row], first: str = "") -> list[str]:
    """Return the metrics of a table in the order in which they tell how good a run is.

    Parameters
    ----------
    rows : sequence of Row
    first : str
        The metric that leads, whatever it is; times and sizes come behind what was learned otherwise.
    """
    keys = shared([flat(row.metrics) for row in rows], first)
    return sorted(keys, key=lambda key: key != first and bool(_COST.search(key.lower())))


def axes(rows: Sequence[Row], *, params: int = PARAMS, metrics: int = METRICS, first: str = "") -> list[Axis]:
    """Return the most telling parameters, the least telling first, then the metrics, the leading one last.

    Parameters
    ----------
    rows : sequence of Row
    params, metrics : int
        The most of each.
    first : str
        Key of the metric that leads; by default the first one that tells how good a run is.

    Returns
    -------
    list of Axis
        Each has at least two different values. Empty when no metric has.
    """
    given = [flat(row.params) for row in rows]
    results = [flat(row.metrics) for row in rows]
    judged = [_varied(_metric(key, results)) for key in measured(rows, first)]
    chosen = [axis for axis in judged if axis is not None][:metrics]
    if not chosen:
        return []
    every = max(1, len(rows) // SAMPLE)
    told = []
    for key in changed(given[::every]):
        axis = _varied(_param(key, given))
        if axis is not None:
            told.append((_explained(axis.values[::every], chosen[0].values[::every]), axis))
    told.sort(key=lambda pair: -pair[0])
    return [axis for _, axis in told[:params]][::-1] + chosen[::-1]


def _varied(axis: Axis | None) -> Axis | None:
    """Return the axis if at least half of the rows have it and two of them differ."""
    if axis is None:
        return None
    having = [value for value in axis.values if value is not None]
    return axis if len(having) * 2 >= len(axis.values) and len(set(having)) > 1 else None


def _metric(key: str, rows: Sequence[dict[str, Any]]) -> Axis:
    return Axis("metrics", key, [finite(row.get(key)) for row in rows])


def _param(key: str, rows: Sequence[dict[str, Any]]) -> Axis | None:
    values = [row.get(key) for row in rows]
    if all(value is None or number(value) is not None for value in values):
        return Axis("params", key, [finite(value) for value in values])
    kinds = {text(value) for value in values if value is not None}
    if len(kinds) > KINDS:
        return None
    words = tuple(sorted(kinds))
    place = {word: float(index) for index, word in enumerate(words)}
    return Axis("params", key, [None if v is None else place[text(v)] for v in values], words)


def finite(value: Any) -> float | None:
    """Return a value as a finite float, None if it is none."""
    figure = number(value)
    try:
        return float(figure) if figure is not None and math.isfinite(figure) else None
    except OverflowError:
        return None


def _explained(values: Sequence[float | None], judged: Sequence[float | None]) -> float:
    """Return the share of the spread of ``judged`` that ``values`` explain, from 0 to 1."""
    pairs = [(x, y) for x, y in zip(values, judged, strict=True) if x is not None and y is not None]
    if len(pairs) < 3 or len({y for _, y in pairs}) < 2:
        return 0.0
    if len({x for x, _ in pairs}) > KINDS:
        xs, ys = _ranks([x for x, _ in pairs]), _ranks([y for _, y in pairs])
        return statistics.correlation(xs, ys) ** 2
    largest = max(abs(y) for _, y in pairs)  # a share has no size: squares of 1e300 would have none either
    pairs = [(x, y / largest) for x, y in pairs]
    groups: dict[float, list[float]] = {}
    for x, y in pairs:
        groups.setdefault(x, []).append(y)
    mean = statistics.fmean(y for _, y in pairs)
    whole = math.fsum((y - mean) ** 2 for _, y in pairs)
    between = math.fsum(len(ys) * (statistics.fmean(ys) - mean) ** 2 for ys in groups.values())
    return between / whole if whole else 0.0


def _ranks(values: Sequence[float]) -> list[float]:
    """Return ranks, the mean one where values are equal."""
    places: dict[float, list[int]] = {}
    for place, value in enumerate(sorted(values)):
        places.setdefault(value, []).append(place)
    mean = {value: statistics.fmean(found) for value, found in places.items()}
    return [mean[value] for value in values]
