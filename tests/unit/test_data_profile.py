"""Profiles: true figures, bounded reading, and no file that can make an add fail."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest

from provenote.data import columns, profiles
from provenote.stores import cache
from provenote.stores.pointers import Stored


def profile(place: Path, name: str, content: bytes, **options: Any) -> dict[str, Any]:
    (place / name).write_bytes(content)
    stored = cache.put(place / name, place / "cache")
    facts = profiles.of_object(place / "cache", stored, name, **options)
    assert profiles.from_text(profiles.to_text(facts).encode()) == json.loads(json.dumps(facts))
    return facts


def column(facts: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in facts["columns"] if one["name"] == name)


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl", "feather", "csv.gz"])
def test_the_figures_are_those_of_pandas(tmp_path: Path, ending: str) -> None:
    rng = numpy.random.default_rng(1)
    frame = pandas.DataFrame(
        {"x": rng.normal(size=20_000), "n": rng.integers(0, 50, 20_000), "s": ["aé", "b"] * 10_000}
    )
    frame.loc[::10, "x"] = None
    path = tmp_path / f"a.{ending}"
    if ending.startswith("csv"):
        frame.to_csv(path, index=False)
    elif ending == "jsonl":
        frame.to_json(path, orient="records", lines=True, double_precision=15)
    else:
        {"parquet": frame.to_parquet, "feather": frame.to_feather}[ending](path)
    facts = profile(tmp_path, path.name, path.read_bytes())
    assert (facts["rows"], facts["sampled"], len(facts["columns"])) == (20_000, False, 3)
    x = column(facts, "x")
    assert (x["missing"], x["dtype"], x["distinct"]) == (2_000, "float64", "more than 10000")
    described = frame["x"].describe()
    for ours, theirs in (("mean", "mean"), ("std", "std"), ("min", "min"), ("max", "max")):
        assert math.isclose(x[ours], described[theirs], rel_tol=1e-9)
    assert math.isclose(x["quantiles"]["0.5"], described["50%"], rel_tol=1e-9)
    n = column(facts, "n")
    assert (n["dtype"], n["distinct"], n["min"], n["max"], n["missing"]) == ("int64", 50, 0, 49, 0)
    s = column(facts, "s")
    assert (s["dtype"], s["distinct"], s["min_bytes"], s["max_bytes"]) == ("string", 2, 1, 3)


def test_only_a_beginning_is_read_and_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "BYTE_LIMIT", 300_000)
    content = b"a,b\n" + b"12345,67890\n" * 100_000
    facts = profile(tmp_path, "a.csv", content)
    assert facts["sampled"] is True
    assert 0 < facts["rows"] == facts["rows_read"] <= 300_000 / 12
    full = profile(tmp_path, "a.csv", content, full=True)
    assert (full["sampled"], full["rows"]) == (False, 100_000)
    monkeypatch.setattr(profiles, "BYTE_LIMIT", 10**9)
    monkeypatch.setattr(profiles, "ROW_LIMIT", 10_000)
    facts = profile(tmp_path, "a.csv", content)
    assert (facts["sampled"], facts["rows"]) == (True, 10_000)


def test_a_sampled_parquet_knows_all_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "BYTE_LIMIT", 100_000)
    frame = pandas.DataFrame(
        numpy.random.default_rng(0).normal(size=(5_000, 30)), columns=[f"c{i}" for i in range(30)]
    )
    frame.to_parquet(tmp_path / "source")
    facts = profile(tmp_path, "a.parquet", (tmp_path / "source").read_bytes())
    assert (facts["sampled"], facts["rows"], len(facts["columns"])) == (True, 5_000, 30)
    assert facts["rows_read"] < 5_000
    assert len({one["missing"] for one in facts["columns"]}) == 1


LATE = b"a,b\n" + b"1,2\n" * 100_000


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("late.csv", LATE + b"x,2.5\n", {"rows": 100_001, "a": "string", "b": "float64"}),
        ("blank.csv", b"a,b\n" + b",2\n" * 100_000 + b"7,2\n", {"rows": 100_001, "a": "float64"}),
        ("latin.csv", "n,é\nJosé,1\n".encode("latin-1"), {"rows": 1, "n": "string", "é": "int64"}),
        ("late-latin.csv", LATE * 1 + "é,1\n".encode("latin-1"), {"rows": 100_001, "a": "string"}),
        ("utf16.csv", "a,b\n1,é\n".encode("utf-16"), {"rows": 1, "a": "int64", "b": "string"}),
        ("bom.csv", "\ufeffa,b\n1,2\n".encode(), {"rows": 1, "a": "int64"}),
        ("ragged.csv", b"a,b\n1,2\n1,2,3\n4\n5,6\n", {"rows": 2, "a": "int64"}),
        ("semicolon.csv", b"a;b\n1;2\n", {"rows": 1, "a": "int64", "b": "int64"}),
        ("tab.tsv", b"a\tb,c\n1\t2\n", {"rows": 1, "a": "int64", "b,c": "int64"}),
        ("twice.csv", b"a,a,\n1,2,3\n", {"rows": 1, "a": "int64", "a.2": "int64", "column 3": "int64"}),
        ("header.csv", b"a,b\n", {"rows": 0}),
        ("cr.csv", b"a,b\r1,2\r3,4\r", {"rows": 2, "a": "int64"}),
        ("quoted.csv", b'"a\nb",c\n"x\ny",2\n', {"rows": 1, "a\nb": "string", "c": "int64"}),
        ("long.csv", b"a,b\n" + b"x" * 3_000_000 + b",2\n", {"rows": 1, "a": "string"}),
        ("packed.csv.gz", gzip.compress(b"a\n1\n", mtime=0), {"rows": 1, "a": "int64"}),
        ("mixed.jsonl", b'{"a":1}\n' * 30_000 + b'{"a":"x","n":{"q":1}}\n', {"rows": 30_001, "a": "string"}),
        ("odd.jsonl", b'{"a":1}\nnot json\n\n{"a":2.5,"c":[1]}\n', {"rows": 2, "a": "float64"}),
        ("huge.jsonl", b'{"a":99999999999999999999999}\n', {"rows": 1, "a": "string"}),
    ],
)
def test_real_files_lie_about_themselves(
    tmp_path: Path, name: str, content: bytes, expected: dict[str, Any]
) -> None:
    facts = profile(tmp_path, name, content)
    assert "not_readable" not in facts
    assert facts["rows"] == expected.pop("rows")
    assert {one["name"]: one["dtype"] for one in facts["columns"] if one["name"] in expected} == expected


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b""),
        ("a.csv", b"\n\n"),
        ("a.jsonl", b""),
        ("a.parquet", b"PAR1"),
        ("a.parquet", b"PAR1" + b"x" * 200 + b"PAR1"),
        ("a.feather", b"nonsense"),
        ("a.csv.gz", b"nonsense"),
        ("a.csv.gz", gzip.compress(b"a\n" + b"1\n" * 100_000, mtime=0)[:-20]),
    ],
)
def test_what_is_not_readable_says_why(tmp_path: Path, name: str, content: bytes) -> None:
    facts = profile(tmp_path, name, content)
    assert facts["kind"] == "table"
    assert facts["not_readable"]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet", "a.feather", "a.csv.gz"])
def test_noise_never_raises(tmp_path: Path, name: str, seed: int) -> None:
    noise = numpy.random.default_rng(seed).integers(0, 256, 3_000, dtype=numpy.uint8).tobytes()
    profile(tmp_path, name, noise)


def test_no_text_of_the_data_stands_in_a_profile(tmp_path: Path) -> None:
    secret = "Ada Lovelace"
    for name, content in (
        ("a.csv", f"name,n\n{secret},1\n".encode()),
        ("b.csv", f"name,n\n1,1\n{secret}\n2,{secret}\n".encode()),
        ("c.jsonl", f'{{"a": "{secret}"}}\n{secret}\n'.encode()),
    ):
        assert secret not in profiles.to_text(profile(tmp_path, name, content))


def test_infinite_and_missing_numbers(tmp_path: Path) -> None:
    facts = column(profile(tmp_path, "a.csv", b"a\ninf\nnan\n1\n-inf\n\n3\n"), "a")
    assert (facts["missing"], facts["infinite"], facts["min"], facts["max"], facts["mean"]) == (
        1,
        2,
        1.0,
        3.0,
        2.0,
    )


def test_a_folder_counts_by_ending_and_looks_at_pictures(tmp_path: Path) -> None:
    from PIL import Image

    place = tmp_path / "d"
    place.mkdir()
    for number in range(3):
        Image.new("RGB", (4, 2 + number % 2)).save(place / f"{number}.png")
    (place / "broken.png").write_bytes(b"no picture")
    (place / "notes").write_text("x")
    stored = cache.put(place, tmp_path / "cache")
    facts = profiles.of_object(tmp_path / "cache", stored, "d")
    assert (facts["kind"], facts["nfiles"]) == ("folder", 5)
    assert {ending: one["count"] for ending, one in facts["files"].items()} == {"(none)": 1, ".png": 4}
    assert facts["images"]["shapes"] == {"4x2 RGB": 2, "4x3 RGB": 1}
    assert facts["images"]["broken_names"] == ["broken.png"]


def test_a_folder_of_tables_is_one_table(tmp_path: Path) -> None:
    place = tmp_path / "d"
    place.mkdir()
    for number in range(3):
        pandas.DataFrame({"x": [number, 10 + number]}).to_parquet(place / f"{number}.parquet")
    pandas.DataFrame({"other": [1]}).to_parquet(place / "odd.parquet")
    (place / "bad.parquet").write_bytes(b"x")
    facts = profiles.of_object(tmp_path / "cache", cache.put(place, tmp_path / "cache"), "d")
    assert (facts["rows"], facts["tables_with_other_columns"]) == (6, 1)
    assert column(facts, "x") | {"min": 0, "max": 12, "distinct": 6} == column(facts, "x")
    assert facts["not_readable"][0].startswith("bad.parquet: ")


def test_quantiles_of_many_values_are_near(monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow

    one = columns.Column("x", pyarrow.float64())
    values = numpy.random.default_rng(3).normal(size=300_000)
    for part in numpy.array_split(values, 37):
        one.add(pyarrow.array(part))
    facts = one.facts()
    assert abs(facts["quantiles"]["0.5"]) < 0.03
    assert abs(facts["quantiles"]["0.95"] - 1.645) < 0.05
    assert math.isclose(facts["std"], values.std(ddof=1), rel_tol=1e-9)


def test_other_files_have_a_short_profile(tmp_path: Path) -> None:
    facts = profile(tmp_path, "weights.bin", b"12345")
    assert facts == {"schema": 1, "path": "weights.bin", "md5": facts["md5"], "size": 5, "kind": "file"}
    assert profiles.from_text(b"{}") is None
    assert profiles.from_text(b"no") is None
    assert Stored(facts["md5"], 5) == cache.put(tmp_path / "weights.bin", tmp_path / "cache")


def test_large_integers_are_exact(tmp_path: Path) -> None:
    facts = column(profile(tmp_path, "a.csv", f"a\n{2**63 - 1}\n{-(2**63)}\n".encode()), "a")
    assert (facts["min"], facts["max"]) == (-(2**63), 2**63 - 1)
