"""Sweeps among runs: a sweep is no run, so its jobs' runs are folded under a line made of them. Pure.

The jobs of a sweep carry its id as ``parent`` (`provenote.model.is_sweep`). Whatever a line says is read from
the runs themselves, so that it is the same in every clone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from provenote.compare import numbers
from provenote.compare.columns import flat, shared
from provenote.model import Row, Status, is_sweep

PREFIX = "sweep-"
_COST = re.compile(r"(?:^|[_./-])(?:time|seconds|duration|latency|memory|m?s|[kmg]b)(?:$|[_./-])")
_RANKS: tuple[Status, ...] = ("running", "queued", "failed", "killed", "finished")


def sweep_name(id: str) -> str:
    """Return the name of a sweep: what tables show and verbs take."""
    return PREFIX + id[:8]


def find(rows: Sequence[Row], name: str) -> str | None:
    """Return the id of the one sweep that ``name`` names (its name, or four or more digits of its id)."""
    start = name.removeprefix(PREFIX).lower()
    if len(start) < 4:
        return None
    found = {row.parent for row in rows if is_sweep(row.parent) and (row.parent or "").startswith(start)}
    return found.pop() if len(found) == 1 else None


def expanded(rows: Sequence[Row], names: Sequence[str]) -> list[str]:
    """Return names of runs: in the place of a sweep's name those of its jobs' runs, oldest first."""
    found: list[str] = []
    for name in names:
        sweep = (
            find(rows, name) if name.startswith(PREFIX) and all(row.name != name for row in rows) else None
        )
        if sweep is None:
            found.append(name)
        else:
            found += [row.name for row in latest([row for row in rows if row.parent == sweep])]
    return found


def latest(members: Sequence[Row]) -> list[Row]:
    """Return one run for each job of a sweep: its last attempt. Oldest first."""
    last: dict[str, Row] = {}
    for row in sorted(members, key=lambda row: row.started):
        last[repr(sorted(row.params.items()))] = row
    return list(last.values())


def best(members: Sequence[Row]) -> tuple[str, Row] | None:
    """Return the metric that leads and the run with its best value; None where no name tells what is best.

    What a job took of time and memory leads only where there is nothing else.
    """
    metrics = [flat(row.metrics) for row in members]
    told = [key for key in shared(metrics) if numbers.direction(key)]
    key = next((key for key in told if not _COST.search(key.lower())), told[0] if told else None)
    if key is None:
        return None
    place = numbers.best(key, [values.get(key) for values in metrics])
    return None if place is None else (key, members[place])


def line(id: str, members: Sequence[Row]) -> Row:
    """Return the line of a sweep: common parameters, the metrics of its best run, the state of all.

    Parameters
    ----------
    id : str
    members : sequence of Row
        Runs of its jobs, at least one.
    """
    jobs = latest(members)
    newest = jobs[-1]
    leading = best(jobs)
    params = [flat(row.params) for row in jobs]
    status = min((row.status for row in jobs), key=_RANKS.index)
    ended = [row.ended for row in jobs]
    unwell = Counter(row.status for row in jobs if row.status in ("failed", "killed"))
    reason = ", ".join(f"{numbers.counted(number, 'job')} {word}" for word, number in unwell.items())
    return Row(
        id=id,
        name=sweep_name(id),
        label=newest.label,
        status=status,
        reason=None if status in ("running", "queued") else reason or None,
        started=min(row.started for row in members),
        ended=None if None in ended else max(when for when in ended if when is not None),
        params={
            key: value
            for key, value in params[0].items()
            if all(key in other and repr(other[key]) == repr(value) for other in params)
        },
        metrics=leading[1].metrics if leading else {},
        baseline=newest.baseline,
        linearity=next((row.linearity for row in jobs if row.linearity != "linear"), "linear"),
        tags=[f"best {leading[1].name}"] if leading and len(jobs) > 1 else [],
    )


def sweeps_of(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the runs of each sweep, by its id."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row.parent is not None and is_sweep(row.parent):
            found.setdefault(row.parent, []).append(row)
    return found


def sizes(rows: Sequence[Row]) -> dict[str, int]:
    """Return how many jobs of each sweep have a run among ``rows``."""
    return {id: len(latest(members)) for id, members in sweeps_of(rows).items()}


def folded(rows: Sequence[Row]) -> list[Row]:
    """Return rows without those whose parent is among them, and one line for the jobs of each sweep.

    A sweep's line stands where its first run stands.
    """
    there = {row.id for row in rows}
    sweeps = sweeps_of(rows)
    found: list[Row] = []
    for row in rows:
        if row.parent in sweeps:
            if sweeps[row.parent][0] is row:
                found.append(line(row.parent, sweeps[row.parent]))
        elif row.parent not in there or row.parent == row.id:
            found.append(row)
    return found
