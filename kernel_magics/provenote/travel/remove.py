"""Remove a restored run, after looking for bytes that exist nowhere else."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from provenote.errors import Refused, UsageError
from provenote.git.command import git, resolve
from provenote.stores import cache, index
from provenote.travel import restored

if TYPE_CHECKING:
    from provenote.travel.restored import Restored
    from provenote.workspace import Workspace

FEW = 5


def remove(workspace: Workspace, name: str, *, force: bool = False) -> Path:
    """Remove the folder of a restored run and return where it was.

    Parameters
    ----------
    workspace : Workspace
    name : str
        The run.
    force : bool
        Remove it even if something in it exists nowhere else.

    Raises
    ------
    UsageError
        If the run is not restored.
    Refused
        If a file or commit in it exists nowhere else.
    """
    row = index.find(workspace, name)
    found = next((one for one in restored.listing(workspace) if one.commit == row.commit), None)
    if found is None:
        raise UsageError(f"run {row.name} is not restored", f"Bring it: `provenote restore {row.name}`")
    only_here = [] if force or not found.folder.is_dir() else unique(workspace, found)
    if only_here:
        few = ", ".join(only_here[:FEW]) + (
            f" and {len(only_here) - FEW} more" if len(only_here) > FEW else ""
        )
        raise Refused(
            f"{few} in {os.path.relpath(found.folder)} exist nowhere else",
            f"Keep them elsewhere, or remove them too: `provenote restore --remove {row.name} --force`",
        )
    git(workspace.top, "worktree", "remove", "--force", "--force", str(found.folder))
    return found.folder


def unique(workspace: Workspace, found: Restored) -> list[str]:
    """Return what in a restored folder exists nowhere else: files, and commits that no branch holds."""
    only_here = []
    head = resolve(found.folder, "HEAD")
    if head is not None and not _held(workspace, head):
        only_here.append(f"the commit {head[:12]}")
    known = _blobs(workspace, found.commit)
    for path in sorted(found.folder.rglob("*")):
        relative = path.relative_to(found.folder).as_posix()
        if not path.is_file() or path.is_symlink() or ours(relative):
            continue
        if _blob(found.folder, path) in known or cache.locate(workspace.cache_dir, _md5(path)) is not None:
            continue
        only_here.append(relative)
    return only_here


def _held(workspace: Workspace, commit: str) -> bool:
    held = git(
        workspace.top,
        "for-each-ref",
        "--contains",
        commit,
        "--count=1",
        "refs/heads",
        "refs/tags",
        "refs/remotes",
    )
    return bool(held.strip())


def ours(relative: str) -> bool:
    """Whether we or a tool wrote it, so that it can be written again."""
    parts = relative.split("/")
    return (
        ".git" in parts
        or "__pycache__" in parts
        or ".ipynb_checkpoints" in parts
        or relative.endswith((".ran.ipynb", ".dvc/config.local"))
        or ("/.dvc/tmp/" in f"/{relative}" or "/.dvc/cache/" in f"/{relative}")
        or relative == "executed.ipynb"
    )


def _blobs(workspace: Workspace, commit: str) -> set[str]:
    listed = git(workspace.top, "ls-tree", "-r", commit).decode("utf-8", "surrogateescape")
    return {line.split()[2] for line in listed.splitlines() if line}


def _blob(folder: Path, path: Path) -> str:
    return git(folder, "hash-object", "--", str(path)).decode().strip()


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
