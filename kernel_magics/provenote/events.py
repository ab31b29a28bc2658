"""The one stream of progress: the core tells, a face draws.

Core functions that may take longer than half a second accept ``tell``, a callable that receives
`Progress` events. The terminal draws bars from them, the notebook a widget, the sidebar a live row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of something that takes a while.

    Parameters
    ----------
    label : str
        What is being done, in the user's words ("hash data/hour.csv").
    done, total : float
        How far it is, in ``unit``; ``total`` is None when unknown.
    unit : str
        ``bytes``, ``files``, ``rows``, ``jobs``, ``steps``.
    state : {'running', 'done', 'failed'}
        ``done`` and ``failed`` close the line named ``label``.
    detail : str
        More words for the same line, e.g. the best run so far.
    """

    label: str
    done: float = 0
    total: float | None = None
    unit: str = "steps"
    state: Literal["running", "done", "failed"] = "running"
    detail: str = ""


Tell = Callable[[Progress], None]


def silent(event: Progress) -> None:
    """Ignore a progress event: the default listener."""
