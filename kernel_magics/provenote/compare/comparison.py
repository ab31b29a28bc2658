"""Two or more runs compared: what differs of everything that was recorded, as data and as a view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provenote.compare import cells, code, differences, inputs, locks, notebooks
from provenote.compare.cells import Notebooks
from provenote.compare.code import CodeChanges
from provenote.compare.differences import Section
from provenote.compare.inputs import DataItem
from provenote.compare.locks import Environments
from provenote.compare.notebooks import NotebookCell
from provenote.compare.sides import Side, choose, read
from provenote.events import Tell, silent

if TYPE_CHECKING:
    from provenote.model import Row
    from provenote.view import View
    from provenote.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between runs; the first side is the baseline that the others are held against.

    Parameters
    ----------
    sides : tuple of Side
    metrics, params, about : Section
        Last values, parameters, and how and where each ran.
    code : tuple of CodeChanges
        How the files of each other run differ.
    notebooks : Notebooks
        The executed cells beside each other.
    data : tuple of DataItem
        What the runs read.
    environments : Environments
    """

    sides: tuple[Side, ...]
    metrics: Section
    params: Section
    about: Section
    code: tuple[CodeChanges, ...]
    notebooks: Notebooks
    data: tuple[DataItem, ...]
    environments: Environments

    @property
    def rows(self) -> list[Row]:
        """The runs, the baseline first."""
        return [side.row for side in self.sides]


def compare(
    workspace: Workspace,
    names: Sequence[str],
    *,
    baseline: str | None = None,
    everything: bool = False,
    pictures: bool = False,
    tell: Tell = silent,
    now: float | None = None,
) -> View:
    """Compare runs.

    Parameters
    ----------
    workspace : Workspace
    names : sequence of str
        The runs; the first is the baseline.
    baseline : str, optional
        Another baseline.
    everything : bool
        Whether what is the same is shown, too.
    pictures : bool
        Whether metrics are drawn.
    tell : Tell
        Where progress goes.
    now : float, optional
        Seconds since 1970.

    Returns
    -------
    View
        ``data`` is described in the reference of formats; ``more`` holds ``rows``, ``series`` (of each
        run, by its name) and the `Comparison` as ``comparison``.

    Raises
    ------
    UsageError
        If a run does not exist, or there are too few or too many.
    """
    from provenote.compare import beside
    from provenote.compare.comparison_json import to_json
    from provenote.view import View

    found = of_rows(workspace, choose(workspace, names, baseline), tell)
    return View(
        beside.parts_of(found, everything=everything, pictures=pictures, now=now),
        to_json(found, everything=everything),
        more={
            "rows": found.rows,
            "series": {side.row.name: side.series for side in found.sides},
            "comparison": found,
        },
    )


def of_rows(workspace: Workspace, rows: Sequence[Row], tell: Tell = silent) -> Comparison:
    """Compare runs that were found already; the first is the baseline."""
    sides = read(workspace, rows)
    files = tuple(code.changes(workspace, sides[0], side) for side in sides[1:])
    return Comparison(
        sides,
        differences.metrics(sides),
        differences.params(sides),
        differences.about(sides),
        files,
        _notebooks(sides),
        inputs.inputs(workspace, sides, files, tell),
        locks.environments(sides),
    )


def _notebooks(sides: Sequence[Side]) -> Notebooks:
    """Read the executed notebooks; one that cannot be read is not known, and says why."""
    found: list[Sequence[NotebookCell] | None] = []
    why: dict[int, str] = {}
    for place, side in enumerate(sides):
        try:
            found.append(None if side.notebook is None else notebooks.parse(side.notebook))
        except notebooks.NotReadable as error:
            found.append(None)
            why[place] = f"has an executed notebook that cannot be read: {error}"
        if side.notebook is None and side.row.commit is None:
            why[place] = "still runs: its cells are known when it has ended"
    return cells.align(found, why)
