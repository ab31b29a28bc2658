"""Infer a contract from data that is known to be good, in one stream.

Limits are wider than what was seen: ranges by a quarter of their width on each side, missing cells by one
point. What only grows (a key, a date, a year) has no upper limit. Rules across columns are found by
`contracts.discovery` and offered.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.contracts import cells
from provenote.contracts.contract import ColumnRule, Contract, Scalar, Time
from provenote.contracts.contract_file import scalar
from provenote.contracts.moments import SECONDS, Rising, seconds
from provenote.contracts.opening import Parquet
from provenote.data import tables
from provenote.data.bytestreams import BLOCK
from provenote.errors import UsageError

if TYPE_CHECKING:
    import pyarrow

WIDER = 0.25
MORE_MISSING = 0.01
MOST_TEXTS, MOST_NUMBERS, FEW_NUMBERS = 100, 31, 12
"""Different values up to which texts, and whole numbers that are evenly spread or not, are categories."""
SAMPLE, SAMPLE_CELLS = 20_000, 4_000_000
"""Rows and cells of the sample that rules and quantiles come from, at most."""
WINDOW = 168
"""Steps over which missing ones are counted together."""
HELD = 64 << 20
"""Bytes of batches that are held, so that rules are verified without reading twice."""
_HOURS = re.compile(r"(?i)(.*_)?(h|hr|hour|hours|stunde)")
_KEYS = re.compile(r"(?i)(.*_)?(id|key|uuid|guid|instant|index|nr|number|code)")


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
            if self.different is not None and len(unique) <= MOST_TEXTS:
                unique = compute.unique(
                    pyarrow.concat_arrays([self.different, unique.cast(self.different.type)])
                )
            self.many = len(unique) > MOST_TEXTS
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
            seen.many = len(seen.different) > MOST_TEXTS
    if other.low is not None and seen.kind != "text":
        seen.low = other.low if seen.low is None else min(seen.low, other.low)
        seen.high = other.high if seen.high is None else max(seen.high, other.high)
    if other.first is not None and seen.last is not None and seen.kind != "text":
        seen.drops = seen.drops or other.first < seen.last
    seen.last = other.last if other.last is not None else seen.last
    seen.falls = seen.falls or other.falls
    seen.strict = seen.strict and other.strict


def infer(
    reference: Reference, *, key: Iterable[str] = (), time: Iterable[str] = (), label: str = ""
) -> Contract:
    """Infer a contract, without the rules across columns.

    Parameters
    ----------
    reference : Reference
    key, time : iterable of str
        As a person gives them; found where they are not given.
    label : str

    Raises
    ------
    UsageError
        If a named column is not there, or the key is not unique in the reference.
    """
    named, clock = tuple(key), tuple(time)
    for name in (*named, *clock, *([label] if label else [])):
        if name not in reference.columns:
            near = ", ".join(list(reference.columns)[:12])
            raise UsageError(f"there is no column {name!r}", f"There are: {near}")
    moment = _time(reference, clock)
    named = named or _key(reference)
    rising = reference.columns[named[0]] if len(named) == 1 else None
    increasing = (
        named if rising is not None and rising.strict and not rising.falls and rising.low is not None else ()
    )
    apart = {*named, *(moment.columns[:1] if moment else ())}
    columns = {
        name: _column(seen, reference, name in apart, moment is not None or bool(increasing))
        for name, seen in reference.columns.items()
    }
    of: dict[str, object] = {"rows": reference.rows}
    if reference.encoding != "utf-8":
        of["encoding"] = reference.encoding
    return Contract(columns=columns, key=named, time=moment, increasing=increasing, label=label, of=of)


def widened(rule: ColumnRule, seen: Seen, reference: Reference) -> ColumnRule:
    """Return a column's rule, wide enough for what was seen now; nothing gets narrower."""
    fresh = _column(seen, reference, False, False)
    limits, values = rule.range, rule.values
    if limits is not None and fresh.range is not None:
        pairs = zip(limits, fresh.range, (min, max), strict=True)
        low, high = (None if old is None or new is None else pick(old, new) for old, new, pick in pairs)
        limits = (low, high)
    if values is not None and seen.different is not None:
        more = [scalar(value) for value in seen.different.to_pylist()]
        values = tuple(dict.fromkeys([*values, *(one for one in more if one is not None)]))
    elif values is not None:
        values = None
    return replace(rule, null_max=max(rule.null_max, fresh.null_max), range=limits, values=values)


def _column(seen: Seen, reference: Reference, apart: bool, ordered: bool) -> ColumnRule:
    rule = ColumnRule(seen.name, seen.kind, null_max=_missing(seen))
    if apart:
        return replace(rule, null_max=0.0 if not seen.nulls else rule.null_max)
    different = None if seen.many or seen.different is None else len(seen.different)
    grows = ordered and not seen.falls and not seen.drops and seen.low is not None
    if different is not None and different > 1 and not grows and _category(seen, reference, different):
        values: list[Any] = sorted(map(scalar, seen.different.to_pylist()))
        return replace(rule, values=tuple(values), null_max=rule.null_max)
    if seen.kind not in ("int", "float") or seen.low is None:
        return rule
    low, high = float(seen.low), float(seen.high)
    if low == high:
        return replace(rule, why="one value in the reference, so nothing limits it")
    if grows:
        return replace(rule, range=(scalar(seen.low), None), why="grows with time")
    rule = replace(rule, range=_wider(seen), usual=_usual(seen, reference), why="reference +25 %")
    return replace(rule, varies=seen.many or seen.kind == "float")


def _missing(seen: Seen) -> float:
    share = seen.nulls / seen.rows if seen.rows else 0.0
    return min(1.0, math.ceil((share + MORE_MISSING) * 10_000 - 1e-6) / 10_000)


def _category(seen: Seen, reference: Reference, different: int) -> bool:
    if seen.kind == "text":
        return seen.rows >= 10 * different
    if seen.kind != "int" or seen.rows < 20 * different or different > MOST_NUMBERS:
        return False
    if different <= FEW_NUMBERS:
        return True
    from pyarrow import compute

    counts = compute.value_counts(reference.sample.column(seen.name)).field("counts")
    return bool(compute.min(counts).as_py() >= 0.2 * reference.sample.num_rows / different)


def _wider(seen: Seen) -> tuple[Scalar | None, Scalar | None]:
    if seen.kind == "int":
        more = math.ceil((seen.high - seen.low) * WIDER)
        return (seen.low - more if seen.low < 0 else max(0, seen.low - more)), seen.high + more
    low, high = float(seen.low), float(seen.high)
    if not (math.isfinite(low) and math.isfinite(high)):
        return None, None
    more = (high - low) * WIDER
    return _rounded(low - more, high - low, math.floor), _rounded(high + more, high - low, math.ceil)


def _rounded(value: float, width: float, how: Any) -> float:
    """Round outwards, to a thousandth of the width."""
    digits = 3 - math.floor(math.log10(width)) if width > 0 else 6
    if not -300 < digits < 300:
        return value
    return float(how(round(value * 10.0**digits, 3)) / 10.0**digits)


def _usual(seen: Seen, reference: Reference) -> tuple[float, float, float] | None:
    """Return the 5 %, 50 % and 95 % quantile of the sample."""
    import numpy
    import pyarrow

    column = reference.sample.column(seen.name).combine_chunks()
    if isinstance(column, pyarrow.ChunkedArray):
        column = pyarrow.concat_arrays(column.chunks)
    values = cells.numbers(column.cast(pyarrow.float64(), safe=False).drop_null())
    if values is None or not len(values):
        return None
    values = values[numpy.isfinite(values)]
    if not len(values):
        return None
    low, middle, high = (float(f"{one:.4g}") for one in numpy.quantile(values, (0.05, 0.5, 0.95)))
    return low, middle, high


def _key(reference: Reference) -> tuple[str, ...]:
    """Find a column that names rows: whole numbers that rise, or names that say so and never repeat."""
    for name, seen in reference.columns.items():
        if seen.kind == "int" and seen.strict and not seen.falls and not seen.nulls and seen.rows > 1:
            return (name,)
    for name, seen in reference.columns.items():
        if seen.kind in ("int", "text") and seen.many and not seen.nulls and _KEYS.fullmatch(name):
            column = reference.sample.column(name)
            if len(column.unique()) == len(column):
                return (name,)
    return ()


def _time(reference: Reference, named: tuple[str, ...]) -> Time | None:
    """Find when rows were, and the step from row to row."""
    columns = named
    if not columns:
        dates = [
            name
            for name, seen in reference.columns.items()
            if seen.kind in ("date", "datetime")
            and not seen.falls
            and seen.low != seen.high
            and not seen.nulls
        ]
        columns = tuple(dates[:1])
        hours = [
            name
            for name, seen in reference.columns.items()
            if seen.kind == "int" and _HOURS.fullmatch(name) and (seen.low, seen.high) == (0, 23)
        ]
        if columns and hours and reference.columns[columns[0]].kind == "date":
            columns = (columns[0], hours[0])
    if not columns:
        return None
    return _stepped(reference, columns, bool(named))


def _worst(steps: Any) -> float:
    """Return the largest share of missing steps in any window of the reference: gaps come in clusters."""
    import numpy

    span = float(steps[-1] - steps[0])
    if span <= WINDOW:
        return float((span + 1 - len(steps)) / (span + 1))
    starts = numpy.arange(0.0, span - WINDOW + 1, WINDOW / 4)
    there = numpy.searchsorted(steps, starts + WINDOW) - numpy.searchsorted(steps, starts)
    return float(1 - there.min() / WINDOW)


def _stepped(reference: Reference, columns: tuple[str, ...], named: bool) -> Time | None:
    import numpy
    import pyarrow

    unit = "hour" if len(columns) == 2 else ""
    batches = reference.held if reference.held else reference.sample.to_batches()
    try:
        parts = [seconds([batch.column(name) for name in columns], unit) for batch in batches]
        values = cells.numbers(pyarrow.concat_arrays(parts).drop_null())
    except (pyarrow.ArrowException, KeyError) as error:
        if not named:
            return None
        mend = "Name a column of dates, and if need be one of hours: `--time day+hour`"
        raise UsageError(f"{' + '.join(columns)} tells no time", mend) from error
    if values is None or len(values) < 2:
        return Time(columns, unit, ordered=False)
    steps = numpy.diff(values)
    ordered = bool((steps >= 0).all())
    if not ordered or reference.held is None or reference.files > 1:
        return Time(columns, unit, ordered=ordered)
    positive = steps[steps > 0]
    for word, length in SECONDS.items():
        if len(positive) and float((positive == length).mean()) >= 0.5:
            at = numpy.unique(numpy.rint((values - values[0]) / length))
            gaps = math.ceil((_worst(at) + MORE_MISSING) * 1000) / 1000
            longest = max(2, math.ceil(2 * float(numpy.diff(at).max() - 1)))
            return Time(columns, word, True, min(1.0, gaps), longest)
    return Time(columns, unit, ordered=True)
