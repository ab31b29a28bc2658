"""Wait until descriptors can be read, whatever their numbers: ``select`` fails from 1,024 on."""

from __future__ import annotations

import math
import select
from collections.abc import Iterable


def readable(descriptors: Iterable[int], seconds: float | None = None) -> list[int]:
    """Return those that can be read, or whose other end is gone.

    Parameters
    ----------
    descriptors : iterable of int
    seconds : float, optional
        How long to wait for the first; for ever by default.
    """
    waiting = select.poll()
    for descriptor in descriptors:
        waiting.register(descriptor, select.POLLIN)
    found = waiting.poll(None if seconds is None else math.ceil(seconds * 1000))
    return [descriptor for descriptor, _ in found]
