"""The verb that tests models."""

from __future__ import annotations

from typing import Any

from provenote.commands.tree import Context, verb
from provenote.view import View


@verb("test", params="-p", slice="-s")
def test(
    context: Context,
    subject: str,
    *,
    on: str | None = None,
    answer: str | None = None,
    time: str | None = None,
    since: str | None = None,
    until: str | None = None,
    newest: int | None = None,
    block: str | None = None,
    min: list[str] | None = None,
    max: list[str] | None = None,
    slice: list[str] | None = None,
    worst: float | None = None,
    against: str | None = None,
    margin: str | None = None,
    p95_ms: float | None = None,
    mb: float | None = None,
    build: bool = False,
    trusted: list[str] | None = None,
    params: list[str] | None = None,
    junit: str | None = None,
    timeout: float | None = None,
    notebook_timeout: float | None = None,
    kernel: str | None = None,
    name: str | None = None,
) -> View:
    """Test a model, or run a test notebook, as a job; the verdict is kept in its run.

    A model is tested by the template test-model: rows it has not seen, better than guessing, bounds, slices,
    not worse than the holder of production, signature, determinism, loading in a clean process. What it takes
    to test it otherwise is a notebook of yours: `provenote new tests.ipynb --from test-model`.

    Exit status: 0 passed, 1 failed, 2 the request is wrong, 3 not judged, an error, or nothing ran.

    Parameters
    ----------
    subject : str
        A model (NAME, NAME@v1.2.0, NAME@production, NAME@RUN), a test notebook, or the run of a test, whose
        verdict is shown.
    on : str
        The table with the rows, PATH or PATH@REV; default: the one that the model's run read.
    answer : str
        The column that the model predicts; default: as it was logged with the model.
    time : str
        The column of the time; default: the first that holds dates. none: rows are independent.
    since : str
        First day that is taken.
    until : str
        Last day that is taken.
    newest : int
        Take so many of the newest rows at most.
    block : str
        Rows that a bootstrap draws together: 7d (default), 12h, 2w.
    min : list of str
        A metric and its least value, r2=0.85: the lower end of its interval must clear it; may be repeated.
    max : list of str
        A metric and its greatest value, rmse=60; may be repeated.
    slice : list of str
        A column on each value of which it must be good; may be repeated.
    worst : float
        Least r2, or accuracy of a classifier, on a slice; default: 0.
    against : str
        The stage whose holder it must not be worse than; default: production. none: not asked.
    margin : str
        How much worse still counts as not worse: 0.01, or 1%.
    p95_ms : float
        Milliseconds in which 95 of 100 answers must come.
    mb : float
        Greatest size of its file in MB.
    build : bool
        Build the environment that the model was made in, to load it there; may need a network.
    trusted : list of str
        Full name of a type that its file may hold; may be repeated.
    params : list of str
        A parameter of a test notebook and its value, `depth=6`; may be repeated.
    junit : str
        Write the verdict as JUnit XML to this file.
    timeout : float
        Seconds one cell may take.
    notebook_timeout : float
        Seconds the whole notebook may take.
    kernel : str
        Kernel to use instead of the notebook's own.
    name : str
        Name of the run.
    """
    from provenote.checks import asked, pages, running
    from provenote.checks import junit as report
    from provenote.errors import UsageError

    given = asked.of_template(
        {
            "data": on, "answer": answer, "time": time, "since": since, "until": until, "newest": newest,
            "block": block, "least": min, "most": max, "slices": slice, "worst": worst, "stage": against,
            "margin": margin, "p95_ms": p95_ms, "mb": mb, "build": build or None, "trusted": trusted,
        }
    )  # fmt: skip
    options: dict[str, Any] = {"cell_timeout": timeout, "timeout": notebook_timeout, "kernel": kernel}
    options |= {"label": name, "tell": context.tell}
    if subject.endswith(".ipynb"):
        if given:
            raise UsageError(
                f"a test notebook takes parameters, not --{asked.option(next(iter(given)))}",
                f"Give them as `-p NAME=VALUE`; see them: `provenote job run {subject} --describe`",
            )
        names = context.names if context.face == "notebook" else None
        ran = running.of_notebook(context.workspace, subject, params or (), names, **options)
    else:
        if params:
            raise UsageError(
                "-p is for test notebooks", "See the options for a model: `provenote test --help`"
            )
        kept = None if given else asked.kept(context.workspace, subject)
        if kept is not None:
            if junit is not None:
                running.write(junit, report.render(kept))
            return pages.view(kept, what=subject)
        ran = running.of_model(context.workspace, subject, given, **options)
    if junit is not None and ran.verdict is not None:
        running.write(junit, report.render(ran.verdict))
    return pages.ran(ran, subject)
