"""Groups of runs for the table of a widget: texts to show, values to sort by, members to open. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from provenote.compare import columns, groups, numbers
from provenote.compare.clauses import Field
from provenote.model import Row
from provenote.render.axes import finite, measured
from provenote.widgets.columnar import plain

METRICS = 4
"""Metrics of one table of groups."""


def payload(
    rows: Sequence[Row], by: Sequence[Field], places: Mapping[str, int], first: str = ""
) -> dict[str, Any]:
    """Return the groups of rows as plain data.

    Parameters
    ----------
    rows : sequence of Row
    by : sequence of Field
        What they are grouped by.
    places : mapping
        Id of a run -> its place in the table that the widget has.
    first : str
        Key of the metric that leads.

    Returns
    -------
    dict
        ``columns`` (key, heading, align and how they are drawn) and ``rows`` (id, texts, values, strip,
        members); empty for no rows.
    """
    keys = measured(rows, first)[:METRICS]
    found = groups.group(rows, by, keys[0] if keys else "")
    made: list[tuple[dict[str, Any], list[str], list[Any]]] = []
    for place, field in enumerate(by):
        heading, cells = columns.values_column(_name(field), [each.by[place] for each in found])
        column = {"key": str(field), "heading": heading.heading, "align": heading.align, "first": not place}
        made.append((column, [cell.text for cell in cells], [plain(each.by[place]) for each in found]))
    counts = [len(each.rows) for each in found]
    made.append((_head("runs", "runs"), [f"{count:,}" for count in counts], counts))
    strips: list[list[float]] = [[] for _ in found]
    for key in keys:
        made += _metric(key, found, leading=key == keys[0])
    if keys:
        strips = [_values(each, keys[0]) for each in found]
        best = [each.best(keys[0]) for each in found]
        if any(best):
            names = [row.name if row else numbers.NONE for row in best]
            made.append((_head("best", "best run", align="left", code=True), names, list(names)))
    return {
        "columns": [{**column, "at": at} for at, (column, _, _) in enumerate(made)],
        "rows": [
            {
                "id": repr(each.by),
                "texts": [texts[at] for _, texts, _ in made],
                "values": [values[at] for _, _, values in made],
                "strip": strips[at],
                "members": [places[row.id] for row in each.rows if row.id in places],
            }
            for at, each in enumerate(found)
        ],
    }


def _metric(
    key: str, found: Sequence[groups.Group], *, leading: bool
) -> list[tuple[dict[str, Any], list[str], list[Any]]]:
    spreads = [each.metrics[key] for each in found]
    places = numbers.decimals([value for s in spreads for value in (s.mean, s.sd, s.least, s.greatest)])
    means = [s.mean for s in spreads]
    head = _head(f"{key}.mean", f"{columns.heading(key)}, mean", member=f"metrics.{key}")
    made = [(head, [numbers.text(mean, places, grouped=True) for mean in means], means)]
    sds = [
        f"± {numbers.text(s.sd, places)}" if s.sd is not None else "one run" if s.count else numbers.NONE
        for s in spreads
    ]
    made.append((_head(f"{key}.sd", "sd", muted=True), sds, [s.sd for s in spreads]))
    ends = [value for s in spreads for value in (s.least, s.greatest) if value is not None]
    if leading and ends:
        low, high = min(ends), max(ends)
        heading = f"each run, {numbers.text(low, places)} to {numbers.text(high, places)}"
        strip = _head(f"{key}.each", heading, align="left", strip=True, low=low, high=high)
        made.append((strip, [""] * len(found), means))
    return made


def _values(group: groups.Group, key: str) -> list[float]:
    found = (finite(columns.flat(row.metrics).get(key)) for row in group.rows)
    return [value for value in found if value is not None][:200]


def _head(key: str, heading: str, *, align: str = "right", **more: Any) -> dict[str, Any]:
    return {"key": key, "heading": heading, "align": align, **more}


def _name(field: Field) -> str:
    return ".".join(field.path[1:]) or field.path[0]
