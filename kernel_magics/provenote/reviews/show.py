"""Reviews as views: the list, one with its threads, what was just said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from provenote.registry.names import visible
from provenote.reviews import page, sources
from provenote.reviews.desk import Desk
from provenote.reviews.event import timestamp
from provenote.reviews.speaking import Done
from provenote.reviews.threads import Comment, Place, Review, Thread, Version, Vote
from provenote.reviews.turns import Waiting
from provenote.view import Cell, Column, Facts, Line, Mark, Part, Role, Table, View

_MARKS: dict[str, Mark] = {"open": "queued", "approved": "ok", "changes-requested": "warn"}
_WORDS = {"open": "open", "approved": "approved", "changes-requested": "changes requested"}
QUOTE = 90


def listed(desk: Desk, found: Sequence[Review], waiting: Sequence[str]) -> View:
    """Show reviews, newest first, and which of them wait for the person here."""
    rows = [
        [
            Cell(one.id[:8], "code", one.id),
            Cell(visible(one.title), "strong"),
            Cell(_WORDS[one.state], _role(one.state)),
            Cell(str(len(one.open_threads))),
            Cell("; ".join(_voted(vote) for vote in one.votes) or "–"),
            Cell(one.started_by, "plain" if one.known else "warn"),
            Cell(timestamp(one.at)[:10], title=timestamp(one.at)),
            Cell("your turn" if one.id in waiting else "", "run"),
        ]
        for one in found
    ]
    headings = ("review", "title", "state", "open threads", "votes", "started by", "at", "")
    table = Table(
        [Column(heading, "right" if heading == "open threads" else "left") for heading in headings],
        rows,
        [_MARKS[one.state] for one in found],
        empty=_empty(desk),
    )
    data = {"reviews": [{**document(one), "waits_for_me": one.id in waiting} for one in found]}
    return View([table, *_notes(desk)], {**data, "refused": dict(desk.book.refused)})


def waiting(found: Waiting) -> View:
    """Show the reviews that wait for the person here, a line each."""
    parts: list[Part] = []
    for one in found.reviews:
        count = len(one.open_threads)
        threads = f"{count} open thread{'' if count == 1 else 's'}"
        told = f"Review {visible(one.title)}: {_WORDS[one.state]}, {threads}, by {one.started_by}"
        parts.append(Line(told, "queued", "run", aside=f"`provenote review show {one.id[:8]}`"))
    if not parts:
        parts.append(Line("No review waits for you."))
    return View(parts, {"reviews": [document(one) for one in found.reviews]})


def one(desk: Desk, review: Review, head: bytes | None, base: bytes | None) -> View:
    """Show one review with its threads, each at its place."""
    from provenote.reviews import anchors

    notebook = anchors.read(head) if head is not None else None
    opened = review.open_threads
    count = f"{len(opened)} open, {sum(one.state == 'resolved' for one in review.threads)} resolved"
    pairs = [
        ("notebook", Cell(visible(review.path), "code")),
        ("under review", _version(review.head)),
        ("base", _version(review.base) if review.base else Cell("nothing", "muted")),
        ("started by", Cell(review.started_by, "plain" if review.known else "warn", timestamp(review.at))),
        ("threads", Cell(count)),
        *(("votes" if place == 0 else "", _vote(vote)) for place, vote in enumerate(review.votes)),
    ]
    aside = f"review {review.id[:12]}"
    parts: list[Part] = [
        Line(f"{visible(review.title)}: {_WORDS[review.state]}", _MARKS[review.state], "strong", aside),
        Facts(pairs),
    ]
    if head is None:
        lost = f"commit {review.head.commit[:12]} is not in this clone, so no thread has a place: "
        parts.append(Line(f"{lost}`provenote sync`, or `git fetch` for a branch", "warn"))
    for thread in review.threads:
        parts += _thread(thread, notebook.lines if notebook else ())
    if not review.threads:
        parts.append(
            Line('No comment yet: `provenote review comment REVIEW "..." --cell 3 --line 2`', role="muted")
        )
    data = {**document(review), "refused": dict(desk.book.refused)}
    more = {"html": partial(page.block, review, base, head), "review": review.id}
    return View([*parts, *_notes(desk)], data, more=more)


def said(done: Done) -> View:
    """Show what was signed and what comes next."""
    desk, review = done.desk, done.desk.review(done.review)
    parts: list[Part] = [Line(done.words, "ok", aside=f"event {done.event[:12]}")]
    parts.append(Line(f"{visible(review.title)}: {_WORDS[review.state]}", aside=f"review {review.id[:8]}"))
    parts += [Line(note, "warn") for note in done.notes]
    if not desk.book.known(desk.book.events[done.event]):
        parts.append(_unknown(desk))
    parts.append(Line("Share it: `provenote sync`", role="muted"))
    data = {
        "event": done.event,
        "review": done.review,
        "state": review.state,
        "words": done.words,
        "known": desk.book.known(desk.book.events[done.event]),
    }
    return View(parts, data)


def document(review: Review) -> dict[str, Any]:
    """Return a review as plain data."""
    return {**asdict(review), "open_threads": len(review.open_threads)}


def contents(desk: Desk, review: Review) -> tuple[bytes | None, bytes | None]:
    """Return the bytes of the notebook under review and of its base, None for what is not here."""
    head = sources.content(desk.workspace, review.head)
    return head, sources.content(desk.workspace, review.base) if review.base else None


def place(where: Place, whole: bool) -> str:
    """Return a place in words."""
    if whole:
        return "the whole notebook"
    if where.cell is None:
        return "nowhere any more"
    words = f"cell {where.cell + 1}"
    if where.target == "output":
        words += f", output {where.output + 1}" if where.output is not None else ", an output that is gone"
    if where.line is not None:
        words += f", line {where.line + 1}"
    sure = {"exact": "", "moved": "", "guessed": " (guessed: look)", "outdated": " (outdated)", "orphan": ""}
    return words + sure[where.certainty]


def _thread(thread: Thread, lines: Sequence[Sequence[str]]) -> list[Part]:
    where = thread.place
    mark: Mark = "ok" if thread.state == "resolved" else "queued" if thread.known else "warn"
    state: str = thread.state
    if thread.marked_by:
        state += f" by {thread.marked_by}"
    head = f"{place(where, not thread.anchor)}: {state}"
    parts: list[Part] = [Line(head, mark, "strong", f"thread {thread.id[:8]}")]
    quote = thread.anchor.get("quote") or ""
    now = ""
    if where.target == "source" and where.cell is not None and where.line is not None and lines:
        now = lines[where.cell][where.line]
    if now.strip() or quote.strip():
        parts.append(Line(f"    {visible((now or quote)[:QUOTE])}", role="code"))
    if now and quote and now != quote:
        parts.append(Line(f"    was: {visible(quote[:QUOTE])}", role="muted"))
    for comment in thread.comments:
        parts += _comment(comment)
    if thread.suggestion is not None:
        fits = "fits" if thread.suggestion.fits else "the cell was edited since"
        by = "" if thread.suggestion.known else f", {thread.suggestion.by}"
        apply = f"`provenote review apply {thread.id[:8]}`" if thread.suggestion.fits else ""
        parts.append(Line(f"    suggestion ({fits}{by}):", role="muted", aside=apply))
        parts += [
            Line(f"    | {visible(text)}", role="code") for text in thread.suggestion.source.split("\n")
        ]
    return parts


def _comment(one: Comment) -> list[Part]:
    how = ", edited" if one.edited and not one.deleted else ""
    head = f"    {one.by}{how}:"
    if one.deleted:
        return [Line(f"{head} deleted", role="muted", aside=one.id[:8])]
    role: Role = "plain" if one.known else "warn"
    first, *rest = one.text.split("\n")
    aside = f"{timestamp(one.at)[:16].replace('T', ' ')} {one.id[:8]}"
    return [
        Line(f"{head} {visible(first)}", role=role, aside=aside),
        *(Line(f"      {visible(text)}", role=role) for text in rest),
    ]


def _version(version: Version) -> Cell:
    what = f"{visible(version.label)}: {visible(version.path)}"
    return Cell(f"{what}, commit {version.commit[:12]}", title=f"sha256 {version.sha256}")


def _vote(vote: Vote) -> Cell:
    why = f": {visible(vote.why)}" if vote.why else ""
    return Cell(
        f"{_voted(vote)}{why}", "muted" if vote.stale or not vote.known else "plain", timestamp(vote.at)
    )


def _voted(vote: Vote) -> str:
    word = "approves" if vote.decision == "approve" else "requests changes"
    stale = " (of an older version)" if vote.stale else ""
    return f"{vote.by} {word}{stale}{'' if vote.known else ', counts for nothing'}"


def _empty(desk: Desk) -> str:
    elsewhere = desk.ledger.known_elsewhere() if desk.commit is None else []
    if elsewhere:
        return f"{elsewhere[0]} has reviews that are not here yet. Take them: `provenote sync`"
    if desk.book.reviews:
        return "No review goes on. All of them: `provenote review list -A`"
    return "No review yet. Start one: `provenote review start NOTEBOOK`"


def _role(state: str) -> Role:
    return "ok" if state == "approved" else "warn" if state == "changes-requested" else "plain"


def _unknown(desk: Desk) -> Line:
    if desk.people.registry is None:
        return Line("Others see your key as unknown until a policy, or their Git, names it.", "warn")
    return Line(
        "The policy does not know your key: what you say is shown as unknown. Ask to be let in: "
        "`provenote join`",
        "warn",
    )


def _notes(desk: Desk) -> list[Part]:
    notes: list[Part] = [Line(desk.people.note[:1].upper() + desk.people.note[1:] + ".", role="muted")]
    if desk.book.refused:
        few = "; ".join(f"{name[:12]}: {why}" for name, why in list(desk.book.refused.items())[:3])
        notes.append(
            Line(f"Event files that do not count: {len(desk.book.refused)} ({visible(few)})", "warn")
        )
    return notes
