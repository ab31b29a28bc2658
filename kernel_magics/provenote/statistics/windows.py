"""Windows of time: rows cut into stretches of one length, which begin at whole days where they can."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from provenote.statistics.frame import Array, Frame

DAY = 86_400


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time.

    Parameters
    ----------
    begin, end : int
        Seconds since 1970 in the data's own clock; the end is not in it.
    rows : slice
        Its rows in the frame that was cut.
    """

    begin: int
    end: int
    rows: slice

    def __len__(self) -> int:
        """Count its rows."""
        return int(self.rows.stop - self.rows.start)

    @property
    def name(self) -> str:
        """Its begin: a date, with the time where it is not midnight."""
        return stamp(self.begin)


def stamp(seconds: int) -> str:
    """Return a moment as ``2012-10-29`` or ``2012-10-29T06:00``."""
    text = str(np.datetime64(seconds, "s").astype("datetime64[m]"))
    return text.removesuffix("T00:00")


def unit(length: int) -> int:
    """Return at which seconds a window of this length may begin: whole days, else whole hours."""
    return DAY if length % DAY == 0 else min(length, 3600)


def cut(frame: Frame, length: int, *, start: int | None = None) -> list[Window]:
    """Cut a frame whose rows are in the order of time.

    Parameters
    ----------
    frame : Frame
        With times.
    length : int
        Seconds.
    start : int, optional
        Where a window begins, also one before or after the rows; default: the day (or, for windows that are
        no whole days, the hour) of the first row.

    Returns
    -------
    list of Window
        From the one that holds the first row to the one that holds the last; those between may be empty.
    """
    if frame.times is None or not len(frame):
        return []
    seconds = frame.times.astype("datetime64[s]").astype(np.int64)
    first, last = int(seconds[0]), int(seconds[-1])
    edge = unit(length)
    anchor = first // edge * edge if start is None else start
    begin = anchor + (first - anchor) // length * length
    edges = np.arange(begin, last + length + 1, length, dtype=np.int64)
    places = np.searchsorted(seconds, edges, "left")
    found = [
        Window(int(low), int(low) + length, slice(int(a), int(b)))
        for low, a, b in zip(edges[:-1], places[:-1], places[1:], strict=True)
    ]
    while found and not len(found[-1]):
        found.pop()
    return found


def step(times: Array) -> int | None:
    """Return the seconds between two rows of a regular series, None where rows come as they come.

    Regular: nine of ten steps between different times are the same, and few rows share a time.
    """
    seconds = np.unique(times.astype("datetime64[s]").astype(np.int64))
    if len(seconds) < 10 or len(seconds) < 0.9 * len(times):
        return None
    steps = np.diff(seconds)
    kinds, found = np.unique(steps, return_counts=True)
    place = int(found.argmax())
    return int(kinds[place]) if found[place] >= 0.9 * len(steps) else None
