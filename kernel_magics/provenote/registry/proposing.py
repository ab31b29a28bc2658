"""A next policy is signed by owners: by who proposes it, and by others until enough have.

A policy counts when as many owners of the one before have signed it as that one asks for; until then it
waits on the ledger, and `sign` adds a signature. Approvals that were given under the policy before must be
given again, and what was signed after a proposal falls when it comes into force: the owner is told so before
signing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from provenote.errors import Refused, UsageError
from provenote.registry import chain, event, policy_file, reading
from provenote.registry.chain import Proposal
from provenote.registry.event import Event
from provenote.registry.names import visible
from provenote.registry.policy import Policy
from provenote.registry.policy_changes import changes, unfilled
from provenote.registry.reading import Registry
from provenote.registry.signing import Confirm, NoPerson
from provenote.stores.keys import Signer, candidates
from provenote.stores.signatures import PublicKey
from provenote.workspace import Workspace

WORD = "policy"
"""What is typed to sign a policy."""


@dataclass(frozen=True, slots=True)
class Amended:
    """A policy that was signed.

    Parameters
    ----------
    policy : Policy
    text : str
        What it says.
    again : tuple of str
        Requests whose approvals must be given again once it counts.
    changes : tuple of str
        What it changes of the policy before.
    signed_by : tuple of str
        The owners who have signed it.
    needed : int
        How many must.
    """

    policy: Policy
    text: str
    again: tuple[str, ...]
    changes: tuple[str, ...] = ()
    signed_by: tuple[str, ...] = ()
    needed: int = 1

    @property
    def in_force(self) -> bool:
        """Whether enough owners have signed it."""
        return len(self.signed_by) >= self.needed


def propose(registry: Registry, signer: Signer, content: bytes, confirm: Confirm | None) -> Amended:
    """Sign a next policy as the first of its owners.

    Parameters
    ----------
    registry : Registry
    signer : Signer
        An owner's key.
    content : bytes
        The policy's text.
    confirm : Confirm or None
        How to ask the owner.

    Raises
    ------
    UsageError
        If it would change nothing, or move to another project.
    BadPolicy
        If it could not be enforced.
    """
    made, last = policy_file.parse(content), registry.log.policy
    if made.project != last.project:
        raise UsageError("a policy keeps its project", f"Write `project: {last.project}`")
    if not changes(last, made):
        raise UsageError("nothing of the policy would change", "See it: `provenote policy show`")
    return _sign(registry, signer, content, confirm)


def sign(
    workspace: Workspace,
    reference: str | None = None,
    *,
    confirm: Confirm | None,
    signers: Iterable[Signer] | None = None,
) -> Amended:
    """Add an owner's signature to a policy that waits for it.

    Parameters
    ----------
    workspace : Workspace
    reference : str, optional
        The start of the policy's SHA-256; not needed when only one waits.
    confirm : Confirm or None
        How to ask the owner.
    signers : iterable of Signer, optional
        Keys to try.

    Raises
    ------
    UsageError
        If none waits, or the reference names several, or this owner has signed it.
    Refused
        If nobody here may sign it, or two rival policies could come into force.
    """
    registry = reading.read(workspace)
    signer = owner(registry, signers)
    waiting = [one for one in registry.proposals if one.policy.id.startswith(reference or "")]
    if not waiting:
        shown = f"policy {visible(reference)}" if reference else "no policy"
        raise UsageError(
            f"{shown} waits for signatures{' no more, or never did' if reference else ''}",
            "Get what others proposed: `provenote sync`",
        )
    if len(waiting) > 1:
        ids = ", ".join(one.policy.id[:12] for one in waiting)
        raise UsageError(f"{len(waiting)} policies wait: {ids}", "Name one: `provenote policy sign ID`")
    found = waiting[0]
    if who(registry.log.policy, signer.public) in signed_by(registry.log.policy, found):
        raise UsageError(
            f"you have signed policy {found.policy.id[:12]} already", "It waits for other owners"
        )
    if not registry.ledger.holds(str(found.policy.closes), registry.commit):
        raise Refused(
            f"policy {found.policy.id[:12]} closes commit {str(found.policy.closes)[:12]} of the ledger, "
            "which is not here",
            "Get it: `provenote sync`",
        )
    return _sign(registry, signer, found.content, confirm)


def lost(registry: Registry, proposal: Policy) -> list[Event]:
    """Return the events that count now and will not once this proposal is in force: they came after it.

    All of the present policy's, where the commit that it closes at is not here.
    """
    last = registry.log.policy.id
    if not registry.ledger.holds(str(proposal.closes), registry.commit):
        return [item for item in registry.log.events.values() if item.policy == last]
    held = registry.ledger.paths(str(proposal.closes))
    kept = {name for path in held if (name := event.event_id(path))}
    return [item for item in registry.log.events.values() if item.policy == last and item.id not in kept]


def who(policy: Policy, key: PublicKey) -> str:
    """Return the owner behind a key: a person's name, or the key's fingerprint."""
    person = policy.person(key)
    return person.name if person else key.fingerprint


def signed_by(policy: Policy, proposal: Proposal) -> tuple[str, ...]:
    """Return the owners who have signed a proposal."""
    return tuple(sorted({who(policy, key) for key in proposal.signed_by}))


def owner_key(registry: Registry, signers: Iterable[Signer] | None = None) -> Signer | None:
    """Return the first of this machine's keys that owns the policy, or None."""
    place = registry.workspace
    for signer in candidates(place.top, place.home) if signers is None else signers:
        if signer.public in registry.log.policy.owners:
            return signer
    return None


def _sign(registry: Registry, signer: Signer, content: bytes, confirm: Confirm | None) -> Amended:
    made, last = policy_file.parse(content), registry.log.policy
    _check_rivals(registry, signer.public, made)
    there = next((one for one in registry.proposals if one.policy.id == made.id), None)
    before = signed_by(last, there) if there else ()
    again = tuple(
        one.subject.reference for one in registry.state.promotions if one.verdict.approvers and one.waiting
    )
    changed = tuple(changes(last, made))
    missing = last.threshold - len(before) - 1
    pairs = [("policy", f"{made.version} ({made.id}), after {last.version} ({last.id})")]
    pairs += [("changes", line) for line in changed]
    pairs += [("then", line) for line in unfilled(made)]
    pairs.append(("again", f"approvals of {', '.join(again)} must be given again" if again else "nothing"))
    pairs += [("falls", f"{_words(item)}, signed after this was proposed") for item in lost(registry, made)]
    if before:
        pairs.append(("signed by", ", ".join(before)))
    if missing > 0:
        pairs.append(("waits", f"counts when {missing} more owner{'' if missing == 1 else 's'} signed"))
    pairs.append(("key", signer.label))
    width = max(len(name) for name, _ in pairs)
    lines = ["You sign exactly this:", *(f"  {name:<{width}}  {visible(value)}" for name, value in pairs)]
    if confirm is None:
        raise NoPerson("a policy takes a signature, and nobody is here to be asked", "Do it in a terminal")
    if confirm("\n".join(lines), WORD).strip() != WORD:
        raise UsageError(f"that is not {WORD!r}, so nothing was signed")
    files = chain.signed(content, made.version, [signer])
    told = "; ".join(changed)
    registry.ledger.append(files, f"policy {made.version}: {visible(told)[:200]}", onto=registry.commit)
    after = reading.read(registry.workspace, registry.root)
    names = tuple(sorted({*before, who(last, signer.public)}))
    if after.log.policy.id == made.id or len(names) < last.threshold:
        return Amended(made, content.decode(), again, changed, names, last.threshold)
    raise Refused(f"policy {made.version} was signed, but does not count", "See: `provenote policy show`")


def _check_rivals(registry: Registry, key: PublicKey, policy: Policy) -> None:
    """Refuse a signature with which two policies of one number could both come into force.

    Every reader would refuse such a ledger. An owner signs one policy of a number; only where nobody who
    is left could complete it, all may turn to the one of them with the smallest id, the same for everybody.
    """
    last, me = registry.log.policy, who(registry.log.policy, key)
    rivals = [one for one in registry.proposals if one.policy.id != policy.id]
    mine = [one for one in rivals if me in signed_by(last, one)]
    if not mine:
        return
    busy = {name for one in registry.proposals for name in signed_by(last, one)}
    free = {who(last, owner) for owner in last.owners} - busy
    stuck = all(len({*signed_by(last, one), *free}) < last.threshold for one in mine)
    if stuck and all(policy.id < one.policy.id for one in rivals):
        return
    first = min(one.policy.id for one in registry.proposals) if stuck else mine[0].policy.id
    raise Refused(
        f"you have signed another policy {policy.version} ({mine[0].policy.id[:12]}), and two of one number "
        "must never count",
        f"Bring that one into force, or let the owners agree on it: `provenote policy sign {first[:12]}`",
    )


def owner(registry: Registry, signers: Iterable[Signer] | None) -> Signer:
    """Return the key of this machine that owns the policy, or refuse and say whose do."""
    signer = owner_key(registry, signers)
    if signer is None:
        policy = registry.log.policy
        owners = ", ".join(f"{who(policy, key)} ({key.fingerprint})" for key in policy.owners)
        raise Refused(
            f"none of your keys owns policy {policy.version}; these do: {owners}", "Ask one of them"
        )
    return signer


def _words(item: Event) -> str:
    about = f" of {item.subject.reference} in {item.stage}" if item.subject else ""
    return f"{item.type}{about} by {item.by} ({item.id[:12]})"
