"""The user's side of the refs that decide about jobs: learn where they are, move them, take them away."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from provenote.errors import WorldError
from provenote.jobs.distant import accept, claims
from provenote.jobs.distant.claims import Move
from provenote.jobs.distant.work import Work
from provenote.sharing.transport import Remote

_AT_ONCE = 500  # refs in one call
_TRIES = 5


class Truth:
    """The jobs' refs on the Git remote.

    Parameters
    ----------
    common_dir : Path
        The user's common Git folder.
    remote : Remote
    """

    def __init__(self, common_dir: Path, remote: Remote) -> None:
        self.common_dir = common_dir
        self.remote = remote

    def look(self, work: Work) -> str | None:
        """Return where a job's ref is, and remember it."""
        work.at = claims.look(self.remote, [work.ref]).get(work.ref)
        return work.at

    def said(self, work: Work, at: str) -> dict[str, Any]:
        """Return what the commit says that a job's ref is at."""
        return accept.fetch(self.common_dir, self.remote, work.ref, at)[0]

    def result(self, work: Work) -> str | None:
        """Return the result of an earlier attempt that succeeded and that nobody took over."""
        at = self.look(work)
        if at is None:
            return None
        said = self.said(work, at)
        return at if said.get("kind") == "result" and said["ended"].get("state") == "succeeded" else None

    def stop(self, work: Work) -> dict[str, Any] | None:
        """Move a job's ref, so that nobody can publish it any more.

        Returns
        -------
        dict or None
            None once it is moved; ``work.at`` is where. Else what stands in the way: the result that has just
            been published, or a claim that was not known; ``work.at`` is where.

        Raises
        ------
        WorldError
            If the remote does not answer.
        """
        stopped = claims.write(self.common_dir, "stopped", {"job": work.id, "at": time.time()})
        for _ in range(_TRIES):
            if claims.push(self.remote, [Move(work.ref, work.at, stopped)]):
                work.at = stopped
                return None
            before, found = work.at, self.look(work)
            if found is not None and found != before:
                said = self.said(work, found)
                if said.get("kind") in ("result", "claim"):
                    return said
        raise WorldError(f"the ref of job {work.id[:8]} on the remote does not keep still", "Try again")

    def take_away(self, refs: Mapping[str, str]) -> None:
        """Take refs off the remote that are where we know them."""
        listed = list(refs)
        for names in (listed[start : start + _AT_ONCE] for start in range(0, len(listed), _AT_ONCE)):
            there = claims.look(self.remote, names)
            moves = [Move(ref, refs[ref], None) for ref in names if there.get(ref) == refs[ref]]
            claims.push(self.remote, moves, atomic=False)
