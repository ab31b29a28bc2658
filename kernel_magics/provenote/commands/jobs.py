"""Verbs of jobs: run a notebook, sweep a grid, look at what runs, stop it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from provenote.commands.tree import Context, verb
from provenote.view import Cell, Column, Facts, Line, Mark, Part, Role, Table, Text, View

if TYPE_CHECKING:
    from provenote.jobs.folder import JobFolder
    from provenote.jobs.launch import JobResult, Request
    from provenote.jobs.sweeps import SweepResult

_MARKS: dict[str, Mark] = {
    "queued": "queued",
    "running": "running",
    "finished": "ok",
    "failed": "failed",
    "killed": "killed",
}
_METRICS_SHOWN = 4


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
    kernel : str
        Kernel to use instead of the notebook's own.
    name : str
        Name of the run; default: the notebook's, or that of the past run.
    on : str
        Where it runs: `local`, or `dask://HOST:PORT`, the address of a Dask scheduler.
    describe : bool
        Show the notebook's parameters instead of running it.
    """
    from provenote.errors import UsageError
    from provenote.jobs import launch

    if from_ is not None:
        if notebook is not None:
            raise UsageError(
                "a job runs a notebook or starts from a run, not both", f"Leave out {notebook} or --from"
            )
        return _from_run(
            context,
            from_,
            params or (),
            describe,
            output=output,
            cell_timeout=timeout,
            timeout=notebook_timeout,
            kernel=kernel,
            label=name,
            on=on,
        )
    if notebook is None:
        raise UsageError("which notebook?", "Name one, or a run: `provenote job run --from RUN`")
    if describe:
        return _described(launch.check(notebook, kernel))
    result = launch.run_job(
        notebook,
        params or (),
        names=_names(context),
        output=output,
        cell_timeout=timeout,
        timeout=notebook_timeout,
        kernel=kernel,
        label=name,
        on=on,
        tell=context.tell,
    )
    return _ended(result)


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
    kernel : str
        Kernel to use instead of the notebook's own.
    name : str
        Name of the runs; default: the notebook's.
    on : str
        Where the jobs run: `local`, or `dask://HOST:PORT`, the address of a Dask scheduler.
    again : bool
        Run all jobs anew, also those that succeeded before.
    """
    from provenote.jobs import sweeps

    result = sweeps.sweep(
        notebook,
        grid or (),
        params or (),
        names=_names(context),
        max_parallel=max_parallel,
        metric=metric,
        cell_timeout=timeout,
        timeout=notebook_timeout,
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
    return _swept(result, metric)


@verb("jobs", everything="-A")
def jobs(context: Context, *, limit: int = 20, everything: bool = False, stop_warm: bool = False) -> View:
    """List jobs, the newest first: where each is, for how long, what it printed last.

    Parameters
    ----------
    limit : int
        At most so many.
    everything : bool
        Also the single jobs of sweeps that are over.
    stop_warm : bool
        Instead, end the processes that linger so that the next job starts quickly; jobs at work go on.
    """
    from provenote.jobs import folder as folders

    if stop_warm:
        from provenote.jobs import warm

        return _stopped(warm.stop())
    rows: list[list[Cell]] = []
    marks: list[Mark] = []
    data: list[dict[str, Any]] = []
    now = time.time()
    found = folders.listing(context.workspace.home)
    known = {job.id for job in found}
    for job in found:
        if len(rows) == limit:
            break
        entry = _entry(job, now)
        if entry is None or (entry["sweep"] in known and entry["over"] and not everything):
            continue
        data.append(entry)
        marks.append(_MARKS[entry["status"]])
        rows.append(_row(entry))
    columns = [
        Column("job"),
        Column("notebook"),
        Column("state"),
        Column("cells", "right"),
        Column("seconds", "right"),
    ]
    columns += [Column("run"), Column("last line")]
    empty = "No job was run here yet. Run one: `provenote job run NOTEBOOK -p name=value`"
    return View([Table(columns, rows, marks, empty=empty)], {"jobs": data})


def _stopped(count: int) -> View:
    word = "process" if count == 1 else "processes"
    text = f"Ended {count} warm {word}; the next job starts another." if count else "No warm process lingers."
    return View([Line(text, "ok" if count else "")], {"stopped": count})


@verb("job logs")
def job_logs(context: Context, job: str, *, lines: int | None = None) -> View:
    """Show what a job printed.

    Parameters
    ----------
    job : str
        Its id or the first characters of it, or the name of its run.
    lines : int
        Only the last so many lines.
    """
    from provenote.jobs import executor, folder

    found = folder.find(context.workspace.home, job)
    said = _legible(executor.get(context.workspace).logs(found.id)).rstrip("\n").split("\n")
    text = "\n".join(said[-lines:] if lines else said)
    part: Part = Text(text) if text else Line("It printed nothing.", role="muted")
    return View([part], {"id": found.id, "log": text})


@verb("job cancel")
def job_cancel(context: Context, job: str) -> View:
    """Stop a job, or all jobs of a sweep: the cell at work is interrupted, then its kernel killed.

    Parameters
    ----------
    job : str
        Its id or the first characters of it, or the name of its run.
    """
    from provenote.jobs import folder, launch

    found = folder.find(context.workspace.home, job)
    asked = launch.cancel(context.workspace, found)
    if not asked:
        return View([Line(f"Job {found.id[:8]} had ended already.", "warn")], {"id": found.id, "asked": 0})
    text = f"Asked {'the job' if asked == 1 else f'{asked} jobs'} to stop. See: `provenote jobs`"
    return View([Line(text, "ok")], {"id": found.id, "asked": asked})


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
    from provenote.jobs import folder, launch, sweeps

    place = context.workspace
    result = launch.retry(place, folder.find(place.home, job), context.tell, on)
    return _swept(sweeps.result(place, result), None) if result.spec.kind == "sweep" else _ended(result)


def _names(context: Context) -> dict[str, Any] | None:
    """Return the notebook's namespace, where values are expressions."""
    return context.names if context.face == "notebook" else None


def _from_run(context: Context, run: str, params: Sequence[str], describe: bool, **options: Any) -> View:
    """Run the notebook of a past run as a job."""
    import os

    from provenote.jobs import again

    begin = again.find(context.workspace, run)
    if describe:
        return _described(again.request_of(context.workspace, begin, options["kernel"]), begin.given)
    result, place, remarks = again.run(
        context.workspace, begin, params, names=_names(context), tell=context.tell, **options
    )
    ended = _ended(result)
    began: list[Part] = [Line(f"started from run {begin.row.name}, in {os.path.relpath(place.top)}", "ok")]
    began += [Line(remark, "warn") for remark in remarks]
    data = {**result.to_json(), "from": begin.row.id, "folder": str(place.top), "remarks": list(remarks)}
    return View([*began, *ended.parts], data, ended.status)


def _described(request: Request, given: Mapping[str, Any] | None = None) -> View:
    """Show what a notebook declares, and what a past run gave it."""
    given = given or {}
    texts = {p.name: repr(given[p.name]) if p.name in given else p.text for p in request.known}
    rows = [
        [
            Cell(p.name, "code"),
            Cell(str(p.kind)),
            Cell(texts[p.name] or "must be given", "plain" if texts[p.name] else "warn"),
            Cell(p.help, "muted"),
        ]
        for p in request.known
    ]
    columns = [Column("parameter"), Column("type"), Column("default"), Column("meaning")]
    empty = "No cell is tagged `parameters`: nothing can be given."
    data = [
        {"name": p.name, "type": str(p.kind), "default": texts[p.name] or None, "help": p.help}
        for p in request.known
    ]
    return View([Table(columns, rows, empty=empty)], {"notebook": request.relative, "parameters": data})


def _ended(result: JobResult) -> View:
    state, spec = result.state, result.spec
    status, _ = state.status
    took = state.elapsed(time.time())
    aside = f"{took:.1f} s" if took is not None else ""
    run = f" as run {state.name}" if state.name else ""
    if not state.over:
        line = Line(f"{spec.label} is still being stopped. See: `provenote jobs`", "warn")
    elif state.state == "succeeded":
        line = Line(f"{spec.label} finished{run}", "ok", aside=aside)
    else:
        word = {"timed_out": "took too long", "oom_killed": "ran out of memory"}.get(state.state, state.state)
        reason = f": {state.reason}" if state.reason else ""
        line = Line(
            f"{spec.label} {word}{run}{reason}", "failed" if status == "failed" else "killed", aside=aside
        )
    parts: list[Part] = [line]
    if state.state == "succeeded" and state.reason:
        parts.append(Line(state.reason, "warn"))
    if state.error is not None and state.error["what"] != state.reason:
        parts.append(Line(f"{state.error['what']}. {state.error['mend'] or ''}".strip(), "failed"))
    facts = [("job", Cell(result.id[:8], "code", result.id))]
    if state.output:
        facts.append(("executed notebook", Cell(state.output, "code")))
    parts.append(Facts(facts))
    if state.over and state.state != "succeeded":
        parts.append(Line(f"What it printed: `provenote job logs {result.id[:8]}`", role="muted"))
    return View(parts, result.to_json(), result.exit_status)


def _swept(result: SweepResult, metric: str | None) -> View:
    from provenote.compare import numbers
    from provenote.compare.families import sweep_name

    state = result.sweep.state
    keys = list(dict.fromkeys(key for one in result.metrics for key in one))
    shown = [metric] if metric in keys else keys[:_METRICS_SHOWN]
    places = {key: numbers.decimals([one.get(key) for one in result.metrics]) for key in shown if key}
    best = result.best(shown[0]) if metric and shown else None
    rows, marks = [], []
    for place, (job, metrics) in enumerate(zip(result.jobs, result.metrics, strict=True)):
        status, reason = job.state.status
        took = job.state.elapsed(time.time())
        row = [Cell(job.state.name or job.id[:8], "code", job.id)]
        row += [Cell(str(job.spec.params.get(name))) for name in result.axes]
        role: Role = "better" if place == best else "plain"
        row += [Cell(numbers.text(metrics.get(key), places[key]), role) for key in shown if key]
        row += [Cell(f"{took:.1f}" if took is not None else "–"), Cell(reason or "", "muted")]
        rows.append(row)
        marks.append(_MARKS[status])
    columns = [Column("run"), *(Column(name, "right") for name in result.axes)]
    columns += [Column(key, "right") for key in shown if key]
    columns += [Column("seconds", "right"), Column("why")]
    total = numbers.counted(len(result.jobs), "job")
    foot = [f"{result.done} of {total} succeeded, {sweep_name(result.sweep.id)}"]
    if best is not None:
        foot.append(f"best {metric}: {result.jobs[best].state.name}")
    if result.before:
        foot.append(f"{numbers.counted(result.before, 'job')} had succeeded before; all anew: `--again`")
    if state.state == "succeeded" and state.reason:
        foot.append(state.reason)
    if state.over and state.state != "succeeded":
        foot.append(f"go on with the others: `provenote job retry {result.sweep.id[:8]}`")
    return View([Table(columns, rows, marks, foot=foot)], result.to_json(), result.sweep.exit_status)


def _entry(job: JobFolder, now: float) -> dict[str, Any] | None:
    """Return one job as `jobs` lists it; None if its folder is damaged."""
    from provenote.errors import WorldError

    try:
        spec = job.spec
    except WorldError:
        return None
    state = job.state()
    status, reason = state.status
    return {
        "id": job.id,
        "kind": spec.kind,
        "sweep": spec.nonce if len(spec.nonce) == len(job.id) else None,
        "notebook": spec.notebook,
        "label": spec.label,
        "state": state.state,
        "over": state.over,
        "status": status,
        "reason": reason,
        "why": state.reason,
        "attempt": state.attempt,
        "cell": state.cell,
        "cells": state.cells,
        "seconds": state.elapsed(now),
        "run": state.run,
        "name": state.name,
        "line": state.line,
    }


def _row(entry: dict[str, Any]) -> list[Cell]:
    count = f"{entry['cell']}/{entry['cells']}" if entry["cells"] else ""
    unit = " jobs" if entry["kind"] == "sweep" and count else ""
    state = entry["state"] if entry["attempt"] == 1 else f"{entry['state']}, attempt {entry['attempt']}"
    last = entry["why"] or entry["line"]
    return [
        Cell(entry["id"][:8], "code", entry["id"]),
        Cell(entry["notebook"], "plain", entry["label"]),
        Cell(state),
        Cell(count + unit),
        Cell("" if entry["seconds"] is None else f"{entry['seconds']:.0f}"),
        Cell(entry["name"] or "", "code"),
        Cell(last if len(last) <= 60 else last[:59] + "…", "muted", last),
    ]


def _legible(text: str) -> str:
    """Return a log as a terminal would show it in the end, without what could drive the terminal."""
    lines = (line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n"))
    return "\n".join("".join(char for char in line if char.isprintable() or char == "\t") for line in lines)
