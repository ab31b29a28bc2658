"""What runs cost by the project's prices, which limits they went over, and when the disk is full."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenote import config
from provenote.compare import remarks
from provenote.config import Limits, Prices
from provenote.errors import UsageError
from provenote.stores import fields
from provenote.tracking import costs, forecast, resources

DAY = forecast.DAY


def test_a_cost_is_its_parts_and_nothing_without_a_price():
    figures = {"cpu_s": 7200, "gpu_s": 1800, "network_received_mb": 500, "network_sent_mb": 500}
    prices = Prices(cpu_hour=0.05, gpu_hour=2.0, gb_moved=0.1, currency="EUR")
    found = costs.of(figures, prices)
    assert found == {"amount": 1.2, "currency": "EUR", "parts": {"cpu": 0.1, "gpu": 1.0, "network": 0.1}}
    assert costs.of(figures, Prices(gpu_hour=2.0))["parts"] == {"gpu": 1.0}
    assert costs.of(figures, Prices(gb_month=9, currency="EUR")) is None
    assert costs.of({"cpu_s": "much"}, prices)["amount"] == 0
    assert costs.storage(5e9, Prices(gb_month=0.02)) == pytest.approx(0.1)
    assert costs.storage(5e9, Prices()) is None


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0.00 X"), (0.000021234, "0.000021 X"), (0.0456, "0.046 X"), (1234.5, "1,234.50 X")],
)
def test_amounts_are_written_for_people(amount, text):
    assert costs.text(amount, "X") == text


def test_a_run_keeps_what_it_cost_and_its_row_tells_it(tmp_path):
    (tmp_path / "provenote.toml").write_text("[prices]\ncpu_hour = 3600\ncurrency = 'EUR'\n")
    sampler = resources.Sampler(tmp_path)
    sampler.start()
    figures = sampler.stop()
    assert figures["cost"]["amount"] == pytest.approx(figures["cpu_s"], abs=0.01)
    row = fields.unchanging({"resources": figures})
    assert (row["cost"], row["currency"]) == (figures["cost"]["amount"], "EUR")
    for odd in (None, [], {"cost": 7}, {"cost": {"amount": "7"}}, {"cost": {"amount": -1}}):
        assert "cost" not in fields.unchanging({"resources": odd})
    (tmp_path / "provenote.toml").write_text("[prices]\ncpu = 1\n")  # others tell that it is broken
    sampler = resources.Sampler(tmp_path)
    sampler.start()
    assert "cost" not in sampler.stop()


def test_limits_that_a_run_went_over_are_told():
    figures = {
        "disk_free_mb": 4000.0,
        "memory_share": 0.95,
        "memory_limit_mb": 8000.0,
        "memory_limit_by": "control group",
        "cost": {"amount": 3.0, "currency": "EUR"},
    }
    assert remarks.of(figures, Limits()) == [
        "it had 95% of the 8.0 GB of memory that its control group allows, more than 90% (`memory_share`)"
    ]
    strict = Limits(disk_free_min=5, memory_share=1.0, run_cost=2.5)
    assert remarks.of(figures, strict) == [
        "4.0 GB free on the disk, less than 5 GB (`disk_free_min`)",
        "it cost 3.00 EUR, more than 2.50 EUR (`run_cost`)",
    ]
    assert remarks.of({}, strict) == []
    assert remarks.of({"disk_free_mb": "?", "memory_share": None, "cost": []}, strict) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("prices = 3", "a table is expected"),
        ("[prices]\nelectricity = 1", "prices.electricity, which is no setting.*cpu_hour"),
        ("[prices]\ncpu_hour = -1", "an amount is expected"),
        ("[prices]\ncpu_hour = nan", "an amount is expected"),
        ("[prices]\ncpu_hour = true", "an amount is expected"),
        ("[prices]\ncurrency = 3", "a text is expected"),
        ("[limits]\nmemory_share = 'all'", "an amount is expected"),
    ],
)
def test_mistakes_in_prices_and_limits_are_told(tmp_path, text, why):
    (tmp_path / "provenote.toml").write_text(text)
    with pytest.raises(UsageError, match=why):
        config.load(tmp_path)


def test_tables_of_settings_come_from_files_and_as_json_from_variables(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("[tool.provenote.limits]\ndisk_free_min = 20\n")
    assert config.load(tmp_path).limits == Limits(disk_free_min=20.0)
    monkeypatch.setenv("PROVENOTE_LIMITS", '{"run_cost": 2}')
    assert config.load(tmp_path).limits == Limits(run_cost=2.0)
    monkeypatch.setenv("PROVENOTE_LIMITS", "run_cost=2")
    with pytest.raises(UsageError, match="PROVENOTE_LIMITS is no JSON"):
        config.load(tmp_path)


# ---------------------------------------------------------------------- the disk


def filling(days: int, rate: float, noise: float = 0.0, start: float = 500e9) -> list[tuple[float, float]]:
    chance = random.Random(1)
    return [(day * DAY, start - rate * day + chance.gauss(0, noise)) for day in range(days + 1)]


def test_a_disk_that_fills_is_told_with_its_day():
    points = filling(20, 10e9, noise=2e9)
    points[7] = (points[7][0], 5e9)  # one run found it nearly full, and somebody cleaned up
    free = 300e9
    found = forecast.full(points, free, 20 * DAY)
    assert found.state == "filling"
    assert found.days == pytest.approx(30, rel=0.1)
    assert found.sooner is not None and found.sooner <= found.days
    assert found.why == "21 runs over 20.0 days"


@pytest.mark.parametrize(
    "points",
    [
        filling(20, 0.0, noise=3e9),
        filling(20, -5e9),
        [(day * DAY, 400e9 if day % 2 else 100e9) for day in range(20)],
        filling(20, 1e3),  # in a thousand years
    ],
)
def test_a_disk_without_a_trend_is_steady(points):
    assert forecast.full(points, 300e9, 20 * DAY).state == "steady"


def test_too_little_is_not_judged():
    for points in ([], filling(6, 10e9), [(n * 60.0, 500e9 - n * 1e9) for n in range(60)]):
        assert forecast.full(points, 300e9, 20 * DAY).state == "not judged"
    old = [(when - 400 * DAY, left) for when, left in filling(20, 10e9)]
    assert forecast.full(old, 300e9, 20 * DAY).why == "0 runs over 0.0 days"


@given(st.lists(st.tuples(st.floats(0, 30 * DAY), st.floats(0, 1e15)), max_size=30), st.floats(0, 1e15))
def test_no_history_is_too_odd(points, free):
    found = forecast.full(points, free, 30 * DAY)
    if found.state == "filling":
        assert found.days is not None and found.sooner is not None and 0 <= found.sooner <= found.days
