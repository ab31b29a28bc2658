"""What somebody asks of ``provenote test``, as parameters of the template ``test-model``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from provenote.errors import UsageError

if TYPE_CHECKING:
    from provenote.checks.verdict import Verdict
    from provenote.workspace import Workspace

_OPTIONS = {
    "data": "on",
    "least": "min",
    "most": "max",
    "slices": "slice",
    "stage": "against",
    "p95_ms": "p95-ms",
}


def of_template(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that were given, as the template takes them.

    Raises
    ------
    UsageError
        If a bound is none.
    """
    found = {name: value for name, value in given.items() if value is not None}
    for name in ("least", "most"):
        if name in found:
            found[name] = bounds(found[name], f"--{_OPTIONS[name]}")
    if found.get("stage") == "none":
        found["stage"] = ""
    for name in ("worst", "p95_ms", "mb"):
        if name in found:
            found[name] = float(found[name])
    return found


def bounds(given: Sequence[str], option: str) -> dict[str, float]:
    """Read ``r2=0.85``, several of them.

    Raises
    ------
    UsageError
        If one is no metric with a number.
    """
    found = {}
    for one in given:
        metric, _, limit = one.partition("=")
        try:
            found[metric.strip()] = float(limit)
        except ValueError:
            raise UsageError(f"{one!r} is no metric with its bound", f"Write `{option} r2=0.85`") from None
        if not metric.strip():
            raise UsageError(f"{one!r} names no metric", f"Write `{option} r2=0.85`")
    return found


def option(parameter: str) -> str:
    """Return the option that gives a parameter of the template."""
    return _OPTIONS.get(parameter, parameter)


def kept(workspace: Workspace, name: str) -> Verdict | None:
    """Return the verdict of a past test, if the name is that of its run; None if it is another word."""
    from provenote.jobs import cases
    from provenote.stores import index

    if "@" in name:
        return None
    every, _ = index.rows(workspace, everything=True)
    row = next((one for one in every if name in (one.name, one.id)), None)
    if row is None or row.commit is None:
        return None
    return cases.of_document(index.document(workspace, row.commit))
