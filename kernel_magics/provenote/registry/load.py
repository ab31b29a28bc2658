"""The gate: a model leaves it only if the ledger, the policy and the very bytes agree.

Order: pinned root, history of the ledger, policies, signatures, the release that holds the stage, the run's
record, the SHA-256 of the bytes, the types that the signed request trusts and the policy allows. Only then is
anything parsed, and it is the bytes that were hashed. Another environment than the training had is warned of.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from provenote.errors import ProvenoteError, Refused, UsageError
from provenote.registry import model_bytes, names, reading, reviewed
from provenote.registry.releases import Release
from provenote.workspace import Workspace, find


class DemoWarning(UserWarning):
    """The model was approved by a demonstration's throw-away key."""


def load(
    name: str,
    stage: str = "production",
    root: str | None = None,
    *,
    run: str | None = None,
    trusted: Iterable[str] = (),
    folder: str | os.PathLike[str] | None = None,
) -> object:
    """Load the model that rightly holds a stage, after verifying all that stands behind it.

    With ``run``, load the model that this run kept, to look at it or to test it: nobody approved that one.

    Parameters
    ----------
    name : str
        Name of the model.
    stage : str
        The stage, ``production`` by default.
    root : str, optional
        The root to trust (``sha256:...``), instead of ``PROVENOTE_ROOT`` or the repository's setting.
    run : str, optional
        Name or id of a run; ``stage`` and ``root`` mean nothing then. Only the bytes are checked, against the
        run's record.
    trusted : iterable of str
        With ``run``: full names of types that its file may hold beyond those of numpy, scipy and scikit-learn
        that only compute.
    folder : path, optional
        A folder of the project; the current one by default.

    Returns
    -------
    object
        The model; for a model of format ``file`` the `pathlib.Path` of a private copy, which lives as long as
        this process.

    Raises
    ------
    Refused
        If anything does not hold. Nothing of the model was parsed then.
    """
    workspace = find(folder)
    if run is not None:
        return _kept(workspace, name, run, trusted)
    registry = reading.read(workspace, root)
    release = registry.state.current((registry.path, names.model(name), names.stage(stage)))
    if registry.log.policy.demo:
        told = f"{release.subject.reference} was approved with a demonstration's throw-away key"
        warnings.warn(told, DemoWarning, stacklevel=2)
    made = opened(registry, release)
    subject = release.subject
    document = {**model_bytes.document(workspace, subject.commit, subject.path), "overlay": subject.path}
    _compare_environment(workspace, subject.reference, subject.commit, document, 3)
    return made


def _kept(workspace: Workspace, name: str, run: str, trusted: Iterable[str]) -> object:
    """Return the model that a run kept."""
    from provenote.registry.known_types import NUMERIC
    from provenote.stores import index

    row = index.find(workspace, run)
    if row.commit is None:
        raise UsageError(
            f"the run {row.name} goes on, and its models are kept when it ends", "Wait for its end"
        )
    kept = index.document(workspace, row.commit)["artifacts"]
    models = sorted(key for key, entry in kept.items() if entry.get("type") == "model")
    if name not in models:
        there = f"Its models: {', '.join(models)}" if models else "Keep one: `run.log_model(model, name)`"
        raise UsageError(f"the run {row.name} kept no model {name!r}", there)
    artifact = model_bytes.Artifact.read(kept[name])
    made = _made(workspace, artifact, (*NUMERIC, *trusted), f"{name} of {row.name}")
    document = index.document(workspace, row.commit)
    _compare_environment(workspace, f"{name}@{row.name}", row.commit, document, 4)
    return made


def _compare_environment(
    workspace: Workspace, reference: str, commit: str, document: Mapping[str, Any], level: int
) -> None:
    """Warn where this process has other packages than the training had; that is no reason to refuse."""
    from provenote.environments import watch

    with contextlib.suppress(ProvenoteError, OSError, ValueError):  # what is not known is told by `env check`
        told = watch.at_load(workspace, reference, commit, document)
        if told:
            warnings.warn(told, watch.EnvironmentWarning, stacklevel=level)


def opened(registry: reading.Registry, release: Release) -> object:
    """Return the model of a release that holds its stage, from the bytes that were approved."""
    subject = release.subject
    artifact = model_bytes.approved(registry.workspace, subject)
    if (opinion := release.verdict.reviews) is not None and opinion.approved:
        reviewed.check_notebook(registry.workspace.top, subject, opinion)
    # Which types to trust is said by the signed request; the run's record and the file itself have no say.
    signed = replace(artifact, format=subject.format)
    return _made(registry.workspace, signed, subject.trusted, subject.reference)


def _made(workspace: Workspace, artifact: model_bytes.Artifact, trusted: Iterable[str], name: str) -> object:
    """Return the model that these bytes hold, trusting exactly these types."""
    from provenote.registry import formats

    if artifact.kind == "folder":
        if artifact.format != "file":
            raise Refused(f"{name} is a folder, which no reader of format {artifact.format!r} takes")
        return model_bytes.folder(workspace, artifact)
    content = model_bytes.content(workspace, artifact)
    if artifact.format == "file":
        place = model_bytes.private_folder() / Path(artifact.file).name
        place.write_bytes(content)
        return place
    return formats.load_bytes(content, artifact.format, trusted)
