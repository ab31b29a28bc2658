"""Archives: old runs under few refs, so that a push or fetch need not name them one by one.

``refs/provenote/archive/<16 hex digits>`` points to one commit. Its parents are the commits of up to 1,000
runs, which keeps them from ``git gc`` and carries them wherever the ref goes. Its tree holds one file,
``runs``: a line ``<commit> <ref>`` for each ref that a run had, sorted. The name is random: no two clones
choose one for two archives. An archive is never rewritten: a run leaves it by an annotation (``removed``,
with the archive's ref and the run's commit), which any two clones can say at the same time.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from provenote.git import command, objects, refs
from provenote.stores import runs
from provenote.stores.annotation import Element

REF = "refs/provenote/archive"
LIMIT = 1_000
"""Runs of one archive."""
FILE = "runs"

_RUN = re.compile(rf"{runs.REFS}/[0-9a-f]{{2}}/[0-9a-f]{{38,62}}/[^/\x00-\x20]+")

Members = tuple[Element, ...]
"""Refs that an archive keeps, each with its commit."""


def text(members: Iterable[Element]) -> bytes:
    """Return the file of an archive: ``<commit> <ref>``, one line each. Pure."""
    return os.fsencode("".join(sorted(f"{commit} {ref}\n" for ref, commit in members)))


def parse(content: bytes, parents: Sequence[str]) -> Members:
    """Read the file of an archive; a run that it gives no name is named by its commit. Pure.

    Parameters
    ----------
    content : bytes
    parents : sequence of str
        Parents of the archive's commit: only what they hold is in the archive.
    """
    there, found = set(parents), []
    for line in os.fsdecode(content).split("\n"):
        commit, _, ref = line.partition(" ")
        if commit in there and _RUN.fullmatch(ref):
            found.append((ref, commit))
    named = {commit for _, commit in found}
    nameless = (commit for commit in dict.fromkeys(parents) if commit not in named)
    return (*found, *((f"{runs.REFS}/00/{'0' * 38}/{commit[:12]}", commit) for commit in nameless))


def parts(members: Iterable[Element]) -> list[list[Element]]:
    """Part refs into archives of at most `LIMIT` runs; the refs of one run stay together. Pure."""
    by_commit: dict[str, list[Element]] = {}
    for ref, commit in members:
        by_commit.setdefault(commit, []).append((ref, commit))
    commits = list(by_commit)
    return [
        [element for commit in commits[start : start + LIMIT] for element in by_commit[commit]]
        for start in range(0, len(commits), LIMIT)
    ]


def write(common_dir: Path, members: Sequence[Element]) -> str:
    """Make an archive of at most `LIMIT` runs and return its ref; the refs of the runs stay.

    Everything is on the disk when this returns: the runs may lose their refs then.

    Raises
    ------
    OSError, WorldError
        If the repository cannot be written; then there is no archive.
    """
    name = f"{REF}/{secrets.token_hex(8)}"
    commits = sorted({commit for _, commit in members})
    blob = objects.write(common_dir, "blob", text(members))
    tree = objects.build(common_dir, None, {FILE: (blob, objects.FILE)})
    many = "1 run" if len(commits) == 1 else f"{len(commits):,} runs"
    made = objects.commit(common_dir, tree, commits, f"provenote: {many} archived\n")
    for oid in (blob, tree, made):
        _settle(common_dir / "objects" / oid[:2] / oid[2:])
    refs.create(common_dir, name, made)
    _settle(common_dir / name)
    return name


def _settle(path: Path) -> None:
    """Wait until a file and its name are on the disk; one that lies in a pack already is."""
    for each in (path, path.parent):
        try:
            descriptor = os.open(each, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read(folder: Path, oids: Sequence[str]) -> dict[str, Members]:
    """Return what the archives with these commits keep; one that is no archive keeps nothing."""
    asked = [name for oid in oids for name in (oid, f"{oid}:{FILE}")]
    contents = list(command.blobs(folder, asked))
    found: dict[str, Members] = {}
    for number, oid in enumerate(oids):
        head = (contents[2 * number] or b"").partition(b"\n\n")[0].decode("utf-8", "replace")
        parents = [line[7:] for line in head.split("\n") if line.startswith("parent ")]
        found[oid] = parse(contents[2 * number + 1] or b"", parents)
    return found


def listing(folder: Path) -> dict[str, str]:
    """Return the archives of a repository: commit by ref."""
    out = command.git(folder, "for-each-ref", "--format=%(refname) %(objectname)", REF)
    return dict(line.split(" ", 1) for line in out.decode().splitlines())


def kept(archives: Mapping[str, Members], gone: Collection[Element]) -> dict[str, list[str]]:
    """Return the runs that archives keep: their refs by commit. Pure.

    Parameters
    ----------
    archives : mapping of str to Members
        By the archive's ref.
    gone : collection of (ref, commit)
        What annotations say is gone: the pair of an archive and a run's commit has left the archive.
    """
    found: dict[str, list[str]] = {}
    for archive, members in archives.items():
        for ref, commit in members:
            if (archive, commit) not in gone:
                names = found.setdefault(commit, [])
                if ref not in names:
                    names.append(ref)
    return found
