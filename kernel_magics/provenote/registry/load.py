"""The gate: a model leaves it only if the ledger, the policy and the very bytes agree.

Order: pinned root, history of the ledger, policies, signatures, the release that holds the stage, the run's
record, the SHA-256 of the bytes, the types that the signed request trusts and the policy allows. Only then is
anything parsed, and it is the bytes that were hashed.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from provenote.errors import Refused
from provenote.registry import model_bytes, names, reading
from provenote.registry.releases import Release
from provenote.workspace import find


class DemoWarning(UserWarning):
    """The model was approved by a demonstration's throw-away key."""


def load(
    name: str,
    stage: str = "production",
    root: str | None = None,
    *,
    folder: str | os.PathLike[str] | None = None,
) -> object:
    """Load the model that rightly holds a stage, after verifying all that stands behind it.

    Parameters
    ----------
    name : str
        Name of the model.
    stage : str
        The stage, ``production`` by default.
    root : str, optional
        The root to trust (``sha256:...``), instead of ``PROVENOTE_ROOT`` or the repository's setting.
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
    registry = reading.read(workspace, root)
    release = registry.state.current((registry.path, names.model(name), names.stage(stage)))
    if registry.log.policy.demo:
        told = f"{release.subject.reference} was approved with a demonstration's throw-away key"
        warnings.warn(told, DemoWarning, stacklevel=2)
    return opened(registry, release)


def opened(registry: reading.Registry, release: Release) -> object:
    """Return the model of a release that holds its stage, from the bytes that were approved."""
    from provenote.registry import formats

    subject = release.subject
    artifact = model_bytes.approved(registry.workspace, subject)
    if subject.kind == "folder":
        if subject.format != "file":
            raise Refused(
                f"{subject.reference} is a folder, which no reader of format {subject.format!r} takes"
            )
        return model_bytes.folder(registry.workspace, artifact)
    content = model_bytes.content(registry.workspace, artifact)
    if subject.format == "file":
        place = model_bytes.private_folder() / Path(artifact.file).name
        place.write_bytes(content)
        return place
    # Which types to trust is said by the signed request; the run's record and the file itself have no say.
    return formats.load_bytes(content, subject.format, subject.trusted)
