"""Where jobs run: four methods, found by name among the entry points ``provenote.executors``.

An entry point names a callable ``(workspace, address) -> Executor``; ``--on dask://host:8786`` asks for the
one called ``dask`` with the address ``host:8786``.
"""

from __future__ import annotations

from typing import Protocol

from provenote.errors import UsageError
from provenote.jobs.spec import JobSpec
from provenote.jobs.state import JobState
from provenote.workspace import Workspace

GROUP = "provenote.executors"


class Executor(Protocol):
    """Runs jobs somewhere. All four methods may be called by any process, at any time.

    One that holds more jobs than it can run at once may also have ``room() -> int``, how many that is now: a
    sweep that ends when one of its jobs has met the aim gives out no more than that.
    """

    def submit(self, spec: JobSpec) -> str:
        """Start the job and return its id; one that runs or has succeeded is not started again."""
        ...

    def status(self, job: str) -> JobState:
        """Return how far it is; a job that nobody works for any more is ``lost``."""
        ...

    def cancel(self, job: str) -> None:
        """Ask it to stop: its kernel is interrupted, then killed. Returns at once."""
        ...

    def logs(self, job: str, start: int = 0) -> str:
        """Return what it printed, from character ``start`` on."""
        ...


def get(workspace: Workspace, on: str = "local") -> Executor:
    """Return the executor that ``on`` names.

    Raises
    ------
    UsageError
        If none has that name.
    """
    name, _, address = on.partition("://")
    # Ours are built in: they are there too when the package runs from a checkout without entry points.
    if name == "local":
        from provenote.jobs.local import LocalExecutor

        return LocalExecutor(workspace, address)
    if name == "dask":
        from provenote.jobs.distant.executor import DaskExecutor

        return DaskExecutor(workspace, address)
    from importlib.metadata import entry_points

    found = entry_points(group=GROUP)
    for entry in found:
        if entry.name == name:
            executor: Executor = entry.load()(workspace, address)
            return executor
    names = ", ".join(sorted({"local", "dask", *(entry.name for entry in found)}))
    raise UsageError(f"there is no executor {name!r}", f"Known: {names}")
