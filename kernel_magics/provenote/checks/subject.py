"""The model that is tested: found by a short reference, loaded by the rules of `provenote.registry.load`.

``bike-demand@production`` is who holds a stage, by the signed ledger; ``bike-demand@v1.2.0`` a version;
``bike-demand@train-87c2`` what a run kept; ``bike-demand`` what the newest finished run kept under that name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provenote.errors import Refused, UsageError

if TYPE_CHECKING:
    from provenote.model import Row
    from provenote.registry.model_bytes import Artifact
    from provenote.workspace import Workspace

_VERSION = re.compile(r"v?\d+\.\d+\.\d+")


@dataclass(frozen=True, slots=True)
class Examined:
    """A model and what is known of it.

    Parameters
    ----------
    model : object
        The model itself: something that predicts.
    name : str
        The artifact's name.
    reference : str
        What it is called in a verdict.
    run, commit : str
        The run that kept it: its name and its commit; empty for a model that no run kept.
    sha256 : str
        Of its bytes; empty as above.
    size : int
        Bytes.
    document : mapping
        The run's record.
    artifact : Artifact or None
    trusted : tuple of str
        Full names of the types that its file was allowed to hold.
    """

    model: Any
    name: str
    reference: str
    run: str = ""
    commit: str = ""
    sha256: str = ""
    size: int = 0
    document: Mapping[str, Any] = field(default_factory=dict)
    artifact: Artifact | None = None
    trusted: tuple[str, ...] = ()

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the run's record says of it."""
        found = (self.document.get("artifacts") or {}).get(self.name)
        return found if isinstance(found, Mapping) else {}

    def subject(self) -> dict[str, str]:
        """Return what a verdict says it was about."""
        about = {"model": self.name, "reference": self.reference, "run": self.run, "commit": self.commit}
        return {key: value for key, value in {**about, "sha256": self.sha256}.items() if value}


def find(workspace: Workspace, reference: str, trusted: Iterable[str] = ()) -> Examined:
    """Find and load a model.

    Parameters
    ----------
    workspace : Workspace
    reference : str
        See the head of this module.
    trusted : iterable of str
        Full names of types that the file may hold beyond those that only compute; for a stage its signed
        request says which, and these mean nothing.

    Raises
    ------
    UsageError
        If there is no such model.
    Refused
        If the ledger, the bytes or a type does not hold.
    """
    name, place = parted(reference)
    if not place:
        return of_run(workspace, name, _newest(workspace, name), trusted)
    if _VERSION.fullmatch(place):
        return _version(workspace, name, place, trusted)
    row = _row(workspace, place)
    if row is not None:
        return of_run(workspace, name, row, trusted)
    return of_stage(workspace, name, place)


def parted(reference: str) -> tuple[str, str]:
    """Return name and place of a reference; no place means the newest run.

    Raises
    ------
    UsageError
        If it is none.
    """
    from provenote.registry import names

    name, at, place = reference.partition("@")
    names.model(name)
    if at and not place:
        raise UsageError(f"{reference!r} says no version", f"Write `{name}@v1.0.0`, or `{name}@production`")
    return name, place


def check(workspace: Workspace, reference: str) -> None:
    """Make sure that there is such a model, without loading it.

    Raises
    ------
    UsageError
        If there is none.
    Refused
        If nothing holds the stage.
    """
    from provenote.registry import names, reading

    name, place = parted(reference)
    if not place:
        _newest(workspace, name)
    elif _VERSION.fullmatch(place):
        _tagged(workspace, name, place)
    elif _row(workspace, place) is None:
        registry = reading.read(workspace)
        registry.state.current((registry.path, name, names.stage(place)))


def of_stage(workspace: Workspace, name: str, stage: str) -> Examined:
    """Load the model that rightly holds a stage.

    Raises
    ------
    Refused
        If nothing does, or anything behind it does not hold.
    """
    from provenote.registry import load, model_bytes, names, reading

    registry = reading.read(workspace)
    release = registry.state.current((registry.path, names.model(name), names.stage(stage)))
    subject = release.subject
    artifact = model_bytes.approved(workspace, subject)
    document = model_bytes.document(workspace, subject.commit, subject.path)
    return Examined(
        predicts(load.opened(registry, release), subject.reference),
        name,
        subject.reference,
        next((row.name for row in _rows(workspace) if row.commit == subject.commit), subject.commit[:12]),
        subject.commit,
        artifact.sha256,
        artifact.size,
        document,
        artifact,
        tuple(subject.trusted),
    )


def of_run(
    workspace: Workspace, name: str, row: Row, trusted: Iterable[str] = (), reference: str = ""
) -> Examined:
    """Load the model that a run kept: nobody approved it, only its bytes are checked."""
    from provenote.registry import load, model_bytes
    from provenote.registry.known_types import NUMERIC
    from provenote.stores import index

    trusted = tuple(trusted)
    made = load.load(name, run=row.id, trusted=trusted, folder=workspace.dvc_root)
    document = index.document(workspace, str(row.commit))
    artifact = model_bytes.Artifact.read(document["artifacts"][name])
    known = reference or f"{name}@{row.name}"
    return Examined(
        predicts(made, known),
        name,
        known,
        row.name,
        str(row.commit),
        artifact.sha256,
        artifact.size,
        document,
        artifact,
        (*NUMERIC, *trusted),
    )


def only_model(workspace: Workspace, row: Row) -> str:
    """Return the name of the one model that a run kept.

    Raises
    ------
    UsageError
        If it kept none or several.
    """
    from provenote.stores import index

    if row.commit is None:
        raise UsageError(f"the run {row.name} goes on, and its models are kept when it ends")
    kept = index.document(workspace, row.commit).get("artifacts") or {}
    models: list[str] = sorted(key for key, entry in kept.items() if entry.get("type") == "model")
    if len(models) == 1:
        return models[0]
    if not models:
        raise UsageError(f"the run {row.name} kept no model", "Keep one: `run.log_model(model, name)`")
    raise UsageError(
        f"the run {row.name} kept {len(models)} models: {', '.join(models)}",
        f"Name one: `{models[0]}@{row.name}`",
    )


def predicts(model: Any, reference: str) -> Any:
    """Return the model if it can be asked.

    Raises
    ------
    UsageError
        If it is a file of another library, or has no ``predict``.
    """
    if not callable(getattr(model, "predict", None)):
        kind = type(model).__name__
        raise UsageError(
            f"{reference} is a {kind}, which has no predict",
            "Tests ask scikit-learn's regressors and classifiers; load others in a test notebook of your own",
        )
    return model


def kind_of(model: Any) -> Any:
    """Return ``regressor`` or ``classifier``.

    Raises
    ------
    UsageError
        If it is neither.
    """
    from sklearn.base import is_classifier, is_regressor

    try:
        if is_classifier(model):
            return "classifier"
        if is_regressor(model):
            return "regressor"
    except (AttributeError, TypeError):  # no estimator of scikit-learn's kind
        return "classifier" if hasattr(model, "classes_") else "regressor"
    raise UsageError(f"a {type(model).__name__} is neither a regressor nor a classifier")


def _rows(workspace: Workspace) -> list[Row]:
    from provenote.stores import index

    return index.rows(workspace, everything=True)[0]


def _row(workspace: Workspace, name: str) -> Row | None:
    return next((one for one in _rows(workspace) if name in (one.name, one.id)), None)


def _newest(workspace: Workspace, name: str) -> Row:
    from provenote.registry import candidate

    return candidate.find(workspace, name).row


def _version(workspace: Workspace, name: str, text: str, trusted: Iterable[str]) -> Examined:
    """Load a version: its tag leads to the run, and where the ledger knows it, its bytes must be those."""
    version, row = _tagged(workspace, name, text)
    tested = of_run(workspace, name, row, trusted, f"{name}@{version}")
    signed = _signed(workspace, name, version)
    if signed and signed != (tested.commit, tested.sha256):
        raise Refused(f"the tag of {name}@{version} leads to another model than the ledger signed")
    return tested


def _tagged(workspace: Workspace, name: str, text: str) -> tuple[str, Row]:
    """Return a version in full, and the run that its tag leads to."""
    from provenote.registry import reading, tags
    from provenote.registry.names import Version

    version = str(Version.parse(text))
    path = reading.overlay_path(workspace)
    there = tags.existing(workspace.top)
    found = there.get(tags.version_name(path, name, version))
    if found is None:
        known = sorted(tag.partition("@")[2] for tag in there if tag.startswith(f"{path}={name}@"))
        mend = f"Its versions: {', '.join(known[-8:])}" if known else "It has none yet: `provenote promote`"
        raise UsageError(f"there is no version {version} of {name} here", mend)
    row = next((one for one in _rows(workspace) if one.commit == found.commit), None)
    if row is None:
        raise UsageError(f"the run of {name}@{version} is not in this clone", "Fetch it: `provenote sync`")
    return version, row


def _signed(workspace: Workspace, name: str, version: str) -> tuple[str, str] | None:
    """Return commit and SHA-256 that the ledger signed for a version; None without a ledger."""
    from provenote.registry import reading

    try:
        registry = reading.read(workspace)
    except Refused:
        return None
    for one in registry.state.promotions:
        subject = one.subject
        same = (subject.path, subject.model, subject.version) == (registry.path, name, version)
        if same and registry.state.rightly_asked(one):
            return subject.commit, subject.sha256
    return None
