"""Read many Git objects in process (libgit2); single ones are `provenote.git.objects`'."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from provenote.errors import WorldError

if TYPE_CHECKING:
    import pygit2

_open: dict[str, pygit2.Repository] = {}


def repository(git_dir: Path) -> pygit2.Repository:
    """Open the repository once per process.

    Raises
    ------
    WorldError
        If libgit2 cannot read this kind of repository (SHA-256, reftable, another owner).
    """
    key = f"{os.getpid()}:{git_dir}"  # a forked child opens its own
    known = _open.get(key)
    if known is None:
        import pygit2  # 0.1 s: only who writes or reads runs pays for it

        try:
            known = pygit2.Repository(str(git_dir))
        except pygit2.GitError as error:
            raise WorldError(f"the repository {git_dir} is of a kind that we cannot read: {error}") from error
        _open[key] = known
    return known


def commit(repo: pygit2.Repository, oid: str) -> pygit2.Commit:
    """Return the commit with this id; KeyError if there is none."""
    import pygit2

    return repo[oid].peel(pygit2.Commit)


def tree(repo: pygit2.Repository, oid: str | pygit2.Oid) -> pygit2.Tree:
    """Return the tree with this id (or that of the commit with this id); KeyError if there is none."""
    import pygit2

    return repo[oid].peel(pygit2.Tree)


def content(repo: pygit2.Repository, folder: pygit2.Tree, path: str) -> bytes | None:
    """Return the bytes of a file below a tree, or None where there is no such file."""
    import pygit2

    try:
        entry = folder[path]
    except KeyError:
        return None
    return entry.data if isinstance(entry, pygit2.Blob) else None
