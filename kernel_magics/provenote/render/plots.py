"""Static pictures by matplotlib, for saved notebooks, mails and reports: small, labelled directly.

Only the object interface is used, never ``pyplot``: the user's figures, style and backend stay untouched.
The ground is white, so that a picture reads the same in light and dark surroundings.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from provenote.compare.numbers import direction, number, text
from provenote.render.legible import middle, visible
from provenote.render.roles import LIGHT, SERIES
from provenote.view import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 6
"""Curves in one picture; those whose name tells which way is better come first."""
POINTS = 2000
"""Points drawn of one curve: of more, the least and greatest of each stretch."""
HUGE = 1e304
"""Numbers of which the span of two may overflow."""
_INCH = 100.0  # pixels in the layout; the file has twice as many
_WIDE, _HIGH = 380.0, 138.0  # pixels of one curve with its words


def curves(
    series: Mapping[str, Sequence[tuple[Any, Any]]],
    *,
    reference: Mapping[str, Any] | None = None,
    word: str = "",
) -> Picture | None:
    """Draw metrics by step, two beside each other.

    Parameters
    ----------
    series : mapping
        Metric -> points ``(step, value)``. What is no finite number leaves a gap.
    reference : mapping, optional
        Values of another run, drawn as dashed lines.
    word : str
        What that other run is, e.g. ``production``.

    Returns
    -------
    Picture or None
        None when no metric has two points.
    """
    shown = [(key, points) for key in leading(series) if len(points := finite(series[key])) > 1][:MOST]
    if not shown:
        return None
    across = 1 if len(shown) == 1 else 2
    down = math.ceil(len(shown) / across)
    size = across * _WIDE, down * _HIGH
    figure = canvas(*size)
    for place, (key, points) in enumerate(shown):
        left = (place % across) * _WIDE + 46
        bottom = (down - 1 - place // across) * _HIGH + 24
        field = axes_at(figure, size, (left, bottom, _WIDE - 46 - 74, _HIGH - 24 - 24))
        _curve(field, key, points, number((reference or {}).get(key)), word)
    return Picture(png(figure), _words(shown))


def canvas(wide: float, high: float) -> Figure:
    """Return an empty figure of so many pixels of the page; the file will have twice as many."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(wide / _INCH, high / _INCH), dpi=2 * _INCH, facecolor=LIGHT["ground"])
    FigureCanvasAgg(figure)
    return figure


def axes_at(figure: Figure, size: tuple[float, float], box: tuple[float, float, float, float]) -> Axes:
    """Add axes to a figure of ``size`` pixels: left, bottom, width and height in pixels."""
    (wide, high), (left, bottom, across, up) = size, box
    return figure.add_axes((left / wide, bottom / high, across / wide, up / high))


def png(figure: Any) -> bytes:
    """Draw a figure with 64 colours: a third of the bytes, and no difference that an eye could see."""
    from PIL import Image

    canvas = figure.canvas
    canvas.draw()
    size = canvas.get_width_height()
    image = Image.frombuffer("RGBA", size, bytes(canvas.buffer_rgba()), "raw", "RGBA", 0, 1)
    out = io.BytesIO()
    image.convert("RGB").quantize(64).save(out, "PNG", optimize=True)
    return out.getvalue()


def leading(series: Mapping[str, Any]) -> list[str]:
    """Return the metrics in the order in which they deserve a picture."""
    return sorted(series, key=lambda key: (("lower", "higher", "zero", "").index(direction(key)) // 2, key))


def finite(points: Sequence[tuple[Any, Any]]) -> list[tuple[float, float]]:
    """Return points as numbers, thinned to `POINTS`; a value that is no finite number becomes NaN.

    So does one from `HUGE` on, since matplotlib cannot span two of them; a step so large is passed over.
    """
    found = []
    for step, value in points:
        x, y = number(step), number(value)
        if x is not None and y is not None and abs(x) < HUGE:
            found.append((float(x), float(y) if abs(y) < HUGE else math.nan))
    if sum(not math.isnan(y) for _, y in found) < 2:
        return []
    return thinned(found, POINTS)


def thinned(points: list[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """Keep the first, last, least and greatest point of each of ``most / 4`` stretches, in their order."""
    if len(points) <= most:
        return points
    stretches = max(1, most // 4)
    kept: list[tuple[float, float]] = []
    for stretch in range(stretches):
        part = points[stretch * len(points) // stretches : (stretch + 1) * len(points) // stretches]
        real = [place for place, (_, y) in enumerate(part) if y == y] or [0]
        chosen = {0, len(part) - 1, min(real, key=lambda i: part[i][1]), max(real, key=lambda i: part[i][1])}
        kept += [part[place] for place in sorted(chosen)]
    return kept


def _curve(axes: Axes, key: str, points: list[tuple[float, float]], level: float | None, word: str) -> None:
    from matplotlib.ticker import MaxNLocator

    color = SERIES[0]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    axes.set_facecolor(LIGHT["ground"])
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(LIGHT["axis"])
    axes.grid(axis="y", color=LIGHT["grid"], linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(axis="x", colors=LIGHT["text2"], length=3, width=0.8, labelsize=8, color=LIGHT["axis"])
    axes.tick_params(axis="y", colors=LIGHT["text2"], length=0, labelsize=8)
    whole = all(x == int(x) for x in (xs[0], xs[-1]))
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=whole))
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.plot(
        xs,
        ys,
        color=color,
        linewidth=1.6,
        solid_joinstyle="round",
        marker="o" if len(xs) < 3 else None,
        markersize=3,
    )
    axes.set_title(
        plain(key, 34), loc="left", fontsize=8.5, fontweight="bold", color=LIGHT["text"], pad=6, x=-0.12
    )
    last = next((x, y) for x, y in reversed(points) if y == y)
    axes.plot([last[0]], [last[1]], "o", color=color, markersize=4, clip_on=False)
    label = axes.annotate(
        plain(text(last[1]), 14),
        last,
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize=8.5,
        color=LIGHT["text"],
        annotation_clip=False,
    )
    label.set_zorder(5)
    if level is not None and math.isfinite(level):
        axes.axhline(level, color=LIGHT["axis"], linewidth=1, dashes=(4, 3), zorder=1)
        low, high = axes.get_ylim()
        pixels = (level - last[1]) / (high - low) * (_HIGH - 48)
        near = abs(pixels) < 11  # then beside the value's own text, on the level's side of it
        shift = ((11 if pixels > 0 else -11) - pixels) * 0.72 if near else 0
        axes.annotate(
            plain(word, 12),
            (1, level),
            xycoords=axes.get_yaxis_transform(),
            xytext=(6, shift),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color=LIGHT["text2"],
            annotation_clip=False,
        )


def plain(words: str, width: int) -> str:
    """Make any text one that matplotlib draws as it is, without its mathematics."""
    return middle(visible(words), width).replace("$", r"\$")


def _words(shown: Sequence[tuple[str, list[tuple[float, float]]]]) -> str:
    """Describe the curves for who cannot see them."""
    told = []
    for key, points in shown:
        real = [(x, y) for x, y in points if y == y]
        told.append(
            f"{key} by step, from {text(real[0][1])} to {text(real[-1][1])} at step {text(real[-1][0])}"
        )
    return "; ".join(told)
