"""A plan: the events that a person is about to sign, and the words in which they are shown. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from provenote.errors import Refused, UsageError
from provenote.registry.candidate import Candidate
from provenote.registry.names import visible
from provenote.registry.reading import Registry
from provenote.registry.releases import Key, Release
from provenote.registry.rules import Problem
from provenote.registry.state import Promotion
from provenote.registry.subject import Subject
from provenote.stores.keys import Signer

LONGEST = 4000
"""Characters of a reason."""


@dataclass(frozen=True, slots=True)
class Me:
    """The person at this machine: a name in the policy and the key to sign with."""

    name: str
    signer: Signer


@dataclass(frozen=True, slots=True)
class Act:
    """One event to be signed.

    Parameters
    ----------
    type : str
        Type of the event.
    words : str
        What it does, for the person who signs.
    body : dict
        Its fields. A ``promotion`` of None stands for the first event of the same plan.
    """

    type: str
    words: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be signed, and how it is shown.

    Parameters
    ----------
    acts : tuple of Act
    facts : tuple of (name, value)
        The whole subject and what a person should know about it.
    word : str
        What must be typed: the model's name.
    """

    acts: tuple[Act, ...]
    facts: tuple[tuple[str, str], ...]
    word: str

    def text(self, me: Me, registry: Registry) -> str:
        """Return the text that is shown before signing."""
        policy = registry.log.policy
        kind = "demo" if policy.demo else "solo mode: no separation of duty" if policy.solo else ""
        pairs = [
            *self.facts,
            ("policy", f"{policy.version} ({policy.id}){', ' + kind if kind else ''}"),
            ("key", f"{me.name}, {me.signer.label}"),
        ]
        if registry.proposals:
            pairs.append(
                ("note", "a next policy waits for owners; once it counts, this must be signed again")
            )
        width = max(len(name) for name, _ in pairs)
        lines = ["You sign exactly this:"]
        lines += [f"  {name:<{width}}  {visible(value)}" for name, value in pairs]
        lines += [f"  {number}. {visible(act.words)}" for number, act in enumerate(self.acts, 1)]
        return "\n".join(lines)


def renewed(promotion: Promotion, registry: Registry) -> Promotion:
    """Return the same promotion in a registry that may have been read later."""
    found = registry.state.promotion(promotion.request.id)
    if found is None:
        raise Refused(
            f"the request for {promotion.subject.reference} does not count any more", "See: `provenote inbox`"
        )
    return found


def about(promotion: Promotion, **more: object) -> dict[str, object]:
    """Return the fields that bind an event to a request, its subject and its stage."""
    return {"promotion": promotion.request.id, "subject": promotion.subject, "stage": promotion.stage, **more}


def succession(registry: Registry, key: Key) -> dict[str, object]:
    """Return the number of the next release of a stage and what it replaces."""
    holders = registry.state.releases.holders(key)
    return {
        "seq": registry.state.releases.next_seq(key),
        "supersedes": sorted(one.event.id for one in holders),
    }


def reason_given(text: str, what: str) -> str:
    """Return the reason that a person gave, or refuse to go on without one."""
    told = text.strip()
    if not told:
        raise UsageError(f"{what} takes a reason, which is kept with it", 'Give one: `--why "..."`')
    if len(told) > LONGEST:
        raise UsageError(
            f"the reason has {len(told)} characters; {LONGEST} are kept", "Shorten it, or name a page"
        )
    return told


def raise_if(problems: Sequence[Problem], what: str, mend: str = "See: `provenote inbox`") -> None:
    """Refuse with all problems in one line, if there are any."""
    if problems:
        raise refusal(what, problems, mend)


def refusal(what: str, problems: Sequence[Problem], mend: str) -> Refused:
    """Return the refusal that names all problems in one line."""
    told = "; ".join(problem.text for problem in problems)
    return Refused(f"{what}: {told}" if what else told, mend or None)


def facts(
    subject: Subject,
    stage: str,
    holder: Release | None,
    why: str,
    new: bool = False,
    candidate: Candidate | None = None,
    reason: str | None = None,
) -> tuple[tuple[str, str], ...]:
    """Return the whole subject as it is shown before signing."""
    names = f": {', '.join(subject.trusted)}" if subject.trusted else ""
    trusted = f"{len(subject.trusted)} trusted type{'' if len(subject.trusted) == 1 else 's'}{names}"
    facts = [
        ("model", subject.model),
        ("path", subject.path),
        ("version", f"{subject.version} (new)" if new else subject.version),
        ("stage", stage),
        ("commit", subject.commit),
        ("sha256", subject.sha256),
        ("format", f"{subject.format}, {subject.kind}, {trusted}"),
        ("replaces", holder.subject.version if holder and holder.subject != subject else "nothing"),
    ]
    if candidate is not None:
        row = candidate.row
        facts.insert(4, ("run", f"{row.name}, {row.status}, {row.linearity}"))
    if reason:
        facts.append(("reason", reason))
    return (*facts, ("why", why or "(none given)"))
