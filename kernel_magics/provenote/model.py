"""The nouns: frozen dataclasses and the words they use. Plain data, no input, no output."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

SCHEMA = 1
"""Version of every stored format of this release."""

Status = Literal["queued", "running", "finished", "failed", "killed"]
Linearity = Literal["linear", "rerun", "out-of-order", "unknown"]
REASONS = (
    "new data",
    "new method",
    "self-training",
    "embedded elsewhere",
    "repair of damage",
    "storage move",
    "agreement change",
)
"""The seven reasons of a change of a model."""


def is_sweep(id: str | None) -> bool:
    """Whether an id is that of a sweep: the 64 hexadecimal digits of its specification, which no run has."""
    return id is not None and len(id) == 64 and not set(id) - set("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Row:
    """One run as every face shows it: an element of ``runs --json``.

    Parameters
    ----------
    id : str
        The run's id, for ever.
    name : str
        Last part of its ref (slug and four characters); follows ``dvc exp rename``.
    label : str
        The name as it was given.
    status : Status
        ``queued``, ``running``, ``finished``, ``failed`` or ``killed``.
    reason : str or None
        More about the status: ``KeyboardInterrupt``, ``timed_out``, ``ValueError: ...``.
    started, ended : float or None
        Seconds since 1970, UTC.
    params, metrics : dict
        Parameters (nested as logged) and the last value of each metric; NaN and infinity as strings.
    tags : list of str
    starred : bool
    notes : list of str
    archived : bool
    linearity : Linearity
    reproduced : str or None
        Verdict of a reproduction, None when nobody tried.
    parent : str or None
        Id of the run or the sweep that this one belongs to; a sweep has no row of its own.
    commit : str or None
        Commit of the run; None while it runs.
    baseline : str
        Commit that the work tree stood on.
    cost : float or None
        What it cost by the prices that the project had, in ``currency``; None without a price.
    currency : str
    """

    id: str
    name: str
    label: str
    status: Status
    reason: str | None
    started: float
    ended: float | None
    params: dict[str, Any]
    metrics: dict[str, Any]
    baseline: str
    commit: str | None = None
    parent: str | None = None
    linearity: Linearity = "unknown"
    reproduced: str | None = None
    tags: list[str] = field(default_factory=list)
    starred: bool = False
    notes: list[str] = field(default_factory=list)
    archived: bool = False
    cost: float | None = None
    currency: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain data, in the order of the fields."""
        return asdict(self)
