"""What the table of `%runs` gets from the kernel: columns, groups, curves, answers to what a person asks."""

from __future__ import annotations

import math
import struct
from dataclasses import replace
from types import SimpleNamespace

import pytest

from provenote.compare.query import parse_field
from provenote.compare.table import Listed
from provenote.model import Row
from provenote.render.axes import Axis
from provenote.widgets import asked, columnar, grouped
from provenote.widgets.plots import brushed, plain
from provenote.widgets.smooth import band, smoothed


def row(number, params=None, metrics=None, **more):
    facts = {"reason": None, "started": float(number), "ended": number + 1.0, "baseline": "0" * 40}
    facts |= {"status": "finished", "linearity": "linear", "commit": f"{number:040}"} | more
    return Row(f"id{number}", f"run-{number}", "run", params=params or {}, metrics=metrics or {}, **facts)


def column(table, key):
    return next(each for each in table["columns"] if each["key"] == key)


def test_a_column_of_numbers_is_a_buffer_where_nan_infinite_and_missing_are_three_things():
    values = [1.5, "NaN", None, "inf", 3]
    rows = [row(i, {}, {"rmse": v} if v is not None else {}) for i, v in enumerate(values)]
    sent = column(columnar.table(rows), "metrics.rmse")
    floats = struct.unpack("<5d", sent["values"])
    assert [floats[0], floats[4]] == [1.5, 3.0]
    assert all(math.isnan(floats[i]) for i in (1, 2, 3))
    assert sent["odd"] == {1: "NaN", 3: "inf"}
    assert sent["heading"] == "rmse ↓" and sent["numeric"] and sent["places"] == 1


def test_a_column_of_numbers_and_texts_is_a_list():
    rows = [row(i, {"p": value}) for i, value in enumerate([1, "a", None, True, [1, 2]])]
    sent = column(columnar.table(rows), "params.p")
    assert not sent["numeric"]
    assert sent["values"] == [1.0, "a", None, True, "[1, 2]"]


def test_a_changed_row_goes_alone_unless_it_needs_another_column():
    rows = [row(0, {"depth": 8}, {"rmse": 61.4})]
    known = [each["key"] for each in columnar.table(rows)["columns"]]
    cells = columnar.cells(replace(rows[0], metrics={"rmse": "NaN"}), known)
    assert cells is not None and cells["metrics.rmse"] == "NaN" and cells["params.depth"] == 8
    assert set(cells) == set(known)
    assert columnar.cells(row(1, {"depth": 8, "new": 1}, {"rmse": 2.0}), known) is None


def test_places_are_32_bit_numbers():
    assert struct.unpack("<3I", columnar.places([0, 70000, 2])) == (0, 70000, 2)


def test_groups_have_mean_spread_count_and_members():
    rows = [
        row(i, {"loss": loss}, {"rmse": rmse})
        for i, (loss, rmse) in enumerate([("a", 60.0), ("a", 64.0), ("b", 80.0), ("b", "NaN")])
    ]
    places = {each.id: i for i, each in enumerate(rows)}
    found = grouped.payload(rows, [parse_field("params.loss")], places)
    assert [each["heading"] for each in found["columns"]] == [
        "loss",
        "runs",
        "rmse ↓, mean",
        "sd",
        "each run, 60.00 to 80.00",
        "best run",
    ]
    first, second = found["rows"]
    assert first["texts"] == ["a", "2", "62.00", "± 2.83", "", "run-0"]
    assert first["members"] == [0, 1] and first["strip"] == [60.0, 64.0]
    assert second["texts"][3] == "one run" and second["members"] == [2, 3]


def test_columns_are_what_differs_or_all():
    rows = [row(i, {"depth": i, "same": 1}, {"rmse": float(i)}) for i in range(3)]
    assert asked.columns_of(rows, only_changed=True) == ["name", "started", "params.depth", "metrics.rmse"]
    assert "params.same" in asked.columns_of(rows, only_changed=False)
    going = [*rows, row(9, {"depth": 1, "same": 1}, status="running", ended=None, commit=None)]
    assert "state" in asked.columns_of(going, only_changed=True)


def test_offered_for_groups_is_what_comes_again():
    rows = [row(i, {"loss": "ab"[i % 2], "seed": i, "odd key": i % 3}) for i in range(12)]
    assert asked.offers(rows) == ["params.loss", 'params["odd key"]']


def test_a_brush_leaves_the_rows_inside_all_ranges():
    axes = [Axis("params", "p", [1.0, 2.0, 3.0, None]), Axis("metrics", "m", [5.0, 6.0, 7.0, 8.0])]
    assert brushed(axes, [0, 1, 2], [None, None]) is None
    assert brushed(axes, [0, 1, 2], [(1.5, 3), None]) == [1, 2]
    assert brushed(axes, [0, 1, 2], [[[0, 1], [2.5, 3]], (7, 5)]) == [0, 2]
    assert brushed(axes, [0, 1, 2], [(9, 10), None]) == []


def test_smoothing_starts_at_the_first_value_and_passes_over_nan():
    points = [(0, 4.0), (1, math.nan), (2, 8.0)]
    assert smoothed(points, 0.0)[::2] == [(0, 4.0), (2, 8.0)]
    (_, first), (_, gap), (_, last) = smoothed(points, 0.5)
    assert first == pytest.approx(4.0) and math.isnan(gap)
    assert last == pytest.approx((0.25 * 4 + 0.5 * 8) / 0.75)


def test_a_band_is_mean_and_spread_where_curves_meet():
    found = band([[(0, 1.0), (1, 2.0)], [(0, 3.0), (2, math.nan)]])
    assert found.steps == [0, 1] and found.mean == [2.0, 2.0]
    assert found.high[0] - found.mean[0] == pytest.approx(math.sqrt(2))
    assert found.low[1] == found.high[1] == 2.0


def test_labels_of_plots_are_words():
    assert plain("<b>$x$</b>&\x1b", 40) == "&lt;b&gt;&#36;x&#36;&lt;/b&gt;&amp;\\x1b"


def board(rows, **given):
    pytest.importorskip("ipywidgets")
    from provenote.widgets.board import Board

    listed = Listed(
        rows, **({"query": "", "sort": "", "group_by": "", "everything": False, "branch": None} | given)
    )
    return Board(listed, SimpleNamespace())


def shown(found):
    sent = found.grid.view["shown"]
    return [found.rows[i].name for i in struct.unpack(f"<{len(sent) // 4}I", sent)]


def test_a_query_that_cannot_be_read_leaves_the_old_rows_with_a_line():
    found = board([row(i, {"depth": i}, {"rmse": float(i)}) for i in range(4)])
    found.grid.query = "depth >= 2"
    assert shown(found) == ["run-3", "run-2"] and found.grid.view["count"] == "2 of 4 runs"
    found.grid.query = "depth >="
    assert shown(found) == ["run-3", "run-2"] and "query, column" in found.grid.view["error"]
    found.grid.query = "nothing == 1"
    assert "nothing" in found.grid.view["error"]
    found.grid.query = ""
    assert found.grid.view["error"] == "" and len(shown(found)) == 4


def test_only_changed_rows_go_over_the_wire_and_keep_their_places():
    rows = [row(i, {"depth": i}, {"rmse": float(i)}) for i in range(3)]
    found = board(rows)
    sent = []
    found.grid.send = lambda message, buffers=None: sent.append(message)
    assert not found.refresh(list(rows))
    later = [row(7, {"depth": 9}, {"rmse": 1.0}), replace(rows[2], metrics={"rmse": 9.0}), rows[1]]
    assert found.refresh(later)  # one new, one changed, one gone
    (message,) = sent
    assert [run for run, _ in message["rows"]] == ["id7", "id2"]
    assert [each.id for each in found.rows] == ["id0", "id1", "id2", "id7"]
    assert shown(found) == ["run-7", "run-2", "run-1"]
    assert found.grid.get_state(["table"])["table"]["ids"] == ["id0", "id1", "id2", "id7"]


def test_a_brush_filters_until_another_query():
    found = board([row(i, {"depth": i}, {"rmse": float(i)}) for i in range(4)])
    found._brushed({"id1", "id2"})
    assert shown(found) == ["run-2", "run-1"]
    found.grid.query = "depth > 0"
    assert shown(found) == ["run-3", "run-2", "run-1"]
