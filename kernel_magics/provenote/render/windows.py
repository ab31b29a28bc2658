"""A picture of one statistic by window: its line, the band of what is usual, the limit."""

from __future__ import annotations

import math
from collections.abc import Sequence

from provenote.compare.numbers import text
from provenote.render.plots import axes_at, canvas, plain, png
from provenote.render.roles import LIGHT
from provenote.view import Picture

_WIDE, _HIGH, _LEFT = 620.0, 170.0, 64.0
_LABELS = 6


def draw(
    title: str,
    names: Sequence[str],
    values: Sequence[float | None],
    limits: Sequence[float | None],
    over: Sequence[bool],
    band: tuple[float, float] | None,
) -> Picture:
    """Draw one statistic.

    Parameters
    ----------
    title : str
    names : sequence of str
        Of the windows.
    values, limits : sequence of float or None
        None leaves a gap.
    over : sequence of bool
        Windows outside: triangles.
    band : tuple of float or None
        What is usual, as a grey band.
    """
    size = _WIDE, _HIGH
    figure = canvas(*size)
    axes = axes_at(figure, size, (_LEFT, 28, _WIDE - _LEFT - 20, _HIGH - 28 - 30))
    axes.set_facecolor(LIGHT["ground"])
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(LIGHT["axis"])
    axes.grid(axis="y", color=LIGHT["grid"], linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=LIGHT["text2"], length=3, labelsize=8, color=LIGHT["axis"])
    places = range(len(names))
    if band is not None:
        axes.axhspan(*band, color=LIGHT["soft"], zorder=0)
    whole = [math.nan if one is None else one for one in limits]
    axes.plot(places, whole, color=LIGHT["err"], linewidth=1, dashes=(4, 3))
    line = [math.nan if one is None else one for one in values]
    axes.plot(places, line, "-o", color=LIGHT["run"], linewidth=1.2, markersize=3)
    outside = [place for place in places if over[place]]
    axes.plot(outside, [line[place] for place in outside], "^", color=LIGHT["err"], markersize=7)
    step = max(1, math.ceil(len(names) / _LABELS))
    axes.set_xticks(list(places)[::step], [plain(name, 16) for name in list(names)[::step]])
    axes.set_title(plain(title, 90), loc="left", fontsize=8.5, fontweight="bold", color=LIGHT["text"], pad=6)
    told = f"{len(outside)} of {len(names)} windows outside"
    last = next((one for one in reversed(values) if one is not None), None)
    words = f"{title}: {told}" + (f", the last at {text(last)}" if last is not None else "")
    return Picture(png(figure), words)
