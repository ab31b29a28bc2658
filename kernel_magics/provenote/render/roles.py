"""What roles and marks look like: one table for the terminal, the notebook and the pictures.

Colour repeats what a word or a shape says, it never says it alone. Better and worse are blue and brown,
not green and red, which any eye can tell apart; green stays free for "checked".
"""

from __future__ import annotations

from typing import NamedTuple

from provenote.view import Mark, Role

ANSI: dict[Role, str] = {
    "plain": "",
    "muted": "2",
    "strong": "1",
    "code": "",
    "ok": "32",
    "warn": "33",
    "error": "31",
    "run": "34",
    "better": "34",
    "worse": "33",
}
"""Select-graphic-rendition codes of the terminal (ECMA-48)."""


class Shape(NamedTuple):
    """How a mark is drawn: its character, the word that it stands for, its role."""

    glyph: str
    word: str
    role: Role


MARKS: dict[Mark, Shape] = {
    "ok": Shape("✓", "finished", "ok"),
    "failed": Shape("✗", "failed", "error"),
    "killed": Shape("■", "killed", "warn"),
    "warn": Shape("▲", "look", "warn"),
    "running": Shape("◐", "running", "run"),
    "queued": Shape("·", "queued", "muted"),
    "silent": Shape("◌", "silent", "warn"),
}

SERIES = ("#0b62a8", "#bd4b00", "#00775a", "#97408a", "#6f6200", "#444444")
"""Colours of curves on a light ground, in the order in which runs take them."""
DASHES = ("solid", "dashed", "dotted", "dashdot", "solid", "dashed")
MARKERS = ("o", "s", "^", "D", "v", "P")

LIGHT = {
    "ok": "#388e3c",
    "ok-text": "#1b5e20",
    "warn": "#e65100",
    "warn-text": "#8a4b00",
    "err": "#d32f2f",
    "err-text": "#b71c1c",
    "run": "#1976d2",
    "run-text": "#0d47a1",
    "better": "#0d47a1",
    "worse": "#8a4b00",
    "text": "#212121",
    "text2": "#616161",
    "line": "#e0e0e0",
    "head": "#fafafa",
    "ground": "#ffffff",
    "soft": "#f1f1f1",
    "warn-bg": "#fff4e2",
    "err-bg": "#fdecea",
    "new-bg": "#dff3e0",
    "old-bg": "#fbe3e0",
    "new-in": "#b5e0b9",
    "old-in": "#f4b8b1",
    "grid": "#ececec",
    "axis": "#8a8a8a",
    "s1": "#0b62a8",
    "hover": "rgba(0,0,0,.035)",
}
"""Roles of the web faces on a light ground; contrast of text is at least 4.5, of icons 3."""
DARK = {
    "ok": "#81c784",
    "ok-text": "#81c784",
    "warn": "#ffb74d",
    "warn-text": "#ffb74d",
    "err": "#e57373",
    "err-text": "#f19999",
    "run": "#64b5f6",
    "run-text": "#64b5f6",
    "better": "#7cc0f8",
    "worse": "#ffb74d",
    "text": "#dedede",
    "text2": "#b3b3b3",
    "line": "#424242",
    "head": "#262626",
    "ground": "#212121",
    "soft": "#303030",
    "warn-bg": "#3a2c14",
    "err-bg": "#40211f",
    "new-bg": "#1d3b22",
    "old-bg": "#46221f",
    "new-in": "#2f5e37",
    "old-in": "#703630",
    "grid": "#303030",
    "axis": "#8c8c8c",
    "s1": "#64b5f6",
    "hover": "rgba(255,255,255,.05)",
}
"""The same on a dark ground."""
