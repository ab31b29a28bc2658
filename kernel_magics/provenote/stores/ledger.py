"""Append-only files on one Git branch: what many clones write at once and nobody may change.

- A file's name tells its content (a hash), so two clones never write one path differently: any two
  states merge by plain union, and the order of commits means nothing.
- `append` adds files in one commit and moves the branch only if nobody did meanwhile; else it tries again.
- `read` refuses a branch in whose history any commit changed or removed a file, and one that is shallow:
  it returns the whole truth or none of it.
- `unite` takes in what another clone has; `provenote.sharing` fetches and pushes.

The ledger knows no event: `provenote.registry` gives the files their meaning. Only Git's own commands are
used, so SHA-256 repositories work too; replaced objects (`git replace`) are not honoured.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from provenote.errors import Refused, WorldError
from provenote.git import command

GOVERNANCE = "provenote-governance"
"""Branch of policies, promotions and what else is signed about models."""

REVIEWS = "provenote-reviews"
"""Branch of what is signed about notebooks: comments, suggestions, votes."""

TRIES = 60
WRITER = "provenote <provenote@localhost>"
"""Author of the branch's commits: they mean nothing, the signatures in the files do."""

_ENVIRONMENT = {"GIT_NO_REPLACE_OBJECTS": "1"}
_ATTRIBUTES = {".gitattributes": b"* -text\n"}  # no platform may touch the bytes of a signed line

# Against each parent: a merge that drops what its second parent brought is a removal too.
_CHANGES = ("log", "-m", "--no-renames", "--no-ext-diff", "--diff-filter=a", "--name-only")


class Moved(WorldError):
    """Somebody else wrote the ledger between a look at it and a write."""


@dataclass(frozen=True, slots=True)
class State:
    """What a ledger holds.

    Parameters
    ----------
    commit : str
        The commit that was read.
    files : mapping of str to bytes
        Content by POSIX path.
    """

    commit: str
    files: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Ledger:
    """One append-only branch of one repository.

    Parameters
    ----------
    folder : Path
        A folder of the repository (work tree or Git folder).
    branch : str
        Name of the branch.
    """

    folder: Path
    branch: str = GOVERNANCE

    @property
    def ref(self) -> str:
        """The full name of the branch."""
        return f"refs/heads/{self.branch}"

    @property
    def called(self) -> str:
        """What messages call it."""
        return "governance ledger" if self.branch == GOVERNANCE else f"branch {self.branch}"

    def tip(self) -> str | None:
        """Return the commit of the branch, or None when this clone has none."""
        return self._resolve(self.ref)

    def known_elsewhere(self) -> list[str]:
        """Return the remotes whose ledger this clone has fetched already."""
        out = self._git("for-each-ref", "--format=%(refname)", "refs/remotes/").decode()
        tail = f"/{self.branch}"
        return sorted(ref[len("refs/remotes/") : -len(tail)] for ref in out.split() if ref.endswith(tail))

    def read(self, commit: str | None = None) -> State:
        """Return every file, after checking that none was ever changed or removed.

        Parameters
        ----------
        commit : str, optional
            A commit of the branch; its tip by default.

        Raises
        ------
        Refused
            If there is no ledger, its history was tampered with, or this clone holds only a part of it.
        """
        at = commit or self.tip()
        if at is None:
            raise Refused("this repository has no governance ledger", "Start one: `provenote init --solo`")
        self._check_whole(at)
        with self._changes(at) as changes:  # Git walks the history while another one reads the files
            listed = self.paths(at)
            contents = list(self._blobs(listed.values()))
            self._check_unchanged(at, changes())
        return State(at, dict(zip(listed, contents, strict=True)))

    def paths(self, commit: str) -> dict[str, str]:
        """Return ``{path: object id}`` of the files of a commit; links and submodules don't count."""
        found = {}
        for entry in self._git("ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0"):
            meta, _, path = entry.partition(b"\t")
            if path and meta.startswith(b"100"):
                found[path.decode("utf-8", "surrogateescape")] = meta.split()[2].decode()
        return found

    def holds(self, commit: str, of: str) -> bool:
        """Whether ``commit`` is in the history of the commit ``of``."""
        answer = command.run(self.folder, "merge-base", "--is-ancestor", commit, of, env=_ENVIRONMENT)
        return answer.returncode == 0

    def check_history(self, commit: str) -> None:
        """Refuse a history in which a file was changed or removed, or of which this clone holds only a part.

        Raises
        ------
        Refused
            The message names the commit and the file.
        """
        self._check_whole(commit)
        with self._changes(commit) as changes:
            self._check_unchanged(commit, changes())

    def _check_whole(self, commit: str) -> None:
        shallow = self._common_dir() / "shallow"
        if shallow.exists():
            cut = set(shallow.read_text().split())
            if cut & set(self._git("rev-list", commit).decode().split()):
                mend = f"Fetch the rest: `git fetch --unshallow origin {self.branch}`"
                raise Refused(f"this clone holds only a part of the {self.called}'s history", mend)

    def _changes(self, commit: str) -> AbstractContextManager[Callable[[], bytes]]:
        """Start to look for files that the history changed or removed."""
        return command.begun(self.folder, *_CHANGES, "--format=", commit, "--", env=_ENVIRONMENT)

    def _check_unchanged(self, commit: str, changes: bytes) -> None:
        if changes.strip():
            said = (
                self._git(*_CHANGES, "--format=%H", "-1", commit, "--").decode(errors="replace").split("\n")
            )
            names = [line for line in said if line]
            culprit = f"commit {names[0][:12]} changed or removed {names[-1]}"
            raise Refused(
                f"the {self.called} was tampered with: {culprit}",
                f"Go back to the last good commit: `git log --stat {self.branch}`",
            )

    def append(self, files: Mapping[str, bytes], message: str, *, onto: str | None = None) -> str:
        """Add files to the branch and return its new commit; nothing that is there changes.

        Parameters
        ----------
        files : mapping of str to bytes
            New files by POSIX path. A path that exists with the same content is left alone.
        message : str
            One line for people who read ``git log``.
        onto : str, optional
            Append only if the branch is still at this commit.

        Raises
        ------
        Moved
            If it is not: what was decided by looking at that commit must be looked at again.
        Refused
            If a path exists with another content.
        WorldError
            If the repository cannot be written, or others keep writing all the time.
        """
        for attempt in range(TRIES):
            tip = self.tip()
            if onto is not None and tip != onto:
                raise Moved(f"the {self.called} has grown meanwhile", "Try again: nothing is lost")
            there = self.paths(tip) if tip else {}
            wanted = dict(files) if tip else {**_ATTRIBUTES, **files}
            new = {path: content for path, content in wanted.items() if path not in there}
            old = sorted(set(wanted) - set(new))
            for path, content in zip(old, self._blobs(there[path] for path in old), strict=True):
                if content != wanted[path]:
                    raise Refused(f"the {self.called} already holds another {ascii(path)}")
            if tip and not new:
                return tip
            commit = self._write([tip] if tip else [], new, {}, message)
            if commit:
                return commit
            _pause(attempt)
        raise WorldError(f"the {self.called} is being written all the time", "Try again: nothing is lost")

    def unite(self, other: str) -> str:
        """Take in everything that the commit ``other`` holds and return the branch's new commit.

        Raises
        ------
        Refused
            If ``other``'s history was tampered with, or holds another content under one of our paths.
        """
        self.check_history(other)
        for attempt in range(TRIES):
            tip = self.tip()
            if tip is not None and self.holds(other, tip):
                return tip
            united: str | None
            if tip is None or self.holds(tip, other):
                united = other if self._move(other, tip) else None
            else:
                ours, theirs = self.paths(tip), self.paths(other)
                for path in ours.keys() & theirs.keys():
                    if ours[path] != theirs[path]:
                        raise Refused(
                            f"two clones hold different contents of {ascii(path)} in the {self.called}"
                        )
                extra = {path: oid for path, oid in theirs.items() if path not in ours}
                united = self._write([tip, other], {}, extra, "unite two clones")
            if united:
                return united
            _pause(attempt)
        raise WorldError(f"the {self.called} is being written all the time", "Try again: nothing is lost")

    # ------------------------------------------------------------------ Git

    def _git(self, *arguments: str, given: bytes | None = None, env: dict[str, str] | None = None) -> bytes:
        return command.git(self.folder, *arguments, given=given, env={**_ENVIRONMENT, **(env or {})})

    def _resolve(self, name: str) -> str | None:
        answer = command.run(
            self.folder, "rev-parse", "--quiet", "--verify", f"{name}^{{commit}}", env=_ENVIRONMENT
        )
        return answer.stdout.decode().strip() or None if answer.returncode == 0 else None

    def _common_dir(self) -> Path:
        out = self._git("rev-parse", "--path-format=absolute", "--git-common-dir")
        return Path(os.fsdecode(out).rstrip("\n"))

    def _blobs(self, oids: Iterable[str]) -> list[bytes]:
        """Read many blobs in one process."""
        asked = list(oids)
        if not asked:
            return []
        out, start, found = (
            self._git("cat-file", "--batch", given="".join(f"{oid}\n" for oid in asked).encode()),
            0,
            [],
        )
        for oid in asked:
            end = out.index(b"\n", start)
            words = out[start:end].split(b" ")
            if not words[-1].isdigit():
                raise WorldError(
                    f"the object {oid[:12]} of the {self.called} is missing here",
                    f"Fetch it again: `git fetch --refetch origin {self.branch}`",
                )
            size = int(words[-1])
            found.append(out[end + 1 : end + 1 + size])
            start = end + size + 2
        return found

    def _write(
        self, parents: list[str], new: Mapping[str, bytes], known: Mapping[str, str], message: str
    ) -> str | None:
        """Commit the first parent's tree with more files; None when the branch is not there any more.

        fast-import moves a branch only in a transaction that expects the value it has read, and only
        to a commit that contains that value: one process writes, compares and swaps.
        """
        text = " ".join(message.split()).encode()
        stream = [f"commit {self.ref}\nmark :1\ncommitter {WRITER} {int(time.time())} +0000\n".encode()]
        stream.append(b"data %d\n%s\n" % (len(text), text))
        stream += [
            f"{word} {parent}\n".encode() for word, parent in zip(("from", "merge"), parents, strict=False)
        ]
        for path, content in new.items():
            stream.append(b"M 100644 inline %s\ndata %d\n%s\n" % (_quoted(path), len(content), content))
        stream += [b"M 100644 %s %s\n" % (oid.encode(), _quoted(path)) for path, oid in known.items()]
        stream.append(b"get-mark :1\ndone\n")
        arguments = ["fast-import", "--quiet", "--done", "--date-format=raw"]
        answer = command.run(self.folder, *arguments, given=b"".join(stream), env=_ENVIRONMENT)
        if answer.returncode == 0:
            return answer.stdout.decode().split()[-1]
        if b"does not contain" in answer.stderr or b"lock" in answer.stderr or b"expected" in answer.stderr:
            return None
        raise command.failure(["fast-import"], answer.stderr)

    def _move(self, commit: str, old: str | None) -> bool:
        """Move the branch from ``old`` to ``commit``; False when it is not at ``old`` any more."""
        zero = "0" * len(commit)
        answer = command.run(self.folder, "update-ref", self.ref, commit, old or zero, env=_ENVIRONMENT)
        if answer.returncode == 0:
            return True
        if any(
            word in answer.stderr
            for word in (b"but expected", b"lock", b"already exists", b"unable to resolve")
        ):
            return False
        raise command.failure(["update-ref"], answer.stderr)


def _pause(attempt: int) -> None:
    """Wait a random while, longer with each try, so that writers who met once part."""
    import random  # readers do without

    time.sleep(random.uniform(0, 0.01 * 2 ** min(attempt, 5)))


def _quoted(path: str) -> bytes:
    """Write a path as fast-import reads it, whatever bytes it has."""
    raw = path.encode("utf-8", "surrogateescape")
    plain = all(32 < byte < 127 and byte not in b'"\\' for byte in raw)
    return raw if plain else b'"' + b"".join(b"\\%03o" % byte for byte in raw) + b'"'
