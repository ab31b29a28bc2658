"""Verbs of environments: the packages of a run, what differs, and how they come back."""

from __future__ import annotations

from provenote.commands.tree import Context, verb
from provenote.view import View


@verb("env show")
def env_show(context: Context, run: str | None = None, *, all: bool = False, lock: bool = False) -> View:
    """Show the environment of a run: Python, platform, packages, the imported ones first.

    Parameters
    ----------
    run : str
        The run: name, label, id, or the start of its id or commit; default: this Python.
    all : bool
        Also the packages that the run did not import.
    lock : bool
        As a requirements file.
    """
    from provenote.environments import known, show

    found = (
        known.here(context.workspace, imported=context.face == "notebook")
        if run is None
        else known.of_run(context.workspace, run)
    )
    return show.requirements(found) if lock else show.one(found, everything=all)


@verb("env diff")
def env_diff(context: Context, a: str, b: str | None = None) -> View:
    """Compare two environments: packages added, removed, changed, the imported ones first.

    Parameters
    ----------
    a : str
        A run: name, label, id, or the start of its id or commit.
    b : str
        Another run; default: this Python.
    """
    from provenote.environments import known, show

    before = known.of_run(context.workspace, a)
    return show.two(
        before, known.here(context.workspace) if b is None else known.of_run(context.workspace, b)
    )
