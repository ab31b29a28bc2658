"""Continuous training, what is pure: the rules, the record that counts tries, when a challenger is better."""

from __future__ import annotations

import ast
import json
import math
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from provenote.checks import champion
from provenote.checks.champion import Margin
from provenote.checks.metrics import Answers
from provenote.errors import UsageError
from provenote.monitor import definition as monitors
from provenote.monitor import watching
from provenote.monitor.alerts import Alert, Standing
from provenote.monitor.causes import Cause
from provenote.monitor.definition import Accepted, Monitor
from provenote.monitor.record import Record
from provenote.retraining import conditions, definition, guards, judging, record, rule_file
from provenote.retraining.definition import DAY, YEAR, Retrain
from provenote.retraining.record import Try
from provenote.stores.annotation import Annotation
from provenote.triggers import rules

GOOD = """
remote: origin
rules: {}
retrain:
  bike-demand:
    data: data/hour.csv
    notebook: train.ipynb
    cut: train_until
    when:
      schedule: {cron: "0 3 * * 1", timezone: Europe/Berlin}
      new_rows: 500
      performance: bikes
      resolved: bikes
      advisory: true
    guards: {new_rows: 200, cool_down: 2w, cpu_hours: 2.5}
    sweep: {grid: {alpha: [0.1, 1.0]}, space: grid, parallel: 2, executor: "dask://h:1", best: val_rmse}
    judge:
      {metric: rmse, hold_out: 12w, better_by: "1%", margin: 0.5, slices: [season], alpha: 0.1, tries: 5}
    tests: {least: {r2: 0.5}, notebooks: [tests.ipynb]}
    answer: cnt
    time: dteday
    to: staging
"""
LEAST = "{data: d.csv, notebook: t.ipynb, cut: until, when: {new_rows: 5}}"


def parsed(text: str) -> tuple[Retrain, ...]:
    return rule_file.parse(text.encode())


def one(more: str = "", name: str = "m") -> Retrain:
    inner = LEAST[1:-1] + more
    return parsed(f"retrain:\n  {name}: {{{inner}}}\n")[0]


def test_a_rule_is_read_whole() -> None:
    (rule,) = parsed(GOOD)
    assert (rule.model, rule.stage, rule.to, rule.cut) == (
        "bike-demand",
        "production",
        "staging",
        "train_until",
    )
    assert rule.when.schedule is not None and rule.when.schedule.timezone == "Europe/Berlin"
    assert (rule.when.new_rows, rule.when.performance, rule.when.advisory) == (500, "bikes", True)
    assert rule.guards == definition.Guards(200, 14 * DAY, 2.5)
    assert rule.sweep.grid == {"alpha": [0.1, 1.0]} and rule.sweep.on == "dask://h:1"
    assert rule.judge.better_by == Margin(0.01, relative=True) and rule.judge.margin == "0.5"
    assert math.isclose(rule.judge.each, 0.02) and rule.judge.held == 84 * DAY
    assert rule.tests == {"least": {"r2": 0.5}} and rule.notebooks == ("tests.ipynb",)
    assert rules.parse(GOOD.encode()).rules == (), "rules and retrain stand in one file"
    assert parsed("rules: {}") == ()
    usual = one()
    assert usual.judge.tries == 12 and usual.sweep.space == "champion" and usual.judge.slices == ()
    assert math.isclose(usual.level(4), 0.05 / 48), "a choice by rows that may be held out is four tries"
    assert math.isclose(one(", sweep: {validated: true}").level(4), 0.05 / 12)
    assert usual.claims == "retrain.m" and usual.sign != one(", stage: staging").sign
    assert usual.sign == one(", judge: {metric: mae}").sign, "how it is judged is no condition"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"retrain:\n  'a b': {LEAST}", "no plain name"),
        (f"retrain:\n  {'m' * 70}: {LEAST}", "no plain name"),
        ("retrain: {m: [1]}", "must be a map"),
        ("retrain: [1]", "must be a map"),
        ("retrain: {m: {notebook: t.ipynb, cut: c, when: {new_rows: 5}}}", "lacks 'data'"),
        ("retrain: {m: {data: d.csv, notebook: t.ipynb, cut: c, when: {}}}", "at least one of"),
        ("retrain: {m: {data: /etc/x, notebook: t.ipynb, cut: c, when: {new_rows: 5}}}", "leads out"),
        ("retrain: {m: {data: a/../../x, notebook: t.ipynb, cut: c, when: {new_rows: 5}}}", "leads out"),
        ("retrain: {m: {data: d, notebook: t, cut: c, when: {new_rows: 0}}}", "at least 1"),
        ("retrain: {m: {data: d, notebook: t, cut: c, when: {new_rows: true}}}", "whole number"),
        ("retrain: {m: {data: d, notebook: t, cut: c, when: {schedule: {cron: 'x'}}}}", "is no time"),
        ("retrain: {m: {data: d, notebook: t, cut: c, when: {schedule: {every: 5}}}}", "lacks 'cron'"),
        (f"retrain:\n  m: {LEAST}\n  m: {LEAST}", "twice"),
        (f"retrain:\n  m: &a {LEAST}\n  n: *a", "anchors"),
        ("retrain:\n  m: !!python/object:os.system {}", "no YAML"),
        ("retrain: {m: {<<: {data: d}, notebook: t, cut: c, when: {new_rows: 5}}}", "a key is no text"),
    ],
)
def test_what_has_no_meaning_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(text)
    assert says in caught.value.line and "\n" not in caught.value.line and len(caught.value.line) < 400


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (", sign: true", "does not know"),
        (", guards: {cool_down: soon}", "no span of time"),
        (", guards: {cpu_hours: -1}", "more than 0"),
        (", guards: {cpu_hours: .inf}", "neither text"),
        (", guards: {cpu: 1}", "does not know"),
        (", sweep: {grid: {a: 5}}", "list of values"),
        (", sweep: {space: grid}", "has none"),
        (", sweep: {space: wide}", "right form"),
        (", judge: {alpha: 0.9}", "at most 0.5"),
        (", judge: {alpha: 0}", "more than"),
        (", judge: {tries: 900}", "at most 366"),
        (", judge: {better_by: much}", "no margin"),
        (", judge: {margin: [1]}", "must be a number"),
        (", judge: {hold_out: 3d}", "less than a block"),
        (", judge: {known_signs: {split: }}", "must say why"),
        (", tests: {since: '2012-01-01'}", "which the rule itself says"),
        (", tests: {notebooks: [../x.ipynb]}", "leads out"),
    ],
)
def test_what_a_rule_cannot_mean_is_refused_in_one_line(more: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        one(more)
    assert says in caught.value.line and "\n" not in caught.value.line


def told(number: int, outcome: str = "rejected", at: int = 0, **more: object) -> Annotation:
    made = {"id": f"{number:064x}", "rule": "m", "model": "m", "stage": "production", "outcome": outcome}
    made |= {"why": "no better", "spent": 0.004, **more}
    body = {"what": "tried", "rule": "m", "try": json.dumps(made)}
    return Annotation(f"{at:05}{number}", "retraining", "A <a@b>", at, (), (), body)


def test_tries_are_counted_from_the_record() -> None:
    rule = one()
    events = [
        told(1, at=10),
        told(1, at=11),
        told(2, "prepared", 20),
        told(3, at=30),
        told(4, "failed", 40, spent=0.0),
    ]
    found = record.fold(reversed(events), rule)
    assert [one.at for one in found.tries] == [40, 30, 20, 10], "two judges of one try are one try"
    assert found.year(50) == 3 and found.year(25 + YEAR) == 1, "one that had no challenger spends nothing"
    assert "2 tries running" in found.stopped()
    body = {"what": "resumed", "rule": "m", "why": "the data were late"}
    resumed = Annotation("r", "retraining", "A <a@b>", 45, (), (), body)
    again = record.fold([*events, resumed], rule)
    assert not again.stopped() and again.resumed[0].why == "the data were late"
    assert record.fold([*events, resumed, told(5, at=50)], rule).stopped() == ""
    assert record.fold([*events, resumed, told(5, at=50), told(6, at=60)], rule).stopped()
    assert record.fold(events, one(", model: other", "m")).tries == ()
    assert record.fold(events, one(", model: m", "renamed")).year(50) == 3, "a new name is no new year"
    broken = [
        Annotation("x", "retraining", "A", 1, (), (), {"what": "tried", "rule": "m", "try": text})
        for text in ("", "{", "[]", "[" * 99_999, '{"id": 5}', json.dumps({"id": "1", "outcome": "signed"}))
    ]
    assert record.fold([*broken, told(7, spent="much")], rule).tries == ()


def test_the_time_between_two_tries() -> None:
    assert guards.cool_down(DAY, None, 0).green and guards.cool_down(DAY, 0, DAY).green
    held = guards.cool_down(7 * DAY, 0, 2 * DAY)
    assert not held.green and held.says == "the last try was 2 days ago; the next may be in 5 days"


def stands(rule_model: str = "m", **more: Any) -> tuple[Monitor, Standing]:
    """Return a monitor with one open alert about data and one about performance."""
    monitor = Monitor("bikes", rule_model, ("live/*.csv",), "first.csv", "0" * 32)
    causes = {name: Cause(name, f"{name} is odd", "", "", "act") for name in ("unit:temp", "error")}
    late = Record("bikes", "w1", "performance", 0, 1, 9, "", "act", (causes["error"],), {}, {}, "", 0.0)
    alerts = tuple(Alert(name, "act", cause, ("w1",), "open") for name, cause in causes.items())
    return monitor, replace(Standing(monitor, "act", alerts, (), (late,), 1.0), **more)


def test_an_alert_about_data_holds_and_one_about_performance_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monitor, standing = stands()
    place = SimpleNamespace(dvc_root=None)
    monkeypatch.setattr(monitors, "read", lambda root: {"bikes": monitor})
    monkeypatch.setattr(watching, "standing", lambda place, monitor, now: standing)
    (held,) = guards._alerts(place, one(), 5.0)  # type: ignore[arg-type]
    assert not held.green and "unit:temp is odd" in held.line and "more" not in held.says
    due = conditions._performance(place, "bikes", datetime(2026, 1, 1, tzinfo=UTC))  # type: ignore[arg-type]
    assert due.key and "error is odd" in due.says
    standing = replace(standing, alerts=standing.alerts[1:])
    assert guards._alerts(place, one(), 5.0)[0].green, "errors alone are a reason to train"  # type: ignore[arg-type]
    standing = replace(standing, alerts=(), silent="no look for 9 days")
    assert "is silent" in guards._alerts(place, one(), 5.0)[0].line  # type: ignore[arg-type]
    assert "no monitor" in guards._alerts(place, one("", "other"), 5.0)[0].says  # type: ignore[arg-type]
    assert not conditions._performance(place, "bikes", datetime(2026, 1, 1, tzinfo=UTC)).key  # type: ignore[arg-type]
    assert not conditions._resolved(place, "bikes").key  # type: ignore[arg-type]
    monitor = replace(monitor, accepted=(Accepted("w1", "w1.parquet", "m5", "storm", "Ann", "2026"),))
    first = conditions._resolved(place, "bikes")  # type: ignore[arg-type]
    monitor = replace(monitor, accepted=(*monitor.accepted, Accepted("w2", "w2.parquet")))
    assert first.key and conditions._resolved(place, "bikes").key != first.key  # type: ignore[arg-type]


def compared(gain: float, weeks: int = 12, alpha: float = 0.05 / 12) -> champion.Paired:
    chance = np.random.default_rng(1)
    truth = chance.normal(size=weeks * 40)
    wrong = chance.normal(size=len(truth))
    blocks = np.repeat(np.arange(weeks), 40)
    left = Answers("regressor", truth, truth + wrong)
    right = Answers("regressor", truth, truth + wrong * (1 - gain))
    return champion.paired(left, right, blocks=blocks, block="weeks", level=1 - 2 * alpha)


def test_a_challenger_must_be_better_for_sure() -> None:
    alpha = 0.05 / 12
    good = judging.better(compared(0.3), alpha, Margin(0.0), "production")
    assert good.outcome == "passed" and good.interval is not None and 0 < good.interval[0] < (good.value or 0)
    assert judging.better(compared(0.3), alpha, Margin(0.5), "production").outcome == "failed"
    same = judging.better(compared(0.0), alpha, Margin(0.0), "production")
    assert same.outcome == "failed" and "would be seen" in same.why
    few = judging.better(compared(0.3, weeks=5), alpha, Margin(0.0), "production")
    assert few.outcome == "not judged" and "takes 8" in few.why
    strict, loose = (judging.lower(compared(0.3, alpha=a).whole.gain, a) for a in (alpha, 0.05))
    assert strict < loose, "what the year's tries spend makes each stricter"


def test_a_year_of_tries_without_a_gain_rings_as_seldom_as_declared() -> None:
    """200 comparisons of equal models at the level of one of twelve tries; a fixed 5 % rings far oftener."""
    chance = np.random.default_rng(0)
    rung = {0.05 / 12: 0, 0.05: 0}
    blocks = np.repeat(np.arange(10), 12)
    for _ in range(200):
        truth = chance.normal(size=120)
        left, right = (Answers("regressor", truth, truth + chance.normal(size=120)) for _ in range(2))
        for alpha in rung:
            found = champion.paired(left, right, blocks=blocks, level=1 - 2 * alpha)
            rung[alpha] += judging.better(found, alpha, Margin(0.0), "production").outcome == "passed"
    assert rung[0.05 / 12] <= 4, "expected: 0.8"
    assert 3 <= rung[0.05] <= 20, "expected: 10"


def test_nothing_that_signs_is_within_reach() -> None:
    """No module of retraining imports what signs, acts for a person or reads a key."""
    folder = Path(rule_file.__file__).parent
    signing = re.compile(
        r"registry\.(signing|acting|checking|releasing|tags|bot)|stores\.(keys|signatures|ledger)"
    )
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not [name for name in names if signing.search(name)], file.name
    assert len(list(folder.glob("*.py"))) > 10


def test_a_try_is_plain() -> None:
    made = Try("ab" * 32, "m", "m", "production", "prepared", "better", findings=({"name": "x"},))
    assert json.loads(json.dumps(made.plain()))["findings"] == [{"name": "x"}] and made.short == "abababab"
    assert made.asks == "production" and replace(made, to="staging").asks == "staging"
