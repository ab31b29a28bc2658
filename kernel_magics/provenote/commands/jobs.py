"""Verbs of jobs: run a notebook, sweep a grid, look at what runs, stop it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from provenote.commands.tree import Context, verb
from provenote.view import Line, Part, Text, View


@verb("job run", params="-p")
def job_run(
    context: Context,
    notebook: str | None = None,
    *,
    from_: str | None = None,
    params: list[str] | None = None,
    output: str | None = None,
    timeout: float | None = None,
    notebook_timeout: float | None = None,
    threads: int | None = None,
    kernel: str | None = None,
    name: str | None = None,
    on: str = "local",
    describe: bool = False,
) -> View:
    """Run a notebook as a job: with parameters, in a kernel of its own, recorded as a run.

    Only parameters that the cell tagged `parameters` declares can be given, with values of their types: JSON
    or Python literals in a shell, expressions in a notebook. The notebook's folder is the working directory.
    With `--from` it is the notebook of a past run, with that run's code, data and parameters but for those
    given: the run is restored to past/RUN, and the job works there. Exit status: 0 it succeeded, 1 it failed
    or was stopped, 2 the request is wrong, 3 the disk or the kernel is broken.

    Parameters
    ----------
    notebook : str
        Path of the notebook.
    from_ : str
        Start from this run instead: name, label, id, or the start of its id or commit.
    params : list of str
        A parameter and its value, `depth=6`; may be repeated.
    output : str
        Where a copy of the executed notebook goes.
    timeout : float
        Seconds one cell may take.
    notebook_timeout : float
        Seconds the whole notebook may take.
    threads : int
        Threads of OpenMP and BLAS; default: one for each core.
    kernel : str
        Kernel to use instead of the notebook's own.
    name : str
        Name of the run; default: the notebook's, or that of the past run.
    on : str
        Where it runs: `local`, or `dask://HOST:PORT`, the address of a Dask scheduler.
    describe : bool
        Show the notebook's parameters instead of running it.
    """
    from provenote.compare import remarks
    from provenote.errors import UsageError
    from provenote.jobs import ended, launch

    options: dict[str, Any] = {
        "output": output,
        "cell_timeout": timeout,
        "timeout": notebook_timeout,
        "threads": threads,
        "kernel": kernel,
        "label": name,
        "on": on,
    }
    if from_ is not None:
        if notebook is not None:
            raise UsageError(
                "a job runs a notebook or starts from a run, not both", f"Leave out {notebook} or --from"
            )
        return _from_run(context, from_, params or (), describe, **options)
    if notebook is None:
        raise UsageError("which notebook?", "Name one, or a run: `provenote job run --from RUN`")
    if describe:
        return ended.described(launch.check(notebook, kernel))
    result = launch.run_job(notebook, params or (), names=_names(context), tell=context.tell, **options)
    return ended.ended(result, remarks.of_run(context.workspace, result.state.commit))


@verb("sweep", grid="-g", params="-p")
def sweep(
    context: Context,
    notebook: str,
    *,
    grid: list[str] | None = None,
    random: int | None = None,
    seed: int | None = None,
    from_: str | None = None,
    params: list[str] | None = None,
    until: str | None = None,
    max_parallel: int | None = None,
    metric: str | None = None,
    timeout: float | None = None,
    notebook_timeout: float | None = None,
    threads: int | None = None,
    kernel: str | None = None,
    name: str | None = None,
    on: str = "local",
    again: bool = False,
) -> View:
    """Run a notebook once for each combination of values.

    A grid: `-g depth=4,6,8 -g lr=0.05,0.1` is six jobs; `-g depth=2..5` is four. Values with commas stand in
    a JSON list: `-g 'columns=["a,b", "c"]'`. At random: `--random 20 -g depth=2..9 -g lr=log:0.001..0.1`
    draws twenty. From a file: `--from jobs.csv`, whose columns are parameters.

    Each job computes with cores / parallel threads. The same sweep given again, with notebook and code
    unchanged, goes on with the jobs that have not succeeded; so does `provenote job retry`.

    Parameters
    ----------
    notebook : str
        Path of the notebook.
    grid : list of str
        A parameter and its values, `depth=4,6,8`, or a range, `lr=log:0.001..0.1`; may be repeated.
    random : int
        Draw so many jobs from the axes instead of running every combination.
    seed : int
        The same seed draws the same jobs in the same order; default: 0.
    from_ : str
        CSV or JSON file that lists the jobs: its columns, or the keys of its objects, are parameters.
    params : list of str
        A parameter that all jobs share, `loss=poisson`; may be repeated.
    until : str
        Start no further job once a finished one matches this query, as `rmse < 40`.
    max_parallel : int
        How many jobs run at once; default: one for each core, on Dask as many as its workers take.
    metric : str
        The metric to watch: the best so far is told, and the table ends with the best.
    timeout : float
        Seconds one cell may take.
    notebook_timeout : float
        Seconds each notebook may take.
    threads : int
        Threads of OpenMP and BLAS of each job; default: cores / jobs at once.
    kernel : str
        Kernel to use instead of the notebook's own.
    name : str
        Name of the runs; default: the notebook's.
    on : str
        Where the jobs run: `local`, or `dask://HOST:PORT`, the address of a Dask scheduler.
    again : bool
        Run all jobs anew, also those that succeeded before.
    """
    from provenote.jobs import ended, sweeps

    result = sweeps.sweep(
        notebook,
        grid or (),
        params or (),
        names=_names(context),
        max_parallel=max_parallel,
        metric=metric,
        cell_timeout=timeout,
        timeout=notebook_timeout,
        threads=threads,
        kernel=kernel,
        label=name,
        on=on,
        tell=context.tell,
        resume=not again,
        draw=random,
        seed=seed,
        listed=from_,
        until=until,
    )
    return ended.swept(result, metric)


@verb("jobs", everything="-A", watch="-w")
def jobs(
    context: Context,
    *,
    watch: bool = False,
    limit: int = 20,
    everything: bool = False,
    stop_warm: bool = False,
) -> View:
    """List jobs, the newest first: where each is, for how long, how long yet, what it printed last.

    What is left is guessed from past jobs of the same notebook.

    Parameters
    ----------
    watch : bool
        Keep the table up to date until no job is at work; Ctrl-C ends the watching, not the jobs.
    limit : int
        At most so many.
    everything : bool
        Also the single jobs of sweeps that are over.
    stop_warm : bool
        Instead, end the processes that linger so that the next job starts quickly; jobs at work go on.
    """
    from provenote.jobs import board

    if stop_warm:
        from provenote.jobs import warm

        return _stopped(warm.stop())
    home = context.workspace.home
    if watch:
        return board.watch(home, context.draw, limit, everything)
    return board.view(board.Board(home).entries(time.time(), limit, everything))


def _stopped(count: int) -> View:
    word = "process" if count == 1 else "processes"
    text = f"Ended {count} warm {word}; the next job starts another." if count else "No warm process lingers."
    return View([Line(text, "ok" if count else "")], {"stopped": count})


@verb("job logs", follow="-f")
def job_logs(context: Context, job: str, *, lines: int | None = None, follow: bool = False) -> View:
    """Show what a job printed, or each job of a sweep.

    Parameters
    ----------
    job : str
        Its id or the first characters of it, or the name of its run.
    lines : int
        Only the last so many lines.
    follow : bool
        Go on with what it prints until it is over; Ctrl-C ends the following, not the job.
    """
    from provenote.jobs import executor, folder, following

    found = folder.find(context.workspace.home, job)
    there = executor.get(context.workspace)
    if follow and context.write is not None and found.spec.kind == "notebook":
        said = following.follow(there, found.id, context.write, lines)
        state = there.status(found.id)
        end = f"{state.state}{f': {state.reason}' if state.reason else ''}"
        return View([Line(f"job {found.id[:8]} {end}", role="muted")], {"id": found.id, "log": said})
    if follow:
        following.follow(there, found.id, lambda text: None)
    if found.spec.kind == "sweep":
        text = following.of_sweep(there, found.spec, lines)
    else:
        whole = following.legible(there.logs(found.id)).rstrip("\n").split("\n")
        text = "\n".join(whole[-lines:] if lines else whole)
    part: Part = Text(text) if text else Line("It printed nothing.", role="muted")
    return View([part], {"id": found.id, "log": text})


@verb("job cancel")
def job_cancel(context: Context, job: str | None = None, *, all: bool = False) -> View:
    """Stop a job, or all jobs of a sweep: the cell at work is interrupted, then its kernel killed.

    Parameters
    ----------
    job : str
        Its id or the first characters of it, or the name of its run.
    all : bool
        Stop every job that waits or is at work.
    """
    from provenote.errors import UsageError
    from provenote.jobs import executor, folder, launch

    if all is (job is not None):
        raise UsageError("which job?", "Name one, or give --all: `provenote jobs` lists them")
    place = context.workspace
    if job is not None:
        found = folder.find(place.home, job)
        asked = launch.cancel(place, found)
        none = f"Job {found.id[:8]} had ended already."
    else:
        going = [each.id for each in folder.listing(place.home) if not each.state().over]
        there = executor.get(place)
        for each in going:
            there.cancel(each)
        asked, none = len(going), "No job is at work."
    data = {"id": found.id if job is not None else None, "asked": asked}
    if not asked:
        return View([Line(none, "warn")], data)
    text = f"Asked {'the job' if asked == 1 else f'{asked} jobs'} to stop. See: `provenote jobs`"
    return View([Line(text, "ok")], data)


@verb("job retry")
def job_retry(context: Context, job: str, *, on: str | None = None) -> View:
    """Run a job again that did not succeed; of a sweep, the jobs that did not.

    Parameters
    ----------
    job : str
        Its id or the first characters of it, or the name of its run.
    on : str
        Where it runs now, as for `job run`; default: where it ran before.
    """
    from provenote.jobs import ended, folder, launch, sweeps

    place = context.workspace
    result = launch.retry(place, folder.find(place.home, job), context.tell, on)
    if result.spec.kind == "sweep":
        return ended.swept(sweeps.result(place, result))
    return ended.ended(result)


def _names(context: Context) -> dict[str, Any] | None:
    """Return the notebook's namespace, where values are expressions."""
    return context.names if context.face == "notebook" else None


def _from_run(context: Context, run: str, params: Sequence[str], describe: bool, **options: Any) -> View:
    """Run the notebook of a past run as a job."""
    import os

    from provenote.jobs import again, ended

    begin = again.find(context.workspace, run)
    if describe:
        return ended.described(again.request_of(context.workspace, begin, options["kernel"]), begin.given)
    result, place, remarks = again.run(
        context.workspace, begin, params, names=_names(context), tell=context.tell, **options
    )
    shown = ended.ended(result)
    began: list[Part] = [Line(f"started from run {begin.row.name}, in {os.path.relpath(place.top)}", "ok")]
    began += [Line(remark, "warn") for remark in remarks]
    data = {**result.to_json(), "from": begin.row.id, "folder": str(place.top), "remarks": list(remarks)}
    return View([*began, *shown.parts], data, shown.status)
