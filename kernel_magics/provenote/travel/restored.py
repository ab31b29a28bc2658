"""The folder of a restored run: a linked worktree at ``<dvc root>/past/<run>``, ignored by Git and DVC.

HEAD is the baseline of the run, index and files are the run's: so a run that is logged there has the same
baseline as its sisters, and plain ``dvc exp show`` lists it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provenote.git.command import git

if TYPE_CHECKING:
    from provenote.workspace import Workspace

FOLDER = "past"
MARK = "provenote-run"
"""File in the Git folder of a linked worktree that says which run stands there."""


@dataclass(frozen=True, slots=True)
class Restored:
    """One folder below ``past/``.

    Parameters
    ----------
    folder : Path
        Root of the linked worktree.
    git_dir : Path
        Its own Git folder, inside the repository's.
    commit : str
        The run's commit.
    """

    folder: Path
    git_dir: Path
    commit: str


def place(workspace: Workspace, name: str) -> Path:
    """Return where a run of this name would stand."""
    return workspace.dvc_root / FOLDER / name


def listing(workspace: Workspace) -> Iterator[Restored]:
    """Yield the runs that stand below ``past/``."""
    with suppress(OSError):
        for entry in sorted(os.scandir(workspace.common_dir / "worktrees"), key=lambda entry: entry.name):
            with suppress(OSError):
                commit = Path(entry.path, MARK).read_text(encoding="utf-8").strip()
                folder = Path(Path(entry.path, "gitdir").read_text(encoding="utf-8").strip()).parent
                yield Restored(folder, Path(entry.path), commit)


def hide(workspace: Workspace) -> None:
    """Keep ``past/`` out of Git's sight through ``info/exclude``, which belongs to nobody's history."""
    path = workspace.common_dir / "info" / "exclude"
    line = f"/{workspace.prefix}/{FOLDER}/".replace("//", "/")
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    if line in text.splitlines():
        return
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(f"exclude-{os.getpid()}")
    temporary.write_text(
        f"{text}{'' if text.endswith(chr(10)) or not text else chr(10)}{line}\n", encoding="utf-8"
    )
    temporary.replace(path)


def git_dir(folder: Path) -> Path:
    """Return the Git folder of a linked worktree."""
    return Path(os.fsdecode(git(folder, "rev-parse", "--absolute-git-dir")).strip())
