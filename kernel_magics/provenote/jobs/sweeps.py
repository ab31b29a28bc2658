"""Run a notebook over a grid of parameters: a sweep, one job for each combination."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provenote.compare import numbers
from provenote.errors import UsageError
from provenote.events import Tell, silent
from provenote.jobs import coordinator, grid, launch, parameters
from provenote.jobs import executor as executors
from provenote.jobs.folder import JobFolder
from provenote.jobs.launch import Given, JobResult
from provenote.jobs.local import cores
from provenote.jobs.spec import JobSpec
from provenote.jobs.state import JobState

if TYPE_CHECKING:
    from provenote.workspace import Workspace


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
    """

    sweep: JobResult
    jobs: list[JobResult]
    axes: list[str]
    metrics: list[dict[str, Any]]

    def best(self, metric: str) -> int | None:
        """Return the place of the job with the best value of ``metric``; None if none has a number."""
        values = [one.get(metric) for one in self.metrics]
        return numbers.best(metric, values)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        jobs = [{**one.to_json(), "metrics": m} for one, m in zip(self.jobs, self.metrics, strict=True)]
        return {**self.sweep.to_json(), "axes": self.axes, "jobs": jobs}


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
) -> SweepResult:
    """Run a notebook once for each combination of values, and wait for the end of all.

    Each job computes with ``cores / parallel`` threads of OpenMP and BLAS: more would only get in each
    other's way.

    Parameters
    ----------
    path : path
        The notebook.
    over : sequence of str or mapping
        The axes: ``["depth=4,6", "lr=0.05,0.1"]`` or ``{"depth": [4, 6]}``.
    given : sequence of str or mapping
        Parameters that all jobs share.
    names : mapping, optional
        The notebook's namespace: values may then be expressions over it.
    max_parallel : int, optional
        How many jobs run at once; default: one for each core.
    metric : str, optional
        The metric whose best value so far the progress tells; its name says which way is better
        (`provenote.compare.numbers.direction`), lower when it says nothing.
    cell_timeout, kernel, label, on, tell
        As for `provenote.jobs.launch.run_job`.

    Raises
    ------
    UsageError
        If something about the request is wrong; nothing was made then.
    """
    options: dict[str, Any] = {"cell_timeout": cell_timeout, "kernel": kernel, "label": label}
    request, spec, axes = prepare(path, over, given, names=names, max_parallel=max_parallel, **options)
    executor = executors.get(request.workspace, on)
    job = executor.submit(spec)
    watch = _Best(request.workspace, metric)
    state = launch.follow(executor, job, spec.label, tell, "jobs", watch if metric else None)
    return result(request.workspace, JobResult(job, state, spec), axes)


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
    nonce: str | None = None,
) -> tuple[launch.Request, JobSpec, list[str]]:
    """Check a sweep without starting it; arguments as for `sweep`, and the axes' names at the end.

    Raises
    ------
    UsageError
        If something about the request is wrong; nothing was made then.
    """
    if not over:
        raise UsageError(
            "a sweep needs an axis", "Give one: `-g depth=4,6,8`; for one job: `provenote job run`"
        )
    if max_parallel is not None and max_parallel < 1:
        raise UsageError(
            f"{max_parallel} jobs cannot run at once", "Give a number from 1 on: `--max-parallel 2`"
        )
    request = launch.check(path, kernel, any_given=True)
    axes = grid.axes(over, request.known, names)
    fixed = parameters.given(given, request.known, names)
    combinations = grid.combinations(axes, fixed)
    parallel = min(max_parallel or cores(), len(combinations))
    parameters.complete(combinations[0], request.known)
    spec = JobSpec(
        notebook=request.relative,
        blob=request.notebook.blob,
        kernel=request.kernel,
        label=label or request.notebook.path.stem,
        nonce=nonce or secrets.token_hex(8),
        params={p.name: p.default for p in request.known if p.default is not parameters.MISSING},
        commit=launch.commit(request),
        cell_timeout=launch.seconds(request, cell_timeout),
        threads=max(1, cores() // parallel),
        kind="sweep",
        jobs=tuple(combinations),
        parallel=parallel,
    )
    return request, spec, list(axes)


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
