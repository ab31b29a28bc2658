"""Run a notebook over many values of its parameters: a sweep, one job for each combination."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.compare import numbers, query
from provenote.errors import UsageError
from provenote.events import Tell, silent
from provenote.jobs import coordinator, draws, grid, launch, parameters
from provenote.jobs import executor as executors
from provenote.jobs import listed as from_file
from provenote.jobs.folder import JobFolder
from provenote.jobs.launch import Given, JobResult
from provenote.jobs.local import cores
from provenote.jobs.spec import LOCAL, JobSpec
from provenote.jobs.state import JobState

if TYPE_CHECKING:
    from provenote.workspace import Workspace

_ELSEWHERE = 500  # jobs given to a scheduler at once, which has a queue of its own


@dataclass(frozen=True, slots=True)
class SweepResult:
    """How a sweep ended.

    Parameters
    ----------
    sweep : JobResult
        The sweep itself: a group, no run of its own.
    jobs : list of JobResult
        Its jobs, in the order of the grid; one that never started is ``queued``.
    axes : list of str
        The parameters that vary.
    metrics : list of dict
        The last metrics of each job's run.
    before : int
        How many of its jobs had succeeded before it was taken up again.
    """

    sweep: JobResult
    jobs: list[JobResult]
    axes: list[str]
    metrics: list[dict[str, Any]]
    before: int = 0

    @property
    def done(self) -> int:
        """How many of its jobs have succeeded."""
        return sum(job.state.state == "succeeded" for job in self.jobs)

    def best(self, metric: str) -> int | None:
        """Return the place of the job with the best value of ``metric``; None if none has a number."""
        values = [one.get(metric) for one in self.metrics]
        return numbers.best(metric, values)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        jobs = [{**one.to_json(), "metrics": m} for one, m in zip(self.jobs, self.metrics, strict=True)]
        return {**self.sweep.to_json(), "axes": self.axes, "before": self.before, "jobs": jobs}


def sweep(
    path: str | os.PathLike[str],
    over: Given,
    given: Given = (),
    *,
    names: Mapping[str, Any] | None = None,
    max_parallel: int | None = None,
    metric: str | None = None,
    cell_timeout: float | None = None,
    kernel: str | None = None,
    label: str | None = None,
    on: str = "local",
    tell: Tell = silent,
    resume: bool = False,
    timeout: float | None = None,
    threads: int | None = None,
    **choice: Any,
) -> SweepResult:
    """Run a notebook once for each combination of values, and wait for the end of all.

    Each job computes with ``cores / parallel`` threads of OpenMP and BLAS, unless ``threads`` says how many:
    more would only get in each other's way.

    Parameters
    ----------
    path : path
        The notebook.
    over : sequence of str or mapping
        The axes: ``["depth=4,6", "lr=log:0.01..0.1"]`` or ``{"depth": [4, 6]}``.
    given : sequence of str or mapping
        Parameters that all jobs share.
    names : mapping, optional
        The notebook's namespace: values may then be expressions over it.
    max_parallel : int, optional
        How many jobs run at once; default: as many as there are cores for their threads; elsewhere as
        many as there is room for, whatever the number of its workers becomes.
    metric : str, optional
        The metric whose best value so far the progress tells; its name says which way is better
        (`provenote.compare.numbers.direction`), lower when it says nothing.
    cell_timeout, timeout, threads, kernel, label, on, tell
        As for `provenote.jobs.launch.run_job`.
    resume : bool
        Whether a sweep that was begun with all the same (notebook, values, code) is gone on with, instead of
        another one being made.
    **choice
        ``draw``, ``seed``, ``listed``, ``until``: see `prepare`.

    Raises
    ------
    UsageError
        If something about the request is wrong; nothing was made then.
    """
    options: dict[str, Any] = {"cell_timeout": cell_timeout, "kernel": kernel, "label": label}
    options |= {"timeout": timeout, "threads": threads, "resume": resume, "on": on, **choice}
    request, spec, axes = prepare(path, over, given, names=names, max_parallel=max_parallel, **options)
    before = result(request.workspace, JobResult(spec.id, JobState(), spec)).done if resume else 0
    executor = executors.get(request.workspace, on)
    job = executor.submit(spec)
    watch = _Best(request.workspace, metric)
    state = launch.follow(executor, job, spec.label, tell, "jobs", watch if metric else None)
    return replace(result(request.workspace, JobResult(job, state, spec), axes), before=before)


def prepare(
    path: str | os.PathLike[str],
    over: Given,
    given: Given = (),
    *,
    names: Mapping[str, Any] | None = None,
    max_parallel: int | None = None,
    cell_timeout: float | None = None,
    kernel: str | None = None,
    label: str | None = None,
    timeout: float | None = None,
    threads: int | None = None,
    nonce: str | None = None,
    draw: int | None = None,
    seed: int | None = None,
    listed: str | os.PathLike[str] | None = None,
    until: str | None = None,
    resume: bool = False,
    on: str = LOCAL,
) -> tuple[launch.Request, JobSpec, list[str]]:
    """Check a sweep without starting it; arguments as for `sweep`, and the axes' names at the end.

    Parameters
    ----------
    nonce : str, optional
        What tells apart two sweeps that are otherwise equal; default: this is another one.
    draw : int, optional
        So many jobs are drawn from the axes at random, instead of every combination.
    seed : int, optional
        The same seed draws the same jobs in the same order; default 0.
    listed : path, optional
        A CSV or JSON file that lists the jobs, instead of the axes.
    until : str, optional
        A query: once a finished job's run matches, no further job is started.

    Raises
    ------
    UsageError
        If something about the request is wrong; nothing was made then.
    """
    if until is not None:
        query.parse(until)
    if max_parallel is not None and max_parallel < 1:
        raise UsageError(
            f"{max_parallel} jobs cannot run at once", "Give a number from 1 on: `--max-parallel 2`"
        )
    request = launch.check(path, kernel, any_given=True)
    fixed = parameters.given(given, request.known, names)
    axes, combinations = _jobs(request, over, fixed, names, draw=draw, seed=seed, listed=listed)
    room = max(1, cores() // max(1, threads or 1)) if on == LOCAL else _ELSEWHERE
    parallel = min(max_parallel or room, len(combinations))
    for each in combinations:
        parameters.complete(each, request.known)
    spec = JobSpec(
        notebook=request.relative,
        blob=request.notebook.blob,
        kernel=request.kernel,
        label=label or request.notebook.path.stem,
        nonce=nonce or (code_key(request.workspace.top) if resume else secrets.token_hex(8)),
        params=parameters.defaults(request.known),
        commit=launch.commit(request),
        timeout=launch.limit(timeout),
        cell_timeout=launch.seconds(request, cell_timeout),
        **launch.computing(threads, max(1, cores() // parallel)),
        kind="sweep",
        jobs=tuple(combinations),
        parallel=parallel,
        until=until or "",
        test=request.notebook.test,
    )
    return request, spec, axes


def _jobs(
    request: launch.Request,
    over: Given,
    fixed: Mapping[str, Any],
    names: Mapping[str, Any] | None,
    *,
    draw: int | None,
    seed: int | None,
    listed: str | os.PathLike[str] | None,
) -> tuple[list[str], list[dict[str, Any]]]:
    """Return which parameters vary, and the values of each job."""
    if listed is not None:
        if over or draw is not None:
            raise UsageError("a sweep's jobs come from a file or from axes, not both", "Leave out --from")
        combinations = from_file.combinations(Path(listed), request.known, fixed)
        return list(
            dict.fromkeys(name for row in combinations for name in row if name not in fixed)
        ), combinations
    if not over:
        raise UsageError(
            "a sweep needs an axis", "Give one: `-g depth=4,6,8`; for one job: `provenote job run`"
        )
    axes = grid.axes(over, request.known, names)
    if draw is None:
        if seed is not None:
            raise UsageError("a grid has every combination, and nothing to draw", "Give --random with --seed")
        return list(axes), grid.combinations(axes, fixed)
    if not 1 <= draw <= grid.LIMIT:
        raise UsageError(f"{draw:,} jobs cannot be drawn", f"Give a number from 1 to {grid.LIMIT:,}")
    grid.apart(axes, fixed)
    return list(axes), draws.drawn(axes, draw, seed or 0, fixed)


def code_key(top: Path) -> str:
    """Return what stands for the code around a notebook, in hex: another one when that has changed.

    HEAD is in the specification anyway; here are the tracked files that differ from it and the modules that
    are not tracked yet, other notebooks apart: one that is open changes whenever it is saved.
    """
    from provenote.git.command import git

    changed = git(top, "diff", "--name-only", "-z", "HEAD").split(b"\0")
    fresh = git(top, "ls-files", "-z", "--others", "--exclude-standard", "--", "*.py", "*.dvc").split(b"\0")
    digest = hashlib.sha256()
    for name in sorted({*changed, *fresh}):
        if name and not name.endswith(b".ipynb"):
            try:
                content = (top / os.fsdecode(name)).read_bytes()
            except OSError:  # removed, or a folder now
                content = b"-"
            digest.update(name + b"\0" + hashlib.sha256(content).digest())
    return digest.hexdigest()[:16]


def result(workspace: Workspace, sweep: JobResult, axes: Sequence[str] | None = None) -> SweepResult:
    """Return a sweep with all that is known about its jobs."""
    jobs, metrics = [], []
    for spec in coordinator.children(sweep.spec):
        folder = JobFolder(workspace.home / "jobs" / spec.id)
        state = folder.state() if folder.path.exists() else JobState()
        jobs.append(JobResult(spec.id, state, spec))
        metrics.append(metrics_of(workspace, state.commit))
    return SweepResult(sweep, jobs, list(coordinator.axes(sweep.spec) if axes is None else axes), metrics)


def metrics_of(workspace: Workspace, commit: str | None) -> dict[str, Any]:
    """Return the last metrics of a job's run; empty while it has no commit."""
    if commit is None:
        return {}
    from provenote.stores import index

    try:
        metrics: dict[str, Any] = index.document(workspace, commit)["metrics"]
    except UsageError:  # somebody removed the run
        return {}
    return metrics


class _Best:
    """Says which job of a running sweep is the best so far."""

    def __init__(self, workspace: Workspace, metric: str | None) -> None:
        self._workspace = workspace
        self._metric = metric or ""
        self._seen: dict[str, Any] = {}

    def __call__(self, state: JobState) -> str:
        for job, word in state.jobs.items():
            if word == "succeeded" and job not in self._seen:
                commit = JobFolder(self._workspace.home / "jobs" / job).state().commit
                self._seen[job] = metrics_of(self._workspace, commit).get(self._metric)
        values = list(self._seen.values())
        place = numbers.best(self._metric, values)
        return "" if place is None else f"best {self._metric} {numbers.text(values[place])}"
