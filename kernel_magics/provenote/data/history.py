"""Versions of data in time: what a revision names, and the versions that Git remembers.

A revision is, in this order: a Git revision (``HEAD~3``, a branch, a tag, a commit), a run (by name or
id), or the first four or more digits of a content hash.
"""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass
from typing import Any

from provenote.data import profiles, tracked
from provenote.errors import ProvenoteError, UsageError
from provenote.git.command import blobs, git, resolve, run
from provenote.stores import cache, pointers
from provenote.stores.disk import shown
from provenote.stores.pointers import Stored
from provenote.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a path.

    Parameters
    ----------
    path : str
        POSIX path from the DVC root.
    stored : Stored
        MD5, size in bytes, number of files.
    rev : str
        The revision as it was asked for.
    commit : str or None
        The commit that names it, if one does.
    """

    path: str
    stored: Stored
    rev: str
    commit: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A commit that made a version of a path the present one.

    Parameters
    ----------
    version : Version
        The version; its ``rev`` is the short commit.
    when : int
        Time of the commit, seconds since 1970, UTC.
    author, subject : str
        Who, and the first line of the message.
    rows : int or None
        Rows of a table, from the profile in the same commit.
    """

    version: Version
    when: int
    author: str
    subject: str
    rows: int | None


def split(spec: str) -> tuple[str, str | None]:
    """Split ``PATH@REV``; a path may hold an ``@`` of its own, and so may a revision (``HEAD@{1}``).

    The cut is the first ``@`` before which something is tracked, else something is there; without
    any, the first.
    """
    cuts = [found.start() for found in re.finditer("@", spec) if found.start()]
    if not cuts or os.path.exists(spec + tracked.SUFFIX):
        return spec, None
    for is_there in (lambda left: os.path.exists(left + tracked.SUFFIX), os.path.lexists):
        for cut in cuts:
            if is_there(spec[:cut]):
                return spec[:cut], spec[cut + 1 :] or None
    if os.path.lexists(spec):
        return spec, None
    return spec[: cuts[0]], spec[cuts[0] + 1 :] or None


def version(workspace: Workspace, path: str, rev: str) -> Version:
    """Return the version of ``path`` (from the DVC root) that ``rev`` names.

    Raises
    ------
    UsageError
        If there is no such revision, or the path is not tracked there.
    """
    commit = resolve(workspace.top, rev)
    found = _at_commit(workspace, path, rev, commit) if commit else None
    if found is None and commit is None:
        run_commit, reads = _of_run(workspace, rev)
        for read in reads:
            if read.get("path") == path and read.get("md5"):
                stored = Stored(str(read["md5"]), int(read.get("size") or 0), read.get("nfiles"))
                return Version(path, stored, rev, run_commit)
        commit = run_commit
        found = _at_commit(workspace, path, rev, commit) if commit else None
    if found is None and re.fullmatch(r"[0-9a-f]{4,32}(\.dir)?", rev):
        found = _by_hash(workspace, path, rev)
    if found is not None:
        return found
    name = shown(path)
    if commit is None:
        mend = f"See its versions: `provenote data log {name}`"
        raise UsageError(f"{rev!r} is no Git revision, no run and no content hash of {name}", mend)
    mend = f"See when it was: `provenote data log {name}`"
    raise UsageError(f"{name} was not tracked at {rev}", mend)


def present(workspace: Workspace, path: str) -> Version | None:
    """Return the version that the pointer in the work tree names; a path in a tracked folder counts too."""
    for owner, inside in _owners(path):
        one = tracked.at(workspace, owner)
        if one is None:
            one = next((other for other in tracked.everything(workspace) if other.path == owner), None)
        if one is not None and one.stored is not None:
            stored = _inside(workspace, one.stored, inside)
            return Version(path, stored, "", None) if stored else None
    return None


def changes(workspace: Workspace, path: str, limit: int = 1000) -> list[Change]:
    """Return the commits in the history of HEAD that changed the version of ``path``, the newest first.

    Raises
    ------
    UsageError
        If no commit ever tracked it.
    """
    pointer = _in_git(workspace, path + tracked.SUFFIX)
    query = [
        "log",
        f"--max-count={limit}",
        "-z",
        "--format=%H%x1f%ct%x1f%an%x1f%s",
        "--follow",
        "--name-status",
    ]
    answer = run(workspace.top, *query, "--", pointer)
    commits = _parse_log(answer.stdout)
    names = [f"{commit[0]}:{name}" for commit, name in commits]
    beside = [re.sub(r"\.dvc$", profiles.ENDING, name) for name in names]
    found: list[Change] = []
    contents = blobs(workspace.top, names + beside) if names else iter(())
    texts = list(contents)
    for index, (commit, _) in enumerate(commits):
        stored = _stored(texts[index])
        if stored is None:
            continue
        about = profiles.from_text(texts[len(names) + index] or b"")
        rows = (
            about.get("rows") if about and about["md5"] == stored.md5 and not about.get("sampled") else None
        )
        sha, when, author, subject = commit
        found.append(Change(Version(path, stored, sha[:7], sha), int(when), author, subject, rows))
    kept = [
        one
        for i, one in enumerate(found)
        if i + 1 == len(found) or one.version.stored != found[i + 1].version.stored
    ]
    if not kept and tracked.at(workspace, path) is None:
        name = shown(path)
        raise UsageError(f"no commit tracks {name}", f"Track it: `provenote data add {name}`")
    return kept


def readers(workspace: Workspace, path: str) -> dict[str, list[str]]:
    """Return the runs that read ``path``: ``{md5: names of runs}``; none where there are over 2,000 runs."""
    try:
        from provenote.stores import index
    except ImportError:
        return {}
    rows, _ = index.rows(workspace, everything=True)
    if len(rows) > 2000:
        return {}
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.commit:
            for read in index.document(workspace, row.commit).get("reads") or []:
                if read.get("path") == path and read.get("md5"):
                    found.setdefault(str(read["md5"]), []).append(row.name)
    return found


def _owners(path: str) -> list[tuple[str, str]]:
    """Return what may track ``path``: itself, or a folder above it with the rest of the path."""
    parts = path.split("/")
    return [("/".join(parts[:end]), "/".join(parts[end:])) for end in range(len(parts), 0, -1)]


def _in_git(workspace: Workspace, path: str) -> str:
    return posixpath.join(workspace.prefix, path)


def _at_commit(workspace: Workspace, path: str, rev: str, commit: str) -> Version | None:
    owners = _owners(path)
    names = [f"{commit}:{_in_git(workspace, owner)}{tracked.SUFFIX}" for owner, _ in owners]
    safe = [name for name in names if "\n" not in name]
    for (_, inside), content in zip(owners, blobs(workspace.top, safe), strict=False):
        stored = _stored(content)
        if stored is not None:
            part = _inside(workspace, stored, inside)
            return Version(path, part, rev, commit) if part else None
    return _git_file(workspace, path, rev, commit)


def _git_file(workspace: Workspace, path: str, rev: str, commit: str) -> Version | None:
    """Return a file that Git itself keeps; its bytes go to the cache so that it is like any other."""
    answer = run(workspace.top, "cat-file", "blob", f"{commit}:{_in_git(workspace, path)}")
    if answer.returncode:
        return None
    md5 = cache.put_bytes(answer.stdout, workspace.cache_dir)
    return Version(path, Stored(md5, len(answer.stdout)), rev, commit)


def _inside(workspace: Workspace, stored: Stored, inside: str) -> Stored | None:
    """Return a file of a stored folder, or a folder in it; ``inside`` is empty for the whole."""
    if not inside:
        return stored
    if stored.nfiles is None:
        return None
    if cache.locate(workspace.cache_dir, stored.md5) is None:
        from provenote.stores import remotes

        remotes.pull(workspace, [stored.md5])
    listed = cache.entries(workspace.cache_dir, stored.md5)
    for entry in listed:
        if entry.path == inside:
            found = cache.locate(workspace.cache_dir, entry.md5)
            return Stored(entry.md5, found.stat().st_size if found else 0)
    below = [(one.path[len(inside) + 1 :], one.md5) for one in listed if one.path.startswith(inside + "/")]
    if not below:
        return None
    from provenote.stores.deposit import listing

    md5 = cache.put_bytes(listing(below), workspace.cache_dir, folder=True)
    sizes = [found.stat().st_size for _, one in below if (found := cache.locate(workspace.cache_dir, one))]
    return Stored(md5, sum(sizes), len(below))


def _of_run(workspace: Workspace, rev: str) -> tuple[str | None, list[dict[str, Any]]]:
    """Return a run's commit and what it read; (None, []) when ``rev`` names no run."""
    try:
        from provenote.stores import index
    except ImportError:
        return None, []
    try:
        row = index.find(workspace, rev)
    except ProvenoteError:
        return None, []
    if row.commit is None:
        return row.baseline, []
    return row.commit, list(index.document(workspace, row.commit).get("reads") or [])


def _by_hash(workspace: Workspace, path: str, digits: str) -> Version | None:
    now = present(workspace, path)
    versions = [one.version for one in changes(workspace, path)] + ([now] if now else [])
    found = {one.stored.md5: one for one in versions if one.stored.md5.startswith(digits)}
    if len(found) > 1:
        raise UsageError(
            f"several versions of {shown(path)} begin with {digits}", f"Say more: {', '.join(found)}"
        )
    for one in found.values():
        return Version(path, one.stored, digits, one.commit)
    return None


def _stored(content: bytes | None) -> Stored | None:
    if content is None:
        return None
    try:
        return pointers.read(content.decode("utf-8")).stored
    except (UsageError, UnicodeDecodeError):
        return None


def _parse_log(out: bytes) -> list[tuple[list[str], str]]:
    """Parse ``git log -z --name-status``: the facts of each commit, and the name that it gave the file."""
    words = os.fsdecode(out).split("\0")
    found: list[tuple[list[str], str]] = []
    commit: list[str] | None = None
    index = 0
    while index < len(words):
        word = words[index].lstrip("\n")
        if "\x1f" in word:
            commit = word.split("\x1f", 3)
        elif commit and re.fullmatch(r"[RC]\d+", word):
            found.append((commit, words[index + 2]))
            commit, index = None, index + 2
        elif commit and re.fullmatch(r"[AMTU]", word):
            found.append((commit, words[index + 1]))
            commit, index = None, index + 1
        index += 1
    return found


def short(workspace: Workspace, commit: str) -> str:
    """Return the short form of a commit that Git itself would show."""
    return git(workspace.top, "rev-parse", "--short", commit).decode().strip()
