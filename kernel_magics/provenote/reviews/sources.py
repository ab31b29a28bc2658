"""Which notebook is reviewed: a file in a commit, or what a run captured of executed cells; and its base."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.errors import ProvenoteError, UsageError
from provenote.git import command
from provenote.registry.names import visible
from provenote.reviews import anchors, event
from provenote.reviews.threads import Version
from provenote.stores.eventfile import BadEvent

if TYPE_CHECKING:
    from provenote.registry.reading import Registry
    from provenote.workspace import Workspace

EXECUTED = "executed.ipynb"


@dataclass(frozen=True, slots=True)
class Source:
    """A version to put under review.

    Parameters
    ----------
    version : Version
    path : str
        The notebook's file in the work tree, from the Git root: where suggestions are applied.
    content : bytes
        The notebook.
    """

    version: Version
    path: str
    content: bytes


def of(workspace: Workspace, notebook: str | None, branch: str | None, run: str | None) -> Source:
    """Return the version that a person names.

    Parameters
    ----------
    workspace : Workspace
    notebook : str or None
        Path of the notebook; not needed with a run.
    branch : str or None
        A branch, tag or commit; default: HEAD.
    run : str or None
        A run: then it is the notebook that the run captured.

    Raises
    ------
    UsageError
        If there is no such notebook, or both a branch and a run are given.
    """
    if run is not None:
        if branch is not None:
            raise UsageError("a run has its own commit, so --branch says nothing", "Leave --branch out")
        return _of_run(workspace, run, notebook)
    if notebook is None:
        raise UsageError(
            "which notebook?", "Name it: `provenote review start NOTEBOOK`, or a run with `--run RUN`"
        )
    revision = branch or "HEAD"
    commit = command.resolve(workspace.top, revision)
    if commit is None:
        commit = next(
            (
                found
                for remote in command.run(workspace.top, "remote").stdout.decode(errors="replace").split()
                if (found := command.resolve(workspace.top, f"refs/remotes/{remote}/{revision}"))
            ),
            None,
        )
    if commit is None:
        raise UsageError(f"{visible(revision)!r} names no commit here", "Fetch it: `git fetch`")
    path = _from_top(workspace, notebook)
    label = branch or commit[:8]
    return _at(workspace, commit, path, label, f"commit it first: `git add {path}` and `git commit`")


def content(workspace: Workspace, version: Version) -> bytes | None:
    """Return the bytes of a version, None when this clone has not its commit.

    Raises
    ------
    Refused
        If what the commit holds is not what was put under review.
    """
    found = next(iter(command.blobs(workspace.top, [version.blob])), None)
    if found is not None and hashlib.sha256(found).hexdigest() != version.sha256:
        raise BadEvent(f"the notebook {version.blob[:12]} is not the one that was put under review")
    return found


def checked_out(workspace: Workspace, version: Version) -> bool:
    """Whether the commit of a version holds exactly this notebook under its path."""
    answer = command.run(
        workspace.top, "rev-parse", "--quiet", "--verify", "--end-of-options",
        f"{version.commit}:{version.path}",
    )  # fmt: skip
    return answer.returncode == 0 and answer.stdout.decode().strip() == version.blob


def only_here(workspace: Workspace, version: Version) -> bool:
    """Whether there are remotes, and none of them had the commit of a version when it was fetched from."""
    if not command.run(workspace.top, "remote").stdout.strip():
        return False
    asked = ("for-each-ref", "--count=1", "--format=%(refname)", f"--contains={version.commit}")
    return not command.run(workspace.top, *asked, "refs/remotes/").stdout.strip()


def base_of(
    workspace: Workspace, head: Source, given: str | None, registry: Registry | None
) -> Version | None:
    """Return what a version is compared with: what is asked for, else what it most likely grew from.

    Parameters
    ----------
    workspace : Workspace
    head : Source
    given : str or None
        A run, or a revision that has the notebook; ``none`` for nothing.
    registry : Registry or None
        For a run: the run that holds production, or another stage, of its model.
    """
    if given == "none":
        return None
    if given is not None:
        commit = command.resolve(workspace.top, given)
        if commit is not None and (found := _file(workspace, commit, head.path, given)):
            return found.version
        try:
            return _of_run(workspace, given, None).version
        except ProvenoteError:
            raise UsageError(
                f"{visible(given)!r} is neither a run nor a revision that has {visible(head.path)}",
                "Name another with --base, or none: `--base none`",
            ) from None
    if head.version.run is not None:
        return _holder(workspace, head, registry) or _baseline(workspace, head)
    return _before(workspace, head)


def _of_run(workspace: Workspace, name: str, notebook: str | None) -> Source:
    from provenote.stores import index

    row = index.find(workspace, name)
    if row.commit is None:
        raise UsageError(f"run {row.name} is still running", "Review it when it has ended")
    document = index.document(workspace, row.commit)
    overlay = str(document["overlay"])
    found = _file(workspace, row.commit, f"{overlay}/{EXECUTED}", row.name)
    if found is None:
        raise UsageError(
            f"run {row.name} captured no notebook: it ran outside one",
            "Review its code instead: `provenote review start NOTEBOOK --branch BRANCH`",
        )
    path = _from_top(workspace, notebook) if notebook else _told(overlay, document) or found.path
    return Source(replace(found.version, run=row.id), path, found.content)


def _told(overlay: str, document: dict[str, Any]) -> str | None:
    """Return the path of the notebook that a run says it came from, from the Git root."""
    prefix = overlay.rpartition("/")[0]
    name = document.get("notebook")
    if not isinstance(name, str) or not name:
        return None
    try:
        return event.check_path(f"{prefix}/{name}" if prefix else name)
    except BadEvent:
        return None


def _at(workspace: Workspace, commit: str, path: str, label: str, mend: str) -> Source:
    found = _file(workspace, commit, path, label)
    if found is None:
        raise UsageError(
            f"{visible(label)} holds no notebook file {visible(path)}", mend[0].upper() + mend[1:]
        )
    return found


def _file(workspace: Workspace, commit: str, path: str, label: str) -> Source | None:
    """Return a notebook of a commit, None where it has no such plain file."""
    out = command.git(workspace.top, "ls-tree", "-z", "--full-tree", commit, "--", f":(literal,top){path}")
    entry = next((line for line in out.split(b"\0") if line), b"")
    meta, _, _ = entry.partition(b"\t")
    if not meta.startswith(b"100"):
        return None
    blob = meta.split()[2].decode()
    found = next(iter(command.blobs(workspace.top, [blob])))
    if found is None:
        return None
    try:
        anchors.read(found)
    except ValueError as error:
        raise UsageError(f"{visible(path)} in {visible(label)} is no notebook: {error}") from None
    sha256 = hashlib.sha256(found).hexdigest()
    return Source(Version(path, commit, blob, sha256, None, visible(label)[: event.TITLE]), path, found)


def _from_top(workspace: Workspace, notebook: str) -> str:
    """Return the path from the Git root of a file that a person names from where they stand."""
    absolute = Path(os.path.abspath(notebook))
    for top in (workspace.top, Path(os.path.realpath(workspace.top))):
        if top in absolute.parents:
            try:
                return event.check_path(absolute.relative_to(top).as_posix())
            except BadEvent as error:
                raise UsageError(error.what, "Name a notebook file, as train.ipynb") from None
    raise UsageError(f"{visible(notebook)} is outside this repository", "Name a notebook in it")


def _before(workspace: Workspace, head: Source) -> Version | None:
    """Return the notebook where its branch left the main one; there, as it was before its last change."""
    commit = head.version.commit
    for main in ("refs/remotes/origin/HEAD", "refs/heads/main", "refs/heads/master"):
        if tip := command.resolve(workspace.top, main):
            answer = command.run(workspace.top, "merge-base", commit, tip)
            fork = answer.stdout.decode().strip()
            if answer.returncode == 0 and fork != commit:
                return _version(workspace, fork, head, fork[:8])
            break
    walked = command.run(
        workspace.top, "log", "-2", "--format=%H", commit, "--", f":(literal,top){head.path}"
    ).stdout.decode().split()  # fmt: skip
    return _version(workspace, walked[1], head, walked[1][:8]) if len(walked) > 1 else None


def _version(workspace: Workspace, commit: str, head: Source, label: str) -> Version | None:
    found = _file(workspace, commit, head.path, label)
    return found.version if found else None


def _holder(workspace: Workspace, head: Source, registry: Registry | None) -> Version | None:
    """Return the captured notebook of the run that holds a stage of the same model."""
    if registry is None:
        return None
    from provenote.stores import index

    kept = index.document(workspace, head.version.commit).get("artifacts") or {}
    releases = registry.state.releases
    for stage in ("production", *registry.log.policy.stages(registry.path, next(iter(kept), ""))):
        for model in kept:
            holder = releases.holder((registry.path, model, stage))
            if holder is None or holder.subject.commit == head.version.commit:
                continue
            label = f"{model} {holder.subject.version} in {stage}"
            path = f"{holder.subject.path}/{EXECUTED}"
            try:
                found = _file(workspace, holder.subject.commit, path, label)
            except ProvenoteError:  # that run is not in this clone
                continue
            if found:
                return found.version
    return None


def _baseline(workspace: Workspace, head: Source) -> Version | None:
    """Return the notebook file at the commit that the run stood on."""
    parent = command.resolve(workspace.top, f"{head.version.commit}^")
    return (
        _version(workspace, parent, head, parent[:8]) if parent and head.path != head.version.path else None
    )
