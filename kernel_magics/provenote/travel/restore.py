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
from provenote.stores import index, runs
from provenote.travel import contents, restored

if TYPE_CHECKING:
    from provenote.model import Row
    from provenote.stores.pointers import Stored
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
    wanted = contents.wanted(workspace, row.commit, document)
    made = _check(workspace, folder, row.commit, wanted)
    label = f"restore {row.name}"
    tell(Progress(label))
    restored.hide(workspace)
    try:
        _worktree(workspace, folder, row)
        root = folder / workspace.prefix
        contents.share_cache(workspace, root)
        there, absent = contents.put(workspace, root, wanted, tell)
        notebook = _notebook(workspace, root, row.commit, document)
    except BaseException:
        tell(Progress(label, state="failed", detail="the same command goes on from here"))
        raise
    tell(Progress(label, state="done", detail=str(os.path.relpath(folder))))
    return Outcome(
        folder, notebook, there, absent, contents.environment_changes(workspace, row, document), made
    )


def _check(workspace: Workspace, folder: Path, commit: str, wanted: Mapping[str, Stored]) -> bool:
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
