"""A picture of intervals below each other: a dot and its reach, and the line that they are held against."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from provenote.compare.numbers import text
from provenote.render.plots import axes_at, canvas, plain, png
from provenote.render.roles import LIGHT
from provenote.view import Picture

MOST = 40
"""Intervals that are drawn; the first ones of more."""
_ROW, _LEFT, _WIDE, _RIGHT = 18.0, 190.0, 620.0, 110.0


@dataclass(frozen=True, slots=True)
class Reach:
    """One interval.

    Parameters
    ----------
    name : str
    value, low, high : float
        NaN where there is none: only its name and word are drawn.
    word : str
        What was found, written at its right end.
    color : str
        A role of `provenote.render.roles.LIGHT`.
    """

    name: str
    value: float
    low: float = math.nan
    high: float = math.nan
    word: str = ""
    color: str = "text"


def draw(reaches: Sequence[Reach], *, title: str, limits: Sequence[float] = (0.0,)) -> Picture | None:
    """Draw intervals on one scale.

    Parameters
    ----------
    reaches : sequence of Reach
    title : str
        What the scale is, with its unit.
    limits : sequence of float
        Where upright lines stand: what the intervals are held against.

    Returns
    -------
    Picture or None
        None when there is no finite value to draw.
    """
    shown = list(reaches)[:MOST]
    real = [x for one in shown for x in (one.value, one.low, one.high) if math.isfinite(x)]
    if not real:
        return None
    high = 34 + _ROW * len(shown) + 26
    size = _LEFT + _WIDE, high
    figure = canvas(*size)
    axes = axes_at(figure, size, (_LEFT, 26, _WIDE - _RIGHT, high - 34 - 22))
    axes.set_facecolor(LIGHT["ground"])
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(LIGHT["axis"])
    axes.tick_params(axis="x", colors=LIGHT["text2"], length=3, labelsize=8, color=LIGHT["axis"])
    axes.grid(axis="x", color=LIGHT["grid"], linewidth=0.8)
    axes.set_axisbelow(True)
    for limit in limits:
        if math.isfinite(limit):
            axes.axvline(limit, color=LIGHT["axis"], linewidth=1, dashes=(4, 3), zorder=1)
    for place, one in enumerate(shown):
        color = LIGHT[one.color]
        if math.isfinite(one.low) and math.isfinite(one.high):
            axes.plot([one.low, one.high], [place, place], color=color, linewidth=1.6, solid_capstyle="butt")
        if math.isfinite(one.value):
            axes.plot([one.value], [place], "o", color=color, markersize=4.5)
        axes.annotate(
            plain(one.word, 18), (1, place), xycoords=axes.get_yaxis_transform(), xytext=(6, 0),
            textcoords="offset points", va="center", fontsize=8, color=color, annotation_clip=False,
        )  # fmt: skip
    axes.set_yticks(range(len(shown)), [plain(one.name, 30) for one in shown])
    axes.tick_params(axis="y", colors=LIGHT["text"], length=0, labelsize=8.5)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_title(plain(title, 80), loc="left", fontsize=8.5, fontweight="bold", color=LIGHT["text"], pad=6)
    return Picture(png(figure), _words(shown, title))


def _words(shown: Sequence[Reach], title: str) -> str:
    told = []
    for one in shown:
        value = text(one.value) if math.isfinite(one.value) else "no value"
        around = f" from {text(one.low)} to {text(one.high)}" if math.isfinite(one.low) else ""
        told.append(f"{one.name} {value}{around}{f', {one.word}' if one.word else ''}")
    return f"{title}: " + "; ".join(told)
