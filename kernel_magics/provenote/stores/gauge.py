"""Progress of something long: told at most ten times a second, and not at all when it was short."""

from __future__ import annotations

import time
from typing import Literal

from provenote.events import Progress, Tell

PATIENCE = 0.4
"""Seconds before anything is told."""


class Gauge:
    """Counts what is done and tells it.

    Parameters
    ----------
    tell : Tell
        Who listens.
    label : str
        What is being done.
    unit : str
        ``bytes``, ``files`` or ``rows``.
    total : float, optional
        How much there is to do; None when unknown.
    at_once : bool
        Tell from the start: it waits for others, so nobody knows how long it takes.
    """

    def __init__(
        self,
        tell: Tell,
        label: str,
        unit: str = "bytes",
        total: float | None = None,
        *,
        at_once: bool = False,
    ) -> None:
        self.tell, self.label, self.unit, self.total = tell, label, unit, total
        self.done = 0.0
        self._told = at_once
        self._next = time.monotonic() + PATIENCE
        if at_once:
            self.tell(Progress(label, 0, total, unit))

    def add(self, amount: float) -> None:
        """Count ``amount`` more."""
        self.done += amount
        now = time.monotonic()
        if now >= self._next:
            self._told, self._next = True, now + 0.1
            self.tell(Progress(self.label, self.done, self.total, self.unit))

    def end(self, state: Literal["done", "failed"] = "done", detail: str = "") -> None:
        """Close the line, if there is one."""
        if self._told:
            self.tell(Progress(self.label, self.done, self.total, self.unit, state, detail))
