"""The plots below a table of runs: parallel coordinates, scatter and, on demand, metric curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from provenote.model import Row
from provenote.widgets.curves import Curves, Line
from provenote.widgets.plots import Plots

if TYPE_CHECKING:
    from provenote.workspace import Workspace

CURVES = 6
"""Runs or groups whose curves are drawn at once."""
MEMBERS = 40
"""Runs of one group that are read for its band."""
LOOKED_AT = 60
"""Runs that are looked through for curves where none is selected."""
_KEPT = 500
"""Finished runs whose points are kept in memory."""

Group = tuple[str, list[Row]]


class Linked:
    """All plots of one table.

    Parameters
    ----------
    workspace : Workspace
        Where the points of curves are read.
    brushed, lassoed : callable
        See `provenote.widgets.plots.Plots`.
    dark : bool
    """

    def __init__(
        self,
        workspace: Workspace,
        brushed: Callable[[set[str] | None], None],
        lassoed: Callable[[list[str]], None],
        *,
        dark: bool = False,
    ) -> None:
        import ipywidgets

        self.workspace = workspace
        self._dark = dark
        self._plots = Plots(brushed, lassoed, dark=dark)
        self._curves: Curves | None = None
        self._inside: list[Row] = []
        self._groups: list[Group] = []
        self._picked: list[str] = []
        self._read: dict[str, Any] = {}
        self._asked = False
        self._open = ipywidgets.ToggleButton(description="Metric curves", layout={"width": "max-content"})
        self._open.observe(lambda change: self._toggle(), "value")
        self._place = ipywidgets.VBox([])
        bar = ipywidgets.HBox([self._open, *self._plots.controls])
        bar.add_class("pn-controls")
        self.widget = ipywidgets.VBox([self._plots.widget, bar, self._place])
        self.widget.add_class("pn-plots")

    def show(
        self,
        found: Sequence[Row],
        inside: Sequence[Row],
        groups: Sequence[Group],
        picked: Sequence[str],
        first: str = "",
    ) -> None:
        """Draw other runs.

        Parameters
        ----------
        found, inside : sequence of Row
            Those that the query leaves, and those of them inside the brush.
        groups : sequence of (name, rows)
            The groups that the table shows, empty where it shows runs.
        picked : sequence of str
            Ids of the selected runs.
        first : str
            Key of the metric that leads.
        """
        self._inside, self._groups, self._picked = list(inside), list(groups), list(picked)
        self._plots.show(found, picked, first)
        if not self._asked:  # curves open by themselves where most of the first runs have one
            self._asked = True
            few = self._inside[:CURVES]
            self._open.value = bool(few) and 2 * sum(bool(self._series(row)) for row in few) >= len(few)
        self._draw()

    def pick(self, ids: Sequence[str]) -> None:
        """Colour the selected runs, and draw their curves."""
        self._picked = list(ids)
        self._plots.pick(ids)
        self._draw()

    def dress(self, dark: bool) -> None:
        """Take the colours of a light or a dark page."""
        self._dark = dark
        self._plots.dress(dark)
        if self._curves is not None:
            self._curves.dress(dark)

    def _toggle(self) -> None:
        if self._open.value and self._curves is None:
            self._curves = Curves(dark=self._dark)
            self._place.children = [self._curves.widget]
        self._place.layout.display = "" if self._open.value else "none"
        self._draw()

    def _draw(self) -> None:
        if self._curves is None or not self._open.value:
            return
        if self._groups and not self._picked:
            lines = [
                Line(name, [self._series(row) for row in rows[:MEMBERS]])
                for name, rows in self._groups[:CURVES]
            ]
        else:
            there = {row.id: row for row in self._inside}
            chosen = [there[run] for run in self._picked if run in there] or self._drawable()
            lines = [Line(row.name, [self._series(row)]) for row in chosen[:CURVES]]
        self._curves.show(lines)

    def _drawable(self) -> list[Row]:
        """Return the first runs that have a curve, where nobody selected any."""
        return [row for row in self._inside[:LOOKED_AT] if self._series(row)][:CURVES]

    def _series(self, row: Row) -> Any:
        from provenote.stores import index

        if row.commit is None:
            return index.series(self.workspace, row)
        if row.commit not in self._read:
            if len(self._read) > _KEPT:
                self._read.clear()
            self._read[row.commit] = index.series(self.workspace, row)
        return self._read[row.commit]
