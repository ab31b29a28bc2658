"""Read delimited text (CSV, TSV) as Arrow batches: guess encoding and separator, skip ragged rows."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from provenote.data.bytestreams import Bounded, head_of

if TYPE_CHECKING:
    import pyarrow

    from provenote.data.tables import Source


def open_csv(source: Source) -> tuple[pyarrow.Schema, Iterator[pyarrow.RecordBatch]]:
    """Open a table; its types are those of the first block, or those that ``source.types`` demands.

    Raises
    ------
    ValueError, pyarrow.ArrowException
        If it is empty or no delimited text, at once or while it is read.
    """
    from pyarrow import csv

    names, lines = header(source)

    def skip(row: Any) -> str:
        source.ragged += 1
        return "skip"

    reader = csv.open_csv(
        Bounded(source),
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


def header(source: Source) -> tuple[list[str], int]:
    """Find encoding and delimiter; return the columns' names and the number of lines they take."""
    import codecs
    import csv

    head = head_of(source)
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
