"""What a past run stands on: the bytes it had, put where it had them, and the environment it ran in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.errors import UsageError, WorldError
from provenote.events import Tell
from provenote.git import trees
from provenote.git.command import git
from provenote.stores import cache, environments, pointers, remotes

if TYPE_CHECKING:
    from provenote.model import Row
    from provenote.tracking.environment import Lock
    from provenote.workspace import Workspace


def wanted(workspace: Workspace, commit: str, document: Mapping[str, Any]) -> dict[str, pointers.Stored]:
    """Return the bytes that belong to a run, by path from the DVC root: read, kept and tracked."""
    repo = trees.repository(workspace.common_dir)
    tree = trees.tree(repo, commit)
    found: dict[str, pointers.Stored] = {}
    prefix = f"{workspace.prefix}/" if workspace.prefix else ""
    listed = git(workspace.top, "ls-tree", "-r", "-z", "--name-only", commit)
    for name in (os.fsdecode(raw) for raw in listed.split(b"\0") if raw.endswith(b".dvc")):
        if not name.startswith(prefix):
            continue
        content = trees.content(repo, tree, name)
        try:
            pointer = pointers.read((content or b"").decode("utf-8"))
        except (UsageError, UnicodeDecodeError):
            continue
        if pointer.stored is not None:
            path = os.path.normpath(os.path.join(os.path.dirname(name[len(prefix) :]), pointer.path))
            if inside(path):
                found[path] = pointer.stored
    for read in document.get("reads", []):  # a run may have read another version than the one it tracked
        path = os.path.normpath(str(read["path"]))
        if inside(path) and not (
            read.get("rev") and path in found
        ):  # a past version was no file of the work tree
            found[path] = pointers.Stored(read["md5"], read["size"], read.get("nfiles"))
    return found


def inside(path: str) -> bool:
    """Tell whether a path that a run names stays below the folder that it is relative to."""
    return not os.path.isabs(path) and ".." not in path.split("/")


def share_cache(workspace: Workspace, root: Path) -> None:
    """Point the restored project to the cache of this one: its own would die with the folder."""
    import configparser

    config = configparser.ConfigParser(interpolation=None)
    path = root / ".dvc" / "config.local"
    local = workspace.dvc_root / ".dvc" / "config.local"
    if local.exists():
        config.read(local, encoding="utf-8")
    if not config.has_section("cache"):
        config.add_section("cache")
    config.set("cache", "dir", str(workspace.cache_dir))
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(
        path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600
    )  # it may carry secrets of the local one
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        config.write(file)


def put(
    workspace: Workspace, root: Path, wanted: Mapping[str, pointers.Stored], tell: Tell
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Put the bytes where the run had them; return the paths that are there and those that are nowhere."""
    there, absent = [], []
    for path, stored in sorted(wanted.items()):
        target = root / path
        if target.exists():
            there.append(path)
            continue
        if not _below(root, target):
            absent.append(path)
            continue
        try:
            remotes.require(workspace, stored.md5, tell)
        except (UsageError, WorldError):
            absent.append(path)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        cache.materialize(workspace.cache_dir, stored.md5, target, executable=stored.executable, tell=tell)
        there.append(path)
    return tuple(there), tuple(absent)


def _below(root: Path, target: Path) -> bool:
    """Tell whether what is written to a path stays below a folder, whatever links the run's files hold."""
    home, real = os.path.realpath(root), os.path.realpath(target.parent)
    return real == home or real.startswith(home + os.sep)


def environment_changes(
    workspace: Workspace, row: Row, document: Mapping[str, Any], here: Lock | None = None
) -> tuple[str, ...]:
    """Return what is different in this environment, or in another, the packages the run imported first."""
    from provenote.environments import difference
    from provenote.tracking import environment

    here = here or environment.lock()
    if document.get("environment") == here.sha256:
        return ()
    then = environments.of_run(workspace, row)
    if then is None:
        return ()
    now = environments.read(here.text)
    found = [f"{what} {old}, here {new}" for what, old, new in difference.settings(then, now)]
    for change in difference.changes(then, now, environments.imported(document)):
        found.append(f"{change.name} {change.before or 'absent'}, here {change.after or 'absent'}")
    return tuple(found)
