"""How a job or a sweep ended, and what a notebook declares, laid out as views."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from provenote.compare import numbers
from provenote.compare.families import sweep_name
from provenote.jobs.board import MARKS
from provenote.jobs.launch import JobResult, Request
from provenote.jobs.sweeps import SweepResult
from provenote.view import Cell, Column, Facts, Line, Part, Role, Table, View

_METRICS_SHOWN = 4


def described(request: Request, given: Mapping[str, Any] | None = None) -> View:
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


def ended(result: JobResult, remarks: Sequence[str] = ()) -> View:
    """Say how a job ended, and where what it left can be seen.

    Parameters
    ----------
    result : JobResult
    remarks : sequence of str
        Limits of the project that it went over.
    """
    state, spec = result.state, result.spec
    status, _ = state.status
    took = state.elapsed(time.time())
    aside = f"{took:.1f} s" if took is not None else ""
    run = f" as run {state.name}" if state.name else ""
    if not state.over:
        line = Line(f"{spec.label} is still being stopped. See: `provenote jobs`", "warn")
    elif state.state == "succeeded":
        line = Line(f"{spec.label} {'passed' if spec.test else 'finished'}{run}", "ok", aside=aside)
    else:
        word = {"timed_out": "took too long", "oom_killed": "ran out of memory"}.get(state.state, state.state)
        # An error of ours stands below in full: once is enough.
        what = "" if state.error is None else state.error["what"]
        twice = bool(what) and what != state.reason and what in (state.reason or "")
        reason = f": {state.reason}" if state.reason and not twice else ""
        line = Line(
            f"{spec.label} {word}{run}{reason}", "failed" if status == "failed" else "killed", aside=aside
        )
    parts: list[Part] = [line]
    if state.state == "succeeded" and state.reason:
        parts.append(Line(state.reason, "warn"))
    if state.error is not None and state.error["what"] != state.reason:
        parts.append(Line(f"{state.error['what']}. {state.error['mend'] or ''}".strip(), "failed"))
    elif state.error is not None and state.error["mend"]:
        parts.append(Line(state.error["mend"]))
    facts = [("job", Cell(result.id[:8], "code", result.id))]
    if state.output:
        facts.append(("executed notebook", Cell(state.output, "code")))
    parts += [Line(remark[0].upper() + remark[1:], "warn", "warn") for remark in remarks]
    parts.append(Facts(facts))
    if state.over and state.state != "succeeded":
        parts.append(Line(f"What it printed: `provenote job logs {result.id[:8]}`", role="muted"))
    return View(parts, result.to_json(), result.exit_status)


def swept(result: SweepResult, metric: str | None = None) -> View:
    """Lay out the jobs of a sweep, with the best by ``metric`` told."""
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
        marks.append(MARKS[status])
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
