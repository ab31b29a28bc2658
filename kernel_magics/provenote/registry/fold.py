"""Which events of the ledger count: a pure function from files and a pinned root to a `Log`.

An event counts when, in this order,

1. its file has the one form and its signature holds; it is of this project;
2. everything it claims to have seen is there;
3. its policy is in the chain, and not older than those of the events it has seen;
4. it is neither from the future nor older than what it has seen;
5. its key belongs, in *that* policy, to the person it names;
6. the time of its policy is not over, or the ledger held it when it ended;
7. its key is not distrusted.

What does not count stays in `Log.refused` with its reason.

No clock decides about rights: policy n+1 names the commit of the ledger that closes policy n, and what was
not in that commit came too late. Order comes from the events that an event names, never from times or
commits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from provenote.errors import Refused
from provenote.registry import chain, event
from provenote.registry.event import Event
from provenote.registry.policy import Policy
from provenote.registry.reviewed import Reviewed, copied
from provenote.registry.subject import Subject
from provenote.stores.eventfile import SKEW as SKEW
from provenote.stores.eventfile import BadEvent, in_order

Known = Callable[[str], "frozenset[str] | None"]
"""The ids of the events that a commit of the ledger holds; None when this clone has no such commit in it."""


@dataclass(frozen=True)
class Log:
    """The events that count, in an order in which each stands after all that it has seen.

    Parameters
    ----------
    policies : tuple of Policy
        The chain, oldest first.
    events : mapping of str to Event
        By id, in that order.
    refused : mapping of str to str
        Why each other event file does not count.
    now : int
        The time it was read; seconds since 1970.
    late : frozenset of str
        Those among ``refused`` that only came too late: their author may have known no better.
    reviewed : Reviewed
        What notebook reviews say.
    distrusted : mapping of str to frozenset of str
        By the fingerprint of each distrusted key, the events that were there while it was trusted.
    """

    policies: tuple[Policy, ...]
    events: Mapping[str, Event]
    refused: Mapping[str, str]
    now: int
    late: frozenset[str] = frozenset()
    reviewed: Reviewed = field(default_factory=lambda: Reviewed({}))
    distrusted: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def policy(self) -> Policy:
        """The policy that counts now."""
        return self.policies[-1]

    def policy_of(self, item: Event) -> Policy:
        """Return the policy that an event was made under."""
        return self._by_id[item.policy]

    @cached_property
    def _by_id(self) -> dict[str, Policy]:
        return {policy.id: policy for policy in self.policies}

    @cached_property
    def _place(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.events)}

    @cached_property
    def _past(self) -> dict[str, int]:
        """For each event, the set of those before it as the bits of one number."""
        past: dict[str, int] = {}
        for name, item in self.events.items():
            bits = 0
            for earlier in item.prev:
                if earlier in past:  # one that does not count carries nothing over
                    bits |= past[earlier] | 1 << self._place[earlier]
            past[name] = bits
        return past

    def before(self, earlier: str, later: str) -> bool:
        """Whether the author of ``later`` had seen ``earlier``."""
        return bool(self._past[later] >> self._place[earlier] & 1)

    def extended(self, more: Iterable[Event]) -> Log:
        """Return the log as it would be with these events after all others: to see what they would do."""
        events = {**self.events, **{item.id: item for item in more}}
        return replace(self, events=events, reviewed=self.reviewed.tried())

    @cached_property
    def heads(self) -> list[str]:
        """The events that nobody has built on: what the next event names as seen."""
        seen = {earlier for item in self.events.values() for earlier in item.prev}
        return sorted(name for name in self.events if name not in seen)

    @cached_property
    def _by_promotion(self) -> dict[str, list[Event]]:
        grouped: dict[str, list[Event]] = {}
        for item in self.events.values():
            if item.promotion is not None:
                grouped.setdefault(item.promotion, []).append(item)
        return grouped

    def about(self, promotion: str) -> list[Event]:
        """Return the events about a request, in order, without the request itself."""
        return self._by_promotion.get(promotion, [])

    @cached_property
    def _by_type(self) -> dict[str, list[Event]]:
        grouped: dict[str, list[Event]] = {}
        for item in self.events.values():
            grouped.setdefault(item.type, []).append(item)
        return grouped

    def of_type(self, kind: str) -> list[Event]:
        """Return the events of one type, in order."""
        return self._by_type.get(kind, [])

    @cached_property
    def _by_version(self) -> dict[tuple[str, str, str], list[Event]]:
        grouped: dict[tuple[str, str, str], list[Event]] = {}
        for item in self.of_type("request"):
            if item.subject is not None:
                grouped.setdefault((*item.subject.key, item.subject.version), []).append(item)
        return grouped

    def requests(self, subject: Subject) -> list[Event]:
        """Return the requests that use this subject's version of its model, in order."""
        return self._by_version.get((*subject.key, subject.version), [])

    def tips(self, items: Iterable[Event]) -> list[Event]:
        """Return those among ``items`` that none of the others has seen."""
        listed = list(items)
        return [
            one
            for one in listed
            if not any(self.before(one.id, other.id) for other in listed if other is not one)
        ]


def fold(
    files: Mapping[str, bytes],
    root: str,
    now: int,
    known: Known,
    reviews: Callable[[], Mapping[str, bytes]] = dict,
) -> Log:
    """Read the files of a ledger.

    Parameters
    ----------
    files : mapping of path to content
    root : str
        SHA-256 of the first policy.
    now : int
        Seconds since 1970: bounds what may come from the future.
    known : Known
        Which events a commit of the ledger holds.
    reviews : callable
        Returns the files of the branch of reviews; called when a rule asks for them.

    Raises
    ------
    Untrusted, BadPolicy
        If the policies don't lead back to the root.
    """
    policies = chain.read(files, root)
    found, refused = _parse(files)
    gate, late = _Gate(policies, now, known), set()
    for name in in_order(found):
        item = found[name]
        missing = next(
            (earlier for earlier in item.prev if earlier not in found and earlier not in refused), None
        )
        try:
            if missing:
                raise BadEvent(f"it was made after event {missing[:12]}, which is not here")
            gate.admit(item)
        except Refused as error:
            refused[name] = error.what
            if isinstance(error, _Late):
                late.add(name)
    kept = {path: content for path, content in files.items() if copied(path)}
    reviewed = Reviewed(kept, reviews)
    return Log(tuple(policies), gate.events, refused, now, frozenset(late), reviewed, gate.held)


def _parse(files: Mapping[str, bytes]) -> tuple[dict[str, Event], dict[str, str]]:
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


class _Late(BadEvent):
    """The event came after what it was made under was closed."""


class _Gate:
    """Lets events in one by one, each after those that it has seen."""

    def __init__(self, policies: list[Policy], now: int, known: Known) -> None:
        self.events: dict[str, Event] = {}
        self._policies = policies
        self._number = {policy.id: number for number, policy in enumerate(policies)}
        self._owner = [
            {key: person.name for person in policy.people.values() for key in person.keys}
            for policy in policies
        ]
        self._now = now
        self._known = known
        # Once distrusted, for ever: a later policy that forgets the line does not bring the key back.
        self._distrust = {(row.key, row.log) for policy in policies for row in policy.distrust}

    @property
    def held(self) -> dict[str, frozenset[str]]:
        """What was there while each distrusted key was trusted; nothing, where that is not known here."""
        found: dict[str, frozenset[str]] = {}
        for key, log in self._distrust:
            there = self._known(log) or frozenset()
            found[key] = found.get(key, there) & there
        return found

    def admit(self, item: Event) -> None:
        """Take the event in, or raise why it does not count."""
        last = self._policies[-1]
        if item.project != last.project:
            raise BadEvent("it belongs to another project")
        number = self._number.get(item.policy)
        if number is None:
            raise BadEvent("it was made under a policy that is not in force here")
        seen = [self.events[earlier] for earlier in item.prev if earlier in self.events]
        if any(self._number[earlier.policy] > number for earlier in seen):
            raise BadEvent("it was made under an older policy than what its author had seen")
        if item.at > self._now + SKEW:
            raise BadEvent("it claims to come from the future")
        if any(item.at < earlier.at - SKEW for earlier in seen):
            raise BadEvent("it claims to be older than what its author had seen")
        person = self._owner[number].get(item.key)
        if person is None:
            raise BadEvent(f"its key {item.key.fingerprint} belongs to nobody in policy {number + 1}")
        if person != item.by:
            raise BadEvent(f"it says {ascii(item.by)}, but the key is {person}'s")
        if number + 1 < len(self._policies):
            self._in_time(
                item, str(self._policies[number + 1].closes), f"policy {number + 1}, which was closed"
            )
        for key, log in self._distrust:
            if key == item.key.fingerprint:
                self._in_time(item, log, "a key that is no longer trusted")
        self.events[item.id] = item

    def _in_time(self, item: Event, commit: str, what: str) -> None:
        held = self._known(commit)
        if held is None:
            raise BadEvent(
                f"it was made under {what}, and the commit {commit[:12]} that says how far is not here"
            )
        if item.id not in held:
            raise _Late(f"it was made under {what} before the event arrived")
