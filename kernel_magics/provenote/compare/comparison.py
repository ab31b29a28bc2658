"""Two or more runs compared: what differs of everything that was recorded, as data and as a view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provenote.compare import differences, locks
from provenote.compare.differences import ABSENT, Item, Section
from provenote.compare.locks import Environments
from provenote.compare.sides import Side, choose, read
from provenote.compare.table import data_of
from provenote.model import SCHEMA

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
    environments : Environments
    """

    sides: tuple[Side, ...]
    metrics: Section
    params: Section
    about: Section
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
    from provenote.view import View

    found = of_rows(workspace, choose(workspace, names, baseline))
    return View(
        beside.parts_of(found, everything=everything, pictures=pictures, now=now),
        to_json(found, everything=everything),
        more={
            "rows": found.rows,
            "series": {side.row.name: side.series for side in found.sides},
            "comparison": found,
        },
    )


def of_rows(workspace: Workspace, rows: Sequence[Row]) -> Comparison:
    """Compare runs that were found already; the first is the baseline."""
    sides = read(workspace, rows)
    return Comparison(
        sides,
        differences.metrics(sides),
        differences.params(sides),
        differences.about(sides),
        locks.environments(sides),
    )


def to_json(found: Comparison, *, everything: bool = False) -> dict[str, Any]:
    """Return a comparison as plain data; what is the same is only counted unless ``everything``."""

    def items(section: Section) -> list[dict[str, Any]]:
        return [_item(item) for item in (section.items if everything else section.differing)]

    environments = found.environments
    shown = environments.section.items if everything else environments.differing
    return {
        "schema": SCHEMA,
        "baseline": found.sides[0].row.name,
        "runs": [{"letter": side.letter} | data_of(side.row) for side in found.sides],
        "metrics": [
            _item(item) | _change(item)
            for item in (found.metrics.items if everything else found.metrics.differing)
        ],
        "params": items(found.params),
        "about": items(found.about),
        "packages": [
            {
                "name": item.key,
                "versions": [None if value is ABSENT else value for value in item.values],
                "imported": item.key in environments.imported,
            }
            for item in shown
        ],
        "unknown": {"packages": list(environments.unknown)},
        "identical": {
            "metrics": found.metrics.identical,
            "params": found.params.identical,
            "about": found.about.identical,
            "packages": environments.identical,
        },
    }


def _item(item: Item) -> dict[str, Any]:
    return {
        "key": item.key,
        "values": [None if value is ABSENT else value for value in item.values],
        "has": [value is not ABSENT for value in item.values],
    }


def _change(item: Item) -> dict[str, Any]:
    from provenote.compare.numbers import direction

    found = [differences.change(item.key, value, item.values[0]) for value in item.values]
    return {
        "direction": direction(item.key),
        "change": [far for far, _ in found],
        "better": [good for _, good in found],
    }
