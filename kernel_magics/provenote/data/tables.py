"""Read tables as a stream of Arrow batches: CSV, Parquet, JSON lines, Arrow files; memory stays bounded.

Real files lie about themselves: a column of integers turns into words after a million rows, the
encoding is a guess, some rows are ragged. `scan` widens the column that failed and starts again,
tries Latin-1 where UTF-8 fails, and skips ragged rows but counts them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from provenote.data import delimited, jsonlines
from provenote.data.bytestreams import BLOCK, PACKED
from provenote.data.jsonlines import ROWS
from provenote.errors import UsageError

if TYPE_CHECKING:
    import pyarrow

T = TypeVar("T")

LARGEST_BLOCK = 1 << 28
"""Bytes that are parsed at a time where one row alone is longer than a block."""
WIDE = 8
"""Columns of a Parquet file that are decoded at a time: each needs a page of memory."""

_KINDS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".arrow": "arrow",
    ".feather": "arrow",
}


class NotReadable(UsageError):
    """A table that cannot be read, and why."""


@dataclass(slots=True)
class Source:
    """A file that holds a table.

    Parameters
    ----------
    path : Path
        Where its bytes are (an object of the cache has no telling name).
    name : str
        The name that tells its kind.
    byte_limit : int or None
        Bytes (unpacked) to read at most.
    """

    path: Path
    name: str
    byte_limit: int | None = None
    encoding: str = "utf-8"
    delimiter: str = ""
    ragged: int = 0
    cut: bool = False
    bytes_read: int = 0
    rows: int | None = None
    types: dict[str, Any] = field(default_factory=dict)
    columns: list[str] | None = None
    block: int = BLOCK


def kind(name: str) -> str | None:
    """Return ``csv``, ``parquet``, ``jsonl`` or ``arrow`` by the name's ending, or None."""
    lower = name.lower()
    for ending in PACKED:
        if lower.endswith(ending):
            inner = _KINDS.get(Path(lower.removesuffix(ending)).suffix)
            return inner if inner in ("csv", "jsonl") else None
    return _KINDS.get(Path(lower).suffix)


def column_groups(source: Source) -> list[list[str] | None]:
    """Return the columns to read together, so that a wide table needs no more memory than a narrow one.

    Raises
    ------
    NotReadable
        If the file is no such table.
    """
    if kind(source.name) != "parquet":
        return [None]
    import pyarrow
    from pyarrow import parquet

    try:
        names = parquet.read_schema(source.path).names
    except (pyarrow.ArrowException, OSError) as error:
        raise NotReadable(_reason(error)) from error
    if len(names) <= WIDE or len(set(names)) < len(names):
        return [None]
    return [names[start : start + WIDE] for start in range(0, len(names), WIDE)]


def scan(
    source: Source, begin: Callable[[pyarrow.Schema], T], feed: Callable[[T, pyarrow.RecordBatch], bool]
) -> T:
    """Feed the batches of a table to a consumer.

    Parameters
    ----------
    source : Source
        The table; its facts (encoding, delimiter, ragged rows, ...) are filled in.
    begin : callable
        Makes an empty consumer for a schema; called again when a column had to be widened.
    feed : callable
        Takes the consumer and a batch; False ends the reading.

    Returns
    -------
    T
        The consumer.

    Raises
    ------
    NotReadable
        If the file is no such table.
    """
    import pyarrow

    for _ in range(1000):
        source.ragged, source.bytes_read, source.cut = 0, 0, False
        try:
            schema, batches = _open(source)
            consumer = begin(schema)
            for batch in batches:
                if batch.num_rows and not feed(consumer, batch):
                    source.cut = True
                    break
            return consumer
        except (pyarrow.ArrowException, UnicodeError, ValueError, OSError, EOFError, KeyError) as error:
            if not _adapt(source, error):
                raise NotReadable(_reason(error)) from error
    raise NotReadable("its columns change their kind too often")


def _open(source: Source) -> tuple[pyarrow.Schema, Iterator[pyarrow.RecordBatch]]:
    found = kind(source.name)
    if found == "csv":
        return delimited.open_csv(source)
    if found == "jsonl":
        return jsonlines.open_jsonl(source)
    if found == "parquet":
        return _open_parquet(source)
    if found == "arrow":
        return _open_arrow(source)
    raise NotReadable(f"{source.name} is no table that we know")


def _open_parquet(source: Source) -> tuple[pyarrow.Schema, Iterator[pyarrow.RecordBatch]]:
    import pyarrow
    from pyarrow import parquet

    file = parquet.ParquetFile(source.path, buffer_size=BLOCK // 8, pre_buffer=False)
    source.rows = file.metadata.num_rows
    groups = [file.metadata.row_group(index) for index in range(file.metadata.num_row_groups)]
    width = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=1)
    rows = int(min(ROWS, max(1, 8 * BLOCK // max(width, 1))))
    allowed = source.rows
    if source.byte_limit is not None:
        allowed = min(allowed, int(source.byte_limit / max(width, 1)) + 1)
    schema = file.schema_arrow
    if source.columns is not None:
        schema = pyarrow.schema([schema.field(name) for name in source.columns])
    source.bytes_read, source.cut = int(allowed * width), allowed < source.rows
    return schema, _first(allowed, file.iter_batches(rows, columns=source.columns, use_threads=False))


def _first(rows: int, batches: Iterator[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
    for batch in batches:
        if rows > 0:
            yield batch.slice(0, rows)
        rows -= batch.num_rows
        if rows <= 0:
            return


def _open_arrow(source: Source) -> tuple[pyarrow.Schema, Iterator[pyarrow.RecordBatch]]:
    import pyarrow

    try:
        reader = pyarrow.ipc.open_file(pyarrow.memory_map(str(source.path)))
        batches = (reader.get_batch(index) for index in range(reader.num_record_batches))
    except pyarrow.ArrowInvalid:
        reader = pyarrow.ipc.open_stream(pyarrow.memory_map(str(source.path)))
        batches = iter(reader)
    slices = (batch.slice(start, ROWS) for batch in batches for start in range(0, batch.num_rows, ROWS))
    return reader.schema, _counted(source, slices)


def _counted(source: Source, batches: Iterator[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
    """Keep to the limit of bytes where they are not read as a stream."""
    for batch in batches:
        yield batch
        source.bytes_read += batch.nbytes
        if source.byte_limit is not None and source.bytes_read >= source.byte_limit:
            source.cut = True
            return


def _adapt(source: Source, error: Exception) -> bool:
    """Change how the source is read, so that ``error`` does not come again; False when nothing is left."""
    import pyarrow

    text = str(error)
    if isinstance(error, jsonlines.Widened):
        return True
    encoded = isinstance(error, UnicodeError) or re.search(r"utf-?8", text, re.I)
    if encoded and source.encoding == "utf-8":
        source.encoding = "latin-1"
        source.types.clear()
        return True
    if "straddling" in text and source.block < LARGEST_BLOCK:
        source.block *= 16
        return True
    failed = re.search(r"In CSV column #(\d+): (?:Row #\d+: )?CSV conversion error to ([\w\[\], ]+):", text)
    if failed is None:
        return False
    name = delimited.header(source)[0][int(failed[1])]
    ladder = {"int64": pyarrow.float64(), "null": pyarrow.float64()}
    wider = ladder.get(failed[2].strip(), pyarrow.string())
    if source.types.get(name) == pyarrow.string():
        return False
    source.types[name] = wider
    return True


def _reason(error: Exception) -> str:
    """Return why, without the values that stand in Arrow's messages: a profile goes into Git."""
    text = " ".join(str(error).split())
    text = re.sub(r"(invalid value|got \d+).*", lambda found: found[1], text, flags=re.S)
    return text[:200] or type(error).__name__
