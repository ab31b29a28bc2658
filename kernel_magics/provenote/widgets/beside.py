"""``%compare`` as a widget: the comparison as a page, which baseline, and the linked plots of its runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from provenote.errors import ProvenoteError
from provenote.model import Row
from provenote.render import html
from provenote.view import Picture, View
from provenote.widgets.grid import style, theme
from provenote.widgets.plots import plain

if TYPE_CHECKING:
    from provenote.widgets.linked import Linked
    from provenote.workspace import Workspace


class Beside:
    """The widget of one ``%compare``.

    Parameters
    ----------
    shown : View
        The comparison; ``more["rows"]`` are its runs, the baseline first.
    workspace : Workspace
    compare : callable
        Returns the comparison for the words of another request.

    Attributes
    ----------
    box : ipywidgets.VBox
        What is displayed.
    drawn, closed : threading.Event
        Set when its plots are there or could not be drawn; when it is taken away.
    """

    def __init__(self, shown: View, workspace: Workspace, compare: Callable[[list[str]], View]) -> None:
        import ipywidgets

        self.drawn, self.closed = threading.Event(), threading.Event()
        self._workspace, self._compare = workspace, compare
        self._rows: list[Row] = list(shown.more["rows"])
        self._linked: Linked | None = None
        self._hide = ipywidgets.ToggleButton(True, description="Hide identical")
        self._base = ipywidgets.Dropdown(
            description="baseline", options=[(plain(row.name, 40), row.name) for row in self._rows]
        )
        self._base.style.description_width = "initial"
        for control in (self._hide, self._base):
            control.observe(lambda change: self._asked(), "value")
        self._page = ipywidgets.HTML(page(shown))
        self._below = ipywidgets.VBox([])
        self._theme = theme()
        self._theme.observe(lambda change: self._dressed(), "dark")
        bar = ipywidgets.HBox([self._hide, self._base, self._theme])
        self.box = ipywidgets.VBox([bar, self._page, self._below])
        self.box.add_class("pn-shown")

    def draw(self) -> None:
        """Add the plots; their imports take a second or two, so a thread may do it."""
        from provenote.widgets.linked import Linked

        self._linked = Linked(self._workspace, lambda ids: None, self._pick, dark=self._theme.dark)
        self._pick([row.id for row in self._rows])
        self._below.children = [self._linked.widget]

    def close(self) -> None:
        """Take the widget away."""
        self.closed.set()
        self.box.close()

    def _pick(self, ids: list[str]) -> None:
        if self._linked is not None:
            self._linked.show(self._rows, self._rows, [], ids)

    def _dressed(self) -> None:
        if self._linked is not None:
            self._linked.dress(self._theme.dark)

    def _asked(self) -> None:
        """Compare again: with or without what is the same, against another run."""
        base = self._base.value
        others = [row.name for row in self._rows if row.name != base]
        words = [base, *others, *([] if self._hide.value else ["--all"])]
        try:
            self._page.value = page(self._compare(words))
        except ProvenoteError as error:
            self._page.value = html.block(f'<div class="pn-f pn-error">{html.prose(error.line)}</div>')


def page(shown: View) -> Any:
    """Return a comparison as HTML without the pictures of curves, which the plots below show alive."""
    parts = [part for part in shown.parts if not isinstance(part, Picture)]
    return f"<style>{style()}</style>{html.render(replace(shown, parts=parts))}"
