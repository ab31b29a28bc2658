"""Check one file against a contract in one stream: whatever its size, memory stays bounded.

Parquet is read a row group at a time without pre-buffering, some columns at a time where there are very many;
delimited text by the contract's types, so that what cannot be read is counted and not guessed at.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from provenote.contracts import cells
from provenote.contracts.contract import Contract
from provenote.contracts.faults import Fault, FileReport
from provenote.contracts.opening import Parquet
from provenote.contracts.passes import Pass
from provenote.data import tables
from provenote.data.bytestreams import BLOCK

if TYPE_CHECKING:
    import pyarrow

TOGETHER = 64
"""Columns of a Parquet file that are decoded at a time, beside those that rules need together."""
LARGEST_BLOCK = 32 << 20
RESTARTS = 6
"""Columns of a delimited file that may turn out to be mistyped before all are read as text."""


class _Again(Exception):
    """The file is to be read again with other types."""


def check_file(path: Path, name: str, contract: Contract, *, md5: str = "", keep: int = 20) -> FileReport:
    """Check one file.

    Parameters
    ----------
    path : Path
        Where its bytes are.
    name : str
        The name that tells its format.
    contract : Contract
    md5 : str
        Of its bytes, for the report.
    keep : int
        Faulty places of each kind that are kept; all are counted.
    """
    from provenote.contracts import causes, places

    report = FileReport("", md5)
    kind = tables.kind(name)
    if kind is None:
        report.faults.append(
            Fault("unreadable", "", contract.action("unreadable"), 1, "is no table that we know")
        )
        return report
    if path.stat().st_size == 0:
        report.faults.append(Fault("empty", "", contract.action("empty"), 1, "the file is empty"))
        return report
    source = tables.Source(path, name)
    try:
        state = (_parquet if kind == "parquet" else _stream)(source, contract, keep)
    except tables.NotReadable as error:
        limit = f"cannot be read as {kind}: {error.what}"
        report.faults.append(Fault("unreadable", "", contract.action("unreadable"), 1, limit))
        return report
    state.end(report, source)
    if kind in ("csv", "jsonl"):
        places.find_lines(source, report, keep)
    causes.guess(report, contract, state.checks, state.contexts)
    return report


def columns_of(path: Path, name: str) -> list[str]:
    """Return the names of a table's columns.

    Raises
    ------
    NotReadable
        If it is none.
    """
    found: list[str] = []
    tables.scan(tables.Source(path, name), lambda schema: found.extend(schema.names), lambda _, __: False)
    return found


def _groups(names: list[str], contract: Contract) -> Iterator[list[str] | None]:
    """Yield the columns to read in one pass; None for all."""
    if len(names) <= TOGETHER or len(set(names)) < len(names):
        yield None
        return
    joint = _joint(contract)
    first = [name for name in names if name in joint]
    rest = [name for name in names if name not in joint]
    yield first + rest[:TOGETHER]
    for start in range(TOGETHER, len(rest), TOGETHER):
        yield rest[start : start + TOGETHER]


def _joint(contract: Contract) -> set[str]:
    """Return the columns that rules need in the same pass."""
    found = {*contract.key, *contract.increasing, *(contract.time.columns if contract.time else ())}
    for rule in contract.rules:
        found |= set(rule.columns)
    for one in contract.determines:
        found |= {*one.given, one.column}
    return found


def _parquet(source: tables.Source, contract: Contract, keep: int) -> Pass:
    """Read a Parquet file, some columns at a time where there are very many."""
    import pyarrow

    state = Pass(contract, keep, strict=True)
    try:
        file = Parquet(source.path, contract)
        for columns in _groups(file.names, contract):
            schema, batches = file.batches(columns)
            state.begin(schema)
            for batch in batches:
                state.feed(batch)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise tables.NotReadable(tables._reason(error)) from error
    return state


def _stream(source: tables.Source, contract: Contract, keep: int) -> Pass:
    """Read any other table in one stream, by the contract's types."""
    kind = tables.kind(source.name)
    wanted = {name: cells.arrow_type(rule.type) for name, rule in contract.columns.items()}
    source.types = {name: type_ for name, type_ in wanted.items() if type_ is not None}
    if kind == "csv":
        source.block = _block(source)
    elif kind == "jsonl":
        source.types = {}
    starts = 0

    def begin(schema: pyarrow.Schema) -> Pass:
        nonlocal starts
        starts += 1
        if starts == RESTARTS and kind == "csv":
            raise _Again
        made = Pass(contract, keep, strict=kind == "arrow")
        made.begin(schema)
        return made

    def feed(state: Pass, batch: pyarrow.RecordBatch) -> bool:
        state.feed(batch)
        return True

    try:
        return tables.scan(source, begin, feed)
    except _Again:
        import pyarrow

        source.types = {name: pyarrow.string() for name in source.types}
        return tables.scan(source, begin, feed)


def _block(source: tables.Source) -> int:
    """Return how much delimited text is parsed at a time: some thousand rows, where rows are wide."""
    from provenote.data.bytestreams import head_of

    head = head_of(source)
    line = head.find(b"\n") if b"\n" in head else len(head)
    return max(4 * BLOCK, min(LARGEST_BLOCK, line * 500))
