"""The cells of compared runs laid out: what was edited, added, removed or moved, and what came out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from provenote.compare import numbers
from provenote.compare.cells import Aligned, Notebooks, output_strokes, pictures_differ, source_strokes
from provenote.compare.notebooks import NotebookCell, Output, picture_bytes
from provenote.compare.sides import Side
from provenote.compare.texts import BESIDE, based, counts
from provenote.view import Beside, Cell, Changes, Facts, Image, Line, Part, Stroke

CELLS = 60
"""Cells whose differences are shown."""
PICTURES = 6_000_000
"""Bytes of pictures that one answer carries: a saved notebook keeps them."""
_WORDS = {
    "edited": "edited",
    "outputs": "with another output",
    "moved": "moved",
    "added": "added",
    "removed": "removed",
}


def parts(found: Notebooks, sides: Sequence[Side], everything: bool = False) -> list[Part]:
    """Lay out the cells of notebooks.

    Parameters
    ----------
    found : Notebooks
    sides : sequence of Side
        The runs, in the order of the notebooks.
    everything : bool
        Whether cells that are the same are named, too.
    """
    lacking = [
        f"{side.row.name} {found.why.get(place, 'has no executed cells')}"
        for place, side in enumerate(sides)
        if not found.known[place]
    ]
    if not found.rows:
        if not any(found.known):
            return []
        why = "; ".join(lacking) or "no cell ran in any of them"
        return [Line(f"Notebook: nothing to compare: {why}", "", "muted")]
    differing = [row for row in found.rows if found.differs(row)]
    if not differing and not lacking:
        return [Line(f"Notebook: all {len(found.rows)} cells are identical", "", "muted")]
    caption = f"Notebook, {len(differing)} of {numbers.counted(len(found.rows), 'cell')} differ"
    pairs = [(_head(side), Cell(_told(found, place))) for place, side in enumerate(sides) if place]
    same = _ranges(
        row.places[0] for row in found.rows if row.places[0] is not None and not found.differs(row)
    )
    if same and everything:
        pairs.append(("identical", Cell(f"cells {same} of A", "muted")))
    made: list[Part] = [Facts(pairs, caption)]
    room = PICTURES
    for row in differing[:CELLS]:
        of_row, used = _cell_parts(found, row, sides, room)
        made += of_row
        room -= used
    if len(differing) > CELLS:
        made.append(Line(f"{len(differing) - CELLS} more cells differ: `--json`", "", "muted"))
    return made


def _head(side: Side) -> str:
    return f"{side.letter} {side.row.name}"


def _told(found: Notebooks, place: int) -> str:
    """Count what happened to the cells of one run."""
    if not found.known[place]:
        return found.why.get(place, "no executed cells")
    seen = Counter(found.status(row, place) for row in found.rows)
    words = [f"{seen[status]} {word}" for status, word in _WORDS.items() if seen[status]]
    return ", ".join(words) or "as in A"


def _ranges(places: Iterable[int]) -> str:
    """Write numbers of cells, from 1, as ``1, 3 to 5``."""
    runs: list[list[int]] = []
    for place in sorted(places):
        if runs and runs[-1][1] == place:
            runs[-1][1] = place + 1
        else:
            runs.append([place + 1, place + 1])
    return ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in runs)


def title(row: Aligned) -> str:
    """Name a cell: its place in the first run that has it, and its first line."""
    place = next(place for place, cell in enumerate(row.cells) if cell is not None)
    cell, at = row.cells[place], row.places[place]
    assert cell is not None and at is not None
    first = next((line.strip() for line in cell.source.splitlines() if line.strip()), "empty")
    where = f"Cell {at + 1}" if not place else f"Cell {at + 1} of {chr(ord('A') + place)}"
    kind = "" if cell.kind == "code" else f", {cell.kind}"
    return f"{where}{kind}: {first if len(first) <= 60 else first[:59] + '…'}"


def _cell_parts(found: Notebooks, row: Aligned, sides: Sequence[Side], room: int) -> tuple[list[Part], int]:
    """Return what differs in one cell, and the bytes of its pictures."""
    base = row.cells[0]
    caption = title(row)
    sources: list[tuple[str, Sequence[Stroke]]] = []
    outputs: list[tuple[str, Sequence[Stroke]]] = []
    lines: list[Part] = []
    for place, (side, cell) in enumerate(zip(sides, row.cells, strict=True)):
        status = found.status(row, place) if place else "same"
        if status in ("edited", "added", "removed"):
            shown = source_strokes(base, cell, whole=_short(base, cell))
            sources.append((f"{_head(side)}: {_WORDS[status]} {counts(shown)}".strip(), shown))
        if status in ("edited", "outputs"):
            shown = output_strokes(base, cell, whole=_short(base, cell))
            if shown:
                outputs.append((f"{_head(side)}: {counts(shown)}", shown))
            elif base and cell and _forms(base) != _forms(cell):
                lines.append(Line(f"{caption}, output of {_head(side)}: the same text in another form"))
        if place and row.moved[place] and base and cell:
            was, now = row.places[0], row.places[place]
            lines.append(
                Line(f"{caption}: moved in {_head(side)}, from {(was or 0) + 1} to {(now or 0) + 1}")
            )
    head = _head(sides[0])
    made: list[Part] = []
    if sources:
        made.append(Changes(sources, caption, _base(head, base.source if base else "", sources)))
    if outputs:
        made.append(Changes(outputs, f"{caption}, output", _base(head, base.text if base else "", outputs)))
    used = 0
    if pictures_differ(row.cells):
        for beside in _pictures(row.cells, sides, caption):
            size = sum(len(image.data) for image in beside.images)
            if used + size > room:
                lines.append(Line(f"{caption}: its pictures differ, and are too large to show here"))
                continue
            used += size
            made.append(beside)
    return [*made, *lines], used


def _short(*cells: NotebookCell | None) -> bool:
    """Tell whether cells and what they put out are short enough to be set whole beside each other."""
    texts = [text for cell in cells if cell is not None for text in (cell.source, cell.text)]
    return all(text.count("\n") < BESIDE for text in texts)


def _base(
    heading: str, text: str, others: Sequence[tuple[str, Sequence[Stroke]]]
) -> tuple[str, Sequence[Stroke]] | None:
    """Return the baseline's own text for a face that has room for it."""
    found = [strokes for _, strokes in others]
    if not text or any(stroke.sign == "@" for strokes in found for stroke in strokes):
        return None
    return heading, based(text, found)


def _forms(cell: NotebookCell) -> list[str]:
    return [one.digest for one in cell.outputs if not one.picture]


def _pictures(cells: Sequence[NotebookCell | None], sides: Sequence[Side], caption: str) -> list[Beside]:
    """Put the first pictures of a cell beside each other, then the second ones, those that differ alone."""
    columns = [cell.pictures if cell is not None else () for cell in cells]
    many = max(map(len, columns))
    made = []
    for number, row in enumerate(zip_longest(*columns)):
        if len({one.digest if one is not None else None for one in row}) == 1:
            continue
        which = f", picture {number + 1}" if many > 1 else ", picture"
        images = [_image(one, side, row[0]) for one, side in zip(row, sides, strict=True)]
        made.append(Beside(images, f"{caption}{which} differs"))
    return made


def _image(output: Output | None, side: Side, base: Output | None) -> Image:
    head = _head(side)
    if output is None or output.picture is None:
        return Image(b"", "", head, "")
    data = picture_bytes(output)
    same = base is not None and side.letter != "A" and output.digest == base.digest
    words = f"{output.picture[0].removeprefix('image/')}, {numbers.size(len(data))}, {output.digest[:8]}"
    return Image(data, output.picture[0], f"{head}: as A" if same else head, words)
