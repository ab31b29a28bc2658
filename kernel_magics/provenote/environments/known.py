"""What is known of an environment: that of a run, from its record, or the one of this Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provenote.errors import UsageError
from provenote.stores import environments
from provenote.stores.environments import Environment

if TYPE_CHECKING:
    from provenote.workspace import Workspace

HERE = "here"
"""What the environment of this Python is called."""


@dataclass(frozen=True, slots=True)
class Known:
    """An environment and whose it is.

    Parameters
    ----------
    name : str
        Name of the run, or `HERE`.
    environment : Environment
    imported : frozenset of str
        Packages that were imported, by normalized name.
    machine : mapping
        Settings that no lock holds, as `provenote.tracking.environment.facts` gives them.
    """

    name: str
    environment: Environment
    imported: frozenset[str] = frozenset()
    machine: Mapping[str, Any] = field(default_factory=dict)


def of_run(workspace: Workspace, name: str) -> Known:
    """Return the environment of a run.

    Parameters
    ----------
    workspace : Workspace
    name : str
        The run: name, label, id, or the start of its id or commit.

    Raises
    ------
    UsageError
        If there is no such run, or it kept no lock.
    """
    from provenote.compare.account import so_far
    from provenote.stores import index

    row = index.find(workspace, name)
    found = environments.of_run(workspace, row)
    if found is None:
        raise UsageError(
            f"run {row.name} kept no list of its packages", f"See what it kept: `provenote show {row.name}`"
        )
    document = so_far(workspace, row) if row.commit is None else index.document(workspace, row.commit)
    machine = document.get("machine")
    return Known(
        row.name,
        found,
        frozenset(environments.imported(document)),
        machine if isinstance(machine, Mapping) else {},
    )


def here(workspace: Workspace, *, imported: bool = False) -> Known:
    """Return the environment of this Python.

    Parameters
    ----------
    workspace : Workspace
    imported : bool
        Whether what this process has imported says something about the user's work: so in a notebook.
    """
    from provenote.tracking import environment, imports

    locked = environment.lock()
    names = imports.imported(locked, workspace.home) if imported else ()
    return Known(HERE, environments.read(locked.text), frozenset(names), environment.facts(libraries=True))
