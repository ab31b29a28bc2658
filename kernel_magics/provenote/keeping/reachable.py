"""Which objects of the DVC cache something names: all of Git, every worktree, whatever goes on.

Rather too many than too few: any 32 hexadecimal digits in a pointer, a lock file or a run's document count as
a name, in every commit that a branch, tag, run, archive, stash, reflog or index leads to.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from provenote.errors import WorldError
from provenote.git import command
from provenote.stores import cache

if TYPE_CHECKING:
    from provenote.workspace import Workspace

_MD5 = re.compile(rb"(?<![0-9a-f])[0-9a-f]{32}(?:\.dir)?(?![0-9a-f])")
_NAMES = (b".dvc", b"dvc.lock", b"run.json", b".quarantine.json")
_AT_ONCE = 2_000
_SKIPPED = frozenset({".git", "node_modules", "__pycache__", ".ipynb_checkpoints"})


def names(content: bytes) -> set[str]:
    """Return what in a text may be the name of an object. Pure."""
    return {found.decode() for found in _MD5.findall(content)}


def needed(workspace: Workspace) -> set[str]:
    """Return the MD5s that something in a repository names, with the files of folders whose lists are here.

    Raises
    ------
    WorldError
        If the history cannot be read whole, or the list of a folder is damaged: then nobody can tell.
    """
    # In this order: what ends or is committed meanwhile is seen where it went.
    found = going_on(workspace) | in_worktrees(workspace) | in_history(workspace.top)
    for md5 in [each for each in found if each.endswith(".dir")]:
        if cache.locate(workspace.cache_dir, md5) is not None:
            found |= {entry.md5 for entry in cache.entries(workspace.cache_dir, md5)}
    return found


EVERYWHERE = ("--all", "--reflog", "--indexed-objects")  # of all worktrees


def in_history(folder: Path, start: Sequence[str] = EVERYWHERE) -> set[str]:
    """Return what every reachable version of a pointer, lock file or run's document names.

    Parameters
    ----------
    folder : Path
    start : sequence of str
        Where Git starts to walk, as words of ``git rev-list``.

    Raises
    ------
    WorldError
        If the history is not here whole.
    """
    shallow = command.git(folder, "rev-parse", "--is-shallow-repository").strip()
    if shallow == b"true":
        raise WorldError(
            "this clone is shallow, so what its history needs is not known", "`git fetch --unshallow`"
        )
    found: set[str] = set()
    for oids in _batches(_blobs(folder, start)):
        for content in command.blobs(folder, oids):
            found |= names(content or b"")
    return found


def _blobs(folder: Path, start: Sequence[str]) -> Iterator[str]:
    """Yield the ids of all blobs that are called as `_NAMES` say, as Git walks through them."""
    words = ["rev-list", "--objects", *start]
    environment = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
    process = subprocess.Popen(
        ["git", "-C", str(folder), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env=environment,
    )
    assert process.stdout is not None and process.stderr is not None
    with process:
        for line in process.stdout:
            oid, _, path = line.rstrip(b"\n").partition(b" ")
            if path.endswith(_NAMES):
                yield oid.decode()
        said = process.stderr.read()
    if process.returncode:
        raise command.failure(["rev-list", "--objects"], said)


def _batches(oids: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for oid in dict.fromkeys(oids):
        batch.append(oid)
        if len(batch) == _AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def in_worktrees(workspace: Workspace) -> set[str]:
    """Return what the pointers and lock files on disk name, in this worktree and all linked ones."""
    return on_disk(worktrees(workspace))


def on_disk(tops: Iterable[Path]) -> set[str]:
    """Return what the pointers and lock files below folders name."""
    found: set[str] = set()
    for top in tops:
        for root, folders, files in os.walk(top):
            folders[:] = [
                name
                for name in folders
                if name not in _SKIPPED
                and not (name == ".dvc" or os.path.exists(f"{root}/{name}/pyvenv.cfg"))
            ]
            for name in files:
                if name.endswith((".dvc", ".quarantine.json")) or name == "dvc.lock":
                    found |= names(_read(Path(root, name)))
    return found


def worktrees(workspace: Workspace) -> list[Path]:
    """Return the folders of all worktrees that are there."""
    listed = command.git(workspace.top, "worktree", "list", "--porcelain", "-z").split(b"\0")
    found = [Path(os.fsdecode(line[9:])) for line in listed if line.startswith(b"worktree ")]
    return [path for path in dict.fromkeys([workspace.top, *found]) if path.is_dir()]


def going_on(workspace: Workspace) -> set[str]:
    """Return what live runs, jobs, and DVC's memory of pipelines name."""
    found: set[str] = set()
    for folder in (workspace.home / "live", workspace.home / "jobs", workspace.cache_dir / "runs"):
        for root, _, files in os.walk(folder):
            for name in files:
                if not name.endswith((".ipynb", ".txt")):
                    found |= names(_read(Path(root, name)))
    return found


def _read(path: Path) -> bytes:
    """Return a file's bytes; nothing of one that is gone.

    Raises
    ------
    WorldError
        If it is there and cannot be read: what it names is not known.
    """
    try:
        return path.read_bytes() if path.is_file() else b""
    except FileNotFoundError:
        return b""
    except OSError as error:
        mend = "Check who owns it"
        raise WorldError(
            f"{path} cannot be read, so what it needs is not known: {error.strerror}", mend
        ) from error
