"""Whatever a table holds, the contract that is inferred from it reads back, and the table keeps it."""

from __future__ import annotations

import datetime
import math
from pathlib import Path
from typing import Any

import pyarrow
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pyarrow import csv, parquet

from provenote.contracts import contract_file, contract_text, discovery, engine, inference
from provenote.contracts.reference import look

NAMES = ["a", "b", "odd name", "it's", 'q"q', "id", "hr", "day", "ünï", "x`y", "null", "1", "a,b"]
CELLS: dict[str, st.SearchStrategy[Any]] = {
    "int64": st.integers(-(2**60), 2**60),
    "small": st.integers(0, 3),
    "double": st.floats(allow_nan=True, allow_infinity=True),
    "plain": st.floats(-1e6, 1e6),
    "string": st.text(max_size=8),
    "kind": st.sampled_from(["a", "b", "c,d", "NA", ""]),
    "bool": st.booleans(),
    "date32": st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 1, 1)),
    "timestamp": st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2100, 1, 1)),
    "null": st.none(),
}
ARROW = {
    "int64": pyarrow.int64(),
    "small": pyarrow.int64(),
    "double": pyarrow.float64(),
    "plain": pyarrow.float32(),
    "string": pyarrow.string(),
    "kind": pyarrow.string(),
    "bool": pyarrow.bool_(),
    "date32": pyarrow.date32(),
    "timestamp": pyarrow.timestamp("us"),
    "null": pyarrow.null(),
}


@st.composite
def tables(draw: st.DrawFn) -> pyarrow.Table:
    """Draw a table; some columns rise, some are constant, some repeat others."""
    rows = draw(st.sampled_from([1, 2, 30, 120]))
    columns = {}
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1, max_size=5)):
        kind = draw(st.sampled_from(list(CELLS)))
        few = draw(st.lists(CELLS[kind], min_size=1, max_size=6))
        missing = draw(st.booleans())
        values = [None if missing and n % 9 == 8 else few[(n * 7) % len(few)] for n in range(rows)]
        if draw(st.booleans()):
            values.sort(key=lambda one: (one is None, one if one == one else math.inf))
        columns[name] = pyarrow.array(values, ARROW[kind])
    if draw(st.booleans()):
        columns["key"] = pyarrow.array(range(rows))
    return pyarrow.table(columns)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(table=tables(), ending=st.sampled_from(["parquet", "csv"]))
def test_what_a_contract_was_made_of_keeps_it(table: pyarrow.Table, ending: str, tmp_path: Path) -> None:
    # A line without a cell is no row of a CSV file.
    assume(ending == "parquet" or table.num_columns > 1)
    path = tmp_path / f"a.{ending}"
    if ending == "csv":
        csv.write_csv(table, path)
    else:
        parquet.write_table(table, path, row_group_size=50)
    reference = look([(path.name, path)])
    made = inference.infer(reference)
    found = discovery.discover(reference, made, [(path.name, path)])
    text = contract_text.to_text(made, path.name, [*found.rules, *found.determines])
    contract = contract_file.parse(text.encode())
    assert dict(contract.columns) == dict(made.columns)
    report = engine.check_file(path, path.name, contract)
    assert [one for one in report.faults if one.action != "note"] == [] and report.not_judged == []
    assert report.rows == table.num_rows
