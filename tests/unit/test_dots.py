"""Pictures of points: last metrics on scales, a metric by parameters; odd values are left out."""

from __future__ import annotations

import pytest

from provenote.render import dots, pictures, plots
from provenote.render.axes import Axis

HOSTILE = "$\\frac{1}$\x1b[31m<b>\u202e" + "k" * 300


def is_png(picture) -> bool:
    return picture.png.startswith(b"\x89PNG\r\n")


def test_last_metrics_that_differ_are_drawn_with_their_words():
    runs = [("A", {"rmse": 71.9, "same": 1, "r2": 0.83}), ("B", {"rmse": 61.4, "same": 1.0})]
    picture = dots.scales(runs)
    assert picture is not None and is_png(picture)
    assert picture.alt == "Last metrics. rmse: A 71.9, B 61.4"


@pytest.mark.parametrize("value", ["NaN", "inf", "text", None, True, [1], 10**400, -1e308])
def test_what_is_no_finite_number_is_left_out(value):
    assert dots.scales([("A", {"rmse": 1.0}), ("B", {"rmse": value})]) is None


def test_many_runs_and_odd_names_are_drawn():
    runs = [(f"{HOSTILE}{n}", {HOSTILE: float(n), "big": 1e299 * (-1) ** n, "rmse": n}) for n in range(12)]
    picture = dots.scales(runs)
    assert picture is not None and is_png(picture)


def test_a_metric_by_parameters():
    metric = Axis("metrics", "rmse", [60.0, 62.0, None, -1.7e308])
    params = [
        Axis("params", HOSTILE, [1.0, 2.0, 3.0, 1.7e308]),
        Axis("params", "loss", [0.0, 1.0, 1.0, 0.0], ("a", HOSTILE)),
    ]
    picture = dots.scatter(params, metric)
    assert picture is not None and is_png(picture) and picture.alt.startswith("rmse of each run by ")
    assert dots.scatter([], metric) is None


def test_huge_values_are_gaps_in_curves_too():
    points = [(0, 1e308), (1, -1e308), (2, 1.0), (1e308, 3.0), (3, 2.0), (10**400, 1.0)]
    assert [y for _, y in plots.finite(points) if y == y] == [1.0, 2.0]
    assert plots.curves({"loss": points}) is not None
    assert pictures.overlaid({"A": {"loss": points}, "B": {"loss": points[:2]}}) is not None
