"""From a book of events and the notebook under review to a `Review` that can be shown. Pure."""

from __future__ import annotations

from typing import Literal

from provenote.reviews import anchors, event
from provenote.reviews.anchors import Notebook
from provenote.reviews.event import Event
from provenote.reviews.fold import Book
from provenote.reviews.threads import Comment, Place, Review, Suggestion, Thread, Version, Vote


def review(book: Book, name: str, notebook: Notebook | None, authors: frozenset[str] | None = None) -> Review:
    """Return a review as it stands.

    Parameters
    ----------
    book : Book
    name : str
        Id of the event that started it.
    notebook : Notebook or None
        The version under review now; None when its bytes are not here: then nothing has a place.
    authors : frozenset of str, optional
        Who wrote the version under review, by name: their own approval approves nothing. By default who put
        it under review.
    """
    start, current = book.events[name], book.current(name)
    head = current.version
    assert head is not None  # `event.parse` asks for it
    votes = tuple(_vote(book, one, head) for one in book.votes(book.reviews[name]))
    opened = set(book.open_threads(name))
    threads = [_thread(book, id, items, id in opened, notebook) for id, items in book.threads(name).items()]
    threads.sort(key=_rank)
    return Review(
        id=name,
        title=start.text("title"),
        path=start.text("path"),
        base=_base(book, name, current),
        head=head,
        started_by=book.author(start),
        threads=tuple(threads),
        votes=tuple(sorted(votes, key=lambda one: (one.at, one.by))),
        state=_state(votes, bool(opened), authors or frozenset({book.author(current)})),
        known=book.known(start),
        at=start.at,
    )


def _base(book: Book, name: str, current: Event) -> Version | None:
    """Return what the version is compared with: an update that names nothing keeps what was there."""
    if "base" in current.body or current.id == name:
        return event.base_of(current)
    return event.base_of(book.events[name])


def _state(
    votes: tuple[Vote, ...], opened: bool, authors: frozenset[str]
) -> Literal["open", "approved", "changes-requested"]:
    counted = [one for one in votes if one.known and not one.stale]
    if any(one.decision == "request-changes" for one in counted):
        return "changes-requested"
    approved = any(one.by not in authors for one in counted)
    return "approved" if approved and not opened else "open"


def _vote(book: Book, item: Event, head: Version) -> Vote:
    assert item.version is not None
    decision: Literal["approve", "request-changes"] = (
        "approve" if item.body["decision"] == "approve" else "request-changes"
    )
    stale = (item.version.sha256, item.version.blob) != (head.sha256, head.blob)
    return Vote(book.author(item), decision, item.at, item.text("why"), stale, book.known(item), item.id)


def _thread(book: Book, id: str, items: list[Event], opened: bool, notebook: Notebook | None) -> Thread:
    first = items[0]
    anchor = first.body["anchor"]
    place = anchors.resolve(notebook, anchor) if notebook is not None else anchors.NOWHERE
    marks = book.marks(id)
    known = any(book.known(one) for one in items)
    taken_back = all(book.changes(one)[1] for one in items)
    resolved = bool(marks) and all(one.type == "resolve" for one in marks)
    mark = book.last(marks)
    return Thread(
        id=id,
        anchor=anchor,
        place=place,
        state="open" if opened or not (resolved or taken_back) else "resolved",
        comments=tuple(_comment(book, one) for one in items),
        suggestion=_suggestion(book, items, notebook, place),
        marked_by=book.author(mark) if mark else None,
        known=known,
    )


def _comment(book: Book, item: Event) -> Comment:
    edit, deleted = book.changes(item)
    text = (edit or item).text("text")
    if item.type == "suggestion" and not text:
        text = "suggests another source for this cell"
    return Comment(
        id=item.id,
        by=book.author(item),
        at=item.at,
        text="" if deleted else text,
        edited=edit is not None,
        deleted=deleted,
        known=book.known(item),
    )


def _suggestion(book: Book, items: list[Event], notebook: Notebook | None, place: Place) -> Suggestion | None:
    """Return the last suggestion of a thread: of a known person, if there is one."""
    made = [one for one in items if one.type == "suggestion" and not book.changes(one)[1]]
    last = book.last(one for one in made if book.known(one)) or book.last(made)
    if last is None:
        return None
    cell, old = last.text("cell"), last.text("old")
    fits = False
    if notebook is not None:
        asked = {*notebook.places.get(cell, ()), *([place.cell] if place.cell is not None else [])}
        fits = any(anchors.digest(notebook.cells[index].source) == old for index in asked)
    return Suggestion(last.id, cell, old, last.text("source"), fits, book.author(last), book.known(last))


def _rank(one: Thread) -> tuple[int, int, int, int]:
    """Sort by place in the notebook; about the whole first, without a place last."""
    place = one.place
    if place.certainty == "orphan":
        return 1, 0, 0, one.comments[0].at
    cell = -1 if place.cell is None else place.cell
    inner = -1 if place.line is None else place.line
    return 0, cell, 10**6 + (place.output or 0) if place.target == "output" else inner, one.comments[0].at
