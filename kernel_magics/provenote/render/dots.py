"""Static pictures of points: last metrics of a few runs on a scale each, a parameter against a metric.

A run keeps its colour and marker in every plot of a picture, and its name stands at its mark.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from provenote.compare.numbers import ARROWS, direction, number, text
from provenote.render.plots import HUGE, axes_at, canvas, leading, plain, png
from provenote.render.roles import LIGHT, MARKERS, SERIES
from provenote.view import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from provenote.render.axes import Axis

SCALES = 12
"""Metrics in one picture."""
PLOTS = 4
"""Parameters in one picture."""
_WIDE = 380.0


def scales(runs: Sequence[tuple[str, Mapping[str, Any]]]) -> Picture | None:
    """Draw the last metrics of runs, one scale a metric, one mark a run.

    Parameters
    ----------
    runs : sequence of (str, mapping)
        What a run is called, and its last metrics by flat key.

    Returns
    -------
    Picture or None
        None when no metric differs between two runs that have it as a finite number.
    """
    values: dict[str, dict[int, float]] = {}
    for place, (_, metrics) in enumerate(runs):
        for key, value in metrics.items():
            figure = _finite(value)
            if figure is not None:
                values.setdefault(key, {})[place] = figure
    shown = [key for key in leading(values) if len(set(values[key].values())) > 1][:SCALES]
    if not shown:
        return None
    across = min(2, len(shown))
    wide, high = across * _WIDE, math.ceil(len(shown) / across) * 64.0
    picture = canvas(wide, high)
    for place, key in enumerate(shown):
        box = (place % across * _WIDE + 46, high - 64 * (place // across + 1) + 20, _WIDE - 120, 18.0)
        _scale(axes_at(picture, (wide, high), box), key, values[key], [name for name, _ in runs])
    told = "; ".join(
        f"{key}: " + ", ".join(f"{runs[place][0]} {text(value)}" for place, value in values[key].items())
        for key in shown
    )
    return Picture(png(picture), f"Last metrics. {told}")


def scatter(params: Sequence[Axis], metric: Axis) -> Picture | None:
    """Draw a metric against each of some parameters, one dot a run.

    Parameters
    ----------
    params : sequence of Axis
        What goes across, one plot each; the first four are drawn.
    metric : Axis
        What goes up.

    Returns
    -------
    Picture or None
        None when there is no parameter.
    """
    shown = params[:PLOTS]
    if not shown:
        return None
    across = min(2, len(shown))
    wide, high = across * _WIDE, math.ceil(len(shown) / across) * 180.0
    picture = canvas(wide, high)
    for place, param in enumerate(shown):
        box = (place % across * _WIDE + 58, high - 180 * (place // across + 1) + 40, _WIDE - 90, 116.0)
        field = axes_at(picture, (wide, high), box)
        _frame(field, f"{metric.heading} by {param.heading}", "y")
        pairs = zip(param.values, metric.values, strict=True)
        points = [(x, y) for x, y in pairs if x is not None and y is not None]
        points = [(x, y) for x, y in points if abs(x) < HUGE and abs(y) < HUGE]
        field.plot(*zip(*points, strict=True), "o", color=SERIES[0], markersize=4.5, alpha=0.65)
        field.margins(0.06, 0.1)
        if param.words:
            field.set_xticks(range(len(param.words)), [plain(word, 12) for word in param.words])
    names = ", ".join(param.key for param in shown)
    return Picture(png(picture), f"{metric.key} of each run by {names}")


def _finite(value: Any) -> float | None:
    figure = number(value)
    return (
        float(figure) if figure is not None and abs(figure) < HUGE else None
    )  # neither of NaN nor of infinity


def _scale(field: Axes, key: str, values: Mapping[int, float], names: Sequence[str]) -> None:
    arrow = ARROWS[direction(key)]
    _frame(field, f"{key} {arrow}" if arrow else key, "x")
    field.set_yticks([])
    field.set_ylim(-1, 1)
    low, high = min(values.values()), max(values.values())
    room = (high / 2 - low / 2) * 0.12
    field.set_xlim(low - room, high + room)
    for place, value in values.items():
        inner = place < len(SERIES)
        color = SERIES[place] if inner else LIGHT["axis"]
        mark = MARKERS[place] if inner else "o"
        field.plot([value], [0], mark, color=color, markersize=6, clip_on=False)
        field.annotate(
            plain(names[place], 10),
            (value, 0),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=7.5,
            color=LIGHT["text"],
            annotation_clip=False,
        )


def _frame(field: Axes, title: str, grid: str) -> None:
    """Give a plot our plain looks: one axis line, a faint grid, its title to the left."""
    from matplotlib.ticker import MaxNLocator

    field.set_facecolor(LIGHT["ground"])
    for side in ("top", "right", "left"):
        field.spines[side].set_visible(False)
    field.spines["bottom"].set_color(LIGHT["axis"])
    field.grid(axis="x" if grid == "x" else "y", color=LIGHT["grid"], linewidth=0.8)
    field.set_axisbelow(True)
    field.tick_params(axis="x", colors=LIGHT["text2"], length=3, width=0.8, labelsize=8, color=LIGHT["axis"])
    field.tick_params(axis="y", colors=LIGHT["text2"], length=0, labelsize=8)
    field.xaxis.set_major_locator(MaxNLocator(4))
    field.yaxis.set_major_locator(MaxNLocator(4))
    title = plain(title, 46)
    field.set_title(title, loc="left", fontsize=8.5, fontweight="bold", color=LIGHT["text"], pad=8, x=-0.12)
