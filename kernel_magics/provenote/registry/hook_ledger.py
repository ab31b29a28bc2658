"""What a push may do to the ledger: add events, policies and newcomers' keys whose form and signatures hold.

Refused is what its author could know better. What came too late because somebody closed a policy meanwhile
is taken with a remark, as long as its author is still among the people: a clone's ledger only grows, so it
could not leave the event behind. A next policy that some owners have signed is taken too: it counts once
enough have.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property

from provenote.errors import Refused
from provenote.git import command
from provenote.registry import chain, event
from provenote.registry.fold import Log, fold
from provenote.registry.hook_push import Change, Push, Update
from provenote.registry.names import visible
from provenote.registry.policy import Policy
from provenote.registry.releases import Release
from provenote.registry.reviewed import copied
from provenote.registry.rules import WAIVED, Problem
from provenote.registry.state import State
from provenote.stores import signatures
from provenote.stores.digest import sha256_bytes
from provenote.stores.ledger import REVIEWS, Ledger

REF = "refs/heads/provenote-governance"
REVIEWS_REF = f"refs/heads/{REVIEWS}"
EVENTS, JOINS = 5_000, 20
"""How many events, and keys of newcomers, one push may add to a ledger that is there."""
LARGEST, LARGEST_JOIN = 256 * 1024, 4 * 1024
"""Bytes of a file, and of a newcomer's key."""

_ATTRIBUTES = b"* -text\n"
_SIGNATURE = re.compile(r"(policy/([1-9][0-9]{0,5})-[0-9a-f]{12})\.([^./]+)\.([0-9a-f]{12})\.sig")
_JOIN = re.compile(r"join/([0-9a-f]{64})")
_PLAIN = "100644"
_KNOWABLE = frozenset({"role", "why", "rule", "promotion", "subject", "seq", "supersedes", "rollback"})
_AGAIN = "Keep what the remote has: `git branch -f provenote-governance origin/provenote-governance`"


@dataclass(frozen=True)
class Judged:
    """The ledger as it will be.

    Parameters
    ----------
    log : Log
    root : str
    files : mapping of path to content
    remarks : tuple of str
        What the author of the push should know.
    """

    log: Log
    root: str
    files: Mapping[str, bytes]
    remarks: tuple[str, ...] = field(default=())

    @cached_property
    def state(self) -> State:
        """Where every stage and request stands."""
        return State(self.log)


def judge(push: Push, root: str | None, now: float | None = None) -> Judged | None:
    """Return the ledger as the push leaves it, None if there is none.

    Raises
    ------
    ProvenoteError
        If the push does to it what it may not, or the ledger that is there does not hold.
    """
    update = push.of(REF)
    if update is None:
        tip = push.after(REF)
        return read(push, tip, root or _claimed(push, tip), now)[0] if tip else None
    new = _grown(push, update)
    added = push.changes(update.old, new)
    _check_files(push, added, first=update.old is None)
    judged, ledger = read(push, new, root or _claimed(push, update.old or new), now)
    _check_contents(judged, added)
    _check_policies(judged, ledger, new, added)
    remarks = _check_events(judged, added)
    return Judged(judged.log, judged.root, judged.files, tuple(remarks))


def check_growth(push: Push, update: Update) -> None:
    """Refuse what makes another append-only branch smaller or different."""
    new = _grown(push, update)
    _only_new(push.changes(update.old, new))
    Ledger(push.folder, update.ref.removeprefix("refs/heads/")).check_history(new)


def _grown(push: Push, update: Update) -> str:
    if update.new is None:
        raise Refused("this branch is never deleted")
    if os.environ.get("GIT_SHALLOW_FILE"):
        raise Refused("a part of this branch's history is no history", "`git fetch --unshallow`, then again")
    new = push.commit(update.new)
    if update.old is not None and not push.grows(update.old, new):
        raise Refused(
            "it would leave out what the remote holds; this branch only grows", "Sync: `provenote sync`"
        )
    return new


def _only_new(changes: Sequence[Change]) -> None:
    for change in changes:
        if change.letter != "A":
            word = "deletes" if change.letter == "D" else "changes"
            raise Refused(f"it {word} {visible(change.path)}; files of this branch stay as they are")
        if change.mode != _PLAIN:
            raise Refused(f"{visible(change.path)} is no plain file")


def _check_files(push: Push, added: Sequence[Change], first: bool) -> None:
    """Refuse what may not be there at all, before anything is read."""
    _only_new(added)
    for change in added:
        path = change.path
        if not belongs(path):
            raise Refused(f"{visible(path)} is no file of the ledger")
    sizes = push.sizes(change.oid for change in added)
    for change in added:
        largest = LARGEST_JOIN if change.path.startswith("join/") else LARGEST
        if sizes.get(change.oid, largest + 1) > largest:
            raise Refused(f"{change.path} is larger than {largest:,} bytes")
    kinds = (("e/", EVENTS, "events"), ("reviews/", EVENTS, "review events"), ("join/", JOINS, "newcomers"))
    for start, most, what in kinds:
        count = sum(change.path.startswith(start) for change in added)
        if count > most and not first:
            raise Refused(f"{count:,} {what} in one push; {most:,} are taken")


def belongs(path: str) -> bool:
    """Whether a path of the ledger is that of an event, a policy, a signature, a review or a newcomer."""
    known = path == ".gitattributes" or event.event_id(path) or _JOIN.fullmatch(path) or copied(path)
    return bool(known or chain.number(path) or _SIGNATURE.fullmatch(path))


def _check_contents(judged: Judged, added: Sequence[Change]) -> None:
    if any(copied(change.path) for change in added):
        rests = judged.log.reviewed.rests(judged.log)
        for change in added:
            name = event.event_id(copied(change.path) or "")
            if name is not None and name not in rests:
                raise Refused(f"the review event {name[:12]} does not hold, or nothing rests on it")
    for change in added:
        content = judged.files[change.path]
        if change.path == ".gitattributes" and content != _ATTRIBUTES:
            raise Refused(".gitattributes is not the ledger's, which keeps line ends as they are")
        if _JOIN.fullmatch(change.path):
            from provenote.registry import joining  # rare: most pushes do without

            try:
                joining.parse(change.path, content, judged.log.policy.project)
            except Refused as error:
                raise Refused(
                    f"{change.path[:17]} asks to be let in by nothing that holds: {error.what}"
                ) from error


def read(push: Push, commit: str, root: str | None, now: float | None) -> tuple[Judged, Ledger]:
    """Read and verify a commit of the ledger under a root.

    Raises
    ------
    Refused
        If it does not hold: its history, its policies, or the root.
    """
    ledger = Ledger(push.folder)
    files = ledger.read(commit).files
    if root is None:
        raise Refused("the ledger does not begin with one policy, so no signature can be trusted")

    @cache
    def known(closing: str) -> frozenset[str] | None:
        if not ledger.holds(closing, commit):
            return None
        return frozenset(name for path in ledger.paths(closing) if (name := event.event_id(path)))

    def reviews() -> Mapping[str, bytes]:
        tip = push.after(REVIEWS_REF)
        return Ledger(push.folder, REVIEWS).read(tip).files if tip else {}

    log = fold(files, root, int(time.time() if now is None else now), known, reviews)
    return Judged(log, root, files), ledger


def _claimed(push: Push, commit: str) -> str | None:
    """Return the root that a ledger began with: trust on first use, where nobody pinned one."""
    listed = Ledger(push.folder).paths(commit)
    first = [oid for path, oid in listed.items() if chain.number(path) == 1]
    if len(first) != 1 or push.sizes(first).get(first[0], LARGEST + 1) > LARGEST:
        return None
    content = next(iter(command.blobs(push.folder, first)))
    return sha256_bytes(content) if content is not None else None


# ---------------------------------------------------------------------- policies


def _check_policies(judged: Judged, ledger: Ledger, commit: str, added: Sequence[Change]) -> None:
    policies = judged.log.policies
    for change in added:
        number = chain.number(change.path)
        if number is not None and not _owners_signed(judged, change.path, number):
            raise Refused(
                f"policy {number} ({change.path[-17:-5]}) is not signed by an owner of the one before"
            )
    for change in added:
        if found := _SIGNATURE.fullmatch(change.path):
            _check_signature(judged, change.path, f"{found[1]}.yaml", int(found[2]))
    for policy in policies[1:]:
        path = f"policy/{policy.version}-{policy.id[:12]}.yaml"
        if any(change.path == path for change in added) and not ledger.holds(str(policy.closes), commit):
            raise Refused(f"policy {policy.version} closes the one before at a commit that is not here")


def _owners_signed(judged: Judged, path: str, number: int) -> bool:
    """Whether a policy counts, or some owners of the one before have signed it."""
    policies = judged.log.policies
    if any(policy.id == sha256_bytes(judged.files[path]) for policy in policies):
        return True
    if not 2 <= number <= len(policies) + 1:
        return False
    stem = f"{path.removesuffix('.yaml')}."
    return any(
        _signer(judged, other, path) in policies[number - 2].owners
        for other in judged.files
        if other.startswith(stem) and other.endswith(".sig")
    )


def _check_signature(judged: Judged, path: str, signed: str, number: int) -> None:
    policies = judged.log.policies
    judge: Policy | None = None
    if number <= len(policies) + 1:
        judge = policies[max(number - 2, 0)]
    if signed not in judged.files or judge is None or _signer(judged, path, signed) not in judge.owners:
        raise Refused(f"{path} is no owner's signature of that policy")


def _signer(judged: Judged, path: str, signed: str) -> signatures.PublicKey | None:
    """Return whose signature a file rightly is, None if it is none."""
    content = judged.files[path]
    if sha256_bytes(content)[:12] != path[-16:-4]:
        return None
    try:
        key = signatures.verify(judged.files[signed], content, chain.NAMESPACE)
    except Refused:
        return None
    return key if f".{key.short}." in path else None


# ---------------------------------------------------------------------- events


def _check_events(judged: Judged, added: Sequence[Change]) -> list[str]:
    """Refuse new events that their authors could know not to count; return what to tell of the others."""
    log, late = judged.log, 0
    for change in added:
        name = event.event_id(change.path)
        if name is None:
            continue
        if name in log.events:
            _check_release(judged, name)
            continue
        if name not in log.late:
            raise Refused(f"event {name[:12]} does not count: {log.refused[name]}", _AGAIN)
        key = event.parse(name, judged.files[change.path]).key
        distrusted = any(row.key == key.fingerprint for policy in log.policies for row in policy.distrust)
        if distrusted or log.policy.person(key) is None:
            raise Refused(
                f"event {name[:12]} is by a key that nobody has any more: {log.refused[name]}", _AGAIN
            )
        late += 1
    if not late:
        return []
    some = "1 event came" if late == 1 else f"{late:,} events came"
    return [f"{some} after the policy it was made under had ended, and does not count: decide again"]


def _check_release(judged: Judged, name: str) -> None:
    """Refuse a release that did not hold even with what its author had seen."""
    release = judged.state.releases.all.get(name) if judged.log.events[name].type == "release" else None
    if release is None:
        return
    own: list[Problem] = []
    if release.problems:
        own += [problem for problem in release.problems if problem.code in _KNOWABLE]
    body = release.event.body
    if not body.get("rollback"):
        waived = WAIVED if body.get("override") else ()
        if release.problems:
            own += [problem for problem in release.verdict.problems if problem.code not in waived]
        if not waived:
            own += _objections(judged, release)
    if own:
        raise Refused(f"the release {name[:12]} does not hold: {own[0].text}", _AGAIN)


def _objections(judged: Judged, release: Release) -> list[Problem]:
    """Return what reviews on this remote have against a new release, though it may not name them."""
    log, subject = judged.log, release.subject
    policy = log.policy_of(release.event)
    rule = policy.rule(*release.key)
    if rule is None or rule.reviews is None:
        return []
    request = log.events[str(release.event.promotion)]
    barred = {request.by, *(str(name) for name in request.body.get("authors", []))}
    found = log.reviewed.opinion(log, rule.reviews, policy, subject, barred, None, release.event)
    return [Problem("reviews", text) for text in found.problems(rule.reviews)]
