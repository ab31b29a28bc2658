"""The grid of a sweep: which values each parameter takes, and every combination of them. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from provenote.errors import UsageError
from provenote.jobs import draws, kinds, parameters
from provenote.jobs.draws import Axis
from provenote.jobs.parameters import MISSING, Parameter

LIMIT = 10_000  # jobs of one sweep


def axes(
    given: Sequence[str] | Mapping[str, Any],
    known: Sequence[Parameter],
    names: Mapping[str, Any] | None = None,
) -> dict[str, Axis]:
    """Return the values of each axis, checked.

    Parameters
    ----------
    given : sequence of str or mapping
        ``name=v1,v2`` as typed, or ``{name: values}``. A list holds values with commas:
        ``name=["a,b", "c"]``. A range (`provenote.jobs.draws`) stays one: ``name=2..9``.
    known : sequence of Parameter
        What the notebook declares.
    names : mapping, optional
        The notebook's namespace: an axis may then be an expression over it, as ``depth=range(2, 9)``.

    Raises
    ------
    UsageError
        If a name is unknown or given twice, an axis is empty, or a value has another type.
    """
    found: dict[str, Axis] = {}
    pairs = list(given.items()) if isinstance(given, Mapping) else [parameters.split(text) for text in given]
    for name, what in pairs:
        parameter = parameters.find(str(name), known)
        if name in found:
            raise UsageError(f"axis {name} is given twice", f"Give all its values at once: `-g {name}=v1,v2`")
        span = draws.read(parameter, what) if isinstance(what, str) else None
        if span is not None:
            found[name] = span
            continue
        values = _typed(parameter, what, names) if isinstance(what, str) else _listed(parameter, what)
        # Equal values would be one job twice; True and 1 are not equal here.
        found[name] = list({(type(value).__name__, repr(value)): value for value in values}.values())
        if not found[name]:
            raise UsageError(f"axis {name} has no value", f"Give at least one: `-g {name}=v1,v2`")
    return found


def combinations(grid: Mapping[str, Axis], fixed: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the parameters of every job: the last axis varies fastest.

    Raises
    ------
    UsageError
        If a parameter is both fixed and an axis, an axis has no end of values, or there are more than `LIMIT`
        jobs.
    """
    apart(grid, fixed)
    listed = {name: draws.spread(name, axis) for name, axis in grid.items()}
    count = 1
    for values in listed.values():
        count *= len(values)
    if count > LIMIT:
        raise UsageError(
            f"the grid has {count:,} jobs, and a sweep at most {LIMIT:,}", "Take values out of an axis"
        )
    return [
        {**fixed, **dict(zip(grid, choice, strict=True))} for choice in itertools.product(*listed.values())
    ]


def apart(grid: Mapping[str, Axis], fixed: Mapping[str, Any]) -> None:
    """Check that no parameter is both fixed and an axis.

    Raises
    ------
    UsageError
        If one is.
    """
    both = sorted(set(grid) & set(fixed))
    if both:
        raise UsageError(f"parameter {both[0]} is both fixed and an axis", "Give it by -p or by -g")


def _typed(parameter: Parameter, text: str, names: Mapping[str, Any] | None) -> list[Any]:
    found = parameters.expression(text, names)
    if found is not MISSING:
        return _listed(parameter, found)
    stripped = text.strip()
    if stripped.startswith("["):
        whole = _as_list(stripped)
        if whole is not None:
            try:
                return [parameters.checked(parameter, item) for item in whole]
            except UsageError:
                if parameter.kind.name not in ("list", "any"):
                    raise
    return [parameters.value_of(parameter, part, names) for part in pieces(text)]


def _as_list(text: str) -> list[Any] | None:
    try:
        value = kinds.literal(text)
    except ValueError:
        return None
    return value if isinstance(value, list) else None


def _listed(parameter: Parameter, what: Any) -> list[Any]:
    if isinstance(what, (str, bytes, Mapping)) or not hasattr(what, "__iter__"):
        return [parameters.checked(parameter, what)]
    return [parameters.checked(parameter, item) for item in what]


def pieces(text: str) -> list[str]:
    """Split at the commas outside brackets and quotes."""
    found, depth, quote, current = [], 0, "", ""
    for char in text:
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        if char == "," and not quote and depth <= 0:
            found.append(current)
            current = ""
        else:
            current += char
    return [piece.strip() for piece in [*found, current] if piece.strip()]
