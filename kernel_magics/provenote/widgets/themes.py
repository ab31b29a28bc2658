"""Colours of the plots in light and dark surroundings, as the table beside them has them."""

from __future__ import annotations

from typing import Any, NamedTuple

from provenote.render.roles import DARK, LIGHT, SERIES

DARK_SERIES = ("#64b5f6", "#ff9a57", "#3ccba0", "#e3a0d2", "#e2cd55", "#d0d0d0")
SYMBOLS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross")
DASHES = ("solid", "dash", "dot", "dashdot", "solid", "dash")
"""The names that plotly has for the markers and dashes of `provenote.render.roles`."""
FONT = "system-ui, -apple-system, 'Segoe UI', helvetica, arial, sans-serif"


class Theme(NamedTuple):
    """What a plot takes from its surroundings."""

    text: str
    text2: str
    grid: str
    axis: str
    ground: str
    rest: str
    faded: str
    series: tuple[str, ...]

    def axes(self) -> dict[str, Any]:
        """Return how an axis looks."""
        return {
            "gridcolor": self.grid,
            "linecolor": self.axis,
            "zeroline": False,
            "tickfont": {"color": self.text2, "size": 11},
            "title": {"font": {"color": self.text2, "size": 11}, "standoff": 6},
        }

    def layout(self) -> dict[str, Any]:
        """Return how a figure looks."""
        return {
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": FONT, "size": 12, "color": self.text},
            "hoverlabel": {"bgcolor": self.ground, "bordercolor": self.axis, "font": {"color": self.text}},
        }


def theme(dark: bool) -> Theme:
    """Return the colours for a light or a dark ground."""
    roles = DARK if dark else LIGHT
    return Theme(
        roles["text"],
        roles["text2"],
        roles["grid"],
        roles["axis"],
        roles["ground"],
        "#9a9ea3" if dark else "#8d9299",
        "#47494c" if dark else "#d3d5d8",
        DARK_SERIES if dark else SERIES,
    )
