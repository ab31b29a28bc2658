"""Which reviews go on, and which wait for the person at this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from provenote.errors import ProvenoteError
from provenote.registry import news
from provenote.reviews import desk
from provenote.reviews.desk import Desk
from provenote.reviews.threads import Review
from provenote.stores.ledger import REVIEWS, Ledger
from provenote.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Waiting:
    """The reviews that wait for the person here."""

    desk: Desk
    reviews: tuple[Review, ...]


def waiting(workspace: Workspace) -> Waiting | None:
    """Return what waits for the person here, None where nothing was ever reviewed; note how much."""
    if Ledger(workspace.top, REVIEWS).tip() is None:
        return None
    here = desk.read(workspace)
    found = reviews(here)
    turn = set(remember(here, found))
    return Waiting(here, tuple(one for one in found if one.id in turn))


def remember(here: Desk, found: Sequence[Review]) -> list[str]:
    """Return what `mine` does, and keep how many it are for the line that a kernel's start prints."""
    turn = mine(here, found)
    news.remember_reviews(here.workspace, here.commit, len(turn))
    return turn


def reviews(here: Desk, *, everything: bool = False) -> list[Review]:
    """Return the reviews, newest first, without the places of their threads; finished ones if asked for."""
    found = [here.outline(name) for name in here.book.reviews]
    found = [one for one in found if everything or one.state != "approved"]
    return sorted(found, key=lambda one: (one.at, one.id), reverse=True)


def mine(here: Desk, found: Sequence[Review]) -> list[str]:
    """Return the ids of those that wait for the person here.

    One that somebody else started waits for a vote; one's own waits when changes are requested, or when
    somebody else spoke last in an open thread.
    """
    try:
        me = here.me
    except ProvenoteError:  # without a key nothing can be said
        return []
    if not me.known:
        return []
    waiting = []
    for one in found:
        if not one.known or one.state == "approved":
            continue
        voted = any(vote.by == me.name and vote.known and not vote.stale for vote in one.votes)
        if one.started_by != me.name:
            asked = not voted
        else:
            asked = one.state == "changes-requested" or any(
                thread.comments[-1].by != me.name for thread in one.open_threads
            )
        if asked:
            waiting.append(one.id)
    return waiting
