"""From a plan to signed events: show the whole subject, ask for the model's name, sign, append.

A signature means a person's will. So `carry_out` needs somebody to ask (``confirm``), shows everything that
will be signed, and signs only after the name was typed; one answer may cover several acts that were all
listed. If the ledger grows between the look and the signature, the plan is made anew and must come out the
same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from provenote.errors import Refused, UsageError, WorldError
from provenote.registry import event, news, reading, tags
from provenote.registry.event import Event
from provenote.registry.fold import SKEW
from provenote.registry.names import visible
from provenote.registry.plan import Act, Me, Plan
from provenote.registry.policy import CI
from provenote.registry.reading import Registry
from provenote.registry.state import State
from provenote.registry.subject import Subject
from provenote.stores.keys import Signer, candidates
from provenote.stores.ledger import Moved

Confirm = Callable[[str, str], str]
"""Shows a text, asks to type a word, and returns what was typed."""

TRIES = 20
UNASKED = frozenset({"check", "checkpoint", "release"})
"""Types of events that a machine may sign."""


class NoPerson(Refused):
    """Nobody is there to be asked."""


Planner = Callable[[Registry, Me], Plan]
"""Decides what to sign by looking at the registry; raises when it cannot be. Pure."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What was signed, and the registry after it.

    Parameters
    ----------
    plan : Plan
    ids : tuple of str
        Ids of the events, as the plan's acts.
    registry : Registry
    tags : tuple of str
        Tags made for them.
    """

    plan: Plan
    ids: tuple[str, ...]
    registry: Registry
    tags: tuple[str, ...]


def find_me(registry: Registry, signers: Iterable[Signer] | None = None) -> Me:
    """Return the person at this machine: the first of the keys that the policy knows.

    Parameters
    ----------
    registry : Registry
    signers : iterable of Signer, optional
        Keys to try instead of those found on this machine.

    Raises
    ------
    Refused
        If the policy knows none of them.
    """
    policy = registry.log.policy
    tried = []
    for signer in candidates(registry.workspace.top, registry.workspace.home) if signers is None else signers:
        person = policy.person(signer.public)
        if person:
            return Me(person.name, signer)
        tried.append(signer.public.fingerprint)
    people = ", ".join(sorted(policy.people))
    if not tried:
        raise Refused(
            f"there is no SSH key to sign with here; policy {policy.version} knows {people}",
            "Make one: `ssh-keygen -t ed25519`, then ask to be let in: `provenote join`",
        )
    raise Refused(
        f"policy {policy.version} knows {people}, but none of your keys ({', '.join(tried[:3])})",
        "Ask to be let in: `provenote join`",
    )


def find_me_or_none(registry: Registry) -> Me | None:
    """Return the person at this machine, or None for one who may only read."""
    try:
        return find_me(registry)
    except Refused:
        return None


def trial(registry: Registry, me: Me, plan_acts: Iterable[Act]) -> tuple[State, list[Event]]:
    """Return the state as it would be after these acts, and the events, without signing anything."""
    made: list[Event] = []
    for act in plan_acts:
        line = _line(registry, me, act, [one.id for one in made])
        made.append(event.draft(line, me.signer.public))
    return State(registry.log.extended(made)), made


def carry_out(registry: Registry, me: Me, planner: Planner, confirm: Confirm | None) -> Signed:
    """Plan, ask, sign and append.

    Parameters
    ----------
    registry : Registry
        The registry as it was read last.
    me : Me
        Who signs.
    planner : Planner
    confirm : Confirm or None
        How to ask the person; None where nobody is.

    Raises
    ------
    NoPerson
        If nobody can be asked.
    Refused
        If the typed name is another one, or the ledger changed what would be signed.
    """
    plan = planner(registry, me)
    shown = plan.text(me, registry)
    if confirm is None:
        raise NoPerson(
            "this takes a signature, and nobody is here to be asked (a job, or no terminal)",
            "Do it in a terminal or in a notebook that you run yourself",
        )
    typed = confirm(shown, plan.word)
    if typed.strip() != plan.word:
        raise UsageError(f"{visible(typed)!r} is not {plan.word!r}, so nothing was signed")
    return _land(registry, me, planner, plan, shown)


def by_machine(registry: Registry, me: Me, planner: Planner) -> Signed:
    """Sign without asking anybody what a machine may: a check, a checkpoint, an approved release.

    Only a person of the policy with the role ``ci`` is a machine; a release without approvals, or one that
    goes back, takes a person.

    Raises
    ------
    NoPerson
        If the plan holds anything that takes a person's will, or the key is a person's.
    """
    plan = planner(registry, me)
    for act in plan.acts:
        if act.type not in UNASKED or act.body.get("override") or act.body.get("rollback"):
            raise NoPerson(f"a machine cannot sign this: {act.words}")
    if not registry.log.policy.may(me.name, me.signer.public, [CI]):
        who = ", ".join(registry.log.policy.in_role([CI])) or "nobody"
        raise NoPerson(f"{me.name} is asked before signing: only the role {CI} is a machine's ({who})")
    return _land(registry, me, planner, plan, None)


def _land(registry: Registry, me: Me, planner: Planner, plan: Plan, shown: str | None) -> Signed:
    """Sign and append; where the ledger has grown meanwhile, plan again and compare with what was shown."""
    for _ in range(TRIES):
        try:
            ids = _sign(registry, me, plan)
        except Moved:
            registry = reading.read(registry.workspace, registry.root)
            plan = planner(registry, me)
            if shown is not None and plan.text(me, registry) != shown:
                raise Refused(
                    "the ledger changed while you decided, so nothing was signed", "Look again"
                ) from None
            continue
        after = reading.read(registry.workspace, registry.root)
        made = tags.project(registry.workspace.top, tags.wanted(after.state))
        news.remember(after)
        return Signed(plan, ids, after, tuple(made))
    raise WorldError("the governance ledger is being written all the time", "Try again: nothing was signed")


def _sign(registry: Registry, me: Me, plan: Plan) -> tuple[str, ...]:
    files: dict[str, bytes] = {}
    ids: list[str] = []
    for act in plan.acts:
        line = _line(registry, me, act, ids)
        path, content = event.seal(line, me.signer)
        files[path] = content
        ids.append(str(event.event_id(path)))
        rests = event.draft(line, me.signer.public).body.get("reviews", ())
        files |= registry.log.reviewed.copies(rests) if rests else {}
    registry.ledger.append(
        files, f"{', '.join(act.words for act in plan.acts)} ({me.name})", onto=registry.commit
    )
    return tuple(ids)


def _line(registry: Registry, me: Me, act: Act, before: list[str]) -> bytes:
    """Compose the event of an act; the first names all heads of the log as seen, the next the one before."""
    log = registry.log
    prev = before[-1:] or log.heads
    body = dict(act.body)
    if "promotion" in body and body["promotion"] is None:
        body["promotion"] = before[0]
    if act.type in event.WITH_REVIEWS and (heads := _reviews(registry, act)):
        body["reviews"] = heads
    now = int(time.time())
    latest = max((log.events[name].at for name in log.heads), default=0)
    if latest > now + SKEW:
        ahead = f"the ledger's last event is from {event.timestamp(latest)}, ahead of this computer's clock"
        raise WorldError(ahead, "Set the clock, then try again")
    at, policy = max(now, latest), log.policy
    return event.compose(me.name, at, policy.project, policy.id, prev, type=act.type, **body)


def _reviews(registry: Registry, act: Act) -> list[str]:
    """Return the heads of the notebook reviews that an event rests on, where the rule asks for reviews."""
    subject, stage = act.body.get("subject"), str(act.body.get("stage"))
    if not isinstance(subject, Subject):
        return []
    rule = registry.log.policy.rule(subject.path, subject.model, stage)
    if rule is None or rule.reviews is None:
        return []
    return registry.log.reviewed.heads(registry.log, subject)
