"""What a clone remembers between two exchanges: outside the work tree, and outside the disposable index.

- ``<home>/sync.json``: the runs' refs it had, and what is gone and was dropped here for that. From the first
  it sees what the user removed or renamed since.
- ``<home>/remotes/<name>.json``: what the remote was last seen to hold. From it `pushed` answers without the
  network.

Losing them loses no run: a removal that was not told yet is forgotten, and the run comes back.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provenote.errors import WorldError
from provenote.model import SCHEMA
from provenote.sharing.plan import Element
from provenote.stores import archives, runs
from provenote.stores.disk import writing
from provenote.workspace import Workspace

WAIT = 600
"""Seconds that an exchange waits for another one of the same clone."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What this clone had at its last exchange.

    Parameters
    ----------
    refs : mapping of str to str
        Commit by ref of every run.
    obeyed : frozenset of (ref, commit)
        What is gone and is not here any more.
    """

    refs: Mapping[str, str] = field(default_factory=dict)
    obeyed: frozenset[Element] = frozenset()


@dataclass(frozen=True, slots=True)
class Seen:
    """A remote as it was last seen.

    Parameters
    ----------
    name : str
        How it is called here.
    url : str
        Its address, without a password.
    at : float
        When; seconds since 1970.
    refs : mapping of str to str
        Runs, annotations and our branches: object by ref.
    """

    name: str
    url: str
    at: float
    refs: Mapping[str, str] = field(default_factory=dict)


def load(workspace: Workspace) -> Memory:
    """Return what this clone had at its last exchange; nothing, if it never had one."""
    found = _read(workspace.home / "sync.json")
    try:
        obeyed = frozenset((ref, commit) for ref, commit in found.get("obeyed", []))
        return Memory(_refs(found), obeyed)
    except (TypeError, ValueError):
        return Memory()


def save(workspace: Workspace, memory: Memory) -> None:
    """Keep it, whole or not at all.

    Raises
    ------
    WorldError
        If it cannot be written.
    """
    obeyed = [list(pair) for pair in sorted(memory.obeyed)]
    _write(workspace.home / "sync.json", {"schema": SCHEMA, "refs": dict(memory.refs), "obeyed": obeyed})


def seen(workspace: Workspace, slug: str) -> Seen | None:
    """Return a remote as it was last seen, or None."""
    found = _read(_file(workspace, slug))
    name, url, at = found.get("name"), found.get("url"), found.get("at")
    if not isinstance(name, str) or not isinstance(url, str) or not isinstance(at, (int, float)):
        return None
    return Seen(name, url, at, _refs(found))


def remember(workspace: Workspace, slug: str, name: str, url: str, refs: Mapping[str, str]) -> None:
    """Keep what a remote holds now."""
    document = {"schema": SCHEMA, "name": name, "url": url, "at": time.time(), "refs": dict(refs)}
    _write(_file(workspace, slug), document)


def remotes(workspace: Workspace) -> list[Seen]:
    """Return every remote that this clone exchanged with, by name."""
    files = (workspace.home / "remotes").glob("*.json")
    found = [each for file in files if (each := seen(workspace, file.stem)) is not None]
    return sorted(found, key=lambda each: each.name)


def pushed(workspace: Workspace) -> dict[str, list[str]]:
    """Return on which remotes each run is, as far as this clone has seen: names by commit."""
    where: dict[str, set[str]] = defaultdict(set)
    for remote in remotes(workspace):
        for commit in commits(workspace, remote):
            where[commit].add(remote.name)
    return {commit: sorted(names) for commit, names in where.items()}


def commits(workspace: Workspace, remote: Seen) -> set[str]:
    """Return the commits of the runs that a remote was last seen to hold, those in archives among them.

    What is in an archive that this clone has not fetched is not known.
    """
    found = {commit for ref, commit in remote.refs.items() if ref.startswith(f"{runs.REFS}/")}
    oids = [oid for ref, oid in remote.refs.items() if ref.startswith(f"{archives.REF}/")]
    for members in archives.read(workspace.top, oids).values() if oids else ():
        found |= {commit for _, commit in members}
    return found


def slug(name: str) -> str:
    """Return a remote's name as a file's name and a part of a ref; an address becomes its hash."""
    if (
        re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,80}", name)
        and not name.endswith((".", ".lock"))
        and ".." not in name
    ):
        return name
    return "url-" + hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:12]


@contextmanager
def alone(workspace: Workspace) -> Iterator[None]:
    """Let one exchange at a time run in a clone; the lock goes with the process that holds it.

    Raises
    ------
    WorldError
        If another one takes too long, or the repository cannot be written.
    """
    path = workspace.home / "sync.lock"
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        deadline = time.monotonic() + WAIT
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise WorldError(
                        "another sync of this repository has been running for long", "Wait for it"
                    ) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


def _file(workspace: Workspace, slug: str) -> Path:
    return workspace.home / "remotes" / f"{slug}.json"


def _refs(found: Mapping[str, Any]) -> dict[str, str]:
    refs = found.get("refs")
    if not isinstance(refs, dict):
        return {}
    return {ref: commit for ref, commit in refs.items() if isinstance(commit, str)}


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, document: Mapping[str, Any]) -> None:
    text = json.dumps(document, indent=0, sort_keys=True, ensure_ascii=True)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.{os.getpid()}.new")
        with open(new, "w", encoding="ascii") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(new, path)
