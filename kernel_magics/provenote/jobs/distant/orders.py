"""What a worker is told to do: plain data, so that nothing of ours is needed to carry it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from provenote.git import command
from provenote.jobs.distant.work import Work
from provenote.sharing.transport import Remote, without_password


def order(
    work: Work, facts: Mapping[str, Any], url: str, by: str, topic: str, workers: Mapping[str, int]
) -> dict[str, Any]:
    """Return the order for a job's present attempt. Pure.

    Parameters
    ----------
    work : Work
    facts : mapping
        What the executor said about the project.
    url : str
        Address of the Git remote.
    by : str
        The dispatcher's id, which stands in the claim.
    topic : str
        Where the worker tells how it is getting on.
    workers : mapping of str to int
        The threads of each worker that there is.
    """
    return {
        "job": work.id,
        "attempt": work.attempt,
        "by": by,
        "spec": work.spec.canonical().decode(),
        "parent": work.spec.parent,
        "expect": work.at,
        "code": work.code,
        "url": url,
        "topic": topic,
        "provenote": installed(),
        "python": ".".join(map(str, sys.version_info[:2])),
        "crowd": crowd(workers),
        **{name: facts[name] for name in ("prefix", "dvc", "who", "warm")},
    }


def crowd(workers: Mapping[str, int]) -> dict[str, int]:
    """Return how many threads the workers of each host have together. Pure."""
    found: dict[str, int] = {}
    for address, threads in workers.items():
        host = address.rsplit(":", 1)[0]
        found[host] = found.get(host, 0) + threads
    return found


def installed() -> str | None:
    """Return the version of this package; None in a checkout that was not installed."""
    try:
        return version("provenote")
    except PackageNotFoundError:
        return None


def address(remote: Remote) -> str:
    """Return the address of the Git remote for another machine: without a password.

    A password would stand in the scheduler's memory; workers have credentials of their own.
    """
    return without_password(_url(remote) if remote.named else remote.name)


def local(remote: Remote, main: Path) -> str | None:
    """Return the absolute path of a remote that is a folder given relative to the main worktree, or None."""
    url = _url(remote) if remote.named else ""
    if not url or "://" in url or os.path.isabs(url):
        return None
    path = main / url
    return str(path.resolve()) if path.exists() else None


def _url(remote: Remote) -> str:
    return os.fsdecode(command.run(remote.folder, "remote", "get-url", remote.name).stdout).strip()
