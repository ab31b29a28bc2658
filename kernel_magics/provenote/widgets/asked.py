"""What a person asked of a table of runs, in the words of the query language and of the table. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from provenote.compare import columns
from provenote.compare.clauses import Field
from provenote.compare.query import bound, parse_field
from provenote.compare.selection import sort_keys
from provenote.model import Row
from provenote.render.axes import SAMPLE, measured

WIDE = 40
"""Columns of parameters shown when all are asked for."""
_PLAIN = {"status": "state", "name": "name", "label": "name", "started": "started", "ended": "started"}


def sort(text: str, rows: Sequence[Row]) -> list[list[Any]]:
    """Return ``--sort`` as ``[column, descending]`` pairs; a field that is no column is left out."""
    found = []
    for field, down in sort_keys(text):
        path = bound(field, rows).path
        key = _PLAIN.get(path[0]) if len(path) == 1 else ".".join(path)
        if key:
            found.append([key, down])
    return found


def leading(sort: Sequence[Sequence[Any]]) -> str:
    """Return the metric that a table is sorted by first, empty if it is none."""
    key = str(sort[0][0]) if sort else ""
    return key.removeprefix("metrics.") if key.startswith("metrics.") else ""


def fields(names: Sequence[str], rows: Sequence[Row]) -> list[Field]:
    """Return the fields to group by.

    Raises
    ------
    UsageError
        If one cannot be read, or is nowhere among ``rows``.
    """
    return [bound(parse_field(name), rows) for name in names]


def offers(rows: Sequence[Row]) -> list[str]:
    """Return the parameters that runs could be grouped by: they differ, and their values come again."""
    seen = [columns.flat(row.params) for row in rows[:: max(1, len(rows) // SAMPLE)]]
    found = []
    for key in columns.changed(seen):
        kinds = {repr(values[key]) for values in seen if key in values}
        if 1 < len(kinds) <= max(2, len(seen) // 2):
            found.append(str(Field(("params", key))))
    return found[:WIDE]


def columns_of(rows: Sequence[Row], *, only_changed: bool, first: str = "") -> list[str]:
    """Return the columns of these rows: run, state where it says something, age, parameters, metrics, flags.

    Parameters
    ----------
    rows : sequence of Row
        Those shown.
    only_changed : bool
        Whether parameters that are the same in all of them are left out, and metrics that few have.
    first : str
        Key of the metric that leads.
    """
    given = [columns.flat(row.params) for row in rows]
    results = measured(rows, first)
    if only_changed:
        params = columns.changed(given)
    else:
        params = list(dict.fromkeys(key for values in given for key in values))[:WIDE]
        others = dict.fromkeys(key for row in rows for key in columns.flat(row.metrics))
        results = list(dict.fromkeys([*results, *others]))[:WIDE]
    state = ["state"] if any(row.status != "finished" for row in rows) else []
    flags = ["flags"] if any(columns.flags_cell(row).text for row in rows) else []
    named = [f"params.{key}" for key in params] + [f"metrics.{key}" for key in results]
    return ["name", *state, "started", *named, *flags]
