"""What a job prints, while it prints it: whole lines, as a terminal would show them in the end."""

from __future__ import annotations

import time
from collections.abc import Callable

from provenote.jobs import coordinator
from provenote.jobs.executor import Executor
from provenote.jobs.spec import JobSpec

_LOOK_EVERY = 0.2  # seconds


def legible(text: str) -> str:
    """Return a log as a terminal would show it in the end, without what could drive the terminal. Pure."""
    lines = (line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n"))
    return "\n".join("".join(char for char in line if char.isprintable() or char == "\t") for line in lines)


def of_sweep(executor: Executor, sweep: JobSpec, lines: int | None = None) -> str:
    """Return what the jobs of a sweep have printed so far, each below a line that names it.

    Parameters
    ----------
    executor : Executor
    sweep : JobSpec
    lines : int, optional
        Of each job, only the last so many lines.
    """
    varied = coordinator.axes(sweep)
    begun = executor.status(sweep.id).jobs
    found = []
    for spec in coordinator.children(sweep):
        if spec.id not in begun:
            continue
        state = executor.status(spec.id)
        values = ", ".join(f"{name}={spec.params.get(name)}" for name in varied)
        said = legible(executor.logs(spec.id)).rstrip("\n").split("\n")
        found.append("== " + "  ".join(filter(None, (values, state.state, state.name))))
        found += said[-lines:] if lines else said
    return legible("\n".join(found))


def follow(executor: Executor, job: str, write: Callable[[str], None], lines: int | None = None) -> str:
    """Write what a job has printed and prints, until it is over; Ctrl-C ends the following, not the job.

    Parameters
    ----------
    executor : Executor
    job : str
    write : callable
        Takes whole lines.
    lines : int, optional
        Of what was printed before, only the last so many lines.

    Returns
    -------
    str
        All that was written.
    """
    told, at, rest = "", 0, ""
    first = True
    try:
        while True:
            over = executor.status(job).over  # before the log is read: what it printed last is in it then
            new = executor.logs(job, at)
            at += len(new)
            whole, line_break, rest = (rest + new).rpartition("\n")
            if over and rest:
                whole, line_break, rest = whole + line_break + rest, "\n", ""
            if whole or line_break:
                text = legible(whole) + "\n"
                if first and lines is not None:
                    text = "".join(text.splitlines(keepends=True)[-lines:] if lines else [])
                write(text)
                told += text
            first = False
            if over:
                return told
            time.sleep(_LOOK_EVERY)
    except KeyboardInterrupt:
        return told
