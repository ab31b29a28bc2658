"""Infer a contract from data that is known to be good (`contracts.reference` reads it).

Limits are wider than what was seen: ranges by a quarter of their width on each side, missing cells by one
point. What only grows (a key, a date, a year) has no upper limit. Rules across columns are found by
`contracts.discovery` and offered.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from provenote.contracts import cells
from provenote.contracts.contract import ColumnRule, Contract, Scalar, Time
from provenote.contracts.contract_text import scalar
from provenote.contracts.moments import SECONDS, seconds
from provenote.contracts.reference import Reference, Seen
from provenote.errors import UsageError

WIDER = 0.25
MORE_MISSING = 0.01
MOST_NUMBERS, FEW_NUMBERS = 31, 12
"""Different whole numbers up to which they are categories: evenly spread, or not."""
WINDOW = 168
"""Steps over which missing ones are counted together."""
_HOURS = re.compile(r"(?i)(.*_)?(h|hr|hour|hours|stunde)")
_KEYS = re.compile(r"(?i)(.*_)?(id|key|uuid|guid|instant|index|nr|number|code)")


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
