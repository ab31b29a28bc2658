"""A plotly figure that is drawn by a browser: made whole, and changed only when the browser can hear it.

The browser loads plotly (5 MB, from the kernel) before it listens; what the kernel changes until then would
be lost, and plotly sends only what differs from its own copy, so it would stay lost. The first answer of a
drawn figure says that it listens. Where two figures come at once, one may be drawn before its data have
arrived: so they come one after the other, and one that answers with no trace is made again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

ANSWER = "_js2py_traceDeltas"
"""What a figure widget sets when it was drawn: what the browser added to each trace."""
TRIES = 5
PATIENCE = 20.0
"""Seconds after which a figure that does not answer (its page is gone) holds up no other one."""

_turn: tuple[float, Drawn] | None = None
_queue: list[Drawn] = []


class Drawn:
    """A figure in a box, once it was shown.

    Parameters
    ----------
    fill : callable
        Puts all that is to be seen into a figure, whatever it holds.
    listen : callable, optional
        Given the new figure widget, to hear of what a person does in it.

    Attributes
    ----------
    box : ipywidgets.VBox
        Holds the figure, nothing before the first `show`.
    """

    def __init__(self, fill: Callable[[Any], None], listen: Callable[[Any], None] | None = None) -> None:
        import ipywidgets

        self.box = ipywidgets.VBox([])
        self._fill, self._listen = fill, listen
        self._figure: Any = None
        self._ready = self._late = False
        self._tries = TRIES

    def show(self, fill: Callable[[Any], None] | None = None) -> None:
        """Draw what there is now.

        Parameters
        ----------
        fill : callable, optional
            Changes only a part of a figure that is there already.
        """
        if self._figure is None:
            self._wait()
        elif not self._ready:
            self._late = True
        else:
            with self._figure.batch_update():
                (fill or self._fill)(self._figure)

    def _wait(self) -> None:
        """Make the figure when no other one is on its way."""
        global _turn
        if _turn is not None and not _turn[1]._ready and time.monotonic() - _turn[0] < PATIENCE:
            if self not in _queue:
                _queue.append(self)
            return
        _turn = time.monotonic(), self
        self._make()

    def _make(self) -> None:
        import plotly.graph_objects as go

        plain = go.Figure()
        self._fill(plain)
        self._figure = go.FigureWidget(plain)
        self._figure._config = {"displayModeBar": False, "displaylogo": False, "responsive": True}
        if self._listen is not None:
            self._listen(self._figure)
        self._figure.observe(self._heard, ANSWER)
        self.box.children = [self._figure]

    def _heard(self, change: Any) -> None:
        if self._ready or not change["new"]:
            return
        if len(change["new"]["trace_deltas"]) < len(self._figure.data) and self._tries:
            self._tries -= 1
            self._figure.close()  # a view taken away would go on listening to its figure, and fail
            self._make()
            return
        self._ready = True
        for fits in (False, True):  # it was measured before it had a place on the page
            self._figure.layout.autosize = fits
        if self._late:
            self.show()
        if _queue:
            _queue.pop(0).show()
