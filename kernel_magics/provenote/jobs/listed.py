"""The jobs of a sweep as a file lists them: one a line of a CSV file, or one an object of a JSON list."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from provenote.errors import UsageError, WorldError
from provenote.jobs import grid, parameters
from provenote.jobs.parameters import Parameter


def combinations(path: Path, known: Sequence[Parameter], fixed: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the parameters of every job, in the order of the file; equal lines are one job.

    Parameters
    ----------
    path : Path
        ``*.json``: a list of objects. Anything else: CSV, whose first line names the parameters; an empty
        field leaves the parameter at its default.
    known : sequence of Parameter
    fixed : mapping
        What all jobs share.

    Raises
    ------
    UsageError
        If the file is missing, empty or damaged, names an unknown parameter, or a value has another type.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}", "It lists one job a line: CSV or JSON") from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder", "Name a CSV or JSON file") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path.name} is not UTF-8 text", "Save it as CSV (UTF-8)") from None
    except OSError as error:
        raise WorldError(
            f"{path} cannot be read ({error.strerror})", f"Check its rights: `ls -l {path}`"
        ) from error
    rows = _json(path, text, known) if path.suffix.lower() == ".json" else _csv(path, text, known)
    if not rows:
        raise UsageError(
            f"{path.name} lists no job", "It lists one job a line, below a line with the parameters' names"
        )
    both = sorted({name for row in rows for name in row} & set(fixed))
    if both:
        raise UsageError(
            f"parameter {both[0]} is both fixed and in {path.name}", "Give it by -p or in the file"
        )
    different = {repr(sorted(row.items())): {**fixed, **row} for row in rows}
    if len(different) > grid.LIMIT:
        raise UsageError(
            f"{path.name} lists {len(different):,} jobs, and a sweep has at most {grid.LIMIT:,}", "Part it"
        )
    return list(different.values())


def _csv(path: Path, text: str, known: Sequence[Parameter]) -> list[dict[str, Any]]:
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if any(line)]
    except csv.Error as error:
        raise UsageError(
            f"{path.name} is no CSV: {error}", "Put a text with commas or quotes in quotes"
        ) from None
    if not lines:
        return []
    names = [name.strip() for name in lines[0]]
    columns = [parameters.find(name, known) for name in names]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise UsageError(f"column {twice} is twice in {path.name}", "Name each parameter once")
    found = []
    for number, line in enumerate(lines[1:], 2):
        if len(line) != len(names):
            what = f"line {number} of {path.name} has {len(line)} fields, and its first line {len(names)}"
            raise UsageError(what, "Give each parameter a field; an empty one means its default")
        fields = zip(columns, line, strict=True)
        found.append({p.name: _said(path, number, p, value) for p, value in fields if value.strip()})
    return found


def _json(path: Path, text: str, known: Sequence[Parameter]) -> list[dict[str, Any]]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path.name} is no JSON: {error}", 'Write `[{"depth": 4}, {"depth": 8}]`') from None
    if not isinstance(data, list) or not all(isinstance(each, dict) for each in data):
        raise UsageError(f"{path.name} is no list of objects", 'Write `[{"depth": 4}, {"depth": 8}]`')
    return [
        {name: parameters.checked(parameters.find(name, known), value) for name, value in each.items()}
        for each in data
    ]


def _said(path: Path, number: int, parameter: Parameter, text: str) -> Any:
    try:
        return parameters.value_of(parameter, text.strip())
    except UsageError as error:
        raise UsageError(f"line {number} of {path.name}: {error.what}", error.mend) from None
