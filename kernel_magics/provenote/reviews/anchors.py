"""Anchors: how a comment finds its cell, line or output again after edits, moves and re-runs. Pure.

An anchor is a small map, kept in the event that opened the thread:

- ``cell`` the id, ``type``, ``index`` of the cell; ``sha`` of its source (16 digits), ``gist`` its beginning;
- ``target``: ``source`` or ``output``;
- of a line: ``line``, its text ``quote``, the lines ``before`` and ``after`` it, ``unique`` in the notebook;
- of an output: ``output`` its index, ``digest`` of its forms; of its text also ``line`` and ``quote``.

It is resolved in this order: the cell of the same id; else the one cell of the same source; else the cell of
the same type that is most alike (guessed). In the cell: the line of the same text with the likest
surroundings; else the likest line; else, if it was unique, that line in the one other cell that has it
(guessed: the cell was split or merged). An output is found by its digest, else by its index. What is not
found is told as outdated (its cell is there) or orphaned, never dropped.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from provenote.compare import notebooks
from provenote.compare.notebooks import NotebookCell
from provenote.reviews.threads import Certainty, Place

GIST, QUOTE, AROUND = 1_500, 500, 2
"""Characters kept of a source and of a line; lines kept on either side of it."""
ALIKE, LINE_ALIKE = 0.6, 0.7
"""Least likeness (difflib's ratio) of a cell and of a line that are taken for the same."""
COMPARED = 8
"""Cells that are compared letter by letter, of those that have lines in common."""
SHORT = 12
"""A line of fewer characters is no proof that it is the same line in another cell."""

NOWHERE = Place(None, None, "source", None, None, "orphan")
WHOLE = Place(None, None, "source", None, None, "exact")
"""The place of a thread about the notebook as a whole."""


@dataclass(frozen=True)
class Notebook:
    """The cells of one version of a notebook.

    Parameters
    ----------
    cells : tuple of NotebookCell
    ids : tuple of str
        Of each cell, what names it in other versions: the id in the document, also of a captured notebook,
        in which each execution has an id of its own; empty where nothing does.
    """

    cells: tuple[NotebookCell, ...]
    ids: tuple[str, ...]

    @cached_property
    def places(self) -> Mapping[str, tuple[int, ...]]:
        """The indices of the cells of each id."""
        found: dict[str, tuple[int, ...]] = {}
        for index, name in enumerate(self.ids):
            if name:
                found[name] = (*found.get(name, ()), index)
        return found

    @cached_property
    def shas(self) -> tuple[str, ...]:
        """The short hash of each cell's source."""
        return tuple(short(cell.source) for cell in self.cells)

    @cached_property
    def lines(self) -> tuple[tuple[str, ...], ...]:
        """The lines of each cell's source, as far as anchors keep them."""
        return tuple(tuple(line[:QUOTE] for line in cell.source.split("\n")) for cell in self.cells)

    @cached_property
    def likest(self) -> dict[tuple[str, str, int], int | None]:
        """The likest cells that were looked for, by kind, gist and index."""
        return {}

    @cached_property
    def counted(self) -> Mapping[str, int]:
        """How often each line stands in the notebook."""
        return Counter(line for lines in self.lines for line in lines)


def read(content: bytes) -> Notebook:
    """Read a notebook of format 3 or 4.

    Raises
    ------
    NotReadable
        If it is none.
    """
    cells = notebooks.parse(content)
    document = json.loads(content)
    raw = document.get("cells")
    if not isinstance(raw, list):
        return Notebook(cells, tuple("" for _ in cells))
    return Notebook(cells, tuple(_name(cell) for cell in raw if isinstance(cell, dict)))


def _name(raw: Mapping[str, Any]) -> str:
    metadata = raw.get("metadata")
    ours = metadata.get("provenote") if isinstance(metadata, dict) else None
    if isinstance(ours, dict) and "cell" in ours:
        return ours["cell"] if isinstance(ours["cell"], str) else ""
    return raw["id"] if isinstance(raw.get("id"), str) else ""


def digest(source: str) -> str:
    """Return the SHA-256 of a cell's source: what a suggestion says that it replaces."""
    return hashlib.sha256(source.encode("utf-8", "replace")).hexdigest()


def short(source: str) -> str:
    """Return the first 16 digits of that."""
    return digest(source)[:16]


def make(
    notebook: Notebook,
    cell: int,
    *,
    line: int | None = None,
    output: int | None = None,
) -> dict[str, Any]:
    """Return the anchor of a cell, of a line of it, or of an output of it.

    Parameters
    ----------
    notebook : Notebook
    cell, line, output : int
        Indices from 0; with ``output`` the line is one of its text.

    Raises
    ------
    IndexError
        If there is no such cell, line or output.
    """
    found = notebook.cells[cell]
    anchor: dict[str, Any] = {
        "cell": notebook.ids[cell],
        "type": found.kind,
        "target": "source" if output is None else "output",
        "index": cell,
        "sha": notebook.shas[cell],
        "gist": found.source[:GIST],
    }
    lines: Sequence[str] = notebook.lines[cell]
    if output is not None:
        anchor |= {"output": output, "digest": found.outputs[output].digest}
        lines = _of_output(found.outputs[output].text)
    if line is not None:
        quote = lines[line]
        anchor |= {
            "line": line,
            "quote": quote,
            "before": list(lines[max(0, line - AROUND) : line]),
            "after": list(lines[line + 1 : line + 1 + AROUND]),
        }
        if output is None:
            anchor["unique"] = notebook.counted[quote] == 1
    return anchor


def resolve(notebook: Notebook, anchor: Mapping[str, Any]) -> Place:
    """Find the place of an anchor in a version of the notebook.

    Parameters
    ----------
    notebook : Notebook
    anchor : mapping
        An anchor; an empty one is about the notebook as a whole.
    """
    if not anchor:
        return WHOLE
    found, certainty = _cell(notebook, anchor)
    if found is None:
        return _elsewhere(notebook, anchor, None) or Place(None, None, _target(anchor), None, None, "orphan")
    if anchor["target"] == "output":
        return _output(notebook, anchor, found, certainty)
    if "quote" not in anchor:
        return _placed(notebook, anchor, found, None, None, certainty)
    lines = notebook.lines[found]
    line, same = _line(lines, anchor)
    if line is not None:
        if not same or (certainty == "exact" and line != anchor["line"]):
            certainty = _less(certainty, "moved" if same else "guessed")
        return _placed(notebook, anchor, found, line, None, certainty)
    moved = _elsewhere(notebook, anchor, found)
    return moved or _placed(notebook, anchor, found, None, None, "outdated")


def _cell(notebook: Notebook, anchor: Mapping[str, Any]) -> tuple[int | None, Certainty]:
    """Return the cell of an anchor, and how sure that is."""
    index, sha = anchor["index"], anchor["sha"]
    named = notebook.places.get(anchor["cell"], ()) if anchor["cell"] else ()
    if named:  # a captured notebook holds each execution of the cell: the same source, else the last one
        same = [place for place in named if notebook.shas[place] == sha]
        chosen = min(same, key=lambda place: abs(place - index)) if same else named[-1]
        return chosen, "exact" if same and chosen == index else "moved"
    cells = notebook.cells
    alike = [place for place, value in enumerate(notebook.shas) if value == sha]
    alike = [place for place in alike if cells[place].kind == anchor["type"] and cells[place].source.strip()]
    if alike:
        chosen = min(alike, key=lambda place: abs(place - index))
        return chosen, "moved" if len(alike) == 1 else "guessed"
    asked = (anchor["type"], anchor["gist"], index)
    if asked not in notebook.likest:  # many comments stand at one cell
        notebook.likest[asked] = _likest(notebook, *asked)
    return notebook.likest[asked], "guessed"


def _likest(notebook: Notebook, kind: str, gist: str, index: int) -> int | None:
    """Return the cell of a kind whose source is most like a gist, None where none is alike."""
    cells = notebook.cells
    asked = [place for place, cell in enumerate(cells) if cell.kind == kind and cell.source.strip()]
    lines = {line.strip() for line in gist.split("\n")} - {""}
    shared = {place: len(lines & cells[place].lines) for place in asked}
    if any(shared.values()):  # whole lines in common tell more, in less time
        asked = sorted(asked, key=lambda place: (-shared[place], abs(place - index)))[:COMPARED]
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(gist)
    best: tuple[float, int, int] | None = None
    for place in asked:
        matcher.set_seq1(cells[place].source[:GIST])
        least = max(ALIKE, best[0] if best else 0.0)
        if matcher.real_quick_ratio() < least or matcher.quick_ratio() < least:
            continue
        rank = (matcher.ratio(), -abs(place - index), place)
        if rank[0] >= ALIKE and (best is None or rank > best):
            best = rank
    return best[2] if best else None


def _line(lines: Sequence[str], anchor: Mapping[str, Any]) -> tuple[int | None, bool]:
    """Return the line of an anchor in a cell, and whether it is the same text."""
    quote, before, after = anchor["quote"], anchor.get("before", ()), anchor.get("after", ())
    many = lines.count(quote)
    if many == 1:
        return lines.index(quote), True
    if many:
        same = [place for place, text in enumerate(lines) if text == quote]

        def likeness(place: int) -> tuple[int, int]:
            above = zip(reversed(before), reversed(lines[:place]), strict=False)
            below = zip(after, lines[place + 1 :], strict=False)
            agree = sum(one == other for one, other in (*above, *below))
            return agree, -abs(place - anchor["line"])

        return max(same, key=likeness), True
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(quote)
    best: tuple[float, int, int] | None = None
    for place, text in enumerate(lines):
        matcher.set_seq1(text)
        if matcher.real_quick_ratio() < LINE_ALIKE or matcher.quick_ratio() < LINE_ALIKE:
            continue
        rank = (matcher.ratio(), -abs(place - anchor["line"]), place)
        if rank[0] >= LINE_ALIKE and (best is None or rank > best):
            best = rank
    return (best[2], False) if best else (None, False)


def _elsewhere(notebook: Notebook, anchor: Mapping[str, Any], but: int | None) -> Place | None:
    """Return the one other cell that has an anchor's line: its cell was split or merged, or it was cut."""
    quote = anchor.get("quote", "")
    if anchor["target"] != "source" or len(quote.strip()) < SHORT or not anchor.get("unique"):
        return None
    if notebook.counted.get(quote, 0) != 1:
        return None
    for place, lines in enumerate(notebook.lines):
        if place != but and quote in lines:
            return _placed(notebook, anchor, place, lines.index(quote), None, "guessed")
    return None


def _output(notebook: Notebook, anchor: Mapping[str, Any], cell: int, certainty: Certainty) -> Place:
    outputs, index = notebook.cells[cell].outputs, anchor.get("output", 0)
    same = [place for place, one in enumerate(outputs) if one.digest == anchor.get("digest")]
    if same:
        chosen = min(same, key=lambda place: abs(place - index))
        certainty = certainty if chosen == index else _less(certainty, "moved")
        return _placed(notebook, anchor, cell, anchor.get("line"), chosen, certainty)
    if "quote" in anchor:  # a text that says something else now: the line may still be in it
        for place in sorted(range(len(outputs)), key=lambda place: abs(place - index)):
            line, exactly = _line(_of_output(outputs[place].text), anchor)
            if line is not None and exactly and anchor["quote"].strip():
                return _placed(notebook, anchor, cell, line, place, _less(certainty, "moved"))
    if index < len(outputs):  # run again: that output now is another one
        return _placed(notebook, anchor, cell, None, index, "outdated")
    return _placed(notebook, anchor, cell, None, None, "outdated")


def _of_output(text: str) -> list[str]:
    return [line[:QUOTE] for line in text.split("\n")]


_SURE: tuple[Certainty, ...] = ("exact", "moved", "guessed", "outdated", "orphan")


def _less(one: Certainty, other: Certainty) -> Certainty:
    """Return the less certain of two."""
    return max(one, other, key=_SURE.index)


def _target(anchor: Mapping[str, Any]) -> Literal["source", "output"]:
    return "output" if anchor["target"] == "output" else "source"


def _placed(
    notebook: Notebook,
    anchor: Mapping[str, Any],
    cell: int,
    line: int | None,
    output: int | None,
    certainty: Certainty,
) -> Place:
    return Place(cell, notebook.ids[cell] or None, _target(anchor), line, output, certainty)
