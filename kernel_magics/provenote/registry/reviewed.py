"""What notebook reviews say about a run: whether its notebook is approved as a rule asks, no thread open.

- Only the run's own notebook counts, what it captured of the cells that ran: a vote names the run's commit.
- Reviews live on a branch of their own (`provenote.reviews`). A request, vote or release under a rule that
  asks for reviews names their heads, and copies of their files lie in the ledger as ``reviews/<2>/<62>``: so
  whoever reads the ledger, as the gate does at load, has all that a release rests on.
- A head brings all that its author had seen: an approval given after an objection cannot be had without it.

An open request is judged by the branch as it is here; a release by the copies that it names alone. Pure, but
for the branch, which is read when a rule first asks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from provenote.errors import ProvenoteError, Refused
from provenote.git import command
from provenote.reviews import fold
from provenote.reviews.event import Event as ReviewEvent
from provenote.reviews.fold import Book
from provenote.stores.digest import sha256_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from provenote.registry.event import Event
    from provenote.registry.fold import Log
    from provenote.registry.policy import Policy, Reviews
    from provenote.registry.subject import Subject
    from provenote.stores.signatures import PublicKey

Files = Mapping[str, bytes]

_COPY = re.compile(r"reviews/([0-9a-f]{2}/[0-9a-f]{62})")


def copied(path: str) -> str | None:
    """Return the path on the branch of reviews of a file that the ledger keeps a copy of, None for others."""
    found = _COPY.fullmatch(path)
    return f"e/{found[1]}" if found else None


@dataclass(frozen=True, slots=True)
class Opinion:
    """What reviews say about one run's notebook.

    Parameters
    ----------
    approved : tuple of (person, sha256)
        Whose approval counts, and the SHA-256 of the notebook that they approved.
    wanted : tuple of str
        People who ask for changes.
    open_threads : int
    could : tuple of str
        People who could still approve.
    broken : str
        Why the reviews cannot be relied on; empty: they can.
    """

    approved: tuple[tuple[str, str], ...]
    wanted: tuple[str, ...]
    open_threads: int
    could: tuple[str, ...]
    broken: str = ""

    def problems(self, rule: Reviews) -> list[str]:
        """Return what stands in the way of a rule, in words."""
        if self.broken:
            return [self.broken]
        found = []
        if self.wanted:
            found.append(f"changes of the run's notebook are requested by {', '.join(self.wanted)}")
        if len(self.approved) < rule.notebooks:
            who = ", ".join(self.could) or "nobody is left who could"
            found.append(
                f"{len(self.approved)} of {rule.notebooks} approvals of the run's notebook by the role "
                f"{rule.role} ({who})"
            )
        if rule.no_open_threads and self.open_threads:
            count = "1 thread" if self.open_threads == 1 else f"{self.open_threads} threads"
            found.append(f"{count} about the run's notebook open")
        return found


class _Events:
    """The events of the copies in a ledger and of the branch, each read and verified once, when asked for."""

    def __init__(self, kept: Files, branch: Callable[[], Files]) -> None:
        self._kept, self._branch = kept, branch
        self.books: dict[tuple[str, str], Book] = {}

    @cached_property
    def kept(self) -> dict[str, ReviewEvent]:
        return fold.parse({str(copied(path)): content for path, content in self._kept.items()})[0]

    @cached_property
    def branch(self) -> dict[str, ReviewEvent]:
        return fold.parse(self.files)[0]

    @property
    def files(self) -> Files:
        return self._read[0]

    @property
    def unreadable(self) -> str:
        return self._read[1]

    @cached_property
    def _read(self) -> tuple[Files, str]:
        try:
            return self._branch(), ""
        except ProvenoteError as error:
            return {}, error.line


class Reviewed:
    """What a ledger keeps of reviews, and what the branch here holds.

    Parameters
    ----------
    kept : mapping of path to content
        The copies in the ledger, by their path there.
    branch : callable
        Returns the files of the branch of reviews.
    """

    def __init__(self, kept: Files, branch: Callable[[], Files] = dict) -> None:
        self._events, self._trying = _Events(kept, branch), False

    def tried(self) -> Reviewed:
        """Return the same as if the ledger held copies of the whole branch: to see what an event would do."""
        made = Reviewed({})
        made._events, made._trying = self._events, True
        return made

    # ------------------------------------------------------------------ judging

    def opinion(
        self,
        log: Log,
        rule: Reviews,
        policy: Policy,
        subject: Subject,
        barred: Iterable[str],
        heads: Iterable[str] | None,
        own: Event | None = None,
    ) -> Opinion:
        """Return what reviews say about a subject's notebook.

        Parameters
        ----------
        log : Log
            Whose policies say whose key it is.
        rule : Reviews
        policy : Policy
            The policy to judge by.
        subject : Subject
        barred : iterable of str
            People whose approval does not count: who asked, and the run's authors.
        heads : iterable of str or None
            What is looked at: these events and all that their authors had seen; None: everything here.
        own : Event, optional
            The release that is judged: all that it names must be there.
        """
        if heads is None:
            book, broken = self._everything(log, policy, own), self._events.unreadable
        else:
            named = tuple(own.body.get("reviews", ())) if own is not None else ()
            events, broken = self._closed(heads, named)
            book = fold.gather(events, {}, _who(log, policy, own), log.now)
        path = notebook_path(subject)
        about = [name for name in book.reviews if _is_about(book, name, subject)]
        votes = book.votes(
            one
            for name in about
            for one in book.reviews[name]
            if one.version is not None
            and (one.version.commit, one.version.path) == (subject.commit, path)
            and one.project == policy.project
            and book.known(one)
        )
        out = frozenset(barred)
        votes = [one for one in votes if one.by not in out and policy.may(one.by, one.key, [rule.role])]
        good = {
            one.by: one.version.sha256 for one in votes if one.version and one.body["decision"] == "approve"
        }
        could = [name for name in policy.in_role([rule.role]) if name not in out and name not in good]
        return Opinion(
            tuple(sorted(good.items())),
            tuple(sorted(one.by for one in votes if one.body["decision"] != "approve")),
            sum(len(book.open_threads(name)) for name in about),
            tuple(could),
            broken,
        )

    # ------------------------------------------------------------------ what is named and kept

    def heads(self, log: Log, subject: Subject) -> list[str]:
        """Return the last events of the reviews here about a subject's notebook.

        Raises
        ------
        Refused
            If the branch of reviews was tampered with.
        """
        if self._events.unreadable:
            raise Refused(self._events.unreadable)
        book = self._everything(log, log.policy, None)
        about = [
            name
            for name, items in book.reviews.items()
            if _is_about(book, name, subject) and any(book.known(one) for one in items)
        ]
        return book.heads(*about)

    def _everything(self, log: Log, policy: Policy, own: Event | None) -> Book:
        """Return all that is here, as a policy knows the people: one book for all open requests."""
        asked = (policy.id, own.id if own is not None else "")
        if asked not in self._events.books:
            events = {**self._events.kept, **self._events.branch}
            self._events.books[asked] = fold.gather(events, {}, _who(log, policy, own), log.now)
        return self._events.books[asked]

    def copies(self, heads: Iterable[str]) -> dict[str, bytes]:
        """Return the files that the ledger must hold for these heads, by their path there."""
        events, _ = self.tried()._closed(heads, ())
        files = self._events.files
        found = {f"reviews/{name[:2]}/{name[2:]}": f"e/{name[:2]}/{name[2:]}" for name in events}
        return {path: files[source] for path, source in found.items() if source in files}

    def rests(self, log: Log) -> frozenset[str]:
        """Return the ids of the kept events that some event of the ledger rests on."""
        heads = {name for item in log.events.values() for name in item.body.get("reviews", ())}
        return frozenset(self._closed(heads, ())[0])

    def _closed(self, heads: Iterable[str], needed: tuple[str, ...]) -> tuple[dict[str, ReviewEvent], str]:
        """Return these events and all that they have seen, and what is wrong with those that are needed."""
        there = {**self._events.kept, **(self._events.branch if self._trying else {})}
        found, _ = _closure(there, heads)
        strictly, missing = _closure(there, needed)
        broken = (
            f"the review event {missing[:12]}, on which it rests, is not in the ledger" if missing else ""
        )
        return {**found, **strictly}, broken


def _closure(there: Mapping[str, ReviewEvent], heads: Iterable[str]) -> tuple[dict[str, ReviewEvent], str]:
    """Return these events and all that they have seen, as far as it is there, and the first that is not."""
    found: dict[str, ReviewEvent] = {}
    missing, waiting = "", sorted(heads)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        if name not in there:
            missing = missing or name
            continue
        found[name] = there[name]
        waiting += there[name].prev
    return found, missing


def check_notebook(folder: Path, subject: Subject, opinion: Opinion) -> None:
    """Refuse when the run's commit holds another notebook than the one that was approved.

    A commit's name says which bytes it holds, but by SHA-1: the approvals name their SHA-256 too.

    Raises
    ------
    Refused
        If it does, or holds none.
    """
    asked = f"{subject.commit}:{notebook_path(subject)}"
    content = next(iter(command.blobs(folder, [asked])))
    if content is None:
        raise Refused(f"the run's commit {subject.commit[:12]} holds no captured notebook")
    found = sha256_bytes(content)
    for person, sha256 in opinion.approved:
        if sha256 != found:
            raise Refused(f"the run's notebook is not the one that {person} approved")


def notebook_path(subject: Subject) -> str:
    """Return the path of a run's captured notebook in its commit."""
    return f"{subject.path}/executed.ipynb"


def _is_about(book: Book, name: str, subject: Subject) -> bool:
    asked = (subject.commit, notebook_path(subject))
    return any(
        item.version is not None and (item.version.commit, item.version.path) == asked
        for item in book.reviews[name]
        if item.type in ("review", "update")
    )


def _who(log: Log, policy: Policy, own: Event | None) -> Callable[[PublicKey], str | None]:
    """Return whose key it is by a policy and those before it; a distrusted key only where it counted then."""
    known: dict[PublicKey, str] = {}
    for one in log.policies:
        known |= {key: person.name for person in one.people.values() for key in person.keys}
        if one.id == policy.id:
            break
    known |= {key: person.name for person in policy.people.values() for key in person.keys}

    def who(key: PublicKey) -> str | None:
        held = log.distrusted.get(key.fingerprint)
        if held is not None and (own is None or own.id not in held):
            return None
        return known.get(key)

    return who
