"""Bring a past run back, beside what is there now: its files, the notebook that ran, its data.

Nothing of the user's changes: no file, no index, no HEAD. A restore that is stopped on its way is gone on
with by the same command.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.errors import UsageError, WorldError
from provenote.events import Progress, Tell, silent
from provenote.git import trees
from provenote.git.command import git
from provenote.git.command import run as git_run
from provenote.stores import cache, environments, index, pointers, remotes, runs
from provenote.travel import restored

if TYPE_CHECKING:
    from provenote.model import Row
    from provenote.workspace import Workspace

SPARE = 50_000_000  # bytes that must stay free on the disk


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a restore brought.

    Parameters
    ----------
    folder : Path
        Where the run stands.
    notebook : Path or None
        The notebook that ran.
    data : tuple of str
        Paths of data and artifacts put there, from the DVC root.
    absent : tuple of str
        Those whose bytes are nowhere.
    environment : tuple of str
        What is different in this environment, the imported packages first.
    made : bool
        False when it stood there already.
    """

    folder: Path
    notebook: Path | None
    data: tuple[str, ...]
    absent: tuple[str, ...]
    environment: tuple[str, ...]
    made: bool


def restore(workspace: Workspace, name: str, *, tell: Tell = silent) -> Outcome:
    """Restore a run below ``past/``.

    Parameters
    ----------
    workspace : Workspace
    name : str
        The run: name, label, id, or the start of its id or commit.
    tell : Tell
        Where progress goes.

    Raises
    ------
    UsageError
        If there is no such run, it still runs, or something else stands in its place.
    WorldError
        If the disk has too little room; nothing is made then.
    """
    row = index.find(workspace, name)
    if row.commit is None:
        raise UsageError(
            f"run {row.name} still runs, and can be restored when it has ended",
            "See: `provenote track status`",
        )
    document = index.document(workspace, row.commit)
    folder = restored.place(workspace, row.name)
    wanted = _wanted(workspace, row.commit, document)
    made = _check(workspace, folder, row.commit, wanted)
    label = f"restore {row.name}"
    tell(Progress(label))
    restored.hide(workspace)
    try:
        _worktree(workspace, folder, row)
        root = folder / workspace.prefix
        _share_cache(workspace, root)
        there, absent = _bytes(workspace, root, wanted, tell)
        notebook = _notebook(workspace, root, row.commit, document)
    except BaseException:
        tell(Progress(label, state="failed", detail="the same command goes on from here"))
        raise
    tell(Progress(label, state="done", detail=str(os.path.relpath(folder))))
    return Outcome(folder, notebook, there, absent, _environment(workspace, row, document), made)


def _wanted(workspace: Workspace, commit: str, document: Mapping[str, Any]) -> dict[str, pointers.Stored]:
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
            found[path] = pointer.stored
    for read in document.get("reads", []):  # a run may have read another version than the one it tracked
        path = os.path.normpath(str(read["path"]))
        if not path.startswith("..") and not os.path.isabs(path):
            found[path] = pointers.Stored(read["md5"], read["size"], read.get("nfiles"))
    return found


def _check(workspace: Workspace, folder: Path, commit: str, wanted: Mapping[str, pointers.Stored]) -> bool:
    """Refuse before anything is made; return whether the folder is to be made."""
    for known in restored.listing(workspace):
        if known.folder == folder and known.commit == commit and folder.is_dir():
            return False
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(
            f"{os.path.relpath(folder)} holds something else",
            f"Move it away: `mv {os.path.relpath(folder)} OTHER`",
        )
    listed = git(workspace.top, "ls-tree", "-r", "-l", commit).split(b"\n")
    files = sum(int(line.split()[3]) for line in listed if line and line.split()[3].isdigit())
    need = files + sum(stored.size for stored in wanted.values()) + SPARE
    free = shutil.disk_usage(workspace.dvc_root).free
    if free < need:
        raise WorldError(
            f"the run needs {need / 1e6:,.0f} MB, and the disk has {free / 1e6:,.0f} MB free",
            "Free some space, or remove a restored run: `provenote restore --remove RUN`",
        )
    return True


def _worktree(workspace: Workspace, folder: Path, row: Row) -> None:
    """Make the linked worktree, or finish one that was begun."""
    if not (folder / ".git").exists():
        git_run(workspace.top, "worktree", "prune")
        words = ["worktree", "add", "--quiet", "--no-checkout", "--detach", "--force"]
        git(workspace.top, *words, str(folder), row.baseline)
    inner = restored.git_dir(folder)
    if not (inner / restored.MARK).exists():
        git(folder, "-c", "core.sparseCheckout=false", "read-tree", "-u", "--reset", str(row.commit))
        (inner / restored.MARK).write_text(f"{row.commit}\n", encoding="utf-8")


def _share_cache(workspace: Workspace, root: Path) -> None:
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


def _bytes(
    workspace: Workspace, root: Path, wanted: Mapping[str, pointers.Stored], tell: Tell
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Put the bytes where the run had them; return the paths that are there and those that are nowhere."""
    there, absent = [], []
    for path, stored in sorted(wanted.items()):
        target = root / path
        if target.exists():
            there.append(path)
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


def _notebook(workspace: Workspace, root: Path, commit: str, document: Mapping[str, Any]) -> Path | None:
    """Return the notebook that ran: the saved file where it equals what ran, else the cells, beside it."""
    name: str | None = document.get("notebook")
    saved = root / name if name and not os.path.isabs(name) and not str(name).startswith("..") else None
    if saved is not None and saved.exists() and document.get("disk") == "same":
        return saved
    content = runs.file(trees.repository(workspace.common_dir), commit, "executed.ipynb")
    if content is None:
        return saved if saved is not None and saved.exists() else None
    beside = saved.with_name(f"{saved.stem}.ran.ipynb") if saved is not None else root / "executed.ipynb"
    beside.parent.mkdir(parents=True, exist_ok=True)
    if not beside.exists():
        beside.write_bytes(content)
    return beside


def _environment(workspace: Workspace, row: Row, document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is different in this environment, the packages that the run imported first."""
    from provenote.environments import difference
    from provenote.tracking import environment

    here = environment.lock()
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


def to_json(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as plain data."""
    return {
        "folder": str(outcome.folder),
        "notebook": str(outcome.notebook) if outcome.notebook else None,
        "data": list(outcome.data),
        "absent": list(outcome.absent),
        "environment": list(outcome.environment),
        "made": outcome.made,
    }
