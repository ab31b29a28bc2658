"""Metrics by name are scikit-learn's, whichever way they are computed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk
from sklearn.linear_model import LogisticRegression

from provenote.checks import metrics
from provenote.checks.metrics import Answers
from provenote.errors import UsageError
from provenote.statistics import bootstrap

CHANCE = np.random.default_rng(0)
TRUTH = CHANCE.normal(1000, 2, 300)
NUMBERS = Answers("regressor", TRUTH, TRUTH + CHANCE.normal(0.3, 1, 300))
FEATURES = pd.DataFrame(CHANCE.normal(size=(300, 3)), columns=list("abc"))


def classes(many: int) -> Answers:
    truth = (FEATURES.a + CHANCE.normal(0, 1, 300) > 0).astype(int) + (FEATURES.b > 1) * (many == 3)
    model = LogisticRegression().fit(FEATURES, truth)
    return Answers("classifier", truth.to_numpy(), model.predict(FEATURES), model, FEATURES)


def value(name: str, answers: Answers) -> float:
    return bootstrap.estimate(metrics.of(name, answers), draws=20).value


def test_numbers() -> None:
    truth, said = NUMBERS.truth, NUMBERS.said
    assert value("rmse", NUMBERS) == pytest.approx(sk.root_mean_squared_error(truth, said))
    assert value("mae", NUMBERS) == pytest.approx(sk.mean_absolute_error(truth, said))
    assert value("mse", NUMBERS) == pytest.approx(sk.mean_squared_error(truth, said))
    assert value("bias", NUMBERS) == pytest.approx(float(np.mean(said - truth)))
    assert value("r2", NUMBERS) == pytest.approx(sk.r2_score(truth, said))
    assert value("neg_max_error", NUMBERS) == pytest.approx(-sk.max_error(truth, said)), "a scorer: negative"
    assert metrics.given(sk.median_absolute_error, NUMBERS).value(np.arange(300)) == pytest.approx(
        sk.median_absolute_error(truth, said)
    )


@pytest.mark.parametrize("many", [2, 3])
def test_classes(many: int) -> None:
    answers = classes(many)
    truth, said = answers.truth, answers.said
    assert value("accuracy", answers) == pytest.approx(sk.accuracy_score(truth, said))
    assert value("balanced_accuracy", answers) == pytest.approx(sk.balanced_accuracy_score(truth, said))
    assert value("f1_macro", answers) == pytest.approx(sk.f1_score(truth, said, average="macro"))
    chances = answers.model.predict_proba(FEATURES)
    assert value("neg_log_loss", answers) == pytest.approx(-sk.log_loss(truth, chances))
    if many == 2:
        assert value("f1", answers) == pytest.approx(sk.f1_score(truth, said))
        assert value("roc_auc", answers) == pytest.approx(sk.roc_auc_score(truth, chances[:, 1]))
    else:
        with pytest.raises(UsageError, match="f1_macro"):
            metrics.of("f1", answers)


def test_draws_have_the_metric_of_their_rows() -> None:
    """A draw of the quick way is the metric of the rows that were drawn, so both spread alike."""
    answers = classes(3)
    for name, function in (
        ("balanced_accuracy", sk.balanced_accuracy_score),
        ("f1_macro", lambda t, p: sk.f1_score(t, p, average="macro")),
    ):
        quick = bootstrap.estimate(metrics.of(name, answers))
        slow = bootstrap.estimate(metrics.given(function, answers), draws=200)
        assert quick.error == pytest.approx(slow.error, rel=0.25)


def test_names_that_do_not_fit_are_told() -> None:
    for name, answers, says in (
        ("accuracy", NUMBERS, "metric of classifiers"),
        ("rmse", classes(2), "metric of regressors"),
        ("acuracy", classes(2), "accuracy"),
        ("roc_auc", NUMBERS, "cannot be computed"),
        ("<b>", NUMBERS, "there is no metric"),
    ):
        with pytest.raises(UsageError, match=says):
            metrics.of(name, answers)
    assert metrics.greater_is_better("neg_mean_squared_error") and not metrics.greater_is_better("rmse")
    with pytest.raises(UsageError, match="best at zero"):
        metrics.greater_is_better("bias")
