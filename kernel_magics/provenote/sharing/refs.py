"""The refs of this clone that an exchange reads and moves: all read in one call, all moved or none."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from provenote.git import command
from provenote.sharing import transport
from provenote.sharing.plan import Element
from provenote.stores import archives, notes


@dataclass(frozen=True, slots=True)
class Here:
    """What this clone has.

    Parameters
    ----------
    runs : mapping of str to str
        Runs, plain experiments of DVC, and archives: commit by ref.
    archived : mapping of str to frozenset of str
        Commits of the runs in each archive, by its ref.
    others : mapping of str to str
        Annotations, our branches, and tags: object by ref; what a tag points to under its name and ``^{}``.
    """

    runs: Mapping[str, str]
    archived: Mapping[str, frozenset[str]]
    others: Mapping[str, str]

    def kept(self, gone: Collection[Element], within: Collection[str] | None = None) -> frozenset[str]:
        """Return the commits of runs that archives hold, less those that have left them.

        Parameters
        ----------
        gone : collection of (ref, commit)
            What annotations say is gone; the pair of an archive and a run's commit has left it.
        within : collection of str, optional
            Only these archives.
        """
        return frozenset(
            commit
            for archive, commits in self.archived.items()
            if within is None or archive in within
            for commit in commits
            if (archive, commit) not in gone
        )


def read(folder: Path) -> Here:
    """Return the refs of a repository that may travel."""
    branches = [f"refs/heads/{branch}" for branch in transport.BRANCHES]
    found = _listed(folder, "%(objectname)", "refs/exps", archives.REF, notes.REF, *branches, "refs/tags")
    if any(ref.startswith("refs/tags/") for ref in found):
        # Asked for tags alone: to tell what a ref points to, Git reads its object.
        peeled = _listed(folder, "%(*objectname)", "refs/tags")
        found.update({f"{ref}^{{}}": oid for ref, oid in peeled.items() if oid})
    archived: dict[str, frozenset[str]] = {}
    if any(ref.startswith(f"{archives.REF}/") for ref in found):
        parents = _listed(folder, "%(parent)", archives.REF)
        archived = {ref: frozenset(commits.split()) for ref, commits in parents.items()}
    travelling = transport.runs_of(found)
    return Here(travelling, archived, {ref: oid for ref, oid in found.items() if ref not in travelling})


def _listed(folder: Path, field: str, *wanted: str) -> dict[str, str]:
    out = os.fsdecode(command.git(folder, "for-each-ref", f"--format=%(refname) {field}", *wanted))
    return {ref: oid for ref, _, oid in (line.partition(" ") for line in out.splitlines())}


def move(folder: Path, made: Mapping[str, str], dropped: Iterable[Element]) -> None:
    """Create refs that must not exist and delete refs that must still point where they did: all or none.

    Raises
    ------
    Raced
        If another process moved one of them meanwhile.
    WorldError
        If the repository cannot be written.
    """
    lines = [f"create {ref}\0{commit}\0" for ref, commit in made.items()]
    lines += [f"delete {ref}\0{commit}\0" for ref, commit in dropped]
    if not lines:
        return
    answer = command.run(folder, "update-ref", "--stdin", "-z", given=os.fsencode("".join(lines)))
    if answer.returncode == 0:
        return
    said = answer.stderr
    raced = (b"but expected", b"already exists", b"unable to resolve", b".lock': File exists")
    if any(word in said for word in raced):
        raise transport.Raced(said.decode(errors="replace"))
    raise command.failure(["update-ref"], said)
