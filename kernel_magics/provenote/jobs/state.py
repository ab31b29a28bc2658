"""How far a job is: a pure fold of its events.

``queued -> claimed -> preparing -> starting -> running -> publishing -> succeeded | failed | timed_out |
oom_killed | killed | cancelled | lost``. A new attempt begins with another ``queued``. What the rest of
Provenote says about the job's run is coarser: see `JobState.status`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from provenote.model import Status

ACTIVE = ("queued", "claimed", "preparing", "starting", "running", "publishing")
ENDED = ("succeeded", "failed", "timed_out", "oom_killed", "killed", "cancelled", "lost")

_RUN_WORDS: dict[str, tuple[Status, str | None]] = {
    "queued": ("queued", None),
    "succeeded": ("finished", None),
    "failed": ("failed", None),
    "timed_out": ("failed", "timed_out"),
    "oom_killed": ("killed", "out_of_memory"),
    "killed": ("killed", None),
    "cancelled": ("killed", "cancelled"),
    "lost": ("killed", "lost"),
}


@dataclass(frozen=True, slots=True)
class JobState:
    """What is known about a job.

    Parameters
    ----------
    state : str
        One of `ACTIVE` or `ENDED`.
    reason : str or None
        Why it ended so, in one line.
    attempt : int
        Counts from 1.
    queued, started, ended, updated : float or None
        Seconds since 1970, UTC.
    cell, cells : int
        The code cell it is at and how many there are, counted from 1; for a sweep, jobs that ended and all.
    line : str
        The last line of output.
    failed_cell : dict or None
        The cell that ended the job: ``number`` (code cells of the user's notebook, from 1), ``index`` (cells
        of the executed one, from 0), ``id``, ``ename``, ``evalue``.
    parent : str or None
        Id of the sweep or run that this attempt's run belongs to.
    on : str
        Where this attempt runs, as ``--on`` says it.
    run, name, commit : str or None
        Id, name and commit of its run.
    output : str or None
        Path of the executed notebook.
    error : dict or None
        ``kind``, ``what``, ``mend`` where the job could not do its work.
    jobs : dict of str to str
        For a sweep, the state of each job by id.
    used : dict of str to float
        ``cpu_s`` and ``rss_mb`` of its processes so far: processor seconds, and the most memory at once.
    """

    state: str = "queued"
    reason: str | None = None
    attempt: int = 1
    queued: float | None = None
    started: float | None = None
    ended: float | None = None
    updated: float | None = None
    cell: int = 0
    cells: int = 0
    line: str = ""
    failed_cell: Mapping[str, Any] | None = None
    parent: str | None = None
    on: str = "local"
    run: str | None = None
    name: str | None = None
    commit: str | None = None
    output: str | None = None
    error: Mapping[str, Any] | None = None
    jobs: Mapping[str, str] = field(default_factory=dict)
    used: Mapping[str, float] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.state in ENDED

    @property
    def status(self) -> tuple[Status, str | None]:
        """Status and reason of the job's run, in the words of ``runs --json``."""
        status, word = _RUN_WORDS.get(self.state, ("running", None))
        return status, word or self.reason

    @property
    def verdict(self) -> str | None:
        """Of a test: ``passed``, ``failed``, or None while, or because, it did not come to its end."""
        return {"succeeded": "passed", "failed": "failed"}.get(self.state)

    def elapsed(self, now: float) -> float | None:
        """Seconds since it started, until it ended or ``now``."""
        return None if self.started is None else (self.ended or now) - self.started


def apply(state: JobState, event: Mapping[str, Any]) -> JobState:
    """Return the state after one event; an event that we do not know changes nothing."""
    time = event.get("t")
    word = event.get("state")
    if word == "queued":
        number, parent = int(event.get("attempt", 1)), event.get("parent")
        where = event.get("on", "local")
        return JobState(attempt=number, queued=time, updated=time, parent=parent, on=where)
    if state.over and state.state != "lost":
        return state  # what is over stays as it ended; a late line of a dying process cannot revive it
    change: dict[str, Any] = {"updated": time}
    if word in ACTIVE or word in ENDED:
        change["state"] = word
        for name in ("reason", "run", "name", "commit", "output", "error", "cells", "failed_cell"):
            if name in event:
                change[name] = event[name]
        if word == "claimed":
            change["started"] = time
        if word in ENDED:
            change["ended"] = time
    elif "cell" in event:
        change["cell"] = event["cell"]
    elif "line" in event:
        change["line"] = event["line"]
    elif isinstance(event.get("used"), dict):
        change["used"] = event["used"]
    elif "job" in event:
        jobs = {**state.jobs, event["job"]: event.get("is", "queued")}
        change.update(jobs=jobs, cell=sum(word in ENDED for word in jobs.values()))
    return dataclasses.replace(state, **change)


def fold(events: Iterable[Mapping[str, Any]]) -> JobState:
    """Return the state after all ``events``."""
    return reduce(apply, events, JobState())
