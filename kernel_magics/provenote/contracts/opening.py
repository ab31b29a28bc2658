"""Open tables for a check: Parquet in batches of bounded size, and some columns of any file again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from provenote.contracts import cells
from provenote.contracts.contract import Contract
from provenote.data import tables
from provenote.data.bytestreams import BLOCK

if TYPE_CHECKING:
    import pyarrow

BATCH_ROWS, BATCH_BYTES = 1 << 16, 16 << 20
BUFFERS = 32 << 20
"""Bytes of the buffers of all columns together."""


class Parquet:
    """A Parquet file, opened once however often its columns are read; categories stay encoded.

    Parameters
    ----------
    path : Path
    contract : Contract, optional
        It tells which texts are categories.
    """

    def __init__(self, path: Path, contract: Contract | None = None) -> None:
        from pyarrow import parquet

        meta = parquet.read_metadata(path)
        schema = meta.schema.to_arrow_schema()
        self.names: list[str] = schema.names
        rules = contract.columns if contract is not None else {}
        encoded = [
            field.name
            for field in schema
            if (rule := rules.get(field.name)) is not None
            and rule.values is not None
            and cells.is_text(field.type)
        ]
        # One buffer for each column that is read at a time.
        buffer = max(1 << 12, min(BLOCK, BUFFERS // max(len(self.names), 1)))
        self._file = parquet.ParquetFile(
            path, metadata=meta, buffer_size=buffer, pre_buffer=False, read_dictionary=encoded
        )
        size = sum(meta.row_group(index).total_byte_size for index in range(meta.num_row_groups))
        self._width = size / max(meta.num_rows, 1)

    def batches(
        self, columns: list[str] | None = None
    ) -> tuple[pyarrow.Schema, Iterator[pyarrow.RecordBatch]]:
        """Return the schema and the rows of some columns, in batches of bounded size."""
        import pyarrow

        schema = self._file.schema_arrow
        share = len(columns) / max(len(self.names), 1) if columns is not None else 1.0
        rows = int(max(256, min(BATCH_ROWS, BATCH_BYTES // max(1.0, share * self._width))))
        if columns is not None:
            schema = pyarrow.schema([schema.field(name) for name in columns])
        return schema, self._file.iter_batches(rows, columns=columns, use_threads=False)


def read_columns(
    source: tables.Source, contract: Contract, names: list[str]
) -> Iterator[list[pyarrow.Array]]:
    """Read some columns of a file again, batch by batch, as the contract's types."""
    kind = tables.kind(source.name)
    if kind == "parquet":
        batches = Parquet(source.path, contract).batches(names)[1]
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
