"""A push as a hook sees it: which refs shall move, and how things stand once they have."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from provenote.errors import Refused
from provenote.git import command

PLAIN = {"GIT_NO_REPLACE_OBJECTS": "1"}
"""Objects are read as they are: a pushed ``refs/replace`` deceives nobody."""


@dataclass(frozen=True, slots=True)
class Update:
    """One ref that shall move.

    Parameters
    ----------
    old : str or None
        The object that it points to; None: it is new.
    new : str or None
        The object that it shall point to; None: it shall be deleted.
    ref : str
        Its full name.
    """

    old: str | None
    new: str | None
    ref: str


@dataclass(frozen=True, slots=True)
class Change:
    """A path whose entry differs between two commits: its letter as Git has it, and what is new there."""

    letter: str
    mode: str
    oid: str
    path: str


@dataclass(frozen=True, slots=True)
class Push:
    """All refs of one push, and the repository that takes them.

    Parameters
    ----------
    folder : Path
    updates : tuple of Update
    """

    folder: Path
    updates: tuple[Update, ...]

    def of(self, ref: str) -> Update | None:
        """Return what the push does with a ref, None if nothing."""
        return next((update for update in self.updates if update.ref == ref), None)

    def after(self, ref: str) -> str | None:
        """Return the commit of a ref once the push is taken, None if there is none."""
        update = self.of(ref)
        if update is not None:
            return update.new
        answer = self.run("rev-parse", "--quiet", "--verify", "--end-of-options", f"{ref}^{{commit}}")
        return answer.decode().strip() or None

    def run(self, *arguments: str) -> bytes:
        """Run Git and return its output, empty where it answers no."""
        answer = command.run(self.folder, *arguments, env=PLAIN)
        return answer.stdout if answer.returncode == 0 else b""

    def git(self, *arguments: str, given: bytes | None = None) -> bytes:
        """Run Git and return its output.

        Raises
        ------
        WorldError
            If it fails.
        """
        return command.git(self.folder, *arguments, given=given, env=PLAIN)

    def commit(self, oid: str) -> str:
        """Return ``oid`` if it is a commit.

        Raises
        ------
        Refused
            If it is a tag, a tree or a file.
        """
        kind = self.git("cat-file", "-t", oid).decode().strip()
        if kind != "commit":
            raise Refused(f"it would point to a {kind}, not to a commit")
        return oid

    def grows(self, old: str, new: str) -> bool:
        """Whether ``new`` has ``old`` in its history."""
        answer = command.run(self.folder, "merge-base", "--is-ancestor", old, new, env=PLAIN)
        return answer.returncode == 0

    def changes(self, old: str | None, new: str) -> list[Change]:
        """Return what differs from one commit's files to another's; all files where there is no old one."""
        if old is None:
            listed = self.git("ls-tree", "-r", "-z", "--full-tree", new).split(b"\0")
            rows = [entry.partition(b"\t") for entry in listed if entry]
            return [
                Change("A", meta.split()[0].decode(), meta.split()[2].decode(), _path(path))
                for meta, _, path in rows
            ]
        words = self.git("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", old, new)
        fields = words.split(b"\0")
        found = []
        for meta, path in zip(fields[0::2], fields[1::2], strict=False):
            _, mode, _, oid, letter = meta.decode().split()
            found.append(Change(letter[:1], mode, oid, _path(path)))
        return found

    def sizes(self, oids: Iterable[str]) -> dict[str, int]:
        """Return the size of each object that is there, in bytes."""
        asked = "".join(f"{oid}\n" for oid in oids).encode()
        lines = self.git("cat-file", "--batch-check=%(objectname) %(objectsize)", given=asked).split(b"\n")
        pairs = [line.split() for line in lines if line]
        return {pair[0].decode(): int(pair[1]) for pair in pairs if pair[1].isdigit()}


def _path(path: bytes) -> str:
    return os.fsdecode(path)
