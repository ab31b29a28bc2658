"""Annotations in Git: event files in the tree of ``refs/provenote/notes``, where any two clones unite.

- A file's name is the hash of its content, so a union of two trees is the whole merge; a file that vanished
  elsewhere comes back, one that was changed is overlooked by who reads it.
- The ref moves only if nobody moved it meanwhile; else the writer looks again, after a random while.
- The commits' order and authors mean nothing: the events name what their authors had seen.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from provenote.errors import WorldError
from provenote.git import command, objects
from provenote.stores import annotation
from provenote.stores.digest import sha256_bytes

REF = "refs/provenote/notes"
TRIES = 60
WRITER = ("provenote", "provenote@localhost")
_ATTRIBUTES = {".gitattributes": b"* -text\n"}  # no platform may touch bytes that are named by their hash


@dataclass(frozen=True, slots=True)
class Union:
    """What uniting two clones' annotations did.

    Parameters
    ----------
    commit : str
        Where the ref is now.
    received, ahead : int
        Events that only the other had, and that only we have.
    """

    commit: str
    received: int
    ahead: int


def tip(folder: Path) -> str | None:
    """Return the commit that holds the annotations, or None when there are none."""
    return command.resolve(folder, REF)


def paths(folder: Path, commit: str | None) -> dict[str, str]:
    """Return ``{path: object id}`` of the plain files of a commit."""
    found: dict[str, str] = {}
    if commit is None:
        return found
    for entry in command.git(folder, "ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0"):
        meta, _, path = entry.partition(b"\t")
        if path and meta.startswith(b"100"):
            found[path.decode("utf-8", "surrogateescape")] = meta.split()[2].decode()
    return found


def ids(folder: Path, commit: str | None) -> dict[str, str]:
    """Return ``{event id: object id}`` of the events of a commit."""
    found = ((annotation.event_id(path), oid) for path, oid in paths(folder, commit).items())
    return {name: oid for name, oid in found if name}


def add(common_dir: Path, files: Mapping[str, bytes], message: str) -> str:
    """Add event files and return the new commit; nothing that is there changes.

    Parameters
    ----------
    common_dir : Path
        The repository's common Git folder.
    files : mapping of str to bytes
        By path, as `annotation.seal` gives them.
    message : str
        One line for people who read ``git log``.

    Raises
    ------
    WorldError
        If the repository cannot be written, or others keep writing all the time.
    """
    for attempt in range(TRIES):
        old = tip(common_dir)
        new = _commit(common_dir, [old] if old else [], {**({} if old else _ATTRIBUTES), **files}, message)
        if _move(common_dir, new, old):
            return new
        _pause(attempt)
    raise WorldError("the annotations are being written all the time", "Try again: nothing is lost")


def unite(common_dir: Path, other: str) -> Union:
    """Take in all that the commit ``other`` holds.

    Raises
    ------
    WorldError
        If the repository cannot be written, or others keep writing all the time.
    """
    theirs = paths(common_dir, other)
    for attempt in range(TRIES):
        old = tip(common_dir)
        ours = paths(common_dir, old)
        taken = _taken(common_dir, ours, theirs)
        received, ahead = _events(set(taken) - set(ours)), _events(set(ours) - set(theirs))
        if old and (old == other or (not taken and _holds(common_dir, other, old))):
            return Union(old, received, ahead)
        if old is None or all(theirs.get(path) == oid for path, oid in ours.items()):
            new = other
        else:
            changes: dict[str, objects.Change] = {path: (oid, objects.FILE) for path, oid in taken.items()}
            new = _commit(common_dir, [old, other], changes, "unite two clones")
        if _move(common_dir, new, old):
            return Union(new, received, ahead)
        _pause(attempt)
    raise WorldError("the annotations are being written all the time", "Try again: nothing is lost")


def _events(found: Iterable[str]) -> int:
    return sum(annotation.event_id(path) is not None for path in found)


def _taken(common_dir: Path, ours: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, str]:
    """Return what to take of their files: all that we lack, and of two contents under one path the right one.

    That is the one which the name is the hash of; of two files that are no events the one with the smaller
    object id, so that any clone chooses the same. What would stand in the place of a folder is left.
    """
    folders = {path[:end] for path in ours for end in range(len(path)) if path[end] == "/"}
    taken = {}
    for path, oid in theirs.items():
        mine = ours.get(path)
        blocked = path in folders or any(path[:end] in ours for end in range(len(path)) if path[end] == "/")
        if mine == oid or blocked:
            continue
        if mine is None or _rightful(common_dir, path, sorted((mine, oid))) == oid:
            taken[path] = oid
    return taken


def _rightful(common_dir: Path, path: str, oids: list[str]) -> str:
    name = annotation.event_id(path)
    if name is not None:
        for oid, content in zip(oids, command.blobs(common_dir, oids), strict=True):
            if content is not None and sha256_bytes(content) == name:
                return oid
    return oids[0]


def _commit(common_dir: Path, parents: list[str], changes: Mapping[str, objects.Change], message: str) -> str:
    try:
        base = objects.tree_of(common_dir, parents[0]) if parents else None
        tree = objects.build(common_dir, base, changes)
        return objects.commit(common_dir, tree, parents, " ".join(message.split()), WRITER)
    except OSError as error:
        why = error.strerror or error
        mend = "Mend that, then try again: what was there is whole"
        raise WorldError(f"the annotation cannot be kept, Git cannot write: {why}", mend) from error


def _holds(common_dir: Path, commit: str, of: str) -> bool:
    return command.run(common_dir, "merge-base", "--is-ancestor", commit, of).returncode == 0


def _move(common_dir: Path, new: str, old: str | None) -> bool:
    """Move the ref from ``old`` to ``new``; False when it is not at ``old`` any more."""
    answer = command.run(common_dir, "update-ref", REF, new, old or command.ZERO)
    if answer.returncode == 0:
        return True
    said = answer.stderr
    if any(word in said for word in (b"but expected", b"lock", b"already exists", b"unable to resolve")):
        if b"Permission denied" in said:
            raise command.failure(["update-ref", REF], said)
        return False
    raise command.failure(["update-ref", REF], said)


def _pause(attempt: int) -> None:
    """Wait a random while, longer with each try, so that writers who met once part."""
    time.sleep(random.uniform(0, 0.01 * 2 ** min(attempt, 5)))
