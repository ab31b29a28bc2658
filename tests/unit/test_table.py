"""The table of runs: what is chosen, in which order, and which columns it gets."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenote.compare import columns, families, groups, table
from provenote.compare.query import QueryError, parse_field
from provenote.compare.selection import ordered, select, sort_keys
from provenote.errors import UsageError
from provenote.model import Row
from provenote.render import terminal
from provenote.stores import index
from provenote.view import View

NOW = 1_795_000_000.0


def row(name, *, params=None, metrics=None, **given):
    facts = {
        "id": f"id-{name}",
        "label": name,
        "status": "finished",
        "reason": None,
        "started": NOW - 800,
        "ended": NOW - 720,
        "baseline": "0" * 40,
        "linearity": "linear",
    }
    return Row(name=name, params=params or {}, metrics=metrics or {}, **(facts | given))


def names(rows):
    return [each.name for each in rows]


def shown(rows, query="", *, fold=False, **options):
    chosen = select(rows, query, now=NOW, **options)
    made = table.table_of(chosen.folded() if fold else chosen.rows, chosen, NOW, fold=fold)
    return terminal.render(View([made])).splitlines()


RUNS = [
    row(
        "hgb-1",
        params={"depth": 8, "lr": 0.1, "loss": "poisson", "opt": {"lr": 0.01}},
        metrics={"rmse": 61.4, "r2": 0.876},
    ),
    row(
        "hgb-2",
        params={"depth": 4, "lr": 0.05, "loss": "poisson", "opt": {"lr": 0.02}},
        metrics={"rmse": 164.092, "r2": 0.8301},
        status="failed",
        reason="KeyError: 'x'",
        linearity="out-of-order",
    ),
    row(
        "hgb-3",
        params={"depth": 4, "lr": 0.1, "loss": "poisson", "opt": {"lr": 0.01}},
        metrics={"rmse": "nan"},
        starred=True,
        tags=["best"],
        notes=["a", "b"],
        reproduced="identical",
    ),
    row("hgb-4", status="running", ended=None, started=NOW - 41, linearity="unknown"),
]


def test_a_table_shows_what_differs_and_what_to_look_at():
    assert shown(RUNS[:3]) == [
        "  run    state      age  depth    lr  opt.lr  rmse ↓    r2 ↑  flags",
        "✓ hgb-1  finished  12 m      8  0.10    0.01    61.4  0.8760",
        "✗ hgb-2  failed    12 m      4  0.05    0.02   164.1  0.8301  KeyError: 'x', out of order",
        "✓ hgb-3  finished  12 m      4  0.10    0.01     NaN       –  reproduced, best, 2 notes ★",
    ]


def test_the_jobs_of_a_sweep_are_one_line_made_of_them():
    sweep, other = "5a" * 32, "ab" * 32
    family = [
        row("lone", params={"x": 1}),
        row("t-1", label="t", parent=sweep, params={"x": 1, "k": "b"}, metrics={"rmse": 3.0}),
        row("t-2", label="t", parent=sweep, params={"x": 2, "k": "b"}, metrics={"rmse": 2.0}),
        row("t-3", label="t", parent=sweep, params={"x": 3, "k": "b"}, status="failed", started=NOW - 900),
        row("t-4", label="t", parent=sweep, params={"x": 3, "k": "b"}, metrics={"rmse": "nan"}),
        row("u-1", label="<b>", parent=other, status="running", ended=None, started=NOW - 30),
        row("inner", parent="id-t-1"),
    ]
    lines = shown(family, fold=True)
    assert [line.split()[1:3] for line in lines[1:]] == [
        ["lone", "finished"],
        ["sweep-5a5a5a5a", "finished"],
        ["sweep-abababab", "running"],
    ]
    assert lines[2].endswith("  2  3 jobs of t, best t-2")  # one job ran twice: its last attempt counts
    assert lines[3].endswith("1 job of <b>")
    assert len(shown(family)) == 8
    whole = families.line(sweep, families.sweeps_of(family)[sweep][:3])
    assert (whole.status, whole.reason, whole.params) == ("failed", "1 job failed", {"k": "b"})
    expanded = families.expanded(family, ["lone", "sweep-5a5a5a5a", "sweep-ffff"])
    assert expanded == ["lone", "t-4", "t-1", "t-2", "sweep-ffff"]
    with pytest.raises(UsageError, match="is a sweep, a group of runs. Name one, as t-1: "):
        index.choose(family, "sweep-5a5a5a5a")
    with pytest.raises(UsageError, match="is not in this repository"):
        index.choose(family, "sweep-ffff")
    costly = [
        row("a", params={"x": 1}, metrics={"fit_s": 1.0, "fit_time_ms": 1, "rmse": 9.0}),
        row("b", params={"x": 2}, metrics={"fit_s": 2.0, "fit_time_ms": 2, "rmse": 8.0}),
    ]
    assert families.best(costly) == ("rmse", costly[1])
    assert families.best([row("a", metrics={"fit_s": 1.0}), row("b", metrics={"fit_s": 2.0})])[0] == "fit_s"
    assert families.best([row("a", metrics={"odd": 1.0})]) is None
    assert families.find(family, "sweep-5a5a5a5a") == families.find(family, "5a5a") == sweep
    assert (
        families.find(family, "5a")
        is families.find(family, "sweep-")
        is families.find(family, "f" * 8)
        is None
    )


def test_a_running_run_shows_its_clock():
    assert shown(RUNS[3:])[1] == "◐ hgb-4  running  0:41"
    assert shown([row("x", status="running", ended=None, reason="silent for 4 min")])[1].startswith(
        "◌ x    silent"
    )


def test_children_are_folded_with_their_count():
    family = [
        row("sweep", id="s"),
        row("job-1", parent="s"),
        row("job-2", parent="s"),
        row("orphan", parent="gone"),
    ]
    lines = shown(family, fold=True)
    assert lines[1].endswith("2 children") and [line.split()[1] for line in lines[1:]] == ["sweep", "orphan"]
    assert len(shown(family)) == 5
    assert names(select([row("own", id="o", parent="o")]).folded()) == ["own"]


def test_sort_puts_nan_and_none_last_in_both_directions():
    rows = [
        row("none"),
        row("nan", metrics={"x": "nan"}),
        row("two", metrics={"x": 2}),
        row("inf", metrics={"x": "inf"}),
        row("one", metrics={"x": 1.5}),
        row("text", metrics={"x": "a"}),
        row("flag", metrics={"x": True}),
    ]
    assert names(select(rows, sort="metrics.x").rows) == ["flag", "one", "two", "inf", "text", "nan", "none"]
    assert names(select(rows, sort="-x").rows) == ["text", "inf", "two", "one", "flag", "nan", "none"]
    assert names(select(rows, sort="x desc").rows) == names(select(rows, sort="-x").rows)


def test_several_sort_keys():
    rows = [
        row("a", params={"d": 2, "l": "x"}),
        row("b", params={"d": 1, "l": "y"}),
        row("c", params={"d": 1, "l": "x"}),
    ]
    assert names(select(rows, sort="d,-l").rows) == ["b", "c", "a"]
    assert [(str(f), down) for f, down in sort_keys("-metrics.a, params.b asc,started desc")] == [
        ("metrics.a", True),
        ("params.b", False),
        ("started", True),
    ]
    with pytest.raises(QueryError, match="--sort: column 1"):
        sort_keys("3x")


@given(
    st.lists(
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(),
            st.floats(),
            st.text(max_size=3),
            st.sampled_from(["nan", "inf", "-inf"]),
            st.lists(st.integers(), max_size=1),
        )
    ),
    st.booleans(),
)
def test_sorting_is_total_and_stable(values, down):
    rows = [row(str(place), metrics={"x": value}) for place, value in enumerate(values)]
    found = ordered(rows, parse_field("metrics.x"), down)
    assert sorted(names(found)) == sorted(names(rows))
    assert names(ordered(found, parse_field("metrics.x"), down)) == names(found)
    figures = [each.metrics["x"] for each in found if type(each.metrics["x"]) is float]
    finite = [value for value in figures if not math.isnan(value)]
    assert finite == sorted(finite, reverse=down)


def test_archived_runs_are_hidden_unless_asked_for():
    rows = [row("old", archived=True), row("new")]
    assert names(select(rows).rows) == ["new"] and select(rows).archived == 1
    assert names(select(rows, "archived").rows) == ["old"]
    assert names(select(rows, archived=True).rows) == ["old", "new"]


def test_changed_parameters():
    assert columns.changed([{"a": 1, "b": 2}]) == ["a", "b"]
    assert columns.changed([{"a": 1, "b": 2}, {"a": 1, "b": 3}, {"a": 1}]) == ["b"]
    assert columns.changed([{"a": 1}, {"a": True}]) == ["a"] and columns.changed([{"a": None}, {}]) == ["a"]
    assert columns.flat({"a": {"b": {"c": 1}, "d": {}}}) == {"a.b.c": 1, "a.d": {}}


def test_shared_metrics():
    rows = [{"bias": 1, "rmse": 1, "rare": 1}, {"bias": 1, "rmse": 2}, {"rmse": 3, "curve": [1]}, {}]
    assert columns.shared(rows) == ["rmse", "bias"]
    assert columns.shared(rows, "bias") == ["bias", "rmse"] and columns.shared(rows, "rare")[0] == "rare"
    assert columns.shared([{"a": 1}, {"b": 1}, {"c": 1}]) == ["a", "b", "c"] and columns.shared([]) == []


def test_two_runs_with_nothing_in_common():
    assert shown([row("a", params={"x": 1}, metrics={"m": 1}), row("b", params={"y": 2}, metrics={"n": 2})])[
        1:
    ] == ["✓ a    finished  12 m  1  –  1  –", "✓ b    finished  12 m  –  2  –  2"]


def test_groups():
    rows = [
        row("a", params={"loss": "p"}, metrics={"rmse": 60.0}),
        row("b", params={"loss": "p"}, metrics={"rmse": 64.0}),
        row("c", params={"loss": "q"}, metrics={"rmse": 50.5}),
        row("d", params={"loss": "p"}, metrics={"rmse": "nan"}),
    ]
    by = [parse_field("params.loss")]
    found = groups.group(rows, by)
    lines = terminal.render(View([groups.table(found, by, 4, 10)])).splitlines()
    assert lines == [
        "  loss  runs  rmse ↓, mean  sd       best rmse  best run",
        "  q        1         50.50  one run      50.50  c",
        "  p        3         62.00  ± 2.83       60.00  a",
        "2 groups of 4 runs.",
    ]
    spread = found[1].metrics["rmse"]
    assert (spread.count, spread.mean, spread.least, spread.greatest) == (2, 62.0, 60.0, 64.0)
    assert spread.sd == pytest.approx(math.sqrt(8))


def test_the_empty_table_says_the_next_step():
    assert "%%track NAME" in shown([])[0]
    assert shown(RUNS, "rmse < 1") == ["No run matches. 4 runs here: `provenote runs`"]


def test_hostile_names_in_a_table():
    evil = row("x\x1b[31m", label="\u202e", params={"<b>\n": "</script>"}, tags=["\x07"])
    text = "\n".join(shown([evil, row("b")]))
    assert "\x1b" not in text and "\u202e" not in text and "\x07" not in text


def test_a_frame_has_typed_columns():
    frame = table.frame_of(RUNS)
    assert list(frame.index) == ["hgb-1", "hgb-2", "hgb-3", "hgb-4"] and frame.index.name == "name"
    assert str(frame["started"].dtype).startswith("datetime64") and frame["ended"].isna().tolist() == [
        False
    ] * 3 + [True]
    assert frame["metrics.rmse"].dtype == float and math.isnan(frame["metrics.rmse"]["hgb-3"])
    assert frame["params.opt.lr"].tolist()[:3] == [0.01, 0.02, 0.01]
    assert frame["params.loss"].tolist()[:3] == ["poisson"] * 3
    assert table.frame_of([]).shape[0] == 0


def test_data_of_a_row_has_the_documented_fields():
    assert list(table.data_of(RUNS[0])) == [
        "id",
        "name",
        "label",
        "status",
        "reason",
        "started",
        "ended",
        "params",
        "metrics",
        "tags",
        "starred",
        "notes",
        "archived",
        "linearity",
        "reproduced",
        "parent",
        "commit",
        "baseline",
        "cost",
        "currency",
    ]
    assert set(table.data_of(RUNS[0])) == set(RUNS[0].to_json())
