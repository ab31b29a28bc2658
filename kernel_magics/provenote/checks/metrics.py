"""Metrics by name: how each is computed from answers and predictions, and which way it is better.

The usual ones are functions of sums over rows, so that thousands of draws of a bootstrap cost one product of
matrices. Every other name is one of scikit-learn's scorers, which is asked anew for each draw.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from provenote.errors import UsageError
from provenote.statistics.bootstrap import Floats, Rows, Statistic, Sums

Kind = Literal["regressor", "classifier"]


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model said about rows whose answer is known.

    Parameters
    ----------
    kind : {'regressor', 'classifier'}
    truth : array of shape (rows,)
    said : array of shape (rows,)
        Its predictions.
    model : object
        The model itself, for scorers that need more than predictions.
    features : DataFrame
        What it was asked with.
    """

    kind: Kind
    truth: Any
    said: Any
    model: Any = None
    features: Any = None

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.truth)


def default(kind: Kind) -> str:
    """Return the metric that is judged when nobody names one."""
    return "accuracy" if kind == "classifier" else "rmse"


def greater_is_better(name: str) -> bool:
    """Whether a greater value is the better one. Errors end in the other direction.

    Raises
    ------
    UsageError
        If it has no such direction, as a bias.
    """
    if name in ("rmse", "mae", "mse"):
        return False
    if name == "bias":
        raise UsageError("a bias is best at zero, so neither of two is simply better", "Name mae or rmse")
    return True  # the sums below, and every scorer of scikit-learn by its convention


def is_share(name: str) -> bool:
    """Whether a metric lies on a fixed scale up to 1, so that 0.01 of it is a small step everywhere."""
    return name not in ("rmse", "mae", "mse", "bias") and not name.startswith("neg_")


def of(name: str, answers: Answers) -> Statistic:
    """Return a metric of these answers, ready for a bootstrap.

    Parameters
    ----------
    name : str
        ``rmse``, ``mae``, ``mse``, ``bias``, ``r2``; ``accuracy``, ``balanced_accuracy``, ``f1``,
        ``f1_macro``; or a name of `sklearn.metrics.get_scorer_names`.
    answers : Answers

    Raises
    ------
    UsageError
        If there is no such metric, or it does not fit this kind of model.
    """
    if name in _NUMBERS or name in _CLASSES:
        wanted: Kind = "regressor" if name in _NUMBERS else "classifier"
        if answers.kind != wanted:
            raise UsageError(
                f"{name} is a metric of {wanted}s, and this model is a {answers.kind}",
                f"Name one of {', '.join(sorted(_NUMBERS if answers.kind == 'regressor' else _CLASSES))}",
            )
        return _NUMBERS[name](answers) if name in _NUMBERS else _CLASSES[name](answers)
    return _scorer(name, answers)


def given(function: Callable[[Any, Any], float], answers: Answers) -> Rows:
    """Return a metric that a person wrote: ``function(truth, predicted)``."""
    truth, said = np.asarray(answers.truth), np.asarray(answers.said)
    return Rows(answers.rows, lambda rows: float(function(truth[rows], said[rows])))


# ---------------------------------------------------------------------- numbers


def _errors(answers: Answers) -> Floats:
    return np.asarray(answers.said, np.float64).reshape(-1) - np.asarray(answers.truth, np.float64)


def _mean(values: Floats) -> Sums:
    return Sums(np.column_stack([np.ones(len(values)), values]), lambda s: s[..., 1] / s[..., 0])


def _rmse(answers: Answers) -> Sums:
    squares = _mean(_errors(answers) ** 2)
    return Sums(squares.parts, lambda s: np.sqrt(s[..., 1] / s[..., 0]))


def _r2(answers: Answers) -> Sums:
    truth = np.asarray(answers.truth, np.float64)
    apart = truth - truth.mean() if len(truth) else truth  # else large answers lose their digits
    parts = np.column_stack([np.ones(len(truth)), apart, apart**2, _errors(answers) ** 2])
    return Sums(parts, lambda s: 1 - s[..., 3] / (s[..., 2] - s[..., 1] ** 2 / s[..., 0]))


_NUMBERS: dict[str, Callable[[Answers], Sums]] = {
    "rmse": _rmse,
    "mae": lambda answers: _mean(np.abs(_errors(answers))),
    "mse": lambda answers: _mean(_errors(answers) ** 2),
    "bias": lambda answers: _mean(_errors(answers)),
    "r2": _r2,
}

# ---------------------------------------------------------------------- classes


def _hits(answers: Answers) -> Any:
    return np.asarray(answers.said).reshape(-1) == np.asarray(answers.truth)


def _tables(answers: Answers) -> tuple[Any, Any, Any, Any]:
    """Return, a column for each class: true, said, and both; and the classes."""
    truth, said = np.asarray(answers.truth), np.asarray(answers.said).reshape(-1)
    classes = np.unique(np.concatenate([truth, said]))
    true, told = truth[:, None] == classes, said[:, None] == classes
    return true.astype(float), told.astype(float), (true & told).astype(float), classes


def _balanced(answers: Answers) -> Sums:
    true, _, both, classes = _tables(answers)
    many = len(classes)

    def combine(sums: Floats) -> Floats:
        there = sums[..., :many] > 0
        recalls = np.where(there, sums[..., many:] / np.where(there, sums[..., :many], 1), 0)
        return np.asarray(recalls.sum(axis=-1) / there.sum(axis=-1), np.float64)

    return Sums(np.hstack([true, both]), combine)


def _f1(answers: Answers, macro: bool) -> Sums:
    true, told, both, classes = _tables(answers)
    many = len(classes)
    if not macro and many > 2:
        raise UsageError(f"f1 is a metric of two classes, and there are {many}", "Name f1_macro")

    def combine(sums: Floats) -> Floats:
        below = sums[..., :many] + sums[..., many : 2 * many]
        ratios = np.where(below > 0, 2 * sums[..., 2 * many :] / np.where(below > 0, below, 1), 0)
        if not macro:
            return np.asarray(ratios[..., -1], np.float64)  # of the greater class, as scikit-learn has it
        return np.asarray(ratios.sum(axis=-1) / (below > 0).sum(axis=-1), np.float64)

    return Sums(np.hstack([true, told, both]), combine)


_CLASSES: dict[str, Callable[[Answers], Sums]] = {
    "accuracy": lambda answers: _mean(_hits(answers).astype(np.float64)),
    "balanced_accuracy": _balanced,
    "f1": lambda answers: _f1(answers, macro=False),
    "f1_macro": lambda answers: _f1(answers, macro=True),
}

# ---------------------------------------------------------------------- all others


def _scorer(name: str, answers: Answers) -> Rows:
    from sklearn.metrics import get_scorer, get_scorer_names

    if name not in get_scorer_names():
        near = difflib.get_close_matches(name, [*_NUMBERS, *_CLASSES, *get_scorer_names()], 1)
        mend = f"Perhaps `{near[0]}`" if near else "Known: `sklearn.metrics.get_scorer_names()`"
        raise UsageError(f"there is no metric {name!r}", mend)
    ask = get_scorer(name)
    truth = np.asarray(answers.truth)
    kept = _kept(answers)
    every = np.arange(answers.rows)
    try:
        ask(kept, every, truth)
    except Exception as error:
        raise UsageError(
            f"{name} cannot be computed for this model: {' '.join(str(error).split())[:200]}",
            f"Name another metric, as {default(answers.kind)}",
        ) from error

    def value(rows: Any) -> float:
        try:
            return float(ask(kept, rows, truth[rows]))
        except ValueError:
            return float("nan")  # a class that is in none of these rows

    return Rows(answers.rows, value)


def _kept(answers: Answers) -> Any:
    """Return an estimator that answers for row numbers what the model answered once."""
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

    base = ClassifierMixin if answers.kind == "classifier" else RegressorMixin
    methods = {"predict": _telling("predict", np.asarray(answers.said).reshape(-1))}
    for name in ("predict_proba", "decision_function"):
        if hasattr(answers.model, name):
            methods[name] = _telling(name, np.asarray(getattr(answers.model, name)(answers.features)))
    made = type("Kept", (base, BaseEstimator), methods)()
    made.fitted_ = True
    if answers.kind == "classifier":
        made.classes_ = getattr(answers.model, "classes_", np.unique(np.asarray(answers.truth)))
    return made


def _telling(name: str, known: Any) -> Any:
    def tell(_: Any, rows: Any) -> Any:
        return known[rows]

    tell.__name__ = name  # scorers go by the names of methods
    return tell
