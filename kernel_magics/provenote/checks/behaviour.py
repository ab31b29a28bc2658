"""How a model behaves: whether what it says changes as it should, and only then. Pure but for asking it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from provenote.checks.subject import kind_of
from provenote.checks.verdict import Finding
from provenote.errors import UsageError

if TYPE_CHECKING:
    import pandas

CLOSE = 1e-9
"""Relative difference up to which two predictions are the same."""
Expect = Literal["up", "down", "same"]


def level(model: Any, features: pandas.DataFrame) -> Any:
    """Return what can rise and fall: predictions, or of two classes the chance of the greater one.

    Raises
    ------
    UsageError
        If the model tells classes and no chances of two.
    """
    import numpy as np

    if kind_of(model) != "classifier":
        return np.asarray(model.predict(features), np.float64).reshape(-1)
    classes = getattr(model, "classes_", ())
    if len(classes) == 2 and hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(features), np.float64)[:, 1]
    if len(classes) == 2 and hasattr(model, "decision_function"):
        return np.asarray(model.decision_function(features), np.float64)
    raise UsageError("only numbers and the chance of one of two classes can go up or down")


def same(left: Any, right: Any, tolerance: float = CLOSE) -> Any:
    """Return for each row whether two predictions are the same: numbers nearly, classes exactly."""
    import numpy as np

    left, right = np.asarray(left), np.asarray(right)
    if left.shape != right.shape:
        return np.zeros(max(len(left), len(right)), bool)
    if left.dtype.kind in "fiu" and right.dtype.kind in "fiu":
        near = np.isclose(left.astype(float), right.astype(float), rtol=tolerance, atol=1e-12, equal_nan=True)
    else:
        near = left == right
    return near if near.ndim == 1 else near.reshape(len(left), -1).all(axis=1)


def invariant(
    model: Any,
    features: pandas.DataFrame,
    change: Callable[[pandas.DataFrame], pandas.DataFrame],
    *,
    share: float = 1.0,
    tolerance: float = CLOSE,
) -> Finding:
    """Test that a change of the rows does not change what the model says of them.

    Parameters
    ----------
    model : object
    features : DataFrame
    change : callable
        From rows to changed rows, as many and in the same order.
    share : float
        Share of rows that must stay as they were.
    tolerance : float
        Relative difference that is none.
    """
    changed = change(features.copy())
    if len(changed) != len(features):
        raise UsageError(f"the change gave {len(changed):,} rows of {len(features):,}")
    kept = same(model.predict(features), model.predict(changed), tolerance)
    value = float(kept.mean())
    why = f"{value:.1%} of {len(kept):,} rows keep their prediction"
    mend = "" if value >= share else "See which: `model.predict` on rows before and after the change"
    if features.equals(changed):
        return Finding("invariant", "not judged", "the change changes no row", mend="Let it change something")
    outcome = "passed" if value >= share else "failed"
    return Finding("invariant", outcome, why, value, share, mend=mend, evidence={"rows": len(kept)})  # type: ignore[arg-type]


def directional(
    model: Any,
    features: pandas.DataFrame,
    shifts: Mapping[str, float],
    *,
    expect: Expect = "up",
    share: float = 0.8,
) -> Finding:
    """Test that predictions follow a shift of columns: up, down, or not at all.

    Parameters
    ----------
    model : object
    features : DataFrame
    shifts : mapping of str to float
        What is added to each column.
    expect : {'up', 'down', 'same'}
    share : float
        Share that must go that way, of the rows whose prediction changes at all.

    Raises
    ------
    UsageError
        If a column is missing or holds no numbers, or nothing is shifted.
    """
    import pandas

    if not shifts:
        raise UsageError("which column shifts?", 'Name it: `check.directional(temp=0.1, expect="up")`')
    if expect not in ("up", "down", "same"):
        raise UsageError(f"{expect!r} is no direction", "Expect up, down or same")
    changed = features.copy()
    for name, amount in shifts.items():
        if name not in changed.columns:
            raise UsageError(
                f"the model has no column {name!r}", f"Its columns: {', '.join(changed.columns)}"
            )
        if not pandas.api.types.is_numeric_dtype(changed[name]):
            raise UsageError(f"{name} holds no numbers, so nothing can be added to it")
        changed[name] = changed[name] + amount
    before, after = level(model, features), level(model, changed)
    still = same(before, after)
    moved = int((~still).sum())
    words = ", ".join(
        f"{name} {'+' if amount >= 0 else '−'}{abs(amount):g}" for name, amount in shifts.items()
    )
    title = f"directional {' '.join(sorted(shifts))}"
    evidence = {"rows": len(before), "moved": moved}
    if expect == "same":
        value = float(still.mean())
        why = f"{value:.1%} of {len(before):,} rows keep their prediction when {words}"
        return Finding(title, "passed" if value >= share else "failed", why, value, share, evidence=evidence)
    if not moved:
        return Finding(
            title, "failed", f"no prediction moves when {words}: the model does not use it", evidence=evidence
        )
    right = (after > before) if expect == "up" else (after < before)
    value = float((right & ~still).sum() / moved)
    why = f"{value:.1%} of the {moved:,} predictions that move go {expect} when {words}"
    return Finding(title, "passed" if value >= share else "failed", why, value, share, evidence=evidence)


def deterministic(model: Any, features: pandas.DataFrame) -> Finding:
    """Test that the same rows get the same answers: asked again, and in another order."""
    import numpy as np

    first = np.asarray(model.predict(features))
    again = same(first, model.predict(features), 0.0)
    if not again.all():
        why = f"{int((~again).sum()):,} of {len(first):,} rows get another answer when asked again"
        return Finding("deterministic", "failed", why, mend="Fix its random state")
    turned = np.asarray(model.predict(features.iloc[::-1]))[::-1]
    order = same(first, turned)
    if not order.all():
        why = f"{int((~order).sum()):,} of {len(first):,} rows get another answer in another order"
        return Finding("deterministic", "failed", why, mend="An answer must depend on its own row alone")
    return Finding("deterministic", "passed", f"{len(first):,} rows, asked three times")
