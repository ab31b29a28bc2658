"""How data is shown: the words and tables that its verbs answer with."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.view import Cell, Column, Facts, Line, Part, Table

if TYPE_CHECKING:
    from provenote.data.differing import Difference, Side
    from provenote.data.storing import Added
    from provenote.data.tablediff import TableDifference


def described(one: Added) -> str:
    """Say in some words what was added."""
    words = []
    facts = one.profile or {}
    if "rows" in facts:
        about = " (from its beginning)" if facts.get("sampled") else ""
        words.append(f"{facts['rows']:,} rows{about}, {len(facts['columns'])} columns")
    elif facts.get("not_readable"):
        words.append("not readable as a table")
    if one.stored.nfiles is not None:
        words.append(f"{one.stored.nfiles:,} file{'s' if one.stored.nfiles != 1 else ''}")
    return ", ".join([*words, size_words(one.stored.size)])


def added_json(one: Added) -> dict[str, Any]:
    """Return what was added as JSON data; files from the current folder."""
    root = Path.cwd()
    return {
        "path": one.path,
        "state": one.state,
        **dataclasses.asdict(one.stored),
        "before": dataclasses.asdict(one.before) if one.before else None,
        "files": [os.path.relpath(file, root) for file in one.files],
        "notes": list(one.notes),
        "profile": one.profile,
    }


def side(side: Side) -> Cell:
    """Say which version one side of a comparison is."""
    stored = side.stored
    files = f", {stored.nfiles:,} files" if stored.nfiles is not None else ""
    return Cell(f"{side.label}: {size_words(stored.size)}{files}, md5 {stored.md5[:7]}", title=stored.md5)


def table_parts(found: TableDifference) -> list[Part]:
    """Show how two tables differ: schema, counts, changed cells, the first rows of each kind."""
    parts: list[Part] = []
    if found.columns:
        rows = [
            [Cell(c.name, "code"), Cell(c.old or "not there"), Cell(c.new or "gone")] for c in found.columns
        ]
        parts.append(
            Table([Column("column"), Column("old type"), Column("new type")], rows, caption="Schema")
        )
    step = found.new_rows - found.old_rows
    pairs = [
        ("rows", Cell(f"{found.old_rows:,} → {found.new_rows:,} ({step:+,})")),
        ("added", Cell(f"{found.added:,}", "better" if found.added else "plain")),
        ("removed", Cell(f"{found.removed:,}", "worse" if found.removed else "plain")),
    ]
    if found.changed is not None:
        pairs.append(("changed", Cell(f"{found.changed:,}", "warn" if found.changed else "plain")))
        pairs.append(("key", Cell(", ".join(found.key), "code")))
    else:
        pairs.append(("key", Cell("none found: whole rows were compared; name one with --key", "muted")))
    parts.append(Facts(pairs))
    if found.changed_columns:
        rows = [[Cell(name, "code"), Cell(f"{count:,}")] for name, count in found.changed_columns.items()]
        parts.append(Table([Column("column"), Column("cells", "right")], rows, caption="Changed cells"))
    changed = [
        [Cell(_row(change.key), "code"), Cell(name), Cell(str(old)), Cell(str(new))]
        for change in found.changed_rows
        for name, (old, new) in change.cells.items()
    ]
    if changed:
        columns = [Column("row"), Column("column"), Column("old"), Column("new")]
        parts.append(
            Table(columns, changed, caption=_first(len(found.changed_rows), found.changed, "changed"))
        )
    for words, rows_, count in (
        ("added", found.added_rows, found.added),
        ("removed", found.removed_rows, found.removed),
    ):
        if rows_:
            names = list(rows_[0])
            cells = [[Cell(str(row[name])) for name in names] for row in rows_]
            parts.append(
                Table([Column(name) for name in names], cells, caption=_first(len(rows_), count, words))
            )
    return parts


def folder_parts(found: Difference) -> list[Part]:
    """Show how two folders differ; the first 50 files."""
    folder = found.folder
    assert folder is not None
    counts = (len(folder.added), len(folder.removed), len(folder.changed), len(folder.moved))
    words = "{} added, {} removed, {} changed, {} moved".format(*counts)
    parts: list[Part] = [Line(words, "warn" if any(counts) else "ok")]
    rows = [[Cell("added", "better"), Cell(name, "code")] for name in folder.added]
    rows += [[Cell("removed", "worse"), Cell(name, "code")] for name in folder.removed]
    rows += [[Cell("changed", "warn"), Cell(name, "code")] for name in folder.changed]
    rows += [[Cell("moved", "muted"), Cell(f"{old} → {new}", "code")] for old, new in folder.moved]
    foot = [f"{len(rows) - 50:,} more; all of them: --json"] if len(rows) > 50 else []
    if rows:
        parts.append(Table([Column(""), Column("file")], rows[:50], foot=foot))
    return parts


def _first(shown: int, count: int | None, words: str) -> str:
    return f"Rows {words}" if shown == count else f"The first {shown} of {count:,} rows {words}"


def _row(key: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in key.items())


def size_words(size: float) -> str:
    """Return a size in the words of people: 1,139,356 bytes are 1.1 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def plain_json(value: Any) -> Any:
    """Return JSON data: dates, decimals and alike become text."""
    if isinstance(value, dict):
        return {str(key): plain_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(inner) for inner in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
