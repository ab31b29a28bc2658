"""Verbs that hold runs against each other."""

from __future__ import annotations

from provenote.commands.tree import Context, verb
from provenote.view import Line, Part, View


@verb("compare")
def compare(context: Context, *runs: str, baseline: str | None = None, all: bool = False) -> View:
    """Compare runs: metrics, parameters, code, cells and outputs, data, environment.

    The first run is the baseline that the others are held against. What is the same in all of them is only
    counted. A single run is held against the holder of production, else against the run before it.

    Parameters
    ----------
    runs : str
        Names, labels or ids of runs, or the start of an id or commit; a sweep's name means its runs.
    baseline : str
        The run that the others are held against; default: the first.
    all : bool
        Show what is the same, too.
    """
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
