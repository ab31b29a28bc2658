"""What of a project is tracked as data: the pointers in the work tree."""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from pathlib import Path

from provenote.errors import ProvenoteError, UsageError
from provenote.git.command import git
from provenote.stores import pointers
from provenote.stores.disk import shown
from provenote.stores.pointers import Pointer, Stored
from provenote.workspace import Workspace, find

SUFFIX = ".dvc"


@dataclass(frozen=True, slots=True)
class Tracked:
    """A file or folder under version control of its bytes.

    Parameters
    ----------
    path : str
        POSIX path from the DVC root.
    file : Path
        Its pointer.
    pointer : Pointer or None
        What the pointer says; None when it is not readable.
    problem : str
        Why it is not readable.
    """

    path: str
    file: Path
    pointer: Pointer | None
    problem: str = ""

    @property
    def stored(self) -> Stored | None:
        """What the pointer names."""
        return self.pointer.stored if self.pointer else None


def locate(path: str | os.PathLike[str]) -> tuple[Workspace, str]:
    """Return the workspace that holds ``path`` and the path from its DVC root.

    Raises
    ------
    UsageError
        If the path is in no project, or in another one than the current folder.
    """
    absolute = os.path.abspath(path)
    folder = os.path.dirname(absolute)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    try:
        here: Workspace | None = find()
    except ProvenoteError:
        here = None
    try:
        workspace = find(folder)
    except ProvenoteError:
        if here is None:
            raise
        return here, here.relative(path)
    if here is not None and here.common_dir != workspace.common_dir:
        return here, here.relative(path)
    return workspace, workspace.relative(path)


def everything(workspace: Workspace) -> list[Tracked]:
    """Return all that is tracked in the work tree, by path.

    Pointers that Git ignores don't count, nor those of a DVC project further down: DVC sees neither.
    """
    query = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", f":(glob)**/*{SUFFIX}"]
    names = {os.fsdecode(name) for name in git(workspace.dvc_root, *query).split(b"\0") if name}
    found, inner = [], {".": False}
    for name in sorted(names):
        if not _in_inner_project(workspace.dvc_root, posixpath.dirname(name), inner):
            one = _read(workspace.dvc_root, name)
            if one is not None:
                found.append(one)
    return sorted(found, key=lambda one: one.path)


def at(workspace: Workspace, path: str) -> Tracked | None:
    """Return what is tracked at ``path`` (from the DVC root) under its usual pointer, or None."""
    return _read(workspace.dvc_root, path + SUFFIX)


def choose(workspace: Workspace, paths: tuple[str, ...] | list[str]) -> list[Tracked]:
    """Return what ``paths`` name: data, pointers, or folders that hold some; all when there are none.

    Raises
    ------
    UsageError
        If a path names nothing that is tracked.
    """
    known = everything(workspace)
    if not paths:
        return known
    chosen: dict[str, Tracked] = {}
    for path in paths:
        wanted = locate(path)[1]
        wanted = wanted.removesuffix(SUFFIX) if wanted.endswith(SUFFIX) else wanted
        hits = [
            one for one in known if wanted == "." or one.path == wanted or one.path.startswith(wanted + "/")
        ]
        if not hits:
            raise UsageError(f"{shown(path)} is not tracked", f"Track it: `provenote data add {shown(path)}`")
        chosen.update({one.path: one for one in hits})
    return list(chosen.values())


def stage_outputs(workspace: Workspace) -> dict[str, str]:
    """Return the outputs of the user's pipelines: ``{path from the DVC root: its dvc.yaml}``."""
    query = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", ":(glob)**/dvc.yaml"]
    found: dict[str, str] = {}
    for raw in git(workspace.dvc_root, *query).split(b"\0"):
        name = os.fsdecode(raw)
        file = workspace.dvc_root / name
        if not name or not file.is_file():
            continue
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        try:
            document = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
            stages = document.get("stages") or {}
            for stage in stages.values():
                wdir = posixpath.join(posixpath.dirname(name), stage.get("wdir") or "")
                for group in ("outs", "metrics", "plots"):
                    for out in stage.get(group) or []:
                        path = out if isinstance(out, str) else next(iter(out))
                        found[posixpath.normpath(posixpath.join(wdir, path))] = name
        except (YAMLError, AttributeError, TypeError, OSError, UnicodeDecodeError):
            continue  # a dvc.yaml that nobody can read names no outputs; DVC itself says what is wrong
    return found


def _read(root: Path, name: str) -> Tracked | None:
    file = root / name
    path = name.removesuffix(SUFFIX)
    try:
        text = file.read_bytes().decode("utf-8")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        return Tracked(path, file, None, str(error))
    try:
        pointer = pointers.read(text)
    except UsageError as error:
        return Tracked(path, file, None, error.what)
    return Tracked(posixpath.normpath(posixpath.join(posixpath.dirname(name), pointer.path)), file, pointer)


def _in_inner_project(root: Path, folder: str, known: dict[str, bool]) -> bool:
    """Tell whether ``folder`` belongs to a DVC project below ``root``."""
    folder = folder or "."
    if folder not in known:
        above = _in_inner_project(root, posixpath.dirname(folder), known)
        known[folder] = above or (root / folder / ".dvc").is_dir()
    return known[folder]
