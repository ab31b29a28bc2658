"""The process that owns a sweep: it keeps some of its jobs at work until all are over.

A sweep is a group, not a run: its jobs' runs carry its id as ``parent``. Each job is named by its content and
the sweep's id, so a sweep that is taken up again starts only what has not succeeded. The coordinator computes
nothing: killed, its running jobs go on and end by themselves.
"""

from __future__ import annotations

import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from provenote.jobs import executor as executors
from provenote.jobs.folder import JobFolder
from provenote.jobs.outcome import Outcome
from provenote.jobs.spec import JobSpec
from provenote.jobs.until import Until

if TYPE_CHECKING:
    from provenote.jobs.executor import Executor
    from provenote.jobs.state import JobState

_LOOK_EVERY = 0.02  # seconds; a core that waits for its next job costs more than looking
_FEW = 5  # jobs that are looked at so often; more of them, which a scheduler has, accordingly less
_LOOK_AT_LEAST = 0.5  # seconds


def axes(sweep: JobSpec) -> list[str]:
    """Return the parameters that vary over a sweep. Pure."""
    names = dict.fromkeys(name for given in sweep.jobs for name in given)
    return [name for name in names if len({repr(given.get(name)) for given in sweep.jobs}) > 1]


def children(sweep: JobSpec) -> list[JobSpec]:
    """Return the jobs of a sweep, in its order. Pure.

    Parameters
    ----------
    sweep : JobSpec
        Its ``params`` are the notebook's defaults; each of ``jobs`` gives values on top.
    """
    name = {"label": sweep.label, "axes": axes(sweep), "size": len(sweep.jobs)}
    return [
        JobSpec(
            notebook=sweep.notebook,
            blob=sweep.blob,
            kernel=sweep.kernel,
            label=sweep.label,
            nonce=sweep.id,
            given=given,
            params={**sweep.params, **given},
            commit=sweep.commit,
            timeout=sweep.timeout,
            cell_timeout=sweep.cell_timeout,
            threads=sweep.threads,
            env=sweep.env,
            parent=sweep.id,
            on=sweep.on,
            sweep=name,
            test=sweep.test,
        )
        for given in sweep.jobs
    ]


def run_sweep(folder: JobFolder, sweep: JobSpec, queued: JobState) -> Outcome:
    """Run the jobs of a sweep, some at a time.

    Raises
    ------
    ProvenoteError
        If the disk refuses.
    """
    from provenote import workspace

    folder.append({"state": "running", "cells": len(sweep.jobs)})
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: folder.ask_cancel())
    sweep = replace(sweep, on=queued.on)
    place = workspace.find()
    return _work(folder, sweep, executors.get(place, sweep.on), Until(place, sweep.until))


def _work(folder: JobFolder, sweep: JobSpec, executor: Executor, until: Until) -> Outcome:
    """Keep ``parallel`` jobs at work until all are over, one has met ``until``, or a cancel is asked.

    What works when one has met it goes on to its end; what waits is not started.
    """
    waiting = children(sweep)
    working: list[str] = []
    states: list[JobState] = []
    cancelled = False
    left = 0
    room = getattr(executor, "room", None) if sweep.until else None
    while waiting or working:
        ended = len(states)
        if folder.cancel_asked() and not cancelled:
            cancelled = True
            waiting.clear()
            for child in working:
                executor.cancel(child)
        while waiting and len(working) < (min(sweep.parallel, max(1, room())) if room else sweep.parallel):
            child = executor.submit(waiting.pop(0))
            folder.append({"job": child, "is": "running"})
            working.append(child)
        for child in list(working):
            state = executor.status(child)
            if state.over:
                states.append(state)
                working.remove(child)
                folder.append({"job": child, "is": state.state})
                until.look(state)
        if until.met and waiting:
            left = len(waiting)
            waiting.clear()
        if len(states) == ended:
            time.sleep(min(_LOOK_AT_LEAST, _LOOK_EVERY * max(1, len(working) / _FEW)))
    outcome = _judge(states, len(sweep.jobs), cancelled)
    if outcome.state == "succeeded":
        outcome.reason = _stopped(until, left)
    return outcome


def _stopped(until: Until, left: int) -> str | None:
    """Say what became of ``until``."""
    if until.met:
        jobs = "1 job was" if left == 1 else f"{left} jobs were"
        return f"run {until.met} met the aim; {jobs} not started" if left else f"run {until.met} met the aim"
    return f"--until was never asked: {until.trouble}" if until.trouble else None


def _judge(states: list[JobState], total: int, cancelled: bool) -> Outcome:
    if cancelled:
        done = sum(state.state == "succeeded" for state in states)
        return Outcome("cancelled", f"{done} of {total} jobs had succeeded")
    bad = [state for state in states if state.state != "succeeded"]
    if not bad:
        return Outcome("succeeded")
    return Outcome(
        "failed", f"{len(bad)} of {total} jobs did not succeed; the first: {bad[0].reason or bad[0].state}"
    )
