"""A newcomer's request to be let in: signed with the key that they will sign with. It gives no right.

The file ``join/<SHA-256>`` on the ledger is a canonical JSON line and its signature, as an event's. It proves
that whoever asks holds the key; who that is, the owner finds out by comparing the fingerprint with the person
by another way. A request waits until its key is in a policy, and never again after that: one who was removed
asks anew.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from provenote.errors import Refused, UsageError
from provenote.registry import names, reading, root
from provenote.registry.fold import Log
from provenote.registry.names import visible
from provenote.registry.reading import Registry
from provenote.registry.signing import Confirm, NoPerson
from provenote.stores import eventfile
from provenote.stores.digest import canonical
from provenote.stores.eventfile import FORMAT, BadEvent
from provenote.stores.keys import Signer, candidates
from provenote.stores.signatures import PublicKey
from provenote.workspace import Workspace

NAMESPACE = "provenote-join@v1"
LARGEST = 4096
"""Bytes of one request with its signature."""
LOOKED_AT = 500
"""Requests that are looked at for the inbox: a flood of them costs no more."""
FEW = 10
"""Of others' requests, how many an error names."""

_PATH = re.compile(r"join/([0-9a-f]{64})")
_FIELDS = frozenset({"v", "nonce", "project", "policy", "person", "name", "email", "at"})


@dataclass(frozen=True, slots=True)
class Join:
    """A request to be let in whose form and signature hold.

    Parameters
    ----------
    id : str
        SHA-256 of its file.
    key : PublicKey
        What signed it.
    person, name, email : str
        Name for the policy, name in full, mail address: what its author says.
    at : int
        When, as it says; seconds since 1970.
    policy : str
        SHA-256 of the policy that was in force.
    """

    id: str
    key: PublicKey
    person: str
    name: str
    email: str
    at: int
    policy: str


def compose(log: Log, person: str, name: str, email: str, at: int) -> bytes:
    """Return the line that a newcomer signs."""
    return canonical({
        "v": FORMAT,
        "nonce": os.urandom(16).hex(),
        "project": log.policy.project,
        "policy": log.policy.id,
        "person": person,
        "name": name,
        "email": email,
        "at": eventfile.timestamp(at),
    })  # fmt: skip


def seal(line: bytes, signer: Signer) -> tuple[str, bytes]:
    """Sign a line and return ``(path, content)`` of its file."""
    path, content = eventfile.seal(line, NAMESPACE, signer)
    return f"join/{eventfile.event_id(path)}", content


def parse(path: str, content: bytes, project: str) -> Join:
    """Read one request.

    Raises
    ------
    BadEvent, BadSignature
        If it is not exactly one, of this project, with a signature that holds.
    """
    found = _PATH.fullmatch(path)
    if not found or len(content) > LARGEST:
        raise BadEvent("no request to be let in")
    body, key = eventfile.opened(found[1], content, NAMESPACE, signed=True)
    texts = ("nonce", "project", "policy", "person", "name", "email", "at")
    eventfile.check_head(body, *texts)
    if set(body) != _FIELDS:
        raise BadEvent("a request with fields that it has not")
    if body["project"] != project:
        raise BadEvent("it belongs to another project")
    if not names.PERSON.fullmatch(body["person"]) or len(body["person"]) > names.LONGEST:
        raise BadEvent("its name is no person's name")
    assert key is not None
    at = eventfile.seconds(body["at"])
    return Join(found[1], key, body["person"], body["name"], body["email"], at, body["policy"])


def waiting(registry: Registry) -> list[Join]:
    """Return the requests of those who were not let in since they asked, oldest first; some of a flood."""
    return open_ones(registry.files, registry.log, LOOKED_AT)


def open_ones(files: Mapping[str, bytes], log: Log, most: int | None = None) -> list[Join]:
    """Return the same from the files of a ledger, looking at ``most`` of them. Pure."""
    place = {policy.id: number for number, policy in enumerate(log.policies)}
    found: dict[bytes, Join] = {}
    paths = [path for path, content in files.items() if _PATH.fullmatch(path) and len(content) <= LARGEST]
    for path in sorted(paths)[:most]:
        try:
            one = parse(path, files[path], log.policy.project)
        except Refused:
            continue
        since = log.policies[place.get(one.policy, 0) :]
        if one.policy not in place or any(policy.person(one.key) for policy in since):
            continue
        last = found.get(one.key.blob)
        if last is None or last.at < one.at:
            found[one.key.blob] = one
    return sorted(found.values(), key=lambda one: (one.at, one.id))


def find(registry: Registry, reference: str, key: str | None) -> Join:
    """Return the request that an owner means.

    Parameters
    ----------
    registry : Registry
    reference : str
        The newcomer's name, as they asked.
    key : str or None
        Fingerprint of their key, as they told it; needed where it is not plain whom the name means.

    Raises
    ------
    UsageError
        If there is none, or more than one.
    """
    everything = open_ones(registry.files, registry.log)  # a flood must not hide the one that is meant
    named = [one for one in everything if one.person == reference]
    found = [one for one in named if key in (None, one.key.fingerprint)]
    if not found:
        others = ", ".join(f"{one.person} ({one.key.fingerprint})" for one in everything[-FEW:]) or "nobody"
        shown = visible(reference) + (f" with the key {visible(key)}" if key else "")
        raise UsageError(
            f"{shown} has not asked to be let in; who has: {others}",
            "They ask by `provenote join`, then both of you `provenote sync`",
        )
    if len(found) > 1:
        listed = ", ".join(one.key.fingerprint for one in found)
        raise UsageError(
            f"{len(found)} keys ask to be {reference}: {listed}",
            f"Ask the person which is theirs: `provenote admit {reference} --key SHA256:...`",
        )
    if key is None and reference in registry.log.policy.people:
        raise UsageError(
            f"{reference} is in the policy, and the key {found[0].key.fingerprint} asks to be theirs too",
            "If the person told you that fingerprint: "
            f"`provenote admit {reference} --key {found[0].key.fingerprint} ...`",
        )
    return found[0]


def join(
    workspace: Workspace,
    person: str,
    name: str,
    email: str,
    *,
    confirm: Confirm | None,
    signers: Iterable[Signer] | None = None,
    given: str | None = None,
) -> Join:
    """Ask to be let in; return the request.

    Parameters
    ----------
    workspace : Workspace
    person, name, email : str
        Name for the policy, name in full, mail address.
    confirm : Confirm or None
        How to ask the person.
    signers : iterable of Signer, optional
        Keys to try; the first one signs.
    given : str, optional
        The root that an owner told; it is pinned with the signature.

    Raises
    ------
    UsageError
        If the name is none, or this key is in the policy already.
    Refused
        If there is no key, no ledger, or no pinned root.
    """
    names.check_person(person)
    if given is not None:
        root.check_new(workspace.top, given)
    registry = reading.read(workspace, given)
    log = registry.log
    tried = list(candidates(workspace.top, workspace.home) if signers is None else signers)
    for one in tried:
        if there := log.policy.person(one.public):
            raise UsageError(
                f"you are in the policy already, as {there.name}", "See: `provenote policy show`"
            )
    if not tried:
        raise Refused("there is no SSH key to sign with here", "Make one: `ssh-keygen -t ed25519`")
    signer = tried[0]
    asked = next((one for one in waiting(registry) if one.key == signer.public), None)
    if asked is not None and asked.person == person:
        raise UsageError(
            f"you have asked already, as {person}", "Share it: `provenote sync`; then an owner admits you"
        )
    line = compose(log, person, name, email, int(time.time()))
    if len(line) > LARGEST - 2400:  # room for the signature of a large RSA key
        raise UsageError("name and mail address are too long to be kept")
    mail = f" <{visible(email)}>" if email else ""
    shown = [
        "You sign exactly this:",
        f"  1. ask to be let in as {person}",
        f"  name    {visible(name)}{mail}",
        f"  root    sha256:{registry.root}",
        f"  key     {signer.label}",
    ]
    if confirm is None:
        raise NoPerson("this takes a signature, and nobody is here to be asked", "Do it in a terminal")
    if confirm("\n".join(shown), person).strip() != person:
        raise UsageError(f"that is not {person!r}, so nothing was signed")
    path, content = seal(line, signer)
    made = parse(path, content, log.policy.project)
    if given is not None:
        root.pin(workspace.top, registry.root)
    registry.ledger.append({path: content}, f"{person} asks to be let in")
    return made
