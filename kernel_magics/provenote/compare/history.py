"""What past runs of this machine saw of its disk: the points that a forecast stands on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from provenote.tracking import forecast as forecasting
from provenote.tracking.forecast import Forecast

if TYPE_CHECKING:
    from provenote.workspace import Workspace

MB = 1_000_000


def forecast(workspace: Workspace, free: float, now: float | None = None) -> Forecast:
    """Tell when the disk of the project is full, if runs go on as they did.

    Parameters
    ----------
    workspace : Workspace
    free : float
        Bytes free now.
    now : float, optional
        Seconds since 1970.
    """
    now = time.time() if now is None else now
    return forecasting.full(points(workspace, now), free, now)


def points(workspace: Workspace, now: float) -> list[tuple[float, float]]:
    """Return when the last runs of this machine ended and how many bytes were free then.

    Only so many runs are read as a forecast looks at, the newest of the time that counts.
    """
    from provenote.stores import index, live

    since = now - forecasting.LONGEST * forecasting.DAY
    rows = [
        row
        for row in index.rows(workspace, everything=True)[0]
        if row.commit is not None and row.ended is not None and row.ended >= since
    ]
    found: list[tuple[float, float]] = []
    for row in sorted(rows, key=lambda row: row.started, reverse=True)[: forecasting.MOST]:
        document = index.document(workspace, str(row.commit))
        resources = document.get("resources")
        free = resources.get("disk_free_mb") if isinstance(resources, Mapping) else None
        if document.get("host") == live.HOST and isinstance(free, (int, float)) and row.ended is not None:
            found.append((row.ended, free * MB))
    return found
