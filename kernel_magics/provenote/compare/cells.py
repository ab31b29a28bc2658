"""Match the cells of two executed notebooks, and say which were added, removed, edited or moved. Pure.

Cells belong together that have one id and one source, then one id, then one source, and at last those that
stand behind the same neighbour and share half of their lines. A cell that ran twice is two cells here.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from provenote.compare.notebooks import NotebookCell
from provenote.compare.texts import CONTEXT, rising, strokes
from provenote.view import Stroke

NEAR = 40
"""Cells behind one neighbour that are looked at for one that is alike."""
ALIKE = 0.5
"""The share of lines that two cells without a common id must have in common to be one cell, edited."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A cell of the baseline and the same one of another run; None on the side that lacks it.

    Parameters
    ----------
    old, new : int or None
        Their places, from 0.
    moved : bool
        Whether it stands elsewhere among those that both have.
    """

    old: int | None
    new: int | None
    moved: bool = False


def match(old: Sequence[NotebookCell], new: Sequence[NotebookCell]) -> list[Pair]:
    """Match cells.

    Returns
    -------
    list of Pair
        Each cell of both once: in the order of ``new``, removed ones behind the one that they followed.
    """
    found: dict[int, int] = {}  # place in new -> place in old
    left, right = set(range(len(old))), set(range(len(new)))

    def by(key: Callable[[NotebookCell], Hashable | None]) -> None:
        places: dict[Hashable, deque[int]] = defaultdict(deque)
        for i in sorted(left):
            name = key(old[i])
            if name is not None:
                places[name].append(i)
        for j in sorted(right):
            name = key(new[j])
            if name is not None and places.get(name):
                found[j] = places[name].popleft()
                left.discard(found[j])
                right.discard(j)

    by(lambda cell: (cell.id, cell.kind, cell.source) if cell.id else None)
    by(lambda cell: (cell.id, cell.kind) if cell.id else None)
    by(lambda cell: (cell.kind, cell.source))
    _by_neighbours(old, new, found, left, right)
    kept = rising([found[j] for j in sorted(found)])
    return _in_order(len(old), len(new), found, kept)


def _by_neighbours(
    old: Sequence[NotebookCell],
    new: Sequence[NotebookCell],
    found: dict[int, int],
    left: set[int],
    right: set[int],
) -> None:
    """Match cells that are alike and stand behind the same matched one."""
    back = {i: j for j, i in found.items()}
    groups: dict[int, list[int]] = defaultdict(list)
    anchor = -1
    for i in range(len(old)):
        if i in left:
            groups[anchor].append(i)
        else:
            anchor = back[i]
    anchor = -1
    for j in range(len(new)):
        if j not in right:
            anchor = j
            continue
        near = groups[anchor][:NEAR]
        best = max(near, key=lambda i: _likeness(old[i], new[j]), default=None)
        if best is not None and _likeness(old[best], new[j]) >= ALIKE:
            found[j] = best
            left.discard(best)
            right.discard(j)
            groups[anchor] = [i for i in groups[anchor] if i > best]


def _likeness(one: NotebookCell, other: NotebookCell) -> float:
    """Return the share of lines that two cells have in common (Dice's coefficient of their sets)."""
    if one.kind != other.kind or (one.id and one.id == other.id):
        return 0.0
    a, b = one.lines, other.lines
    return 2 * len(a & b) / (len(a) + len(b)) if a and b else 0.0


def _in_order(many_old: int, many_new: int, found: dict[int, int], kept: set[int]) -> list[Pair]:
    back = set(found.values())
    behind: dict[int, list[int]] = defaultdict(list)  # a kept cell of old -> removed ones behind it
    anchor = -1
    for i in range(many_old):
        if i in kept:
            anchor = i
        elif i not in back:
            behind[anchor].append(i)
    pairs = [Pair(i, None) for i in behind[-1]]
    for j in range(many_new):
        place = found.get(j)
        pairs.append(Pair(place, j, place is not None and place not in kept))
        if place in kept:
            pairs += [Pair(i, None) for i in behind[place]]
    return pairs


# ---------------------------------------------------------------------- several notebooks


@dataclass(frozen=True)
class Aligned:
    """One cell as each run has it; the baseline's first.

    Parameters
    ----------
    places : tuple of int or None
        Its place in each run's notebook, from 0.
    cells : tuple of NotebookCell or None
        None where a run lacks it, or its notebook is not known.
    moved : tuple of bool
        Whether it stands elsewhere than in the baseline.
    """

    places: tuple[int | None, ...]
    cells: tuple[NotebookCell | None, ...]
    moved: tuple[bool, ...]


@dataclass(frozen=True)
class Notebooks:
    """The cells of several runs.

    Parameters
    ----------
    rows : tuple of Aligned
        In the order of the baseline, added cells behind the one that they follow.
    known : tuple of bool
        Whether each run's notebook is known.
    why : dict of int to str
        Why one is not.
    """

    rows: tuple[Aligned, ...]
    known: tuple[bool, ...]
    why: dict[int, str]

    def status(self, row: Aligned, place: int) -> str:
        """Say how a run's cell differs from the baseline's.

        Returns
        -------
        str
            ``same``, ``edited``, ``outputs`` (the source is the same), ``moved``, ``added``, ``removed``,
            ``absent`` (in neither) or ``unknown``.
        """
        if not (self.known[0] and self.known[place]):
            return "unknown"
        old, new = row.cells[0], row.cells[place]
        if old is None or new is None:
            return "absent" if old is new else "added" if old is None else "removed"
        if old.source != new.source or old.kind != new.kind:
            return "edited"
        if old.outputs != new.outputs and old.digest != new.digest:  # the first is quick where they are equal
            return "outputs"
        return "moved" if row.moved[place] else "same"

    def differs(self, row: Aligned) -> bool:
        """Tell whether a run's cell differs from the baseline's."""
        return any(
            self.status(row, place) not in ("same", "absent", "unknown") for place in range(1, len(row.cells))
        )


def align(notebooks: Sequence[Sequence[NotebookCell] | None], why: dict[int, str] | None = None) -> Notebooks:
    """Lay the cells of several notebooks beside the first one's.

    Parameters
    ----------
    notebooks : sequence of (sequence of NotebookCell or None)
        The baseline's first; None where a notebook is not known.
    why : dict of int to str, optional
        Why one is not known, by its place.
    """
    known = tuple(cells is not None for cells in notebooks)
    first = notebooks[0]
    if first is None or sum(known) < 2:
        return Notebooks((), known, why or {})
    rows: list[dict[int, Pair]] = [{0: Pair(i, i)} for i in range(len(first))]
    behind: dict[int, list[dict[int, Pair]]] = defaultdict(list)
    for place, cells in enumerate(notebooks):
        if not place or cells is None:
            continue
        anchor = -1
        for pair in match(first, cells):
            if pair.old is not None:
                rows[pair.old][place] = pair
                anchor = anchor if pair.moved else pair.old
            elif pair.new is not None:
                _join(behind[anchor], place, pair, notebooks)
    ordered = [*behind[-1]]
    for i, row in enumerate(rows):
        ordered += [row, *behind[i]]
    return Notebooks(tuple(_aligned(row, notebooks) for row in ordered), known, why or {})


def _join(
    added: list[dict[int, Pair]],
    place: int,
    pair: Pair,
    notebooks: Sequence[Sequence[NotebookCell] | None],
) -> None:
    """Put an added cell beside the same one that another run added at the same place."""
    cell = _of(notebooks, place, pair)
    for row in added:
        if place not in row:
            others = [_of(notebooks, other, there) for other, there in row.items()]
            if any(one is not None and cell is not None and _one(one, cell) for one in others):
                row[place] = pair
                return
    added.append({place: pair})


def _one(one: NotebookCell, other: NotebookCell) -> bool:
    return one.source == other.source or bool(one.id and one.id == other.id)


def _of(notebooks: Sequence[Sequence[NotebookCell] | None], place: int, pair: Pair) -> NotebookCell | None:
    cells = notebooks[place]
    at = pair.old if not place else pair.new
    return None if cells is None or at is None else cells[at]


def _aligned(row: dict[int, Pair], notebooks: Sequence[Sequence[NotebookCell] | None]) -> Aligned:
    pairs = [row.get(place) for place in range(len(notebooks))]
    return Aligned(
        tuple(
            None if pair is None else pair.old if not place else pair.new for place, pair in enumerate(pairs)
        ),
        tuple(None if pair is None else _of(notebooks, place, pair) for place, pair in enumerate(pairs)),
        tuple(pair is not None and pair.moved for pair in pairs),
    )


def source_strokes(
    old: NotebookCell | None, new: NotebookCell | None, *, whole: bool = False
) -> list[Stroke]:
    """Return how a source changed, of a cell that is new or gone all its lines; ``whole``: all of any."""
    context = None if whole else CONTEXT
    return strokes(old.source if old else "", new.source if new else "", context=context)


def output_strokes(
    old: NotebookCell | None, new: NotebookCell | None, *, whole: bool = False
) -> list[Stroke]:
    """Return how the text of a cell's outputs changed; ``whole``: also the lines that did not."""
    return strokes(old.text if old else "", new.text if new else "", context=None if whole else CONTEXT)


def pictures_differ(cells: Iterable[NotebookCell | None]) -> bool:
    """Tell whether the pictures of a cell are not the same in all runs that have the cell."""
    return len({tuple(one.digest for one in cell.pictures) for cell in cells if cell is not None}) > 1
