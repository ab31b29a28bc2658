"""Static pictures of several runs: parallel coordinates of their values, curves laid over each other.

Runs keep colour, dash and marker as `provenote.render.roles` gives them; six at most have one, the others are
grey. See `provenote.render.plots` for the ground that they share.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from provenote.compare.numbers import counted, decimals, direction, text
from provenote.model import Row
from provenote.render.axes import Axis, axes
from provenote.render.plots import axes_at, canvas, finite, leading, plain, png
from provenote.render.roles import DASHES, LIGHT, MARKERS, SERIES
from provenote.view import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINES = 400
"""Runs drawn in one picture of parallel coordinates: of more, an even sample."""
NAMED = 3
"""Runs that stand out where nobody chose any: the best ones."""
_WIDE, _HIGH = 760.0, 250.0
_PLOT = 300.0  # width of one metric's curves, without its words
_GROUND = {"boxstyle": "square,pad=0.1", "facecolor": LIGHT["ground"], "edgecolor": "none", "alpha": 0.8}
_EASE = [(1 - math.cos(math.pi * i / 24)) / 2 for i in range(25)]


def parallel(rows: Sequence[Row], chosen: Sequence[str] = (), first: str = "") -> Picture | None:
    """Draw each run as a line through its most telling parameters and its metrics.

    Parameters
    ----------
    rows : sequence of Row
    chosen : sequence of str
        Ids of the runs that stand out, in the order of their colours; by default the best of the leading
        metric.
    first : str
        Key of the metric that leads.

    Returns
    -------
    Picture or None
        None when fewer than two runs have values on two axes.
    """
    shown = axes(rows, first=first)
    whole = [i for i in range(len(rows)) if all(axis.values[i] is not None for axis in shown)]
    if len(shown) < 2 or len(whole) < 2:
        return None
    marked = [rows[i].id for i in _best(shown[-1], whole)] if not chosen else list(chosen)
    stand = {i: place for place, run in enumerate(marked[: len(SERIES)]) for i in whole if rows[i].id == run}
    every = max(1, -(-len(whole) // LINES))
    figure = canvas(_WIDE, _HIGH)
    field = axes_at(figure, (_WIDE, _HIGH), (58, 40, _WIDE - 116, _HIGH - 72))
    field.set_axis_off()
    field.set_xlim(0, len(shown) - 1)
    field.set_ylim(0, 1)
    heights = [_scaled(axis) for axis in shown]
    for i in whole[::every]:
        if i not in stand:
            field.plot(*_path(heights, i), color=LIGHT["axis"], linewidth=0.8, alpha=0.45)
    for i, place in stand.items():
        xs, ys = _path(heights, i)
        style: dict[str, Any] = {"color": SERIES[place], "linestyle": DASHES[place]}
        knots = range(0, len(xs), 24)
        field.plot(
            xs,
            ys,
            linewidth=1.8,
            marker=MARKERS[place],
            markevery=list(knots),
            markersize=4,
            clip_on=False,
            **style,
        )
    for place, axis in enumerate(shown):
        _scale(field, place, axis)
    _legend(figure, {place: rows[i].name for i, place in stand.items()})
    words = f"{counted(len(whole), 'run')} as lines over {', '.join(axis.heading for axis in shown)}"
    return Picture(png(figure), words + _told(rows, list(stand), shown[-1]))


def overlaid(series: Mapping[str, Mapping[str, Sequence[tuple[Any, Any]]]]) -> Picture | None:
    """Draw the leading metrics by step, the curves of several runs in one plot each.

    Parameters
    ----------
    series : mapping
        Name of a run -> metric -> points ``(step, value)``; the first six runs are drawn.

    Returns
    -------
    Picture or None
        None when no metric has a curve.
    """
    names = list(series)[: len(SERIES)]
    keys = leading({key: None for name in names for key in series[name]})
    drawn: list[tuple[str, dict[str, list[tuple[float, float]]]]] = []
    for key in keys:
        lines = {name: finite(series[name].get(key, ())) for name in names}
        lines = {name: points for name, points in lines.items() if len(points) > 1}
        if lines:
            drawn.append((key, lines))
    if not drawn:
        return None
    drawn = drawn[:4]
    down = -(-len(drawn) // 2)
    wide, high = 2 * (_PLOT + 80), down * 170.0 + 24
    figure = canvas(wide, high)
    for place, (key, lines) in enumerate(drawn):
        left, below = 50 + (place % 2) * (_PLOT + 80), high - 24 - 118 - (place // 2) * 170
        _curves(axes_at(figure, (wide, high), (left, below, _PLOT, 118)), key, lines, names)
    _legend(figure, dict(enumerate(names)))
    told = []
    for key, lines in drawn:
        ends = (f"{name} ends at {text(points[-1][1])}" for name, points in lines.items())
        told.append(f"{key} by step: {', '.join(ends)}")
    return Picture(png(figure), "; ".join(told))


def _best(axis: Axis, whole: Sequence[int]) -> list[int]:
    """Return the places of the best runs; none where the name does not tell what is best."""
    way = direction(axis.key)
    if not way:
        return []

    def rank(i: int) -> float:
        value = axis.values[i] or 0.0
        return -value if way == "higher" else abs(value) if way == "zero" else value

    return sorted(whole, key=rank)[:NAMED]


def _scaled(axis: Axis) -> list[float | None]:
    having = [value for value in axis.values if value is not None]
    low, high = min(having), max(having)
    # Halves first, so that the span of the greatest floats does not overflow.
    span = high / 2 - low / 2
    return [None if v is None else (v / 2 - low / 2) / span if span else 0.5 for v in axis.values]


def _path(heights: Sequence[Sequence[float | None]], i: int) -> tuple[list[float], list[float]]:
    xs, ys = [0.0], [heights[0][i] or 0.0]
    for place in range(len(heights) - 1):
        here, there = heights[place][i] or 0.0, heights[place + 1][i] or 0.0
        xs += [place + k / 24 for k in range(1, 25)]
        ys += [here + (there - here) * ease for ease in _EASE[1:]]
    return xs, ys


def _scale(field: Axes, place: int, axis: Axis) -> None:
    """Draw an axis with its ends, or its words, on a white ground."""
    field.plot([place, place], [0, 1], color=LIGHT["axis"], linewidth=1, clip_on=False, zorder=3)
    field.annotate(
        plain(axis.heading, 20),
        (place, 1),
        xytext=(0, 13),
        textcoords="offset points",
        ha="center",
        fontsize=8.5,
        fontweight="bold" if axis.kind == "metrics" else "normal",
        color=LIGHT["text"],
        annotation_clip=False,
    )
    having = [value for value in axis.values if value is not None]
    low, high = min(having), max(having)
    if axis.words:
        ticks = [(float(at), word) for at, word in enumerate(axis.words) if low <= at <= high]
    else:
        places = decimals([low, high])
        ticks = [(low, text(low, places)), (high, text(high, places))]
        if high / 2 - low / 2 > 0 and math.isfinite(high - low):
            middle = low + (high - low) / 2
            ticks.insert(1, (middle, text(middle, max(places, min(decimals([middle]), places + 1)))))
    span = high / 2 - low / 2
    for value, word in ticks:
        field.annotate(
            plain(word, 16),
            (place, (value / 2 - low / 2) / span),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=LIGHT["text2"],
            annotation_clip=False,
            zorder=4,
            bbox=_GROUND,
        )


def _curves(
    field: Axes, key: str, lines: Mapping[str, list[tuple[float, float]]], names: Sequence[str]
) -> None:
    from matplotlib.ticker import MaxNLocator

    field.set_facecolor(LIGHT["ground"])
    for side in ("top", "right", "left"):
        field.spines[side].set_visible(False)
    field.spines["bottom"].set_color(LIGHT["axis"])
    field.grid(axis="y", color=LIGHT["grid"], linewidth=0.8)
    field.set_axisbelow(True)
    field.tick_params(axis="x", colors=LIGHT["text2"], length=3, width=0.8, labelsize=8)
    field.tick_params(axis="y", colors=LIGHT["text2"], length=0, labelsize=8)
    field.xaxis.set_major_locator(MaxNLocator(4))
    field.yaxis.set_major_locator(MaxNLocator(4))
    for name, points in lines.items():
        place = names.index(name)
        xs, ys = [x for x, _ in points], [y for _, y in points]
        field.plot(xs, ys, color=SERIES[place], linestyle=DASHES[place], linewidth=1.6)
        field.plot(xs[-1:], ys[-1:], MARKERS[place], color=SERIES[place], markersize=4, clip_on=False)
    field.set_title(plain(key, 40), loc="left", fontsize=8.5, fontweight="bold", color=LIGHT["text"], pad=6)


def _legend(figure: Any, names: Mapping[int, str]) -> None:
    """Name the runs that stand out by the places of their colours, in one line at the foot."""
    from matplotlib.lines import Line2D

    styles: list[dict[str, Any]] = [
        {"color": SERIES[i], "linestyle": DASHES[i], "marker": MARKERS[i]} for i in names
    ]
    keys = [Line2D([], [], markersize=4, linewidth=1.6, **style) for style in styles]
    if keys:
        figure.legend(
            keys,
            [plain(name, 24) for name in names.values()],
            loc="lower left",
            bbox_to_anchor=(0.05, 0.0),
            ncols=len(keys) if len(keys) <= 4 else 3,
            frameon=False,
            fontsize=8,
            labelcolor=LIGHT["text"],
            handlelength=2.6,
            borderaxespad=0.3,
        )


def _told(rows: Sequence[Row], stand: Sequence[int], axis: Axis) -> str:
    if not stand:
        return ""
    named = ", ".join(f"{rows[i].name} {text(axis.values[i])}" for i in stand)
    return f"; in colour: {named} ({axis.key})"
