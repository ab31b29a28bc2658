"""Follow the event file of a running run: read what is new, keep what a curve can show.

It never holds up the cell that writes: a tick reads a bounded number of lines (of more, an even random
sample and the newest ones), and a curve is halved when it grows beyond what a screen can show.
"""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

from provenote.compare.columns import flat
from provenote.compare.numbers import number

LINES = 2000
"""Lines parsed in one tick."""
NEWEST = 50
"""Of them, those that are always the last ones."""
BYTES = 8_000_000
"""Bytes read in one tick; of more the older part is passed over."""
KEPT = 1000
"""Points kept of one curve; drawn are as many or fewer."""


class Tail:
    """The metrics and parameters of a live run, as far as its event file was read.

    Parameters
    ----------
    path : Path
        ``events.jsonl`` of the live folder.

    Attributes
    ----------
    curves : dict
        Metric -> points ``[step, value]``, thinned evenly to at most `KEPT`; a value that is no finite
        number is None.
    last, params : dict
        Last value of each metric; parameters, flat.
    step : object
        The last step that was logged, None before the first.
    points : int
        Lines of metrics seen or passed over.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.curves: dict[str, list[list[Any]]] = {}
        self.last: dict[str, Any] = {}
        self.params: dict[str, Any] = {}
        self.step: Any = None
        self.points = 0
        self._offset = 0
        self._rest = b""
        self._counts: dict[str, int] = {}
        self._every: dict[str, int] = {}
        self._random = random.Random(0)  # noqa: S311 - a sample for the eye

    def read(self) -> bool:
        """Read what is new; return whether there was anything."""
        try:
            with self.path.open("rb") as file:
                end = file.seek(0, 2)
                if end - self._offset > BYTES:
                    self._offset, self._rest = end - BYTES, b""
                    file.seek(self._offset)
                    self._offset += len(file.readline())
                file.seek(self._offset)
                new = file.read(BYTES)
        except OSError:
            return False
        self._offset += len(new)
        *lines, self._rest = (self._rest + new).split(b"\n")
        if len(lines) > LINES:
            self.points += len(lines) - LINES
            older = range(len(lines) - NEWEST)
            lines = [lines[i] for i in sorted(self._random.sample(older, LINES - NEWEST))] + lines[-NEWEST:]
        for line in lines:
            self._take(line)
        return bool(lines)

    def _take(self, line: bytes) -> None:
        try:
            event = json.loads(line)
            metrics = event.get("m")
        except (ValueError, AttributeError):
            return
        if isinstance(event.get("p"), dict):
            self.params.update(flat(event["p"]))
        if not isinstance(metrics, dict):
            return
        self.points += 1
        step = event.get("s")
        if step is not None:
            self.step = step
        for key, value in flat(metrics).items():
            self.last[key] = value
            self._point(key, step, value)

    def _point(self, key: str, step: Any, value: Any) -> None:
        count = self._counts[key] = self._counts.get(key, -1) + 1
        figure, place = number(value), number(count if step is None else step)
        if figure is None or place is None:
            return
        curve = self.curves.setdefault(key, [])
        if count % self._every.get(key, 1):
            return
        curve.append([place, figure if _finite(figure) else None])
        if len(curve) > KEPT:
            del curve[1::2]
            self._every[key] = self._every.get(key, 1) * 2

    def curve(self, key: str) -> list[list[Any]]:
        """Return the points of a metric with the newest one as its end."""
        points = self.curves.get(key, [])
        figure = number(self.last.get(key))
        place = number(self.step if self.step is not None else self._counts.get(key))
        if points and figure is not None and place is not None and _finite(figure) and place > points[-1][0]:
            return [*points, [place, figure]]
        return points


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
