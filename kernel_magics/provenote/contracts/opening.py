"""Open tables for a check: Parquet in batches of bounded size, and some columns of any file again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from provenote.contracts import cells
from provenote.contracts.contract import Contract
from provenote.data import tables
from provenote.data.bytestreams import BLOCK

if TYPE_CHECKING:
    import pyarrow

BATCH_ROWS, BATCH_BYTES = 1 << 16, 16 << 20


def open_parquet(
    source: tables.Source, contract: Contract | None, columns: list[str] | None
) -> tuple[pyarrow.Schema, Iterator[pyarrow.RecordBatch]]:
    """Open a Parquet file as batches of bounded size; categories stay encoded."""
    import pyarrow
    from pyarrow import parquet

    schema = parquet.read_schema(source.path)
    encoded = [
        name
        for name, rule in (contract.columns if contract else {}).items()
        if rule.values is not None and name in schema.names and cells.is_text(schema.field(name).type)
    ]
    file = parquet.ParquetFile(
        source.path, buffer_size=BLOCK, pre_buffer=False, read_dictionary=encoded, memory_map=False
    )
    meta = file.metadata
    size = sum(meta.row_group(index).total_byte_size for index in range(meta.num_row_groups))
    share = len(columns) / max(len(schema.names), 1) if columns is not None else 1.0
    width = max(1.0, share * size / max(meta.num_rows, 1))
    rows = int(max(256, min(BATCH_ROWS, BATCH_BYTES // width)))
    schema = file.schema_arrow
    if columns is not None:
        schema = pyarrow.schema([schema.field(name) for name in columns])
    return schema, file.iter_batches(rows, columns=columns, use_threads=False)


def read_columns(
    source: tables.Source, contract: Contract, names: list[str]
) -> Iterator[list[pyarrow.Array]]:
    """Read some columns of a file again, batch by batch, as the contract's types."""
    kind = tables.kind(source.name)
    if kind == "parquet":
        batches = open_parquet(source, contract, names)[1]
    elif kind == "csv":
        from provenote.data import delimited

        batches = delimited.open_csv(source)[1]
    else:
        batches = tables._open(source)[1]
    for batch in batches:
        yield [
            cells.read(
                batch.column(batch.schema.names.index(name)), contract.columns[name].type, False
            ).values
            for name in names
        ]
