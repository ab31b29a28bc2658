"""Hold the environment that runs here against that of a model: in full, or in the moment of a load.

What is judged and how stands in `provenote.environments.check`; here the two sides are read.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from provenote.environments import check, snapshot
from provenote.stores import environments
from provenote.tracking import builds, environment, imports

if TYPE_CHECKING:
    from provenote.checks.verdict import Verdict
    from provenote.workspace import Workspace


class EnvironmentWarning(UserWarning):
    """A model is used in another environment than it was trained in."""


def against(
    workspace: Workspace, subject: Mapping[str, str], commit: str, document: Mapping[str, Any]
) -> Verdict:
    """Return the verdict over the environment that runs here: every file of what was imported is hashed.

    What the snapshot of known weaknesses says of the packages that are here belongs to it.

    Parameters
    ----------
    workspace : Workspace
    subject : mapping of str to str
        What the verdict says it was about.
    commit : str
        The model's run.
    document : mapping
        Its ``run.json``.
    """
    then, names = recorded(workspace, commit, document)
    locked = environment.lock()
    edited = _edited(locked, names or (), everything=True)
    machine = environment.facts()
    if then.machine.get("blas"):
        machine["blas"] = _blas()
    now = dataclasses.replace(_here(workspace, locked, names or (), edited), machine=machine)
    verdict = check.judge(subject, then, now, names)
    return snapshot.judged(workspace, verdict, locked.packages, set(names or ()))


def at_load(workspace: Workspace, reference: str, commit: str, document: Mapping[str, Any]) -> str:
    """Return one line that says how this process differs from the training; empty if in nothing that counts.

    Only files of loaded modules are looked at, and only whether they changed after the installation: it
    takes some milliseconds.
    """
    return _line(workspace, reference, commit, document, loaded=True)


def in_passing(workspace: Workspace, reference: str, commit: str, document: Mapping[str, Any]) -> str:
    """Return the same line for a process that has not loaded the packages: a timer's.

    Files that changed after the installation are hashed; the others are believed.
    """
    return _line(workspace, reference, commit, document, loaded=False)


def _line(
    workspace: Workspace, reference: str, commit: str, document: Mapping[str, Any], *, loaded: bool
) -> str:
    then, names = recorded(workspace, commit, document)
    locked = environment.lock()
    wanted = frozenset(names or ())
    if loaded:
        edited = builds.edited_since(locked, _loaded(workspace, locked, wanted))
    else:
        edited = _edited(locked, wanted, everything=False)
    found = check.alerts(check.judge({}, then, _here(workspace, locked, wanted, edited), names))
    if not found:
        return ""
    more = f"; and {len(found) - check.FEW} more" if len(found) > check.FEW else ""
    return (
        f"{reference} was trained in another environment: {'; '.join(found[: check.FEW])}{more}. "
        f"See all: `provenote env check {reference}`"
    )


def recorded(
    workspace: Workspace, commit: str, document: Mapping[str, Any]
) -> tuple[check.Side, Collection[str] | None]:
    """Return the environment of a training and the packages that it imported, None where it does not tell."""
    from provenote.git.command import blobs

    overlay = str(document.get("overlay") or "")
    content = next(blobs(workspace.top, [f"{commit}:{overlay}/{environments.FILE}"]), None)
    found = environments.read((content or b"").decode("utf-8", "replace"))
    extra = document.get("extra")
    extra = extra if isinstance(extra, Mapping) else {}
    machine = document.get("machine")
    machine = dict(machine) if isinstance(machine, Mapping) else {}
    if isinstance(extra.get("blas"), list):
        machine["blas"] = extra["blas"]
    told = extra.get("builds")
    kept = {str(name): str(build) for name, build in told.items()} if isinstance(told, Mapping) else {}
    known = isinstance(extra.get("imported"), list) and bool(found.packages)
    names = frozenset(environments.imported(document)) if known else None
    return check.Side(found, machine, kept), names


def _loaded(workspace: Workspace, locked: environment.Lock, wanted: Collection[str]) -> dict[str, str]:
    found = imports.loaded(locked, workspace.home)
    return {path: name for path, name in found.items() if name in wanted}


def _edited(locked: environment.Lock, names: Collection[str], *, everything: bool) -> dict[str, list[str]]:
    found = {}
    for name in names:
        folder = locked.places.get(name)
        if folder and (files := builds.edited(folder, everything=everything)):
            found[name] = files
    return found


def _here(
    workspace: Workspace, locked: environment.Lock, names: Collection[str], edited: Mapping[str, list[str]]
) -> check.Side:
    return check.Side(
        environments.read(locked.text),
        {},  # of the machine nothing fails, and to list its libraries takes longest
        builds.of(names, locked, workspace.home),
        edited,
    )


def _blas() -> list[dict[str, Any]]:
    """Return the libraries that numpy brings here, loaded for it where nobody has."""
    try:
        if "threadpoolctl" not in sys.modules:
            import numpy  # noqa: F401
            import threadpoolctl  # type: ignore[import-untyped] # noqa: F401
    except ImportError:
        return []
    return environment.blas()
