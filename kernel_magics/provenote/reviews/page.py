"""A review as it is read: one offline page, or a block for a cell's output. Pure.

- `write` returns a whole HTML document: it loads nothing, it reads without a script, and no script may run in
  it but the one of its keys.
- `block` returns the same for a notebook: no script, no names that could meet others in the document, and a
  bound on the pictures, as a saved notebook keeps them.

What a reviewed notebook put out is hostile until proven otherwise: see `provenote.reviews.page_cells`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from provenote.compare import notebooks
from provenote.compare.notebooks import NotebookCell, NotReadable
from provenote.compare.numbers import counted
from provenote.compare.report_file import MARK
from provenote.render import html
from provenote.render.style import sheet as common
from provenote.reviews import page_cells, page_style, page_threads, pairing
from provenote.reviews.page_cells import Numbered, Sheet
from provenote.reviews.page_pictures import Room
from provenote.reviews.pairing import Cells
from provenote.reviews.threads import Review, Version

FILE, BLOCK = 200_000_000, 6_000_000
"""Bytes of pictures that a page, and a block in a saved notebook, carry."""
LINKS = 60
"""Changes and threads that the page's own list names."""
_STATES = {"open": "open", "approved": "approved", "changes-requested": "changes requested"}
_ROLES = {"open": "muted", "approved": "ok", "changes-requested": "warn"}


def write(review: Review, base: bytes | None, head: bytes | None) -> str:
    """Return a review as one HTML document.

    Parameters
    ----------
    review : Review
        Its places are those of ``head``.
    base : bytes or None
        The notebook that it is compared with; None: nothing.
    head : bytes or None
        The notebook under review; None: its bytes are not here, and threads have no place.
    """
    title = html.text(review.title or review.path, 300)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="generator" content="{MARK}">'
        f'<meta http-equiv="Content-Security-Policy" content="{page_style.POLICY}">'
        '<meta name="referrer" content="no-referrer">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{common()}{page_style.SHEET}{page_style.PAGE}</style></head>\n"
        f'<body><main class="pn"><a class="pn-skip" href="#diff">To the changes</a>'
        f"{_inner(review, base, head, 'r-', Room(FILE))}</main>"
        f"<script>{page_style.KEYS}</script></body></html>\n"
    )


def block(review: Review, base: bytes | None, head: bytes | None) -> str:
    """Return a review as a block for the output of a cell; parameters as for `write`."""
    inner = _inner(review, base, head, "", Room(BLOCK))
    return html.block(f"<style>{page_style.SHEET}</style>", inner)


def _inner(review: Review, base: bytes | None, head: bytes | None, prefix: str, room: Room) -> str:
    before, no_base = _cells(base, "the base")
    after, no_head = _cells(head, "this version")
    numbered = [
        Numbered(number, thread, f"{prefix}t{number}" if prefix else "")
        for number, thread in enumerate(review.threads, 1)
    ]
    whole, lost, there = _sorted(numbered, after)
    sheet = Sheet(before, after or (), there, room, prefix)
    pairs = pairing.cells(before, after) if after is not None else []
    notes = "".join(f'<p class="pn-warn">{html.text(note)}</p>' for note in (no_base, no_head) if note)
    return (
        f'<header><h1 class="pn-r1">{html.text(review.title or review.path, 300)}</h1>'
        f'<div class="pn-ri">{_facts(review)}{page_threads.votes(review.votes)}{notes}'
        f"{_list(sheet, pairs, numbered)}</div></header>"
        f'<div class="pn-rq"{" id=diff" if prefix else ""}>{_heads(review, before is None)}'
        f'<div class="pn-rb">{_listed("On the whole notebook", sheet, whole)}'
        f"{page_cells.render(sheet, pairs)}</div></div>"
        f"{_listed('Threads whose place is gone', sheet, lost)}"
    )


def _cells(content: bytes | None, whose: str) -> tuple[tuple[NotebookCell, ...] | None, str]:
    """Return the cells of a notebook, or why there are none."""
    if content is None:
        return (
            None,
            ""
            if whose == "the base"
            else "The bytes of this version are not here: only its threads are shown.",
        )
    try:
        return notebooks.parse(content), ""
    except NotReadable as error:
        return None, f"The notebook of {whose} cannot be read: {error}."


def _sorted(
    numbered: Sequence[Numbered], cells: Sequence[NotebookCell] | None
) -> tuple[list[Numbered], list[Numbered], dict[int, list[Numbered]]]:
    """Sort threads: about the whole notebook, without a place, and those of each cell."""
    whole: list[Numbered] = []
    lost: list[Numbered] = []
    there: dict[int, list[Numbered]] = defaultdict(list)
    for one in numbered:
        place = one.thread.place
        if place.cell is None:
            (whole if place.certainty == "exact" else lost).append(one)
        elif 0 <= place.cell < len(cells or ()):
            there[place.cell].append(one)
        else:
            lost.append(one)
    return whole, lost, dict(there)


def _facts(review: Review) -> str:
    """Return what the review is about, and where it stands."""
    opened = len(review.open_threads)
    done = sum(thread.state == "resolved" for thread in review.threads)
    threads = f"{counted(opened, 'open thread')}, {done:,} resolved" if review.threads else "no threads"
    by = html.text(review.started_by, 60)
    unknown = "" if review.known else ' <span class="pn-warn">key not known here</span>'
    started = f", {page_threads.when(review.at)}" if review.at else ""
    return (
        f'<p><b class="pn-{_ROLES[review.state]}">{_STATES[review.state]}</b>, {threads}</p>'
        f"<p><span>Review of</span> <code>{html.text(review.path, 200)}</code>"
        f"<span>, started by</span> {by}{unknown}<span>{started}</span></p>"
        f"<p><span>A vote is about exactly this notebook:</span> "
        f"<code>{html.text(review.head.sha256[:12])}</code></p>"
    )


def _heads(review: Review, alone: bool) -> str:
    base = f"<div><b>Base</b> {_version(review.base)}</div>" if not alone and review.base else ""
    if not alone and not base:
        base = "<div><b>Base</b></div>"
    head = f"<div><b>Head</b> {_version(review.head)}</div>"
    threads = '<div class="pn-rm"><b>Threads</b></div>'
    return f'<div class="pn-rs{" pn-one" if alone else ""}">{base}{head}{threads}</div>'


def _version(version: Version) -> str:
    name = version.label or version.run or version.commit[:8]
    return f"{html.text(name, 60)}, {html.text(version.path, 80)}, {html.text(version.commit[:8])}"


def _list(sheet: Sheet, pairs: Sequence[Cells], numbered: Sequence[Numbered]) -> str:
    """Return how many cells differ and, on a page of its own, links to them and to the threads."""
    changed = [pair for pair in pairs if pair.status not in ("same", "alone")]
    if sheet.base is None:
        words = f"{counted(len(pairs), 'cell')}, nothing to compare with"
    else:
        words = (
            f"{len(changed):,} of {counted(len(pairs), 'cell')} differ"
            if changed
            else "all cells are identical"
        )
    if not sheet.prefix:
        return f"<p>{words}</p>"
    links = [
        f'<a href="#{page_cells.anchor(pair, sheet.prefix)}">{page_cells.name(pair)}</a>'
        for pair in changed[:LINKS]
    ]
    more = [f"and {len(changed) - LINKS:,} more"] if len(changed) > LINKS else []
    about = [
        f"<span{' class=pn-resolved' if one.thread.state == 'resolved' else ''}>"
        f"{page_threads.tag(one.number, one.anchor)}</span>"
        for one in numbered[:LINKS]
    ]
    threads = f'<span class="pn-rn"><span>Threads</span>{" ".join(about)}</span>' if about else ""
    return (
        f'<nav class="pn-rn" aria-label="Changes and threads"><span>{words}</span>'
        f"{' '.join([*links, *more])} {threads}</nav>"
    )


def _listed(heading: str, sheet: Sheet, found: Sequence[Numbered]) -> str:
    if not found:
        return ""
    cards = sheet.cards(found)
    return (
        f'<section class="pn-ra" aria-label="{heading}"><h2 class="pn-rh">{heading} '
        f"<span>{len(found):,}</span></h2>{cards}</section>"
    )
