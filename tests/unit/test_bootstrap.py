"""The bootstrap over blocks: its interval holds what it says where the one over rows does not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from provenote.statistics import bootstrap
from provenote.statistics.bootstrap import Rows, Sums


def mean(values: np.ndarray) -> Sums:
    parts = np.column_stack([np.ones(len(values)), values])
    return Sums(parts, lambda sums: sums[..., 1] / sums[..., 0])


def test_rows_that_err_alike_need_blocks() -> None:
    """The truth is 0 in every set: how often does each interval leave it out?"""
    chance = np.random.default_rng(7)
    weeks, hours = 28, 24
    blocks = np.repeat(np.arange(weeks), hours)
    out = {"rows": 0, "blocks": 0}
    sets = 200
    for number in range(sets):
        week = np.repeat(chance.normal(0, 0.5, weeks), hours)
        statistic = mean(week + chance.normal(0, 1, weeks * hours))
        for name, used in (("rows", None), ("blocks", blocks)):
            found = bootstrap.estimate(statistic, used, seed=number, draws=200)
            out[name] += not found.low <= 0 <= found.high
    assert out["blocks"] / sets < 0.10, "about 5 in 100"
    assert out["rows"] / sets > 0.25, "naive: most of a third"


def test_few_blocks_widen_the_interval_to_what_it_says() -> None:
    chance = np.random.default_rng(3)
    out = 0
    for number in range(300):
        found = bootstrap.estimate(mean(chance.normal(0, 1, 8)), seed=number, draws=400)
        out += not found.low <= 0 <= found.high
    assert out / 300 < 0.10, "plain percentiles of eight values leave out the truth 12 times in 100"


def test_pairs_see_what_two_intervals_do_not() -> None:
    chance = np.random.default_rng(1)
    shared = chance.normal(0, 10, 500)
    holder, challenger = mean(shared), mean(shared + 0.2 + chance.normal(0, 0.5, 500))
    found = bootstrap.paired(holder, challenger)
    assert 0 < found.low < found.value < found.high < 0.5
    assert found.value == pytest.approx(0.2, abs=0.1)
    apart = bootstrap.estimate(challenger)
    assert apart.high - apart.low > 10 * (found.high - found.low)
    assert found.detectable == pytest.approx(2.8 * found.error, rel=0.05)


def test_both_ways_of_computing_agree() -> None:
    values = np.random.default_rng(2).exponential(3, 400)
    blocks = np.repeat(np.arange(20), 20)
    quick = bootstrap.estimate(mean(values), blocks)
    slow = bootstrap.estimate(Rows(400, lambda rows: float(values[rows].mean())), blocks, draws=1500)
    assert quick.value == pytest.approx(slow.value)
    assert quick.error == pytest.approx(slow.error, rel=0.1)
    assert bootstrap.estimate(mean(values), blocks) == quick, "the same seed, the same interval"
    assert bootstrap.estimate(mean(values), blocks, seed=1) != quick


def test_many_independent_rows_cost_no_more_than_their_groups() -> None:
    values = np.random.default_rng(5).normal(0, 1, 300_000)
    found = bootstrap.estimate(mean(values))
    assert found.error == pytest.approx(1 / math.sqrt(300_000), rel=0.1)
    assert found.blocks == found.rows == 300_000


@pytest.mark.parametrize("values", [[], [1.0], [math.nan, 1.0, 2.0]])
def test_what_has_no_interval_says_so(values: list[float]) -> None:
    found = bootstrap.estimate(mean(np.array(values)))
    assert not found.known and math.isnan(found.low) and math.isnan(found.detectable)


def test_a_metric_without_a_value_on_many_draws_has_no_interval() -> None:
    rare = np.zeros(50)
    rare[0] = 1  # a class of one row: absent in a third of the draws

    def recall(sums: np.ndarray) -> np.ndarray:
        return sums[..., 0] / sums[..., 1]

    found = bootstrap.estimate(Sums(np.column_stack([rare, rare]), recall))
    assert found.value == 1 and not found.known


def test_blocks_of_time_begin_on_mondays_and_count_only_what_is_there() -> None:
    days = np.array(["2012-01-01", "2012-01-02", "2012-01-08", "2012-01-09", "2012-03-01"], "datetime64[D]")
    assert bootstrap.by_time(days, 7 * 86400).tolist() == [0, 1, 1, 2, 3]
    assert bootstrap.by_time(days, 86400).tolist() == [0, 1, 2, 3, 4]
    assert bootstrap.by_time(days[::-1], 7 * 86400).tolist() == [3, 2, 1, 1, 0]
