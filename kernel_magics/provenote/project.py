"""Set up a project: Git and DVC where they are missing. Idempotent; needs no key and no network."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from provenote import workspace
from provenote.errors import UsageError, WorldError
from provenote.git.command import git, resolve
from provenote.git.command import run as git_run

# What `dvc init` writes (DVC 3); starting DVC for three small files would cost a second.
_DVC_FILES = {
    ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
    ".dvc/config": "",
    ".dvcignore": "# Patterns of files that DVC ignores, one a line\n",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that `initialise` looked at: what it is, and whether it was made now."""

    what: str
    made: bool


def initialise(folder: Path, *, subdir: bool = False) -> list[Step]:
    """Make a project of Git and DVC where ``folder`` is.

    What is there already is left as it is. The files of DVC are staged, and committed only where the
    repository has no commit at all, since a run needs one as its baseline.

    Parameters
    ----------
    folder : Path
        A folder; the project becomes the root of its Git work tree, or the folder itself where there is none.
    subdir : bool
        Make ``folder`` a DVC project of its own inside a larger repository.

    Raises
    ------
    UsageError
        If the folder lies in a bare repository, or does not exist.
    WorldError
        If it cannot be written.
    """
    steps = []
    try:
        top, _, _ = workspace.find_git(folder)
        steps.append(Step(f"Git work tree {top}", False))
    except UsageError as error:
        if not error.what.startswith("not a Git repository"):
            raise
        branch = (
            []
            if git_run(folder, "config", "init.defaultBranch").returncode == 0
            else ["--initial-branch=main"]
        )
        git(folder, "init", "--quiet", *branch)
        top, _, _ = workspace.find_git(folder)
        steps.append(Step(f"Git work tree {top}", True))
    root = Path(os.path.realpath(folder)) if subdir else top
    made = _make_dvc(root)
    steps.append(Step(f"DVC project {root}", bool(made)))
    if resolve(top, "HEAD") is None:
        _first_commit(root, made)
        steps.append(Step("first commit, the baseline of runs", True))
    return steps


def _make_dvc(root: Path) -> list[str]:
    """Write and stage the files of DVC in ``root`` unless they are there; return those that were written."""
    if (root / ".dvc").is_dir():
        return []
    made = []
    try:
        (root / ".dvc" / "tmp").mkdir(parents=True)
        for name, text in _DVC_FILES.items():
            if not (root / name).exists():
                (root / name).write_text(text, encoding="utf-8")
                made.append(name)
    except OSError as error:
        raise WorldError(
            f"the DVC project cannot be made in {root}: {error.strerror}", "Check who owns the folder"
        ) from error
    git(root, "add", "--", *made)
    return made


def _first_commit(root: Path, paths: list[str]) -> None:
    """Commit the files of DVC alone: what the user staged stays staged."""
    identity = (
        [] if _identity(root) else ["-c", "user.name=provenote", "-c", "user.email=provenote@localhost"]
    )
    words = ["commit", "--quiet", "--no-verify", "--allow-empty", "-m", "Start the project"]
    git(root, *identity, "-c", "commit.gpgsign=false", *words, *(["--", *paths] if paths else []))


def _identity(folder: Path) -> bool:
    """Whether Git knows who commits here."""
    if os.environ.get("GIT_AUTHOR_EMAIL") and os.environ.get("GIT_COMMITTER_EMAIL"):
        return True
    return git_run(folder, "config", "user.email").returncode == 0
