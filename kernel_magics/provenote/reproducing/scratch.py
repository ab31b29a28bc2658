"""A repository of its own for one reproduction, with the files of a run as they were when it started.

It borrows the objects of the user's repository (Git's alternates) and has its branches, tags and runs; what
is made in it, a job, a run, a commit, is seen nowhere else and goes with it. HEAD is the run's baseline. It
stands below ``past/``, which Git and DVC pass over. Who works in one holds its lock: one whose lock is free
was left by a process that was killed, and the next reproduction removes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote import workspace as workspaces
from provenote.errors import WorldError
from provenote.git.command import git
from provenote.git.command import run as git_run
from provenote.travel import contents, restored

if TYPE_CHECKING:
    from provenote.model import Row
    from provenote.workspace import Workspace

FOLDER = ".again"
_REFS = ("refs/heads", "refs/tags", "refs/remotes", "refs/exps")
_PATIENCE = 15.0  # seconds for a job to end that somebody who was killed left running


@dataclass(frozen=True, slots=True)
class Scratch:
    """A repository for one reproduction.

    Parameters
    ----------
    top : Path
        Its root.
    place : Workspace
        The project in it.
    runs : frozenset of str
        Refs of the runs that it was made with.
    """

    top: Path
    place: Workspace
    runs: frozenset[str]

    def new_runs(self) -> list[str]:
        """Return the commits of the runs that were made in it."""
        listed = git(self.top, "for-each-ref", "--format=%(objectname) %(refname)", "refs/exps").decode()
        pairs = [line.split(" ", 1) for line in listed.splitlines()]
        return [commit for commit, ref in pairs if ref not in self.runs]


@contextlib.contextmanager
def made(workspace: Workspace, row: Row, overlay: str) -> Iterator[Scratch]:
    """Make a repository with the files of a run, and remove it at the end.

    Parameters
    ----------
    workspace : Workspace
    row : Row
        A run that has ended.
    overlay : str
        Folder of the run's own files, which were not there when it started.

    Raises
    ------
    WorldError
        If it cannot be written.
    """
    restored.hide(workspace)
    clean(workspace)
    try:
        top, lock = _claim(workspace.main_root / restored.FOLDER / FOLDER)
    except OSError as error:
        raise WorldError(
            f"no place to reproduce {row.name} can be made below {restored.FOLDER}/ ({error.strerror})",
            "Check the disk and its rights",
        ) from error
    try:
        yield _filled(workspace, top, row, overlay)
    finally:
        if _stopped(top):
            _remove(top)
            _unlock(top, lock)
        else:  # it does not listen: the next reproduction finds it with its lock free
            os.close(lock)


def clean(workspace: Workspace) -> None:
    """Remove what killed reproductions left: first their jobs are stopped, if one still runs."""
    try:
        entries = sorted(os.listdir(workspace.main_root / restored.FOLDER / FOLDER))
    except OSError:
        return
    for name in entries:
        if name.endswith(".lock"):
            top = workspace.main_root / restored.FOLDER / FOLDER / name.removesuffix(".lock")
            lock = _lock(top)
            if lock is not None and _stopped(top):
                _remove(top)
                _unlock(top, lock)
            elif lock is not None:
                os.close(lock)


def refilled(workspace: Workspace, scratch: Scratch, row: Row, overlay: str) -> Scratch:
    """Put the files of another run in the place of those that are there; what a job left goes with them.

    Parameters
    ----------
    workspace : Workspace
    scratch : Scratch
    row : Row
        A run that has ended, or a commit of the same form.
    overlay : str
        Folder of the run's own files, which were not there when it started.

    Raises
    ------
    WorldError
        If a job still runs there and does not listen, or it cannot be written.
    """
    if not _stopped(scratch.top):
        raise WorldError(f"a job in {scratch.top} does not end", "Try again")
    for entry in list(os.scandir(scratch.top)):
        if entry.name != ".git":
            _remove(Path(entry.path)) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)
    (scratch.top / ".git" / "HEAD").write_text(f"{row.baseline}\n", encoding="utf-8")
    _files(workspace, scratch.top, row, overlay)
    refs = git(scratch.top, "for-each-ref", "--format=%(refname)", "refs/exps").decode()
    return Scratch(scratch.top, scratch.place, frozenset(refs.splitlines()))


def keep(scratch: Scratch, target: Path) -> None:
    """Move what stands there to a place where it stays.

    Raises
    ------
    WorldError
        If it cannot be moved.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch.top.rename(target)
    except OSError as error:
        raise WorldError(
            f"{target} cannot be made ({error.strerror})", "Check the disk and its rights"
        ) from error


# ---------------------------------------------------------------------- locks


def _claim(folder: Path) -> tuple[Path, int]:
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        top = folder / secrets.token_hex(4)
        with contextlib.suppress(FileNotFoundError):  # the last one that left has removed the empty folder
            lock = _lock(top)
            if lock is not None:
                return top, lock


def _lock(top: Path) -> int | None:
    """Take the lock of a place, or return None while somebody else has it."""
    path = top.with_name(f"{top.name}.lock")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_ino == path.stat().st_ino:  # else it was removed before we had it
            return descriptor
    os.close(descriptor)
    return None


def _unlock(top: Path, lock: int) -> None:
    with contextlib.suppress(OSError):
        top.with_name(f"{top.name}.lock").unlink()
    os.close(lock)
    with contextlib.suppress(OSError):  # they hold something else
        top.parent.rmdir()
        top.parent.parent.rmdir()


def _stopped(top: Path) -> bool:
    """Stop what still runs there; tell whether nothing does any more."""
    from provenote.jobs import folder as folders

    going = [job for job in folders.listing(top / ".git" / "provenote") if not job.state().over]
    for job in going:
        job.ask_cancel()
    until = time.monotonic() + _PATIENCE
    while going and time.monotonic() < until:
        time.sleep(0.1)
        going = [job for job in going if not job.state().over]
    return not going


# ---------------------------------------------------------------------- files


def _filled(workspace: Workspace, top: Path, row: Row, overlay: str) -> Scratch:
    commit = str(row.commit)
    kind = ["--object-format=sha256"] if len(commit) == 64 else []
    git(workspace.top, "init", "--quiet", "--template=", *kind, str(top))
    inner = top / ".git"
    try:
        shutil.copyfile(workspace.common_dir / "config", inner / "config")
        _plain_config(top)
        (inner / "objects" / "info").mkdir(exist_ok=True)
        (inner / "objects" / "info" / "alternates").write_bytes(
            os.fsencode(workspace.common_dir / "objects") + b"\n"
        )
        for name in ("shallow", "info/attributes"):
            if (workspace.common_dir / name).is_file():
                (inner / name).parent.mkdir(exist_ok=True)
                shutil.copyfile(workspace.common_dir / name, inner / name)
        refs = git(workspace.top, "for-each-ref", "--format=%(objectname) %(refname)", *_REFS)
        (inner / "packed-refs").write_bytes(refs)
        (inner / "HEAD").write_text(f"{row.baseline}\n", encoding="utf-8")
    except OSError as error:
        raise WorldError(
            f"{top} cannot be written ({error.strerror})", "Check the disk and its rights"
        ) from error
    root = _files(workspace, top, row, overlay)
    names = (line.split(" ", 1)[1] for line in os.fsdecode(refs).splitlines())
    return Scratch(
        top, workspaces.find(root), frozenset(name for name in names if name.startswith("refs/exps/"))
    )


def _files(workspace: Workspace, top: Path, row: Row, overlay: str) -> Path:
    """Write the files of a run; return the project's root there."""
    git(top, "read-tree", "-u", "--reset", str(row.commit))
    if contents.inside(overlay) and overlay:
        git(top, "rm", "-r", "-q", "-f", "--ignore-unmatch", "--", overlay)
    root = top / workspace.prefix
    (root / ".dvc").mkdir(parents=True, exist_ok=True)
    contents.share_cache(workspace, root)
    return root


def _plain_config(top: Path) -> None:
    """Take out of the copied settings what is true of the user's repository alone."""
    git(top, "config", "--file", ".git/config", "core.bare", "false")
    for key in (
        "core.worktree",
        "core.hooksPath",
        "core.sparseCheckout",
        "extensions.worktreeConfig",
        "core.fsmonitor",
    ):
        git_run(top, "config", "--file", ".git/config", "--unset-all", key)


def _remove(top: Path) -> None:
    """Remove a folder, also where the run left folders that nobody may write."""

    def again(function: Callable[[str], Any], path: str, _: Any) -> None:
        with contextlib.suppress(OSError):
            os.chmod(os.path.dirname(path), stat.S_IRWXU)
            if os.path.isdir(path) and not os.path.islink(path):
                os.chmod(path, stat.S_IRWXU)
            function(path)

    if os.path.lexists(top):
        shutil.rmtree(top, onerror=again)
        shutil.rmtree(top, ignore_errors=True)
