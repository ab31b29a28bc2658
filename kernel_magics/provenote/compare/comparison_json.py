"""A comparison as plain data: what ``compare --json`` answers. Its schema is in the reference of formats."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from provenote.compare import differences
from provenote.compare.cells import Aligned, Notebooks, output_strokes, source_strokes
from provenote.compare.code import CodeChanges
from provenote.compare.differences import ABSENT, Item, Section
from provenote.compare.inputs import DataChange, DataItem, DataSeen
from provenote.compare.notebooks import NotebookCell
from provenote.compare.numbers import direction
from provenote.compare.table import data_of
from provenote.compare.texts import unified
from provenote.model import SCHEMA

if TYPE_CHECKING:
    from provenote.compare.comparison import Comparison


def to_json(found: Comparison, *, everything: bool = False) -> dict[str, Any]:
    """Return a comparison as plain data; what is the same is only counted unless ``everything``."""

    def shown(section: Section) -> tuple[Item, ...]:
        return section.items if everything else section.differing

    known = found.environments
    rows = found.notebooks.rows
    return {
        "schema": SCHEMA,
        "baseline": found.sides[0].row.name,
        "runs": [{"letter": side.letter} | data_of(side.row) for side in found.sides],
        "metrics": [_item(item) | _change(item) for item in shown(found.metrics)],
        "params": [_item(item) for item in shown(found.params)],
        "code": [
            {"run": side.row.name} | _code(changes)
            for side, changes in zip(found.sides[1:], found.code, strict=True)
        ],
        "cells": [_cell(found.notebooks, row) for row in rows if everything or found.notebooks.differs(row)],
        "data": [_data(item) for item in found.data if everything or not item.same],
        "packages": [
            {"name": item.key, "versions": _values(item), "imported": item.key in known.imported}
            for item in (known.section.items if everything else known.differing)
        ],
        "about": [_item(item) for item in shown(found.about)],
        "unknown": {
            "packages": list(known.unknown),
            "cells": [
                side.letter
                for side, there in zip(found.sides, found.notebooks.known, strict=True)
                if not there
            ],
        },
        "identical": {
            "metrics": found.metrics.identical,
            "params": found.params.identical,
            "cells": sum(not found.notebooks.differs(row) for row in rows),
            "data": sum(item.same for item in found.data),
            "packages": known.identical,
            "about": found.about.identical,
        },
    }


def _values(item: Item) -> list[Any]:
    return [None if value is ABSENT else value for value in item.values]


def _item(item: Item) -> dict[str, Any]:
    return {"key": item.key, "values": _values(item), "has": [value is not ABSENT for value in item.values]}


def _change(item: Item) -> dict[str, Any]:
    found = [differences.change(item.key, value, item.values[0]) for value in item.values]
    return {
        "direction": direction(item.key),
        "change": [far for far, _ in found],
        "better": [good for _, good in found],
    }


def _code(changes: CodeChanges) -> dict[str, Any]:
    return {
        "unknown": changes.unknown or None,
        "outside": changes.outside,
        "files": [
            {
                "path": _printable(change.path),
                "status": change.status,
                "old_path": _printable(change.old_path) or None,
                "kind": change.kind,
                "added": change.added,
                "removed": change.removed,
                "diff": unified(change.strokes),
            }
            for change in changes.files
        ],
    }


def _printable(path: str) -> str:
    """Return a path that may not be Unicode as text that is."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _cell(found: Notebooks, row: Aligned) -> dict[str, Any]:
    base = row.cells[0]
    sides = []
    for place, cell in enumerate(row.cells):
        status = "baseline" if not place else found.status(row, place)
        at = row.places[place]
        sides.append(
            {
                "status": status,
                "moved": row.moved[place],
                "cell": None if at is None else at + 1,
                "id": cell.id or None if cell else None,
                "source": unified(source_strokes(base, cell))
                if status in ("edited", "added", "removed")
                else "",
                "outputs": unified(output_strokes(base, cell)) if status in ("edited", "outputs") else "",
                "pictures": _pictures(cell),
            }
        )
    kind = next(cell.kind for cell in row.cells if cell is not None)
    return {"kind": kind, "runs": sides}


def _pictures(cell: NotebookCell | None) -> list[dict[str, str]]:
    if cell is None:
        return []
    return [{"type": one.picture[0], "digest": one.digest} for one in cell.pictures if one.picture]


def _data(item: DataItem) -> dict[str, Any]:
    return {
        "path": item.path,
        "versions": [None if one is None else _seen(one) for one in item.versions],
        "changes": [None if one is None else _data_change(one) for one in item.changes],
    }


def _seen(one: DataSeen) -> dict[str, Any]:
    found = asdict(one)
    found["columns"] = None if one.columns is None else dict(one.columns)
    return found | {"rev": one.rev or None}


def _data_change(change: DataChange) -> dict[str, Any]:
    table, folder = change.table, change.folder
    return {
        "columns": {
            "added": list(change.columns_added),
            "removed": list(change.columns_removed),
            "retyped": [{"name": name, "old": old, "new": new} for name, old, new in change.columns_retyped],
        },
        "rows": None
        if table is None
        else {
            "key": list(table.key),
            "added": table.added,
            "removed": table.removed,
            "changed": table.changed,
            "changed_columns": table.changed_columns,
        },
        "files": None
        if folder is None
        else {
            "added": list(folder.added),
            "removed": list(folder.removed),
            "changed": list(folder.changed),
            "moved": [list(pair) for pair in folder.moved],
        },
        "unknown": change.unknown or None,
    }
