"""Comparing tables: against a simple model of it, through every format, and at its edges."""

from __future__ import annotations

import collections
from pathlib import Path

import pandas
import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenote.data import fingerprints, tables
from provenote.data.differing import folder_difference
from provenote.data.tablediff import RowChange, compare
from provenote.errors import UsageError


def source(place: Path, name: str, frame: pandas.DataFrame) -> tables.Source:
    path = place / name
    kind = tables.kind(name)
    if kind == "csv":
        frame.to_csv(path, index=False)
    elif kind == "parquet":
        frame.to_parquet(path)
    elif kind == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_feather(path)
    return tables.Source(path, name)


rows = st.dictionaries(st.integers(0, 30), st.tuples(st.integers(0, 3), st.sampled_from("ab")), max_size=15)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=rows, new=rows)
def test_with_a_key_it_agrees_with_dictionaries(tmp_path_factory, old: dict, new: dict) -> None:
    place = tmp_path_factory.mktemp("tables")
    frames = [
        pandas.DataFrame([(key, *value) for key, value in one.items()], columns=["id", "n", "word"])
        for one in (old, new)
    ]
    found = compare(source(place, "old.csv", frames[0]), source(place, "new.csv", frames[1]), ["id"])
    assert (found.old_rows, found.new_rows) == (len(old), len(new))
    assert found.added == len(new.keys() - old.keys())
    assert found.removed == len(old.keys() - new.keys())
    both = [key for key in old if key in new and old[key] != new[key]]
    assert found.changed == len(both)
    counts = {
        "n": sum(old[k][0] != new[k][0] for k in both),
        "word": sum(old[k][1] != new[k][1] for k in both),
    }
    assert found.changed_columns == {name: count for name, count in counts.items() if count}
    for change in found.changed_rows:
        key = change.key["id"]
        cells = zip(("n", "word"), old[key], new[key], strict=True)
        assert change == RowChange({"id": key}, {name: (a, b) for name, a, b in cells if a != b})


bag = st.lists(st.tuples(st.integers(0, 2), st.sampled_from("ab")), max_size=15)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=bag, new=bag)
def test_without_a_key_it_agrees_with_bags(tmp_path_factory, old: list, new: list) -> None:
    place = tmp_path_factory.mktemp("tables")
    old, new = [*old, (0, "a"), (0, "a")], [*new, (0, "a"), (0, "a")]  # no column can be a key
    frames = [pandas.DataFrame(one, columns=["n", "word"]) for one in (old, new)]
    found = compare(source(place, "old.parquet", frames[0]), source(place, "new.csv", frames[1]))
    assert found.key == ()
    assert found.changed is None
    one, other = collections.Counter(old), collections.Counter(new)
    assert (found.removed, found.added) == ((one - other).total(), (other - one).total())


def test_every_format_holds_the_same_rows(tmp_path: Path) -> None:
    frame = pandas.DataFrame(
        {"id": range(50), "x": [i / 4 for i in range(50)], "s": [f"ü{i}" for i in range(50)]}
    )
    first = source(tmp_path, "a.parquet", frame)
    for name in ("b.csv", "c.jsonl", "d.feather"):
        found = compare(first, source(tmp_path, name, frame))
        assert (found.added, found.removed, found.changed) == (0, 0, 0), name


def test_types_that_change_are_told_but_equal_values_are_equal(tmp_path: Path) -> None:
    old = pandas.DataFrame({"id": [1, 2, 3], "x": [1, 2, 3], "gone": [0, 0, 0]})
    new = pandas.DataFrame({"id": [1, 2, 3], "x": [1.0, 2.0, 3.5], "new": [0, 0, 0]})
    found = compare(source(tmp_path, "a.parquet", old), source(tmp_path, "b.parquet", new))
    kinds = {change.name: (change.old, change.new) for change in found.columns}
    assert kinds == {"x": ("int64", "float64"), "gone": ("int64", None), "new": (None, "int64")}
    assert (found.changed, found.changed_columns) == (1, {"x": 1})


def test_missing_values_equal_each_other_and_nothing_else(tmp_path: Path) -> None:
    old = pandas.DataFrame({"id": [1, 2, 3], "x": [None, 2.0, None], "s": ["a", None, ""]})
    new = pandas.DataFrame({"id": [1, 2, 3], "x": [None, None, 0.0], "s": ["a", None, ""]})
    found = compare(source(tmp_path, "a.parquet", old), source(tmp_path, "b.parquet", new))
    assert found.changed_columns == {"x": 2}


def test_the_key_that_explains_it_best_is_found(tmp_path: Path) -> None:
    codes = [i * 7 % 101 for i in range(100)]
    old = pandas.DataFrame({"code": codes, "x": 0})
    new = pandas.DataFrame({"code": [1000, *codes], "x": 0})
    found = compare(source(tmp_path, "a.csv", old), source(tmp_path, "b.csv", new))
    assert (found.key, found.added, found.removed, found.changed) == (("code",), 1, 0, 0)
    frame = pandas.DataFrame({"id": range(50), "mail": [f"{i}@x" for i in range(50)]})
    renumbered = frame.assign(id=frame["id"] + 1)
    found = compare(source(tmp_path, "c.csv", frame), source(tmp_path, "d.csv", renumbered))
    assert (found.key, found.added, found.removed, found.changed) == (("mail",), 0, 0, 50)


def test_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    frame = pandas.DataFrame({"day": ["mon", "mon", "tue"], "x": [1, 2, 3]})
    sides = source(tmp_path, "a.csv", frame), source(tmp_path, "b.csv", frame.assign(x=[1, 2, 4]))
    with pytest.raises(UsageError, match="day=mon comes more than once"):
        compare(*sides, ["day"])
    with pytest.raises(UsageError, match="'hour' is not a column of both"):
        compare(*sides, ["hour"])
    assert compare(*sides, ["day", "x"]).added == 1


def test_more_rows_than_a_batch(tmp_path: Path) -> None:
    count = 3 * tables.ROWS + 5
    old = pandas.DataFrame({"id": range(count), "x": 0})
    new = old.copy()
    new.loc[[0, tables.ROWS, count - 1], "x"] = 1
    new = new.drop(index=[7]).sample(frac=1, random_state=0)
    found = compare(source(tmp_path, "a.parquet", old), source(tmp_path, "b.parquet", new))
    assert (found.key, found.added, found.removed, found.changed) == (("id",), 0, 1, 3)
    assert found.removed_rows == ({"id": 7, "x": 0},)
    assert sorted(change.key["id"] for change in found.changed_rows) == [0, tables.ROWS, count - 1]
    assert all(change.cells == {"x": (0, 1)} for change in found.changed_rows)


def test_columns_of_every_type_can_be_compared(tmp_path: Path) -> None:
    import datetime
    import decimal

    table = pyarrow.table(
        {
            "id": [1, 2],
            "b": [True, None],
            "d": [datetime.date(2020, 1, 1), None],
            "t": [datetime.datetime(2020, 1, 1, 12), None],
            "n": [decimal.Decimal("1.50"), None],
            "l": [[1, 2], None],
            "s": [{"a": 1}, None],
            "c": pyarrow.array(["x", None]).dictionary_encode(),
            "y": [b"\xff", None],
            "e": pyarrow.nulls(2),
        }
    )
    from pyarrow import parquet

    for name in "ab":
        parquet.write_table(table, tmp_path / f"{name}.parquet")
    sides = [tables.Source(tmp_path / f"{name}.parquet", "x.parquet") for name in "ab"]
    found = compare(*sides)
    assert (found.added, found.removed, found.changed, found.columns) == (0, 0, 0, ())


@given(st.lists(st.one_of(st.integers(-(2**53), 2**53), st.none()), min_size=1, max_size=20))
def test_an_integer_equals_its_float(values: list[int | None]) -> None:
    wanted = pyarrow.float64()
    whole = fingerprints.column_prints(pyarrow.array(values, pyarrow.int64()), wanted)
    floating = fingerprints.column_prints(pyarrow.array(values, pyarrow.float64()), wanted)
    assert (whole == floating).all()


def test_files_of_folders_that_moved() -> None:
    old = {"a": "1", "b": "2", "c": "3", "same": "4"}
    new = {"a": "9", "d": "2", "e": "5", "same": "4"}
    found = folder_difference(old, new)
    assert (found.added, found.removed, found.changed, found.moved) == (("e",), ("c",), ("a",), (("b", "d"),))
