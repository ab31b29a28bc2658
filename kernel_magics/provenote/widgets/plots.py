"""Parallel coordinates and a scatter of runs as one plotly figure: brushes filter, a lasso selects.

One figure, since each figure widget carries all of plotly to the browser: 5 MB, from the kernel, so that
nothing is loaded from outside. Selected runs have the colour and marker that they have in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from provenote.compare.numbers import counted, decimals, text
from provenote.model import Row
from provenote.render.axes import Axis, axes
from provenote.render.legible import middle, visible
from provenote.widgets.figure import Drawn
from provenote.widgets.themes import SYMBOLS, theme

MANY = 1500
"""Points from which on the scatter is drawn by WebGL."""
HIGH = 260
_SPLIT = 0.6


class Plots:
    """The figure with its menus.

    Parameters
    ----------
    brushed : callable
        Told the ids of the runs inside all brushes, None when there is no brush.
    lassoed : callable
        Told the ids of the runs inside a lasso or box.
    dark : bool
    """

    def __init__(
        self,
        brushed: Callable[[set[str] | None], None],
        lassoed: Callable[[list[str]], None],
        *,
        dark: bool = False,
    ) -> None:
        import ipywidgets

        self._brushed, self._lassoed = brushed, lassoed
        self._theme = theme(dark)
        self._axes: list[Axis] = []
        self._rows: list[Row] = []
        self._whole: list[int] = []
        self._drawn: list[int] = []
        self._picked: list[str] = []
        self._quiet = False
        self._drawing = Drawn(self._fill, self._listen)
        layout = ipywidgets.Layout(width="auto", max_width="220px")
        self._x = ipywidgets.Dropdown(description="across", options=[], layout=layout)
        self._y = ipywidgets.Dropdown(description="up", options=[], layout=layout)
        for menu in (self._x, self._y):
            menu.style.description_width = "initial"
            menu.observe(lambda _: self._turned(), "value")
        self._told = ipywidgets.HTML()
        self.controls = [self._told, self._x, self._y]
        self.widget = self._drawing.box

    def show(self, rows: Sequence[Row], picked: Sequence[str], first: str = "") -> bool:
        """Draw these rows; return whether there is anything to draw."""
        self._rows, self._picked = list(rows), list(picked)
        self._axes = axes(self._rows, params=4, first=first)
        self._whole = [i for i in range(len(rows)) if all(a.values[i] is not None for a in self._axes)]
        there = len(self._axes) > 1 and len(self._whole) > 1
        for each in (self.widget, *self.controls):
            each.layout.display = "" if there else "none"
        if not there:
            return False
        left = len(rows) - len(self._whole)
        hint = "Drag an axis to brush, press it to clear. Draw round points to select them."
        lack = f" {counted(left, 'run')} without one of the values not drawn." if left else ""
        self._told.value = f'<span style="font-size:11px">{hint}{lack}</span>'
        self._menus()
        self._drawing.show()
        return True

    def pick(self, ids: Sequence[str]) -> None:
        """Colour these runs, in their order."""
        self._picked = list(ids)
        if self._whole:
            self._drawing.show(self._colour)

    def dress(self, dark: bool) -> None:
        """Take the colours of a light or a dark page."""
        self._theme = theme(dark)
        if self._whole:
            self._drawing.show(self._colour)

    # ------------------------------------------------------------------ drawing

    def _fill(self, figure: Any) -> None:
        """Draw everything."""
        import plotly.graph_objects as go

        if not figure.data:
            figure.add_traces([go.Parcoords(), go.Scatter(mode="markers"), go.Scattergl(mode="markers")])
            figure.data[0].domain.x = [0.035, _SPLIT]
        figure.data[0].dimensions = [self._dimension(axis) for axis in self._axes]
        self._scatter(figure)
        self._colour(figure)

    def _colour(self, figure: Any) -> None:
        self._paint(figure)
        self._points(figure)

    def _listen(self, figure: Any) -> None:
        figure.data[0].on_change(self._brush, "dimensions")
        for trace in figure.data[1:]:
            trace.on_selection(self._lasso)

    def _turned(self) -> None:
        """Draw the scatter anew: another axis was chosen."""
        if not self._quiet and self._whole:
            self._drawing.show(self._again)

    def _again(self, figure: Any) -> None:
        self._scatter(figure)
        self._points(figure)

    def _dimension(self, axis: Axis) -> dict[str, Any]:
        values = [axis.values[i] for i in self._whole]
        made: dict[str, Any] = {"label": plain(axis.heading, 22), "values": values}
        if axis.words:
            made |= {
                "tickvals": list(range(len(axis.words))),
                "ticktext": [plain(word, 14) for word in axis.words],
                "range": [-0.15, len(axis.words) - 0.85],
            }
        else:
            kinds = sorted({value for value in values if value is not None})
            if axis.kind == "params" and len(kinds) <= 6:
                places = decimals(kinds)
                made |= {"tickvals": kinds, "ticktext": [text(value, places) for value in kinds]}
        return made

    def _paint(self, figure: Any) -> None:
        """Colour the lines: the rest grey, selected runs as in the table."""
        look, count = self._theme, len(self._theme.series) + 1
        series = {run: place + 1 for place, run in enumerate(self._picked[: count - 1])}
        codes = [series.get(self._rows[i].id, 0) for i in self._whole]
        colors = [look.faded if series else look.rest, *look.series]
        scale = [[(n + e) / count, colors[n]] for n in range(count) for e in (0, 1)]
        line = {"color": codes, "colorscale": scale, "cmin": -0.5, "cmax": count - 0.5, "showscale": False}
        lines = figure.data[0]
        lines.line = line
        lines.unselected = {"line": {"color": look.faded, "opacity": 0.35}}
        lines.labelfont = {"color": look.text, "size": 11}
        lines.tickfont = {"color": look.text2, "size": 10}
        lines.rangefont = {"color": "rgba(0,0,0,0)", "size": 1}
        layout = look.layout() | {
            "height": HIGH,
            "margin": {"l": 24, "r": 16, "t": 40, "b": 38},
            "dragmode": "lasso",
            "showlegend": False,
            "autosize": True,
        }
        across = {**look.axes(), "domain": [_SPLIT + 0.1, 1]}
        figure.update_layout(**layout, xaxis=across, yaxis=look.axes())

    def _menus(self) -> None:
        """Offer what is on the axes: the most telling parameter across, the leading metric up."""
        options = [(plain(axis.heading, 28), f"{axis.kind}.{axis.key}") for axis in self._axes]
        many = [f"{axis.kind}.{axis.key}" for axis in self._axes[:-1] if not axis.words]
        chosen = (many[0] if many else options[0][1]), options[-1][1]
        for axis in self._axes[:-1]:  # the most telling parameter with numbers, else another metric
            if axis.kind == "params" and not axis.words:
                chosen = f"{axis.kind}.{axis.key}", chosen[1]
        for menu, value in zip((self._x, self._y), chosen, strict=True):
            keep = menu.value if menu.value in {each for _, each in options} else value
            self._quiet = True  # another list of options chooses its first one
            if menu.options != tuple(options):
                menu.options = options
            menu.value = keep
            self._quiet = False

    def _axis(self, menu: Any) -> Axis | None:
        return next((axis for axis in self._axes if f"{axis.kind}.{axis.key}" == menu.value), None)

    def _scatter(self, figure: Any) -> None:
        """Name the axes, and choose the runs that have both values."""
        across, up = self._axis(self._x), self._axis(self._y)
        if across is None or up is None:
            return
        pairs = zip(across.values, up.values, strict=True)
        self._drawn = [i for i, (x, y) in enumerate(pairs) if x is not None and y is not None]
        for place, axis in (("xaxis", across), ("yaxis", up)):
            ticks: dict[str, Any] = {"tickvals": None, "ticktext": None}
            if axis.words:
                words = [plain(word, 14) for word in axis.words]
                ticks = {"tickvals": list(range(len(axis.words))), "ticktext": words}
            figure.update_layout({place: {"title": {"text": plain(axis.heading, 28)}, **ticks}})

    def _points(self, figure: Any) -> None:
        look = self._theme
        across, up = self._axis(self._x), self._axis(self._y)
        if across is None or up is None:
            return
        fast = len(self._drawn) > MANY
        series = {run: place for place, run in enumerate(self._picked)}
        places = [series.get(self._rows[i].id, -1) for i in self._drawn]
        few = len(look.series)
        marker = {
            "color": [look.rest if p < 0 else look.series[min(p, few - 1)] for p in places],
            "symbol": ["circle-open" if p < 0 else SYMBOLS[min(p, few - 1)] for p in places],
            "size": [6 if p < 0 else 10 for p in places],
            "opacity": 1,
        }
        for trace in figure.data[1:]:
            if (trace.type == "scattergl") != fast:
                trace.update(x=[], y=[], visible=False)
                continue
            trace.update(
                x=[across.values[i] for i in self._drawn],
                y=[up.values[i] for i in self._drawn],
                text=[plain(self._rows[i].name, 40) for i in self._drawn],
                marker=marker,
                visible=True,
                selectedpoints=None,
                hovertemplate="%{text}<br>%{x}, %{y}<extra></extra>",
                unselected={"marker": {"opacity": 1}},
            )

    # ------------------------------------------------------------------ listening

    def _brush(self, trace: Any, dimensions: Any) -> None:
        inside = brushed(self._axes, self._whole, [each.constraintrange for each in dimensions])
        self._brushed(None if inside is None else {self._rows[i].id for i in inside})

    def _lasso(self, trace: Any, points: Any, selector: Any) -> None:
        if points.point_inds:
            self._lassoed([self._rows[self._drawn[i]].id for i in points.point_inds])


def brushed(axes: Sequence[Axis], whole: Sequence[int], brushes: Sequence[Any]) -> list[int] | None:
    """Return the places of the rows inside all brushes; None where there is none.

    Parameters
    ----------
    axes : sequence of Axis
    whole : sequence of int
        The rows that are drawn.
    brushes : sequence
        For each axis None, one range ``(low, high)`` or several.
    """
    asked = []
    for axis, brush in zip(axes, brushes, strict=True):
        if brush:
            ranges = brush if isinstance(brush[0], (list, tuple)) else [brush]
            asked.append((axis.values, [sorted(each) for each in ranges]))
    if not asked:
        return None
    return [
        i
        for i in whole
        if all(any(low <= (values[i] or 0.0) <= high for low, high in ranges) for values, ranges in asked)
    ]


def plain(words: str, width: int) -> str:
    """Make any text one that plotly draws as it is: its labels know a few tags of HTML, and mathematics."""
    shown = middle(visible(words), width)
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("$", "&#36;")
