"""The refs of the Git remote that decide who runs a job; moved all or none, each from where it was known.

``refs/provenote/jobs/<job>`` names a commit whose message is JSON: a claim (``{"kind": "claim"}``), a result
(``{"kind": "result"}``, with the run as its parent and the job's files as its tree), or that the job was
stopped. ``refs/provenote/live/<id>`` names the code; no claim is made once it is gone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provenote.errors import WorldError
from provenote.git import command, objects
from provenote.sharing import transport
from provenote.sharing.transport import Remote

CODE = "refs/provenote/live"
JOBS = "refs/provenote/jobs"

# What Git says when a ref was not where we believed it, or somebody else was moving it.
_RACED = ("stale info", "already exists", "cannot lock ref", "failed to update ref", "fetch first", "atomic")


class Declined(WorldError):
    """The remote can be reached, and does not take such refs."""


@dataclass(frozen=True, slots=True)
class Move:
    """A ref of the remote, and where it goes.

    Parameters
    ----------
    ref : str
    old : str or None
        Where it must be; None: it must not exist.
    new : str or None
        Where it goes; None: it is deleted. The same as ``old``: it must only be there.
    """

    ref: str
    old: str | None
    new: str | None


def job_ref(job: str) -> str:
    """Return the ref that decides about a job."""
    return f"{JOBS}/{job}"


def arguments(remote: str, moves: Iterable[Move], atomic: bool = True) -> list[str]:
    """Return the words of the `git push` that makes these moves. Pure."""
    words = ["push", "--quiet", "--porcelain", "--no-verify", *(["--atomic"] if atomic else [])]
    listed = list(moves)
    words += [f"--force-with-lease={move.ref}:{move.old or ''}" for move in listed]
    return [*words, remote, *(f"{move.new or ''}:{move.ref}" for move in listed)]


def push(remote: Remote, moves: Iterable[Move], atomic: bool = True) -> bool:
    """Move refs of the remote; False if one was not where it had to be, and then none moved.

    Parameters
    ----------
    remote : Remote
    moves : iterable of Move
    atomic : bool
        All or none; otherwise each that can be.

    Raises
    ------
    Declined
        If the remote refuses our refs.
    WorldError
        If it cannot be reached.
    """
    listed = list(moves)
    if not listed:  # without any, Git would push the branch
        return True
    answer = transport.run(remote, *arguments(remote.name, listed, atomic))
    if answer.returncode == 0:
        return True
    lines = answer.stdout.decode(errors="replace").splitlines()
    refused = [line.split("\t")[-1] for line in lines if line.startswith("!")]
    if not refused:
        raise transport.unreachable(remote, answer.stderr)
    declined = [why for why in refused if not any(word in why for word in _RACED)]
    if not declined:
        return False
    name = transport.without_password(remote.url or remote.name)
    reason = declined[0].removeprefix("[remote rejected] ").strip("()")
    raise Declined(
        f"the remote {name} refuses the refs that jobs need ({reason})",
        "Allow pushes to refs/provenote/* and refs/exps/*, or run here: `--on local`",
    )


def look(remote: Remote, refs: Iterable[str]) -> dict[str, str]:
    """Return where these refs of the remote are; those that do not exist are left out.

    Raises
    ------
    WorldError
        If the remote cannot be reached.
    """
    answer = transport.run(remote, "ls-remote", "--quiet", remote.name, *refs)
    if answer.returncode:
        raise transport.unreachable(remote, answer.stderr)
    found = (line.partition("\t") for line in os.fsdecode(answer.stdout).splitlines())
    return {ref: oid for oid, _, ref in found}


def write(
    common_dir: Path,
    kind: str,
    facts: dict[str, Any],
    tree: dict[str, bytes] | None = None,
    parents: Iterable[str] = (),
    who: tuple[str, str] | None = None,
) -> str:
    """Write the commit that a job's ref names, and return its id.

    Parameters
    ----------
    common_dir : Path
        Where it goes.
    kind : {'claim', 'result', 'stopped'}
    facts : dict
        What else its message says.
    tree : dict of str to bytes, optional
        Its files.
    parents : iterable of str
        The run's commit, if there is one.
    who : (name, mail), optional
        Its author; default: Git's own identity.
    """
    content = objects.build(common_dir, None, dict(tree or {}))
    message = json.dumps({"kind": kind, **facts}) + "\n"
    return objects.commit(common_dir, content, list(parents), message, who)


def read(common_dir: Path, oid: str) -> tuple[dict[str, Any], list[str]]:
    """Return what such a commit says, and its parents; nothing of one that is not ours."""
    try:
        kind, content = objects.read(common_dir, oid)
        head, _, message = content.decode("utf-8", "replace").partition("\n\n")
        said = json.loads(message) if kind == "commit" else {}
    except (KeyError, ValueError):
        return {}, []
    parents = [line[7:] for line in head.split("\n") if line.startswith("parent ")]
    return (said, parents) if isinstance(said, dict) else ({}, [])


def has(folder: Path, oid: str) -> bool:
    """Tell whether a commit is in this repository."""
    return command.run(folder, "cat-file", "-e", f"{oid}^{{commit}}").returncode == 0
