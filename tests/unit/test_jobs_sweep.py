"""What a sweep's jobs are: ranges, draws, files of jobs."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenote.errors import UsageError
from provenote.jobs import draws, grid, listed, parameters
from provenote.jobs.draws import Range

KNOWN = parameters.declared(
    "depth: int = 3\nlr: float = 0.1\nrows: int | None = None\nname: str = 'a'\nx = 0\nlayers: list[int] = []"
)


def axes(*given):
    return grid.axes(given, KNOWN)


class TestRanges:
    @pytest.mark.parametrize(
        ("text", "made"),
        [
            ("depth=2..9", Range(2, 9, False, True)),
            ("depth=log:1..1000", Range(1, 1000, True, True)),
            ("lr=log:0.001..0.1", Range(0.001, 0.1, True, False)),
            ("lr=0..1", Range(0.0, 1.0, False, False)),
            ("lr=-1e-3..1E-3", Range(-0.001, 0.001, False, False)),
            ("rows=10..20", Range(10, 20, False, True)),
            ("name=2..9", ["2..9"]),
            ("name=log:1..2", ["log:1..2"]),
        ],
    )
    def test_what_is_one(self, text, made):
        assert axes(text)[text.split("=")[0]] == made

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("depth=9..2", "is empty"),
            ("depth=2..2", "is empty"),
            ("depth=0.5..2.5", "takes int"),
            ("lr=log:0..1", "begins at 0"),
            ("lr=0..inf", "is no range"),
            ("lr=nan..1", "is no range"),
            ("lr=..1", "is no range"),
            ("lr=1..2..3", "is no range"),
            ("lr=log:1", "is no range"),
        ],
    )
    def test_what_is_none(self, text, words):
        with pytest.raises(UsageError, match=words):
            axes(text)

    def test_a_grid_needs_each_value(self):
        assert grid.combinations(axes("depth=2..4"), {}) == [{"depth": 2}, {"depth": 3}, {"depth": 4}]
        for text in ("lr=0.1..0.2", "depth=log:1..4"):
            with pytest.raises(UsageError, match="needs each value"):
                grid.combinations(axes(text), {})
        with pytest.raises(UsageError, match="at most 10,000"):
            grid.combinations(axes("depth=1..1000000000000"), {})

    @given(
        st.floats(1e-6, 1e6),
        st.floats(1e-6, 1e6),
        st.booleans(),
        st.booleans(),
        st.floats(0, 1, exclude_max=True),
    )
    def test_every_draw_lies_inside(self, one, other, log, whole, share):
        low, high = sorted((one, other))
        if whole:
            low, high = int(low) + 1, int(high) + 2
        value = Range(low, high, log, whole).at(share)
        assert low <= value <= high
        assert isinstance(value, int) is whole


class TestDraws:
    def test_the_same_seed_draws_the_same_jobs_in_the_same_order(self):
        made = draws.drawn(axes("depth=2..9", "lr=log:0.001..0.1", "name=a,b"), 20, 7, {"x": 1})
        assert made == draws.drawn(axes("depth=2..9", "lr=log:0.001..0.1", "name=a,b"), 20, 7, {"x": 1})
        assert made[:5] == draws.drawn(axes("depth=2..9", "lr=log:0.001..0.1", "name=a,b"), 5, 7, {"x": 1})
        assert made != draws.drawn(axes("depth=2..9", "lr=log:0.001..0.1", "name=a,b"), 20, 8, {"x": 1})
        assert {one["x"] for one in made} == {1}
        assert {one["depth"] for one in made} <= set(range(2, 10))
        assert sum(one["lr"] < 0.01 for one in made) in range(5, 16)  # half of the orders of magnitude
        assert made[0] == {"x": 1, "depth": 4, "lr": 0.00200308, "name": "b"}  # and in every version

    def test_no_job_is_drawn_twice(self):
        every = draws.drawn(axes("depth=1..4", "name=a,b,c"), 12, 0, {})
        assert len({repr(one) for one in every}) == 12
        rare = draws.drawn(axes("depth=log:1..300"), 300, 0, {})
        assert sorted(one["depth"] for one in rare) == list(range(1, 301))
        with pytest.raises(UsageError, match="there are 12 combinations, fewer than 13"):
            draws.drawn(axes("depth=1..4", "name=a,b,c"), 13, 0, {})


class TestFiles:
    def test_a_table_of_jobs(self, tmp_path):
        path = tmp_path / "jobs.csv"
        path.write_text(
            '\ufeffdepth, name,layers\r\n4,"a, b","[1, 2]"\r\n\r\n5,,[3]\r\n4,"a, b","[1, 2]"\r\n'
        )
        assert listed.combinations(path, KNOWN, {"lr": 0.5}) == [
            {"lr": 0.5, "depth": 4, "name": "a, b", "layers": [1, 2]},
            {"lr": 0.5, "depth": 5, "layers": [3]},
        ]

    def test_a_list_of_objects(self, tmp_path):
        path = tmp_path / "jobs.JSON"
        path.write_text(json.dumps([{"depth": 4}, {"rows": None, "lr": 1}, {"depth": 4}]))
        assert listed.combinations(path, KNOWN, {}) == [{"depth": 4}, {"rows": None, "lr": 1.0}]

    @pytest.mark.parametrize(
        ("name", "text", "words"),
        [
            ("j.csv", "", "lists no job"),
            ("j.csv", "depth\n", "lists no job"),
            ("j.csv", "deep\n1\n", "declares no parameter deep. Did you mean depth"),
            ("j.csv", "depth\nfour\n", "line 2 of j.csv: parameter depth takes int, not four"),
            ("j.csv", "depth,lr\n1\n", "line 2 of j.csv has 1 fields"),
            ("j.csv", "depth,depth\n1,2\n", "twice"),
            ("j.csv", 'name\n"a\n', "no CSV"),
            ("j.csv", "x\n1\n", "both fixed"),
            ("j.json", "{", "no JSON"),
            ("j.json", '{"depth": 1}', "no list of objects"),
            ("j.json", "[1]", "no list of objects"),
            ("j.json", '[{"depth": "1"}]', "takes int"),
            ("j.json", "[]", "lists no job"),
        ],
    )
    def test_what_is_no_list(self, tmp_path, name, text, words):
        (tmp_path / name).write_text(text)
        with pytest.raises(UsageError) as error:
            listed.combinations(tmp_path / name, KNOWN, {"x": 1})
        assert words in error.value.line
        assert "\n" not in error.value.line

    def test_what_is_no_file(self, tmp_path):
        (tmp_path / "b.csv").write_bytes(b"depth\n\xff\n")
        for path, words in (
            (tmp_path / "none", "no file"),
            (tmp_path, "is a folder"),
            (tmp_path / "b.csv", "UTF-8"),
        ):
            with pytest.raises(UsageError, match=words):
                listed.combinations(path, KNOWN, {})
