"""A job that starts from a past run: its notebook, its code and data, its parameters but for those changed.

The run is restored to ``past/<run>`` first and the job works there, so that nothing differs from the run but
what was asked for, and nothing of the present work is touched. Which notebook that is, and what it was given,
is decided from what the run kept (`provenote.jobs.replay`).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provenote.errors import UsageError
from provenote.events import Tell, silent
from provenote.jobs import executor as executors
from provenote.jobs import launch, parameters, replay
from provenote.jobs import notebook as notebooks
from provenote.jobs.local import cores
from provenote.jobs.notebook import Notebook

if TYPE_CHECKING:
    from provenote.model import Row
    from provenote.travel.restore import Outcome
    from provenote.workspace import Workspace

FEW = 3


@dataclass(frozen=True, slots=True)
class Start:
    """What a job from a past run starts with.

    Parameters
    ----------
    row : Row
        The past run.
    notebook : Notebook
        The notebook that ran, under the path that it had.
    given : dict
        The values that the past run was given.
    kernel : str or None
        The kernel that the past run used, where that is known.
    """

    row: Row
    notebook: Notebook
    given: dict[str, Any]
    kernel: str | None


def find(workspace: Workspace, name: str) -> Start:
    """Find what a job from a past run starts with; nothing is made yet.

    Parameters
    ----------
    workspace : Workspace
    name : str
        The run: name, label, id, or the start of its id or commit.

    Raises
    ------
    UsageError
        If there is no such run, it still runs, or no notebook of it is known.
    """
    from provenote.stores import index

    row = index.find(workspace, name)
    if row.commit is None:
        raise UsageError(
            f"run {row.name} still runs, so nothing can start from it yet",
            "See how far it is: `provenote jobs`",
        )
    document = index.document(workspace, row.commit)
    relative, content = replay.kept(workspace, row, document)
    found = notebooks.parse(workspace.dvc_root / relative, content)
    job = replay.job_of(document)
    kernel = job.get("kernel")
    values = replay.given(found, job.get("given"), found.parameters() or [])
    return Start(row, found, values, kernel if isinstance(kernel, str) else found.kernel)


def restored(
    workspace: Workspace, run: str, notebook: str, *, tell: Tell = silent
) -> tuple[Workspace, tuple[str, ...]]:
    """Restore a run for a job that works there.

    Parameters
    ----------
    workspace : Workspace
    run : str
        The run.
    notebook : str
        POSIX path of the notebook from the DVC root; its folder is the working directory of the job.
    tell : Tell
        Where progress goes.

    Returns
    -------
    workspace : Workspace
        The restored one.
    remarks : tuple of str
        What is not as it was for the past run.
    """
    from provenote import workspace as workspaces
    from provenote.stores import index
    from provenote.travel import restore

    row = index.find(workspace, run)
    outcome = restore.restore(workspace, row.name, tell=tell)
    place = workspaces.find(outcome.folder / workspace.prefix)
    (place.dvc_root / notebook).parent.mkdir(parents=True, exist_ok=True)
    return place, _remarks(row, outcome)


def run(
    workspace: Workspace,
    begin: Start,
    given: launch.Given = (),
    *,
    names: Mapping[str, Any] | None = None,
    output: str | os.PathLike[str] | None = None,
    cell_timeout: float | None = None,
    timeout: float | None = None,
    threads: int | None = None,
    kernel: str | None = None,
    label: str | None = None,
    on: str = "local",
    tell: Tell = silent,
) -> tuple[launch.JobResult, Workspace, tuple[str, ...]]:
    """Run the notebook of a past run again, with its parameters but for those given, and wait for its end.

    Parameters
    ----------
    workspace : Workspace
        The present one.
    begin : Start
        What `find` found.
    given : sequence of str or mapping
        The parameters that change.
    names, output, cell_timeout, timeout, threads, on, tell
        As for `provenote.jobs.launch.run_job`.
    kernel : str, optional
        Kernel to use instead of the run's.
    label : str, optional
        Name of the new run; default: the past one's.

    Returns
    -------
    result : launch.JobResult
    workspace : Workspace
        Where the past run is restored, and the job worked.
    remarks : tuple of str
        What is not as it was for the past run.

    Raises
    ------
    UsageError
        If something about the request is wrong; nothing was made then.
    """
    request = request_of(workspace, begin, kernel, bool(given))
    before = parameters.given(begin.given, request.known)
    spec = request.spec(
        {**before, **parameters.given(given, request.known, names)},
        secrets.token_hex(8),
        label=label or begin.row.label,
        commit=launch.commit(request),
        timeout=launch.limit(timeout),
        cell_timeout=launch.seconds(request, cell_timeout),
        **launch.computing(threads, cores()),
        output=launch.output_path(request, output),
        origin=begin.row.id,
    )
    place, remarks = restored(workspace, begin.row.id, spec.notebook, tell=tell)
    executor = executors.get(place, on)
    job = executor.submit(spec)
    return launch.JobResult(job, launch.follow(executor, job, spec.label, tell), spec), place, remarks


def request_of(
    workspace: Workspace, begin: Start, kernel: str | None = None, any_given: bool = False
) -> launch.Request:
    """Check that the notebook of a past run can run here; raises as `provenote.jobs.launch.check` does."""
    return launch.fit(workspace, begin.notebook, kernel or begin.kernel, any_given)


def _remarks(row: Row, outcome: Outcome) -> tuple[str, ...]:
    """Say what is not as it was."""
    remarks = [f"{path}: its bytes are neither here nor on a remote" for path in outcome.absent]
    if outcome.environment:
        few = "; ".join(outcome.environment[:FEW])
        more = f" and {len(outcome.environment) - FEW} more" if len(outcome.environment) > FEW else ""
        remarks.append(f"this environment is another one than the run's: {few}{more}")
    changed = _changed(outcome, str(row.commit))
    if changed:
        few = ", ".join(changed[:FEW])
        more = f" and {len(changed) - FEW} more" if len(changed) > FEW else ""
        remarks.append(f"changed in {os.path.relpath(outcome.folder)} since it was restored: {few}{more}")
    if row.linearity == "out-of-order":
        remarks.append("its cells ran out of order; the job runs them in that order")
    return tuple(remarks)


def _changed(outcome: Outcome, commit: str) -> list[str]:
    """Return the files of a restored run that are not as the run had them."""
    from provenote.git.command import git
    from provenote.travel.remove import ours

    listed = git(outcome.folder, "diff", "--name-only", "--no-renames", "-z", commit)
    listed += git(outcome.folder, "ls-files", "--others", "--exclude-standard", "-z")
    names = {os.fsdecode(name) for name in listed.split(b"\0") if name}
    return sorted(name for name in names if not ours(name))
