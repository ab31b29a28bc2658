"""Rows of what differs between runs: parameters, metrics, what is known of each. Pure, on sides.

A row holds one value a run. Two values are the same when a reader would say so: ``1`` and ``1.0`` are, a
flag and a number are not, NaN equals NaN. A run that lacks a key differs from one that has null there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from provenote.compare import columns, numbers
from provenote.compare.sides import Side


class _Absent:
    """Says that a run has no such key."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()


@dataclass(frozen=True, slots=True)
class Item:
    """One key with the value of each run, `ABSENT` where a run has none; the baseline's comes first."""

    key: str
    values: tuple[Any, ...]

    @property
    def same(self) -> bool:
        """Whether all runs have the same."""
        return all(equal(self.values[0], value) for value in self.values[1:])


@dataclass(frozen=True, slots=True)
class Section:
    """Keys of one kind, those that are the same in all runs among them."""

    items: tuple[Item, ...]

    @property
    def differing(self) -> tuple[Item, ...]:
        """The keys in which a run differs from the baseline."""
        return tuple(item for item in self.items if not item.same)

    @property
    def identical(self) -> int:
        """How many keys are the same in all runs."""
        return len(self.items) - len(self.differing)


def equal(one: Any, other: Any) -> bool:
    """Tell whether two recorded values are the same for a reader."""
    if one is ABSENT or other is ABSENT:
        return one is other
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    left, right = numbers.number(one), numbers.number(other)
    if left is not None and right is not None:
        return left == right or (left != left and right != right)
    if isinstance(one, (list, Mapping)) and isinstance(other, (list, Mapping)):
        return _canonical(one) == _canonical(other)
    return bool(one == other)


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def section(maps: Sequence[Mapping[str, Any]], order: Iterable[str] | None = None) -> Section:
    """Lay maps beside each other by their keys.

    Parameters
    ----------
    maps : sequence of mapping
        One a run, the baseline's first.
    order : iterable of str, optional
        The keys in their order; by default as they come first.
    """
    keys = list(dict.fromkeys(key for values in maps for key in values)) if order is None else list(order)
    return Section(tuple(Item(key, tuple(values.get(key, ABSENT) for values in maps)) for key in keys))


def params(sides: Sequence[Side]) -> Section:
    """Compare the parameters, nested keys joined by dots."""
    return section([columns.flat(side.row.params) for side in sides])


def metrics(sides: Sequence[Side]) -> Section:
    """Compare the last values of metrics; those whose name tells which way is better come first."""
    found = section([columns.flat(side.row.metrics) for side in sides])
    ranked = sorted(found.items, key=lambda item: not numbers.direction(item.key))
    return Section(tuple(ranked))


def change(key: str, value: Any, base: Any) -> tuple[float | None, bool | None]:
    """Return how far a metric is from the baseline's, and whether that is better (None: unknown)."""
    new, old = numbers.number(value), numbers.number(base)
    if new is None or old is None:
        return None, None
    try:
        far = float(new) - float(old)
    except OverflowError:
        return None, None
    return (far if math.isfinite(far) else None), numbers.better(key, value, base)


def about(sides: Sequence[Side]) -> Section:
    """Compare how the runs stand and where they ran: state, order of cells, host, Python, threads."""
    return section([_about(side) for side in sides])


def _about(side: Side) -> dict[str, Any]:
    row, document = side.row, side.document
    machine = document.get("machine")
    machine = machine if isinstance(machine, Mapping) else {}
    ended = row.ended is not None
    stale = document.get("stale_modules") or ()
    evidence = document.get("evidence")
    script = isinstance(evidence, Mapping) and "script" in evidence  # a kernel's command says nothing
    facts: dict[str, Any] = {
        "status": row.status,
        "reason": row.reason,
        "order of cells": row.linearity if row.status not in ("running", "queued") else None,
        "reproduced": row.reproduced,
        "stale modules": ", ".join(sorted(map(_module, stale))),
        "notebook": document.get("notebook"),
        "notebook on disk": document.get("disk") if document.get("notebook") and ended else None,
        "command": " ".join(map(str, document.get("command") or ())) if script else "",
        "reason of change": document.get("why"),
        "branch": document.get("branch"),
        "baseline": row.baseline[:12],
        "by": document.get("user"),
        "host": document.get("host"),
        "Python": document.get("python"),
        "platform": machine.get("platform"),
        "processors": machine.get("cpus"),
        "threads": _threads(machine.get("threads")),
        "hash seed": machine.get("hash_seed"),
        "GPU driver": machine.get("gpu_driver"),
        **{
            f"artifact {name}": f"{numbers.size(one.get('size'))}, md5 {str(one.get('md5'))[:12]}"
            for name, one in sorted((document.get("artifacts") or {}).items())
            if isinstance(one, Mapping)
        },
    }
    return {key: value for key, value in facts.items() if value not in (None, "")}


def _module(module: Any) -> str:
    return str(module.get("module") or module.get("name")) if isinstance(module, Mapping) else str(module)


def _threads(limits: Any) -> str:
    """Say the limits of threads in short: one number where all libraries have the same."""
    if not isinstance(limits, Mapping) or not limits:
        return ""
    if len(set(limits.values())) == 1 and len(limits) > 1:
        return f"{next(iter(limits.values()))} in each of {len(limits)} libraries"
    return ", ".join(f"{name}={count}" for name, count in limits.items())
