"""Verbs that hold runs against each other."""

from __future__ import annotations

from provenote.commands.tree import Context, verb
from provenote.view import View


@verb("compare")
def compare(context: Context, *runs: str, baseline: str | None = None, all: bool = False) -> View:
    """Compare runs: metrics, parameters, code, cells and outputs, data, environment.

    The first run is the baseline that the others are held against. What is the same in all of them is only
    counted. A single run is held against the holder of production, else against the run before it.

    Parameters
    ----------
    runs : str
        Names, labels or ids of runs, or the start of an id or commit.
    baseline : str
        The run that the others are held against; default: the first.
    all : bool
        Show what is the same, too.
    """
    from provenote.compare import comparison

    return comparison.compare(
        context.workspace, runs, baseline=baseline, everything=all, pictures=context.face == "notebook"
    )
