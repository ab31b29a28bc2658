"""Champion against challenger: four words, each for its reason."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from provenote.checks import champion
from provenote.checks.champion import Margin
from provenote.checks.metrics import Answers
from provenote.errors import UsageError
from provenote.statistics.bootstrap import Estimate

WEEKS = np.repeat(np.arange(30), 24)
CHANCE = np.random.default_rng(4)
TRUTH = CHANCE.normal(200, 50, len(WEEKS))
HARD = np.repeat(CHANCE.normal(0, 20, 30), 24)  # each week is hard in its own way, for both models


def says(noise: float, shift: float = 0, seed: int = 1) -> Answers:
    chance = np.random.default_rng(seed)
    return Answers("regressor", TRUTH, TRUTH + HARD + shift + chance.normal(0, noise, len(TRUTH)))


def test_four_words() -> None:
    holder = says(20)
    assert champion.paired(holder, says(5, seed=2), blocks=WEEKS).word == "better"
    assert champion.paired(holder, says(60, seed=3), blocks=WEEKS).word == "worse"
    twin = dataclasses.replace(holder, said=holder.said + CHANCE.normal(0, 0.1, len(TRUTH)))
    alike = champion.paired(holder, twin, blocks=WEEKS, margin=0.5)
    assert alike.word == "not worse" and "within the margin 0.5" in alike.whole.why
    unclear = champion.paired(holder, says(21, seed=5), blocks=WEEKS, margin=0)
    assert unclear.word == "not judged"
    assert f"only {champion.text(unclear.whole.gain.detectable)} or more" in unclear.whole.why


def test_a_gain_is_positive_whichever_way_the_metric_goes() -> None:
    holder, better = says(30), says(5, seed=2)
    for metric in ("rmse", "r2", "neg_mean_absolute_error"):
        found = champion.paired(holder, better, metric=metric, blocks=WEEKS)
        assert found.word == "better" and found.whole.gain.low > 0, metric
        (finding,) = found.findings("production")
        assert finding.outcome == "passed" and finding.interval == (
            found.whole.gain.low,
            found.whole.gain.high,
        )
        assert champion.paired(better, holder, metric=metric, blocks=WEEKS).word == "worse"


def test_a_slice_that_is_worse_decides() -> None:
    holder, made = says(20), says(5, seed=2)
    season = np.where(WEEKS % 3 == 0, "winter", "other")
    made.said[season == "winter"] += 90
    found = champion.paired(holder, made, metric="mae", blocks=WEEKS, slices={"season": season})
    assert [(part.name, part.word) for part in found.slices] == [
        ("season=other", "better"),
        ("season=winter", "worse"),
    ]
    outcomes = {one.name: one.outcome for one in found.findings("production")}
    assert found.word == "worse" and outcomes["no slice worse than production"] == "failed"
    small = np.where(np.arange(len(TRUTH)) < 5, "rare", "usual")
    rare, usual = champion.paired(holder, says(5, seed=2), blocks=WEEKS, slices={"k": small}).slices
    assert (rare.word, usual.word) == ("not judged", "better") and "only 5 rows" in rare.why
    with pytest.raises(UsageError, match="too many"):
        champion.paired(holder, made, slices={"id": np.arange(len(TRUTH))})


def test_too_few_weeks_are_not_judged_however_clear() -> None:
    few = slice(0, 7 * 24)
    left, right = (dataclasses.replace(one, truth=one.truth[few], said=one.said[few]) for one in
                   (says(50), says(1)))  # fmt: skip
    found = champion.paired(left, right, blocks=WEEKS[few], block="weeks")
    assert found.word == "not judged" and found.whole.why == "only 7 weeks, and it takes 8"
    (finding,) = found.findings("production")
    assert finding.outcome == "not judged" and finding.mend and finding.interval is None


def test_the_same_answers_are_not_worse() -> None:
    found = champion.paired(says(20), says(20), blocks=WEEKS)
    assert found.word == "not worse" and found.whole.why == "both say the same about every row"


def test_margins() -> None:
    assert Margin.parse(None, "r2") == Margin(0.01)
    assert Margin.parse(None, "rmse") == Margin(0.01, relative=True)
    assert Margin.parse("2%", "r2").of(-50) == pytest.approx(1.0)
    assert Margin.parse("0.5", "rmse").of(60) == 0.5
    for wrong in ("-1", "a bit", "nan", "inf", "%"):
        with pytest.raises(UsageError, match="no margin"):
            Margin.parse(wrong, "r2")
    near = Estimate(-0.002, -0.004, -0.001, 0.001, 30, 900, 0.95)
    assert champion.judge(near, 0.01, "weeks")[0] == "not worse", "worse by less than was given away"
    assert champion.judge(near, 0.001, "weeks")[0] == "worse"
    assert champion.judge(dataclasses.replace(near, low=math.nan), 0.01, "weeks")[0] == "not judged"


def test_kinds_must_agree() -> None:
    classes = Answers("classifier", TRUTH > 0, TRUTH > 0)
    with pytest.raises(UsageError, match="cannot be held against"):
        champion.paired(says(1), classes)
