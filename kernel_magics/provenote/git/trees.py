"""Build Git trees, commits and refs in process, without an index or a work tree (libgit2)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from provenote.errors import WorldError

if TYPE_CHECKING:
    import pygit2

FILE, EXECUTABLE, LINK, FOLDER, MODULE = 0o100644, 0o100755, 0o120000, 0o040000, 0o160000

# What a path of a tree becomes: new bytes, an existing object with its mode, or None for "gone".
Change = bytes | tuple[str, int] | None

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


def build(repo: pygit2.Repository, base: pygit2.Tree | None, changes: Mapping[str, Change]) -> pygit2.Oid:
    """Write the tree ``base`` with ``changes`` applied.

    Parameters
    ----------
    repo : pygit2.Repository
        Where the objects go.
    base : pygit2.Tree or None
        The tree to start from; None for an empty one.
    changes : mapping of POSIX path to Change
        What becomes of each path; a folder named with None is removed whole.

    Returns
    -------
    pygit2.Oid
        The id of the new tree.
    """
    builder = repo.TreeBuilder(base) if base is not None else repo.TreeBuilder()
    below: dict[str, dict[str, Change]] = {}
    for path, change in changes.items():
        name, _, rest = path.partition("/")
        if rest:
            below.setdefault(name, {})[rest] = change
        elif change is None:
            if builder.get(name) is not None:
                builder.remove(name)
        elif isinstance(change, bytes):
            builder.insert(name, repo.create_blob(change), FILE)
        else:
            builder.insert(name, change[0], change[1])
    for name, inner in below.items():
        if changes.get(name) is not None:
            continue  # a folder became a file: what was below it is gone
        entry = builder.get(name)
        old = tree(repo, entry.id) if entry is not None and entry.filemode == FOLDER else None
        made = build(repo, old, inner)
        if len(tree(repo, made)):
            builder.insert(name, made, FOLDER)
        elif entry is not None:
            builder.remove(name)
    return builder.write()


def signature(repo: pygit2.Repository) -> pygit2.Signature:
    """Return who writes, by Git's own settings; without any, ``provenote <provenote@localhost>``."""
    import pygit2

    name, mail = os.environ.get("GIT_AUTHOR_NAME"), os.environ.get("GIT_AUTHOR_EMAIL")
    if name and mail:
        return pygit2.Signature(name, mail)
    try:
        return repo.default_signature
    except KeyError:
        return pygit2.Signature("provenote", "provenote@localhost")


def create_ref(repo: pygit2.Repository, name: str, target: str) -> bool:
    """Create a ref that must not exist yet (old value zero); False if it does."""
    import pygit2

    try:
        repo.references.create(name, target, force=False)
    except (pygit2.AlreadyExistsError, ValueError):
        return False
    except (pygit2.GitError, OSError) as error:
        if repo.references.get(name) is not None:
            return False
        raise WorldError(
            f"the ref {name} cannot be written: {error}", "Try again: nothing is lost"
        ) from error
    return True
