"""One signed event of the ledger: how it is written, and how one file becomes an `Event` or is refused. Pure.

A file is one canonical JSON line followed by an SSH signature of that line; its name is the SHA-256 of the
whole file. Both parts have exactly one form, so nobody can make a second event out of another's. Every vote,
check and release repeats the whole subject and the stage: it counts for nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provenote.registry import names
from provenote.registry.subject import Subject
from provenote.stores import eventfile
from provenote.stores.digest import canonical, sha256_bytes
from provenote.stores.eventfile import FORMAT, HEX, BadEvent
from provenote.stores.eventfile import event_id as event_id
from provenote.stores.eventfile import seconds as seconds
from provenote.stores.eventfile import timestamp as timestamp
from provenote.stores.signatures import PublicKey

if TYPE_CHECKING:
    from provenote.stores.keys import Signer

NAMESPACE = "provenote-event@v1"

TYPES = ("request", "vote", "comment", "check", "withdraw", "release", "recall", "checkpoint")
ABOUT_A_PROMOTION = ("vote", "comment", "check", "withdraw", "release")
WITH_REVIEWS = ("request", "vote", "release")
"""Types of events that may name the heads of notebook reviews which they rest on."""
MOST_REVIEWS = 500
WITH_SUBJECT = ("request", "vote", "check", "release", "recall")


@dataclass(frozen=True, slots=True)
class Event:
    """A file of the ledger whose form and signature hold; whether it counts is `fold`'s matter.

    Parameters
    ----------
    id : str
        SHA-256 of the file.
    key : PublicKey
        What signed it.
    type : str
        One of `TYPES`, or one of a later release, which means nothing here.
    by : str
        The person, as the event says.
    at : int
        When, as the event says; seconds since 1970.
    project, policy : str
        The project, and the SHA-256 of the policy that its author went by.
    prev : tuple of str
        The events that its author had seen and nobody had built on.
    promotion : str or None
        The request that it is about.
    subject : Subject or None
    stage : str or None
    body : mapping
        Everything it says.
    """

    id: str
    key: PublicKey
    type: str
    by: str
    at: int
    project: str
    policy: str
    prev: tuple[str, ...]
    promotion: str | None
    subject: Subject | None
    stage: str | None
    body: Mapping[str, Any]

    def text(self, name: str) -> str:
        """Return a text of the body, ``""`` if there is none."""
        value = self.body.get(name)
        return value if isinstance(value, str) else ""

    @property
    def why(self) -> str:
        """The reason that its author gave."""
        return self.text("why")


def compose(by: str, at: int, project: str, policy: str, prev: list[str], **body: Any) -> bytes:
    """Return the canonical line of a new event; a random nonce makes it unlike any other."""
    subject = body.pop("subject", None)
    line: dict[str, Any] = {
        "v": FORMAT,
        "nonce": os.urandom(16).hex(),
        "project": project,
        "by": by,
        "at": timestamp(at),
        "policy": policy,
        "prev": sorted(prev),
        **{name: value for name, value in body.items() if value is not None},
    }
    if subject is not None:
        line["subject"] = subject.to_json()
    return canonical(line)


def seal(line: bytes, signer: Signer) -> tuple[str, bytes]:
    """Sign a line and return ``(path, content)`` of its file."""
    return eventfile.seal(line, NAMESPACE, signer)


def draft(line: bytes, key: PublicKey) -> Event:
    """Return the event that a line would become if ``key`` signed it: to see what it would do."""
    return _event(sha256_bytes(line), key, eventfile.parsed(line))


def parse(name: str, content: bytes) -> Event:
    """Read one event file.

    Parameters
    ----------
    name : str
        The id that its path claims.
    content : bytes
        The file.

    Raises
    ------
    BadEvent, BadSignature
        If it is not exactly an event with a signature that holds.
    """
    body, key = eventfile.opened(name, content, NAMESPACE, signed=True)
    assert key is not None
    return _event(name, key, body)


def _event(name: str, key: PublicKey, body: dict[str, Any]) -> Event:
    eventfile.check_head(body, "nonce", "project", "type", "by", "at", "policy")
    prev = body.get("prev")
    if not isinstance(prev, list) or not all(isinstance(item, str) and HEX.fullmatch(item) for item in prev):
        raise BadEvent("'prev' is no list of event ids")
    if prev != sorted(set(prev)):
        raise BadEvent("'prev' is not sorted")
    kind = body["type"]
    promotion, stage = body.get("promotion"), body.get("stage")
    subject = Subject.from_json(body["subject"]) if body.get("subject") is not None else None
    if promotion is not None and not (isinstance(promotion, str) and HEX.fullmatch(promotion)):
        raise BadEvent("'promotion' is no event id")
    if stage is not None and not (isinstance(stage, str) and names.STAGE.fullmatch(stage)):
        raise BadEvent("'stage' is no stage")
    if kind in ABOUT_A_PROMOTION and promotion is None:
        raise BadEvent(f"a {kind} without its promotion")
    if kind in WITH_SUBJECT and (subject is None or stage is None):
        raise BadEvent(f"a {kind} without its subject and stage")
    _check(kind, body)
    return Event(
        name,
        key,
        kind,
        body["by"],
        seconds(body["at"]),
        body["project"],
        body["policy"],
        tuple(prev),
        promotion,
        subject,
        stage,
        body,
    )


def _check(kind: str, body: Mapping[str, Any]) -> None:
    """Refuse an event whose own fields have not their form."""

    def texts(name: str) -> bool:
        value = body.get(name)
        return isinstance(value, list) and all(isinstance(item, str) for item in value)

    good = True
    if kind == "request":
        good = isinstance(body.get("why"), str) and texts("authors")
    elif kind == "vote":
        good = body.get("decision") in ("approve", "reject")
    elif kind == "comment":
        good = isinstance(body.get("text"), str)
    elif kind == "check":
        good = isinstance(body.get("name"), str) and body.get("status") in ("pass", "fail")
    elif kind == "release":
        seq = body.get("seq")
        good = isinstance(seq, int) and not isinstance(seq, bool) and seq > 0 and texts("supersedes")
        good = good and all(body.get(name, True) is True for name in ("rollback", "override"))
    elif kind == "recall":
        good = isinstance(body.get("target"), str) and isinstance(body.get("why"), str)
    if kind in WITH_REVIEWS and "reviews" in body:
        names = body["reviews"]
        good = good and texts("reviews") and names == sorted(set(names)) and len(names) <= MOST_REVIEWS
        good = good and all(HEX.fullmatch(name) for name in names)
    if not good:
        raise BadEvent(f"a field of the {kind} has not its form")
