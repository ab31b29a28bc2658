"""What a saved notebook keeps of ``%runs`` and ``%compare``: one MIME bundle with table and pictures.

The pictures are inside the HTML as data addresses: papermill, nbclient, nbconvert, a mail keep them with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from provenote.compare.numbers import counted
from provenote.model import Row
from provenote.render import html, terminal
from provenote.view import Picture, Table, View

if TYPE_CHECKING:
    from provenote.workspace import Workspace

ROWS = 200
"""Rows of one saved table."""
CURVES = 6
"""Runs whose curves are drawn."""


def bundle(shown: View, workspace: Workspace | None, *, pictures: bool = True) -> dict[str, Any]:
    """Return the static form of a view whose ``more["rows"]`` are runs.

    Parameters
    ----------
    shown : View
        The answer of ``runs`` or ``compare``.
    workspace : Workspace, optional
        Where the points of curves are read; without one only last values are drawn.
    pictures : bool
        Whether pictures are drawn (matplotlib takes some tenths of a second at its first).

    Returns
    -------
    dict
        ``text/plain`` and ``text/html``.
    """
    short = replace(shown, parts=[_cut(part) if isinstance(part, Table) else part for part in shown.parts])
    words = terminal.render(short, width=100, color=False)
    if pictures:
        drawn = drawings(shown.more.get("rows", ()), workspace, shown.more.get("leading", ""))
        already = any(isinstance(part, Picture) for part in short.parts)
        short = replace(short, parts=[*short.parts, *([] if already else drawn)])
    return {"text/html": html.render(short), "text/plain": words}


def drawings(rows: Sequence[Row], workspace: Workspace | None, first: str = "") -> list[Picture]:
    """Return the pictures worth drawing: curves by step where there are any, values over parameters.

    Parameters
    ----------
    rows : sequence of Row
    workspace : Workspace, optional
        Where the points of curves are read.
    first : str
        Key of the metric that leads.
    """
    from provenote.render import pictures

    few = rows[:CURVES]
    series = curves(few, workspace) if workspace is not None else {}
    if len(series) * 2 < len(few):  # a curve of one run among many says nothing of the others
        series = {}
    chosen = [row.id for row in few if row.name in series]  # a run has one colour in both pictures
    found = [pictures.overlaid(series), pictures.parallel(rows, chosen, first)]
    return [picture for picture in found if picture is not None]


def curves(rows: Sequence[Row], workspace: Workspace) -> dict[str, dict[str, list[tuple[Any, Any]]]]:
    """Return name -> metric -> points of those runs that have any."""
    from provenote.stores import index

    found = {row.name: index.series(workspace, row) for row in rows}
    return {name: series for name, series in found.items() if series}


def _cut(table: Table) -> Table:
    """Leave the first rows of a long table, and say how many are not shown."""
    if len(table.rows) <= ROWS:
        return table
    left = counted(len(table.rows) - ROWS, "more row")
    foot = [f"{left} not shown here, to keep the notebook small.", *table.foot]
    return replace(table, rows=table.rows[:ROWS], marks=table.marks[:ROWS], foot=foot)
