"""Rows of runs as columns for the wire: numbers as 64-bit floats in one buffer each, texts as a list. Pure.

What is no finite number stands in ``odd`` beside its place, so that NaN, infinity and "has none" stay three
things. A column says how it reads (decimals, alignment); the browser formats only the rows that it shows.
"""

from __future__ import annotations

import sys
import time
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

from provenote.compare import columns, numbers
from provenote.model import Row
from provenote.render.axes import finite, measured
from provenote.view import Cell

LOOKED_AT = 400
"""Values of a column that its count of decimals is taken from."""
MOST = 120
"""Columns sent; a run may have any number of parameters."""


def table(rows: Sequence[Row], first: str = "") -> dict[str, Any]:
    """Return all rows as columns.

    Parameters
    ----------
    rows : sequence of Row
    first : str
        Key of the metric that leads.

    Returns
    -------
    dict
        ``ids``, and ``columns``: each with ``key`` (``params.depth``), ``heading``, ``kind``, ``numeric``,
        ``places``, ``grouped`` and ``values``: little-endian doubles with NaN for "no finite number" and
        ``odd`` (place -> text) where it is numeric, else a list.
    """
    params = [columns.flat(row.params) for row in rows]
    metrics = [columns.flat(row.metrics) for row in rows]
    made = [
        _words("name", "run", [row.name for row in rows]),
        _words("title", "", [columns.name_cell(row).title for row in rows]),
        _words("state", "state", [state(row) for row in rows]),
        _words("why", "", [row.reason or "" for row in rows]),
        _numbers("started", "age", "run", [row.started for row in rows]),
        _numbers("ended", "", "run", [row.ended for row in rows]),
    ]
    kept = dict.fromkeys(key for values in params for key in values)
    for key in list(kept)[:MOST]:
        made.append(_column("params", key, key, [values.get(key) for values in params]))
    leading = measured(rows, first)
    kept = dict.fromkeys([*leading, *(key for values in metrics for key in values)])
    for key in list(kept)[:MOST]:
        made.append(_column("metrics", key, columns.heading(key), [values.get(key) for values in metrics]))
    made.append(_words("flags", "flags", [flags(row).text for row in rows]))
    return {"ids": [row.id for row in rows], "columns": made, "now": time.time()}


def cells(row: Row, known: Iterable[str]) -> dict[str, Any] | None:
    """Return one row as ``{key: value}`` for a table with the columns ``known``; None if it needs others."""
    found: dict[str, Any] = {
        "name": row.name,
        "title": columns.name_cell(row).title,
        "state": state(row),
        "why": row.reason or "",
        "started": row.started,
        "ended": row.ended,
        "flags": flags(row).text,
    }
    for kind, values in (("params", row.params), ("metrics", row.metrics)):
        found |= {f"{kind}.{key}": plain(value) for key, value in columns.flat(values).items()}
    columns_known = set(known)
    if len(columns_known) < MOST and not columns_known.issuperset(found):
        return None
    return {key: found.get(key) for key in columns_known}


def state(row: Row) -> str:
    """Return the word of a run's state: ``silent`` for one of another host that cannot be asked."""
    return columns.state_cell(row).text


def flags(row: Row) -> Cell:
    """Return what is worth a look, without the reason, which stands beside the state."""
    return columns.flags_cell(row)


def plain(value: Any) -> Any:
    """Return a value as JSON: finite numbers, flags and None as they are, anything else as its text."""
    if value is None or isinstance(value, bool):
        return value
    number = finite(value)
    return numbers.text(value) if number is None else number


def _column(kind: str, key: str, heading: str, values: list[Any]) -> dict[str, Any]:
    if all(value is None or numbers.number(value) is not None for value in values):
        return _numbers(f"{kind}.{key}", heading, kind, values)
    column = _words(f"{kind}.{key}", heading, [plain(value) for value in values])
    return column | {"kind": kind}


def _words(key: str, heading: str, values: list[Any]) -> dict[str, Any]:
    return {"key": key, "heading": heading, "kind": "run", "numeric": False, "values": values}


def _numbers(key: str, heading: str, kind: str, values: list[Any]) -> dict[str, Any]:
    nan = float("nan")
    floats, odd = array("d"), {}
    for place, value in enumerate(values):
        number = value if value.__class__ is float else finite(value)
        if number is None or number - number != 0:  # None, NaN or infinite
            if value is not None:
                odd[place] = numbers.text(value)
            number = nan
        floats.append(number)
    if sys.byteorder == "big":
        floats.byteswap()
    looked = values[:: max(1, len(values) // LOOKED_AT)]
    return {
        "key": key,
        "heading": heading,
        "kind": kind,
        "numeric": True,
        "places": numbers.decimals(looked),
        "grouped": kind == "metrics",
        "values": floats.tobytes(),
        "odd": odd,
    }


def places(found: Iterable[int]) -> bytes:
    """Return places of rows as little-endian 32-bit numbers."""
    numbers_of = array("I", found)
    if sys.byteorder == "big":
        numbers_of.byteswap()
    return numbers_of.tobytes()
