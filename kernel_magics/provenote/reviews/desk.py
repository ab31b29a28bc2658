"""The reviews of a repository as they are read: the branch, the people, the book; and how to add to them."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from provenote.errors import Refused, UsageError, WorldError
from provenote.git import command
from provenote.registry.checking import INSIDE
from provenote.registry.names import visible
from provenote.registry.signing import NoPerson
from provenote.reviews import anchors, assembling, event, fold, people, sources
from provenote.reviews.anchors import Notebook
from provenote.reviews.fold import Book
from provenote.reviews.people import Author, People
from provenote.reviews.threads import Review, Thread
from provenote.stores import ledger
from provenote.stores.eventfile import SKEW
from provenote.stores.ledger import Ledger, Moved
from provenote.workspace import Workspace

TRIES = 20
_AUTHOR = re.compile(rb"^author [^\n]*<([^<>\n]*)>", re.M)
SHORTEST = 4
"""Fewest digits of an id that name a review or a thread."""

Composer = Callable[["Desk"], "tuple[dict[str, Any], list[str]]"]
"""Decides, by looking at the reviews, the fields of a new event and what it names as seen."""


@dataclass(frozen=True)
class Desk:
    """The reviews of a repository, read and verified.

    Parameters
    ----------
    workspace : Workspace
    people : People
    commit : str or None
        The commit of the branch that was read; None: there is no review yet.
    book : Book
    """

    workspace: Workspace
    people: People
    commit: str | None
    book: Book

    @property
    def ledger(self) -> Ledger:
        """The branch."""
        return Ledger(self.workspace.top, ledger.REVIEWS)

    @cached_property
    def me(self) -> Author:
        """Who signs at this machine."""
        return people.me(self.workspace, self.people)

    # ------------------------------------------------------------------ what is there

    def review(self, name: str) -> Review:
        """Return a review with the places of its threads."""
        return assembling.review(self.book, name, self.notebook(name), self.authors.get(name))

    def outline(self, name: str) -> Review:
        """Return a review without the places of its threads, which takes no notebook."""
        return assembling.review(self.book, name, None, self.authors.get(name))

    @cached_property
    def authors(self) -> dict[str, frozenset[str]]:
        """Who wrote the version under review of each review, as far as the policy knows their address."""
        registry = self.people.registry
        if registry is None:
            return {}
        named: dict[str, set[str]] = {}
        for person in registry.log.policy.people.values():
            named.setdefault(person.email, set()).add(person.name)
        names = list(self.book.reviews)
        commits = [version.commit for name in names if (version := self.book.current(name).version)]
        found = {}
        for name, content in zip(names, command.blobs(self.workspace.top, commits), strict=True):
            mail = _AUTHOR.search(content or b"")
            if mail and mail[1] and (who := named.get(mail[1].decode(errors="replace"))):
                found[name] = frozenset(who)
        return found

    def notebook(self, name: str) -> Notebook | None:
        """Return the notebook under review now, None when this clone has not its commit."""
        version = self.book.current(name).version
        assert version is not None
        content = sources.content(self.workspace, version)
        return anchors.read(content) if content is not None else None

    def find(self, reference: str | None) -> str:
        """Return the id of the review that a person means.

        Parameters
        ----------
        reference : str or None
            The start of its id, its title, the notebook's path or name, the run's name; None: the only one
            that is not finished.

        Raises
        ------
        UsageError
            If none or several are meant.
        """
        names = list(self.book.reviews)
        if not names:
            raise UsageError("there is no review here", self._fetch())
        if reference is None:
            found = [name for name in names if self._goes_on(name)]
            what = "which review?"
        else:
            found = [name for name in names if len(reference) >= SHORTEST and name.startswith(reference)]
            found = found or [name for name in names if reference in self._called(name)]
            if len(found) > 1:
                found = [name for name in found if self._goes_on(name)] or found
            what = f"{visible(reference)} is {'no review' if not found else f'{len(found)} reviews'}"
        if len(found) == 1:
            return found[0]
        listed = ", ".join(f"{name[:8]} ({visible(self._title(name))})" for name in (found or names)[-5:])
        raise UsageError(f"{what.rstrip('?')}: there are {listed}", "Name one: `provenote review list`")

    def thread(self, reference: str) -> tuple[str, str]:
        """Return the ids of the review and of the thread that a person means by the start of its id.

        Raises
        ------
        UsageError
            If none or several are meant.
        """
        found = [
            (review, thread)
            for review in self.book.reviews
            for thread, items in self.book.threads(review).items()
            if len(reference) >= SHORTEST and any(one.id.startswith(reference) for one in items)
        ]
        if len(found) != 1:
            word = "several threads" if found else "no thread"
            raise UsageError(
                f"{visible(reference)} is the id of {word}", "See them: `provenote review show REVIEW`"
            )
        return found[0]

    def comment(self, reference: str) -> tuple[str, str]:
        """Return the ids of the review and of the comment whose id begins so."""
        found = [
            (one.review, name)
            for name, one in self.book.events.items()
            if len(reference) >= SHORTEST
            and name.startswith(reference)
            and one.type in ("comment", "suggestion")
        ]
        if len(found) != 1:
            word = "several comments" if found else "no comment"
            raise UsageError(
                f"{visible(reference)} is the id of {word}", "See them: `provenote review show REVIEW`"
            )
        return found[0]

    def shown_thread(self, review: str, thread: str) -> Thread:
        """Return one thread as it stands."""
        return next(one for one in self.review(review).threads if one.id == thread)

    def _goes_on(self, name: str) -> bool:
        return self.outline(name).state != "approved"

    def _title(self, name: str) -> str:
        return self.book.events[name].text("title")

    def _called(self, name: str) -> set[str]:
        start, version = self.book.events[name], self.book.current(name).version
        path = start.text("path")
        called = {start.text("title"), path, path.rpartition("/")[2]}
        return called | ({version.label} if version else set())

    def _fetch(self) -> str:
        elsewhere = self.ledger.known_elsewhere()
        if elsewhere:
            return f"Take those of {elsewhere[0]}: `provenote sync`"
        return "Start one: `provenote review start NOTEBOOK`"

    # ------------------------------------------------------------------ adding

    def add(self, kind: str, words: str, composer: Composer) -> tuple[Desk, str]:
        """Sign an event, append it, and return the reviews after it with its id.

        Where somebody wrote meanwhile, the composer decides anew by what is there now.

        Raises
        ------
        NoPerson
            Inside a job: its notebook may be anybody's, and what is signed is in a person's name.
        Refused
            If there is no key, a remote has reviews that were never taken, or the event would not count here.
        WorldError
            If the branch cannot be written, or the clock is wrong.
        """
        if os.environ.get(INSIDE):
            raise NoPerson("a job says nothing in a person's name", "Say it in a notebook or a terminal")
        if self.commit is None and (elsewhere := self.ledger.known_elsewhere()):
            raise Refused(f"{elsewhere[0]} has reviews that are not here yet", "Take them: `provenote sync`")
        desk = self
        for _ in range(TRIES):
            body, seen = composer(desk)
            path, content = event.seal(desk._line(kind, body, seen), desk.me.signer)
            name = str(event.event_id(path))
            try:
                desk.ledger.append({path: content}, f"{words} ({desk.me.name})", onto=desk.commit)
            except Moved:
                desk = read(desk.workspace)
                continue
            after = read(desk.workspace)
            if name not in after.book.events:
                raise Refused(f"it was written, but does not count: {after.book.refused.get(name)}")
            _remember(after)
            return after, name
        raise WorldError("the reviews are being written all the time", "Try again: nothing was signed")

    def _line(self, kind: str, body: dict[str, Any], seen: Iterable[str]) -> bytes:
        listed = sorted(seen, key=lambda name: self.book.events[name].at)[-event.HEADS :]
        now = int(time.time())
        latest = max((self.book.events[name].at for name in listed), default=0)
        if latest > now + SKEW:
            ahead = f"the last event is from {event.timestamp(latest)}, ahead of this computer's clock"
            raise WorldError(ahead, "Set the clock, then try again")
        return event.compose(self.me.name, max(now, latest), self.people.project, listed, type=kind, **body)


def _remember(after: Desk) -> None:
    """Note what waits now, so that one's own words are no news at the next start."""
    from provenote.reviews import turns

    turns.remember(after, turns.reviews(after))


def read(workspace: Workspace) -> Desk:
    """Read the reviews of a repository; where there is no branch, there are none.

    Raises
    ------
    Refused
        If the branch was tampered with.
    """
    branch = Ledger(workspace.top, ledger.REVIEWS)
    commit = branch.tip()
    files = branch.read(commit).files if commit is not None else {}
    known = people.read(workspace)
    return Desk(workspace, known, commit, fold.fold(files, known.who, int(time.time())))
