"""Two versions of a notebook laid beside each other: their cells, the lines of a text, the outputs. Pure.

Cells find each other as in `provenote.compare.cells`, and lines as in `provenote.compare.texts`; here they
get an order and a place opposite each other: that of the version under review.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Literal

from provenote.compare.cells import Aligned, Notebooks, match
from provenote.compare.notebooks import NotebookCell, Output
from provenote.compare.texts import CONTEXT, LIKE, LINES, WIDTH, opcodes, shortened, spans

PAIRED = 600
"""Lines of the one times lines of the other among which those that are alike are looked for."""
MARKED = 60
"""Pairs of lines of one text whose words are compared: enough to see how it differs, and quick."""
MARKS = 30_000_000
"""What one page spends on comparing words: the lengths of two lines, multiplied, of all that are compared."""

Row = tuple[int | None, int | None, bool]
Sign = Literal["=", "-", "+", "~"]


@dataclass(frozen=True, slots=True)
class Twin:
    """A line of the base opposite the one of the head.

    Parameters
    ----------
    old, new : int or None
        Their numbers, from 0; None on the side that has none there.
    left, right : str
        The lines as they are shown.
    sign : {'=', '-', '+', '~'}
        The same, gone, new, or changed.
    gone, come : tuple of (int, int)
        Of a changed line, the stretches that the other side lacks.
    """

    old: int | None
    new: int | None
    left: str
    right: str
    sign: Sign
    gone: tuple[tuple[int, int], ...] = ()
    come: tuple[tuple[int, int], ...] = ()


@dataclass
class Marks:
    """What may still be spent on comparing words: a notebook made to be slow loses its marks."""

    left: int = MARKS

    def take(self, left: str, right: str) -> bool:
        """Take what two lines cost, unless nothing is left."""
        self.left -= len(left) * len(right)
        return self.left >= 0


@dataclass(frozen=True, slots=True)
class Gap:
    """Lines that are left out: how many, and whether they are the same on both sides."""

    count: int
    same: bool


@dataclass(frozen=True, slots=True)
class Outputs:
    """An output of the base opposite one of the head; None on the side that lacks it."""

    old: int | None
    new: int | None
    same: bool


@dataclass(frozen=True, slots=True)
class Cells:
    """A cell of the base opposite the one of the head.

    Parameters
    ----------
    old, new : int or None
        Their places, from 0.
    status : str
        ``same``, ``edited``, ``outputs``, ``moved``, ``added``, ``removed`` as in
        `provenote.compare.cells.Notebooks.status`; ``alone`` when there is no base.
    moved : bool
        Whether it stands elsewhere among the others.
    """

    old: int | None
    new: int | None
    status: str
    moved: bool = False


def cells(base: Sequence[NotebookCell] | None, head: Sequence[NotebookCell]) -> list[Cells]:
    """Lay the cells of the base beside those of the head, in the head's order.

    Parameters
    ----------
    base : sequence of NotebookCell or None
        None: there is nothing to compare with.
    head : sequence of NotebookCell
    """
    if base is None:
        return [Cells(None, place, "alone") for place in range(len(head))]
    judge = Notebooks((), (True, True), {})
    found = []
    for pair in match(base, head):
        both = (
            base[pair.old] if pair.old is not None else None,
            head[pair.new] if pair.new is not None else None,
        )
        row = Aligned((pair.old, pair.new), both, (False, pair.moved))
        found.append(Cells(pair.old, pair.new, judge.status(row, 1), pair.moved))
    return found


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, counted as anchors count them; a newline at the end opens none."""
    found = text.split("\n")
    if not found[-1]:
        found.pop()
    return found


def twins(
    old: str,
    new: str,
    *,
    keep: Collection[int] = (),
    context: int | None = CONTEXT,
    most: int = LINES,
    width: int = WIDTH,
    marks: Marks | None = None,
) -> list[Twin | Gap]:
    """Lay the lines of two texts beside each other.

    Parameters
    ----------
    old, new : str
    keep : collection of int
        Lines of ``new`` that are shown wherever they stand: somebody spoke of them.
    context : int, optional
        Lines shown around a difference and a kept line; None for all.
    most : int
        Lines shown; what is beyond is counted, but for kept lines.
    width : int
        Characters shown of a line.
    marks : Marks, optional
        What may be spent on comparing words.
    """
    before, after = lines_of(old), lines_of(new)
    rows = _rows(before, after)
    near: set[int] = set(range(len(rows))) if context is None else set()
    if context is not None:
        for place, (_, j, same) in enumerate(rows):
            if (len(near) <= most and not same) or j in keep:
                near.update(range(max(0, place - context), min(len(rows), place + context + 1)))
    shown: list[int] = []
    for place in sorted(near):
        if len(shown) < most or rows[place][1] in keep:
            shown.append(place)
    made: list[Twin | Gap] = []
    marks, marked, at = marks or Marks(), 0, 0
    for place in [*shown, len(rows)]:
        if place > at:
            left_out = rows[at:place]
            i, j, alike = left_out[0]
            if len(left_out) == 1 and alike:  # it takes no more room than saying that it is there
                made.append(_twin(before, after, i, j, True, width))
            else:
                made.append(Gap(len(left_out), all(same for _, _, same in left_out)))
        if place < len(rows):
            twin = _twin(before, after, *rows[place], width)
            if twin.sign == "~" and marked < MARKED and marks.take(twin.left, twin.right):
                gone, come = spans(twin.left, twin.right)
                twin = replace(twin, gone=gone, come=come)
                marked += 1
            made.append(twin)
        at = place + 1
    return made


def _twin(
    before: Sequence[str], after: Sequence[str], i: int | None, j: int | None, same: bool, width: int
) -> Twin:
    left = shortened(before[i], width) if i is not None else ""
    right = left if same else shortened(after[j], width) if j is not None else ""
    return Twin(i, j, left, right, "=" if same else "+" if i is None else "-" if j is None else "~")


def _rows(before: Sequence[str], after: Sequence[str]) -> list[Row]:
    """Return the lines that stand beside each other, and whether they are the same."""
    rows: list[Row] = []
    for tag, i1, i2, j1, j2 in opcodes(before, after):
        if i2 - i1 == j2 - j1:
            rows += zip(range(i1, i2), range(j1, j2), repeat(tag == "equal"))
            continue
        for i, j in _alike(before[i1:i2], after[j1:j2]):
            rows.append(((None if i is None else i1 + i), (None if j is None else j1 + j), False))
    return rows


def _alike(gone: Sequence[str], come: Sequence[str]) -> Iterator[tuple[int | None, int | None]]:
    """Put lines that replace others beside those they are alike to, the rest beside each other as they come.

    The pairs are those whose likenesses, in order, add up to the most (as in an alignment of sequences).
    """
    pairs: list[tuple[int, int]] = []
    if 1 < len(gone) * len(come) <= PAIRED:
        pairs = _best([Counter(_words(line)) for line in gone], [Counter(_words(line)) for line in come])
    i = j = 0
    for a, b in [*pairs, (len(gone), len(come))]:
        both = min(a - i, b - j)
        yield from ((i + k, j + k) for k in range(both))
        yield from ((k, None) for k in range(i + both, a))
        yield from ((None, k) for k in range(j + both, b))
        if (a, b) != (len(gone), len(come)):
            yield a, b
        i, j = a + 1, b + 1


def _words(line: str) -> list[str]:
    return "".join(sign if sign.isalnum() or sign == "_" else " " for sign in line[:400]).split()


def _best(gone: Sequence[Counter[str]], come: Sequence[Counter[str]]) -> list[tuple[int, int]]:
    best = [[0.0] * (len(come) + 1) for _ in range(len(gone) + 1)]
    likeness = [[_likeness(one, other) for other in come] for one in gone]
    for i in reversed(range(len(gone))):
        for j in reversed(range(len(come))):
            taken = likeness[i][j] + best[i + 1][j + 1] if likeness[i][j] >= LIKE else 0.0
            best[i][j] = max(taken, best[i + 1][j], best[i][j + 1])
    found, i, j = [], 0, 0
    while i < len(gone) and j < len(come) and best[i][j]:
        if best[i][j] == best[i + 1][j]:
            i += 1
        elif best[i][j] == best[i][j + 1]:
            j += 1
        else:
            found.append((i, j))
            i, j = i + 1, j + 1
    return found


def _likeness(one: Counter[str], other: Counter[str]) -> float:
    """Return the share of words that two lines have in common (Dice's coefficient)."""
    many = one.total() + other.total()
    return 2 * (one & other).total() / many if many else 0.0


def outputs(old: Sequence[Output], new: Sequence[Output]) -> list[Outputs]:
    """Lay the outputs of a cell beside each other: the same ones, then those of one form in their order."""
    before, after = [one.digest for one in old], [one.digest for one in new]
    made: list[Outputs] = []
    for tag, i1, i2, j1, j2 in opcodes(before, after):
        if tag == "equal":
            pairs = zip(range(i1, i2), range(j1, j2), strict=True)
            made += [Outputs(i, j, True) for i, j in pairs]
            continue
        places: dict[str, list[int]] = defaultdict(list)
        for k in range(i1, i2):
            places[form(old[k])].append(k)
        i = i1
        for j in range(j1, j2):
            there = places[form(new[j])]
            later = bisect_left(there, i)
            if later == len(there):
                made.append(Outputs(None, j, False))
                continue
            at = there[later]
            made += [Outputs(k, None, False) for k in range(i, at)]
            made.append(Outputs(at, j, False))
            i = at + 1
        made += [Outputs(k, None, False) for k in range(i, i2)]
    return made


def form(output: Output) -> str:
    """Say what an output is: ``picture``, ``error``, the stream's name or ``result``."""
    if output.picture:
        return "picture"
    return output.name if output.kind == "stream" else output.kind
