"""When the disk is full, by what the runs of this machine saw of it. Pure.

The slope is the median of the slopes between all pairs of points (Theil 1950, Sen 1968): a few runs that
cleaned up, or filled the disk for an hour, do not move it. It is called a trend only where nearly all of the
middle of these slopes falls: else nothing is said. Too few points, or too short a time, are not judged.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

DAY = 86_400.0
FEWEST = 8
"""Points below which nothing is judged."""
SHORTEST = 2.0
"""Days below which nothing is judged."""
LONGEST = 60.0
"""Days of the past that count."""
MOST = 200
"""Points of which the slopes are taken: the last ones."""
FAR = 3650.0
"""Days beyond which nobody plans."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is known of the time that is left.

    Parameters
    ----------
    state : {'filling', 'steady', 'not judged'}
    days : float or None
        Until the disk is full, at the usual rate.
    sooner : float or None
        At the rate of the faster quarter of the past.
    rate : float
        Bytes a day, positive when it fills.
    why : str
        How many points over which time.
    """

    state: Literal["filling", "steady", "not judged"]
    days: float | None = None
    sooner: float | None = None
    rate: float = 0.0
    why: str = ""


def full(points: Sequence[tuple[float, float]], free: float, now: float) -> Forecast:
    """Tell when a disk is full.

    Parameters
    ----------
    points : sequence of (float, float)
        Seconds since 1970, and bytes free then; in any order.
    free : float
        Bytes free now.
    now : float
        Seconds since 1970.
    """
    known = sorted((when, left) for when, left in points if now - LONGEST * DAY <= when <= now)[-MOST:]
    span = (known[-1][0] - known[0][0]) / DAY if known else 0.0
    why = f"{len(known)} {'run' if len(known) == 1 else 'runs'} over {span:.1f} days"
    if len(known) < FEWEST or span < SHORTEST:
        return Forecast("not judged", why=why)
    shortest = span * DAY / 20  # of two runs at nearly one moment the slope is noise
    slopes = sorted(
        (known[b][1] - known[a][1]) / (known[b][0] - known[a][0])
        for a in range(len(known))
        for b in range(a + 1, len(known))
        if known[b][0] - known[a][0] >= shortest
    )
    middle = statistics.median(slopes)
    low, high = slopes[len(slopes) // 4], slopes[(3 * len(slopes)) // 4]
    rate = -middle * DAY
    if high >= 0 or rate <= 0 or free / rate > FAR:
        return Forecast("steady", rate=rate, why=why)
    return Forecast("filling", free / rate, free / (-low * DAY), rate, why)
