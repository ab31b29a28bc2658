"""A reproduction laid out: the verdict, what parts the two, and on what it stood."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from provenote.compare import numbers
from provenote.compare.cells import output_strokes
from provenote.compare.show import order_lines
from provenote.model import SCHEMA
from provenote.reproducing.reproduction import Reproduction, report
from provenote.reproducing.verdict import CellDifference, Metric
from provenote.view import Cell, Changes, Column, Line, Mark, Part, Role, Table, View

if TYPE_CHECKING:
    from provenote.model import Row

FEW = 12
"""Rows, cells and packages that are shown; the rest is counted."""
_CELLS = 3
"""Cells whose outputs are shown line by line."""
_MARKS: dict[str, Mark] = {"identical": "ok", "within tolerance": "ok", "different": "failed"}
_GRADES: dict[str, tuple[str, Role]] = {
    "equal": ("identical", "ok"),
    "near": ("within tolerance", "ok"),
    "off": ("different", "error"),
    "gone": ("not logged again", "error"),
    "new": ("not logged then", "error"),
    "clock": ("time, not judged", "muted"),
}


def view(made: Reproduction) -> View:
    """Show a reproduction; the exit status is 1 when it is different."""
    word = made.verdict.word
    parts: list[Part] = [
        Line(f"{made.row.name}: {word}", _MARKS[word], "strong", numbers.duration(made.seconds)),
        Line(summary(made), "", "plain"),
    ]
    if made.verdict.metrics:
        parts.append(_metrics(made))
    parts += _ended(made)
    parts += _cells(made)
    if made.artifacts:
        parts.append(Line(_artifacts(made), role="muted"))
    parts += [Line(line, "warn") for line in _surroundings(made)]
    if made.row.linearity != "linear":
        parts += order_lines(made.row, made.document)
    if made.reasons:
        parts += [Line(""), Line("What may part them:", role="strong")]
        parts += [Line(f"  {reason}") for reason in made.reasons[:FEW]]
    if made.folder is not None:
        where = os.path.relpath(made.folder)
        parts.append(Line(f"It stands in {where}. Remove it: rm -rf {where}", role="muted"))
    return View(parts, report(made) | {"evidence": made.evidence}, status=int(word == "different"))


def summary(made: Reproduction) -> str:
    """Say in one line what was held against what, and how it came out."""
    judged = [metric for metric in made.verdict.metrics if metric.grade != "clock"]
    equal = sum(metric.grade == "equal" for metric in judged)
    near = sum(metric.grade == "near" for metric in judged)
    words = []
    if judged:
        words.append(f"{equal} of {numbers.counted(len(judged), 'metric')} equal to the last bit")
    if near:
        words.append(f"{near} within tolerance")
    if made.verdict.compared:
        same = made.verdict.compared - len(made.verdict.cells)
        words.append(f"outputs of {same} of {numbers.counted(made.verdict.compared, 'cell')} equal")
    how = {"job": "the job's notebook", "cells": "its cells, once each, in document order"}
    ran = how.get(made.source.kind, made.source.path)
    return (
        f"{', '.join(words)}. Ran {ran} in a clean {'process' if made.source.kind == 'script' else 'kernel'}"
    )


def _metrics(made: Reproduction) -> Table:
    order = {"off": 0, "gone": 0, "new": 0, "near": 1, "equal": 2, "clock": 3}
    metrics = sorted(made.verdict.metrics, key=lambda metric: order[metric.grade])
    rows = [[*_row(metric)] for metric in metrics[:FEW]]
    foot = [f"and {len(metrics) - FEW} more: `--json`"] if len(metrics) > FEW else []
    heads = [Column("metric"), Column("then", "right"), Column("now", "right"), Column("off by", "right")]
    return Table([*heads, Column("")], rows, caption="Metrics", foot=foot)


def _row(metric: Metric) -> list[Cell]:
    word, role = _GRADES[metric.grade]
    if metric.off_points and metric.grade != "clock":
        word += f", {metric.off_points} of {metric.points} points"
    exact = metric.grade not in ("equal", "clock")
    values = [
        Cell(numbers.NONE if value is None else repr(value) if exact and isinstance(value, float) else
             numbers.text(value, grouped=True), "plain", repr(value))
        for value in (metric.then, metric.now)
    ]  # fmt: skip
    return [Cell(metric.key), *values, Cell(_off(metric), "muted"), Cell(word, role)]


def _off(metric: Metric) -> str:
    then, now = numbers.number(metric.then), numbers.number(metric.now)
    if metric.grade in ("equal", "clock") or then is None or now is None or not abs(now - then) > 0:
        return ""
    share = abs(now - then) / abs(then) if then else float("inf")
    return f"{share:.2g}" if share != float("inf") else f"+-{abs(now - then):.2g}"


def _ended(made: Reproduction) -> list[Part]:
    if made.verdict.then == made.verdict.now:
        return []
    reason = f": {made.gave.reason}" if made.gave.reason else ""
    return [Line(f"It {made.verdict.then} then, and {made.verdict.now} now{reason}", "failed", "error")]


def _cells(made: Reproduction) -> list[Part]:
    parts: list[Part] = []
    for found in made.verdict.cells[:_CELLS]:
        title = title_of(found)
        if found.then is None or found.now is None:
            parts.append(Line(f"{title}: ran {'now' if found.then is None else 'then'} alone", "warn"))
            continue
        strokes = output_strokes(found.then, found.now)
        if strokes:
            parts.append(Changes([("then (-), now (+)", strokes)], f"{title}, output"))
        else:
            parts.append(Line(f"{title}: its output differs, {_how(found)}", "warn"))
    if len(made.verdict.cells) > _CELLS:
        more = made.verdict.cells[_CELLS:]
        names = ", ".join(str(found.number) for found in more[:FEW])
        parts.append(Line(f"Outputs of {numbers.counted(len(more), 'more cell')} differ: {names}", "warn"))
    return parts


def title_of(found: CellDifference) -> str:
    """Name a cell: its place among those that ran, and its first line."""
    cell = found.now or found.then
    source = cell.source if cell is not None else ""
    first = next((line.strip() for line in source.splitlines() if line.strip()), "empty")
    return f"Cell {found.number}: {first if len(first) <= 60 else first[:59] + '…'}"


def _how(found: CellDifference) -> str:
    then = found.then.pictures if found.then else ()
    now = found.now.pictures if found.now else ()
    return "a picture" if [one.digest for one in then] != [one.digest for one in now] else "in its form"


def _artifacts(made: Reproduction) -> str:
    many = numbers.counted(len(made.artifacts), "artifact")
    other = [f"{name} {word}" for name, word in made.artifacts.items() if word != "same"]
    if not other:
        return f"{many} equal to the last byte"
    return f"{many}, not judged: {', '.join(other[:FEW])}" + (" in its bytes" if len(other) == 1 else "")


def _surroundings(made: Reproduction) -> list[str]:
    found = []
    around = made.around
    if around.environment:
        few = "; ".join(around.environment[:FEW])
        more = f" and {len(around.environment) - FEW} more" if len(around.environment) > FEW else ""
        found.append(f"This environment is another one: {few}{more}")
    if around.compared == "unknown":
        found.append("The run kept no list of its packages: whether they are the same is not known")
    if around.absent:
        found.append(f"Not there: {', '.join(around.absent[:FEW])}")
    return [*found, *made.source.remarks]


def history(row: Row, said: Sequence[Mapping[str, Any]]) -> View:
    """Show the verdicts of all reproductions of a run, the last one, which counts, first."""
    rows = [
        [
            Cell(str(one["verdict"]), "error" if one["verdict"] == "different" else "ok"),
            Cell(str(one["at"]).replace("T", " ").removesuffix("Z")),
            Cell(_tolerance(one["tolerance"])),
            Cell(str(one["environment"] or "")),
            Cell(str(one["by"])),
            Cell(str(one["host"] or "")),
        ]
        for one in reversed(said)
    ]
    heads = [Column("verdict"), Column("when, UTC"), Column("tolerance"), Column("environment"), Column("by")]
    empty = f"{row.name} was not reproduced yet: provenote reproduce {row.name}"
    table = Table([*heads, Column("host")], rows, caption=f"Reproductions of {row.name}", empty=empty)
    return View([table], {"schema": SCHEMA, "run": row.name, "id": row.id, "said": list(said)})


def _tolerance(given: Any) -> str:
    return ", ".join(f"{key}={value}" for key, value in given.items()) if isinstance(given, Mapping) else ""
