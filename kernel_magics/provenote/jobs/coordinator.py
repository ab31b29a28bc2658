"""The process that owns a sweep: it opens the parent run and keeps some jobs at work until all are over.

Each job is named by its content and the sweep's id, so a sweep that is taken up again starts only what has
not succeeded. The coordinator computes nothing: killed, its running jobs go on and end by themselves.
"""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

from provenote.jobs import executor as executors
from provenote.jobs.folder import JobFolder
from provenote.jobs.outcome import Outcome, end_run
from provenote.jobs.spec import JobSpec

if TYPE_CHECKING:
    from provenote.jobs.executor import Executor
    from provenote.jobs.state import JobState

_LOOK_EVERY = 0.1  # seconds


def children(sweep: JobSpec, parent: str | None) -> list[JobSpec]:
    """Return the jobs of a sweep, in the order of its grid. Pure.

    Parameters
    ----------
    sweep : JobSpec
        Its ``params`` are the notebook's defaults; each of ``jobs`` gives values on top.
    parent : str or None
        Id of the parent run.
    """
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
            cell_timeout=sweep.cell_timeout,
            threads=sweep.threads,
            env=sweep.env,
            parent=parent,
        )
        for given in sweep.jobs
    ]


def run_sweep(folder: JobFolder, sweep: JobSpec, queued: JobState) -> Outcome:
    """Run the jobs of a sweep, some at a time.

    Raises
    ------
    ProvenoteError
        If the parent run cannot be opened.
    """
    from provenote import workspace
    from provenote.tracking import active

    place = workspace.find()
    notebook = {
        "notebook": sweep.notebook,
        "disk": "same",
        "linearity": "linear",
        "evidence": {"sweep": True},
    }
    active.set_evidence(lambda: notebook)
    job = {
        "id": folder.id,
        "kind": "sweep",
        "notebook": sweep.notebook,
        "blob": sweep.blob,
        "kernel": sweep.kernel,
        "jobs": len(sweep.jobs),
        "parallel": sweep.parallel,
        "threads": sweep.threads,
    }
    run = active.start(sweep.label, kind="job", params=_fixed(sweep), parent=queued.parent, job=job)
    folder.append({"state": "running", "run": run.id, "cells": len(sweep.jobs)})
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: folder.ask_cancel())
    try:
        outcome = _work(folder, sweep, run.id, executors.get(place))
    except Exception as error:
        run.end("failed", f"{type(error).__name__}: {error}", ended_by="job")
        raise
    end_run(run, outcome)
    return outcome


def _work(folder: JobFolder, sweep: JobSpec, parent: str, executor: Executor) -> Outcome:
    """Keep ``parallel`` jobs at work until all are over, or a cancel is asked."""
    waiting = children(sweep, parent)
    working: list[str] = []
    states: list[JobState] = []
    cancelled = False
    while waiting or working:
        if folder.cancel_asked() and not cancelled:
            cancelled = True
            waiting.clear()
            for child in working:
                executor.cancel(child)
        while waiting and len(working) < sweep.parallel:
            child = executor.submit(waiting.pop(0))
            folder.append({"job": child, "is": "running"})
            working.append(child)
        for child in list(working):
            state = executor.status(child)
            if state.over:
                states.append(state)
                working.remove(child)
                folder.append({"job": child, "is": state.state})
        time.sleep(_LOOK_EVERY)
    return _judge(states, len(sweep.jobs), cancelled)


def _fixed(sweep: JobSpec) -> dict[str, Any]:
    """Return the parameters that all jobs share."""
    return {
        name: value
        for name, value in {**sweep.params, **(sweep.jobs[0] if sweep.jobs else {})}.items()
        if all({**sweep.params, **given}.get(name) == value for given in sweep.jobs)
    }


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
