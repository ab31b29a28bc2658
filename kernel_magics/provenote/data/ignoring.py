"""What DVC leaves out (``.dvcignore``) and what Git must leave out (``.gitignore``)."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from provenote.errors import UsageError
from provenote.git.command import run
from provenote.stores.deposit import Keep
from provenote.stores.disk import shown, write_all, writing
from provenote.workspace import Workspace

DVCIGNORE, GITIGNORE = ".dvcignore", ".gitignore"
_NEVER = {".git", ".hg", ".dvc"}


def keep(workspace: Workspace, notes: list[str]) -> Keep:
    """Return what of a folder DVC would keep.

    Parameters
    ----------
    workspace : Workspace
        The project.
    notes : list of str
        Gets one line for what is left out though a user may expect it.
    """
    filters: list[Any] = []

    def kept(folder: str, folders: list[str], files: list[str]) -> tuple[list[str], list[str]]:
        if not filters:
            filters.append(_filter(workspace, folder))
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        if filters[0] is not None:
            folders, files = filters[0](folder, folders, files)
        else:
            folders = [name for name in folders if name not in _NEVER and not _is_project(folder, name)]
            files = [name for name in files if name != ".git"]
        if DVCIGNORE in files:
            name = shown(os.path.join(folder, DVCIGNORE))
            mend = f"Move its lines to the project's own: `{DVCIGNORE}` in {workspace.dvc_root}"
            raise UsageError(f"{name} lies inside the data, where DVC allows none", mend)
        notes.extend(
            f"{shown(os.path.join(folder, name))} is a link to a folder: left out, as DVC does"
            for name in links
            if name in folders
        )
        return folders, files

    return kept


def is_ignored(workspace: Workspace, path: str) -> bool:
    """Tell whether a ``.dvcignore`` hides ``path`` (from the DVC root)."""
    if any(part in _NEVER for part in path.split("/")):
        return True
    absolute = os.path.join(str(workspace.dvc_root), path)
    found = _filter(workspace, os.path.dirname(absolute))
    if found is None:
        return False
    hidden = found.is_ignored_dir(absolute) if os.path.isdir(absolute) else found.is_ignored_file(absolute)
    return bool(hidden)


def hide_from_git(path: Path) -> tuple[Path | None, str | None]:
    """Name ``path`` in the ``.gitignore`` beside it, as ``dvc add`` does, unless Git ignores it already.

    Returns
    -------
    (Path or None, str or None)
        The file that was written, and a warning when Git still sees the data.
    """
    if _ignored_by_git(path):
        return None, None
    file = path.parent / GITIGNORE
    name = path.name
    escaped = re.sub(r"([\[\]!*#?\\])", r"\\\1", name)
    if name != name.rstrip(" ") or "\n" in name or "\r" in name:
        # Git drops blanks at the end of a line and knows no line end inside a name; DVC writes it anyway.
        escaped = re.sub(r" +$", lambda blanks: "\\ " * len(blanks[0]), re.sub(r"[\n\r]", "?", escaped))
    line = os.fsencode(f"/{escaped}\n")
    with writing(file):
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            size = os.fstat(descriptor).st_size
            content = os.pread(descriptor, size, 0)
            if line not in content.splitlines(keepends=True):
                try:
                    write_all(descriptor, line if not content or content.endswith(b"\n") else b"\n" + line)
                except OSError:
                    os.ftruncate(descriptor, size)
                    raise
        finally:
            os.close(descriptor)
    if not _ignored_by_git(path):
        return file, f"Git still sees {shown(path.name)}: a later rule of a {GITIGNORE} takes it back"
    return file, None


def rule_that_hides(path: Path) -> str | None:
    """Return the rule (``file:line:pattern``) by which Git ignores ``path``, or None."""
    query = ("check-ignore", "--verbose", "--no-index", "-z", "--stdin")
    answer = run(path.parent, *query, given=os.fsencode(path.name) + b"\0")
    if answer.returncode or not answer.stdout:
        return None
    source, line, pattern = os.fsdecode(answer.stdout).split("\0")[:3]
    return None if pattern.startswith("!") else f"{source}:{line}:{pattern}"


@contextmanager
def one_at_a_time(workspace: Workspace) -> Iterator[None]:
    """Let one process at a time write pointers and ``.gitignore`` files."""
    lock = workspace.home / "data.lock"
    with writing(lock):
        lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _ignored_by_git(path: Path) -> bool:
    return rule_that_hides(path) is not None


def _is_project(folder: str, name: str) -> bool:
    return os.path.isdir(os.path.join(folder, name, ".dvc"))


def _filter(workspace: Workspace, folder: str) -> Any | None:
    """Return DVC's own filter, or None when no ``.dvcignore`` above ``folder`` says anything.

    DVC writes an empty one at `dvc init`; loading its filter costs half a second, so only those who
    use it pay for it.
    """
    here = Path(folder)
    for place in (here, *here.parents):
        try:
            lines = (place / DVCIGNORE).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        if any(line.strip() and not line.strip().startswith("#") for line in lines):
            from dvc.fs import localfs
            from dvc.ignore import DvcIgnoreFilter

            return DvcIgnoreFilter(localfs, str(workspace.dvc_root))
        if place == workspace.dvc_root:
            break
    return None
