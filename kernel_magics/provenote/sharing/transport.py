"""Speak to a Git remote: which one, what it holds, take from it; one call for many refs.

What it is given is the matter of `provenote.sharing.offers`. Only a remote that does not answer is an error.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from provenote.errors import UsageError, WorldError
from provenote.git import command
from provenote.sharing.memory import slug
from provenote.stores import ledger

BRANCHES = (ledger.GOVERNANCE, ledger.REVIEWS)
"""Append-only branches that travel."""

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
    answer = run(remote, "ls-remote", "--quiet", remote.name, *wanted)
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
    answer = run(remote, *settings, "fetch", *options, "--refmap=", remote.name, given=given)
    if answer.returncode == 0:
        return
    said = answer.stderr.decode(errors="replace")
    races = (
        "couldn't find remote ref",
        "not our ref",
        "[rejected]",
        "cannot lock ref",
        "unadvertised object",
    )
    if any(word in said for word in races):
        raise Raced(said)
    if "No space left" in said or "insufficient permission" in said:
        raise command.failure(["fetch", remote.name], answer.stderr)
    raise unreachable(remote, answer.stderr)


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


def run(remote: Remote, *arguments: str, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run Git as it speaks to this remote, and return its answer whatever the exit status."""
    try:
        return command.run(remote.folder, *arguments, given=given, env=remote.environment)
    except OSError as error:
        raise WorldError(f"git cannot be started: {error}", "Try again: nothing is lost") from error
