"""The rules file: what is understood, and what is refused in one line. When a time is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from provenote.errors import UsageError
from provenote.triggers import rules, standing, timers
from provenote.triggers.rules import Action, Clock, Data, Promoted, Upstream

GOOD = b"""
remote: origin
rules:
  nightly:
    when: {cron: "0 3 * * 1-5", timezone: Europe/Berlin, catch_up: 6h}
    run: {notebook: train.ipynb, params: {rate: 0.1, loss: poisson}}
  new-data:
    when: {data: [data/hour.csv, data/day.csv, data/hour.csv]}
    run: {notebook: train.ipynb, grid: {depth: [4, 6]}, timeout: 60, name: again, executor: local}
  after:
    when: {job: train.ipynb, where: "metrics.rmse < 60"}
    run: {notebook: evaluate.ipynb}
  promoted:
    when: {promoted: bike-demand}
    run: {notebook: report.ipynb}
"""


def test_everything_is_read() -> None:
    found = rules.parse(GOOD)
    assert found.remote == "origin"
    assert [rule.name for rule in found.rules] == ["nightly", "new-data", "after", "promoted"]
    nightly, data, after, promoted = found.rules
    assert nightly.when == Clock("0 3 * * 1-5", "Europe/Berlin", timedelta(hours=6))
    assert nightly.action == Action("train.ipynb", {"rate": 0.1, "loss": "poisson"})
    assert data.when == Data(("data/day.csv", "data/hour.csv"))
    assert data.action == Action("train.ipynb", {}, {"depth": [4, 6]}, "again", "local", 60)
    assert after.when == Upstream("train.ipynb", "metrics.rmse < 60")
    assert promoted.when == Promoted("bike-demand", "production")
    assert len({rule.sign for rule in found.rules}) == 4


def one(when: str = "data: a.csv", run: str = "notebook: n.ipynb", name: str = "r") -> bytes:
    return f"rules: {{{name}: {{when: {{{when}}}, run: {{{run}}}}}}}".encode()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"rules: [", "is no YAML"),
        (b"\xff", "is no YAML"),
        (b"", "lacks 'rules'"),
        (b"- a", "must be a map"),
        (b"rules: {}\nmore: 1", "'more'"),
        (b"x" * 300_000, "at most"),
        (one(name="Nightly"), "plain name"),
        (one(name='"../x"'), "plain name"),
        (one(when="data: a, cron: '* * * * *'"), "exactly one"),
        (one(when="dta: a"), "exactly one"),
        (one(when="data: []"), "names no path"),
        (one(when="data: [1]"), "list of texts"),
        (one(when="cron: '61 * * * *'"), "is no time"),
        (one(when="cron: '* * * *'"), "five fields"),
        (one(when="cron: '0 0 30 2 *'"), "is no time"),
        (one(when="cron: '* * * * *', timezone: Mars/Base"), "no time zone"),
        (one(when="cron: '* * * * *', timezone: ../../etc/passwd"), "no time zone"),
        (one(when="cron: '* * * * *', catch_up: soon"), "catch_up"),
        (one(when="job: a, where: 'metrics.rmse <'"), "'where' of rule 'r'"),
        (one(run="params: {a: 1}"), "lacks 'notebook'"),
        (one(run="notebook: n, grid: {a: 3}"), "must be a list"),
        (one(run="notebook: n, grid: {a: []}"), "must be a list"),
        (one(run="notebook: n, timeout: 0"), "at least 1"),
        (one(run="notebook: n, shell: rm"), "'shell'"),
    ],
)
def test_what_has_no_meaning_is_refused_in_one_line(content: bytes, says: str) -> None:
    with pytest.raises(UsageError) as error:
        rules.parse(content)
    assert says in error.value.line and "\n" not in error.value.line
    assert rules.FILE in error.value.line


def test_a_changed_condition_has_another_sign_and_a_changed_action_has_not() -> None:
    (first,) = rules.parse(one()).rules
    assert rules.parse(one(run="notebook: other.ipynb")).rules[0].sign == first.sign
    assert rules.parse(one(when="data: b.csv")).rules[0].sign != first.sign
    assert rules.parse(one(when="promoted: a.csv")).rules[0].sign != first.sign


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_last_time_and_the_next() -> None:
    daily = Clock("0 3 * * *", "UTC", timedelta(hours=2))
    stands = standing.clock(daily, at("2026-11-25T03:00:30"))
    assert (stands.key, stands.missed, stands.next) == ("2026-11-25T03:00Z", "", "2026-11-26 03:00 UTC")
    assert standing.clock(daily, at("2026-11-25T02:59:59")).key == "2026-11-24T03:00Z"
    assert standing.clock(daily, at("2026-11-25T04:59:00")).missed == ""
    assert "more than catch_up allows" in standing.clock(daily, at("2026-11-25T05:01:00")).missed


def test_a_time_zone_counts_and_summer_time_skips_no_day() -> None:
    berlin = Clock("30 2 * * *", "Europe/Berlin", timedelta(days=2))
    assert standing.clock(berlin, at("2026-07-01T12:00")).key == "2026-07-01T00:30Z"
    assert standing.clock(berlin, at("2026-12-01T12:00")).key == "2026-12-01T01:30Z"
    # 29 March 2026: 02:30 does not exist; 25 October: it comes twice
    keys = [standing.clock(berlin, at("2026-03-28T00:00") + timedelta(hours=n)).key for n in range(72)]
    assert len(set(keys)) == 4, set(keys)
    keys = [standing.clock(berlin, at("2026-10-24T12:00") + timedelta(hours=n)).key for n in range(48)]
    assert len(set(keys)) == 3, set(keys)


def test_the_interval_of_a_timer() -> None:
    assert [timers._every(n) for n in (1, 5, 60, 120)] == [
        "* * * * *",
        "*/5 * * * *",
        "0 * * * *",
        "0 */2 * * *",
    ]
    for wrong in (0, -1, 61, 1440):
        with pytest.raises(UsageError):
            timers._every(wrong)
