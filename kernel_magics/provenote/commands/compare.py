"""Verbs that hold runs against each other."""

from __future__ import annotations

from provenote.commands.tree import Context, verb
from provenote.view import Line, Part, View


@verb("compare", slice="-s")
def compare(
    context: Context,
    *runs: str,
    baseline: str | None = None,
    all: bool = False,
    against: str | None = None,
    on: str | None = None,
    answer: str | None = None,
    time: str | None = None,
    since: str | None = None,
    until: str | None = None,
    newest: int | None = None,
    block: str | None = None,
    slice: list[str] | None = None,
    metric: str | None = None,
    margin: str | None = None,
    trusted: list[str] | None = None,
) -> View:
    """Compare runs: metrics, parameters, code, cells and outputs, data, environment.

    The first run is the baseline that the others are held against. What is the same in all of them is only
    counted. A single run is held against the holder of production, else against the run before it.

    With `--against production`, two models are asked about the same rows: the one that holds the stage and
    a challenger. The verdict is better, not worse, worse or not judged, from a paired bootstrap over weeks.
    Exit status: 0 better or not worse, 1 worse, 3 not judged.

    Parameters
    ----------
    runs : str
        Names, labels or ids of runs, or the start of an id or commit; a sweep's name means its runs. With
        --against: one run, or a model: NAME, NAME@v1.2.0.
    baseline : str
        The run that the others are held against; default: the first.
    all : bool
        Show what is the same, too.
    against : str
        Hold a model against who holds this stage; a version or a run of the same model is taken, too.
    on : str
        The table with the rows, PATH or PATH@REV; default: the one that the challenger's run read.
    answer : str
        The column that the models predict; default: as it was logged with the model.
    time : str
        The column of the time; default: the first that holds dates. none: rows are independent.
    since : str
        First day that is taken.
    until : str
        Last day that is taken.
    newest : int
        Take so many of the newest rows at most.
    block : str
        Rows that are drawn together: 7d (default), 12h, 2w.
    slice : list of str
        Also judge each value of this column; may be repeated.
    metric : str
        rmse, mae, r2, accuracy, f1 ... or a scorer of scikit-learn; default: rmse or accuracy.
    margin : str
        How much worse still counts as not worse: 0.01, or 1% of the holder's; default: a hundredth.
    trusted : list of str
        Full name of a type that the challenger's file may hold; may be repeated.
    """
    from provenote.errors import UsageError

    rows = {
        "on": on, "answer": answer, "time": time, "since": since, "until": until, "newest": newest,
        "block": block, "metric": metric, "margin": margin,
    }  # fmt: skip
    if against is not None:
        from provenote.checks import contest, pages

        if len(runs) != 1 or baseline is not None:
            raise UsageError(
                "--against takes one run or model", f"`provenote compare --against {against} RUN`"
            )
        choice = contest.Choice(**rows, slices=tuple(slice or ()))  # type: ignore[arg-type]
        found = contest.against(context.workspace, runs[0], against, choice, trusted or ())
        return pages.contest(found, pictures=context.face == "notebook")
    given = [
        name for name, value in {**rows, "slice": slice, "trusted": trusted}.items() if value is not None
    ]
    if given:
        raise UsageError(f"--{given[0]} is for --against", "Name the stage: `--against production`")

    from provenote.compare import comparison

    return comparison.compare(
        context.workspace,
        runs,
        baseline=baseline,
        everything=all,
        pictures=context.face == "notebook",
        tell=context.tell,
    )


@verb("report", out="-o", all="-A")
def report(
    context: Context,
    *query: str,
    out: str,
    sort: str | None = None,
    baseline: str | None = None,
    title: str | None = None,
    all: bool = False,
    force: bool = False,
) -> View:
    """Write a report of runs: one offline file with table, pictures and differences.

    The suffix tells the form: report.html holds everything; report.md, for a pull request, has its pictures
    in report_files/ beside it.

    Parameters
    ----------
    query : str
        Which runs, in the query language of `runs`; several words are joined. Default: all.
    out : str
        The file to write.
    sort : str
        Field to sort by, several with commas; `--sort=-metrics.r2` turns it round.
    baseline : str
        The run that the others are held against; default: the first that finished.
    title : str
        Its title.
    all : bool
        Runs of all branches, and archived ones.
    force : bool
        Replace a file that is no report.
    """
    from pathlib import Path

    from provenote.compare import report as reporting
    from provenote.compare import report_file
    from provenote.compare.numbers import counted, size

    path = Path(out)
    report_file.check(path, force=force)
    made = reporting.report(
        context.workspace,
        " ".join(query),
        sort=sort,
        baseline=baseline,
        title=title,
        everything=all,
        tell=context.tell,
    )
    written = report_file.write(made, path, force=force)
    parts: list[Part] = [
        Line(f"{out} tells of {counted(len(made.rows), 'run')}", "ok", aside=size(written.size))
    ]
    if written.pictures:
        many = counted(len(written.pictures), "picture")
        parts.append(Line(f"{many} in {written.pictures[0].parent}/ belong to it: send them along"))
    data = {
        "path": str(written.path),
        "pictures": [str(one) for one in written.pictures],
        "size": written.size,
        "baseline": made.baseline.name,
        "runs": [row.name for row in made.rows],
    }
    return View(parts, data)
