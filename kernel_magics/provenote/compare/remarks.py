"""What of a run's resources is worth a word: a limit of the project that it went over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from provenote import config
from provenote.compare.numbers import size
from provenote.config import Limits
from provenote.tracking import costs

if TYPE_CHECKING:
    from provenote.workspace import Workspace

MB = 1_000_000


def of(figures: Mapping[str, Any], limits: Limits) -> list[str]:
    """Return a line for each limit that a run went over.

    Parameters
    ----------
    figures : mapping
        As `provenote.tracking.resources.Sampler.figures` gives them.
    limits : Limits
    """
    found = []
    free = _number(figures, "disk_free_mb")
    if free is not None and (low := disk(free * MB, limits)):
        found.append(low)
    share, most = _number(figures, "memory_share"), _number(figures, "memory_limit_mb")
    if share is not None and most and share > limits.memory_share:
        by = "its control group allows" if figures.get("memory_limit_by") == "control group" else "are there"
        found.append(
            f"it had {share:.0%} of the {size(most * MB)} of memory that {by}, more than "
            f"{limits.memory_share:.0%} (`memory_share`)"
        )
    cost = figures.get("cost")
    amount = _number(cost, "amount") if isinstance(cost, Mapping) else None
    if amount is not None and isinstance(cost, Mapping) and 0 < limits.run_cost < amount:
        currency = str(cost.get("currency") or "")
        found.append(
            f"it cost {costs.text(amount, currency)}, more than {costs.text(limits.run_cost, currency)} "
            "(`run_cost`)"
        )
    return found


def of_run(workspace: Workspace, commit: str | None) -> list[str]:
    """Return a line for each limit that a finished run went over."""
    from provenote.stores import index

    if commit is None:
        return []
    resources = index.document(workspace, commit).get("resources")
    limits = config.load(workspace.dvc_root).limits
    return of(resources, limits) if isinstance(resources, Mapping) else []


def disk(free: float, limits: Limits) -> str:
    """Say that a disk has less room than the project wants, in bytes; empty where it has enough."""
    if free >= limits.disk_free_min * 1e9:
        return ""
    return f"{size(free)} free on the disk, less than {limits.disk_free_min:g} GB (`disk_free_min`)"


def _number(figures: Mapping[str, Any], key: str) -> float | None:
    value = figures.get(key)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
