"""Which runs a listing shows, in which order: filter, sort, fold children. Pure, on rows."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isnan
from typing import Any

from provenote.compare import families
from provenote.compare.clauses import Field, fields
from provenote.compare.numbers import number
from provenote.compare.query import Query, QueryError, bound, parse, parse_field
from provenote.model import Row


@dataclass(frozen=True, slots=True)
class Selection:
    """What a request leaves of the rows.

    Parameters
    ----------
    rows : list of Row
        All that are asked for, in order.
    total : int
        How many there were before the query.
    archived : int
        How many were passed over because they are archived.
    sort : Field or None
        What they are sorted by.
    children : dict
        Id of a run -> how many of ``rows`` are its children; id of a sweep -> how many jobs of it ran.
    """

    rows: list[Row]
    total: int
    archived: int = 0
    sort: Field | None = None
    children: Counter[str] = field(default_factory=Counter)

    def folded(self) -> list[Row]:
        """Return the rows without those whose parent is among them, and one line for each sweep."""
        return families.folded(self.rows)


def select(
    rows: Sequence[Row], query: str = "", *, sort: str = "", archived: bool = False, now: float | None = None
) -> Selection:
    """Choose and order rows.

    Parameters
    ----------
    rows : sequence of Row
        Newest first; the order that stays where ``sort`` is equal.
    query : str
        The query language; empty for all.
    sort : str
        Fields parted by commas, ``-`` before one (or `` desc`` after it) for descending. Runs without a
        value come last, before them those that have NaN, whatever the direction.
    archived : bool
        Whether archived runs are shown though the query does not ask about ``archived``.
    now : float, optional
        Seconds since 1970.

    Raises
    ------
    UsageError
        If the query or a field of ``sort`` cannot be read.
    """
    asked = parse(query).bind(rows)
    keys = [(bound(key, rows), down) for key, down in sort_keys(sort)]
    shown = [row for row in rows if archived or not row.archived or _asks_archived(asked)]
    now = time.time() if now is None else now
    found = [row for row in shown if asked.clause.matches(row, now)]
    for key, down in reversed(keys):
        found = ordered(found, key, down)
    there = {row.id for row in found}
    children = Counter(row.parent for row in found if row.parent in there and row.parent != row.id)
    children.update(families.sizes(found))
    return Selection(
        found,
        len(shown),
        len(rows) - len(shown),
        keys[0][0] if keys else None,
        Counter({parent: count for parent, count in children.items() if parent}),
    )


def sort_keys(text: str) -> list[tuple[Field, bool]]:
    """Read ``--sort``: fields, each with whether it is descending.

    Raises
    ------
    UsageError
        If a field cannot be read.
    """
    keys = []
    for part in filter(None, map(str.strip, text.split(","))):
        word, _, way = part.rpartition(" ")
        down = part.startswith("-") or way.lower() == "desc"
        name = (word if way.lower() in ("asc", "desc") and word else part).removeprefix("-").strip()
        try:
            keys.append((parse_field(name), down))
        except QueryError as error:
            raise QueryError(
                f"--sort: {error.what.removeprefix('query, ')}",
                "As `--sort metrics.rmse`, or `--sort -metrics.rmse` for the greatest first",
                error.column,
            ) from None
    return keys


def ordered(rows: Sequence[Row], key: Field, down: bool = False) -> list[Row]:
    """Sort by one field: numbers, then texts; NaN and then "has none" last in both directions."""
    numbers: list[tuple[float, int]] = []
    texts: list[tuple[str, int]] = []
    odd: list[int] = []
    none: list[int] = []
    for place, row in enumerate(rows):
        value: Any = key.of(row)
        if isinstance(value, bool):
            value = int(value)
        figure = number(value)
        if value is None:
            none.append(place)
        elif figure is None:
            texts.append((str(value), place))
        elif isnan(figure):
            odd.append(place)
        else:
            numbers.append((figure, place))
    numbers.sort(key=lambda pair: pair[0], reverse=down)
    texts.sort(key=lambda pair: pair[0], reverse=down)
    first, second = (texts, numbers) if down else (numbers, texts)
    return [rows[place] for place in [*(p for _, p in first), *(p for _, p in second), *odd, *none]]


def _asks_archived(query: Query) -> bool:
    return any(field.path == ("archived",) for field in fields(query.clause))
