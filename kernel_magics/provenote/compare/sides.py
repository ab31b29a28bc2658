"""What is read of each run before two or more are compared: one `Side` a run, the baseline first."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provenote.errors import UsageError
from provenote.model import Row
from provenote.render.legible import middle

if TYPE_CHECKING:
    from provenote.workspace import Workspace

NAME = 20
"""The most characters of a run's name above a column."""
MOST = 26
"""Runs that are compared at once: as many as there are letters for them."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the runs that are compared.

    Parameters
    ----------
    letter : str
        ``A`` for the baseline, ``B`` for the first of the others.
    row : Row
    document : dict
        Its ``run.json``; of a running one what its events say so far.
    series : dict
        Metric -> points ``(step, value)``.
    tree : str
        Id of what holds its files: the run's commit, or the snapshot of one that runs.
    lock : str or None
        The text of its lock; None where the run kept none.
    notebook : bytes or None
        Its executed notebook; None where it has none (yet).
    """

    letter: str
    row: Row
    document: Mapping[str, Any]
    series: Mapping[str, Sequence[tuple[Any, Any]]] = field(default_factory=dict)
    tree: str = ""
    lock: str | None = None
    notebook: bytes | None = None

    @property
    def heading(self) -> str:
        """What stands above its column: a long name is cut, since it stands whole in the head."""
        return f"{self.letter} {middle(self.row.name, NAME)}"

    @property
    def overlay(self) -> str:
        """The folder of the run's own files, from the Git root; empty for one that runs."""
        return str(self.document.get("overlay") or "")


def choose(workspace: Workspace, names: Sequence[str], baseline: str | None = None) -> list[Row]:
    """Find the runs that are compared, the baseline first.

    Parameters
    ----------
    workspace : Workspace
    names : sequence of str
        Names as `provenote.stores.index.find` reads them. A single one is held against what it would be
        held against in a notebook: the holder of production, else the run before. A sweep's name means the
        runs of its jobs.
    baseline : str, optional
        The run that the others are held against; by default the first.

    Raises
    ------
    UsageError
        If a run does not exist, one is named twice, or there are fewer than two or more than `MOST`.
    """
    from provenote.compare import families, reference
    from provenote.stores import index

    everything, _ = index.rows(workspace, everything=True)
    rows: dict[str, Row] = {}
    for name in families.expanded(everything, names):
        row = index.choose(everything, name)
        if row.id in rows:
            raise UsageError(f"run {row.name} is named twice", "Name each run once")
        rows[row.id] = row
    if baseline is not None:
        first = index.choose(everything, baseline)
        rows = {first.id: first} | rows
    found = list(rows.values())
    if len(found) == 1 and baseline is None:
        before = reference.find(workspace, found[0].id, found[0].label)
        if before is None:
            raise UsageError(
                f"there is nothing to hold {found[0].name} against: it is the first run of its label",
                f"Name another one: `provenote compare OTHER {found[0].name}`",
            )
        found = [before[0], *found]
    if len(found) < 2:
        raise UsageError("compare needs two runs", "As `provenote compare A B`; see them: `provenote runs`")
    if len(found) > MOST:
        raise UsageError(
            f"{len(found)} runs are too many to compare side by side, which can be {MOST}",
            "See them as a table: `provenote runs QUERY`",
        )
    return found


def read(workspace: Workspace, rows: Sequence[Row]) -> tuple[Side, ...]:
    """Read what is compared of each run, in the order given."""
    return tuple(_side(workspace, chr(ord("A") + place), row) for place, row in enumerate(rows))


def _side(workspace: Workspace, letter: str, row: Row) -> Side:
    from provenote.git import trees
    from provenote.stores import environments, index, runs

    series = index.series(workspace, row)
    if row.commit is None:
        meta = _meta(workspace, row)
        tree = str(meta.get("tree") or row.baseline)
        return Side(letter, row, _so_far(workspace, row), series, tree, meta.get("lock"))
    repo = trees.repository(workspace.common_dir)
    return Side(
        letter,
        row,
        index.document(workspace, row.commit),
        series,
        row.commit,
        environments.text_of(workspace, row),
        runs.file(repo, row.commit, "executed.ipynb"),
    )


def _so_far(workspace: Workspace, row: Row) -> dict[str, Any]:
    from provenote.compare.account import so_far

    return so_far(workspace, row)


def _meta(workspace: Workspace, row: Row) -> dict[str, Any]:
    from provenote.stores import live

    try:
        found = json.loads((workspace.home / "live" / row.id / live.META).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
