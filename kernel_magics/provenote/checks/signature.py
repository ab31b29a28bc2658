"""What a model takes and what it gives: columns, types, order, gaps, and one row as in a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from provenote.checks.behaviour import same
from provenote.checks.rows import columns_of
from provenote.checks.subject import kind_of
from provenote.checks.verdict import Finding
from provenote.errors import UsageError

if TYPE_CHECKING:
    import pandas

ROWS = 200
"""Rows that it is asked about."""
EACH = 12
"""Rows that are asked about one by one."""


def signature(model: Any, features: pandas.DataFrame) -> Finding:
    """Test a model's signature: each point is told, the first that is wrong decides.

    - it knows its columns, and these rows have them, in its order;
    - a missing column is refused, a column too many is refused or changes nothing;
    - other order and wider numbers are refused or change nothing;
    - text where numbers belong is refused;
    - a gap is refused or gives a number, never NaN;
    - one row gets the same answer as in a batch;
    - there is one answer a row, a finite number or one of its classes.
    """
    if not len(features):
        raise UsageError("there is no row to ask the model about")
    asked = features.head(ROWS)
    said = model.predict(asked)
    if len(said) != len(asked):
        words = f"{len(said):,} answers for {len(asked):,} rows"
        points = [{"point": "answers", "passed": False, "found": words}]
        return Finding("signature", "failed", f"answers: {words}", evidence={"points": points})
    told: list[tuple[str, bool, str]] = [
        ("answers", *_answers(model, said)),
        ("columns", *_columns(model, asked)),
        ("one row", *_one_by_one(model, asked, said)),
        ("missing column", *_missing(model, asked)),
        ("unknown column", *_changed(model, asked.assign(**{_unknown(asked): 0}), said)),
    ]
    if asked.shape[1] > 1:
        told.append(("order of columns", *_changed(model, asked[asked.columns[::-1]], said)))
    numbers = list(asked.select_dtypes("number").columns)
    if numbers:
        wide = asked.astype(dict.fromkeys(numbers, "float64"))
        told.append(("wider numbers", *_changed(model, wide, said)))
        told.append(("text for a number", *_text(model, asked, numbers[0])))
        told.append(("gaps", *_gaps(model, asked, numbers[0])))
    wrong = [(name, words) for name, well, words in told if not well]
    points = [{"point": name, "passed": well, "found": words} for name, well, words in told]
    if wrong:
        why = "; ".join(f"{name}: {words}" for name, words in wrong[:3])
        return Finding("signature", "failed", why, mend="", evidence={"points": points})
    gaps = next((words for name, _, words in told if name == "gaps"), "")
    why = f"{len(told)} points" + (f"; a gap {gaps}" if gaps else "")
    return Finding("signature", "passed", why, evidence={"points": points})


def _answers(model: Any, said: Any) -> tuple[bool, str]:
    import numpy as np

    found = np.asarray(said)
    if kind_of(model) == "classifier":
        strange = set(found.reshape(-1).tolist()) - set(
            np.asarray(getattr(model, "classes_", found)).tolist()
        )
        return (
            not strange,
            f"answers that are no class of its: {sorted(map(str, strange))[:3]}" if strange else "",
        )
    if found.dtype.kind not in "fiub" or not np.isfinite(found.astype(float)).all():
        return False, "answers that are no finite numbers"
    return True, f"{len(found):,} finite numbers"


def _columns(model: Any, asked: pandas.DataFrame) -> tuple[bool, str]:
    known = columns_of(model)
    if known is None:
        return False, "it does not know the names of its columns: fit it on a DataFrame"
    if known != [str(name) for name in asked.columns]:
        return False, f"it was fitted on {', '.join(known[:8])}, and was given {', '.join(asked.columns[:8])}"
    return True, f"{len(known)} columns"


def _one_by_one(model: Any, asked: pandas.DataFrame, said: Any) -> tuple[bool, str]:
    import numpy as np

    places = np.unique(np.linspace(0, len(asked) - 1, EACH).astype(int))
    alone = np.concatenate([np.asarray(model.predict(asked.iloc[[place]])) for place in places])
    alike = same(alone, np.asarray(said)[places])
    return bool(
        alike.all()
    ), f"{int((~alike).sum())} of {len(places)} rows get another answer than in a batch"


def _missing(model: Any, asked: pandas.DataFrame) -> tuple[bool, str]:
    refused = _refusal(lambda: model.predict(asked.iloc[:, 1:]))
    return refused is not None, "refused" if refused else f"rows without {asked.columns[0]} are answered"


def _changed(model: Any, other: pandas.DataFrame, said: Any) -> tuple[bool, str]:
    """Whether rows in another form are refused, or get the same answers."""
    found: list[Any] = []
    refused = _refusal(lambda: found.append(model.predict(other)))
    if refused is not None:
        return True, "refused"
    alike = same(found[0], said)
    return bool(alike.all()), "ignored" if alike.all() else f"{int((~alike).sum()):,} answers change silently"


def _text(model: Any, asked: pandas.DataFrame, name: str) -> tuple[bool, str]:
    wrong = asked.copy()
    wrong[name] = ["no number", *wrong[name].tolist()[1:]]
    refused = _refusal(lambda: model.predict(wrong))
    return refused is not None, "refused" if refused else f"text in {name} is answered"


def _gaps(model: Any, asked: pandas.DataFrame, name: str) -> tuple[bool, str]:
    import numpy as np

    holed = asked.copy()
    holed[name] = [float("nan"), *map(float, holed[name].tolist()[1:])]
    found: list[Any] = []
    if _refusal(lambda: found.append(model.predict(holed))) is not None:
        return True, "is refused"
    said = np.asarray(found[0])
    if said.dtype.kind == "f" and not np.isfinite(said).all():
        return False, f"a gap in {name} is answered with NaN"
    return True, "is answered"


def _unknown(asked: pandas.DataFrame) -> str:
    name = "unknown_column"
    while name in asked.columns:
        name += "_"
    return name


def _refusal(ask: Callable[[], object]) -> Exception | None:
    """Return how a request was refused; None if it was not."""
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ask()
    except Exception as error:  # any refusal is one
        return error
    return None
