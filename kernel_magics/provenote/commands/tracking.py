"""Verbs of tracking in a shell: what is running. In the notebook, ``%track`` and ``%log`` do the rest."""

from __future__ import annotations

import time

from provenote.commands.tree import Context, verb
from provenote.view import Cell, Column, Mark, Table, View


@verb("track status")
def track_status(context: Context) -> View:
    """Show the runs that are going on in this repository."""
    from provenote.stores import live, runs

    place = context.workspace
    rows: list[list[Cell]] = []
    marks: list[Mark] = []
    data = []
    for run, problem in runs.close_dead(place.common_dir, place.home):
        events = live.read_events(run.folder)
        points = sum(len(series) for series in events.series.values())
        elapsed = max(0.0, time.time() - run.meta["started"])
        rows.append(
            [
                Cell(run.meta["name"], "code", run.meta["label"]),
                Cell(problem or "running", "warn" if problem else "run"),
                Cell(f"{elapsed:.0f}"),
                Cell(str(points)),
                Cell(f"process {run.meta['pid']} on {run.meta['host']}", "muted"),
            ]
        )
        marks.append("silent" if problem else "running")
        data.append({"id": run.meta["id"], "name": run.meta["name"], "problem": problem, "points": points})
    columns = [
        Column("run"),
        Column("state"),
        Column("seconds", "right"),
        Column("points", "right"),
        Column("where"),
    ]
    empty = "No run is going on. Start one: `%%track NAME` on top of the cell that trains"
    return View([Table(columns, rows, marks, empty=empty)], data)
