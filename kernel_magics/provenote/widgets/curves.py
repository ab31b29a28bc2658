"""Metric curves of a few runs by plotly: a menu of metrics, a slider that smooths, bands of groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from provenote.render.plots import finite, leading
from provenote.widgets.figure import Drawn
from provenote.widgets.plots import plain
from provenote.widgets.smooth import band, smoothed
from provenote.widgets.themes import DASHES, theme

Series = Mapping[str, Sequence[tuple[Any, Any]]]
HIGH = 240
EACH = 3
"""Traces of one run or group: two edges of a band and its mean, or the raw and the smooth line."""
_NO_CURVE = "None of these runs logged a metric with steps: <code>%log rmse=value --step i</code>"


_PLAIN: dict[str, Any] = {"name": "", "showlegend": False, "hoverinfo": "skip", "fill": "none"}


class Line(NamedTuple):
    """One line of the figure: its name, and the series of its runs, several for a group."""

    name: str
    series: Sequence[Series]


class Curves:
    """The figure with its menu and slider.

    Parameters
    ----------
    dark : bool
    """

    def __init__(self, *, dark: bool = False) -> None:
        import ipywidgets

        self._theme = theme(dark)
        self._lines: list[Line] = []
        self._quiet = False
        self._drawing = Drawn(self._fill)
        self.metric = ipywidgets.Dropdown(description="metric", options=[])
        self.smooth = ipywidgets.FloatSlider(
            description="smoothing", min=0, max=0.99, step=0.01, value=0, continuous_update=False
        )
        for control in (self.metric, self.smooth):
            control.style.description_width = "initial"
            control.observe(lambda _: self._draw(), "value")
        self._told = ipywidgets.HTML()
        bar = ipywidgets.HBox([self.metric, self.smooth, self._told])
        bar.layout = ipywidgets.Layout(align_items="center", flex_flow="row wrap", padding="0 8px")
        self.widget = ipywidgets.VBox([bar, self._drawing.box])

    def show(self, lines: Sequence[Line]) -> None:
        """Draw these runs or groups."""
        self._lines = list(lines)
        keys = leading({key: None for line in lines for series in line.series for key in series})
        self.metric.layout.display = self.smooth.layout.display = "" if keys else "none"
        self._drawing.box.layout.display = "" if keys else "none"
        said = "" if keys else _NO_CURVE
        self._told.value = f'<span style="font-size:12px">{said}</span>'
        options = [(plain(key, 32), key) for key in keys]
        held, self._quiet = self.metric.value, True  # another list of options chooses its first one
        if self.metric.options != tuple(options):
            self.metric.options = options
        if keys:
            self.metric.value = held if held in keys else keys[0]
        self._quiet = False
        self._draw()

    def dress(self, dark: bool) -> None:
        """Take the colours of a light or a dark page."""
        self._theme = theme(dark)
        self._draw()

    def _draw(self) -> None:
        if not self._quiet and self.metric.value:
            self._drawing.show()

    def _fill(self, figure: Any) -> None:
        import plotly.graph_objects as go

        key, look = self.metric.value, self._theme
        if not figure.data:  # always the same traces: a page that draws would stumble over one that is gone
            figure.add_traces(
                [go.Scatter(mode="lines", visible=False) for _ in range(EACH * len(look.series))]
            )
        for place in range(len(look.series)):
            line = self._lines[place] if place < len(self._lines) else Line("", [])
            points = [found for series in line.series if (found := finite(series.get(key, ())))]
            made = self._one(place, line.name, points) if points else []
            for trace, given in zip_longest(figure.data[EACH * place : EACH * (place + 1)], made):
                trace.update(_PLAIN | (given or {"x": [], "y": [], "visible": False}))
        figure.update_layout(
            **look.layout(),
            autosize=True,
            height=HIGH,
            margin={"l": 56, "r": 16, "t": 12, "b": 36},
            xaxis=look.axes() | {"title": look.axes()["title"] | {"text": "step"}},
            yaxis=look.axes(),
            legend={"orientation": "h", "y": 1.12, "font": {"color": look.text, "size": 11}},
            showlegend=True,
            hovermode="x unified",
        )

    def _one(self, place: int, name: str, curves: list[list[tuple[float, float]]]) -> list[dict[str, Any]]:
        """Return the traces of one run or group, the one with the name last."""
        color, weight = self._theme.series[place], self.smooth.value
        style = {"color": color, "dash": DASHES[place], "width": 2}
        named = {"name": plain(name, 32), "showlegend": True, "hoverinfo": "all", "visible": True}
        if len(curves) > 1:
            found = band([smoothed(points, weight) for points in curves])
            edge = {"x": found.steps, "line": {"width": 0, "color": color, "dash": "solid"}, "visible": True}
            return [
                {**edge, "y": found.low},
                {**edge, "y": found.high, "fill": "tonexty", "fillcolor": faint(color)},
                {"x": found.steps, "y": found.mean, "line": style, **named},
            ]
        (points,) = curves
        main = xy(smoothed(points, weight)) | {"line": style, **named}
        if not weight:
            return [main]
        return [xy(points) | {"line": {"color": faint(color, 0.35), "width": 1}, "visible": True}, main]


def xy(points: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Return points as plotly takes them."""
    return {"x": [x for x, _ in points], "y": [y for _, y in points]}


def faint(color: str, share: float = 0.16) -> str:
    """Return a colour ``#rrggbb`` as one that lets through what is behind."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share})"
