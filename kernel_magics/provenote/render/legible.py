"""Make any text safe and readable on one line: no control marks, no turned direction, cut in the middle.

A run's name, a note or a metric's key may hold anything: ANSI codes that recolour a terminal, marks that
reverse the direction of reading, line breaks, half characters. They are shown as their code.
"""

from __future__ import annotations

import re
import unicodedata

# C0, C1, DEL; soft hyphen; Arabic letter mark; zero-width space and marks of direction; line and paragraph
# separators; embeddings and isolates; word joiner and invisible operators; deprecated format characters;
# interlinear marks; byte-order mark; surrogates; non-characters; language tags. Joiners (200C, 200D) shape
# letters and emoji, so they stay.
_ODD = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    r"""Show marks that would act on the screen as their code, such as ``\x1b`` and ``\u202e``."""
    if text.isascii() and text.isprintable():  # most texts, many times faster than looking for each mark
        return text
    return _ODD.sub(_code, text)


def _code(found: re.Match[str]) -> str:
    point = ord(found[0])
    if found[0] in _NAMED:
        return _NAMED[found[0]]
    return f"\\x{point:02x}" if point < 256 else f"\\u{point:04x}" if point < 65536 else f"\\U{point:08x}"


def cells(text: str) -> int:
    """Count the terminal cells of a text: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(map(_cell, text))


def _cell(character: str) -> int:
    if unicodedata.combining(character) or character in "\u200c\u200d\ufe0e\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def middle(text: str, width: int) -> str:
    """Cut a text in the middle so that it takes at most ``width`` cells; its begin and end tell more."""
    if cells(text) <= width:
        return text
    if width < 2:
        return "…"[:width]
    head, tail, room = "", "", width - 1
    front, back = 0, len(text)
    while front < back:
        taken = text[front] if cells(head) <= cells(tail) else text[back - 1]
        if cells(head) + cells(tail) + cells(taken) > room:
            break
        if cells(head) <= cells(tail):
            head, front = head + taken, front + 1
        else:
            tail, back = taken + tail, back - 1
    return f"{head}…{tail}"


def padded(text: str, width: int, align: str = "left") -> str:
    """Fill a text to ``width`` cells."""
    fill = " " * max(0, width - cells(text))
    return fill + text if align == "right" else text + fill
