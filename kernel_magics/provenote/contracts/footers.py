"""The first look at Parquet files: their footers already show many a bad one, with nothing decoded.

A footer that shows nothing proves nothing: the file is then checked whole.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.contracts.columns_check import allowed
from provenote.contracts.contract import ColumnRule, Contract
from provenote.contracts.faults import Fault, Place, shown_value

if TYPE_CHECKING:
    import pyarrow.parquet


def look(path: Path, contract: Contract) -> list[Fault]:
    """Return the faults that a Parquet file's footer shows.

    Parameters
    ----------
    path : Path
    contract : Contract
    """
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path, pre_buffer=False) as file:
            return _faults(file.metadata, file.schema_arrow.names, contract)
    except (pyarrow.ArrowException, OSError) as error:
        limit = f"cannot be read as parquet: {' '.join(str(error).split())[:200]}"
        return [Fault("unreadable", "", contract.action("unreadable"), 1, limit)]


def _faults(meta: pyarrow.parquet.FileMetaData, names: list[str], contract: Contract) -> list[Fault]:
    if not meta.num_rows:
        return [Fault("empty", "", contract.action("empty"), 1, "the file has no rows")]
    found = [
        Fault("columns", name, contract.action("columns"), 1, "the column is missing")
        for name, rule in contract.columns.items()
        if name not in names and not rule.optional
    ]
    places = {meta.schema.column(index).path: index for index in range(meta.num_columns)}
    for name, rule in contract.columns.items():
        if name in places:
            found += _column(meta, places[name], rule, contract)
    return found


def _column(
    meta: pyarrow.parquet.FileMetaData, index: int, rule: ColumnRule, contract: Contract
) -> list[Fault]:
    found: list[Fault] = []
    nulls, row = 0, 1
    for number in range(meta.num_row_groups):
        group = meta.row_group(number)
        known = group.column(index).statistics
        if known is not None:
            nulls += known.null_count or 0 if known.has_null_count else 0
            if known.has_min_max and not found:
                for value in (known.min, known.max):
                    if _outside(value, rule):
                        assert rule.range is not None
                        ends = ", ".join("..." if one is None else shown_value(one) for one in rule.range)
                        limit = f"outside [{ends}], says the footer (from row {row:,} on)"
                        fault = Fault("range", rule.name, contract.action("range"), 1, limit)
                        fault.places = [Place(0, shown_value(value))]
                        found.append(fault)
                        break
        row += group.num_rows
    if nulls > allowed(rule.null_max, meta.num_rows):
        share = f"{nulls / meta.num_rows:.2%} of the rows, at most {rule.null_max:.2%} allowed"
        found.append(Fault("null", rule.name, contract.action("null"), nulls, f"missing in {share}"))
    return found


def _outside(value: Any, rule: ColumnRule) -> bool:
    if rule.range is None:
        return False
    if isinstance(value, datetime.date | datetime.datetime):
        value = value.isoformat()
    low, high = rule.range
    try:
        return bool((low is not None and value < low) or (high is not None and value > high))
    except TypeError:
        return False  # another type: the whole check says so
