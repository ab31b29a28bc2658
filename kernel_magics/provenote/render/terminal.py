"""A `View` as text for a terminal or a pipe.

Words first, colour second: without colour the same words stand in the same places. On a terminal the
width is kept: columns go from the right, the first and those marked ``keep`` stay. In a pipe nothing is
cut away, so that other programs see everything.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import TextIO

from provenote.compare.texts import folded
from provenote.render.legible import cells, middle, padded, visible
from provenote.render.roles import ANSI, MARKS
from provenote.view import Beside, Cell, Changes, Facts, Line, Mark, Part, Picture, Role, Table, Text, View

CELL = 40
"""The most cells one value of a table takes on a terminal."""
GAP = "  "

_RESET = "\x1b[0m"
_CODE = re.compile(r"`([^`]+)`")


def render(view: View, *, width: int | None = None, color: bool = False) -> str:
    """Return the text of a view, each line ended.

    Parameters
    ----------
    view : View
    width : int, optional
        Cells of a line; None keeps everything, as for a pipe.
    color : bool
        Whether ANSI codes may be used.
    """
    pen = _Pen(width, color)
    text = ""
    for group in _groups(view.parts):
        lines = pen.part(group)
        apart = text and isinstance(group[0], (Table, Facts, Changes, Beside)) and group[0].caption
        text += ("\n" if apart else "") + "".join(f"{line}\n" for line in lines)
    return text


def write(view: View, stream: TextIO | None = None) -> None:
    """Render a view to a stream, as wide and coloured as the stream is a terminal."""
    out = sys.stdout if stream is None else stream
    width, color = surface(out)
    out.write(render(view, width=width, color=color))


def surface(stream: TextIO) -> tuple[int | None, bool]:
    """Return ``(width, color)`` of a stream: ``(None, False)`` unless it is a terminal.

    ``NO_COLOR`` (https://no-color.org) and ``TERM=dumb`` take the colour away, ``COLUMNS`` sets the width.
    """
    if not stream.isatty():
        return None, False
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return max(20, shutil.get_terminal_size().columns), not plain


def paint(text: str, role: Role, color: bool) -> str:
    """Colour a text by its role."""
    return f"\x1b[{ANSI[role]}m{text}\x1b[0m" if color and ANSI[role] and text else text


def _groups(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """Put lines that follow each other together: their asides stand in one column."""
    group: list[Part] = []
    for part in parts:
        if group and not (isinstance(part, Line) and isinstance(group[-1], Line)):
            yield group
            group = []
        group.append(part)
    if group:
        yield group


class _Pen:
    def __init__(self, width: int | None, color: bool) -> None:
        self.width = width
        self.color = color

    def part(self, group: Sequence[Part]) -> list[str]:
        first = group[0]
        if isinstance(first, Table):
            return self.table(first)
        if isinstance(first, Facts):
            return self.facts(first)
        if isinstance(first, Text):
            return [visible(line) for line in first.text.split("\n")]
        if isinstance(first, Changes):
            return self.changes(first)
        if isinstance(first, Beside):
            return self.beside(first)
        if isinstance(first, Picture):
            return [self.muted(f"(picture: {visible(first.alt)})")]
        return self.lines([line for line in group if isinstance(line, Line)])

    def muted(self, text: str) -> str:
        return paint(text, "muted", self.color)

    def mark(self, mark: Mark) -> str:
        return paint(MARKS[mark].glyph, MARKS[mark].role, self.color) if mark else " "

    def prose(self, text: str, role: Role, indent: int = 0) -> list[str]:
        """Wrap a sentence, and make its commands in back quotes bold."""
        shown = visible(text)
        lines = _wrapped(shown, None if self.width is None else max(10, self.width - indent))
        lines = [paint(line, role, self.color) for line in lines]
        if self.color:
            back = f"\x1b[{ANSI[role]}m" if ANSI[role] else ""
            bold = f"{_RESET}\x1b[1m\\1{_RESET}{back}"
            lines = [_CODE.sub(bold, line) for line in lines]
        return [lines[0], *(" " * indent + line for line in lines[1:])]

    def lines(self, lines: Sequence[Line]) -> list[str]:
        found: list[str] = []
        aside_at = max((cells(visible(x.text)) for x in lines if x.aside), default=0) + 4
        aside_wide = max((cells(visible(x.aside)) for x in lines), default=0)
        for line in lines:
            lead = f"{self.mark(line.mark)} " if line.mark else ""
            text = self.prose(line.text, line.role, 2 if line.mark else 0)
            if line.aside:
                aside = padded(visible(line.aside), aside_wide, "right")
                used = cells(visible(line.text)) + (2 if line.mark else 0)
                fits = self.width is None or aside_at + aside_wide + 2 <= self.width
                fill = " " * (aside_at - used if fits else 2)
                text[-1] += fill + self.muted(aside if fits else visible(line.aside))
            found += [lead + text[0], *text[1:]]
        return found

    def facts(self, facts: Facts) -> list[str]:
        found = [paint(visible(facts.caption), "strong", self.color)] if facts.caption else []
        wide = max((cells(visible(name)) for name, _ in facts.pairs), default=0)
        wide = min(wide, 24 if self.width is None else max(8, self.width // 3))
        for name, cell in facts.pairs:
            label = padded(middle(visible(name), wide), wide)
            value = self.prose(cell.text, cell.role, wide + 4)
            found += [f"  {self.muted(label)}{GAP}{value[0]}", *value[1:]]
        return found

    def table(self, table: Table) -> list[str]:
        found = [paint(visible(table.caption), "strong", self.color)] if table.caption else []
        if not table.rows:
            return found + self.prose(table.empty, "muted") + [self.muted(visible(x)) for x in table.foot]
        cap = CELL if self.width is not None else 10_000
        texts = [[middle(visible(cell.text), cap) for cell in row] for row in table.rows]
        heads = [middle(visible(column.heading), cap) for column in table.columns]
        wide = [max([cells(head), *(cells(row[i]) for row in texts)]) for i, head in enumerate(heads)]
        shown, dropped = self._fitting(table, wide)
        aligns = [column.align for column in table.columns]
        head = GAP.join(padded(middle(heads[i], wide[i]), wide[i], aligns[i]) for i in shown)
        found.append(self.muted(f"  {head}".rstrip()))
        marks = table.marks or [""] * len(table.rows)
        for mark, row, text in zip(marks, table.rows, texts, strict=True):
            line = GAP.join(self._cell(row[i], text[i], wide[i], aligns[i]) for i in shown)
            found.append(f"{self.mark(mark)} {line}".rstrip())
        if dropped:
            names = ", ".join(heads[i] for i in dropped)
            what = "1 column" if len(dropped) == 1 else f"{len(dropped)} columns"
            found.append(self.muted(middle(f"{what} not shown here: {names}", self.width or 10_000)))
        for foot in table.foot:
            found += self.prose(foot, "muted")
        return found

    def changes(self, changes: Changes) -> list[str]:
        roles: dict[str, Role] = {"+": "ok", "-": "error", " ": "plain", "@": "muted"}
        found = [paint(visible(changes.caption), "strong", self.color)] if changes.caption else []
        for heading, strokes in changes.columns:
            found.append(self.muted(f"  {visible(heading)}"))
            for stroke in folded(strokes):
                text = f"  {stroke.sign} {visible(stroke.text)}".rstrip()
                found.append(paint(text, roles[stroke.sign], self.color))
        return found

    def beside(self, beside: Beside) -> list[str]:
        found = [paint(visible(beside.caption), "strong", self.color)] if beside.caption else []
        for image in beside.images:
            what = f"(picture: {image.alt})" if image.data else "no picture"
            found.append(f"  {visible(image.heading)}  {self.muted(visible(what))}")
        return found

    def _cell(self, cell: Cell, text: str, wide: int, align: str) -> str:
        text = middle(text, wide)
        fill = " " * (wide - cells(text))
        inked = paint(text, cell.role, self.color)
        return fill + inked if align == "right" else inked + fill

    def _fitting(self, table: Table, wide: list[int]) -> tuple[list[int], list[int]]:
        """Choose the columns that fit; cut the widest of those that must stay."""
        shown, dropped = list(range(len(wide))), list[int]()
        if self.width is None:
            return shown, dropped

        def total() -> int:
            return 2 + sum(wide[i] for i in shown) + len(GAP) * (len(shown) - 1)

        for i in reversed(range(1, len(wide))):
            if total() > self.width and not table.columns[i].keep:
                shown.remove(i)
                dropped.insert(0, i)
        while total() > self.width and max(wide[i] for i in shown) > 6:
            widest = max(shown, key=lambda i: wide[i])
            wide[widest] = max(6, wide[widest] - (total() - self.width))
        return shown, dropped


def _wrapped(text: str, width: int | None) -> list[str]:
    """Break a text at spaces so that lines fit; a longer word stays whole, so that it can be copied."""
    if width is None or cells(text) <= width:
        return [text]
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if cells(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
