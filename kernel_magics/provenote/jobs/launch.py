"""Run a notebook as a job, or a grid of them as a sweep: check everything first, submit, follow, answer.

What is wrong with a request is said before anything is made: the notebook, its parameters, its kernel, the
place of its output. A job that was submitted always ends in a state, also when whoever follows it goes away.
"""

from __future__ import annotations

import dataclasses
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote import errors
from provenote.errors import Refused, UsageError
from provenote.events import Progress, Tell, silent
from provenote.jobs import executor as executors
from provenote.jobs import kernels, kinds, notebook, packages, parameters
from provenote.jobs.folder import JobFolder
from provenote.jobs.local import cores
from provenote.jobs.notebook import Notebook
from provenote.jobs.parameters import Parameter
from provenote.jobs.spec import THREAD_VARIABLES, JobSpec
from provenote.jobs.state import JobState

if TYPE_CHECKING:
    from provenote.workspace import Workspace

_LOOK_EVERY = 0.02  # seconds between two looks at a job's events
_PATIENCE = 20.0  # seconds that a cancelled job may take to end before we leave it to its supervisor

Given = Sequence[str] | Mapping[str, Any]
"""Parameters as typed (``["depth=6"]``) or as Python values (``{"depth": 6}``)."""


@dataclass(frozen=True, slots=True)
class JobResult:
    """How a job ended.

    Parameters
    ----------
    id : str
    state : JobState
    spec : JobSpec
    """

    id: str
    state: JobState
    spec: JobSpec

    @property
    def exit_status(self) -> int:
        """0 it succeeded, 1 it did not, 2 or 3 as its error says."""
        error = self.state.error
        if error is not None:
            return int(getattr(getattr(errors, str(error["kind"]), None), "exit_status", 1))
        return 0 if self.state.state == "succeeded" else 1

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        status, reason = self.state.status
        return {
            "id": self.id,
            "state": self.state.state,
            "status": status,
            "reason": reason,
            "why": self.state.reason,
            "verdict": self.state.verdict if self.spec.test else None,
            "notebook": self.spec.notebook,
            "params": kinds.jsonable(self.spec.params),
            "cell": self.state.failed_cell,
            "run": self.state.run,
            "name": self.state.name,
            "commit": self.state.commit,
            "output": self.state.output,
            "error": self.state.error,
        }


@dataclass(frozen=True, slots=True)
class Request:
    """A notebook that was found fit to run."""

    workspace: Workspace
    notebook: Notebook
    kernel: str
    known: list[Parameter]
    relative: str

    def spec(self, given: Mapping[str, Any], nonce: str, **options: Any) -> JobSpec:
        """Return the job that runs it with these values."""
        return JobSpec(
            notebook=self.relative,
            blob=self.notebook.blob,
            kernel=self.kernel,
            nonce=nonce,
            given=dict(given),
            params=parameters.complete(given, self.known),
            test=self.notebook.test,
            **options,
        )


def check(path: str | os.PathLike[str], kernel: str | None = None, any_given: bool = False) -> Request:
    """Check that a notebook can run as a job.

    Parameters
    ----------
    path : path
    kernel : str, optional
        The kernel to use instead of the notebook's own.
    any_given : bool
        Whether parameters are given, so that it must have a cell for them.

    Raises
    ------
    UsageError
        If it is missing or no notebook, lies in no project, has no parameters cell while parameters are
        given, its kernel is not installed, or a package that it imports is not.
    """
    from provenote import workspace

    found = notebook.read(Path(path))
    request = fit(workspace.find(found.path.parent), found, kernel, any_given)
    packages.check(found, request.kernel)
    return request


def fit(place: Workspace, found: Notebook, kernel: str | None, any_given: bool) -> Request:
    """Check that a notebook that was read can run as a job; arguments and errors as for `check`."""
    known = found.parameters()
    if known is None and any_given and found.language not in ("python", "ipython"):
        raise UsageError(
            f"{found.path.name} is in {found.language}, and parameters are checked in Python notebooks only",
            "Run it without parameters, or let it read them from a file",
        )
    if known is None and any_given:
        raise UsageError(
            f"{found.path.name} has no cell tagged parameters, so a value could reach nothing",
            "Tag the cell that sets the defaults: in JupyterLab, Property Inspector, Cell Tags, parameters",
        )
    name = kernels.resolve(found.path, kernel, found.kernel)
    return Request(place, found, name, known or [], place.relative(found.path))


def run_job(
    path: str | os.PathLike[str],
    given: Given = (),
    *,
    names: Mapping[str, Any] | None = None,
    output: str | os.PathLike[str] | None = None,
    cell_timeout: float | None = None,
    kernel: str | None = None,
    label: str | None = None,
    on: str = "local",
    tell: Tell = silent,
    timeout: float | None = None,
    threads: int | None = None,
) -> JobResult:
    """Run a notebook as a job and wait for its end.

    Parameters
    ----------
    path : path
        The notebook; its own folder is the working directory.
    given : sequence of str or mapping
        Parameters, checked against what the notebook declares.
    names : mapping, optional
        The notebook's namespace: a value may then be an expression over it.
    output : path, optional
        Where a copy of the executed notebook goes.
    cell_timeout : float, optional
        Seconds one cell may take; default: the setting ``cell_timeout``.
    kernel : str, optional
        Kernel to use instead of the notebook's own.
    label : str, optional
        Name of the run; default: the notebook's.
    on : str
        Which executor.
    tell : Tell
        Where progress goes.
    timeout : float, optional
        Seconds the whole notebook may take; default: no limit.
    threads : int, optional
        Threads of OpenMP and BLAS, whatever the environment says; default: as many as there are cores, unless
        the environment says otherwise.

    Raises
    ------
    UsageError
        If something about the request is wrong; nothing was made then.
    """
    options: dict[str, Any] = {"cell_timeout": cell_timeout, "kernel": kernel, "label": label}
    options |= {"timeout": timeout, "threads": threads}
    request, spec = prepare(path, given, names=names, output=output, **options)
    executor = executors.get(request.workspace, on)
    job = executor.submit(spec)
    state = follow(executor, job, spec.label, tell)
    return JobResult(job, state, spec)


def prepare(
    path: str | os.PathLike[str],
    given: Given = (),
    *,
    names: Mapping[str, Any] | None = None,
    output: str | os.PathLike[str] | None = None,
    cell_timeout: float | None = None,
    kernel: str | None = None,
    label: str | None = None,
    nonce: str | None = None,
    timeout: float | None = None,
    threads: int | None = None,
) -> tuple[Request, JobSpec]:
    """Check a job without starting it; arguments as for `run_job`.

    Parameters
    ----------
    nonce : str, optional
        What tells apart two jobs that are otherwise equal; default: this is another one.

    Raises
    ------
    UsageError
        If something about the request is wrong; nothing was made then.
    """
    request = check(path, kernel, bool(given))
    values = parameters.given(given, request.known, names)
    return request, request.spec(
        values,
        nonce or secrets.token_hex(8),
        label=label or request.notebook.path.stem,
        commit=commit(request),
        timeout=limit(timeout),
        cell_timeout=seconds(request, cell_timeout),
        **computing(threads, cores()),
        output=output_path(request, output),
    )


def follow(
    executor: executors.Executor,
    job: str,
    label: str,
    tell: Tell = silent,
    unit: str = "cells",
    words: Callable[[JobState], str] | None = None,
) -> JobState:
    """Wait for the end of a job and tell its progress; Ctrl-C cancels it and waits for its tidy end.

    Parameters
    ----------
    executor : Executor
    job : str
    label : str
        What the progress is called.
    tell : Tell
    unit : str
        What its steps are.
    words : callable, optional
        Says more about a running job, from its state.
    """
    told: tuple[Any, ...] = ()
    deadline: float | None = None
    while True:
        try:
            state = executor.status(job)
            if state.over:
                well = state.state == "succeeded"
                cells = state.cells or None
                tell(
                    Progress(label, state.cell, cells, unit, "done" if well else "failed", state.reason or "")
                )
                return state
            if deadline is not None and time.monotonic() > deadline:
                return state
            now = (state.state, state.cell, state.line)
            if now != told:
                told = now
                more = words(state) if words else state.line
                more = more or ("" if state.state == "running" else state.state)
                tell(Progress(label, state.cell, state.cells or None, unit, "running", more))
            time.sleep(_LOOK_EVERY)
        except KeyboardInterrupt:
            if deadline is not None:  # asked twice: leave it to its supervisor, which is stopping it
                return executor.status(job)
            executor.cancel(job)
            deadline = time.monotonic() + _PATIENCE


def retry(workspace: Workspace, job: JobFolder, tell: Tell = silent, on: str | None = None) -> JobResult:
    """Run a job again that did not succeed, as its next attempt; of a sweep, the jobs that did not.

    Parameters
    ----------
    workspace : Workspace
    job : JobFolder
    tell : Tell
        Where progress goes.
    on : str, optional
        Where it runs now; default: where it ran before.

    Raises
    ------
    Refused
        If it has succeeded or is still going on.
    """
    spec, state = job.spec, job.state()
    if state.state == "succeeded":
        source = f"--from {spec.origin[:8]}" if spec.origin else spec.notebook
        again = f"provenote job run {source}" if spec.kind == "notebook" else "provenote sweep"
        raise Refused(f"job {job.id[:8]} has succeeded, there is nothing to retry", f"Run another: `{again}`")
    if not state.over:
        mend = f"Stop it first: `provenote job cancel {job.id[:8]}`"
        raise Refused(f"job {job.id[:8]} is going on", mend)
    if spec.origin is not None:
        from provenote.jobs.again import restored

        workspace, _ = restored(workspace, spec.origin, spec.notebook, tell=tell)
    executor = executors.get(workspace, on or state.on)
    executor.submit(dataclasses.replace(spec, parent=state.parent))
    unit = "cells" if spec.kind == "notebook" else "jobs"
    return JobResult(job.id, follow(executor, job.id, spec.label, tell, unit), spec)


def cancel(workspace: Workspace, job: JobFolder, on: str = "local") -> int:
    """Ask a job, or all jobs of a sweep, to stop; return how many were asked."""
    executor = executors.get(workspace, on)
    going = [one for one in (job.id, *job.state().jobs) if not executor.status(one).over]
    for one in going:
        executor.cancel(one)
    return len(going)


def commit(request: Request) -> str:
    """Return HEAD, having put the notebook's bytes into Git: the job runs these, however the file changes."""
    from provenote.git.command import git, head

    git(request.workspace.top, "hash-object", "-w", "--no-filters", "--stdin", given=request.notebook.content)
    return head(request.workspace.top)


def seconds(request: Request, asked: float | None) -> float:
    """Return how long one cell may take: as asked, else as set."""
    from provenote import config

    limit = asked if asked is not None else config.load(request.workspace.dvc_root).cell_timeout
    if not limit >= 0:
        raise UsageError(f"a cell cannot have {limit:g} seconds", "Give a positive number: `--timeout 600`")
    return float(limit)


def computing(asked: int | None, usual: int) -> dict[str, Any]:
    """Return what a job's specification says of its threads: as asked, else as usual.

    Raises
    ------
    UsageError
        If less than one is asked for.
    """
    if asked is None:
        return {"threads": usual}
    if asked < 1:
        raise UsageError(
            f"a job cannot compute with {asked} threads", "Give a number from 1 on: `--threads 2`"
        )
    return {"threads": asked, "env": dict.fromkeys(THREAD_VARIABLES, str(asked))}


def limit(asked: float | None) -> float:
    """Return how long the whole notebook may take, in seconds; 0 means no limit.

    Raises
    ------
    UsageError
        If it is negative or no number.
    """
    if asked is not None and not 0 <= asked < float("inf"):
        raise UsageError(
            f"a notebook cannot have {asked:g} seconds", "Give a positive number: `--notebook-timeout 3600`"
        )
    return float(asked or 0)


def output_path(request: Request, asked: str | os.PathLike[str] | None) -> str | None:
    """Return where a copy of the executed notebook goes, once it is sure that it can go there.

    Raises
    ------
    UsageError
        If it cannot.
    """
    if asked is None:
        return None
    path = Path(asked).absolute()
    if path.is_dir():
        raise UsageError(
            f"{asked} is a folder", f"Name the file: `--output {Path(asked) / request.notebook.path.name}`"
        )
    if not path.parent.is_dir():
        raise UsageError(f"the folder {path.parent} does not exist", f"Make it: `mkdir -p {path.parent}`")
    own = request.notebook.path
    if path.exists() and own.exists() and path.samefile(own):
        raise UsageError(
            "the output would overwrite the notebook that runs", "Choose another name for --output"
        )
    return str(path)
