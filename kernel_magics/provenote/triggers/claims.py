"""What a rule fired for last, and who may fire it next: a ref of Git that moves by compare-and-swap.

``refs/provenote/triggers/<rule>`` points to a chain of commits with empty trees, one for each time something
was decided; the message's last line is JSON (`Claim`). Whoever moves the ref from the value that was seen has
won. With a remote the move is made there first, by a push that is refused unless the ref there is as it was
seen.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from provenote.errors import WorldError
from provenote.git import command, objects
from provenote.model import SCHEMA
from provenote.sharing import transport
from provenote.stores.live import HOST

if TYPE_CHECKING:
    from pathlib import Path

    from provenote.sharing.transport import Remote

REFS = "refs/provenote/triggers/"


# What Git says when another push was faster: by the lease, or at the very moment of the write.
_LOST = (b"[rejected]", b"lock", b"failed to update ref", b"incorrect old value", b"already exists")


@dataclass(frozen=True, slots=True)
class Claim:
    """One decision about a rule.

    Parameters
    ----------
    rule : str
    sign : str
        `Rule.sign` of the condition that was looked at.
    what : {'armed', 'fired', 'missed'}
        ``armed``: seen for the first time, how things stood was remembered; ``missed``: due too long ago.
    key : str or None
        How things stood.
    at : float
        Seconds since 1970.
    host, clone : str
        Machine, and which clone on it, of the timer.
    job : str or None
        Id of the job that was started, or is to be.
    """

    rule: str
    sign: str
    what: Literal["armed", "fired", "missed"]
    key: str | None
    at: float
    host: str = HOST
    clone: str = ""
    job: str | None = None


@dataclass(frozen=True, slots=True)
class Book:
    """The claims of a repository, as one clone of it knows and makes them.

    Parameters
    ----------
    common_dir : Path
    remote : Remote or None
        Where claims are decided; this clone alone when None.
    """

    common_dir: Path
    remote: Remote | None = None

    @property
    def clone(self) -> str:
        """What tells this clone from all others, those on the same machine included."""
        return hashlib.sha256(f"{HOST}:{os.path.realpath(self.common_dir)}".encode()).hexdigest()[:12]

    def refresh(self) -> None:
        """Fetch what the remote knows.

        Raises
        ------
        WorldError
            If it does not answer: nobody can tell then what has fired.
        """
        if self.remote is not None:
            try:
                transport.fetch(self.remote, [f"+{REFS}*:{REFS}*"])
            except transport.Raced:
                return  # another timer writes at this moment: the move below is judged by the remote

    def last(self, rule: str) -> tuple[str | None, Claim | None]:
        """Return the commit of the last claim, and the claim; ``(None, None)`` for a rule never seen."""
        commit = command.resolve(self.common_dir, REFS + rule)
        if commit is None:
            return None, None
        return commit, next(self._chain(commit, 1), None)

    def history(self, rule: str, limit: int = 20) -> list[Claim]:
        """Return the claims of a rule, the newest first."""
        commit = command.resolve(self.common_dir, REFS + rule)
        return list(self._chain(commit, limit)) if commit else []

    def _chain(self, commit: str, limit: int) -> Iterator[Claim]:
        out = command.git(self.common_dir, "log", "-z", f"-{limit}", "--format=%B", commit, "--")
        for message in out.decode("utf-8", "replace").split("\0"):
            lines = message.strip().splitlines()
            try:
                facts = json.loads(lines[-1])
                if facts.pop("schema") <= SCHEMA:
                    yield Claim(**facts)
            except (ValueError, KeyError, TypeError, IndexError, AttributeError):
                continue  # not ours, or a newer release's

    def make(self, claim: Claim, old: str | None) -> bool:
        """Write a claim after the commit ``old``; False if somebody else wrote one meanwhile.

        Raises
        ------
        WorldError
            If the repository cannot be written, or the remote does not answer.
        """
        ref = REFS + claim.rule
        about = json.dumps({"schema": SCHEMA, **asdict(claim)}, sort_keys=True)
        message = f"{claim.rule}: {claim.what}\n\n{about}\n"
        try:
            empty = objects.build(self.common_dir, None, {})
            new = objects.commit(self.common_dir, empty, [old] if old else [], message)
        except OSError as error:
            raise WorldError(
                f"the rule {claim.rule} cannot be claimed: {error.strerror}", "Mend that"
            ) from error
        if self.remote is not None and not self._push(ref, new, old):
            return False
        words = ["update-ref", "-m", claim.what, ref, new]
        if self.remote is None:
            return command.run(self.common_dir, *words, old or command.ZERO).returncode == 0
        return command.run(self.common_dir, *words).returncode == 0

    def _push(self, ref: str, new: str, old: str | None) -> bool:
        assert self.remote is not None
        words = ["push", "--porcelain", "--no-verify", f"--force-with-lease={ref}:{old or ''}"]
        answer = transport.run(self.remote, *words, self.remote.name, f"{new}:{ref}")
        if answer.returncode == 0:
            return True
        if any(word in answer.stdout for word in _LOST):
            return False
        if b"[remote rejected]" in answer.stdout:
            said = answer.stdout.decode(errors="replace").split("[remote rejected]", 1)[1]
            why = " ".join(said.split("\n")[0].split())
            raise WorldError(
                f"{self.remote.name} refuses {ref}: {why}",
                "Let this account push there, or leave out `remote:`",
            )
        raise transport.unreachable(self.remote, answer.stderr)
