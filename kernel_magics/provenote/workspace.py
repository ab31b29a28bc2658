"""Where we are: the Git work tree, its common folder and the DVC project inside it."""

from __future__ import annotations

import configparser
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from provenote.errors import UsageError, WorldError


@dataclass(frozen=True, slots=True)
class Workspace:
    """A Git work tree with a DVC project.

    Parameters
    ----------
    top : Path
        Root of the Git work tree (of this linked worktree, if it is one).
    git_dir : Path
        The Git folder of this worktree.
    common_dir : Path
        The Git folder shared by all worktrees.
    dvc_root : Path
        Root of the DVC project: ``top`` or a folder below it.
    """

    top: Path
    git_dir: Path
    common_dir: Path
    dvc_root: Path

    @property
    def prefix(self) -> str:
        """POSIX path of the DVC root from the Git root, ``""`` or ``"sub/project"``."""
        relative = os.path.relpath(self.dvc_root, self.top)
        return "" if relative == "." else Path(relative).as_posix()

    @property
    def home(self) -> Path:
        """Our own folder outside the work tree; shared by all worktrees of the repository."""
        return self.common_dir / "provenote"

    @property
    def cache_dir(self) -> Path:
        """The DVC cache, one for all worktrees: ``cache.dir``, else the main worktree's."""
        for name in ("config.local", "config"):
            parser = configparser.ConfigParser(interpolation=None)
            try:
                parser.read(self.dvc_root / ".dvc" / name, encoding="utf-8")
            except configparser.Error as error:
                mend = "Mend it by hand, or take it back: `git checkout .dvc/config`"
                raise UsageError(f".dvc/{name} is not readable: {error}", mend) from error
            if parser.has_option("cache", "dir"):
                return Path(os.path.normpath(self.dvc_root / ".dvc" / parser.get("cache", "dir")))
        return self.main_root / ".dvc" / "cache"

    @property
    def main_root(self) -> Path:
        """The DVC root in the main worktree: what a linked worktree holds itself would die with it."""
        if self.git_dir != self.common_dir and self.common_dir.name == ".git":
            main = self.common_dir.parent / self.prefix
            if (main / ".dvc").is_dir():
                return main
        return self.dvc_root

    def relative(self, path: str | os.PathLike[str]) -> str:
        """Return ``path`` as a POSIX path from the DVC root.

        Raises
        ------
        UsageError
            If the path lies outside the DVC project.
        """
        absolute = Path(os.path.abspath(path))
        for root in (self.dvc_root, Path(os.path.realpath(self.dvc_root))):
            if absolute == root or root in absolute.parents:
                return absolute.relative_to(root).as_posix()
        mend = "Copy or link it into the project first"
        raise UsageError(f"{path} is outside the DVC project {self.dvc_root}", mend)


_known: dict[str, Workspace] = {}


def find(folder: str | os.PathLike[str] | None = None) -> Workspace:
    """Find the workspace that holds ``folder`` (default: the current folder).

    Raises
    ------
    UsageError
        If there is no Git work tree or no DVC project; the message names the command that mends it.
    WorldError
        If Git itself is missing, or refuses the repository.
    """
    start = os.path.abspath(folder or os.getcwd())
    known = _known.get(start)
    if known is not None and (known.dvc_root / ".dvc").is_dir() and known.git_dir.is_dir():
        return known
    top, git_dir, common_dir = find_git(start)
    here = Path(os.path.realpath(start))
    real_top = Path(os.path.realpath(top))
    while not (here / ".dvc").is_dir():
        if here == real_top or here.parent == here:
            raise UsageError(f"no DVC project in {start}", "Start one: `provenote init`")
        here = here.parent
    dvc_root = top / here.relative_to(real_top) if real_top in here.parents else top
    _known[start] = Workspace(top, git_dir, common_dir, dvc_root)
    return _known[start]


def find_git(folder: str | os.PathLike[str]) -> tuple[Path, Path, Path]:
    """Return ``(top, git_dir, common_dir)`` of the Git work tree that holds ``folder``."""
    command = ["git", "-C", str(folder), "rev-parse", "--path-format=absolute"]
    command += ["--show-toplevel", "--absolute-git-dir", "--git-common-dir", "--show-ref-format"]
    if not os.path.isdir(folder):
        raise UsageError(f"the folder {folder} does not exist", f"Make it: `mkdir -p {folder}`")
    try:
        answer = subprocess.run(command, capture_output=True, env={**os.environ, "LC_ALL": "C"})
    except FileNotFoundError as error:
        raise WorldError("git is not on the PATH", "Install Git 2.31 or newer") from error
    said = os.fsdecode(answer.stderr).strip()
    if answer.returncode:
        if "dubious ownership" in said:
            owned = f"the repository that holds {folder} belongs to another user, so git refuses it"
            raise WorldError(owned, f"Trust it: `git config --global --add safe.directory {folder}`")
        if "must be run in a work tree" in said:
            raise UsageError(f"{folder} is a bare repository, which has no files to record", "Clone it")
        if "not a git repository" in said:
            raise UsageError(f"not a Git repository: {folder}", "Make it one: `provenote init`")
        raise WorldError(f"git cannot read {folder}: {said.splitlines()[-1] if said else 'no reason given'}")
    lines = os.fsdecode(answer.stdout).splitlines()
    if len(lines) > 3 and lines[3] == "reftable":
        raise UsageError(
            "this repository keeps its refs as reftable, which neither DVC nor we can read",
            "Convert it: `git refs migrate --ref-format=files`",
        )
    return Path(lines[0]), Path(lines[1]), Path(lines[2])
