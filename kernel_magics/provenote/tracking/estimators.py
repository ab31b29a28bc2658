"""What can be said of a scikit-learn estimator without importing scikit-learn: data from an object.

Names are those of the field: parameters as ``get_params`` names them (``hgb__learning_rate`` for a step of
a pipeline), ``best_...`` for what a search chose.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

SCORE_ROWS = 10_000
"""Rows of the training data that a training score is computed on, at most."""
TEXT = 200
"""Characters of a long value (an array, a grid, a nested object) that are kept."""
_TEXT_ITEMS = 20
_SEARCHED = ("param_grid", "param_distributions")
_OVERWRITES = ("copy", "copy_X", "copy_x")


def is_estimator(value: object) -> bool:
    """Whether a value is an estimator object (not a class)."""
    return hasattr(value, "get_params") and not isinstance(value, type)


def is_model(estimator: Any) -> bool:
    """Whether it can predict or cluster, or searches for one that can; a pure transformer cannot.

    Classes are asked, for an object may not know what it can do before it is fitted.
    """
    cls = type(model_of(estimator)[1])
    return (hasattr(cls, "predict") or hasattr(cls, "fit_predict")) and not hasattr(cls, "named_steps")


def is_search(estimator: Any) -> bool:
    """Whether it searches over candidates (grid, random, halving)."""
    return hasattr(estimator, "estimator") and any(hasattr(estimator, name) for name in _SEARCHED)


def model_of(estimator: Any) -> tuple[str, Any]:
    """Return the estimator that does the learning, with the prefix of its parameters.

    The last step of a pipeline, the candidate of a search, the regressor of a transformed target; and so
    on inside these. The prefix is as in ``get_params``: ``""`` or ``"estimator__hgb__"``.
    """
    prefix = ""
    while True:
        steps = getattr(estimator, "steps", None)
        if isinstance(steps, list) and steps and is_estimator(steps[-1][1]):
            prefix, estimator = f"{prefix}{steps[-1][0]}__", steps[-1][1]
        elif is_search(estimator) and is_estimator(estimator.estimator):
            prefix, estimator = f"{prefix}estimator__", estimator.estimator
        elif hasattr(estimator, "transformer") and is_estimator(getattr(estimator, "regressor", None)):
            prefix, estimator = f"{prefix}regressor__", estimator.regressor
        else:
            return prefix, estimator


def structure(estimator: Any) -> str:
    """Return its shape in words, as ``GridSearchCV(StandardScaler > Ridge)``."""
    steps = getattr(estimator, "steps", None)
    if isinstance(steps, list):
        return " > ".join(structure(step) if is_estimator(step) else str(step) for _, step in steps)
    if is_search(estimator):
        return f"{type(estimator).__name__}({structure(estimator.estimator)})"
    return type(estimator).__name__


def params(estimator: Any) -> dict[str, Any]:
    """Return the parameters worth a column, by the name they are set with.

    All of the model's own and of the outermost estimator; of the other parts (scalers, encoders) those that
    differ from their defaults. Parts themselves are left out: their class is in `structure`. For a search
    the names are those of its candidate, without ``estimator__``, so that runs with and without a search
    stand in the same columns.
    """
    model_prefix, model = model_of(estimator)
    all_params: dict[str, Any] = estimator.get_params(deep=True)
    found: dict[str, Any] = {"estimator": type(model).__name__}
    if is_search(estimator):
        found["search"] = type(estimator).__name__
    for name, value in all_params.items():
        if is_estimator(value) or _holds_estimators(value):
            continue
        prefix, _, own = name.rpartition("__")
        owner = all_params.get(prefix) if prefix else estimator
        if f"{prefix}__" != model_prefix and prefix and _is_default(owner, own, value):
            continue
        if not prefix and estimator is not model and _is_default(owner, own, value):
            continue
        shown = name.removeprefix("estimator__") if is_search(estimator) else name
        found[shown] = plain(value)
    return found


def plain(value: Any) -> Any:
    """Return a value as JSON data: short lists as they are, whatever is long or odd as a cut text."""
    if value is None or isinstance(value, (bool, int, str)):
        return _cut(value) if isinstance(value, str) else value
    if isinstance(value, float):
        return float(value)
    if is_estimator(value):
        return type(value).__name__
    if isinstance(value, (list, tuple)) and len(value) <= _TEXT_ITEMS and all(map(_is_scalar, value)):
        return [plain(item) for item in value]
    if isinstance(value, (list, tuple)) and len(value) > _TEXT_ITEMS:
        return _cut(f"{len(value)} items: {' '.join(repr(list(value[:_TEXT_ITEMS])).split())}")
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return plain(value.item())
    if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")):
        return f"{value.__module__}.{value.__qualname__}"
    if " object at 0x" in repr(value):  # an address would make equal runs differ
        return f"{type(value).__module__}.{type(value).__qualname__}"
    return _cut(" ".join(repr(value).split()))


def shape(data: Any) -> tuple[int | None, int | None]:
    """Return rows and columns of training data; None for what cannot be told."""
    dimensions = getattr(data, "shape", None)
    if isinstance(dimensions, tuple) and dimensions:
        rows, columns = dimensions[0], dimensions[1] if len(dimensions) > 1 else 1
        return _whole(rows), _whole(columns)
    if isinstance(data, (list, tuple)):
        first = data[0] if data else None
        return len(data), len(first) if isinstance(first, (list, tuple)) else None
    return None, None


def training_score(estimator: Any, data: Any, target: Any, weights: Any = None) -> tuple[float, int] | None:
    """Score a fitted estimator on its training data, or on `SCORE_ROWS` rows spread evenly over it.

    Parameters
    ----------
    estimator : estimator
    data : array of shape (rows, columns), data frame or sequence
    target : array of length rows, or None
    weights : array of length rows, optional
        Sample weights, used where its ``score`` takes them.

    Returns
    -------
    (float, int) or None
        The score and the rows it was computed on; None when there is no score to give.
    """
    rows, _ = shape(data)
    if not hasattr(estimator, "score") or rows is None or rows < 2 or _was_overwritten(estimator):
        return None
    if is_search(estimator) and not hasattr(estimator, "best_estimator_"):
        return None
    used = rows
    if rows > SCORE_ROWS:
        import numpy
        from sklearn.utils import _safe_indexing as take

        chosen = numpy.arange(SCORE_ROWS) * rows // SCORE_ROWS  # even steps: no random number is drawn
        data, target, weights = (
            None if part is None else take(part, chosen) for part in (data, target, weights)
        )
        used = SCORE_ROWS
    more = {"sample_weight": weights} if weights is not None and _takes_weights(estimator) else {}
    score = float(estimator.score(data, **more) if target is None else estimator.score(data, target, **more))
    return score, used


def _takes_weights(estimator: Any) -> bool:
    """Whether its ``score`` takes weights; with metadata routing it may not, for nobody asked for them."""
    import inspect  # 9 ms, which a run without a fit does not pay

    config = sys.modules["sklearn"].get_config() if "sklearn" in sys.modules else {}
    routed = config.get("enable_metadata_routing", False)
    return not routed and "sample_weight" in inspect.signature(estimator.score).parameters


def outcome(estimator: Any) -> tuple[dict[str, Any], dict[str, float]]:
    """Return what a fit found: parameters (``best_...``) and metrics (``n_iter``, ``best_cv_score``)."""
    found: dict[str, Any] = {}
    metrics: dict[str, float] = {}
    best = getattr(estimator, "best_estimator_", None)
    if is_search(estimator):
        for name, value in (getattr(estimator, "best_params_", None) or {}).items():
            found[f"best_{name}"] = plain(value)
        if best is not None:
            found["best_estimator"] = type(model_of(best)[1]).__name__
        score = getattr(estimator, "best_score_", None)
        if score is not None:
            metrics["best_cv_score"] = float(score)
    _, model = model_of(best if best is not None else estimator)
    iterations = _whole_or_largest(getattr(model, "n_iter_", None))
    if iterations is not None:
        metrics["n_iter"] = iterations
    if type(model).__name__.endswith("CV"):  # LassoCV, RidgeCV and alike choose while they fit
        for name in ("alpha_", "C_", "l1_ratio_"):
            value = plain(getattr(model, name, None))
            if isinstance(value, (int, float)):
                found[f"best_{name.rstrip('_')}"] = value
    return found, metrics


def candidates(results: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return ``cv_results_`` as rows, one a candidate; ``params`` is left out, its parts are columns."""
    columns = {name: _listed(values) for name, values in results.items() if name != "params"}
    count = max(map(len, columns.values()), default=0)
    return [{name: values[row] for name, values in columns.items()} for row in range(count)]


def _listed(values: Any) -> list[Any]:
    items = values.tolist() if hasattr(values, "tolist") else list(values)  # masked: None
    return ["" if item is None else plain(item) for item in items]


def _holds_estimators(value: Any) -> bool:
    """Whether it is a list of parts: ``[("name", estimator), ...]``, or with columns as third."""
    if not isinstance(value, (list, tuple)):
        return False
    return any(
        is_estimator(part) or (isinstance(part, tuple) and any(map(is_estimator, part))) for part in value
    )


def _is_default(owner: Any, name: str, value: Any) -> bool:
    import inspect

    try:
        default = inspect.signature(type(owner).__init__).parameters[name].default
    except (KeyError, TypeError, ValueError):
        return False
    if value is default or (isinstance(value, float) and math.isnan(value) and default != default):
        return True
    return type(value) is type(default) and bool(_is_scalar(value) and value == default)


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str))


def _cut(text: str) -> str:
    return text if len(text) <= TEXT else f"{text[: TEXT - 3]}..."


def _whole(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):  # a lazy array does not know its length yet
        return None


def _whole_or_largest(value: Any) -> int | None:
    if value is None:
        return None
    numpy = sys.modules.get("numpy")
    return _whole(numpy.max(value)) if numpy is not None and numpy.size(value) else _whole(value)


def _was_overwritten(estimator: Any) -> bool:
    """Whether fitting may have changed the training data in place."""
    return any(
        name.rpartition("__")[2] in _OVERWRITES and value is False
        for name, value in estimator.get_params(deep=True).items()
    )
