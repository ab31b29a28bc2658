"""Push versions to the remote; pull them, and put them into the work tree where nothing is lost by it."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass

from provenote.data import linking, tracked, travel
from provenote.data.ignoring import keep
from provenote.data.tracked import Tracked
from provenote.errors import ProvenoteError, UsageError
from provenote.events import Tell, silent
from provenote.stores import cache, dvc_config, remotes
from provenote.stores.pointers import Stored
from provenote.workspace import Workspace, find


@dataclass(frozen=True, slots=True)
class Pushed:
    """What `push` did: files carried and their bytes by remote, and paths whose bytes are nowhere here."""

    remotes: tuple[str, ...]
    files: int
    size: int
    paths: tuple[str, ...]
    lacking: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pulled:
    """What `pull` did.

    Parameters
    ----------
    remote : str
        Where bytes came from; empty when all were here.
    files, size : int
        What was carried.
    written : tuple of str
        Paths that are now in the work tree as their pointers say.
    unchanged : tuple of str
        Paths that were so before.
    kept : tuple of str
        Paths with changes of the user's that are stored nowhere: left as they are.
    lacking : tuple of str
        Paths whose bytes no remote has.
    """

    remote: str
    files: int
    size: int
    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    kept: tuple[str, ...]
    lacking: tuple[str, ...]


def push(*paths: str, remote: str | None = None, tell: Tell = silent) -> Pushed:
    """Copy the present versions to the remote.

    Parameters
    ----------
    *paths : str
        Data, or folders that hold some; everything tracked when none is given.
    remote : str, optional
        Its name; otherwise the one that a pointer names, else the default.
    tell : Tell
        Where progress goes.

    Raises
    ------
    UsageError
        If a path is not tracked, or no remote is set up.
    WorldError
        If the remote cannot be reached or refuses; nothing is lost.
    """
    workspace, chosen = _chosen(paths)
    by_remote: dict[str | None, list[Tracked]] = {}
    for one in chosen:
        if one.pointer and one.stored and one.pointer.pushed:
            by_remote.setdefault(remote or one.pointer.remote, []).append(one)
    if not by_remote:
        dvc_config.remote(workspace, remote)
    files = size = 0
    lacking: list[str] = []
    names: list[str] = []
    for name, ones in by_remote.items():
        md5s = {one.stored.md5: one.path for one in ones if one.stored}
        done = remotes.push(workspace, md5s, remote=name, tell=tell)
        files, size = files + done.files, size + done.size
        names.append(done.remote)
        lacking += [one.path for one in ones if one.stored and one.stored.md5 in done.lacking]
    paths_ = tuple(one.path for ones in by_remote.values() for one in ones if one.path not in lacking)
    return Pushed(tuple(names), files, size, paths_, tuple(lacking))


def pull(*paths: str, remote: str | None = None, force: bool = False, tell: Tell = silent) -> Pulled:
    """Fetch the versions that the pointers name and put them into the work tree.

    A file that was changed here is replaced only if its bytes are in the cache (an older version), or
    with ``force``.

    Parameters
    ----------
    *paths : str
        Data, or folders that hold some; everything tracked when none is given.
    remote : str, optional
        Its name; otherwise the one that a pointer names, else the default.
    force : bool
        Replace changed files too.
    tell : Tell
        Where progress goes.

    Raises
    ------
    UsageError
        If a path is not tracked, or bytes are missing and no remote is set up.
    WorldError
        If the remote cannot be reached or refuses, or the disk is full.
    """
    workspace, chosen = _chosen(paths)
    by_remote: dict[str | None, list[Tracked]] = {}
    for one in chosen:
        if one.stored and one.pointer and cache.missing(workspace.cache_dir, one.stored.md5):
            by_remote.setdefault(remote or one.pointer.remote, []).append(one)
    files = size = 0
    source = ""
    for name, ones in by_remote.items():
        done = remotes.pull(workspace, [one.stored.md5 for one in ones if one.stored], remote=name, tell=tell)
        files, size, source = files + done.files, size + done.size, done.remote
    outcomes: dict[str, list[str]] = {"written": [], "unchanged": [], "kept": [], "lacking": []}
    for one in chosen:
        if one.stored is None or cache.missing(workspace.cache_dir, one.stored.md5):
            outcomes["lacking"].append(one.path)
        else:
            outcomes[_check_out(workspace, one, one.stored, force, tell)].append(one.path)
    by_outcome = {outcome: tuple(names) for outcome, names in outcomes.items()}
    return Pulled(source, files, size, **by_outcome)


def _chosen(paths: tuple[str, ...]) -> tuple[Workspace, list[Tracked]]:
    workspace = tracked.locate(paths[0])[0] if paths else find()
    chosen = tracked.choose(workspace, paths)
    for one in chosen:
        if one.pointer is None:
            pointer = os.path.relpath(one.file, workspace.dvc_root)
            mend = f"Mend it, or take it back: `git checkout -- {pointer}`"
            raise UsageError(f"{pointer} is no readable pointer: {one.problem}", mend)
    return workspace, chosen


def _check_out(workspace: Workspace, one: Tracked, stored: Stored, force: bool, tell: Tell) -> str:
    """Put a version into the work tree; return ``written``, ``unchanged`` or ``kept``."""
    target = workspace.dvc_root / one.path
    aside = None
    if os.path.lexists(target):
        try:
            now = travel.measure(workspace, one.path, tell)
        except ProvenoteError:
            now = None
        if now is not None and now.md5 == stored.md5:
            return "unchanged"
        if not force and (now is None or not _all_stored(workspace, one.path, now, tell)):
            return "kept"
        if target.is_dir() and not target.is_symlink():
            aside = target.with_name(f".{os.getpid()}-{time.monotonic_ns():x}.old")
            os.rename(target, aside)
    try:
        cache.materialize(workspace.cache_dir, stored.md5, target, executable=stored.executable, tell=tell)
    except BaseException:
        if aside is not None:
            os.rename(aside, target)
        raise
    if aside is not None:
        shutil.rmtree(aside, ignore_errors=True)
    linking.link(workspace, target, stored, keep(workspace, []) if stored.nfiles is not None else None)
    return "written"


def _all_stored(workspace: Workspace, path: str, now: Stored, tell: Tell) -> bool:
    """Tell whether every byte at ``path`` is in the cache too, so that replacing it loses nothing."""
    if now.nfiles is None:
        return cache.locate(workspace.cache_dir, now.md5) is not None
    hashed = travel.files(workspace, path, tell)
    if any(cache.locate(workspace.cache_dir, md5) is None for _, md5, _ in hashed):
        return False
    return not _ignored_inside(workspace, path)


def _ignored_inside(workspace: Workspace, path: str) -> bool:
    """Tell whether the folder holds files that no version has: named in .dvcignore, or behind links."""
    from provenote.stores.deposit import walk

    absolute = str(workspace.dvc_root / path)
    counted = sum(1 for _ in walk(absolute, keep(workspace, [])))
    links = any(
        os.path.islink(os.path.join(root, name)) for root, names, _ in os.walk(absolute) for name in names
    )
    return links or counted != sum(1 for _ in walk(absolute))
