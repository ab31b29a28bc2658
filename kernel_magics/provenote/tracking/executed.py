"""The executed notebook: what ran, in its order, as a canonical ``executed.ipynb``.

Ids are unique there: the k-th execution of cell ``c1`` is ``c1-k``, its true id stands in the metadata.
Nothing in it depends on time or place: an equal run gives equal bytes. A finished cell is written once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provenote.model import SCHEMA
from provenote.tracking.outputs import lines

if TYPE_CHECKING:
    from provenote.tracking.record import Ran


@dataclass(frozen=True, slots=True)
class Rules:
    """How outputs are stored (`provenote.config.Settings`)."""

    store_outputs: bool = True
    output_limit: int = 1_000_000


def unique_ids(cells: Iterable[tuple[str | None, int]]) -> list[str]:
    """Return a notebook id for each execution, given its cell id and prompt number. Pure."""
    made: list[str] = []
    used: set[str] = set()
    counts: dict[str, int] = {}
    for cell, number in cells:
        # Of a client's own ids (VS Code sends an address) the last part tells the cell.
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", cell.rsplit("#", 1)[-1])[-48:] if cell else f"in-{number}"
        stem = stem or "cell"
        counts[stem] = counts.get(stem, 0) + 1
        candidate = stem if counts[stem] == 1 else f"{stem}-{counts[stem]}"
        while candidate in used:
            counts[stem] += 1
            candidate = f"{stem}-{counts[stem]}"
        used.add(candidate)
        made.append(candidate)
    return made


def text(executions: list[Ran], rules: Rules) -> tuple[str, int]:
    """Write the executed notebook.

    Parameters
    ----------
    executions : list of Ran
    rules : Rules

    Returns
    -------
    text : str
        The notebook, format 4.5, in canonical JSON.
    redacted : int
        How many secrets were taken out of it.
    """
    ids = unique_ids((one.cell, one.number) for one in executions)
    cells, redacted = [], 0
    for one, unique in zip(executions, ids, strict=True):
        made_from = (unique, one.ok, one.counts, one.outputs.revision, rules)
        if one.written is None or one.written[0] != made_from:
            one.written = (made_from, *_cell(one, unique, rules))
        cells.append(one.written[1])
        redacted += one.written[2]
    body = ",\n  ".join(cells)
    inner = f"[\n  {body}\n ]" if cells else "[]"
    parts = [f' "cells": {inner}', f' "metadata": {_METADATA}', ' "nbformat": 4', ' "nbformat_minor": 5']
    return "{\n" + ",\n".join(parts) + "\n}\n", redacted


def _canonical(data: Any, depth: int) -> str:
    written = json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False, default=str)
    # A lone surrogate, which a program may print, has no place in UTF-8.
    return written.encode("utf-8", "replace").decode("utf-8").replace("\n", "\n" + " " * depth)


_METADATA = _canonical(
    {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "provenote": {"schema": SCHEMA},
    },
    1,
)


def _cell(one: Ran, unique: str, rules: Rules) -> tuple[str, int]:
    from provenote.git import secrets

    count = 0

    def redact(words: str) -> str:
        nonlocal count
        clean, found = secrets.redact(words)
        count += found
        return clean

    facts: dict[str, Any] = {"cell": one.cell, "ok": one.ok}
    if one.before_load:
        facts["before_load"] = True
    if not one.counts:
        facts["counts"] = False
    number = one.number or None
    source = lines(redact(one.source))
    outputs = one.outputs.stored(rules.output_limit, redact, number) if rules.store_outputs else []
    if count:
        facts["redacted"] = count
    cell = {
        "cell_type": "code",
        "execution_count": number,
        "id": unique,
        "metadata": {"provenote": facts},
        "outputs": outputs,
        "source": source,
    }
    return _canonical(cell, 2), count
