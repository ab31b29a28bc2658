"""Run a notebook over a grid of parameters: one parent run, one job for each combination."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

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
        The sweep itself; its run is the parent.
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

    def best(self, metric: str, maximize: bool = False) -> int | None:
        """Return the place of the job with the best value of ``metric``, or None if none has a number."""
        found = [(one.get(metric), place) for place, one in enumerate(self.metrics)]
        ranked = [(float(value), place) for value, place in found if _number(value)]
        if not ranked:
            return None
        return max(ranked, key=lambda pair: pair[0])[1] if maximize else min(ranked)[1]

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
    maximize: bool = False,
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
        The metric whose best value so far the progress tells.
    maximize : bool
        Whether a higher value of it is better.
    cell_timeout, kernel, label, on, tell
        As for `provenote.jobs.launch.run_job`.

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
        nonce=secrets.token_hex(8),
        params={p.name: p.default for p in request.known if p.default is not parameters.MISSING},
        commit=launch.commit(request),
        cell_timeout=launch.seconds(request, cell_timeout),
        threads=max(1, cores() // parallel),
        kind="sweep",
        jobs=tuple(combinations),
        parallel=parallel,
    )
    executor = executors.get(request.workspace, on)
    job = executor.submit(spec)
    watch = _Best(request.workspace, metric, maximize)
    state = launch.follow(executor, job, spec.label, tell, "jobs", watch if metric else None)
    return result(request.workspace, JobResult(job, state, spec), list(axes))


def result(workspace: Workspace, sweep: JobResult, axes: Sequence[str] | None = None) -> SweepResult:
    """Return a sweep with all that is known about its jobs."""
    jobs, metrics = [], []
    for spec in coordinator.children(sweep.spec, None):
        folder = JobFolder(workspace.home / "jobs" / spec.id)
        state = folder.state() if folder.path.exists() else JobState()
        jobs.append(JobResult(spec.id, state, spec))
        metrics.append(metrics_of(workspace, state.commit))
    if axes is None:
        names = list(dict.fromkeys(name for given in sweep.spec.jobs for name in given))
        axes = [name for name in names if len({repr(given.get(name)) for given in sweep.spec.jobs}) > 1]
    return SweepResult(sweep, jobs, list(axes), metrics)


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


def _number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value


class _Best:
    """Says which job of a running sweep is the best so far."""

    def __init__(self, workspace: Workspace, metric: str | None, maximize: bool) -> None:
        self._workspace = workspace
        self._metric = metric or ""
        self._maximize = maximize
        self._seen: dict[str, Any] = {}

    def __call__(self, state: JobState) -> str:
        for job, word in state.jobs.items():
            if word == "succeeded" and job not in self._seen:
                folder = JobFolder(self._workspace.home / "jobs" / job)
                found = metrics_of(self._workspace, folder.state().commit).get(self._metric)
                self._seen[job] = found if _number(found) else None
        values = [value for value in self._seen.values() if value is not None]
        if not values:
            return ""
        return f"best {self._metric} {(max if self._maximize else min)(values):.5g}"
