"""Checks of files: each injected fault is found, named by row and line, and explained; no other is."""

from __future__ import annotations

import io
import json
import lzma
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy
import pandas
import pyarrow
import pytest
from pyarrow import parquet

from provenote.contracts import contract_file, contract_text, discovery, engine, footers, inference
from provenote.contracts.contract import ColumnRule, Contract
from provenote.contracts.expressions import parse
from provenote.contracts.faults import Fault, FileReport, from_plain
from provenote.contracts.reference import look


@pytest.fixture(scope="module")
def hours() -> pandas.DataFrame:
    shipped = files("provenote_templates") / "data" / "hour.csv.xz"
    return pandas.read_csv(io.BytesIO(lzma.decompress(shipped.read_bytes())))


@pytest.fixture(scope="module")
def contract(hours: pandas.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Contract:
    """Infer the contract of the whole, written and read again."""
    path = tmp_path_factory.mktemp("reference") / "hour.csv"
    hours.to_csv(path, index=False)
    reference = look([("hour.csv", path)])
    made = inference.infer(reference, label="cnt")
    found = discovery.discover(reference, made, [("hour.csv", path)])
    assert "casual + registered == cnt" in found.rules
    assert {one.text for one in found.determines} >= {"holiday, weekday -> workingday"}
    assert {"temp", "atemp"} in [set(one["pair"]) for one in found.relations if "pair" in one]
    text = contract_text.to_text(made, "hour.csv")
    rule = 'rows: [{expr: "casual + registered == cnt"}]'
    text = text.replace("\ncolumns:", f"\n{rule}\ncolumns:", 1)
    made = contract_file.parse(text.encode())
    assert made.key == ("instant",) and made.time is not None and made.time.columns == ("dteday", "hr")
    assert made.columns["weathersit"].values == (1, 2, 3, 4)
    assert made.columns["temp"].range == (-0.225, 1.245)
    return made


def check(tmp_path: Path, contract: Contract, frame: Any, name: str = "a.csv") -> FileReport:
    path = tmp_path / name
    if isinstance(frame, bytes | str):
        path.write_bytes(frame if isinstance(frame, bytes) else frame.encode())
    elif name.endswith("parquet"):
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)
    found = engine.check_file(path, name, contract)
    assert from_plain(json.loads(json.dumps(found.plain()))) == found
    return found


def hard(report: FileReport) -> dict[tuple[str, str], Fault]:
    return {(one.kind, one.column): one for one in report.faults if one.action != "note"}


def test_the_reference_and_its_weeks_are_sound(
    hours: pandas.DataFrame, contract: Contract, tmp_path: Path
) -> None:
    assert check(tmp_path, contract, hours).faults == []
    bad = 0
    for start in range(0, len(hours) - 168, 1_000):
        bad += bool(hard(check(tmp_path, contract, hours.iloc[start : start + 168])))
    assert bad == 0


def with_(frame: pandas.DataFrame, **columns: Any) -> pandas.DataFrame:
    return frame.assign(**columns)


FAULTS: dict[str, tuple[Any, tuple[str, str], int, int | None, str]] = {
    "unit": (lambda f: with_(f, temp=f.temp * 100), ("range", "temp"), 1000, 2, "all of temp x 100?"),
    "swapped": (
        lambda f: with_(f, temp=f.cnt, cnt=f.temp),
        ("range", "temp"), 955, 2, "temp and cnt swapped?",
    ),
    "comma": (
        lambda f: with_(f, temp=f.temp.map(lambda t: str(t).replace(".", ","))),
        ("type", "temp"), 1000, 2, "a comma for the decimal point?",
    ),
    "marker": (
        lambda f: with_(f, hum=f.hum.where(f.index % 7 > 0, -999)),
        ("range", "hum"), 143, 2, "-999 for a missing value?",
    ),
    "words": (
        lambda f: with_(f, casual=f.casual.astype(object).where(f.index != 500, "n.n.")),
        ("type", "casual"), 1, 502, "'n.n.' for a missing value?",
    ),
    "missing": (lambda f: with_(f, hum=f.hum.where(f.index % 10 > 0)), ("null", "hum"), 100, 2, ""),
    "emptied": (lambda f: with_(f, hum=None), ("null", "hum"), 1000, 2, "the whole column is empty"),
    "constant": (lambda f: with_(f, windspeed=0.2), ("constant", "windspeed"), 1000, 2, ""),
    "unseen": (
        lambda f: with_(f, weathersit=f.weathersit.where(f.index > 29, 7)),
        ("set", "weathersit"), 30, 2, "",
    ),
    "twice": (
        lambda f: pandas.concat([f, f]),
        ("key", "instant"), 1000, 1002, "the rows may have been appended twice",
    ),
    "back": (lambda f: f.iloc[[*range(10), 12, 11, *range(13, 1000)]], ("order", "dteday + hr"), 1, 13, ""),
    "gap": (lambda f: f.drop(range(100, 300)), ("gaps", "dteday + hr"), 206, 102, ""),
    "sum": (
        lambda f: with_(f, cnt=f.cnt.where(f.index != 41, 77)),
        ("row", "casual + registered == cnt"), 1, 43, "",
    ),
    "column": (lambda f: f.drop(columns="cnt"), ("columns", "cnt"), 1, None, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_is_found_and_no_other(
    name: str, hours: pandas.DataFrame, contract: Contract, tmp_path: Path
) -> None:
    spoil, wanted, count, line, cause = FAULTS[name]
    found = hard(check(tmp_path, contract, spoil(hours.head(1000))))
    assert wanted in found, found
    fault = found.pop(wanted)
    if name == "gap":
        assert fault.limit.startswith("206 hours are missing in a row")
    assert fault.count == count and fault.cause == cause
    assert (fault.places[0].line if fault.places else None) == line
    extra = {
        "swapped": {("type", "cnt"), ("row", "casual + registered == cnt")},
        "twice": {("order", "instant"), ("order", "dteday + hr")},
    }
    extra |= {"back": {("order", "instant")}}
    assert set(found) == extra.get(name, set())


def test_a_rare_category_is_noted_until_it_comes_five_times(
    hours: pandas.DataFrame, contract: Contract, tmp_path: Path
) -> None:
    frame = hours.head(1000)
    for rows, action in ((4, "note"), (5, "alert")):
        report = check(
            tmp_path, contract, frame.assign(weathersit=frame.weathersit.where(frame.index >= rows, 9))
        )
        assert [(one.kind, one.action, one.count) for one in report.faults] == [("set", action, rows)]


def test_files_that_are_broken_in_themselves_cost_one_line(
    hours: pandas.DataFrame, contract: Contract, tmp_path: Path
) -> None:
    text = hours.head(100).to_csv(index=False)
    lines = text.splitlines()
    assert [one.limit for one in check(tmp_path, contract, b"").faults] == ["the file is empty"]
    assert [one.limit for one in check(tmp_path, contract, lines[0] + "\n").faults] == [
        "the file has no rows"
    ]
    broken = check(tmp_path, contract, b"PAR1 not really", "a.parquet").faults
    assert [one.kind for one in broken] == ["unreadable"]
    garbage = check(tmp_path, contract, bytes(range(256)) * 40)
    assert {one.kind for one in garbage.faults if one.action == "refuse"} >= {"columns"} and len(
        garbage.faults
    ) < 6
    ragged = lines.copy()
    ragged[6] += ",9"
    ragged[8] = ragged[8][:20]
    report = check(tmp_path, contract, "\n".join(ragged))
    fault = hard(report)["ragged", ""]
    assert report.rows == 98 and fault.count == 2 and [one.line for one in fault.places] == [7, 9]
    latin = text.replace("2011-01-02", "2011-01-é").encode("latin-1")
    found = hard(check(tmp_path, contract, latin))
    assert found["encoding", ""].places[0].line == next(
        n for n, one in enumerate(lines, 1) if "2011-01-02" in one
    )
    assert found["type", "dteday"].count == text.count("2011-01-02")
    quoted = text.replace("\n1,", '\n"1\n",', 1).replace("0.81", "81", 1)
    place = hard(check(tmp_path, contract, quoted))["range", "hum"].places[0]
    assert (place.row, place.line) == (1, 2)
    place = hard(check(tmp_path, contract, quoted.replace("0.8,", "80,", 1)))["range", "hum"].places[1]
    assert (place.row, place.line) == (2, 4), "a quoted line end counts as a line, not as a row"


def test_parquet_is_checked_by_its_footer_and_by_its_cells(
    hours: pandas.DataFrame, contract: Contract, tmp_path: Path
) -> None:
    frame = hours.assign(dteday=pandas.to_datetime(hours.dteday))
    assert hard(check(tmp_path, contract, frame, "a.parquet")) == {}
    assert [one for one in footers.look(tmp_path / "a.parquet", contract) if one.action != "note"] == []
    bad = frame.assign(
        temp=frame.temp.where(frame.index != 777, 61.0), hum=frame.hum.where(frame.index % 2 > 0)
    )
    report = hard(check(tmp_path, contract, bad, "a.parquet"))
    assert report["range", "temp"].places[0].row == 778 and report["range", "temp"].places[0].value == "61"
    assert report["null", "hum"].count == len(frame) // 2 + 1
    seen = {(one.kind, one.column) for one in footers.look(tmp_path / "a.parquet", contract)}
    assert seen == {("range", "temp"), ("null", "hum")}
    texts = frame.astype({"temp": str})
    assert (
        hard(check(tmp_path, contract, texts, "a.parquet"))["type", "temp"].limit
        == "is stored as text, not as number"
    )
    whole = frame.astype({"cnt": float}).assign(temp=frame.temp.astype("float32"))
    assert hard(check(tmp_path, contract, whole, "a.parquet")) == {}, "pandas stores whole numbers so"


def test_json_lines_of_mixed_kinds(hours: pandas.DataFrame, contract: Contract, tmp_path: Path) -> None:
    rows = hours.head(300).to_dict("records")
    rows[200]["temp"] = "hot"
    rows[250]["hum"] = 55
    lines = [json.dumps(row) for row in rows]
    lines.insert(100, "{broken")
    found = hard(check(tmp_path, contract, "\n\n".join(lines), "a.jsonl"))
    assert found["ragged", ""].places[0].line == 201
    assert found["type", "temp"].places[0].line == 403 and found["type", "temp"].places[0].value == "hot"
    assert found["range", "hum"].count == 1


def test_wide_tables_take_bounded_steps_and_name_their_column(tmp_path: Path) -> None:
    rng = numpy.random.default_rng(0)
    table = pyarrow.table({f"c{i}": rng.random(200) for i in range(1_000)})
    parquet.write_table(table, tmp_path / "w.parquet")
    reference = look([("w.parquet", tmp_path / "w.parquet")])
    made = inference.infer(reference)
    assert len(made.columns) == 1_000
    made = contract_file.parse(contract_text.to_text(made, "w.parquet").encode())
    spoiled = table.set_column(900, "c900", pyarrow.array([*range(199), None], pyarrow.float64()))
    parquet.write_table(spoiled, tmp_path / "w.parquet")
    found = hard(engine.check_file(tmp_path / "w.parquet", "w.parquet", made))
    assert set(found) == {("range", "c900")}
    pandas.DataFrame(spoiled.to_pydict()).to_csv(tmp_path / "w.csv", index=False)
    found = hard(engine.check_file(tmp_path / "w.csv", "w.csv", made))
    assert set(found) == {("range", "c900")} and found["range", "c900"].places[0].line == 4


def test_keys_of_several_columns_need_no_order(tmp_path: Path) -> None:
    rule = {"shop": ColumnRule("shop", "text"), "day": ColumnRule("day", "date")}
    made = Contract(rule, key=("shop", "day"), rules=(parse("shop == 1"),))
    text = "shop,day\nb,2011-01-02\na,2011-01-02\nb,2011-01-01\na,2011-01-02\n"
    report = check(tmp_path, made, text)
    fault = hard(report)["key", "shop, day"]
    assert (fault.count, fault.places[0].line, fault.places[0].value) == (1, 5, "a, 2011-01-02")
    assert len(report.not_judged) == 1 and "against each other" in report.not_judged[0]
