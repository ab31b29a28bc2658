"""Read tables as a stream of Arrow batches: CSV, Parquet, JSON lines, Arrow files; memory stays bounded.

Real files lie about themselves: a column of integers turns into words after a million rows, the
encoding is a guess, some rows are ragged. `scan` widens the column that failed and starts again,
tries Latin-1 where UTF-8 fails, and skips ragged rows but counts them.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from provenote.errors import UsageError

if TYPE_CHECKING:
    import pyarrow

T = TypeVar("T")

BLOCK, LARGEST_BLOCK = 1 << 18, 1 << 28
"""Bytes that are parsed at a time; more where one row alone is longer."""
ROWS = 1 << 13
"""Rows of one batch, at most."""
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
_PACKED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}


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
    for ending in _PACKED:
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
        return _open_csv(source)
    if found == "jsonl":
        return _open_jsonl(source)
    if found == "parquet":
        return _open_parquet(source)
    if found == "arrow":
        return _open_arrow(source)
    raise NotReadable(f"{source.name} is no table that we know")


def _open_csv(source: Source) -> tuple[pyarrow.Schema, Iterator[pyarrow.RecordBatch]]:
    from pyarrow import csv

    names, lines = _header(source)

    def skip(row: Any) -> str:
        source.ragged += 1
        return "skip"

    reader = csv.open_csv(
        _Bounded(source),
        read_options=csv.ReadOptions(
            use_threads=False,
            block_size=source.block,
            encoding=source.encoding,
            column_names=names,
            skip_rows=lines,
        ),
        parse_options=csv.ParseOptions(
            delimiter=source.delimiter, newlines_in_values=True, invalid_row_handler=skip
        ),
        convert_options=csv.ConvertOptions(column_types=source.types, strings_can_be_null=True),
    )
    return reader.schema, iter(reader)


def _open_jsonl(source: Source) -> tuple[pyarrow.Schema, Iterator[pyarrow.RecordBatch]]:
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
                    raise _Widened(name)
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
        io.BufferedReader(_Bounded(source), BLOCK), encoding=source.encoding, newline="\n"
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


class _Widened(ValueError):
    """A column of JSON lines turned out to be of another kind; the source knows which."""


class _Bounded(io.RawIOBase):
    """The (unpacked) bytes of a source, up to its limit and then to the end of the line."""

    def __init__(self, source: Source) -> None:
        import pyarrow

        packed = next((how for ending, how in _PACKED.items() if source.name.lower().endswith(ending)), None)
        self._source = source
        self._ready = b""
        self._stream = pyarrow.input_stream(str(source.path), compression=packed, buffer_size=BLOCK)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        size = BLOCK if size is None or size < 0 else size
        if not self._ready:
            self._ready = self._next(size)
        content, self._ready = self._ready[:size], self._ready[size:]
        return content

    def _next(self, size: int) -> bytes:
        """Read on; the last piece is as long as its last line needs."""
        source, limit = self._source, self._source.byte_limit
        if source.cut:
            return b""
        if limit is None or source.bytes_read + size < limit:
            content: bytes = self._stream.read(size)
            source.bytes_read += len(content)
            return content
        content = self._stream.read(max(limit - source.bytes_read, 1))
        while content and not content.endswith(b"\n") and (more := self._stream.read(BLOCK // 4)):
            end = more.find(b"\n") + 1
            content += more[:end] if end else more
            source.cut = end < len(more) if end else source.cut
        source.bytes_read += len(content)
        source.cut = source.cut or bool(content and self._stream.read(1))
        return content

    def readinto(self, buffer: Any) -> int:
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


def _head(source: Source) -> bytes:
    import pyarrow

    packed = next((how for ending, how in _PACKED.items() if source.name.lower().endswith(ending)), None)
    with pyarrow.input_stream(str(source.path), compression=packed) as stream:
        head: bytes = stream.read(BLOCK)
    return head


def _header(source: Source) -> tuple[list[str], int]:
    """Find encoding and delimiter; return the columns' names and the number of lines they take."""
    import codecs
    import csv

    head = _head(source)
    if not head.strip():
        raise ValueError("it is empty")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        source.encoding = "utf-16"
    try:
        text = codecs.getincrementaldecoder(source.encoding)().decode(head)
    except UnicodeDecodeError:
        source.encoding = "latin-1"
        text = head.decode("latin-1")
    text = text.lstrip("\ufeff")
    if not source.delimiter:
        # The separator that the first line has most of; a comma where it has none.
        first = re.split(r"[\r\n]", text, maxsplit=1)[0]
        best = max(",;\t|", key=first.count)
        source.delimiter = "\t" if ".tsv" in source.name.lower() else best if best in first else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=source.delimiter)
    try:
        return _unique(next(reader)), reader.line_num
    except csv.Error as error:
        raise ValueError(str(error)) from error


def _unique(names: list[str]) -> list[str]:
    """Give columns without a name, or with one that is taken, a name of their own."""
    found: list[str] = []
    for index, name in enumerate(names):
        name = name or f"column {index + 1}"
        again = 2
        while name in found:
            name, again = f"{names[index]}.{again}", again + 1
        found.append(name)
    return found


def _adapt(source: Source, error: Exception) -> bool:
    """Change how the source is read, so that ``error`` does not come again; False when nothing is left."""
    import pyarrow

    text = str(error)
    if isinstance(error, _Widened):
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
    name = _header(source)[0][int(failed[1])]
    ladder = {"int64": pyarrow.float64(), "null": pyarrow.float64()}
    wider = ladder.get(failed[2].strip(), pyarrow.string())
    if source.types.get(name) == pyarrow.string():
        return False
    source.types[name] = wider
    return True


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


def _reason(error: Exception) -> str:
    """Return why, without the values that stand in Arrow's messages: a profile goes into Git."""
    text = " ".join(str(error).split())
    text = re.sub(r"(invalid value|got \d+).*", lambda found: found[1], text, flags=re.S)
    return text[:200] or type(error).__name__
