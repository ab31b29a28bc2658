"""Speak to a Git remote: what it holds, take from it, give to it, each with one call for many refs.

What the remote answers becomes data: of each ref that was offered, whether it was taken, lost a race, or was
refused and why. Only a remote that cannot be spoken to is an error.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from provenote.errors import UsageError, WorldError
from provenote.git import command
from provenote.sharing.memory import slug
from provenote.stores import ledger

BATCH = 300_000
"""Bytes of refspecs in one command line; macOS takes a million with the environment."""

BRANCHES = (ledger.GOVERNANCE, "provenote-reviews")
"""Append-only branches that travel."""

_RACES = (
    "fetch first", "non-fast-forward", "stale info", "cannot lock ref", "failed to update ref",
    "failed to lock", "incorrect old value", "already exists", "unable to lock", "expected old",
)  # fmt: skip
_RUN = re.compile(r"refs/exps/[0-9a-f]{2}/[0-9a-f]{38,62}/[^/]+|refs/provenote/archive/[^/^]+")


@dataclass(frozen=True, slots=True)
class Remote:
    """A Git remote and how to speak to it.

    Parameters
    ----------
    folder : Path
        A folder of the repository.
    name : str
        Its name, or its address where it has no name here.
    url : str
        Its address, without a password.
    named : bool
        Whether it has a name here.
    ask : bool
        Whether a person may be asked for a password at the terminal.
    """

    folder: Path
    name: str
    url: str
    named: bool
    ask: bool = False

    @property
    def slug(self) -> str:
        """Its name as part of a file's name or a ref."""
        return slug(self.name)

    def beside(self, ref: str) -> str:
        """Return where a fetched branch (or the annotations) stands beside our own."""
        if self.named and ref.startswith("refs/heads/"):
            return f"refs/remotes/{self.name}/{ref.removeprefix('refs/heads/')}"
        return f"refs/provenote/remotes/{self.slug}/{ref.rsplit('/', 1)[1]}"

    @property
    def environment(self) -> dict[str, str]:
        """Ask nobody who is not there: a program that waits for a password would wait for ever."""
        if self.ask:
            return {"GIT_TERMINAL_PROMPT": "1"}
        set_by_user = os.environ.get("GIT_SSH_COMMAND") or os.environ.get("GIT_SSH")
        if set_by_user or command.run(self.folder, "config", "core.sshCommand").returncode == 0:
            return {}
        return {"GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=20"}


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


class Unreachable(WorldError):
    """The remote cannot be spoken to."""


class Raced(Exception):
    """Something vanished from the remote while we looked."""


def choose(folder: Path, given: str | None = None, *, ask: bool = False) -> Remote:
    """Return the remote to exchange with: as given, else the branch's upstream, ``origin``, or the only one.

    Raises
    ------
    UsageError
        If there is none, several without a choice, or none of that name.
    """
    known = command.run(folder, "remote").stdout.decode("utf-8", "surrogateescape").split()
    if given is not None and given not in known:
        if given.startswith("-") or not given.strip() or "\n" in given:
            raise UsageError(f"{given!r} is no remote", "See them: `git remote -v`")
        if not re.search(r"[:/\\]|^\.", given) and not (Path.cwd() / given).exists():
            others = f" (there are: {', '.join(known)})" if known else ""
            raise UsageError(f"there is no remote {given!r}{others}", f"Add it: `git remote add {given} URL`")
        local = Path.cwd() / given
        address = str(local.resolve()) if "://" not in given and local.exists() else given
        return Remote(folder, address, without_password(address), False, ask)
    name = given or _default(folder, known)
    answer = command.run(folder, "remote", "get-url", name)
    url = answer.stdout.decode("utf-8", "replace").strip()
    return Remote(folder, name, without_password(url), True, ask)


def _default(folder: Path, known: Sequence[str]) -> str:
    branch = command.run(folder, "symbolic-ref", "--quiet", "--short", "HEAD").stdout.decode().strip()
    upstream = (
        command.run(folder, "config", f"branch.{branch}.remote").stdout.decode().strip() if branch else ""
    )
    for name in (upstream, "origin"):
        if name in known:
            return name
    if len(known) == 1:
        return known[0]
    if not known:
        raise UsageError(
            "this repository has no remote to exchange with", "Add one: `git remote add origin URL`"
        )
    raise UsageError(f"which remote? There are {', '.join(known)}", f"Name one: `provenote sync {known[0]}`")


def listing(remote: Remote) -> dict[str, str]:
    """Return every ref of the remote that may travel, with its object: one call, however many.

    What an annotated tag points to stands under the tag's name and ``^{}``.

    Raises
    ------
    Unreachable
        If the remote does not answer.
    """
    wanted = [
        "refs/exps/*",
        "refs/provenote/*",
        *(f"refs/heads/{branch}" for branch in BRANCHES),
        "refs/tags/*",
    ]
    answer = _run(remote, "ls-remote", "--quiet", remote.name, *wanted)
    if answer.returncode:
        raise unreachable(remote, answer.stderr)
    refs = {}
    for line in os.fsdecode(answer.stdout).splitlines():
        oid, _, ref = line.partition("\t")
        refs[ref] = oid
    return refs


def runs_of(refs: Mapping[str, str]) -> dict[str, str]:
    """Return those refs that name runs (or plain experiments of DVC), and the archives of runs."""
    return {ref: oid for ref, oid in refs.items() if _RUN.fullmatch(ref)}


def fetch(remote: Remote, refspecs: Iterable[str]) -> None:
    """Fetch what is named, all in one call.

    Raises
    ------
    Raced
        If a ref is not on the remote any more, or another process wrote it here.
    Unreachable
        If the remote does not answer, or lacks objects.
    """
    wanted = list(refspecs)
    if not wanted:
        return
    settings = ["-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", f"remote.{remote.name}.mirror=false"]
    options = [
        "--quiet",
        "--stdin",
        "--no-tags",
        "--no-prune",
        "--no-write-fetch-head",
        "--no-recurse-submodules",
    ]
    given = os.fsencode("".join(f"{spec}\n" for spec in wanted))
    settings = settings if remote.named else settings[:4]
    answer = _run(remote, *settings, "fetch", *options, "--refmap=", remote.name, given=given)
    if answer.returncode == 0:
        return
    said = answer.stderr.decode(errors="replace")
    if "couldn't find remote ref" in said or "[rejected]" in said or "cannot lock ref" in said:
        raise Raced(said)
    if "No space left" in said or "insufficient permission" in said:
        raise command.failure(["fetch", remote.name], answer.stderr)
    raise unreachable(remote, answer.stderr)


def offer(remote: Remote, offers: Sequence[Offer], *, together: bool = False, spare: int = 16) -> Answers:
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
    answers = Answers()
    left = [spare]
    for part in [list(offers)] if together and offers else _batches(offers):
        answers.add(_offer(remote, part, together, left))
    return answers


def _offer(remote: Remote, offers: Sequence[Offer], together: bool, spare: list[int]) -> Answers:
    words = [word for each in offers for word in each.words]
    options = ["--porcelain", "--quiet", "--no-follow-tags", "--recurse-submodules=no"]
    settings = ["-c", f"remote.{remote.name}.mirror=false"] if remote.named else []
    atomic = ["--atomic"] if together else []
    answer = _run(remote, *settings, "push", *options, *atomic, remote.name, *words)
    if together and b"does not support --atomic" in answer.stderr:  # then one after the other, in their order
        return _offer(remote, offers, False, spare)
    answers = _answers(answer, offers)
    if together and answers.raced:
        return Answers(raced=[each.ref for each in offers])
    if answer.returncode and not answers.taken and not answers.raced and not answers.refused:
        raise unreachable(remote, answer.stderr)
    declined = [each for each in offers if "hook declined" in answers.refused.get(each.ref, "")]
    if together or len(declined) < 2 or spare[0] < 2:
        return answers
    spare[0] -= 2
    for each in declined:
        del answers.refused[each.ref]
    middle = len(declined) // 2
    for half in (declined[:middle], declined[middle:]):
        answers.add(_offer(remote, half, False, spare))
    return answers


def _answers(answer: subprocess.CompletedProcess[bytes], offers: Sequence[Offer]) -> Answers:
    """Read what ``git push --porcelain`` says of each ref."""
    answers = Answers()
    told = _told(answer.stderr)
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
        elif any(word in summary for word in _RACES):
            answers.raced.append(ref)
        else:
            why = re.sub(r"^\[[^]]*\]\s*", "", summary).strip("() ")
            answers.refused[ref] = f"{why}: {told}" if told and "hook declined" in why else why
    if answer.returncode == 0:
        answers.taken += sorted(wanted - heard)
    elif heard and not answers.raced:
        answers.refused.update(dict.fromkeys(wanted - heard, told or "no reason given"))
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


def _batches(offers: Sequence[Offer]) -> Iterator[list[Offer]]:
    part: list[Offer] = []
    size = 0
    for each in offers:
        length = sum(len(os.fsencode(word)) + 9 for word in each.words)
        if part and size + length > BATCH:
            yield part
            part, size = [], 0
        part.append(each)
        size += length
    if part:
        yield part


def unreachable(remote: Remote, stderr: bytes) -> Unreachable:
    """Say in one line why a remote cannot be spoken to."""
    said = [line.strip() for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    fatal = [line for line in said if line.startswith(("fatal:", "error:", "ssh:"))]
    hints = (
        "Permission denied",
        "Authentication failed",
        "Could not resolve",
        "Connection",
        "not found",
        "not appear",
    )
    best = next(
        (line for line in said if any(hint in line for hint in hints)),
        (fatal or said or ["no reason given"])[0],
    )
    why = without_password(re.sub(r"^(fatal|error|ssh|remote): *", "", best)).rstrip(".")
    name = remote.name if not remote.named or not remote.url else f"{remote.name} ({remote.url})"
    return Unreachable(f"the remote {without_password(name)} does not answer: {why}")


def without_password(text: str) -> str:
    """Return ``text`` without the ``user:password@`` that an address may carry."""
    return re.sub(r"(\w+://)[^/@\s]*@", r"\1", text)


def _run(remote: Remote, *arguments: str, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    try:
        return command.run(remote.folder, *arguments, given=given, env=remote.environment)
    except OSError as error:
        raise WorldError(f"git cannot be started: {error}", "Try again: nothing is lost") from error
