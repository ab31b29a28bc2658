"""Distances, windows, relations, the clock, limits and facts, on data whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from provenote.statistics import cycles, distances, facts, faults, limits, reference, windows
from provenote.statistics.frame import Frame, as_kinds, missing, together

WEEK = 7 * 86_400
DAYS = 7 * 30


def world(seed: int = 0, days: int = DAYS, begin: str = "2011-01-01", level: float = 1.0) -> Frame:
    """Return hourly rows with a season, a day, two columns that say the same, and a kind."""
    rng = np.random.default_rng(seed)
    times = np.datetime64(begin, "s") + np.arange(days * 24) * np.timedelta64(3600, "s")
    hours = np.arange(days * 24)
    season = 10 * np.sin(2 * np.pi * hours / (24 * 365))
    warmth = season + 5 * np.sin(2 * np.pi * (hours % 24 - 9) / 24) + np.repeat(rng.normal(0, 2, days), 24)
    numbers = {
        "warmth": warmth + rng.normal(0, 0.5, len(hours)),
        "felt": 1.1 * warmth + 2 + rng.normal(0, 0.5, len(hours)),
        "wind": rng.gamma(2, 2, len(hours)),
        "sold": level * (50 + 40 * np.exp(-(((hours % 24) - 17) ** 2) / 8)) + rng.normal(0, 5, len(hours)),
        "row": hours.astype(float),
        "hour": (hours % 24).astype(float),
    }
    words = {"sky": rng.choice(np.array(["clear", "rain"], object), len(hours))}
    return Frame(numbers, words, times)


@pytest.fixture(scope="module")
def learned() -> reference.Reference:
    return reference.learn(world(), WEEK, ["sold"])


def test_distances_are_those_of_the_books() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=500), rng.normal(0.4, 1.3, 130)
    assert distances.kolmogorov(first, second) == pytest.approx(stats.ks_2samp(first, second).statistic)
    moved = stats.wasserstein_distance(first, second) / first.std()
    assert distances.wasserstein(first, second) == pytest.approx(moved)
    with_gaps = np.concatenate([second, [np.nan] * 7])
    assert distances.kolmogorov(first, with_gaps) == distances.kolmogorov(first, second)
    assert distances.total_variation(np.array(["a", "b"], object), np.array(["b", "b", None], object)) == 0.5
    same = [distances.psi(first, rng.normal(size=460)) for _ in range(40)]
    assert np.mean([one or 0.0 for one in same]) < 0.012, "chance alone must not count"
    assert (distances.psi(first, rng.normal(1, 1, 500)) or 0) > 0.5
    assert distances.psi(first, second) is None, "130 rows are too few for ten bins"


def test_windows_begin_at_midnight_and_leave_no_row_out() -> None:
    frame = world(days=16).take(np.arange(5, 16 * 24))
    assert frame.times is not None
    found = windows.cut(frame, WEEK)
    assert [one.name for one in found] == ["2011-01-01", "2011-01-08", "2011-01-15"]
    assert sum(map(len, found)) == len(frame)
    assert windows.cut(frame, WEEK, start=windows.cut(frame, WEEK)[1].begin)[0].begin == found[0].begin
    assert windows.step(frame.times) == 3600
    assert windows.step(np.sort(np.random.default_rng(0).choice(frame.times, 400))) is None
    assert windows.cut(Frame(), WEEK) == []


def test_a_frame_knows_kinds_from_amounts() -> None:
    frame = as_kinds(world())
    assert set(frame.words) == {"sky", "hour"}
    assert frame.words["hour"][13] == "13"
    assert frame.times is not None
    both = together([frame.take(slice(0, 5)), Frame({}, {}, frame.times[:2])])
    assert len(both) == 7 and missing(both.words["sky"])[5:].all() and missing(both.numbers["wind"])[5:].all()


def test_what_says_nothing_of_a_window_is_not_watched(learned: reference.Reference) -> None:
    assert learned.unwatched == {"row": "counts the rows"}
    assert "hour" not in learned.drifting and "sky" in learned.drifting
    assert learned.learned and len(learned.own) == 30


def test_relations_and_clock_are_found(learned: reference.Reference) -> None:
    found = {one.column: one for one in learned.relations.found}
    assert set(found) == {"warmth", "felt"} and found["felt"].redundant
    assert "sold" in learned.clock.columns and learned.clock.period == 24


def test_clean_windows_are_quiet_and_gross_faults_are_seen(learned: reference.Reference) -> None:
    own = [learned.frame.take(one.rows) for one in learned.own]
    alarmed = [any(one.alarms for one in learned.judge(frame, [i])) for i, frame in enumerate(own)]
    assert sum(alarmed) <= 2
    kinds = [one for one in faults.choose(learned) if one.gross]
    assert len(kinds) >= 9
    for kind in kinds:
        struck = [kind.make(frame) for frame in own]
        seen = [
            any(one.alarms for one in learned.judge(frame, [i]))
            for i, frame in enumerate(struck)
            if frame is not None
        ]
        assert len(seen) == len(own) and all(seen), kind.name


def test_growth_is_no_fault_of_the_clock_nor_of_the_relations(learned: reference.Reference) -> None:
    later = world(9, days=28, begin="2011-08-01", level=1.65)
    for window in windows.cut(later, WEEK)[:4]:
        signals = learned.judge(learned.fitted(later.take(window.rows)))
        over = {one.kind for one in signals if one.over}
        assert not over & {"clock", "relation"}
        assert "sold" in {one.column for one in signals if one.over}


def test_the_lag_has_its_sign(learned: reference.Reference) -> None:
    frame = learned.frame.take(learned.own[5].rows)
    for hours in (3, -2):
        moved = faults.moved(hours)(frame)
        assert moved is not None
        lag = learned.clock.lag(moved, [5])
        assert lag is not None and lag.phases == hours
    assert cycles.phases(np.array(["2011-01-03T05:10"], "datetime64[s]"), 7)[0] == 0, "a Monday"


def test_a_limit_lets_the_largest_own_window_pass_and_little_more() -> None:
    own = np.abs(np.random.default_rng(0).normal(1, 0.1, (40, 3)))
    band = limits.learn(own)
    assert not (band.scores(own) > band.limit).any()
    assert band.scores(np.array([1.0, 2.5, 1.0])).max() > band.limit
    assert limits.learn(np.full((4, 1), np.nan)).limit == float("inf"), "nothing known: nothing alarms"
    assert band.bound(1) == pytest.approx(float(np.exp(band.centers[1] + band.limit * band.scales[1])) - 1e-3)


def test_a_rare_kind_is_a_note_until_it_comes_often(learned: reference.Reference) -> None:
    frame = learned.frame.take(learned.own[3].rows)
    few = {**frame.words, "sky": np.concatenate([["hail"] * 4, frame.words["sky"][4:]])}
    many = {**frame.words, "sky": np.concatenate([["hail"] * 5, frame.words["sky"][5:]])}
    for words, note in ((few, True), (many, False)):
        summary = facts.summarize(Frame(frame.numbers, words, frame.times), WEEK, 3600)
        found = facts.broken(summary, learned.summaries)
        assert [(one.kind, one.note, one.says) for one in found] == [("unseen", note, "'hail'")]


def test_what_is_missing_is_told(learned: reference.Reference) -> None:
    frame = learned.frame.take(learned.own[3].rows)
    broken = facts.broken(facts.summarize(frame.without(["wind"]), WEEK, 3600), learned.summaries)
    assert [(one.kind, one.column) for one in broken] == [("absent", "wind")]
    half = frame.take(np.arange(0, len(frame), 2))
    assert [one.kind for one in facts.broken(facts.summarize(half, WEEK, 3600), learned.summaries)] == ["gap"]
