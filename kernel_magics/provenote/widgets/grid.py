"""The table of runs as an anywidget: what kernel and browser tell each other.

The browser sorts, selects, pins and scrolls; the kernel filters, groups and chooses columns. All rows go over
once, as columns (`provenote.widgets.columnar`); later changes go as rows. A reloaded page asks for the state
again and gets the rows as they are then.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

SCRIPTS = ("parts.js", "columns.js", "grid.js")
"""Joined to one module, since a front end loads one: pieces first, the one that exports last."""


def make(table: Callable[[], dict[str, Any]], **state: Any) -> Any:
    """Make the widget.

    Parameters
    ----------
    table : callable
        Returns all rows as columns, as they are now.
    **state
        First values of its traits.
    """
    grid = _kind()(**state)
    grid.source = table
    grid.open()
    return grid


def theme() -> Any:
    """Make a widget of no size whose ``dark`` says whether the page is dark, for plots without a table."""
    import anywidget
    import traitlets

    class Theme(anywidget.AnyWidget):
        """Whether the page is dark."""

        _esm = (Path(__file__).parent / "parts.js").read_text(encoding="utf-8") + (
            "export default { render({ model }) { return watchTheme((dark) => {"
            ' model.set("dark", dark); model.save_changes(); }); } };'
        )
        dark = traitlets.Bool(False).tag(sync=True)

    return Theme(layout={"display": "none"})


def style() -> str:
    """Return the style sheet of table and plots."""
    return (Path(__file__).parent / "grid.css").read_text(encoding="utf-8")


@cache
def _kind() -> Any:
    """Return the class; its imports take some tenths of a second."""
    import anywidget
    import traitlets

    from provenote.render.style import sheet

    here = Path(__file__).parent
    script = "\n".join((here / name).read_text(encoding="utf-8") for name in SCRIPTS)

    class RunsGrid(anywidget.AnyWidget):
        """A table of runs."""

        _esm = script
        _css = sheet() + style()
        table = traitlets.Dict().tag(sync=True)
        view = traitlets.Dict().tag(sync=True)
        groups = traitlets.Dict().tag(sync=True)
        fields: Any = traitlets.List().tag(sync=True)
        query = traitlets.Unicode().tag(sync=True)
        only_changed = traitlets.Bool(True).tag(sync=True)
        group_by: Any = traitlets.List().tag(sync=True)
        sort: Any = traitlets.List().tag(sync=True)
        selected: Any = traitlets.List().tag(sync=True)
        pinned: Any = traitlets.List().tag(sync=True)
        dark = traitlets.Bool(False).tag(sync=True)
        source: Callable[[], dict[str, Any]] | None = None

        def open(self) -> None:
            if self.source is not None:  # not before `make` has given it
                super().open()

        def get_state(self, key: Any = None, drop_defaults: bool = False) -> Any:
            state = super().get_state(key, drop_defaults)
            if "table" in state and self.source is not None:
                state["table"] = self.source()
            return state

    return RunsGrid
