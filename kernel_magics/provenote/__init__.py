"""Provenote: MLOps in the notebook and in Git. ``%load_ext provenote`` brings the magics, this the functions.

Everything is imported at first use, so that loading the extension costs a few milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provenote.errors import ProvenoteError, Refused, UsageError, WorldError

if TYPE_CHECKING:
    import pandas
    from IPython.core.interactiveshell import InteractiveShell

    from provenote import data as data
    from provenote.jobs.kinds import Secret as Secret
    from provenote.registry.load import load as load
    from provenote.tracking.active import ActiveRun as ActiveRun
    from provenote.tracking.active import current as current_run
    from provenote.tracking.starting import track as track

__all__ = [
    "ProvenoteError",
    "Refused",
    "Secret",
    "UsageError",
    "WorldError",
    "current_run",
    "data",
    "load",
    "load_ipython_extension",
    "runs",
    "track",
    "unload_ipython_extension",
]

_LATE = {
    "track": ("provenote.tracking.starting", "track"),
    "current_run": ("provenote.tracking.active", "current"),
    "load": ("provenote.registry.load", "load"),
    "Secret": ("provenote.jobs.kinds", "Secret"),
}


def __getattr__(name: str) -> Any:
    import importlib

    if name in _LATE:
        module, attribute = _LATE[name]
        value = getattr(importlib.import_module(module), attribute)
    elif name == "data":
        value = importlib.import_module("provenote.data")
    elif name == "__version__":
        from importlib.metadata import version

        value = version("provenote")
    else:
        raise AttributeError(f"module 'provenote' has no attribute {name!r}")
    globals()[name] = value
    return value


def runs(
    query: str | None = None, *, everything: bool = False, branch: str | None = None
) -> pandas.DataFrame:
    """Return the runs as a DataFrame, newest first.

    Parameters
    ----------
    query : str, optional
        The query language of ``provenote runs``, as ``"metrics.rmse < 60 and params.depth >= 6"``.
    everything : bool
        All runs of the repository, not only those on the history of HEAD.
    branch : str, optional
        The runs on the history of this branch.

    Returns
    -------
    pandas.DataFrame
        One row a run, index ``name``; parameters as ``params.<key>``, metrics as ``metrics.<key>``.
    """
    from provenote.compare import table

    return table.frame(query, everything=everything, branch=branch)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics and start to record which cells run (``%load_ext provenote``)."""
    from provenote import magics

    magics.load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take the magics back (``%unload_ext provenote``)."""
    from provenote import magics

    magics.unload(shell)
