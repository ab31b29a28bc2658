"""The table of runs: one request in, a `View` or a DataFrame out. Reads the index; decides nothing else.

What is chosen is in `selection`, what a column shows in `columns`, grouping in `groups`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provenote.compare import columns, groups, numbers
from provenote.compare.query import bound, parse_field
from provenote.compare.selection import Selection, select
from provenote.errors import UsageError
from provenote.model import SCHEMA, Row
from provenote.view import Cell, Column, Table, View

if TYPE_CHECKING:
    import pandas

    from provenote.workspace import Workspace

LIMIT = 50
"""Rows of a table when nothing is said; JSON gives all."""
FIELDS = (
    "id",
    "name",
    "label",
    "status",
    "reason",
    "started",
    "ended",
    "params",
    "metrics",
    "tags",
    "starred",
    "notes",
    "archived",
    "linearity",
    "reproduced",
    "parent",
    "commit",
    "baseline",
    "cost",
    "currency",
)
"""The fields of a row in ``--json``, in their order."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What a listing was asked, and all runs that it chose from: for a face where one can ask on.

    Parameters
    ----------
    rows : list of Row
        All, newest first.
    query, sort, group_by : str
        As they were given; empty where they were not.
    everything : bool
    branch : str or None
    """

    rows: list[Row]
    query: str
    sort: str
    group_by: str
    everything: bool
    branch: str | None


def listing(
    workspace: Workspace,
    query: str | None = None,
    *,
    everything: bool = False,
    branch: str | None = None,
    sort: str | None = None,
    limit: int | None = None,
    group_by: str | None = None,
    now: float | None = None,
) -> View:
    """List runs as a table.

    Parameters
    ----------
    workspace : Workspace
    query : str, optional
        The query language.
    everything : bool
        Runs of all branches and archived ones too.
    branch : str, optional
        Runs whose baseline is in the history of this branch, instead of HEAD's.
    sort : str, optional
        Fields, as `provenote.compare.selection.select` reads them.
    limit : int, optional
        At most so many; by default 50 in the table and all in the data.
    group_by : str, optional
        Fields parted by commas: a line for each group, with mean and spread.
    now : float, optional
        Seconds since 1970.

    Returns
    -------
    View
        ``data`` is ``{"schema": 1, "rows": [...]}``, or ``groups`` in place of ``rows``; ``more["rows"]``
        holds the `Row` objects, ``more["listed"]`` what was asked.

    Raises
    ------
    UsageError
        If the query, the sort, the branch or the limit makes no sense.
    """
    from provenote.stores import index

    if limit is not None and limit < 1:
        raise UsageError(f"--limit {limit} shows nothing", "Give a number from 1")
    now = time.time() if now is None else now
    rows, hidden = index.rows(workspace, everything=everything, branch=branch)
    chosen = select(rows, query or "", sort=sort or "", archived=everything, now=now)
    listed = Listed(rows, query or "", sort or "", group_by or "", everything, branch)
    if group_by:
        return _grouped(chosen, group_by, limit, hidden, listed)
    shown = chosen.rows if limit is None else chosen.rows[:limit]
    plain = not query and not sort  # then children stand behind their parent
    top = chosen.folded() if plain else chosen.rows
    table = table_of(
        top[: limit or LIMIT],
        chosen,
        now,
        fold=plain,
        of=len(top),
        foot=[*_foot(chosen, hidden), *_pushed(workspace, chosen.rows)],
    )
    more = {"rows": shown, "leading": columns.sorted_metric(chosen.sort), "listed": listed}
    return View([table], {"schema": SCHEMA, "rows": [data_of(row) for row in shown]}, more=more)


def data_of(row: Row) -> dict[str, Any]:
    """Return a row as an element of ``runs --json``."""
    return {name: getattr(row, name) for name in FIELDS}


def table_of(
    rows: Sequence[Row],
    chosen: Selection,
    now: float,
    *,
    fold: bool = False,
    of: int = 0,
    foot: Sequence[str] = (),
) -> Table:
    """Return rows as a table: run, state, age, parameters that differ, shared metrics, flags.

    Parameters
    ----------
    rows : sequence of Row
        Those shown.
    chosen : Selection
        What they were taken from.
    now : float
        Seconds since 1970.
    fold : bool
        Whether children are counted with their parent.
    of : int
        How many there were to show.
    foot : sequence of str
        More lines below.
    """
    params = [columns.flat(row.params) for row in rows]
    metrics = [columns.flat(row.metrics) for row in rows]
    made: list[tuple[Column, list[Cell]]] = [
        (Column("run"), [columns.name_cell(row) for row in rows]),
        (Column("state"), [columns.state_cell(row) for row in rows]),
        (Column("age", "right"), [columns.age_cell(row, now) for row in rows]),
    ]
    made += [
        columns.values_column(key, [values.get(key) for values in params]) for key in columns.changed(params)
    ]
    for key in columns.shared(metrics, columns.sorted_metric(chosen.sort)):
        made.append(
            columns.values_column(columns.heading(key), [values.get(key) for values in metrics], grouped=True)
        )
    if any(row.cost is not None for row in rows):
        made.append((Column("run cost", "right"), [columns.cost_cell(row) for row in rows]))
    flags = [columns.flags_cell(row, chosen.children[row.id] if fold else 0) for row in rows]
    if any(cell.text for cell in flags):
        made.append((Column("flags", keep=True), flags))
    lines = list(zip(*(cells for _, cells in made), strict=True))
    counts = [f"{len(rows)} of {numbers.counted(of, 'run')}. All: `--limit {of}`"] if len(rows) < of else []
    return Table(
        [column for column, _ in made],
        lines,
        [columns.mark(row) for row in rows],
        foot=[*counts, *foot],
        empty=_empty(chosen),
    )


def frame(
    query: str | None = None,
    *,
    workspace: Workspace | None = None,
    everything: bool = False,
    branch: str | None = None,
    sort: str | None = None,
) -> pandas.DataFrame:
    """Return runs as a DataFrame, newest first unless sorted.

    Parameters
    ----------
    query, everything, branch, sort
        As for `listing`.
    workspace : Workspace, optional
        By default the current folder's.

    Returns
    -------
    pandas.DataFrame
        Index ``name``. Columns: the fields of a run with ``started`` and ``ended`` as UTC times, then
        ``params.<key>`` and ``metrics.<key>`` with nested keys joined by dots. NaN and infinity, kept as
        texts in the record, are numbers here.
    """
    from provenote.stores import index
    from provenote.workspace import find

    rows, _ = index.rows(workspace or find(), everything=everything, branch=branch)
    return frame_of(select(rows, query or "", sort=sort or "", archived=everything).rows)


def frame_of(rows: Sequence[Row]) -> pandas.DataFrame:
    """Return given rows as a DataFrame; see `frame`."""
    import pandas

    made: dict[str, Any] = {}
    for name in FIELDS:
        if name in ("started", "ended"):
            times = pandas.Series([getattr(row, name) for row in rows], dtype="float64")
            made[name] = pandas.to_datetime(times, unit="s", utc=True).array
        elif name not in ("name", "params", "metrics"):
            made[name] = [getattr(row, name) for row in rows]
    for kind in ("params", "metrics"):
        flats = [columns.flat(getattr(row, kind)) for row in rows]
        for key in dict.fromkeys(key for values in flats for key in values):
            made[f"{kind}.{key}"] = _series([values.get(key) for values in flats])
    names = pandas.Index([row.name for row in rows], name="name")
    return pandas.DataFrame(made, index=names)


def _series(values: list[Any]) -> list[Any]:
    """Return numbers where all values are numbers, the kept texts NaN and inf among them."""
    if not any(isinstance(value, str) for value in values):
        return values
    figures = [None if value is None else numbers.number(value) for value in values]
    return (
        figures if all((a is None) == (b is None) for a, b in zip(values, figures, strict=True)) else values
    )


def _grouped(chosen: Selection, group_by: str, limit: int | None, hidden: int, listed: Listed) -> View:
    by = [bound(parse_field(name.strip()), chosen.rows) for name in group_by.split(",")]
    found = groups.group(chosen.rows, by, columns.sorted_metric(chosen.sort))
    table = groups.table(found, by, len(chosen.rows), limit or LIMIT)
    data = [
        {
            "by": {str(field): value for field, value in zip(by, each.by, strict=True)},
            "runs": [row.name for row in each.rows],
            "metrics": {key: spread.to_json() for key, spread in each.metrics.items()},
        }
        for each in found[: limit or len(found)]
    ]
    table = Table(table.columns, table.rows, foot=[*table.foot, *_foot(chosen, hidden)], empty=table.empty)
    return View(
        [table],
        {"schema": SCHEMA, "groups": data},
        more={"rows": chosen.rows, "groups": found, "listed": listed},
    )


def _foot(chosen: Selection, hidden: int) -> list[str]:
    """Say how many are not here, and how to see them."""
    parts = []
    if len(chosen.rows) < chosen.total and chosen.rows:
        parts.append(f"{chosen.total - len(chosen.rows):,} more do not match the query")
    if hidden:
        parts.append(f"{hidden:,} more on other branches: `-A`")
    if chosen.archived:
        parts.append(f"{chosen.archived:,} archived: `-A`")
    return [". ".join(parts) + "."] if parts else []


def _pushed(workspace: Workspace, rows: Sequence[Row]) -> list[str]:
    """Say which remotes have these runs, as far as this clone has seen; nothing where it never exchanged."""
    from provenote.sharing import memory

    commits = [row.commit for row in rows if row.commit]
    remotes = memory.remotes(workspace) if commits else []
    counts = {each.name: len(memory.commits(workspace, each).intersection(commits)) for each in remotes}
    if all(count == len(commits) for count in counts.values()):
        return [f"All pushed to {', '.join(counts)}."] if counts else []
    parts = [f"{count:,} of {len(commits):,} pushed to {name}" for name, count in counts.items()]
    return [f"{'; '.join(parts)}: `provenote sync`."]


def _empty(chosen: Selection) -> str:
    if chosen.total:
        return f"No run matches. {numbers.counted(chosen.total, 'run')} here: `provenote runs`"
    return (
        "No run here yet. Make one: `%%track NAME` on top of a cell, or `with provenote.track(NAME) as run:`"
    )
