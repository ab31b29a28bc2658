"""The code and the data of compared runs laid out: lines of files, versions, columns, rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from provenote.compare import numbers
from provenote.compare.code import CodeChanges, FileChange
from provenote.compare.inputs import DataChange, DataItem, DataSeen
from provenote.compare.sides import Side
from provenote.view import Cell, Changes, Column, Facts, Line, Part, Stroke, Table

NAMES = 6
"""Names of columns or files that are listed; the rest is counted."""


def code_parts(found: Sequence[CodeChanges], sides: Sequence[Side]) -> list[Part]:
    """Lay out the files that differ.

    Parameters
    ----------
    found : sequence of CodeChanges
        One for each run but the baseline.
    sides : sequence of Side
        The runs, the baseline first.
    """
    paths = list(dict.fromkeys(change.path for each in found for change in each.files))
    lost = [side for side in sides if side.document.get("snapshot") == "lost"]
    notes: list[Part] = [
        Line(f"Code of {side.row.name}: its snapshot is lost, so it is taken to be its baseline", "warn")
        for side in lost
    ]
    for each, side in zip(found, sides[1:], strict=True):
        if each.unknown:
            notes.append(Line(f"Code of {side.row.name}: {each.unknown}", "warn"))
        if each.outside:
            files = numbers.counted(each.outside, "file")
            notes.append(Line(f"Code of {side.row.name}: {files} more differ outside of this project"))
    if not paths:
        known = not any(each.unknown for each in found)
        return [*([Line("Code: the files are identical", "", "muted")] if known else []), *notes]
    pairs = []
    for each, side in zip(found, sides[1:], strict=True):
        words = ", ".join(_file_words(change) for change in each.files[:NAMES]) or "as in A"
        more = f" and {len(each.files) - NAMES} more" if len(each.files) > NAMES else ""
        pairs.append((f"{side.letter} {side.row.name}", Cell(f"{words}{more}")))
    made: list[Part] = [Facts(pairs, f"Code, {numbers.counted(len(paths), 'file differs', 'files differ')}")]
    for path in paths:
        columns: list[tuple[str, Sequence[Stroke]]] = []
        for each, side in zip(found, sides[1:], strict=True):
            for change in each.files:
                if change.path == path and change.strokes:
                    columns.append((f"{side.letter} {side.row.name}: {change.status}", change.strokes))
        if columns:
            made.append(Changes(columns, path))
    return [*made, *notes]


def _file_words(change: FileChange) -> str:
    size = " ".join(
        filter(
            None, (f"+{change.added}" if change.added else "", f"−{change.removed}" if change.removed else "")
        )
    )
    kind = {
        "binary": "no text",
        "notebook": "see its cells",
        "omitted": "not in the snapshot",
        "uncompared": "not compared",
    }.get(change.kind, size)
    was = f"{change.old_path} → " if change.old_path else ""
    return f"{was}{change.path} {change.status}{f' ({kind})' if kind else ''}"


def data_parts(found: Sequence[DataItem], sides: Sequence[Side], everything: bool = False) -> list[Part]:
    """Lay out the data that the runs read."""
    shown = [item for item in found if everything or not item.same]
    if not found:
        return [Line("Data: no run told what it read", "", "muted")]
    hidden = len(found) - len(shown)
    if not shown:
        which = "the same" if len(found) == 1 else f"the same {len(found)}"
        return [Line(f"Data: all read {which} {'version' if len(found) == 1 else 'versions'}", "", "muted")]
    made: list[Part] = []
    for item in shown:
        made.append(_item(item, sides))
        made += _rows(item, sides)
    if hidden:
        made.append(
            Line(f"{numbers.counted(hidden, 'more path')} read as the same version: `--all`", "", "muted")
        )
    return made


def _item(item: DataItem, sides: Sequence[Side]) -> Table:
    versions, changes = item.versions, item.changes
    lines: list[list[Cell]] = []

    def line(name: str, cells: Sequence[Cell]) -> None:
        if any(cell.text not in ("", numbers.NONE) for cell in cells):
            lines.append([Cell(name), *cells])

    def of(say: Callable[[DataSeen], str]) -> list[Cell]:
        """Return what is said of each version; what is as the baseline's is muted."""
        base = versions[0]
        return [
            Cell(numbers.NONE, "muted")
            if one is None
            else Cell(say(one), "muted" if place and base is not None and say(base) == say(one) else "plain")
            for place, one in enumerate(versions)
        ]

    line("version", [_version(one) for one in versions])
    line("asked for", of(lambda one: one.rev[:12] if len(one.rev) == 40 else one.rev))
    line("size", of(lambda one: numbers.size(one.size)))
    line("files", of(lambda one: "" if one.nfiles is None else f"{one.nfiles:,}"))
    line("rows", [_counted_rows(item, place) for place in range(len(versions))])
    line("columns", of(lambda one: "not known" if one.columns is None and not one.nfiles else _many(one)))
    line(
        "schema",
        [
            Cell("" if change is None else _schema(change, versions[0], versions[place]), "strong")
            for place, change in enumerate(changes)
        ],
    )
    line("changed", [Cell("" if change is None else _content(change), "strong") for change in changes])
    line("not known", [Cell("" if change is None else change.unknown, "warn") for change in changes])
    word = "is the same" if item.same else "differs"
    made = [Column(""), *(Column(side.heading) for side in sides)]
    return Table(made, lines, caption=f"Data, {item.path} {word}")


def _version(one: DataSeen | None) -> Cell:
    if one is None:
        return Cell("not read", "muted")
    text = one.md5[:12] + ("" if one.read else ", tracked")
    return Cell(text, "code", f"md5 {one.md5}" + ("" if one.here else ", its bytes are not here"))


def _counted_rows(item: DataItem, place: int) -> Cell:
    version, change = item.versions[place], item.changes[place]
    if version is None:
        return Cell(numbers.NONE, "muted")
    if version.rows is not None:
        return Cell(f"{version.rows:,}{' read' if version.sampled else ''}")
    tables = [one.table for one in item.changes if one is not None and one.table is not None]
    if change is not None and change.table is not None:
        return Cell(f"{change.table.new_rows:,}")
    if not place and tables:
        return Cell(f"{tables[0].old_rows:,}")
    return Cell("not known" if version.nfiles is None else "", "muted")


def _many(one: DataSeen) -> str:
    return "" if one.columns is None else f"{len(one.columns):,}"


def _schema(change: DataChange, old: DataSeen | None, new: DataSeen | None) -> str:
    words = []
    if change.columns_added:
        words.append(f"new: {_list(change.columns_added)}")
    if change.columns_removed:
        words.append(f"gone: {_list(change.columns_removed)}")
    if change.columns_retyped:
        words.append("type of " + _list([f"{name} {a} → {b}" for name, a, b in change.columns_retyped]))
    known = change.table is not None or (old and new and old.columns is not None and new.columns is not None)
    return "; ".join(words) or ("same" if known else "")


def _content(change: DataChange) -> str:
    """Say in one line how rows or files changed."""
    words = []
    if change.table is not None:
        table = change.table
        words += [
            f"{table.added:,} rows added" if table.added else "",
            f"{table.removed:,} rows removed" if table.removed else "",
        ]
        if table.changed:
            where = _list([f"{name} ({count:,})" for name, count in table.changed_columns.items()])
            words.append(f"{table.changed:,} rows changed{f' in {where}' if where else ''}")
    if change.folder is not None:
        folder = change.folder
        for name, names in (
            ("added", folder.added),
            ("removed", folder.removed),
            ("changed", folder.changed),
        ):
            if names:
                words.append(f"{numbers.counted(len(names), 'file')} {name}: {_list(names)}")
        if folder.moved:
            words.append(f"{numbers.counted(len(folder.moved), 'file')} moved")
    return "; ".join(filter(None, words))


def _rows(item: DataItem, sides: Sequence[Side]) -> list[Part]:
    """Show the first rows that changed, where there is a key to know them by."""
    made: list[Part] = []
    for change, side in zip(item.changes, sides, strict=True):
        if change is None or change.table is None or not change.table.changed_rows:
            continue
        table = change.table
        lines = [
            [
                Cell(", ".join(numbers.text(value) for value in row.key.values())),
                Cell(column),
                Cell(numbers.text(old), "error"),
                Cell(numbers.text(new), "ok"),
            ]
            for row in table.changed_rows
            for column, (old, new) in row.cells.items()
        ]
        key = ", ".join(table.key)
        heads = [
            Column(key),
            Column("column"),
            Column(sides[0].heading, "right"),
            Column(side.heading, "right"),
        ]
        more = (table.changed or 0) - len(table.changed_rows)
        foot = [f"{more:,} more rows changed"] if more > 0 else []
        made.append(
            Table(heads, lines, caption=f"{item.path}, rows that changed in {side.letter}", foot=foot)
        )
    return made


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES:,} more" if len(names) > NAMES else ""
    return ", ".join(names[:NAMES]) + more
