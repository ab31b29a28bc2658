"""The plain tables among the HTML that a cell put out, read as text. Pure.

Only the words of the cells are taken; nothing of the page's own HTML is ever repeated. A table whose cells
span several rows or columns, that stands in another or beside others, is no plain one: its text is shown.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from provenote.compare.notebooks import settled, untagged
from provenote.render.html import text
from provenote.reviews import pairing
from provenote.reviews.page_lines import gap
from provenote.reviews.pairing import Gap, Twin

LONGEST = 400_000
"""Characters of HTML that are looked through for a table."""
COLUMNS = 40
_TABLE = re.compile(r"<(/?)table\b[^<>]{0,400}>", re.I)
_PIECE = re.compile(r"<(/?)(tr|td|th)\b([^<>]{0,400})>", re.I)
_SHAPE = re.compile(r"\b\d{1,9} rows × \d{1,9} columns")  # as pandas says below a table that it cuts
_SPAN = re.compile(r"(?:row|col)span\s{0,9}=\s{0,9}[\"']?0*([2-9]|1\d)", re.I)

Rows = list[tuple[str, ...]]


def read(markup: str) -> Rows | None:
    """Return the rows of a plain table, its head first; None where there is none.

    Parameters
    ----------
    markup : str
        HTML as a cell put it out.
    """
    if len(markup) > LONGEST:
        return None
    marks = list(_TABLE.finditer(markup))
    if [mark[1] for mark in marks] != ["", "/"]:
        return None
    around = untagged(markup[: marks[0].start()]) + untagged(markup[marks[1].end() :])
    if _SHAPE.sub("", around, count=1).strip():
        return None  # these words would be lost
    rows: Rows = []
    row: list[str] | None = None
    body = markup[marks[0].end() : marks[1].start()]
    pieces = list(_PIECE.finditer(body))
    for number, piece in enumerate(pieces):
        closing, tag = bool(piece[1]), piece[2].lower()
        if tag == "tr":
            if row:
                rows.append(tuple(row))
            row = None if closing else []
        elif not closing:
            if row is None or _SPAN.search(piece[3]):
                return None
            end = pieces[number + 1].start() if number + 1 < len(pieces) else len(body)
            words = html.unescape(untagged(body[piece.end() : end]))
            row.append(" ".join(settled(words).split()))
    if row:
        rows.append(tuple(row))
    wide = {len(one) for one in rows}
    return rows if len(wide) == 1 and 0 < max(wide) <= COLUMNS else None


def beside(old: Rows | None, new: Rows | None, *, compared: bool = True) -> str:
    """Return two tables whose rows stand opposite each other.

    Parameters
    ----------
    old, new : list of tuple or None
        The base's and the head's; None: that side has none.
    compared : bool
        False: ``new`` alone, nothing marked.
    """
    if not compared:
        rows = pairing.twins("", _lines(new), context=None)
        return f'<div class="pn-rt pn-one">{_table(rows, new or [], None, "head", marked=False)}</div>'
    found = pairing.twins(_lines(old), _lines(new), context=2)
    if found and isinstance(found[0], Gap) and old and new and old[0] == new[0]:
        found = pairing.twins(_lines(old), _lines(new), context=2, keep={0})  # the heads of the columns
    left = _table(found, old, new, "base") if old is not None else '<div class="pn-e"></div>'
    right = _table(found, new, old, "head") if new is not None else '<div class="pn-e"></div>'
    return f'<div class="pn-rt">{left}{right}</div>'


def _lines(rows: Rows | None) -> str:
    return "\n".join(" \x1f ".join(row) for row in rows or ())


def _table(
    found: Sequence[Twin | Gap],
    mine: Rows,
    others: Rows | None,
    side: str,
    *,
    marked: bool = True,
) -> str:
    """Return one of the two tables, with an empty row opposite a row that only the other has."""
    is_old = side == "base"
    wide = max(map(len, mine), default=1)
    sign, word, name = ("− ", "del", "pn-old") if is_old else ("+ ", "ins", "pn-new")
    rows = []
    for one in found:
        if isinstance(one, Gap):
            rows.append(f'<tr class="pn-g"><td colspan="{wide + 1}">{gap(one, not marked)}</td></tr>')
            continue
        at, other = (one.old, one.new) if is_old else (one.new, one.old)
        if at is None:
            rows.append(f'<tr class="pn-e"><td colspan="{wide + 1}"></td></tr>')
            continue
        cells = mine[at]
        beside = others[other] if others is not None and other is not None else None
        differs = marked and one.sign != "="
        made = []
        for column, value in enumerate(cells):
            changed = differs and (beside is None or column >= len(beside) or beside[column] != value)
            words = text(value, 60)
            title = f' title="{text(value, 400)}"' if len(value) > 60 else ""
            shown = f"<{word}>{words}</{word}>" if changed else words
            made.append(f"<th{title}>{shown}</th>" if at == 0 or not column else f"<td{title}>{shown}</td>")
        rows.append(
            f'<tr{f" class={name}" if differs else ""}><td class="pn-sg">{sign if differs else ""}</td>'
            f"{''.join(made)}</tr>"
        )
    return (
        f'<div class="pn-rx" tabindex="0" role="region" aria-label="table, {side}">'
        f"<table>{''.join(rows)}</table></div>"
    )
