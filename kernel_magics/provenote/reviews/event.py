"""One signed event of a review: how it is written, and how one file becomes an `Event` or is refused. Pure.

A file has the form of the ledger's events (`provenote.stores.eventfile`): one canonical JSON line, an SSH
signature behind it, the SHA-256 of both as its name. A vote repeats the whole version that it is about: path,
commit, Git's id and SHA-256 of the notebook; it counts for nothing else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provenote.registry.names import LONGEST, PERSON
from provenote.reviews.threads import Version
from provenote.stores import eventfile
from provenote.stores.digest import canonical
from provenote.stores.eventfile import FORMAT, HEX, BadEvent
from provenote.stores.eventfile import event_id as event_id
from provenote.stores.eventfile import timestamp as timestamp

if TYPE_CHECKING:
    from provenote.stores.keys import Signer
    from provenote.stores.signatures import PublicKey

NAMESPACE = "provenote-review@v1"

DECISIONS = ("approve", "request-changes")
TEXT, TITLE, SOURCE, PATH, GIST, HEADS = 8_000, 200, 30_000, 1_000, 1_500, 500
"""Longest text of a comment, title, suggested source, path and text of an anchor, in characters; most
predecessors."""

_OID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ANCHOR: Mapping[str, type] = {
    **{"cell": str, "type": str, "target": str, "index": int, "sha": str, "gist": str, "line": int},
    **{"quote": str, "before": list, "after": list, "unique": bool, "output": int, "digest": str},
}
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Event:
    """A file of the branch whose form and signature hold; whether it counts is `fold`'s matter.

    Parameters
    ----------
    id : str
        SHA-256 of the file.
    key : PublicKey
        What signed it.
    type : str
        As ``comment`` or ``vote``, or one of a later release, which means nothing here.
    by : str
        The person, as the event says.
    at : int
        When, as the event says; seconds since 1970.
    project : str
        Id of the governed project, empty where there is none.
    review : str
        Id of the event that started the review.
    prev : tuple of str
        The events that its author had seen and nobody had built on.
    version : Version or None
        The version that it is about.
    body : mapping
        Everything it says.
    """

    id: str
    key: PublicKey
    type: str
    by: str
    at: int
    project: str
    review: str
    prev: tuple[str, ...]
    version: Version | None
    body: Mapping[str, Any]

    def text(self, name: str) -> str:
        """Return a text of the body, ``""`` if there is none."""
        value = self.body.get(name)
        return value if isinstance(value, str) else ""


def compose(by: str, at: int, project: str, prev: Iterable[str], **body: Any) -> bytes:
    """Return the canonical line of a new event; a random nonce makes it unlike any other."""
    line: dict[str, Any] = {
        "v": FORMAT,
        "nonce": os.urandom(16).hex(),
        "project": project,
        "by": by,
        "at": timestamp(at),
        "prev": sorted(set(prev)),
        **{name: _plain(value) for name, value in body.items() if value is not None},
    }
    return canonical(line)


def seal(line: bytes, signer: Signer) -> tuple[str, bytes]:
    """Sign a line and return ``(path, content)`` of its file.

    Raises
    ------
    BadEvent
        If readers would refuse it, as for a text that is too long.
    """
    path, content = eventfile.seal(line, NAMESPACE, signer)
    parse(str(event_id(path)), content)
    return path, content


def parse(name: str, content: bytes) -> Event:
    """Read one event file.

    Raises
    ------
    BadEvent, BadSignature
        If it is not exactly an event with a signature that holds.
    """
    body, key = eventfile.opened(name, content, NAMESPACE, signed=True)
    assert key is not None
    eventfile.check_head(body, "nonce", "project", "type", "by", "at")
    if not PERSON.fullmatch(body["by"]) or len(body["by"]) > LONGEST:  # lower-case ASCII: no look-alikes
        raise BadEvent(f"{ascii(body['by'][:60])} is no person's name")
    prev, kind = body.get("prev"), body["type"]
    if not isinstance(prev, list) or not all(_is_id(item) for item in prev) or prev != sorted(set(prev)):
        raise BadEvent("'prev' is no sorted list of event ids")
    if len(prev) > HEADS:
        raise BadEvent(f"it names more than {HEADS} predecessors")
    review = name if kind == "review" else body.get("review")
    if not _is_id(review):
        raise BadEvent(f"a {ascii(kind[:20])} without its review")
    version = _version(body["version"]) if "version" in body else None
    if kind in ("review", "update", "vote") and version is None:
        raise BadEvent(f"a {kind} without the version that it is about")
    _check(kind, body)
    at = eventfile.seconds(body["at"])
    return Event(name, key, kind, body["by"], at, body["project"], str(review), tuple(prev), version, body)


def check_path(path: object) -> str:
    """Return the path of a notebook if it is a plain one below the Git root.

    Raises
    ------
    BadEvent
        If it is absolute, leaves the root, enters ``.git``, or is no ``.ipynb``.
    """
    if not isinstance(path, str) or len(path) > PATH:
        raise BadEvent("a path is no text, or too long")
    parts = path.split("/")
    odd = any(ord(character) < 32 or character in "\\:\x7f" for character in path)
    outside = any(part in ("", ".", "..") or part.casefold().rstrip(". ") == ".git" for part in parts)
    if odd or outside or not path.endswith(".ipynb") or _NO_TEXT.search(path):
        raise BadEvent(f"{ascii(path[:80])} is no plain path of a notebook below the Git root")
    return path


def _is_id(value: object) -> bool:
    return isinstance(value, str) and HEX.fullmatch(value) is not None


def _plain(value: Any) -> Any:
    if isinstance(value, Version):
        found = {name: getattr(value, name) for name in ("path", "commit", "blob", "sha256", "label")}
        return {**found, **({"run": value.run} if value.run else {})}
    return value


def _version(value: object) -> Version:
    if not isinstance(value, dict) or not _texts(value, "path", "commit", "blob", "sha256", "label"):
        raise BadEvent("a version lacks a field")
    if not (_OID.fullmatch(value["commit"]) and _OID.fullmatch(value["blob"]) and _is_id(value["sha256"])):
        raise BadEvent("a version names no commit, or no hash")
    run = value.get("run")
    if not (run is None or (isinstance(run, str) and len(run) <= TITLE)) or len(value["label"]) > TITLE:
        raise BadEvent("a version's run or label is no short text")
    path = check_path(value["path"])
    return Version(path, value["commit"], value["blob"], value["sha256"], run, value["label"])


def base_of(item: Event) -> Version | None:
    """Return what the notebook of a review or update is compared with."""
    return _version(item.body["base"]) if item.body.get("base") is not None else None


def _texts(body: Mapping[str, Any], *names: str) -> bool:
    return all(isinstance(body.get(name), str) for name in names)


def _check(kind: str, body: Mapping[str, Any]) -> None:
    """Refuse an event whose own fields have not their form."""
    good = True
    if kind == "review":
        good = _texts(body, "title") and len(body["title"]) <= TITLE
        check_path(body.get("path"))
    if kind in ("review", "update") and body.get("base") is not None:
        _version(body["base"])
    if kind in ("comment", "suggestion"):
        good = ("thread" in body) != ("anchor" in body)
        good = good and (_is_id(body["thread"]) if "thread" in body else _is_anchor(body["anchor"]))
    if kind in ("comment", "edit"):
        good = good and _is_text(body.get("text"))
    if kind == "suggestion":
        good = good and _texts(body, "cell", "source") and _is_id(body.get("old"))
        good = good and len(body["source"]) <= SOURCE and len(body["cell"]) <= TITLE
        good = good and ("text" not in body or _is_text(body["text"]))
    if kind in ("resolve", "unresolve"):
        good = _is_id(body.get("thread"))
    if kind in ("edit", "delete"):
        good = good and _is_id(body.get("target"))
    if kind == "vote":
        good = body.get("decision") in DECISIONS and ("why" not in body or _is_text(body["why"]))
    if not good:
        raise BadEvent(f"a field of the {ascii(kind[:20])} has not its form")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= TEXT


def _is_anchor(value: object) -> bool:
    """Whether a map has the form of an anchor; an empty one stands for the whole notebook."""
    if not isinstance(value, dict):
        return False
    if not value:
        return True
    for name, item in value.items():
        wanted = _ANCHOR.get(name)
        if wanted is None or not isinstance(item, wanted) or (wanted is int and isinstance(item, bool)):
            return False
    around = [*value.get("before", ()), *value.get("after", ())]
    if len(around) > 8 or not all(isinstance(line, str) for line in around):
        return False
    if any(len(text) > GIST for text in (*value.values(), *around) if isinstance(text, str)):
        return False  # finding the likest cell takes time with the square of it
    if any(value.get(name, 0) < 0 for name in ("index", "line", "output")):
        return False
    whole = {"cell", "type", "target", "index", "sha", "gist"} <= value.keys()
    return whole and value["target"] in ("source", "output")
