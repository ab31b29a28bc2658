"""Read data that is known to be good as one reference: how far each column goes, and rows of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.contracts import cells
from provenote.contracts.moments import Rising
from provenote.contracts.opening import Parquet
from provenote.data import tables
from provenote.data.bytestreams import BLOCK
from provenote.errors import UsageError

if TYPE_CHECKING:
    import pyarrow

MOST_VALUES = 100
"""Different values of a column that are remembered."""
SAMPLE, SAMPLE_CELLS = 20_000, 4_000_000
"""Rows and cells of the sample that rules and quantiles come from, at most."""
HELD = 64 << 20
"""Bytes of batches that are held, so that rules are verified without reading twice."""


class Seen:
    """What is known of one column after all its batches."""

    def __init__(self, name: str, type_: pyarrow.DataType) -> None:
        self.name, self.type = name, type_
        self.kind = cells.type_of(type_)
        self.rows = self.nulls = 0
        self.low: Any = None
        self.high: Any = None
        self.different: Any = None
        self.many = False
        self.falls = False
        self.strict = True
        self.drops = False  # from one file of a folder to the next
        self.first: Any = None
        self.last: Any = None

    def add(self, array: pyarrow.Array) -> None:
        """Count a batch in."""
        import pyarrow
        from pyarrow import compute

        self.rows += len(array)
        if pyarrow.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        if pyarrow.types.is_decimal(array.type):
            array = array.cast(pyarrow.float64())
        self.nulls += array.null_count
        if pyarrow.types.is_floating(array.type) and len(array):
            total = compute.sum(array).as_py()
            if total is not None and total - total != 0:
                nan = compute.is_nan(array)
                self.nulls += compute.sum(nan).as_py() or 0
                array = compute.if_else(nan, pyarrow.scalar(None, array.type), array)
        if not self.many and self.kind in ("int", "text", "bool"):
            unique = compute.unique(array).drop_null()
            if self.different is not None and len(unique) <= MOST_VALUES:
                unique = compute.unique(
                    pyarrow.concat_arrays([self.different, unique.cast(self.different.type)])
                )
            self.many = len(unique) > MOST_VALUES
            self.different = None if self.many else unique
        if self.kind in ("text", "other", "bool"):
            return
        edges = compute.min_max(array)
        low, high = edges["min"].as_py(), edges["max"].as_py()
        if low is not None:
            self.low = low if self.low is None else min(self.low, low)
            self.high = high if self.high is None else max(self.high, high)
            self._order(array)

    def _order(self, array: pyarrow.Array) -> None:
        if self.falls:
            return
        rising = Rising(self.strict, 0)
        rising.last = self.last
        rising.feed(array, 0)
        if rising.broken and self.strict:
            self.strict = False
            rising = Rising(False, 0)
            rising.last = self.last
            rising.feed(array, 0)
        self.falls = rising.broken > 0
        self.first = rising.first if self.first is None else self.first
        self.last = rising.last


@dataclass(slots=True)
class Reference:
    """What was seen of the data that a contract is inferred from.

    Parameters
    ----------
    columns : dict of str to Seen
    rows, files : int
    sample : pyarrow.Table or None
        Rows spread over the whole, in their order.
    held : list of pyarrow.RecordBatch or None
        Everything, where it is small.
    encoding : str
    skipped : list of str
        Files that could not be read or have other columns, and why.
    """

    columns: dict[str, Seen] = field(default_factory=dict)
    rows: int = 0
    files: int = 0
    sample: Any = None
    held: list[Any] | None = field(default_factory=list)
    encoding: str = "utf-8"
    skipped: list[str] = field(default_factory=list)
    sampled: int = 0
    held_bytes: int = 0


def look(files: Sequence[tuple[str, Path]]) -> Reference:
    """Read tables of the same columns as one reference.

    Parameters
    ----------
    files : sequence of (str, Path)
        Name and place of each.

    Raises
    ------
    UsageError
        If none of them is a table with rows.
    """
    import pyarrow

    found = Reference()
    for name, path in files:
        source = tables.Source(path, name, block=4 * BLOCK)
        try:
            _one(source, found)
        except tables.NotReadable as error:
            found.skipped.append(f"{name}: {error.what}")
    if not found.rows:
        why = found.skipped[0] if found.skipped else "there is no table in it"
        raise UsageError(
            f"no contract can be inferred: {why}", "Name a table that has rows, and is as it should be"
        )
    if found.held:
        found.held = _joined(found.held)
    taken = found.sample or []
    found.sample = pyarrow.Table.from_batches(taken).combine_chunks() if taken else None
    return found


def _joined(batches: list[Any]) -> list[Any]:
    """Join batches of one schema: thousands of small files are then as quick as one large one."""
    import pyarrow

    groups: list[list[Any]] = []
    for batch in batches:
        if groups and groups[-1][0].schema.equals(batch.schema):
            groups[-1].append(batch)
        else:
            groups.append([batch])
    return [
        one
        for group in groups
        for one in pyarrow.Table.from_batches(group).combine_chunks().to_batches(max_chunksize=1 << 16)
    ]


class _File:
    """One file on top of a reference; dropped when reading begins again."""

    def __init__(self, schema: pyarrow.Schema) -> None:
        self.columns = {name: Seen(name, schema.field(i).type) for i, name in enumerate(schema.names)}
        self.batches: list[Any] | None = []
        self.sample: list[Any] = []
        self.sampled = self.rows = self.bytes = 0
        self.step = 1
        self.most = max(200, min(SAMPLE, SAMPLE_CELLS // max(len(schema.names), 1)))

    def feed(self, batch: pyarrow.RecordBatch) -> bool:
        import pyarrow

        for index, name in enumerate(batch.schema.names):
            self.columns[name].add(batch.column(index))
        if self.batches is not None:
            self.batches.append(batch)
            self.bytes += batch.nbytes
            if self.bytes > HELD:
                self.batches = None
        first = -self.rows % self.step
        taken = batch
        if self.step > 1:
            taken = batch.take(pyarrow.array(range(first, batch.num_rows, self.step), pyarrow.int64()))
        self.sample.append(taken)
        self.sampled += taken.num_rows
        self.rows += batch.num_rows
        while self.sampled > 2 * self.most:
            self.step *= 2
            whole = pyarrow.Table.from_batches(self.sample)
            thin = whole.take(pyarrow.array(range(0, whole.num_rows, 2), pyarrow.int64()))
            self.sample, self.sampled = thin.combine_chunks().to_batches(), thin.num_rows
        return True


def _one(source: tables.Source, found: Reference) -> None:
    if tables.kind(source.name) == "parquet":
        import pyarrow

        try:
            schema, batches = Parquet(source.path).batches()
            made = _File(schema)
            for batch in batches:
                made.feed(batch)
        except (pyarrow.ArrowException, OSError) as error:
            raise tables.NotReadable(str(error)) from error
    elif tables.kind(source.name) is None:
        raise tables.NotReadable("is no table that we know")
    else:
        made = tables.scan(source, _File, _File.feed)
    _join(made, found, source)


def _join(made: _File, found: Reference, source: tables.Source) -> None:
    import pyarrow

    if found.columns and list(made.columns) != list(found.columns):
        found.skipped.append(f"{source.name}: has other columns")
        return
    if found.columns:
        for name, seen in found.columns.items():
            _merge(seen, made.columns[name])
    else:
        found.columns = made.columns
    found.rows += made.rows
    found.files += 1
    if source.encoding != "utf-8":
        found.encoding = source.encoding
    schema = found.sample[0].schema if found.sample else None
    sample = made.sample if schema is None else [one for one in made.sample if one.schema.equals(schema)]
    found.sample = (found.sample or []) + sample
    found.sampled += sum(one.num_rows for one in sample)
    if (kept := found.sampled) > 4 * made.most:
        whole = pyarrow.Table.from_batches(found.sample)
        thin = whole.take(pyarrow.array(range(0, kept, kept // made.most), pyarrow.int64()))
        found.sample, found.sampled = thin.combine_chunks().to_batches(), thin.num_rows
    if found.held is not None and made.batches is not None:
        found.held += made.batches
        found.held_bytes += made.bytes
        if found.held_bytes <= HELD:
            return
    found.held = None


def _merge(seen: Seen, other: Seen) -> None:
    """Add what another file showed of a column."""
    import pyarrow
    from pyarrow import compute

    seen.rows += other.rows
    seen.nulls += other.nulls
    if seen.kind != other.kind and other.nulls < other.rows:
        numbers = {seen.kind, other.kind} <= {"int", "float"}
        seen.kind = "float" if numbers else "text"
        seen.many = True
        if not numbers:
            seen.low = seen.high = None
    elif seen.kind == other.kind and not seen.many:
        if other.many or other.different is None:
            seen.many = seen.many or other.many
        else:
            whole = pyarrow.concat_arrays([seen.different, other.different.cast(seen.different.type)])
            seen.different = compute.unique(whole)
            seen.many = len(seen.different) > MOST_VALUES
    if other.low is not None and seen.kind != "text":
        seen.low = other.low if seen.low is None else min(seen.low, other.low)
        seen.high = other.high if seen.high is None else max(seen.high, other.high)
    if other.first is not None and seen.last is not None and seen.kind != "text":
        seen.drops = seen.drops or other.first < seen.last
    seen.last = other.last if other.last is not None else seen.last
    seen.falls = seen.falls or other.falls
    seen.strict = seen.strict and other.strict
