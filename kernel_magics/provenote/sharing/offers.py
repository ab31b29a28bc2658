"""Give refs to a Git remote, and read of each whether it was taken, lost a race, or was refused and why."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field

from provenote.sharing import transport

FEW = 20
"""Up to so many new runs are named one by one."""

PARTED = 500
"""Up to so many refs are parted to find those that a hook refuses."""

BATCH = 1_000
"""Refs named in one call: a command line takes 256 kB of them anywhere."""

_RACES = (
    "fetch first", "non-fast-forward", "stale info", "cannot lock ref", "failed to update ref",
    "failed to lock", "incorrect old value", "already exists", "unable to lock", "expected old",
)  # fmt: skip

# What a remote says beside "atomic transaction failed" where another push was quicker than its hook.
_LOST = (b"but expected", b"reference already exists", b".lock': File exists", b"unable to resolve reference")


@dataclass(slots=True)
class Answers:
    """What a remote answered to what it was offered.

    Parameters
    ----------
    taken : list of str
        Refs that are now as they were offered.
    raced : list of str
        Refs that somebody else moved meanwhile.
    refused : dict of str to str
        Refs that it does not want, and its words.
    """

    taken: list[str] = field(default_factory=list)
    raced: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    def add(self, other: Answers) -> None:
        """Take in the answers to another offer."""
        self.taken += other.taken
        self.raced += other.raced
        self.refused.update(other.refused)


@dataclass(frozen=True, slots=True)
class Offer:
    """One ref that a remote is asked to take.

    Parameters
    ----------
    ref : str
    new : str or None
        The object it shall point to; None: it shall be deleted.
    old : str or None
        The object it must still point to; None: plain push, which only moves forward.
    """

    ref: str
    new: str | None
    old: str | None = None

    @property
    def words(self) -> list[str]:
        """The offer as Git takes it."""
        spec = f"{'+' if self.new and self.old else ''}{self.new or ''}:{self.ref}"
        return [f"--force-with-lease={self.ref}:{self.old}", spec] if self.old else [spec]


def offer(
    remote: transport.Remote, offers: Sequence[Offer], *, together: bool = False, spare: int = 16
) -> Answers:
    """Ask the remote to take refs, each for itself or all or none.

    A hook of the remote refuses a whole push for one ref that it does not want: then halves are offered, so
    that only what is refused waits.

    Parameters
    ----------
    remote : Remote
    offers : sequence of Offer
    together : bool
        All or none (``--atomic``).
    spare : int
        How many more calls may be spent on parting what is refused.

    Raises
    ------
    Unreachable
        If the remote does not answer.
    """
    left = [spare]
    if together:
        return _offer(remote, offers, _words(offers), left, together=True) if offers else Answers()
    answers = Answers()
    many, rest = _parted(offers)
    if many:
        answers.add(_offer(remote, many, _patterns(many), left))
    for start in range(0, len(rest), BATCH):
        part = rest[start : start + BATCH]
        if len(part) > FEW and all(each.new is None for each in part):
            # One by one, a remote writes its whole list of refs anew for each that it deletes.
            whole = _offer(remote, part, _words(part), left, together=True)
            if whole.taken:
                answers.add(whole)
                continue
        answers.add(_offer(remote, part, _words(part), left))
    return answers


def _offer(
    remote: transport.Remote,
    offers: Sequence[Offer],
    words: Sequence[str],
    spare: list[int],
    *,
    together: bool = False,
) -> Answers:
    options = ["--porcelain", "--no-follow-tags", "--recurse-submodules=no"]
    settings = ["-c", f"remote.{remote.name}.mirror=false"] if remote.named else []
    atomic = ["--atomic"] if together else []
    answer = transport.run(remote, *settings, "push", *options, *atomic, remote.name, *words)
    if together and b"does not support --atomic" in answer.stderr:  # then one after the other, in their order
        return _offer(remote, offers, words, spare)
    answers = _answers(answer, offers)
    if together and answers.raced:
        return Answers(raced=[each.ref for each in offers])
    if answer.returncode and not answers.taken and not answers.raced and not answers.refused:
        raise transport.unreachable(remote, answer.stderr)
    declined = [each for each in offers if "hook declined" in answers.refused.get(each.ref, "")]
    if together or not 1 < len(declined) <= PARTED or spare[0] < 2:
        return answers
    spare[0] -= 2
    for each in declined:
        del answers.refused[each.ref]
    middle = len(declined) // 2
    for half in (declined[:middle], declined[middle:]):
        answers.add(_offer(remote, half, _words(half), spare))
    return answers


def _answers(answer: subprocess.CompletedProcess[bytes], offers: Sequence[Offer]) -> Answers:
    """Read what ``git push --porcelain`` says of each ref."""
    answers = Answers()
    told = _told(answer.stderr)
    lost = any(word in answer.stderr for word in _LOST)
    wanted = {each.ref for each in offers}
    heard = set()
    for line in os.fsdecode(answer.stdout).splitlines():
        parts = line.split("\t")
        if len(parts) < 3 or ":" not in parts[1]:
            continue
        ref, summary = parts[1].rpartition(":")[2], parts[2]
        if ref not in wanted:
            continue
        heard.add(ref)
        if parts[0] != "!":
            answers.taken.append(ref)
        elif any(word in summary for word in _RACES) or (lost and "atomic transaction failed" in summary):
            answers.raced.append(ref)
        else:
            why = re.sub(r"^\[[^]]*\]\s*", "", summary).strip("() ")
            answers.refused[ref] = f"{why}: {told}" if told and "hook declined" in why else why
    if heard:  # what was not spoken of is not here any more: the next look tells
        answers.raced += sorted(wanted - heard)
    return answers


def _told(stderr: bytes) -> str:
    """Return what a hook of the remote told its user, on one line."""
    lines = [
        line[len("remote:") :].strip()
        for line in stderr.decode(errors="replace").splitlines()
        if line.startswith("remote:")
    ]
    return " ".join(line for line in lines if line and not line.startswith(("error: hook", "Resolving")))[
        :200
    ]


def _parted(offers: Sequence[Offer]) -> tuple[list[Offer], list[Offer]]:
    """Part many new runs from the other offers: Git looks through all its refs for each ref that is named."""
    new = [each for each in offers if each.old is None and each.new and each.ref.startswith("refs/exps/")]
    if len(new) <= FEW:
        return [], list(offers)
    named = {each.ref for each in new}
    return new, [each for each in offers if each.ref not in named]


def _patterns(offers: Sequence[Offer]) -> list[str]:
    """Return patterns that name these new runs: all that are here below the same two digits of a baseline.

    What they name besides is on the remote already, or has just been finished and may go along.
    """
    heads = sorted({each.ref[: len("refs/exps/xx/")] for each in offers})
    return [f"{head}*:{head}*" for head in heads]


def _words(offers: Sequence[Offer]) -> list[str]:
    return [word for each in offers for word in each.words]
