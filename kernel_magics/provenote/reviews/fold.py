"""Which events of reviews count, and what they add up to: pure functions of the set of files.

An event counts when its file holds, all that it has seen is here, it is neither from the future nor older
than what it has seen, its author had seen the review (and thread) that it is about, and the key, if known
here, belongs to the person it names. Order comes from the events that an event names, never from commits, so
every clone with the same files sees the same.

- A key that nobody here knows is shown as unknown: what it signed opens, resolves and decides nothing.
- A thread is resolved when all its last marks say so: one resolves and another reopens at once, it is open.
- Of each person and version the last vote counts; of two given at once, the one that asks for changes.
- A comment is edited or taken back by its author alone; what was said before stays in the branch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from provenote.errors import Refused
from provenote.reviews import event
from provenote.reviews.event import Event
from provenote.reviews.threads import Version
from provenote.stores.eventfile import SKEW, BadEvent, in_order
from provenote.stores.signatures import PublicKey

Who = Callable[[PublicKey], "str | None"]
"""Whose key it is, None for one that nobody here knows."""


def nobody(key: PublicKey) -> str | None:
    """Know no key."""
    return None


@dataclass(frozen=True)
class Book:
    """The events that count, in an order in which each stands after all that it has seen.

    Parameters
    ----------
    events : mapping of str to Event
        By id, in that order.
    people : mapping of str to str
        The known author of each event that has one.
    refused : mapping of str to str
        Why each other file does not count.
    """

    events: Mapping[str, Event]
    people: Mapping[str, str]
    refused: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _place(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.events)}

    @cached_property
    def _past(self) -> dict[str, int]:
        """For each event, the set of those before it as the bits of one number."""
        past: dict[str, int] = {}
        for name, item in self.events.items():
            past[name] = _bits(item, past, self._place)
        return past

    def tips(self, items: Iterable[Event]) -> list[Event]:
        """Return those that none of the others has seen."""
        listed = list(items)
        seen = 0
        for one in listed:
            seen |= self._past[one.id]
        return [one for one in listed if not seen >> self._place[one.id] & 1]

    def last(self, items: Iterable[Event]) -> Event | None:
        """Return the last of several: of those at once the latest by time and id."""
        return max(self.tips(items), key=lambda one: (one.at, one.id), default=None)

    @cached_property
    def reviews(self) -> Mapping[str, list[Event]]:
        """The events of each review, the one that started it first."""
        found: dict[str, list[Event]] = {}
        for item in self.events.values():
            found.setdefault(item.review, []).append(item)
        return found

    def heads(self, *reviews: str) -> list[str]:
        """Return the events of these reviews that nobody has built on."""
        return sorted(one.id for name in reviews for one in self.tips(self.reviews.get(name, ())))

    def known(self, item: Event) -> bool:
        """Whether its author is known here."""
        return item.id in self.people

    def voice(self, item: Event) -> str:
        """Return who speaks: a person, or else a key."""
        return self.people.get(item.id) or item.key.fingerprint

    def author(self, item: Event) -> str:
        """Return the author's name as it is shown."""
        return self.people.get(item.id) or f"unknown key {item.key.fingerprint[:19]} (says {item.by})"

    # ------------------------------------------------------------------ what they add up to

    def versions(self, review: str) -> list[tuple[Event, Version]]:
        """Return the versions that were put under review, with their events, in order."""
        start = self.events[review]
        found = []
        for item in self.reviews[review]:
            if item.type not in ("review", "update") or item.version is None:
                continue
            if item.id == review or self.known(item) or item.key == start.key:
                found.append((item, item.version))
        return found

    def current(self, review: str) -> Event:
        """Return the event that put the version under review now."""
        found = self.last(item for item, _ in self.versions(review))
        assert found is not None
        return found

    def threads(self, review: str) -> dict[str, list[Event]]:
        """Return the comments and suggestions of each thread, by the id of the one that opened it."""
        found: dict[str, list[Event]] = {}
        for item in self.reviews[review]:
            if item.type in ("comment", "suggestion"):
                found.setdefault(str(item.body.get("thread") or item.id), []).append(item)
        return found

    def marks(self, thread: str) -> list[Event]:
        """Return the last marks of known people on a thread."""
        return self.tips(one for one in self._marks.get(thread, ()) if self.known(one))

    @cached_property
    def _marks(self) -> dict[str, list[Event]]:
        found: dict[str, list[Event]] = {}
        for one in self.events.values():
            if one.type in ("resolve", "unresolve"):
                found.setdefault(str(one.body["thread"]), []).append(one)
        return found

    def changes(self, item: Event) -> tuple[Event | None, bool]:
        """Return the last edit of a comment, if there is one, and whether its author took it back."""
        mine = self._changes.get(item.id, ())
        return self.last(one for one in mine if one.type == "edit"), any(one.type == "delete" for one in mine)

    @cached_property
    def _changes(self) -> dict[str, list[Event]]:
        found: dict[str, list[Event]] = {}
        for one in self.events.values():
            if one.type in ("edit", "delete"):
                found.setdefault(str(one.body["target"]), []).append(one)
        return found

    def open_threads(self, review: str) -> list[str]:
        """Return the threads that known people opened and nobody resolved."""
        found = []
        for name, items in self.threads(review).items():
            if not any(self.known(one) for one in items):
                continue
            said = [one for one in items if not self.changes(one)[1]]
            marks = self.marks(name)
            resolved = bool(marks) and all(one.type == "resolve" for one in marks)
            if said and not resolved:
                found.append(name)
        return found

    def votes(self, items: Iterable[Event]) -> list[Event]:
        """Return each author's last vote among some; of two at once, the one that asks for changes."""
        by_voice: dict[str, list[Event]] = {}
        for one in items:
            if one.type == "vote":
                by_voice.setdefault(self.voice(one), []).append(one)
        return [
            max(self.tips(votes), key=lambda one: (one.body["decision"] != "approve", one.at, one.id))
            for votes in by_voice.values()
        ]


def fold(files: Mapping[str, bytes], who: Who, now: int) -> Book:
    """Read the files of the branch.

    Parameters
    ----------
    files : mapping of path to content
    who : Who
        Whose key it is.
    now : int
        Seconds since 1970: bounds what may come from the future.
    """
    found, refused = parse(files)
    return gather(found, refused, who, now)


def parse(files: Mapping[str, bytes]) -> tuple[dict[str, Event], dict[str, str]]:
    """Read the events of files, and say why others are none."""
    found: dict[str, Event] = {}
    refused: dict[str, str] = {}
    for path, content in files.items():
        name = event.event_id(path)
        if name is None:
            continue
        try:
            found[name] = event.parse(name, content)
        except Refused as error:
            refused[name] = error.what
    return found, refused


def gather(found: Mapping[str, Event], refused: Mapping[str, str], who: Who, now: int) -> Book:
    """Let in what counts among events whose form and signatures hold."""
    gate = _Gate(who, now)
    out = dict(refused)
    for name in in_order(found):
        item = found[name]
        try:
            for earlier in item.prev:
                if earlier not in found and earlier not in refused:
                    raise BadEvent(f"it was made after event {earlier[:12]}, which is not here")
            gate.admit(item)
        except Refused as error:
            out[name] = error.what
    return Book(gate.events, gate.people, out)


class _Gate:
    """Lets events in one by one, each after those that it has seen."""

    def __init__(self, who: Who, now: int) -> None:
        self.events: dict[str, Event] = {}
        self.people: dict[str, str] = {}
        self._who, self._now = who, now
        self._place: dict[str, int] = {}
        self._past: dict[str, int] = {}

    def admit(self, item: Event) -> None:
        """Take the event in, or raise why it does not count."""
        if item.at > self._now + SKEW:
            raise BadEvent("it claims to come from the future")
        seen = [self.events[name] for name in item.prev if name in self.events]
        if any(item.at < earlier.at - SKEW for earlier in seen):
            raise BadEvent("it claims to be older than what its author had seen")
        person = self._who(item.key)
        if person is not None and person != item.by:
            raise BadEvent(f"it says {ascii(item.by)}, but the key is {person}'s")
        past = _bits(item, self._past, self._place)

        def had_seen(name: str) -> Event:
            if name not in self._place or not past >> self._place[name] & 1:
                raise BadEvent(f"its author had not seen {name[:12]}, which it is about")
            return self.events[name]

        if item.type != "review" and had_seen(item.review).type != "review":
            raise BadEvent("it is about no review")
        if (thread := item.body.get("thread")) is not None and item.type in _IN_THREADS:
            opened = had_seen(str(thread))
            if opened.review != item.review or "anchor" not in opened.body:
                raise BadEvent("it is about no thread of its review")
        if item.type in ("edit", "delete"):
            target = had_seen(str(item.body["target"]))
            same = target.key == item.key or (person and self.people.get(target.id) == person)
            if target.type not in ("comment", "suggestion") or not same or target.review != item.review:
                raise BadEvent("only who said something can change it or take it back")
        self.events[item.id] = item
        self._place[item.id], self._past[item.id] = len(self._place), past
        if person is not None:
            self.people[item.id] = person


_IN_THREADS = ("comment", "suggestion", "resolve", "unresolve")


def _bits(item: Event, past: Mapping[str, int], place: Mapping[str, int]) -> int:
    bits = 0
    for earlier in item.prev:
        if earlier in past:  # one that does not count carries nothing over
            bits |= past[earlier] | 1 << place[earlier]
    return bits
