"""A reproduction that came to its verdict: what it stood on, what came out, its report as data. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.model import SCHEMA
from provenote.reproducing.verdict import CellDifference, Gave, Metric, Verdict

if TYPE_CHECKING:
    from provenote.model import Row
    from provenote.reproducing.source import Source


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a reproduction stands on.

    Parameters
    ----------
    data : tuple of str
        Versioned data that were put in place.
    absent : tuple of str
        Files that were not there.
    environment : tuple of str
        What is different in the environment, what the run imported first.
    imported : int
        How many of these the run imported.
    compared : str
        ``same``, ``differs``, ``built`` (of the run's own lock) or ``unknown`` (the run kept no lock).
    """

    data: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    imported: int = 0
    compared: str = "unknown"


@dataclass(frozen=True, slots=True)
class Reproduction:
    """A reproduction that came to its verdict.

    Parameters
    ----------
    row : Row
        The run.
    document : dict
        Its ``run.json``.
    source : Source
        What was run again.
    gave : Gave
        What that gave.
    verdict : Verdict
    around : Surroundings
    artifacts : dict of str to str
        What it kept, by name: ``same``, ``differs`` in its bytes, ``gone`` or ``new``. Told, not judged:
        many formats write the time into a file.
    reasons : tuple of str
        Why it may differ; empty where it does not.
    tolerances : dict of str to str
        As they were given.
    evidence : str
        SHA-256 of the report that the annotation names.
    seconds : float
        How long it took.
    folder : Path or None
        Where it was kept.
    """

    row: Row
    document: Mapping[str, Any]
    source: Source
    gave: Gave
    verdict: Verdict
    around: Surroundings
    artifacts: Mapping[str, str]
    reasons: tuple[str, ...]
    tolerances: Mapping[str, str]
    evidence: str
    seconds: float
    folder: Path | None = None


def artifacts(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, str]:
    """Compare what two runs kept, from their ``run.json``, by the hash of the bytes."""
    old = {name: one.get("md5") for name, one in (then.get("artifacts") or {}).items()}
    new = {name: one.get("md5") for name, one in (now.get("artifacts") or {}).items()}

    def word(name: str) -> str:
        if name not in new or name not in old:
            return "gone" if name in old else "new"
        return "same" if old[name] == new[name] else "differs"

    return {name: word(name) for name in sorted({*old, *new})}


def report(made: Reproduction) -> dict[str, Any]:
    """Return a reproduction as plain JSON data: what the annotation's ``evidence`` is the SHA-256 of."""
    return {
        "schema": SCHEMA,
        "run": made.row.name,
        "id": made.row.id,
        "commit": made.row.commit,
        "verdict": made.verdict.word,
        "tolerance": dict(made.tolerances),
        "kind": made.source.kind,
        "path": made.source.path,
        "status": {"then": made.verdict.then, "now": made.verdict.now, "reason": made.gave.reason or None},
        "metrics": [_metric_data(metric) for metric in made.verdict.metrics],
        "cells": {
            "compared": made.verdict.compared,
            "different": [_cell_data(found) for found in made.verdict.cells],
        },
        "environment": {"is": made.around.compared, "differences": list(made.around.environment)},
        "data": list(made.around.data),
        "absent": list(made.around.absent),
        "artifacts": dict(made.artifacts),
        "remarks": list(made.source.remarks),
        "linearity": made.row.linearity,
        "reasons": list(made.reasons),
        "seconds": made.seconds,
        "folder": str(made.folder) if made.folder else None,
    }


def _metric_data(metric: Metric) -> dict[str, Any]:
    return {
        "key": metric.key,
        "then": metric.then,
        "now": metric.now,
        "is": metric.grade,
        "points": metric.points,
        "points_off": metric.off_points,
    }


def _cell_data(found: CellDifference) -> dict[str, Any]:
    return {
        "cell": found.number,
        "id": (found.now or found.then).id if found.now or found.then else None,  # type: ignore[union-attr]
        "near": found.near,
        "then": found.then.text[:2000] if found.then else None,
        "now": found.now.text[:2000] if found.now else None,
        "failed": _error(found.now.outputs if found.now else ()),
    }


def _error(outputs: Sequence[Any]) -> str | None:
    return next((str(one.name) for one in outputs if one.kind == "error"), None)
