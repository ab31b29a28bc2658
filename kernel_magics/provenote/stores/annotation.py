"""One thing said about runs that ended: how it is written, and how one file becomes an `Annotation`. Pure.

An event is one canonical JSON line, signed where a policy asks for it; its file is named by its SHA-256. It
is about one or more runs (star, tag, note, archive, pin, reproduced) or about a run's ref (removed, renamed,
revived), and names the events that its author had seen and nobody had built on. What all of them together
say is the matter of `provenote.stores.marks`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from provenote.stores import eventfile
from provenote.stores.digest import canonical
from provenote.stores.eventfile import FORMAT, HEX, BadEvent
from provenote.stores.eventfile import event_id as event_id

if TYPE_CHECKING:
    from provenote.stores.keys import Signer

NAMESPACE = "provenote-note@v1"

Word = Literal["star", "unstar", "archive", "unarchive", "pin", "unpin", "tag", "untag", "note"]
SAID: tuple[Word, ...] = get_args(Word)
"""What a person says about runs, and can take back."""

GONE = ("removed", "renamed", "revived")
"""Events about the ref of a run, or about an archive: a run left it (``removed``), or all of them did."""

VERDICTS = ("identical", "within tolerance", "different")

_RUN = re.compile(r"[0-9A-Za-z_-]{1,64}")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REF = re.compile(
    r"refs/exps/[0-9a-f]{2}/[0-9a-f]{38,62}/[^/\x00-\x20]+|refs/provenote/archive/[^/\x00-\x20]+"
)

Element = tuple[str, str]
"""A ref and the commit it pointed to: what is gone is gone as this pair."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """One event whose form (and signature, if it has one) holds.

    Parameters
    ----------
    id : str
        SHA-256 of its file.
    type : str
        What is said: one of `SAID`, `GONE`, ``reproduced``, ``undo``, or a word of a later release, which
        means nothing here.
    by : str
        Who says it: ``Name <mail>``.
    at : int
        When, by its author's clock; seconds since 1970.
    prev : tuple of str
        Events that its author had seen and nobody had built on.
    runs : tuple of str
        Ids of the runs it is about.
    body : mapping
        Everything it says.
    key : str or None
        Fingerprint of the key that signed it.
    """

    id: str
    type: str
    by: str
    at: int
    prev: tuple[str, ...]
    runs: tuple[str, ...]
    body: Mapping[str, Any]
    key: str | None = None

    @property
    def person(self) -> str:
        """Who said it, as one and the same person in two clones: the mail address, else the name."""
        return person(self.by)

    @property
    def act(self) -> str:
        """What was said in one go about many runs has one value here."""
        return str(self.body["nonce"])


def person(by: str) -> str:
    """Return the mail address in ``Name <mail>``, lower-case; the whole text where there is none."""
    found = re.search(r"<([^<>]+)>\s*$", by)
    return (found[1] if found else by).strip().lower()


def compose(
    type: str,
    by: str,
    at: int,
    prev: Iterable[str],
    runs: Iterable[str] = (),
    *,
    nonce: str | None = None,
    **body: Any,
) -> bytes:
    """Return the canonical line of a new event.

    Parameters
    ----------
    type, by, at, prev, runs
        As in `Annotation`.
    nonce : str, optional
        The same for several events that belong to one act; by default random, so that no two are alike.
    **body
        What else it says; None is left out.
    """
    said = {name: value for name, value in body.items() if value is not None}
    at_text = eventfile.timestamp(at)
    nonce = nonce or secrets.token_hex(8)
    head = {"v": FORMAT, "nonce": nonce, "type": type, "by": by, "at": at_text, "prev": sorted(set(prev))}
    return canonical({**head, "runs": sorted(set(runs)), **said})


def seal(line: bytes, signer: Signer | None = None) -> tuple[str, bytes]:
    """Return ``(path, content)`` of an event's file, signed if there is a signer."""
    return eventfile.seal(line, NAMESPACE, signer)


def parse(name: str, content: bytes) -> Annotation:
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
        If it is not exactly an event, or its signature does not hold.
    """
    body, key = eventfile.opened(name, content, NAMESPACE, signed=False)
    return read(name, body, key.fingerprint if key else None)


def read(name: str, body: dict[str, Any], key: str | None = None) -> Annotation:
    """Make an `Annotation` of what an event says.

    Raises
    ------
    BadEvent
        If a field is missing or has not its form.
    """
    eventfile.check_head(body, "nonce", "type", "by", "at")
    _texts(body, "prev", HEX)
    _texts(body, "runs", _RUN)
    kind = body["type"]
    if kind in ("tag", "untag"):
        _texts(body, "tags", None)
    elif kind == "undo":
        _texts(body, "targets", HEX)
    good = True
    if kind == "note":
        good = isinstance(body.get("text"), str)
    elif kind == "reproduced":
        good = body.get("verdict") in VERDICTS
    elif kind in GONE:
        good = _is(body, "ref", _REF) and _is(body, "commit", _COMMIT)
        good = good and (kind != "renamed" or _is(body, "to", _REF))
    if not good:
        raise BadEvent(f"a field of the {kind} has not its form")
    prev, runs = tuple(body["prev"]), tuple(body["runs"])
    return Annotation(name, kind, body["by"], eventfile.seconds(body["at"]), prev, runs, body, key)


def _texts(body: Mapping[str, Any], name: str, form: re.Pattern[str] | None) -> None:
    value = body.get(name)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadEvent(f"{name!r} is no list of texts")
    if form is not None and (value != sorted(set(value)) or not all(form.fullmatch(item) for item in value)):
        raise BadEvent(f"{name!r} is not sorted, or names something that it cannot")


def _is(body: Mapping[str, Any], name: str, form: re.Pattern[str]) -> bool:
    value = body.get(name)
    return isinstance(value, str) and form.fullmatch(value) is not None
