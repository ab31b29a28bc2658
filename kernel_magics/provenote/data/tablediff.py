"""Compare two tables: columns, then rows; by a key where there is one, else as bags of rows.

Both tables are streamed: the first pass makes fingerprints (16 bytes a row and key), the second
fetches the few rows that are shown. A key is found among the columns unique in both tables: the one
that explains the difference with the fewest rows wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provenote.data import fingerprints, tables
from provenote.data.columns import dtype
from provenote.data.tables import Source
from provenote.errors import UsageError

if TYPE_CHECKING:
    import numpy
    import pyarrow

CANDIDATES = 3
SHOWN = 5
CELLS = 5_000_000
"""Cells of changed rows that are compared one by one; beyond, only the first rows are."""


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """A column that is new, gone, or of another type (``old``, ``new`` are types; None: not there)."""

    name: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class RowChange:
    """A row with the same key and other values: ``{column: (old, new)}``."""

    key: dict[str, Any]
    cells: dict[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class TableDifference:
    """How two tables differ.

    Parameters
    ----------
    columns : tuple of ColumnChange
        Changes of the schema.
    old_rows, new_rows : int
        Rows of each.
    key : tuple of str
        The key, empty where rows were compared as bags.
    added, removed : int
        Rows only in the new, only in the old table.
    changed : int or None
        Rows with the same key and other values in columns of both; None without a key.
    changed_columns : dict
        ``{column: number of changed cells}``, the most first.
    added_rows, removed_rows, changed_rows : tuple
        The first few of each.
    """

    columns: tuple[ColumnChange, ...]
    old_rows: int
    new_rows: int
    key: tuple[str, ...]
    added: int
    removed: int
    changed: int | None
    changed_columns: dict[str, int] = field(default_factory=dict)
    added_rows: tuple[dict[str, Any], ...] = ()
    removed_rows: tuple[dict[str, Any], ...] = ()
    changed_rows: tuple[RowChange, ...] = ()


@dataclass(slots=True)
class _Prints:
    """The fingerprints of one table: of rows, and of each key."""

    rows: list[Any]
    keys: dict[tuple[str, ...], list[Any]]

    def row_array(self) -> numpy.ndarray[Any, Any]:
        return _joined(self.rows)

    def key_array(self, key: tuple[str, ...]) -> numpy.ndarray[Any, Any]:
        return _joined(self.keys[key])


def compare(old: Source, new: Source, key: Sequence[str] = ()) -> TableDifference:
    """Compare two tables.

    Parameters
    ----------
    old, new : Source
        The tables.
    key : sequence of str
        Columns that name a row; found if empty.

    Raises
    ------
    NotReadable
        If one of them is no table.
    UsageError
        If a key column is not in both tables, or does not name rows uniquely.
    """
    old_schema, old_head = _look(old)
    new_schema, new_head = _look(new)
    both = [name for name in new_schema.names if name in old_schema.names]
    for name in key:
        if name not in both:
            raise UsageError(
                f"the key {name!r} is not a column of both tables", f"Columns: {', '.join(both)}"
            )
    types = {n: fingerprints.common_type(old_schema.field(n).type, new_schema.field(n).type) for n in both}
    keys = [tuple(key)] if key else _candidates(both, types, old_head, new_head)
    a, b = _prints(old, types, keys), _prints(new, types, keys)
    chosen = _best(a, b, keys, given=bool(key), sources=(old, new))
    columns = _columns(old_schema, new_schema)
    sizes = (len(a.row_array()), len(b.row_array()))
    if not both:
        return TableDifference(columns, *sizes, (), sizes[1], sizes[0], None)
    if chosen is None:
        return _bags(old, new, types, a, b, columns, sizes)
    return _keyed(old, new, types, chosen, a, b, columns, sizes)


def _look(source: Source) -> tuple[pyarrow.Schema, pyarrow.RecordBatch | None]:
    """Read a table once, so that its types are settled; return them and the first batch."""
    head: list[pyarrow.RecordBatch] = []
    schemas: list[pyarrow.Schema] = []

    def begin(schema: pyarrow.Schema) -> None:
        head.clear()
        schemas.append(schema)

    def feed(nothing: None, batch: pyarrow.RecordBatch) -> bool:
        if not head:
            head.append(batch)
        return True

    tables.scan(source, begin, feed)
    return schemas[-1], head[0] if head else None


def _candidates(
    both: list[str],
    types: dict[str, pyarrow.DataType],
    old: pyarrow.RecordBatch | None,
    new: pyarrow.RecordBatch | None,
) -> list[tuple[str, ...]]:
    """Return columns that may be a key: unique and filled at the beginning of both tables."""
    import pyarrow

    floating = pyarrow.types.is_floating
    found = []
    for name in both:
        if (
            floating(types[name])
            or pyarrow.types.is_nested(types[name])
            or pyarrow.types.is_boolean(types[name])
        ):
            continue
        heads = [batch.column(name) for batch in (old, new) if batch is not None]
        if all(not one.null_count and len(one.unique()) == len(one) for one in heads):
            found.append(name)
    named = [name for name in found if name.lower() in ("id", "key", "index") or name.lower().endswith("id")]
    return [(name,) for name in [*named, *(name for name in found if name not in named)][:CANDIDATES]]


def _prints(source: Source, types: dict[str, pyarrow.DataType], keys: list[tuple[str, ...]]) -> _Prints:
    def begin(schema: pyarrow.Schema) -> _Prints:
        return _Prints([], {key: [] for key in keys})

    def feed(found: _Prints, batch: pyarrow.RecordBatch) -> bool:
        import numpy

        cells = {
            name: fingerprints.column_prints(batch.column(name), wanted) for name, wanted in types.items()
        }
        nothing = numpy.zeros(batch.num_rows, numpy.uint64)
        found.rows.append(fingerprints.row_prints(list(cells.values())) if cells else nothing)
        for key, prints in found.keys.items():
            prints.append(fingerprints.row_prints([cells[name] for name in key]))
        return True

    return tables.scan(source, begin, feed)


def _best(
    a: _Prints,
    b: _Prints,
    keys: list[tuple[str, ...]],
    *,
    given: bool,
    sources: tuple[Source, Source],
) -> tuple[str, ...] | None:
    """Return the key that explains the difference with the fewest rows; None: no column is a key."""
    import numpy

    best: tuple[str, ...] | None = None
    fewest = 0
    for key in keys:
        old, new = a.key_array(key), b.key_array(key)
        for side, source in ((old, sources[0]), (new, sources[1])):
            if len(numpy.unique(side)) != len(side):
                if given:
                    twice = _twice(source, key, side)
                    what = f"the key {', '.join(key)} does not name one row: {twice} comes more than once"
                    raise UsageError(what, "Name more columns: `--key a,b`")
                break
        else:
            _, at_old, at_new = numpy.intersect1d(old, new, assume_unique=True, return_indices=True)
            changed = int((a.row_array()[at_old] != b.row_array()[at_new]).sum())
            cost = len(old) + len(new) - 2 * len(at_old) + changed
            if best is None or cost < fewest:
                best, fewest = key, cost
    return best


def _bags(
    old: Source,
    new: Source,
    types: dict[str, pyarrow.DataType],
    a: _Prints,
    b: _Prints,
    columns: tuple[ColumnChange, ...],
    sizes: tuple[int, int],
) -> TableDifference:
    only_old, only_new = _bag_counts(a.row_array(), b.row_array())
    removed = _rows(old, types, _first_of(a.row_array(), only_old))
    added = _rows(new, types, _first_of(b.row_array(), only_new))
    counts = int(only_new.sum()), int(only_old.sum())
    return TableDifference(columns, *sizes, (), *counts, None, {}, tuple(added), tuple(removed))


def _keyed(
    old: Source,
    new: Source,
    types: dict[str, pyarrow.DataType],
    key: tuple[str, ...],
    a: _Prints,
    b: _Prints,
    columns: tuple[ColumnChange, ...],
    sizes: tuple[int, int],
) -> TableDifference:
    import numpy

    old_keys, new_keys = a.key_array(key), b.key_array(key)
    _, at_old, at_new = numpy.intersect1d(old_keys, new_keys, assume_unique=True, return_indices=True)
    differs = a.row_array()[at_old] != b.row_array()[at_new]
    places_old, places_new = at_old[differs], at_new[differs]
    order = numpy.argsort(places_new)[: CELLS // max(len(types), 1)]
    places_old, places_new = places_old[order], places_new[order]
    gone = numpy.setdiff1d(numpy.arange(len(old_keys)), at_old)
    fresh = numpy.setdiff1d(numpy.arange(len(new_keys)), at_new)
    counts: dict[str, int] = {}
    if len(order):
        before, after = _cells(old, types, places_old), _cells(new, types, places_new)
        counts = {name: int((before[name] != after[name]).sum()) for name in types}
        counts = {name: n for name, n in sorted(counts.items(), key=lambda item: -item[1]) if n}
    shown_old = _rows(old, types, places_old[:SHOWN], raw=True)
    shown_new = _rows(new, types, places_new[:SHOWN], raw=True)
    changes = tuple(_change(key, one, other) for one, other in zip(shown_old, shown_new, strict=True))
    return TableDifference(
        columns,
        *sizes,
        key,
        len(fresh),
        len(gone),
        int(differs.sum()),
        counts,
        tuple(_rows(new, types, fresh[:SHOWN])),
        tuple(_rows(old, types, gone[:SHOWN])),
        changes,
    )


def _change(key: tuple[str, ...], old: dict[str, Any], new: dict[str, Any]) -> RowChange:
    cells = {name: (old[name], new[name]) for name in new if old[name] != new[name]}
    return RowChange({name: new[name] for name in key}, cells)


def _rows(
    source: Source, types: dict[str, pyarrow.DataType], places: numpy.ndarray[Any, Any], raw: bool = False
) -> list[dict[str, Any]]:
    """Fetch the rows at some places, in the order of ``places``."""
    wanted = {int(place): order for order, place in enumerate(places)}
    found: dict[int, dict[str, Any]] = {}
    if not wanted:
        return []
    start = [0]

    def begin(schema: pyarrow.Schema) -> None:
        found.clear()
        start[0] = 0

    def feed(nothing: None, batch: pyarrow.RecordBatch) -> bool:
        for place, order in wanted.items():
            if start[0] <= place < start[0] + batch.num_rows:
                row = batch.slice(place - start[0], 1).to_pylist()[0]
                found[order] = {name: row[name] for name in types} if raw else row
        start[0] += batch.num_rows
        return len(found) < len(wanted)

    tables.scan(source, begin, feed)
    return [found[order] for order in sorted(found)]


def _cells(
    source: Source, types: dict[str, pyarrow.DataType], places: numpy.ndarray[Any, Any]
) -> dict[str, numpy.ndarray[Any, Any]]:
    """Fetch the fingerprints of all cells of the rows at some places, in the order of ``places``."""
    import numpy

    order = numpy.argsort(places)
    ascending = places[order]

    def begin(schema: pyarrow.Schema) -> tuple[list[int], dict[str, list[Any]]]:
        return [0], {name: [] for name in types}

    def feed(state: tuple[list[int], dict[str, list[Any]]], batch: pyarrow.RecordBatch) -> bool:
        start, found = state
        low, high = numpy.searchsorted(ascending, [start[0], start[0] + batch.num_rows])
        here = ascending[low:high] - start[0]
        if len(here):
            for name, wanted in types.items():
                found[name].append(fingerprints.column_prints(batch.column(name).take(here), wanted))
        start[0] += batch.num_rows
        return True

    _, found = tables.scan(source, begin, feed)
    back = numpy.argsort(order)
    return {name: _joined(parts)[back] for name, parts in found.items()}


def _bag_counts(
    old: numpy.ndarray[Any, Any], new: numpy.ndarray[Any, Any]
) -> tuple[numpy.ndarray[Any, Any], numpy.ndarray[Any, Any]]:
    """Mark the rows that one bag has more often than the other: booleans, one a row."""
    return _surplus(old, new), _surplus(new, old)


def _surplus(mine: numpy.ndarray[Any, Any], other: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    import numpy

    order = numpy.argsort(mine, kind="stable")
    ranked = mine[order]
    if not len(ranked):
        return numpy.zeros(0, bool)
    first = numpy.searchsorted(ranked, ranked, side="left")
    nth = numpy.arange(len(ranked)) - first  # which of its equals a row is
    others = numpy.sort(other)
    there = numpy.searchsorted(others, ranked, side="right") - numpy.searchsorted(others, ranked, side="left")
    marks = numpy.zeros(len(mine), bool)
    marks[order] = nth >= there
    return marks


def _first_of(prints: numpy.ndarray[Any, Any], marks: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    import numpy

    places: numpy.ndarray[Any, Any] = numpy.flatnonzero(marks)[:SHOWN]
    return places


def _twice(source: Source, key: tuple[str, ...], prints: numpy.ndarray[Any, Any]) -> str:
    import numpy

    _, first, counts = numpy.unique(prints, return_index=True, return_counts=True)
    place = int(first[counts > 1].min())
    row = _rows(source, {}, numpy.array([place]))[0]
    return ", ".join(f"{name}={row[name]}" for name in key)


def _columns(old: pyarrow.Schema, new: pyarrow.Schema) -> tuple[ColumnChange, ...]:
    names = [*old.names, *(name for name in new.names if name not in old.names)]
    found = []
    for name in names:
        before = dtype(old.field(name).type) if name in old.names else None
        after = dtype(new.field(name).type) if name in new.names else None
        if before != after:
            found.append(ColumnChange(name, before, after))
    return tuple(found)


def _joined(parts: list[Any]) -> numpy.ndarray[Any, Any]:
    import numpy

    return numpy.concatenate(parts) if parts else numpy.zeros(0, numpy.uint64)
