"""Find the physical lines of faulty records, by a second look at the failing file alone."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from provenote.contracts.faults import FileReport, Place
from provenote.data import delimited
from provenote.data.bytestreams import BLOCK, Bounded

if TYPE_CHECKING:
    from provenote.data.tables import Source


def find_lines(source: Source, report: FileReport, keep: int) -> None:
    """Give each kept place of a report its physical line; find the first ragged records.

    Rows are counted by Arrow without ragged records and empty lines; afterwards a place's row counts all
    records, as people do.

    Parameters
    ----------
    source : Source
        The file, as it was read.
    report : FileReport
        Its places are filled in.
    keep : int
        Ragged records that are told.
    """
    wanted: dict[int, list[Place]] = {}
    for fault in report.faults:
        for place in fault.places:
            if place.row:
                wanted.setdefault(place.row, []).append(place)
    ragged = next((fault for fault in report.faults if fault.kind == "ragged"), None)
    encoding = next((fault for fault in report.faults if fault.kind == "encoding"), None)
    if encoding is not None and source.encoding == "latin-1":
        encoding.places = _undecodable(source)
    if not wanted and ragged is None:
        return
    left, last = keep if ragged is not None else 0, max(wanted, default=0)
    good = records = 0
    try:
        for line, whole, text in _records(source):
            records += 1
            if whole:
                good += 1
                for place in wanted.get(good, ()):
                    place.row, place.line = records, line
            elif ragged is not None and left:
                ragged.places.append(Place(records, text, line))
                left -= 1
            if good >= last and not left:
                return
    except (csv.Error, UnicodeError):
        return  # rows are told without their lines then


def _records(source: Source) -> Iterator[tuple[int, bool, str]]:
    """Yield each record's first line, whether it has all its cells, and its beginning."""
    fresh = type(source)(source.path, source.name, encoding=source.encoding, delimiter=source.delimiter)
    stream = io.TextIOWrapper(
        io.BufferedReader(Bounded(fresh), BLOCK), encoding=source.encoding, errors="replace", newline=""
    )
    if source.name.lower().split(".")[-1] in ("jsonl", "ndjson") or ".jsonl" in source.name.lower():
        yield from _json_records(stream)
        return
    names, lines = delimited.header(fresh)
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader(stream, delimiter=fresh.delimiter)
    next(reader)
    line = reader.line_num
    for record in reader:
        if record:
            yield line + 1, len(record) == len(names), fresh.delimiter.join(record)[:80]
        line = reader.line_num


def _json_records(stream: io.TextIOWrapper) -> Iterator[tuple[int, bool, str]]:
    import json

    for number, line in enumerate(stream, 1):
        if not line.strip("\ufeff \t\r\n"):
            continue
        try:
            json.loads(line.lstrip("\ufeff"))
            yield number, True, ""
        except ValueError:
            yield number, False, line.strip()[:80]


def _undecodable(source: Source) -> list[Place]:
    """Return the first line that is no UTF-8."""
    fresh = type(source)(source.path, source.name)
    for number, line in enumerate(io.BufferedReader(Bounded(fresh), BLOCK), 1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            text = line[max(0, error.start - 20) : error.start + 20].decode("latin-1").strip()
            return [Place(0, text, number)]
    return []
