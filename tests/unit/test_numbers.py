"""How numbers, times and sizes read."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenote.compare import numbers as n


@pytest.mark.parametrize(
    ("key", "way"),
    [
        ("rmse", "lower"),
        ("val_loss", "lower"),
        ("train/mae", "lower"),
        ("fit_s", "lower"),
        ("p95_ms", "lower"),
        ("trainRMSE2", "lower"),
        ("acc", "higher"),
        ("roc_auc", "higher"),
        ("f1", "higher"),
        ("r2", "higher"),
        ("neg_mean_squared_error", "higher"),
        ("test accuracy", "higher"),
        ("valAcc", "higher"),
        ("map50", "higher"),
        ("bias", "zero"),
        ("depth", ""),
        ("", ""),
        ("epoch", ""),
        ("hour_error", "lower"),
    ],
)
def test_direction_from_the_name(key, way):
    assert n.direction(key) == way


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([61.40123, 71.89456, 64.09], ["61.40", "71.89", "64.09"]),
        ([0.05, 0.1], ["0.05", "0.10"]),
        ([8, 6, 10], ["8", "6", "10"]),
        ([0.8761234, 0.8301234], ["0.8761", "0.8301"]),
        ([None, "NaN", "inf", "-inf", 1.5], ["–", "NaN", "inf", "−inf", "1.5"]),
        ([-6.66, 2.04], ["−6.66", "2.04"]),
        ([True, "poisson", [1, 2]], ["true", "poisson", "[1, 2]"]),
        ([1.0, 2.0], ["1", "2"]),
        ([1e-7, 2e-7], ["1e-07", "2e-07"]),
        ([], []),
    ],
)
def test_a_column_has_one_count_of_decimals(values, shown):
    assert n.column(values) == shown


def test_single_values():
    assert n.text(15919, grouped=True) == "15,919"
    assert n.text(2012, grouped=True) == "2012"
    assert n.text(20121101) == "20121101"
    assert n.text(-1e12) == "−1e+12"
    assert n.text(10**400) == "about 1e400"
    assert n.text(-0.0001, 2) == "0.00"
    assert n.text({"a": 1}) == '{"a": 1}'


@pytest.mark.parametrize(
    ("new", "old", "shown"),
    [
        (61.40, 71.89, "−10.49"),
        (0.876, 0.830, "+0.046"),
        (3, 3, "="),
        (3, None, ""),
        ("NaN", 3, ""),
        (9, 6, "+3"),
        (61.400001, 61.4, "+1e-06"),
    ],
)
def test_change_always_has_a_sign(new, old, shown):
    assert n.change(new, old) == shown


@pytest.mark.parametrize(
    ("key", "new", "old", "answer"),
    [
        ("rmse", 1, 2, True),
        ("rmse", 2, 1, False),
        ("acc", 2, 1, True),
        ("bias", -1, 3, True),
        ("bias", -3, 3, None),
        ("depth", 1, 2, None),
        ("rmse", "nan", 2, None),
        ("rmse", 2, 2, None),
        ("rmse", None, 2, None),
    ],
)
def test_better(key, new, old, answer):
    assert n.better(key, new, old) is answer


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.0 s"),
        (0.004, "4 ms"),
        (0.9, "0.9 s"),
        (59.96, "1 m"),
        (192, "3 m 12 s"),
        (3599.7, "1 h"),
        (7500, "2 h 5 m"),
        (273600, "3 d 4 h"),
        (None, "–"),
        (math.inf, "–"),
        (-1, "0.0 s"),
    ],
)
def test_duration(seconds, shown):
    assert n.duration(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "now"),
        (0.5, "now"),
        (41, "41 s"),
        (720, "12 m"),
        (86399, "23 h"),
        (86400, "1 d"),
        (14 * 86400, "2 w"),
        (800 * 86400, "2 y"),
    ],
)
def test_age(seconds, shown):
    assert n.age(seconds) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (999, "999 B"), (1_200_000, "1.2 MB"), (999_960, "1.0 MB"), (412e6, "412 MB"), (None, "–")],
)
def test_size(count, shown):
    assert n.size(count) == shown


def test_clock_and_counts():
    assert (n.clock(7), n.clock(3723), n.clock(-1)) == ("0:07", "1:02:03", "0:00")
    assert (n.counted(1, "run"), n.counted(2401, "run"), n.counted(0, "child", "children")) == (
        "1 run",
        "2,401 runs",
        "0 children",
    )
    assert n.moment(1e9, 1e9 + 1) != n.moment(1e9, 2e9) and n.moment(1e300, 0) == n.full_time(None) == "–"


def test_sparkline():
    assert n.sparkline([1, 2, 3, 4]) == "▁▃▆█"
    assert n.sparkline([5, 5]) == "▄▄" and n.sparkline([]) == "" and n.sparkline([math.nan]) == ""
    assert len(n.sparkline(list(range(1000)))) == 24


anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just(10**400)),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@given(st.lists(anything, max_size=6))
def test_any_column_can_be_written(values):
    shown = n.column(values, grouped=True)
    assert len(shown) == len(values) and all(isinstance(x, str) for x in shown)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_a_change_says_which_way(new, old):
    shown = n.change(new, old)
    assert shown == "=" if new == old else shown[0] in "+−"


def test_the_greatest_floats_have_a_count_of_decimals():
    assert n.decimals([-1.7e308, 1.7e308]) == 0
