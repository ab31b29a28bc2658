"""What differs between two versions: rows of tables, files of folders, bytes of anything else."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from provenote.data import history, tables, tracked, travel
from provenote.data.tablediff import TableDifference, compare
from provenote.errors import UsageError
from provenote.events import Progress, Tell, silent
from provenote.stores import cache, remotes
from provenote.stores.disk import shown
from provenote.stores.pointers import Stored
from provenote.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: its name for people, its path from the DVC root, what it holds.

    ``commit`` is the commit that names it; ``working`` says that it is the work tree's.
    """

    label: str
    path: str
    stored: Stored
    commit: str | None = None
    working: bool = False


@dataclass(frozen=True, slots=True)
class FolderDifference:
    """Files that are only in the new, only in the old, in both with other bytes, or under another name."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    moved: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """How two versions differ.

    Parameters
    ----------
    kind : {'same', 'table', 'folder', 'file'}
        What was compared; ``same`` where the bytes are equal.
    old, new : Side
    table : TableDifference or None
    folder : FolderDifference or None
    note : str
        Why a table was compared as a mere file.
    """

    kind: Literal["same", "table", "folder", "file"]
    old: Side
    new: Side
    table: TableDifference | None = None
    folder: FolderDifference | None = None
    note: str = ""


def diff(old: str, new: str | None = None, *, key: Sequence[str] = (), tell: Tell = silent) -> Difference:
    """Compare two versions of data.

    Parameters
    ----------
    old : str
        ``PATH@REV``; a path alone means its version at HEAD when ``new`` is not given.
    new : str, optional
        ``PATH@REV``, a revision of the same path, or another path; default: the work tree as it is.
    key : sequence of str
        Columns that name a row of a table; found if not given.
    tell : Tell
        Where progress goes.

    Raises
    ------
    UsageError
        If a version does not exist, a file is compared with a folder, or the key is none.
    WorldError
        If bytes are neither here nor on the remote.
    """
    path, rev = history.split(old)
    workspace, inside = tracked.locate(path)
    if new is None:
        before = _version(workspace, inside, rev) if rev else _last(workspace, inside)
        after = _working(workspace, inside, tell)
    else:
        other, other_rev = history.split(new)
        named = other_rev is not None or os.path.lexists(other) or os.path.exists(other + tracked.SUFFIX)
        where = tracked.locate(other)[1] if named and other else inside
        before = _version(workspace, inside, rev) if rev else _working(workspace, inside, tell)
        if named:
            after = _version(workspace, where, other_rev) if other_rev else _working(workspace, where, tell)
        else:
            after = _version(workspace, inside, new)
    if before.stored.md5 == after.stored.md5:
        return Difference("same", before, after)
    if (before.stored.nfiles is None) != (after.stored.nfiles is None):
        what = f"{before.label} and {after.label} cannot be compared: one is a folder"
        raise UsageError(what, "Name two files, or two folders")
    if before.stored.nfiles is not None:
        return Difference("folder", before, after, folder=_folders(workspace, before, after, tell))
    return _files(workspace, before, after, key, tell)


def folder_difference(old: dict[str, str], new: dict[str, str]) -> FolderDifference:
    """Compare two lists of files, each ``{path: MD5}``; a file with the same bytes elsewhere has moved."""
    added = [path for path in new if path not in old]
    removed = [path for path in old if path not in new]
    by_md5: dict[str, list[str]] = {}
    for path in sorted(removed):
        by_md5.setdefault(old[path], []).append(path)
    moved = []
    for path in sorted(added):
        if by_md5.get(new[path]):
            moved.append((by_md5[new[path]].pop(0), path))
    gone, come = {one for one, _ in moved}, {other for _, other in moved}
    return FolderDifference(
        tuple(sorted(set(added) - come)),
        tuple(sorted(set(removed) - gone)),
        tuple(sorted(path for path in new if path in old and new[path] != old[path])),
        tuple(moved),
    )


def _version(workspace: Workspace, inside: str, rev: str) -> Side:
    found = history.version(workspace, inside, rev)
    return Side(f"{shown(inside)}@{rev}", inside, found.stored, found.commit)


def _last(workspace: Workspace, inside: str) -> Side:
    """Return the version at HEAD, or the pointer's where HEAD has none yet."""
    try:
        return _version(workspace, inside, "HEAD")
    except UsageError:
        found = travel.wanted(workspace, inside, None)
        return Side(f"{shown(inside)} as added", inside, found.stored)


def _working(workspace: Workspace, inside: str, tell: Tell) -> Side:
    if not os.path.lexists(workspace.dvc_root / inside):
        found = travel.wanted(workspace, inside, None)
        return Side(f"{shown(inside)} as added", inside, found.stored)
    stored = travel.measure(workspace, inside, tell)
    return Side(f"{shown(inside)} now", inside, stored, working=True)


def _bytes(workspace: Workspace, side: Side, tell: Tell) -> Path:
    """Return a file that holds a side's bytes."""
    if side.working:
        return workspace.dvc_root / side.path
    remotes.require(workspace, side.stored.md5, tell)
    found = cache.locate(workspace.cache_dir, side.stored.md5)
    assert found is not None
    return found


def _folders(workspace: Workspace, old: Side, new: Side, tell: Tell) -> FolderDifference:
    lists = []
    for side in (old, new):
        if side.working:
            lists.append({name: md5 for name, md5, _ in travel.files(workspace, side.path, tell)})
            continue
        if cache.locate(workspace.cache_dir, side.stored.md5) is None:
            remotes.pull(workspace, [side.stored.md5], tell=tell)
        lists.append({entry.path: entry.md5 for entry in cache.entries(workspace.cache_dir, side.stored.md5)})
    return folder_difference(*lists)


def _files(workspace: Workspace, old: Side, new: Side, key: Sequence[str], tell: Tell) -> Difference:
    if not (tables.kind(old.path) and tables.kind(new.path)):
        if key:
            raise UsageError(f"{old.label} is no table, so it has no key", "Leave --key away")
        return Difference("file", old, new)
    label = f"compare {old.label} and {new.label}"
    tell(Progress(label))
    try:
        sources = [tables.Source(_bytes(workspace, side, tell), side.path) for side in (old, new)]
        found = compare(sources[0], sources[1], key)
    except tables.NotReadable as error:
        tell(Progress(label, state="done"))
        return Difference("file", old, new, note=f"not readable as tables: {error.what}")
    except BaseException:
        tell(Progress(label, state="failed"))
        raise
    tell(Progress(label, state="done"))
    return Difference("table", old, new, found)
