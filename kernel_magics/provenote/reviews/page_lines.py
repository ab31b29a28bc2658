"""Lines of two texts opposite each other as HTML, with what hangs beside a line. Pure.

A line that is gone or new has its sign beside its number and is marked as such for a reader that speaks;
the colour only repeats it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from provenote.compare.numbers import counted
from provenote.compare.texts import CONTEXT, WIDTH
from provenote.render import html
from provenote.reviews import pairing
from provenote.reviews.pairing import Gap, Marks, Twin

CODE, CODE_WIDTH = 5_000, 10_000
"""Lines shown of a source, and characters of one line: what a review hides nobody has reviewed."""
SAID = 100
"""Lines shown of an output."""


@dataclass(frozen=True, slots=True)
class Hung:
    """What hangs beside the lines of one text, and what its marks may cost.

    Parameters
    ----------
    cards : mapping of int to str
        Line of the head, from 0, to the HTML of its threads.
    badges : mapping of int to str
        The same to the numbers of those threads, set behind the line.
    marks : Marks, optional
        What the page may still spend on comparing words.
    """

    cards: Mapping[int, str] = field(default_factory=dict)
    badges: Mapping[int, str] = field(default_factory=dict)
    marks: Marks | None = None


def source(
    old: str | None, new: str | None, hung: Hung | None = None, *, context: int | None = CONTEXT
) -> str:
    """Return two sources side by side; with None for the base's, the head's alone.

    Parameters
    ----------
    old, new : str or None
        The base's and the head's source.
    hung : Hung, optional
    context : int, optional
        Lines shown around a difference; None for all.
    """
    return _diff(old, new, hung, context, CODE, CODE_WIDTH)


def said(old: str | None, new: str | None, hung: Hung | None = None) -> str:
    """Return the text of two outputs side by side, the begin of a long one; parameters as for `source`."""
    return _diff(old, new, hung, CONTEXT if old is not None else None, SAID, WIDTH)


def _diff(
    old: str | None, new: str | None, hung: Hung | None, context: int | None, most: int, width: int
) -> str:
    hung = hung or Hung()
    keep = set(hung.cards)
    found = pairing.twins(
        old or "", new or "", keep=keep, context=context, most=most, width=width, marks=hung.marks
    )
    return block(found, hung, alone=old is None)


def block(found: Sequence[Twin | Gap], hung: Hung, *, alone: bool = False) -> str:
    """Return rows that stand beside each other; ``alone``: the head's side only, nothing marked."""
    rows = []
    for one in found:
        if isinstance(one, Gap):
            rows.append(f'<div class="pn-g">{gap(one, alone)}</div>')
            continue
        line = -1 if one.new is None else one.new
        rows.append(hung.cards.get(line, "") + _row(one, hung.badges.get(line, ""), alone))
    return f'<div class="pn-rd{" pn-one" if alone else ""}">{"".join(rows)}</div>'


def gap(one: Gap, alone: bool = False) -> str:
    """Say how many lines are left out."""
    return f"{counted(one.count, 'line')} {'the same' if one.same and not alone else 'more'}"


def _row(one: Twin, badge: str, alone: bool) -> str:
    new = f"{one.new + 1}" if one.new is not None else ""
    name = "pn-r pn-hl" if badge else "pn-r"
    if alone:
        return f'<div class="{name}"><i>{new}</i><code>{html.text(one.right)}{badge}</code></div>'
    old = f"{one.old + 1}" if one.old is not None else ""
    if one.sign == "=":
        left = html.text(one.left)
        right = html.text(one.right) if one.right != one.left else left
        # The left half says the same: a reader that speaks would say each line twice.
        return (
            f'<div class="{name}"><i aria-hidden="true">{old}</i><code aria-hidden="true">{left}</code>'
            f"<i>{new}</i><code>{right}{badge}</code></div>"
        )
    gone, come = (
        '<i class="pn-e"></i><span class="pn-e"></span>',
        '<i class="pn-e"></i><span class="pn-e"></span>',
    )
    if one.old is not None:
        gone = f'<i class="pn-old">− {old}</i><del class="pn-old">{spanned(one.left, one.gone)}</del>'
    if one.new is not None:
        come = f'<i class="pn-new">+ {new}</i><ins class="pn-new">{spanned(one.right, one.come)}{badge}</ins>'
    return f'<div class="{name}">{gone}{come}</div>'


def spanned(text: str, spans: Collection[tuple[int, int]]) -> str:
    """Return a line with the stretches marked that the other side lacks."""
    if not spans:
        return html.text(text)
    made, at = [], 0
    for begin, end in spans:
        made += [html.text(text[at:begin]), f"<b>{html.text(text[begin:end])}</b>"]
        at = end
    return "".join([*made, html.text(text[at:])])
