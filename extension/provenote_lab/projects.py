"""Which DVC projects a server can show: the one that holds its root folder, else those a little below it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from provenote.errors import ProvenoteError, UsageError
from provenote.workspace import Workspace, find

FOLDERS_LIMIT = 2000
"""Folders looked into at most: a server may be started in a home folder or on a network drive."""


@dataclass(frozen=True, slots=True)
class Project:
    """A DVC project as the sidebar names it.

    Parameters
    ----------
    path : str
        POSIX path from the server's root folder; ``""`` when the project holds that folder itself.
    workspace : Workspace
        Where it lies.
    """

    path: str
    workspace: Workspace

    @property
    def branch(self) -> str:
        """The branch of its work tree, or the first digits of the commit when HEAD is detached."""
        try:
            head = (self.workspace.git_dir / "HEAD").read_text(encoding="utf-8").strip()
        except OSError:
            return ""
        return head.removeprefix("ref: refs/heads/") if head.startswith("ref: ") else head[:7]

    def to_json(self) -> dict[str, str]:
        """Return what the sidebar shows of it; no path outside the server's root folder leaves the server."""
        return {"path": self.path, "name": self.workspace.dvc_root.name, "branch": self.branch}


@dataclass(frozen=True, slots=True)
class Found:
    """The projects of a server, and why there are none.

    Parameters
    ----------
    projects : tuple of Project
        By path.
    problem : ProvenoteError or None
        What is wrong with the root folder, when there is no project at all.
    """

    projects: tuple[Project, ...]
    problem: ProvenoteError | None = None

    def choose(self, path: str | None) -> Project:
        """Return the project at ``path``, by default the first one.

        Raises
        ------
        UsageError
            If there is no such project.
        """
        for project in self.projects:
            if path is None or project.path == path:
                return project
        mend = "Choose another one from the list above the runs"
        raise UsageError(f"no project at {path!r} below the server's root folder", mend)


def search(root: Path, depth: int) -> Found:
    """Find the projects of a server.

    Parameters
    ----------
    root : Path
        The server's root folder.
    depth : int
        How many levels below it are looked into, where it is in no project itself.
    """
    try:
        return Found((Project("", find(root)),))
    except ProvenoteError as error:
        problem = error
    projects = []
    for folder in _with_dvc(root, depth):
        try:
            projects.append(Project(folder.relative_to(root).as_posix(), find(folder)))
        except ProvenoteError:
            continue  # a .dvc folder without Git, or another user's repository: not for us to show
    return Found(tuple(sorted(projects, key=lambda project: project.path)), None if projects else problem)


def _with_dvc(root: Path, depth: int) -> list[Path]:
    """Return the folders below ``root`` that hold a ``.dvc`` folder; hidden ones and links are left alone."""
    found: list[Path] = []
    level = [root]
    looked = 0
    for _ in range(depth):
        below: list[Path] = []
        for folder in level:
            for name in _folders(folder):
                looked += 1
                if looked > FOLDERS_LIMIT:
                    return found
                child = folder / name
                if os.path.isdir(child / ".dvc"):
                    found.append(child)
                else:
                    below.append(child)
        level = below
    return found


def _folders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(
                entry.name
                for entry in entries
                if not entry.name.startswith(".")
                and entry.name != "node_modules"
                and entry.is_dir(follow_symlinks=False)
            )
    except OSError:
        return []  # unreadable, or gone meanwhile
