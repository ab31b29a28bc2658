"""Read JSON lines as Arrow batches: what is no JSON is skipped, a column of mixed kinds becomes text."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from provenote.data.bytestreams import BLOCK, Bounded

if TYPE_CHECKING:
    import pyarrow

    from provenote.data.tables import Source

ROWS = 1 << 13
"""Rows of one batch, at most."""


class Widened(ValueError):
    """A column of JSON lines turned out to be of another kind; the source knows which."""


def open_jsonl(source: Source) -> tuple[pyarrow.Schema, Iterator[pyarrow.RecordBatch]]:
    """Open a table; a later row with another kind of value raises `Widened`.

    Raises
    ------
    ValueError
        If no line of it is JSON.
    """
    import pyarrow

    batches = _json_batches(source)
    first = next(batches, None)
    if first is None:
        raise ValueError("it is empty")
    schema = first.schema

    def rest() -> Iterator[pyarrow.RecordBatch]:
        yield first
        for batch in batches:
            for name in batch.schema.names:
                if name not in schema.names or not _fits(
                    batch.schema.field(name).type, schema.field(name).type
                ):
                    known = schema.names
                    kind_now = schema.field(name).type if name in known else None
                    source.types[name] = _wider(kind_now, batch.schema.field(name).type)
                    raise Widened(name)
            columns = [
                batch.column(name).cast(schema.field(name).type)
                if name in batch.schema.names
                else pyarrow.nulls(batch.num_rows, schema.field(name).type)
                for name in schema.names
            ]
            yield pyarrow.RecordBatch.from_arrays(columns, schema=schema)

    return schema, rest()


def _json_batches(source: Source) -> Iterator[pyarrow.RecordBatch]:
    """Yield batches of JSON objects, one a line; a column of mixed kinds becomes text."""
    import json

    import pyarrow

    def batch(rows: list[dict[str, Any]]) -> pyarrow.RecordBatch:
        names = dict.fromkeys([*source.types, *(str(key) for row in rows for key in row)])
        columns = []
        for name in names:
            values = [row.get(name) for row in rows]
            wanted = source.types.get(name)
            try:
                column = pyarrow.array(values, wanted)
            except (pyarrow.ArrowException, OverflowError, TypeError):
                column = pyarrow.array(
                    [None if v is None else v if isinstance(v, str) else json.dumps(v) for v in values]
                )
            columns.append(column)
        return pyarrow.RecordBatch.from_arrays(columns, names=list(names))

    rows: list[dict[str, Any]] = []
    weight = 0
    for line in io.TextIOWrapper(
        io.BufferedReader(Bounded(source), BLOCK), encoding=source.encoding, newline="\n"
    ):
        if not line.strip("\ufeff \t\r\n"):
            continue
        try:
            row = json.loads(line.lstrip("\ufeff"))
        except ValueError:
            source.ragged += 1
            continue
        rows.append(row if isinstance(row, dict) else {"value": row})
        weight += len(line)
        if len(rows) >= ROWS or weight >= 4 * BLOCK:
            yield batch(rows)
            rows, weight = [], 0
    if rows:
        yield batch(rows)
    if source.ragged and not source.bytes_read:
        raise ValueError("no line of it is JSON")


def _fits(have: Any, wanted: Any) -> bool:
    import pyarrow

    numbers = pyarrow.types.is_integer(have) and pyarrow.types.is_floating(wanted)
    return bool(have == wanted or pyarrow.types.is_null(have) or numbers)


def _wider(first: Any, second: Any) -> Any:
    import pyarrow

    if first is None or pyarrow.types.is_null(first):
        return second
    numeric = all(pyarrow.types.is_integer(one) or pyarrow.types.is_floating(one) for one in (first, second))
    return pyarrow.float64() if numeric else pyarrow.string()
