"""Jumps and shifts of a metric: seen in their direction, and not cried where nothing happened."""

from __future__ import annotations

import numpy as np

from provenote.statistics import jumps


def _states(values: np.ndarray, **more: object) -> list[tuple[str, str]]:
    return [(one.state, one.direction) for one in jumps.follow(list(values), **more)]  # type: ignore[arg-type]


def test_below_twenty_values_nothing_is_judged() -> None:
    looks = jumps.follow([1.0, 900.0] * 10 + [1.0])
    assert [one.state for one in looks[:20]] == ["learning"] * 20 and looks[-1].state != "learning"
    assert looks[5].known == 5


def test_a_lone_spike_is_a_jump_and_does_not_hide_the_next() -> None:
    values = np.random.default_rng(2).normal(10, 1, 60)
    values[40], values[45] = 30, -10
    states = _states(values, looks=52)
    assert states[40] == ("jump", "up") and states[45] == ("jump", "down")
    assert {state for place, (state, _) in enumerate(states[20:], 20) if place not in (40, 45)} == {"usual"}


def test_a_level_that_stays_is_a_shift_until_it_is_accepted() -> None:
    values = np.random.default_rng(4).normal(10, 1, 160)
    values[60:] -= 2.5
    states = _states(values, looks=52)
    assert ("shift", "down") in states and ("shift", "up") not in states
    assert states[-1] == ("shift", "down")
    accepted = _states(values, looks=52, anew=[80])
    assert accepted[80] == ("learning", "") and ("shift", "down") not in accepted[80:]


def test_false_cries_are_rare_also_with_echo_and_with_a_weekly_course() -> None:
    rng = np.random.default_rng(1)
    cried = {"plain": 0, "echo": 0, "weekly": 0}
    naive = 0
    for _ in range(20):
        noise = rng.normal(0, 1, 150)
        echo = noise.copy()
        for place in range(1, len(echo)):
            echo[place] += 0.5 * echo[place - 1]
        weekly = noise + 20 * (np.arange(150) % 7 == 6)
        for name, values, phases in (
            ("plain", noise, None),
            ("echo", echo, None),
            ("weekly", weekly, [place % 7 for place in range(150)]),
        ):
            states = [one.state for one in jumps.follow(list(values), phases, looks=365)][100:]
            cried[name] += any(state in ("jump", "shift") for state in states)
        naive += bool((np.abs(echo[100:] - echo[:30].mean()) > 3 * echo[:30].std()).any())
    assert max(cried.values()) <= 4, cried
    assert naive > cried["echo"]


def test_a_constant_metric_and_gaps_are_no_event() -> None:
    states = [one.state for one in jumps.follow([0.5] * 40 + [float("nan")] + [0.5] * 5)]
    assert set(states[20:40]) == {"usual"} and states[40] == "learning" and states[-1] == "usual"
