"""Progress of something long, told at most ten times a second."""

from __future__ import annotations

import time
from typing import Literal

from provenote.events import Progress, Tell


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
    """

    def __init__(self, tell: Tell, label: str, unit: str = "bytes", total: float | None = None) -> None:
        self.tell, self.label, self.unit, self.total = tell, label, unit, total
        self.done = 0.0
        self._last = 0.0

    def add(self, amount: float) -> None:
        """Count ``amount`` more."""
        self.done += amount
        now = time.monotonic()
        if now - self._last >= 0.1:
            self._last = now
            self.tell(Progress(self.label, self.done, self.total, self.unit))

    def end(self, state: Literal["done", "failed"] = "done", detail: str = "") -> None:
        """Close the line."""
        self.tell(Progress(self.label, self.done, self.total, self.unit, state, detail))
