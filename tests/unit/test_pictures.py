"""The axes of a plot of runs, and the static pictures of several runs."""

from __future__ import annotations

import io
import math
import random

import pytest
from PIL import Image

from provenote.model import Row
from provenote.render import axes, pictures


def row(number, params, metrics):
    name = f"run-{number:04}"
    return Row(name, name, "run", "finished", None, 0.0, 1.0, params, metrics, "0" * 40)


def some(count=60, seed=1):
    chance = random.Random(seed)
    found = []
    for number in range(count):
        depth, noise, loss = chance.choice([4, 6, 8]), chance.random(), chance.choice(["a", "b"])
        rmse = 60 + 5 * abs(depth - 8) + chance.random()
        found.append(
            row(
                number,
                {"depth": depth, "noise": noise, "loss": loss, "same": 1},
                {"rmse": rmse, "fit_s": noise},
            )
        )
    return found


def test_the_axes_are_what_differs_the_most_telling_next_to_the_leading_metric():
    keys = [axis.key for axis in axes.axes(some())]
    assert keys[-1] == "rmse"  # not the time, though its way is known too
    assert keys[-2] == "fit_s"
    assert keys[-3] == "depth"
    assert "same" not in keys


def test_a_metric_that_a_table_is_sorted_by_leads():
    assert [axis.key for axis in axes.axes(some(), first="fit_s")][-1] == "fit_s"


def test_what_is_no_number_stands_as_its_word_and_a_key_of_many_texts_is_no_axis():
    rows = [
        row(i, {"kind": "xy"[i % 2], "id": f"t{i}", "flag": i % 3 == 0}, {"loss": float(i)})
        for i in range(40)
    ]
    found = {axis.key: axis for axis in axes.axes(rows)}
    assert found["kind"].words == ("x", "y")
    assert found["kind"].values[:2] == [0.0, 1.0]
    assert found["flag"].words == ("false", "true")
    assert "id" not in found


def test_nan_infinite_and_missing_are_no_place_on_an_axis():
    rows = [
        row(i, {"p": v}, {"loss": float(i)}) for i, v in enumerate([1, "NaN", None, "inf", 2, 3, 4, 10**400])
    ]
    (found, _) = axes.axes(rows)
    assert found.values == [1.0, None, None, None, 2.0, 3.0, 4.0, None]


@pytest.mark.parametrize(
    "rows",
    [
        [],
        some(1),
        [row(i, {}, {"loss": 1.0}) for i in range(3)],
        [row(0, {"a": 1}, {"x": 1.0}), row(1, {"b": 2}, {"y": 2.0})],
        [row(i, {"a": i}, {}) for i in range(3)],
    ],
)
def test_nothing_to_draw_is_no_picture(rows):
    assert pictures.parallel(rows) is None


def test_the_best_runs_stand_out_and_are_named():
    rows = some()
    best = sorted(rows, key=lambda each: each.metrics["rmse"])[:3]
    drawn = pictures.parallel(rows)
    assert drawn is not None
    assert drawn.alt.startswith("60 runs as lines over ")
    assert drawn.alt.endswith(
        ", ".join(f"{each.name} {each.metrics['rmse']:.2f}" for each in best) + " (rmse)"
    )
    colours = {colour for _, colour in picture(drawn).convert("RGB").getcolors(1 << 20)}
    for wanted in ((0x0B, 0x62, 0xA8), (0xBD, 0x4B, 0x00), (0x00, 0x77, 0x5A)):
        assert min(sum(abs(a - b) for a, b in zip(wanted, one, strict=True)) for one in colours) < 24


def test_extreme_values_are_drawn_without_a_warning(recwarn):
    rows = [row(i, {"p": v}, {"loss": v}) for i, v in enumerate([-1.7e308, 1.7e308, 0.0, 5e-324])]
    assert pictures.parallel(rows) is not None
    assert [str(each.message) for each in recwarn] == []


def test_curves_of_runs_are_laid_over_each_other():
    series = {
        f"run-{i}": {
            "loss": [(step, (i + 1) * math.exp(-step / 9)) for step in range(30)],
            "lone": [(0, 1.0)],
        }
        for i in range(8)
    }
    drawn = pictures.overlaid(series)
    assert drawn is not None
    assert drawn.alt.startswith("loss by step: run-0 ends at 0.0")
    assert "run-5" in drawn.alt and "run-6" not in drawn.alt  # six at most have a colour
    assert picture(drawn).size[0] == 2 * 760


def test_no_curve_is_no_picture():
    assert pictures.overlaid({}) is None
    assert pictures.overlaid({"a": {"loss": [(1, 0.5)]}, "b": {"loss": [(1, "NaN"), (2, "NaN")]}}) is None


def picture(drawn):
    image = Image.open(io.BytesIO(drawn.png))
    image.load()
    return image
