"""Threads and votes as HTML: who said what of which place, how sure that is, what still counts. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from provenote.compare.notebooks import NotebookCell
from provenote.compare.numbers import counted
from provenote.render import html
from provenote.render.roles import MARKS
from provenote.reviews.page_lines import source
from provenote.reviews.threads import Comment, Place, Suggestion, Thread, Vote

LONGEST = 20_000
"""Characters shown of one comment."""
_CERTAIN = {
    "exact": "",
    "moved": "moved with its text",
    "guessed": "guessed: look whether it belongs here",
    "outdated": "outdated: what it is about has changed or is gone",
    "orphan": "what it is about is gone",
}
_DECIDED = {"approve": "approves", "request-changes": "asks for changes"}


def card(number: int, thread: Thread, cells: Sequence[NotebookCell], anchor: str) -> str:
    """Return a thread as it stands in the margin; a resolved one is folded.

    Parameters
    ----------
    number : int
        By which the page names it, from 1.
    thread : Thread
    cells : sequence of NotebookCell
        Those of the version under review.
    anchor : str
        What other parts of the page name it by; empty where the page has no such names.
    """
    where, sure = place(thread.place), _CERTAIN[thread.place.certainty]
    state = thread.state if thread.known else f"{thread.state}, not counted"
    name = f' id="{anchor}" tabindex="-1"' if anchor else ""
    label = ", ".join(filter(None, (f"Thread {number}", where, state, sure)))
    typed = f'<code class="pn-ti">{html.text(thread.id[:8])}</code>'
    heading = f'<span>{where}</span> {typed} <span class="pn-st">{state}</span>'
    certain = ""
    if sure:
        mark = "? " if thread.place.certainty == "guessed" else ""
        certain = f'<div class="pn-tu">{mark}{sure}{_was(thread)}</div>'
    body = "".join(map(comment, thread.comments))
    if thread.suggestion is not None:
        body += suggestion(thread.suggestion, thread.place, cells)
    if thread.state == "resolved" and thread.marked_by:
        body += f'<div class="pn-tu">resolved by {html.text(thread.marked_by, 60)}</div>'
    kind = f"pn-th pn-{thread.state} pn-{thread.place.certainty}"
    if thread.state == "resolved":
        said = counted(len(thread.comments), "comment")
        inner = f"<details><summary>{tag(number)} {heading} {said}</summary>{certain}{body}</details>"
    else:
        inner = f'<div class="pn-tk">{tag(number)} {heading}</div>{certain}{body}'
    return f'<article class="{kind}"{name} aria-label="{html.text(label)}">{inner}</article>'


def _was(thread: Thread) -> str:
    """Say what an unsure thread was about: the line, or the first one of its cell."""
    if thread.place.certainty in ("exact", "moved"):
        return ""
    source = str(thread.anchor.get("gist", "")).strip().split("\n")[0]
    words = str(thread.anchor.get("quote", "")).strip() or source
    return f"; it was <code>{html.text(words, 120)}</code>" if words else ""


def tag(number: int, link: str = "") -> str:
    """Return the number of a thread: a small disc, a link to the thread where there is something to go to."""
    label = f'aria-label="thread {number}"'
    if link:
        return f' <a class="pn-tn" href="#{link}" {label}>{number}</a>'
    return f' <span class="pn-tn" role="img" {label}>{number}</span>'


def place(where: Place) -> str:
    """Say where a thread stands, counting from 1 as people do: ``cell 3, line 2``."""
    if where.cell is None:
        return "whole notebook" if where.certainty == "exact" else "no place"
    words = [f"cell {where.cell + 1}"]
    if where.target == "output":
        words.append(f"output {where.output + 1}" if where.output is not None else "outputs")
    if where.line is not None:
        words.append(f"line {where.line + 1}")
    return ", ".join(words)


def comment(one: Comment) -> str:
    """Return one comment."""
    aside = [when(one.at)] if one.at else []
    aside += ["edited"] if one.edited and not one.deleted else []
    aside += [] if one.known else ['<span class="pn-warn">key not known here</span>']
    words = '<p class="pn-muted">taken back</p>' if one.deleted else f"<p>{prose(one.text)}</p>"
    who = f"<b>{html.text(one.by, 60)}</b> <span>{', '.join(aside)}</span>"
    return f'<div class="pn-tc"><div class="pn-ty">{who}</div>{words}</div>'


def prose(text: str) -> str:
    """Return what a person wrote, line by line, with code in back quotes; nothing else of it is markup."""
    cut = f"… ({len(text):,} characters)" if len(text) > LONGEST else ""
    return "<br>".join(html.prose(line) for line in (text[:LONGEST] + cut).split("\n"))


def when(at: int) -> str:
    """Return a time in UTC, as its author says it; what is no time as a number."""
    try:
        time = datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):
        return html.text(str(at), 20)
    return f'<time datetime="{time:%Y-%m-%dT%H:%M:%SZ}">{time.day} {time:%b %Y %H:%M} UTC</time>'


def suggestion(one: Suggestion, where: Place, cells: Sequence[NotebookCell]) -> str:
    """Return what a suggestion would change of its cell; the whole of it where the cell has changed."""
    near = [] if where.cell is None or where.cell >= len(cells) else [cells[where.cell]]
    named = [cell for cell in cells if cell.id and cell.id == one.cell_id]
    found = next(
        (cell for cell in (*near, *named, *cells) if one.fits and sha256(cell.source) == one.old), None
    )
    by = "" if one.known else ' <span class="pn-warn">key not known here</span>'
    if found is None:
        why = f"suggested source by {html.text(one.by, 60)}; the cell has changed since{by}"
        return f'<details class="pn-ts"><summary>{why}</summary>{source(None, one.source)}</details>'
    why = f"suggested change by {html.text(one.by, 60)}"
    changed = source(found.source, one.source, context=1)
    return f'<div class="pn-ts"><div class="pn-tu">{why}{by}</div>{changed}</div>'


def sha256(source: str) -> str:
    """Return the digest by which a suggestion names the source that it replaces."""
    return hashlib.sha256(source.encode("utf-8", "replace")).hexdigest()


def votes(found: Sequence[Vote]) -> str:
    """Return who approves and who asks for changes, and which of it counts for the version under review."""
    if not found:
        return '<p class="pn-muted">Nobody has voted.</p>'
    made = []
    for vote in found:
        fails = [] if not vote.stale else ["stale: about another version"]
        fails += [] if vote.known else ["not counted: key not known here"]
        shape = MARKS["warn" if fails or vote.decision != "approve" else "ok"]
        mark = f'<span class="pn-m pn-{shape.role}" aria-hidden="true">{shape.glyph}</span>'
        why = f": {prose(vote.why)}" if vote.why else ""
        aside = f' <span class="pn-warn">{"; ".join(fails)}</span>' if fails else ""
        made.append(
            f"<li>{mark} <b>{html.text(vote.by, 60)}</b> {_DECIDED[vote.decision]}{why}"
            f' <span class="pn-muted">{when(vote.at)}</span>{aside}</li>'
        )
    return f'<ul class="pn-vs">{"".join(made)}</ul>'
