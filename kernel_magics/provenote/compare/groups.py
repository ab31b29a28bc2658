"""Runs grouped by fields: mean, spread and count of each metric, and the best run. Pure, on rows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from provenote.compare import numbers
from provenote.compare.clauses import Field
from provenote.compare.columns import flat, heading, shared, values_column
from provenote.model import Row
from provenote.view import Cell, Column, Table


@dataclass(frozen=True, slots=True)
class Spread:
    """The finite values of one metric in one group.

    Parameters
    ----------
    mean : float or None
    sd : float or None
        Sample standard deviation (n - 1); None for fewer than two values.
    count : int
    least, greatest : float or None
    """

    mean: float | None
    sd: float | None
    count: int
    least: float | None
    greatest: float | None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "mean": self.mean,
            "sd": self.sd,
            "count": self.count,
            "min": self.least,
            "max": self.greatest,
        }


@dataclass(frozen=True, slots=True)
class Group:
    """Runs that agree in the fields they are grouped by.

    Parameters
    ----------
    by : tuple
        Their common values, None for "has none".
    rows : list of Row
    metrics : dict
        Key -> its spread.
    """

    by: tuple[Any, ...]
    rows: list[Row]
    metrics: dict[str, Spread]

    def best(self, key: str) -> Row | None:
        """Return the run with the best value of a metric, None where its name does not tell what is best."""
        found = [
            (value, row) for row in self.rows if (value := _finite(flat(row.metrics).get(key))) is not None
        ]
        way = numbers.direction(key)
        if not found or not way:
            return None
        if way == "zero":
            return min(found, key=lambda pair: abs(pair[0]))[1]
        return (min if way == "lower" else max)(found, key=lambda pair: pair[0])[1]


def spread(values: Sequence[Any]) -> Spread:
    """Summarise the finite numbers among ``values``."""
    finite = [value for value in map(_finite, values) if value is not None]
    if not finite:
        return Spread(None, None, 0, None, None)
    sd = statistics.stdev(finite) if len(finite) > 1 else None
    return Spread(statistics.fmean(finite), sd, len(finite), min(finite), max(finite))


def group(rows: Sequence[Row], by: Sequence[Field], first: str = "") -> list[Group]:
    """Group rows, best mean of the first shared metric first (else in order of appearance).

    Parameters
    ----------
    rows : sequence of Row
    by : sequence of Field
    first : str
        Key of the metric that leads; by default the first shared one.
    """
    parted: dict[str, tuple[tuple[Any, ...], list[Row]]] = {}
    for row in rows:
        values = tuple(field.of(row) for field in by)
        parted.setdefault(repr(values), (values, []))[1].append(row)
    keys = shared([flat(row.metrics) for row in rows], first)
    found = []
    for values, members in parted.values():
        inside = [flat(row.metrics) for row in members]
        spreads = {key: spread([metrics.get(key) for metrics in inside]) for key in keys}
        found.append(Group(values, members, spreads))
    if keys:
        found.sort(key=lambda each: _rank(keys[0], each.metrics[keys[0]].mean))
    return found


def table(groups: Sequence[Group], by: Sequence[Field], total: int, limit: int) -> Table:
    """Return groups as a table: keys, count, then mean, spread and best of each metric."""
    shown = groups[:limit]
    columns: list[tuple[Column, list[Cell]]] = []
    for place, field in enumerate(by):
        name = ".".join(field.path[1:]) or field.path[0]
        columns.append(values_column(name, [each.by[place] for each in shown]))
    columns.append((Column("runs", "right"), [Cell(f"{len(each.rows):,}") for each in shown]))
    for key in shown[0].metrics if shown else ():
        columns += _metric_columns(key, shown, leading=key == next(iter(shown[0].metrics)))
    heads = [column for column, _ in columns]
    rows = [list(row) for row in zip(*(cells for _, cells in columns), strict=True)]
    foot = [f"{numbers.counted(len(groups), 'group')} of {numbers.counted(total, 'run')}."]
    if len(shown) < len(groups):
        foot = [f"{len(shown)} of {foot[0]} All: `--limit {len(groups)}`"]
    return Table(heads, rows, foot=foot, empty="No run to group.")


def _metric_columns(key: str, groups: Sequence[Group], leading: bool) -> list[tuple[Column, list[Cell]]]:
    spreads = [each.metrics[key] for each in groups]
    places = numbers.decimals([v for s in spreads for v in (s.mean, s.sd, s.least, s.greatest)])
    means = [Cell(numbers.text(s.mean, places, grouped=True)) for s in spreads]
    sds = [
        Cell(f"± {numbers.text(s.sd, places)}")
        if s.sd is not None
        else Cell("one run" if s.count else numbers.NONE, "muted")
        for s in spreads
    ]
    columns = [(Column(f"{heading(key)}, mean", "right"), means), (Column("sd"), sds)]
    best = [each.best(key) for each in groups] if leading else []
    if any(best):
        values = [Cell(numbers.text(flat(row.metrics)[key], places) if row else numbers.NONE) for row in best]
        columns.append((Column(f"best {key}", "right"), values))
        columns.append(
            (Column("best run", keep=True), [Cell(row.name if row else numbers.NONE, "code") for row in best])
        )
    return columns


def _finite(value: Any) -> float | None:
    figure = numbers.number(value)
    try:
        return float(figure) if figure is not None and math.isfinite(figure) else None
    except OverflowError:
        return None


def _rank(key: str, mean: float | None) -> tuple[bool, float]:
    way = numbers.direction(key)
    if mean is None:
        return True, 0.0
    return False, -mean if way == "higher" else abs(mean) if way == "zero" else mean
