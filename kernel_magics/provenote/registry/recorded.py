"""What the run of a model has recorded, found by a short reference; the model itself stays closed.

``bike-demand@production`` is who holds a stage, by the signed ledger; ``bike-demand@v1.2.0`` a version;
``bike-demand@train-87c2`` a run; ``bike-demand`` the newest finished run that kept a model of this name.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provenote.errors import ProvenoteError, UsageError
from provenote.registry import model_bytes, names, reading

if TYPE_CHECKING:
    from provenote.workspace import Workspace

_VERSION = re.compile(r"v?\d+\.\d+\.\d+")


@dataclass(frozen=True, slots=True)
class Recorded:
    """The record of a model's run.

    Parameters
    ----------
    model : str
        Name of the model.
    reference : str
        What it is called.
    commit : str
        The run's commit.
    document : mapping
        Its ``run.json``, with its folder in the commit as ``overlay``.
    """

    model: str
    reference: str
    commit: str
    document: Mapping[str, Any]

    def subject(self) -> dict[str, str]:
        """Return what a verdict says it was about."""
        about = {"model": self.model, "reference": self.reference, "commit": self.commit}
        artifact = (self.document.get("artifacts") or {}).get(self.model)
        digest = artifact.get("sha256") if isinstance(artifact, Mapping) else None
        return {**about, **({"sha256": str(digest)} if digest else {})}


def find(workspace: Workspace, reference: str) -> Recorded:
    """Find the record of a model.

    Raises
    ------
    UsageError
        If there is no such model, version, or run.
    Refused
        If nothing rightly holds the stage.
    """
    name, at, place = reference.partition("@")
    names.model(name)
    if at and not place:
        raise UsageError(f"{reference!r} says no version", f"Write `{name}@v1.0.0`, or `{name}@production`")
    if not place:
        return _newest(workspace, name)
    if _VERSION.fullmatch(place):
        return _version(workspace, name, place)
    from provenote.stores import index

    for row in index.rows(workspace, everything=True)[0]:
        if place in (row.name, row.id) and row.commit is not None:
            document = index.document(workspace, row.commit)
            if name not in (document.get("artifacts") or {}):
                raise UsageError(f"the run {row.name} kept no model {name!r}", f"`provenote show {row.name}`")
            return Recorded(name, f"{name}@{row.name}", row.commit, document)
    return of_stage(reading.read(workspace), name, place)


def of_stage(registry: reading.Registry, name: str, stage: str) -> Recorded:
    """Return the record of the version that rightly holds a stage.

    Raises
    ------
    Refused
        If none does.
    """
    subject = registry.state.current((registry.path, names.model(name), names.stage(stage))).subject
    return _at(registry.workspace, name, subject.reference, subject.commit, subject.path)


def holders(workspace: Workspace) -> list[Recorded]:
    """Return the records of all versions that hold a stage here, as their tags tell; once for each run.

    A tag is a projection of the ledger: enough to warn, not to trust (`of_stage`).
    """
    from provenote.compare.reference import stage_holders
    from provenote.registry import tags

    path = reading.overlay_path(workspace)
    listed = ((tag, found.commit) for tag, found in tags.existing(workspace.top).items())
    found: dict[tuple[str, str], Recorded] = {}
    for (name, stage), commit in sorted(stage_holders(listed, path).items()):
        if (name, commit) not in found:
            with contextlib.suppress(ProvenoteError):  # another clone's run
                found[name, commit] = _at(workspace, name, f"{name}@{stage}", commit, path)
    return list(found.values())


def _version(workspace: Workspace, name: str, text: str) -> Recorded:
    from provenote.registry import tags

    version = str(names.Version.parse(text))
    path = reading.overlay_path(workspace)
    there = tags.existing(workspace.top)
    found = there.get(tags.version_name(path, name, version))
    if found is None:
        known = sorted(tag.partition("@")[2] for tag in there if tag.startswith(f"{path}={name}@"))
        mend = f"Its versions: {', '.join(known[-8:])}" if known else "It has none yet: `provenote promote`"
        raise UsageError(f"there is no version {version} of {name} here", mend)
    return _at(workspace, name, f"{name}@{version}", found.commit, path)


def _at(workspace: Workspace, name: str, reference: str, commit: str, path: str) -> Recorded:
    document = {**model_bytes.document(workspace, commit, path), "overlay": path}
    return Recorded(name, reference, commit, document)


def _newest(workspace: Workspace, name: str) -> Recorded:
    from provenote.stores import index

    held: set[str] = set()
    for row in index.rows(workspace, everything=True)[0]:
        if row.commit is None or row.status != "finished":
            continue
        document = index.document(workspace, row.commit)
        models = {key for key, one in (document.get("artifacts") or {}).items() if one.get("type") == "model"}
        if name in models:
            return Recorded(name, f"{name}@{row.name}", row.commit, document)
        held |= models
    there = f"There are: {', '.join(sorted(held)[:8])}" if held else "Keep one: `run.log_model(model, name)`"
    raise UsageError(f"no finished run kept a model {name!r}", there)
