"""Whom the end of an agreement concerns: runs that read the data, their models, stages and consumers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from provenote.data import history
from provenote.errors import ProvenoteError
from provenote.git import objects
from provenote.stores import index, pointers
from provenote.stores.agreements import Agreement

if TYPE_CHECKING:
    from provenote.model import Row
    from provenote.registry.reading import Registry
    from provenote.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Affected:
    """What was made with data.

    Parameters
    ----------
    versions : tuple of str
        MD5s of the data that the agreement is about.
    runs : tuple of Row
        Runs that read one of them, or had it tracked.
    models : tuple of (model, version, run)
        Versions of models that these runs made.
    stages : tuple of (model, stage, version)
        Stages that such a version holds.
    consumers : dict of str to tuple of str
        Who uses such a model, as the policy says: name -> models.
    unknown : str
        Why stages and consumers are not known; empty when they are.
    """

    versions: tuple[str, ...]
    runs: tuple[Row, ...]
    models: tuple[tuple[str, str, str], ...]
    stages: tuple[tuple[str, str, str], ...]
    consumers: Mapping[str, tuple[str, ...]]
    unknown: str = ""


def affected(workspace: Workspace, path: str, agreement: Agreement) -> Affected:
    """Find out whom an agreement concerns.

    Parameters
    ----------
    workspace : Workspace
    path : str
        Of the data, from the DVC root.
    agreement : Agreement
    """
    runs, seen = [], dict.fromkeys(agreement.versions)
    if not agreement.versions:
        seen |= dict.fromkeys(versions(workspace, path))
    for row in index.rows(workspace, everything=True)[0]:
        if row.commit is None:
            continue
        found = [md5 for md5 in _had(workspace, row, path) if agreement.covers(md5)]
        if found:
            runs.append(row)
            seen |= dict.fromkeys(found)
    commits = {str(row.commit): row.name for row in runs}
    made = tuple(_models(workspace, commits))
    stages, consumers, unknown = _users(workspace, {(model, version) for model, version, _ in made})
    return Affected(tuple(seen), tuple(runs), made, stages, consumers, unknown)


def versions(workspace: Workspace, path: str) -> list[str]:
    """Return the MD5s that a path had, in the history of HEAD and now."""
    found = []
    with suppress(ProvenoteError):
        found += [change.version.stored.md5 for change in history.changes(workspace, path)]
    present = history.present(workspace, path)
    if present is not None:
        found.append(present.stored.md5)
    return list(dict.fromkeys(found))


def _had(workspace: Workspace, row: Row, path: str) -> list[str]:
    """Return the versions of a path that a run read; of one that told no read, what its files tracked."""
    document = index.document(workspace, str(row.commit))
    reads = [read for read in document.get("reads") or () if isinstance(read, Mapping)]
    found = [str(read.get("md5")) for read in reads if _same(str(read.get("path", "")), path)]
    if reads:
        return found
    prefix = f"{workspace.prefix}/" if workspace.prefix else ""
    try:
        tree = objects.tree_of(workspace.common_dir, str(row.commit))
        content = objects.blob(workspace.common_dir, tree, f"{prefix}{path}.dvc")
        stored = pointers.read((content or b"").decode("utf-8")).stored if content else None
    except (KeyError, UnicodeDecodeError, ProvenoteError):
        return []
    return [stored.md5] if stored else []


def _same(read: str, path: str) -> bool:
    plain = os.path.normpath(read)
    return plain == path or plain.startswith(f"{path}/")


def _models(workspace: Workspace, commits: Mapping[str, str]) -> list[tuple[str, str, str]]:
    from provenote.registry import reading, tags

    path = reading.overlay_path(workspace)
    found = []
    for name, tag in tags.existing(workspace.top).items():
        whole, at, version = name.partition("@")
        if at and tag.commit in commits and whole.startswith(f"{path}="):
            found.append((whole.removeprefix(f"{path}="), version, commits[tag.commit]))
    return sorted(found)


def _users(
    workspace: Workspace, made: set[tuple[str, str]]
) -> tuple[tuple[tuple[str, str, str], ...], dict[str, tuple[str, ...]], str]:
    from provenote.registry import listing, reading

    if not reading.there(workspace):
        return (), {}, ""
    try:
        registry = reading.read(workspace)
        stages = tuple(
            (one.model, one.stage, one.version)
            for one in listing.models(registry)
            if (one.model, one.version) in made
        )
    except ProvenoteError as error:
        return (), {}, error.what
    return stages, _consumers(registry, {model for model, _ in made}), ""


def _consumers(registry: Registry, models: set[str]) -> dict[str, tuple[str, ...]]:
    """Return who uses one of the models; who names no model may use any."""
    found = {}
    for name, said in registry.log.policy.consumers.items():
        wanted: Any = said.get("models") if isinstance(said, Mapping) else said
        patterns = [wanted] if isinstance(wanted, str) else wanted if isinstance(wanted, list) else ["*"]
        own = sorted(model for model in models if any(fnmatchcase(model, str(p)) for p in patterns))
        if own:
            found[str(name)] = tuple(own)
    return found
