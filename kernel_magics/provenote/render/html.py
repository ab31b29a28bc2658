"""A `View` as one self-contained block of HTML: no script, no address outside, every text escaped.

It is what a saved notebook, a mail or a pull request keeps. Where a reader strips the style sheet, tables,
headings and words remain.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from html import escape

from provenote.render.legible import middle, visible
from provenote.render.roles import MARKS
from provenote.render.style import sheet
from provenote.view import (
    Beside,
    Cell,
    Changes,
    Facts,
    Image,
    Line,
    Mark,
    Part,
    Picture,
    Stroke,
    Table,
    Text,
    View,
)

CELL = 60
"""The most characters one value of a table takes; its title holds the whole."""

_CODE = re.compile(r"`([^`]+)`")
_MIME = re.compile(r"image/(png|jpeg|gif|webp|bmp|svg\+xml)")


def render(view: View) -> str:
    """Return the block of a view."""
    return block(*(part(each) for each in view.parts))


def block(*inner: str) -> str:
    """Wrap pieces of HTML as one block with its style sheet."""
    return f'<div class="pn"><style>{sheet()}</style>{"".join(inner)}</div>'


def part(part: Part) -> str:
    """Return one part of a view."""
    if isinstance(part, Table):
        return _table(part)
    if isinstance(part, Facts):
        return _facts(part)
    if isinstance(part, Picture):
        return picture(part)
    if isinstance(part, Changes):
        return _changes(part)
    if isinstance(part, Beside):
        images = "".join(map(_image, part.images))
        return f'{_caption(part.caption)}<div class="pn-v">{images}</div>'
    if isinstance(part, Text):
        lines = "\n".join(map(text, part.text.split("\n")))
        return f'<pre class="pn-p">{lines}</pre>'
    return _line(part)


def text(value: str, limit: int | None = None) -> str:
    """Escape a text; one that is longer than ``limit`` is cut in the middle."""
    shown = visible(value)
    return escape(shown if limit is None else middle(shown, limit))


def prose(value: str) -> str:
    """Escape a sentence and set its commands in back quotes as code."""
    return _CODE.sub(lambda found: f"<code>{found[1]}</code>", text(value))


def mark(mark: Mark) -> str:
    """Return a mark as a small shape with its word as title."""
    if not mark:
        return ""
    shape = MARKS[mark]
    return (
        f'<span class="pn-m pn-{shape.role}" role="img" aria-label="{shape.word}" title="{shape.word}">'
        f"{shape.glyph}</span>"
    )


def spaced(*pieces: str) -> str:
    """Join pieces by spaces: where the style sheet is stripped, words must not run together."""
    return " ".join(filter(None, pieces))


def listed(pieces: Sequence[str]) -> str:
    """Join pieces by commas that show only where the style sheet is stripped."""
    return '<span class="pn-x">, </span>'.join(pieces)


def picture(part: Picture) -> str:
    """Return a picture as a data address, so that it needs no other file."""
    data = base64.b64encode(part.png).decode("ascii")
    wide = int.from_bytes(part.png[16:20], "big") // 2  # our pictures have two pixels for one of the page
    size = f' width="{wide}"' if wide else ""
    return f'<img src="data:image/png;base64,{data}" alt="{text(part.alt)}"{size}>'


def _changes(changes: Changes) -> str:
    """Return a text that differs: one column of lines for each run, each line with its sign.

    Where there is room the first one's text stands beside them, and the lines that are gone only there.
    """
    base = _column(*changes.base, "pn-a") if changes.base else ""
    columns = "".join(_column(heading, strokes, "pn-o") for heading, strokes in changes.columns)
    wide = " pn-w" if changes.base else ""
    return f'{_caption(changes.caption)}<div class="pn-q"><div class="pn-v{wide}">{base}{columns}</div></div>'


def _column(heading: str, strokes: Sequence[Stroke], name: str) -> str:
    signs = {"+": ' class="pn-new"', "-": ' class="pn-old"', " ": "", "@": ' class="pn-gap"'}
    lines = "".join(
        f"<span{signs[stroke.sign]}>{stroke.sign} {_spanned(stroke)}\n</span>" for stroke in strokes
    )
    return f'<div class="{name}"><div class="pn-k">{text(heading)}</div><pre class="pn-p">{lines}</pre></div>'


def _spanned(stroke: Stroke) -> str:
    """Mark what of a line is another."""
    made, at = [], 0
    for begin, end in stroke.spans:
        made += [text(stroke.text[at:begin]), f"<b>{text(stroke.text[begin:end])}</b>"]
        at = end
    return "".join([*made, text(stroke.text[at:])])


def _image(image: Image) -> str:
    """Return a picture that a run put out. As an image, an SVG can neither run a script nor load anything."""
    heading = f'<div class="pn-k">{text(image.heading)}</div>'
    if not image.data or not _MIME.fullmatch(image.mime):
        return f'<div>{heading}<div class="pn-f">no picture</div></div>'
    data = base64.b64encode(image.data).decode("ascii")
    return f'<div>{heading}<img src="data:{image.mime};base64,{data}" alt="{text(image.alt)}"></div>'


def _line(line: Line) -> str:
    aside = f'<span class="pn-muted pn-end">{text(line.aside)}</span>' if line.aside else ""
    words = f"<span{_role(line.role)}>{prose(line.text)}</span>"
    return f'<div class="pn-l">{spaced(mark(line.mark), words, aside)}</div>'


def _facts(facts: Facts) -> str:
    pairs = "".join(
        f"<dt>{text(name, CELL)}</dt><dd{_title(cell)}{_role(cell.role)}>{prose(cell.text)}</dd>"
        for name, cell in facts.pairs
    )
    return f'{_caption(facts.caption)}<dl class="pn-d">{pairs}</dl>'


def _table(table: Table) -> str:
    foot = "".join(f'<div class="pn-f">{prose(line)}</div>' for line in table.foot)
    if not table.rows:
        return f'{_caption(table.caption)}<div class="pn-f">{prose(table.empty)}</div>{foot}'
    names = ["pn-num" if column.align == "right" else "" for column in table.columns]
    names[0] = f"pn-first {names[0]}".strip()
    heads = "".join(
        f'<th scope="col"{_class(name)}>{text(column.heading, CELL)}</th>'
        for name, column in zip(names, table.columns, strict=True)
    )
    marks: Sequence[Mark] = table.marks or [""] * len(table.rows)
    rows = "".join(f"<tr>{_row(row, names, sign)}</tr>" for row, sign in zip(table.rows, marks, strict=True))
    return (
        f'{_caption(table.caption)}<table class="pn-t" role="table"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table>{foot}"
    )


def _row(row: Sequence[Cell], names: Sequence[str], sign: Mark) -> str:
    first, *rest = row
    head = f'<th scope="row" nowrap{_class(names[0], first)}{_title(first)}>'
    cells = [f"{head}{mark(sign)}{text(first.text, CELL)}</th>"]
    cells += [
        f"<td{_class(name, cell)}{_title(cell)}>{text(cell.text, CELL)}</td>"
        for name, cell in zip(names[1:], rest, strict=True)
    ]
    return "".join(cells)


def _caption(caption: str) -> str:
    return f'<div class="pn-h">{text(caption)}</div>' if caption else ""


def _role(role: str) -> str:
    return "" if role == "plain" else f' class="pn-{role}"'


def _class(name: str, cell: Cell | None = None) -> str:
    names = " ".join(filter(None, (name, f"pn-{cell.role}" if cell and cell.role != "plain" else "")))
    return f' class="{names}"' if names else ""


def _title(cell: Cell) -> str:
    full = cell.title or (cell.text if len(cell.text) > CELL else "")
    return f' title="{text(full)}"' if full else ""
