"""The cells of two versions beside each other as HTML: sources, outputs, pictures, threads at their place.

Nothing of a notebook is ever repeated as HTML: its texts are escaped, its tables are read as words, its
pictures are images of data, and what is left is named by its type and size.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from provenote.compare.notebooks import NotebookCell, Output
from provenote.compare.numbers import counted, size
from provenote.compare.texts import BESIDE, CONTEXT, opcodes
from provenote.render import html
from provenote.reviews import page_tables, page_threads, pairing
from provenote.reviews.page_lines import Hung, said, source
from provenote.reviews.page_pictures import Room, picture
from provenote.reviews.pairing import Cells, Marks, Outputs
from provenote.reviews.threads import Thread

_WORDS = {word: word for word in ("stdout", "stderr", "error", "picture", "result")}


@dataclass(frozen=True, slots=True)
class Numbered:
    """A thread, its number on this page from 1, and what the page's links name it by (empty: no links)."""

    number: int
    thread: Thread
    anchor: str = ""


@dataclass(frozen=True)
class Sheet:
    """What the cells of a page are made from.

    Parameters
    ----------
    base : sequence of NotebookCell or None
        None: there is nothing to compare with.
    head : sequence of NotebookCell
    threads : mapping of int to sequence of Numbered
        Those of each cell of the head.
    room : Room
        For pictures.
    prefix : str
        What the page's own names begin with; empty for none.
    marks : Marks
        What all its texts may spend on comparing words.
    """

    base: Sequence[NotebookCell] | None
    head: Sequence[NotebookCell]
    threads: dict[int, list[Numbered]]
    room: Room
    prefix: str = ""
    marks: Marks = field(default_factory=Marks)

    def old(self, place: int | None) -> NotebookCell | None:
        """Return a cell of the base."""
        return None if place is None or self.base is None else self.base[place]

    def new(self, place: int | None) -> NotebookCell | None:
        """Return a cell of the head."""
        return None if place is None else self.head[place]

    def cards(self, found: Iterable[Numbered]) -> str:
        """Return threads as they stand in the margin."""
        return "".join(page_threads.card(one.number, one.thread, self.head, one.anchor) for one in found)

    def badges(self, found: Iterable[Numbered]) -> str:
        """Return the numbers of threads, as links to them where the page has such."""
        return "".join(page_threads.tag(one.number, one.anchor) for one in found)

    def hung(self, found: Iterable[Numbered]) -> Hung:
        """Hang threads beside the lines that they are about."""
        lines: dict[int, list[Numbered]] = defaultdict(list)
        for one in found:
            if one.thread.place.line is not None:
                lines[one.thread.place.line].append(one)
        return Hung(
            {line: self.cards(there) for line, there in lines.items()},
            {line: self.badges(there) for line, there in lines.items()},
            self.marks,
        )


def name(pair: Cells) -> str:
    """Name a cell as people count: ``Cell 3``; one that is gone by its place in the base."""
    return f"Cell {pair.new + 1}" if pair.new is not None else f"Cell {(pair.old or 0) + 1} of the base"


def anchor(pair: Cells, prefix: str) -> str:
    """Return what the page's links name a cell by."""
    return f"{prefix}c{pair.new + 1}" if pair.new is not None else f"{prefix}b{(pair.old or 0) + 1}"


def render(sheet: Sheet, pairs: Sequence[Cells]) -> str:
    """Return all cells; those that are the same, and of which nobody spoke, are folded."""
    made: list[str] = []
    same: list[Cells] = []
    for pair in pairs:
        if pair.status == "same" and not sheet.threads.get(-1 if pair.new is None else pair.new):
            same.append(pair)
            continue
        made += [_folded(sheet, same), _cell(sheet, pair)]
        same = []
    return "".join([*made, _folded(sheet, same)])


def _folded(sheet: Sheet, same: Sequence[Cells]) -> str:
    if not same:
        return ""
    first, last = (same[0].new or 0) + 1, (same[-1].new or 0) + 1
    if len(same) == 1:
        words = f"Cell {first}: identical"
    else:
        many = "" if len(same) == 2 else f"{len(same):,} "
        words = f"Cells {first} {'to' if many else 'and'} {last}: {many}identical"
    inner = []
    for pair in same:
        cell = sheet.head[pair.new or 0]
        shown = "".join(_alone(sheet, cell, place, []) for place in range(len(cell.outputs)))
        inner.append(f'<div class="pn-rk">{name(pair)}{_kind(cell)}</div>{source(None, cell.source)}{shown}')
    return f'<details class="pn-fold"><summary>{words}</summary>{"".join(inner)}</details>'


def _cell(sheet: Sheet, pair: Cells) -> str:
    old, new = sheet.old(pair.old), sheet.new(pair.new)
    threads = sheet.threads.get(pair.new, []) if pair.new is not None else []
    found = pairing.outputs(old.outputs if old else (), new.outputs if new else ())
    ours = [one for one in threads if one.thread.place.target == "source"]
    theirs: dict[int, list[Numbered]] = defaultdict(list)
    for one in threads:
        if one.thread.place.target == "output":
            place = one.thread.place.output
            many = len(new.outputs) if new else 0
            theirs[place if place is not None and place < many else -1].append(one)
    top = [one for one in ours if one.thread.place.line is None] + theirs[-1]
    # A line that the source has not (places of another version): its thread stands at the top.
    last = len(pairing.lines_of(new.source)) if new else 0
    top += [one for one in ours if (one.thread.place.line or 0) >= last and one.thread.place.line is not None]
    hung = [one for one in ours if one not in top]
    body = sheet.cards(top) + _source(sheet, pair, old, new, hung)
    if pair.status == "alone" and new is not None:
        body += "".join(_alone(sheet, new, place, theirs[place]) for place in range(len(new.outputs)))
    else:
        body += "".join(
            _output(sheet, one, old, new, theirs[one.new] if one.new is not None else []) for one in found
        )
    words = _told(pair, old, new, found)
    label = f"{name(pair)}{_kind(new or old)}"
    mark = f' id="{anchor(pair, sheet.prefix)}" tabindex="-1"' if sheet.prefix else ""
    return (
        f'<section class="pn-rc pn-{pair.status}"{mark} aria-label="{label}">'
        f'<h2 class="pn-rh">{label} <span>{words}{sheet.badges(top)}</span></h2>{body}</section>'
    )


def _kind(cell: NotebookCell | None) -> str:
    return "" if cell is None or cell.kind == "code" else f", {html.text(cell.kind, 20)}"


def _told(pair: Cells, old: NotebookCell | None, new: NotebookCell | None, found: Sequence[Outputs]) -> str:
    """Say in words what differs in a cell."""
    words = []
    if pair.status in ("added", "removed"):
        words.append(pair.status)
    elif pair.status != "alone" and old is not None and new is not None:
        if old.source != new.source:
            codes = opcodes(pairing.lines_of(old.source), pairing.lines_of(new.source))
            come = sum(end - begin for tag, _, _, begin, end in codes if tag != "equal")
            gone = sum(end - begin for tag, begin, end, _, _ in codes if tag != "equal")
            signs = [f"+{come}"] * bool(come) + [f"−{gone}"] * bool(gone)
            words.append(" ".join(["source changed,", *signs]) if signs else "source changed at its end")
        if old.kind != new.kind:
            words.append(f"was {html.text(old.kind, 20)}")
        pictures = sum(not one.same and _of(one, old, new).picture is not None for one in found)
        others = sum(not one.same for one in found) - pictures
        if others:
            words.append(f"{counted(others, 'output')} changed")
        if pictures:
            words.append(f"{counted(pictures, 'picture')} changed")
        words = words or ([] if pair.moved else ["identical"])
    if pair.moved:
        words.append(f"moved: cell {(pair.old or 0) + 1} of the base")
    return "; ".join(words)


def _of(pair: Outputs, old: NotebookCell, new: NotebookCell) -> Output:
    return new.outputs[pair.new] if pair.new is not None else old.outputs[pair.old or 0]


def _source(
    sheet: Sheet, pair: Cells, old: NotebookCell | None, new: NotebookCell | None, threads: Sequence[Numbered]
) -> str:
    hung = sheet.hung(threads)
    if pair.status == "alone":
        return source(None, new.source if new else "", hung, context=None)
    before, after = old.source if old else "", new.source if new else ""
    short = max(before.count("\n"), after.count("\n")) < BESIDE
    shown = source(before, after, hung, context=None if short else CONTEXT)
    if before == after and old is not None and new is not None:
        many = counted(len(pairing.lines_of(after)), "line")
        opened = " open" if threads else ""
        return (
            f'<details class="pn-fold"{opened}><summary>Source: the same, {many}</summary>{shown}</details>'
        )
    return shown


def _output(
    sheet: Sheet,
    pair: Outputs,
    old: NotebookCell | None,
    new: NotebookCell | None,
    threads: Sequence[Numbered],
) -> str:
    """Return an output of the base beside the head's, with the threads about it."""
    if pair.same and new is not None and pair.new is not None:
        shown = _alone(sheet, new, pair.new, threads)
        opened = " open" if threads else ""
        words = f"Output {pair.new + 1}, {_word(new.outputs[pair.new])}: the same"
        return f'<details class="pn-fold"{opened}><summary>{words}</summary>{shown}</details>'
    before = old.outputs[pair.old] if old is not None and pair.old is not None else None
    after = new.outputs[pair.new] if new is not None and pair.new is not None else None
    one = after or before
    assert one is not None
    which = f"Output {pair.new + 1}" if pair.new is not None else f"Output {(pair.old or 0) + 1} of the base"
    state = "added" if before is None else "removed" if after is None else "changed"
    words = f"{which}, {_word(one)}: {state}"
    if one.picture is not None:
        left, right = (
            '<div class="pn-e"></div>' if side is None else picture(side, f"{which}, {word}", sheet.room)
            for side, word in ((before, "base"), (after, "head"))
        )
        return _headed(sheet, words, threads) + f'<div class="pn-rp">{left}{right}</div>'
    tables = [_table(before), _table(after)]
    sides = zip(tables, (before, after), strict=True)
    if tables[0] != tables[1] and all((table is None) == (side is None) for table, side in sides):
        return _headed(sheet, words, threads) + page_tables.beside(*tables)
    lines, whole = _by_line(after, threads)
    texts = [side.text if side is not None else "" for side in (before, after)]
    shown = said(texts[0], texts[1], sheet.hung(lines)) if texts[0] != texts[1] or lines else ""
    return _headed(sheet, words, whole) + shown + _other_forms(before, after)


def _alone(sheet: Sheet, cell: NotebookCell, place: int, threads: Sequence[Numbered]) -> str:
    """Return an output of the head by itself, nothing marked."""
    one = cell.outputs[place]
    words = f"Output {place + 1}, {_word(one)}"
    if one.picture is not None:
        shown = picture(one, f"Output {place + 1}", sheet.room)
        return _headed(sheet, words, threads) + f'<div class="pn-rp pn-one">{shown}</div>'
    table = _table(one)
    if table is not None:
        return _headed(sheet, words, threads) + page_tables.beside(None, table, compared=False)
    lines, whole = _by_line(one, threads)
    shown = said(None, one.text, sheet.hung(lines)) if one.text else _other_forms(None, one)
    return _headed(sheet, words, whole) + shown


def _headed(sheet: Sheet, words: str, threads: Sequence[Numbered]) -> str:
    """Return the heading of an output, the threads about it as a whole beside it."""
    return f'{sheet.cards(threads)}<div class="pn-rk">{words}{sheet.badges(threads)}</div>'


def _table(output: Output | None) -> page_tables.Rows | None:
    return page_tables.read(output.data["text/html"]) if output and "text/html" in output.data else None


def _by_line(output: Output | None, threads: Sequence[Numbered]) -> tuple[list[Numbered], list[Numbered]]:
    """Part threads about a line of an output's text from those about the whole of it."""
    many = len(pairing.lines_of(output.text)) if output is not None else 0
    lines = [one for one in threads if 0 <= (-1 if (at := one.thread.place.line) is None else at) < many]
    return lines, [one for one in threads if one not in lines]


def _word(output: Output) -> str:
    word = _WORDS.get(pairing.form(output), "text")
    return f"error {html.text(output.name, 60)}" if output.kind == "error" and output.name else word


def _other_forms(before: Output | None, after: Output | None) -> str:
    """Say which forms differ that are not shown: what only a notebook can draw, or HTML of the same words."""
    made = []
    forms = dict.fromkeys([*(before.data if before else ()), *(after.data if after else ())])
    for mime in forms:
        sides = [None if side is None else side.data.get(mime) for side in (before, after)]
        if mime == "text/plain" or sides[0] == sides[1]:
            continue
        sizes = [size(len(side.encode("utf-8", "replace"))) for side in sides if side is not None]
        arrow = " → ".join(dict.fromkeys(sizes))
        made.append(f"<code>{html.text(mime, 80)}</code> {arrow}")
    if not made:
        return ""
    return f'<div class="pn-f">Not shown here: {", ".join(made)}</div>'
