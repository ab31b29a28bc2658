"""Parts of a `View` as GitHub-flavoured Markdown, for a pull request, an issue or a wiki.

Nothing in a text acts: no emphasis, link, HTML, mention or reference to an issue comes of a run's name.
Pictures are files beside the text, since GitHub strips data addresses.
Source: GitHub Flavored Markdown Spec, version 0.29.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from provenote.compare.texts import folded
from provenote.render.legible import middle, visible
from provenote.render.roles import MARKS
from provenote.view import Beside, Cell, Changes, Facts, Mark, Part, Picture, Stroke, Table, Text

CELL = 80
"""The most characters one value of a table takes."""

Keep = Callable[[bytes, str], str]
"""Stores the bytes of a picture of a MIME type, and returns the address that the text names it by."""

_ACTS = re.compile(
    r"[\\`*{}\[\]<>|~$&]"  # emphasis, code, links, HTML, columns, mathematics, entities
    r"|(?<![A-Za-z0-9_])_|_(?![A-Za-z0-9_])"  # inside a word it is no emphasis
    r"|:(?=//)|(?<=\bwww)\.|:(?=[a-z_+-][a-z0-9_+-]*:)"  # addresses, names of emoji
    r"|^\s*(?:[-+](?=\s|$)|[#=]|\d+[.)](?=\s|$))"  # what begins a list or a heading
)
_CALLS = re.compile(r"[@#](?=\w)")
_CODE = re.compile(r"`([^`]+)`")


def part(part: Part, keep: Keep) -> str:
    """Return one part of a view, ended by a newline."""
    if isinstance(part, Table):
        return _table(part)
    if isinstance(part, Facts):
        pairs = [f"- {text(name)}: {prose(cell.text)}\n" for name, cell in part.pairs]
        return _caption(part.caption) + "".join(pairs)
    if isinstance(part, Picture):
        return f"![{text(part.alt)}]({keep(part.png, 'image/png')})\n"
    if isinstance(part, Changes):
        return _changes(part)
    if isinstance(part, Beside):
        return _beside(part, keep)
    if isinstance(part, Text):
        return _fenced(part.text, "")
    aside = f" ({text(part.aside)})" if part.aside else ""
    return f"{_mark(part.mark)}{prose(part.text)}{aside}\n"


def text(value: str, limit: int | None = None) -> str:
    """Escape a text so that it reads as it is, on one line."""
    shown = visible(value)
    if limit is not None:
        shown = middle(shown, limit)
    return _plain(shown)


def code(value: str, limit: int | None = CELL) -> str:
    """Return a text as a span of code; in a table a pipe is escaped even there."""
    shown = visible(value)
    if limit is not None:
        shown = middle(shown, limit)
    if not shown.strip():
        return ""
    ticks = "`" * (max((len(run) for run in re.findall(r"`+", shown)), default=0) + 1)
    room = " " if shown.startswith("`") or shown.endswith("`") else ""
    shown = shown.replace("|", "\\|")
    return f"{ticks}{room}{shown}{room}{ticks}"


def prose(value: str) -> str:
    """Escape a sentence of ours; its commands in back quotes stay code."""
    shown = visible(value)
    pieces, at = [], 0
    for found in _CODE.finditer(shown):
        pieces += [_plain(shown[at : found.start()]), found[0].replace("|", "\\|")]
        at = found.end()
    return "".join([*pieces, _plain(shown[at:])])


def _plain(shown: str) -> str:
    # A comment parts a mention or a reference from its sign: nothing else stops GitHub from linking it.
    escaped = _ACTS.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", shown)
    return _CALLS.sub(lambda found: f"{found[0]}<!-- -->", escaped)


def _caption(caption: str) -> str:
    return f"**{text(caption)}**\n\n" if caption else ""


def _mark(mark: Mark) -> str:
    return f"{MARKS[mark].glyph} " if mark else ""


def _table(table: Table) -> str:
    foot = "".join(f"\n{prose(line)}\n" for line in table.foot)
    if not table.rows:
        return f"{_caption(table.caption)}{prose(table.empty)}\n{foot}"
    heads = " | ".join(text(column.heading, CELL) for column in table.columns)
    rule = " | ".join("---:" if column.align == "right" else "---" for column in table.columns)
    marks: Sequence[Mark] = table.marks or [""] * len(table.rows)
    rows = "".join(
        f"| {_mark(mark)}{' | '.join(map(_cell, row))} |\n"
        for mark, row in zip(marks, table.rows, strict=True)
    )
    return f"{_caption(table.caption)}| {heads} |\n| {rule} |\n{rows}{foot}"


def _cell(cell: Cell) -> str:
    if cell.role == "code":
        return code(cell.text)
    shown = text(cell.text, CELL)
    return f"**{shown}**" if cell.role == "strong" and shown.strip() else shown


def _changes(changes: Changes) -> str:
    made = [_caption(changes.caption)]
    for heading, strokes in changes.columns:
        made.append(f"{text(heading)}\n\n{_fenced(_diff(strokes), 'diff')}\n")
    return "".join(made)


def _diff(strokes: Sequence[Stroke]) -> str:
    lines = []
    for stroke in folded(strokes):
        shown = visible(stroke.text)
        lines.append(f"@@ {shown} @@" if stroke.sign == "@" else f"{stroke.sign}{shown}")
    return "\n".join(lines)


def _fenced(body: str, language: str) -> str:
    body = "\n".join(map(visible, body.split("\n")))
    ticks = "`" * max(3, max((len(run) for run in re.findall(r"`+", body)), default=0) + 1)
    return f"{ticks}{language}\n{body}\n{ticks}\n"


def _beside(beside: Beside, keep: Keep) -> str:
    heads = " | ".join(text(image.heading, CELL) for image in beside.images)
    shown = " | ".join(
        f"![{text(image.alt)}]({keep(image.data, image.mime)})" if image.data else "no picture"
        for image in beside.images
    )
    rule = " | ".join("---" for _ in beside.images)
    return f"{_caption(beside.caption)}| {heads} |\n| {rule} |\n| {shown} |\n"
