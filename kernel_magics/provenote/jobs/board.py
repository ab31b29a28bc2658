"""The table of jobs: where each is, for how long, how long yet, what it printed last."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from provenote.compare.families import sweep_name
from provenote.compare.numbers import clock, size
from provenote.errors import WorldError
from provenote.jobs.folder import JobFolder, Tail, listing
from provenote.jobs.spec import JobSpec
from provenote.jobs.state import JobState
from provenote.view import Cell, Column, Mark, Table, View

MARKS: dict[str, Mark] = {
    "queued": "queued",
    "running": "running",
    "finished": "ok",
    "failed": "failed",
    "killed": "killed",
}
WORDS = {"oom_killed": "out of memory", "timed_out": "timed out"}
_LOOK_EVERY = 0.5  # seconds
_PAST = 10  # past jobs of a notebook from whose time the next one's is guessed
_SEARCHED = 200  # jobs among which they are looked for


class Board:
    """All jobs of a repository, read again at each look; of a job's events only what is new.

    Parameters
    ----------
    home : Path
        The repository's own folder of Provenote.
    """

    def __init__(self, home: Any) -> None:
        self._home = home
        self._known: dict[str, tuple[JobSpec, Tail] | None] = {}

    def entries(self, now: float, limit: int, everything: bool = False) -> list[dict[str, Any]]:
        """Return what is known of the newest jobs.

        Parameters
        ----------
        now : float
            Seconds since 1970.
        limit : int
            At most so many.
        everything : bool
            Also the single jobs of sweeps that are over.
        """
        folders = listing(self._home)
        known = {job.id for job in folders}
        found: list[dict[str, Any]] = []
        for job in folders:
            if len(found) == limit:
                break
            read = self._read(job)
            if read is None:
                continue
            spec, tail = read
            made = entry(job.id, spec, tail.state(), now)
            if made["sweep"] in known and made["over"] and not everything:
                continue
            found.append(made)
        if any(not made["over"] for made in found):
            times = self._times(folders)
            for made in found:
                made["left"] = left(made, times.get(made["notebook"], []))
        return found

    def _read(self, job: JobFolder) -> tuple[JobSpec, Tail] | None:
        if job.id not in self._known:
            try:
                self._known[job.id] = (job.spec, Tail(job))
            except WorldError:  # a damaged folder stops no listing
                self._known[job.id] = None
        return self._known[job.id]

    def _times(self, folders: Sequence[JobFolder]) -> dict[str, list[float]]:
        """Return how long the last jobs of each notebook took that succeeded."""
        found: dict[str, list[float]] = {}
        for job in folders[:_SEARCHED]:
            read = self._read(job)
            if read is None or read[0].kind != "notebook":
                continue
            state = read[1].state_as_written()
            took = state.elapsed(0)
            times = found.setdefault(read[0].notebook, [])
            if state.state == "succeeded" and took is not None and len(times) < _PAST:
                times.append(took)
        return found


def entry(id: str, spec: JobSpec, state: JobState, now: float) -> dict[str, Any]:
    """Return one job as plain data. Pure."""
    status, reason = state.status
    return {
        "id": id,
        "kind": spec.kind,
        "sweep": spec.nonce if len(spec.nonce) == len(id) else None,
        "notebook": spec.notebook,
        "label": spec.label,
        "state": state.state,
        "verdict": state.verdict if spec.test else None,
        "over": state.over,
        "status": status,
        "reason": reason,
        "why": state.reason,
        "attempt": state.attempt,
        "cell": state.cell,
        "cells": state.cells,
        "parallel": spec.parallel,
        "seconds": state.elapsed(now),
        "left": None,
        "run": state.run,
        "name": state.name,
        "line": state.line,
        "used": dict(state.used),
    }


def left(made: dict[str, Any], times: Sequence[float]) -> float | None:
    """Return the seconds that a job still needs, by the median of past jobs of its notebook. Pure.

    None while nothing is known, and for one that already takes longer than they did.
    """
    if made["over"] or not times:
        return None
    usual = statistics.median(times)
    if made["kind"] == "sweep":
        jobs = made["cells"] - made["cell"]
        return usual * math.ceil(jobs / max(1, made["parallel"])) if made["cells"] else None
    rest = usual - (made["seconds"] or 0)
    return rest if rest > 0 else None


def view(entries: Sequence[dict[str, Any]]) -> View:
    """Lay out jobs as a table."""
    heads = [("job", "left"), ("notebook", "left"), ("state", "left"), ("cells", "right"), ("time", "right")]
    going = any(not made["over"] for made in entries)
    heads += [("left", "right")] if going else []
    heads += [("cpu", "right"), ("memory", "right")]
    columns = [Column(name, side) for name, side in [*heads, ("run", "left")]]  # type: ignore[arg-type]
    columns.append(Column("last line", keep=True))
    rows = [_row(made, going) for made in entries]
    empty = "No job was run here yet. Run one: `provenote job run NOTEBOOK -p name=value`"
    table = Table(columns, rows, [MARKS[made["status"]] for made in entries], empty=empty)
    return View([table], {"jobs": list(entries)})


def watch(home: Any, draw: Callable[[View], None], limit: int, everything: bool = False) -> View:
    """Draw the table again and again until no job is at work; Ctrl-C ends the watching, not the jobs.

    Returns
    -------
    View
        The table in the end.
    """
    board = Board(home)
    while True:
        entries = board.entries(time.time(), limit, everything)
        try:
            if all(made["over"] for made in entries):
                return view(entries)
            draw(view(entries))
            time.sleep(_LOOK_EVERY)
        except KeyboardInterrupt:
            return view(board.entries(time.time(), limit, everything))


def _row(made: dict[str, Any], going: bool) -> list[Cell]:
    count = f"{made['cell']}/{made['cells']}" if made["cells"] else ""
    unit = " jobs" if made["kind"] == "sweep" and count else ""
    word = made["verdict"] or WORDS.get(made["state"], made["state"])
    state = word if made["attempt"] == 1 else f"{word}, attempt {made['attempt']}"
    last = made["why"] or made["line"]
    row = [
        Cell(made["id"][:8], "code", made["id"]),
        Cell(made["notebook"], "plain", made["label"]),
        Cell(state),
        Cell(count + unit),
        Cell("" if made["seconds"] is None else clock(made["seconds"])),
    ]
    row += [Cell("" if made["left"] is None else f"≈ {clock(made['left'])}", "muted")] if going else []
    cpu, memory = made["used"].get("cpu_s"), made["used"].get("rss_mb")
    return [
        *row,
        Cell("" if cpu is None else clock(cpu), "muted"),
        Cell("" if memory is None else size(memory * 1e6), "muted"),
        Cell(made["name"] or (sweep_name(made["id"]) if made["kind"] == "sweep" else ""), "code"),
        Cell(last if len(last) <= 60 else last[:59] + "…", "muted", last),
    ]
