"""The questions about a model: each passes for a sound one and fails for the fault that it is made for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from provenote.checks import rows
from provenote.checks.checker import Checker
from provenote.checks.subject import Examined
from provenote.errors import UsageError

CHANCE = np.random.default_rng(0)
N = 700
FRAME = pd.DataFrame(
    {
        "day": np.repeat(pd.date_range("2012-01-02", periods=N // 7, freq="D").strftime("%Y-%m-%d"), 7),
        "heat": CHANCE.normal(size=N),
        "wind": CHANCE.normal(size=N),
        "zone": CHANCE.integers(0, 4, N),
    }
)
FRAME["count"] = 5 * FRAME.heat - FRAME.wind + CHANCE.normal(0, 1, N)
FRAME["high"] = np.where(FRAME["count"] > 0, "yes", "no")
NAMES = ["heat", "wind", "zone"]
LINE = make_pipeline(StandardScaler(), LinearRegression()).fit(FRAME[NAMES], FRAME["count"])


def checker(model: Any = LINE, answer: str = "count", frame: pd.DataFrame = FRAME, **more: Any) -> Checker:
    asked = rows.labelled(frame, answer=answer, **more)
    return Checker(None, Examined(model, "m", "m"), asked)  # type: ignore[arg-type]


class Odd(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A model with one fault."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault

    def fit(self, features: pd.DataFrame, answers: Any) -> Odd:
        self.feature_names_in_ = np.array(features.columns, dtype=object)
        self.n_features_in_ = features.shape[1]
        self.asked_ = 0
        return self

    def predict(self, features: pd.DataFrame) -> Any:
        self.asked_ += 1
        if self.fault != "any columns" and list(features.columns) != list(self.feature_names_in_):
            raise ValueError("other columns")
        said = features.iloc[:, 0].to_numpy(float) * 2
        if self.fault == "batch":
            said = said - said.mean()
        if self.fault == "chance":
            said = said + self.asked_
        if self.fault == "never a gap":
            said = np.nan_to_num(said)
        if self.fault == "infinite":
            said[0] = np.inf
        if self.fault == "short":
            said = said[1:]
        return said


def odd(fault: str) -> Any:
    return Odd(fault).fit(FRAME[NAMES], FRAME["count"])


def test_a_bound_must_clear_its_limit() -> None:
    check = checker()
    found = check.at_least("r2", 0.9)
    assert found.outcome == "passed" and found.interval is not None and found.interval[0] > 0.9
    assert found.evidence["block"] == "weeks" and found.evidence["blocks"] == 15
    near = check.at_least("r2", round(float(found.value or 0) - 0.001, 4))
    assert near.outcome == "failed" and "lower end of the interval does not clear" in near.why
    assert near.name == "at least r2 (2)", "two of one name are told apart"
    assert check.at_least("r2", 0.999).outcome == "failed"
    assert check.at_most("rmse", 1.3).outcome == "passed" and check.at_most("rmse", 0.5).outcome == "failed"
    for wrong in (lambda: check.at_least("rmse", 1), lambda: check.at_most("r2", 1)):
        with pytest.raises(UsageError, match="is better when"):
            wrong()

    def spread(truth: Any, said: Any) -> float:
        return float(np.std(said - truth))

    assert check.at_most(spread, 2).outcome == "passed"
    assert [one.outcome for one in check.findings].count("passed") == 3


def test_too_little_is_not_judged() -> None:
    few = checker(frame=FRAME.head(20)).at_least("r2", 0.1)
    assert few.outcome == "not judged" and "only 20 rows" in few.why and few.mend
    weeks = checker(newest=200).at_least("r2", 0.1)
    assert weeks.outcome == "not judged" and "takes 8" in weeks.why and weeks.interval is None
    alone = checker(newest=200, time="none").at_least("r2", 0.1)
    assert alone.outcome == "passed" and "taken as independent" in alone.why
    assert checker().slices("zone", 0.5, min_rows=1000).outcome == "not judged"


def test_slices_find_the_bad_place() -> None:
    hurt = FRAME.assign(count=FRAME["count"].where(FRAME.zone != 2, CHANCE.normal(0, 5, N)))
    found = checker(frame=hurt).slices("zone", 0.7)
    assert found.outcome == "failed" and "zone=2 (r2" in found.why
    assert [one["slice"] for one in found.evidence["slices"]][0] == "zone=2"
    assert checker().slices(["zone"], 0.7).outcome == "passed"
    assert checker().slices("zone", 1.5, metric="rmse").outcome == "passed"
    assert checker().slices("zone", 0.5, metric="rmse").outcome == "failed"
    rare = checker(frame=FRAME.assign(zone=FRAME.zone.where(FRAME.index != 3, 9))).slices("zone", 0.7)
    assert rare.outcome == "passed" and "1 slice with fewer than 100 rows in 8 weeks not judged" in rare.why
    brief = FRAME.assign(zone=FRAME.zone.where(FRAME.index > 150, 9))  # 151 rows of three weeks
    assert checker(frame=brief).slices("zone", 0.999).evidence["not_judged"] == 1
    with pytest.raises(UsageError, match="no column 'season'"):
        checker().slices("season", 0.7)


def test_behaviour() -> None:
    check = checker()
    assert check.directional(heat=1.0, expect="up").outcome == "passed"
    assert check.directional(heat=1.0, expect="down").outcome == "failed"
    assert check.directional(wind=1.0, expect="down").value == 1
    used = checker(odd(""))
    assert "does not use it" in used.directional(wind=1.0).why
    assert used.directional(wind=1.0, expect="same").outcome == "passed"
    assert used.invariant(None, lambda d: d.assign(wind=0)).outcome == "passed"
    assert check.invariant(FRAME, lambda d: d.assign(wind=0)).outcome == "failed"
    assert check.invariant(None, lambda d: d).outcome == "not judged", "nothing was changed"
    assert check.deterministic().outcome == "passed"
    assert "asked again" in checker(odd("chance")).deterministic().why
    classes = LogisticRegression().fit(FRAME[NAMES], FRAME["high"])
    told = checker(classes, "high")
    assert told.directional(heat=1.0).outcome == "passed", "the chance of the greater class"
    assert told.at_least("accuracy", 0.8).outcome == "passed"
    assert told.slices("zone", 0.7).outcome == "passed"
    for wrong, says in (
        (lambda: check.directional(), "which column"),
        (lambda: check.directional(cold=1.0), "no column 'cold'"),
        (lambda: check.directional(heat=1.0, expect="sideways"), "no direction"),
        (lambda: check.invariant(None, lambda d: d.head(3)), "gave 3 rows"),
        (lambda: check.latency(), "which latency"),
        (lambda: check.size(1), "a run kept"),
    ):
        with pytest.raises(UsageError, match=says):
            wrong()


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("", ""),
        ("any columns", "missing column: rows without heat are answered"),
        ("batch", "one row: "),
        ("infinite", "answers: answers that are no finite numbers"),
        ("short", "answers: 199 answers for 200 rows"),
        ("gap", "gaps: a gap in heat is answered with NaN"),
    ],
)
def test_signature(fault: str, says: str) -> None:
    model = LINE if not fault else odd("" if fault == "gap" else fault)
    found = checker(model).signature()
    assert (found.outcome == "passed") == (not fault), found.why
    assert says in found.why
    points = {one["point"]: one["found"] for one in found.evidence["points"]}
    if not fault:
        assert (
            points["unknown column"] == points["missing column"] == points["text for a number"] == "refused"
        )
        assert points["wider numbers"] == "ignored" and points["gaps"] == "is refused"


def test_latency_is_told_beside_a_yardstick() -> None:
    found = checker().latency(p95_ms=60_000, calls=10)
    assert found.outcome == "passed" and found.evidence["ratio"] > 0 and found.evidence["kernel_ms"] > 0
    assert checker().latency(ratio=1e-6, calls=5).outcome == "failed"
    assert checker().latency(p95_ms=1e-6, calls=5).mend


def test_rows_without_the_models_columns_are_told() -> None:
    with pytest.raises(UsageError, match="lacks 1 of the model's 3 columns: zone"):
        checker(frame=FRAME.drop(columns="zone")).at_least("r2", 0.5)


def test_answers_that_do_not_fit_the_model_are_told() -> None:
    with pytest.raises(UsageError, match="holds no numbers"):
        checker(LINE, "high").at_least("r2", 0.5)
    classes = LogisticRegression().fit(FRAME[NAMES], FRAME["high"])
    with pytest.raises(UsageError, match="no answer in zone is a class of m, which knows 'no', 'yes'"):
        checker(classes, "zone").at_least("accuracy", 0.5)
    two = LinearRegression().fit(FRAME[NAMES], FRAME[["count", "wind"]])
    with pytest.raises(UsageError, match="gives 2 values a row"):
        checker(two).at_least("r2", 0.5)
