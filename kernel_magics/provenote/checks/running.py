"""Run the tests of a model or a test notebook as a job, and read the verdict that its run kept."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.checks import rows, subject
from provenote.checks.verdict import Verdict
from provenote.errors import UsageError, WorldError
from provenote.events import Tell, silent
from provenote.jobs import cases, executor, launch, local, notebook, packages, parameters
from provenote.jobs.launch import JobResult

if TYPE_CHECKING:
    from provenote.workspace import Workspace

TEMPLATE = "test-model"


@dataclass(frozen=True, slots=True)
class Ran:
    """A test that was run.

    Parameters
    ----------
    result : JobResult
        Of the job.
    verdict : Verdict or None
        None when the job ended before there was any.
    """

    result: JobResult
    verdict: Verdict | None


def of_model(
    workspace: Workspace,
    reference: str,
    given: Mapping[str, Any],
    *,
    cell_timeout: float | None = None,
    timeout: float | None = None,
    kernel: str | None = None,
    label: str | None = None,
    tell: Tell = silent,
) -> Ran:
    """Run the template ``test-model`` on a model; no notebook is written into the project.

    Parameters
    ----------
    workspace : Workspace
    reference : str
        As `provenote.checks.subject.find` takes it.
    given : mapping
        Other parameters of the template.
    cell_timeout, timeout : float, optional
        Seconds that one cell, and the whole notebook, may take.
    kernel, label : str, optional
    tell : Tell

    Raises
    ------
    UsageError
        If there is no such model, or a parameter does not fit.
    """
    subject.check(workspace, reference)  # what is not there is told before a job is made
    if given.get("data"):  # named from where the person stands, while the job stands in the project's folder
        inside, rev = rows.placed(workspace, str(given["data"]))
        given = {**given, "data": f"{inside}@{rev}" if rev else inside}
    content = (files("provenote_templates") / f"{TEMPLATE}.ipynb").read_bytes()
    found = notebook.parse(workspace.dvc_root / f"{TEMPLATE}.ipynb", content)
    request = launch.fit(workspace, found, kernel, True)
    packages.check(found, request.kernel)
    values = parameters.given({"model": reference, **given}, request.known, None)
    spec = request.spec(
        values,
        secrets.token_hex(8),
        label=label or f"test {reference}",
        commit=launch.commit(request),
        timeout=launch.limit(timeout),
        cell_timeout=launch.seconds(request, cell_timeout),
        **launch.computing(None, local.cores()),
    )
    place = executor.get(workspace, "local")
    job = place.submit(spec)
    return _ran(workspace, JobResult(job, launch.follow(place, job, spec.label, tell), spec))


def of_notebook(
    workspace: Workspace, path: str, given: Sequence[str], names: Mapping[str, Any] | None, **options: Any
) -> Ran:
    """Run a test notebook.

    Parameters
    ----------
    workspace : Workspace
    path : str
    given : sequence of str
        Parameters as typed.
    names : mapping, optional
        The notebook's namespace.
    **options : object
        Of `provenote.jobs.launch.run_job`.

    Raises
    ------
    UsageError
        If it is no test.
    """
    if not notebook.read(Path(path)).test:
        raise UsageError(
            f'{path} is no test: its metadata lack `{{"provenote": {{"test": true}}}}`',
            f"Add them in JupyterLab's Property Inspector, or run it: `provenote job run {path}`",
        )
    return _ran(workspace, launch.run_job(path, given, names=names, **options))


def of_run(workspace: Workspace, name: str) -> tuple[Verdict, str]:
    """Return the verdict that a test job's run kept, and the run's commit.

    Parameters
    ----------
    workspace : Workspace
    name : str
        The run.

    Raises
    ------
    UsageError
        If it kept none.
    """
    from provenote.stores import index

    row = index.find(workspace, name)
    found = cases.of_document(index.document(workspace, row.commit)) if row.commit else None
    if found is None:
        raise UsageError(
            f"the run {row.name} kept no verdict",
            "Test notebooks keep one: `provenote test MODEL`, or `provenote test NOTEBOOK`",
        )
    return found, str(row.commit)


def write(path: str, text: str) -> None:
    """Write a report.

    Raises
    ------
    WorldError
        If it cannot be written.
    """
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise WorldError(f"{path} cannot be written: {error.strerror}", "Check its folder") from error


def _ran(workspace: Workspace, result: JobResult) -> Ran:
    from provenote.stores import index

    commit = result.state.commit
    document = index.document(workspace, str(commit)) if commit else {}
    return Ran(result, cases.of_document(document))
