"""A view that is drawn again in the place of the one before: a table that lives while somebody watches it."""

from __future__ import annotations

import shutil
import sys
from typing import Any, Protocol, TextIO

from provenote.render.terminal import render, surface
from provenote.view import View

_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"


class Live(Protocol):
    """Draws views, each in the place of the one before."""

    drawn: bool

    def draw(self, view: View) -> None:
        """Draw a view that is not the last one."""
        ...

    def close(self, view: View) -> None:
        """Draw the last one, whole."""
        ...


class TerminalLive:
    """Redraws on a terminal; what is higher than it is cut until the last view.

    Parameters
    ----------
    stream : TextIO, optional
        Default: standard output.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.drawn = False
        self._out = sys.stdout if stream is None else stream
        self._lines = 0

    def draw(self, view: View) -> None:
        """Draw a view that is not the last one."""
        width, color = surface(self._out)
        lines = render(view, width=(width or 80) - 1, color=color).splitlines()
        room = max(3, shutil.get_terminal_size().lines - 1)
        if len(lines) > room:
            lines = [*lines[: room - 1], f"and {len(lines) - room + 1} lines more"]
        # A line that wrapped would be two to go back over: what does not fit is cut by the terminal.
        self._put(_NO_WRAP + "".join(f"{line}\n" for line in lines) + _WRAP)
        self._lines, self.drawn = len(lines), True

    def close(self, view: View) -> None:
        """Draw the last one, whole."""
        width, color = surface(self._out)
        self._put(render(view, width=width, color=color))
        self._lines = 0

    def _put(self, text: str) -> None:
        back = f"\x1b[{self._lines}A\x1b[J" if self._lines else ""
        self._out.write(back + text)
        self._out.flush()


class NotebookLive:
    """Keeps one output of the running cell up to date: no widget, so that a saved notebook keeps it."""

    def __init__(self) -> None:
        self.drawn = False
        self._handle: Any = None

    def draw(self, view: View) -> None:
        """Draw a view that is not the last one."""
        from IPython.display import display

        from provenote.render import html

        bundle = {"text/plain": render(view, width=100), "text/html": html.render(view)}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(bundle, raw=True)
        self.drawn = True

    def close(self, view: View) -> None:
        """Draw the last one, whole."""
        self.draw(view)
