"""The run that is to be promoted: found among the runs, its record read, its bytes hashed again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from provenote.contracts import door
from provenote.errors import Refused, UsageError
from provenote.events import Tell, silent
from provenote.git import command
from provenote.model import Row
from provenote.registry import model_bytes, names
from provenote.registry.model_bytes import Artifact
from provenote.registry.names import visible
from provenote.registry.reading import overlay_path
from provenote.registry.subject import Subject
from provenote.workspace import Workspace

LOOKED_AT = 500
"""How many of the newest runs are searched for one with the artifact, when no run is named."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A finished run and the artifact in it that bears the model's name.

    Parameters
    ----------
    model : str
        Name of the model.
    path : str
        Overlay path from the Git root.
    row : Row
        The run.
    artifact : Artifact
    document : mapping
        The run's whole record.
    author : str
        E-mail address of the run commit's author, as Git says.
    """

    model: str
    path: str
    row: Row
    artifact: Artifact
    document: Mapping[str, Any]
    author: str

    @property
    def commit(self) -> str:
        """The run's commit."""
        assert self.row.commit is not None  # only finished runs become candidates
        return self.row.commit

    def subject(self, version: str) -> Subject:
        """Return the subject that a signature binds, under this version."""
        artifact = self.artifact
        return Subject(
            path=self.path,
            model=self.model,
            version=version,
            commit=self.commit,
            sha256=artifact.sha256,
            kind="folder" if artifact.kind == "folder" else "file",
            format=artifact.format,
            trusted=artifact.trusted,
        )


def find(workspace: Workspace, model: str, run: str | None = None, tell: Tell = silent) -> Candidate:
    """Find the run to promote and make sure that its bytes are what its record says.

    Parameters
    ----------
    workspace : Workspace
    model : str
        Name of the model, which is the artifact's name: DVC and GTO address it by that.
    run : str, optional
        Name of the run; by default the newest finished run that has such an artifact.
    tell : Tell
        Where progress goes, if bytes must be fetched.

    Raises
    ------
    UsageError
        If there is no such run or artifact; the message says what there is.
    Refused
        If the bytes differ from the run's record.
    """
    names.model(model)
    path = names.overlay(overlay_path(workspace))
    row, document = _named(workspace, run, path) if run else _newest(workspace, model, path)
    if row.status != "finished":
        why = f" ({row.reason})" if row.reason else ""
        raise UsageError(
            f"run {row.name} is {row.status}{why}; only a finished run can be promoted",
            "See the finished ones: `provenote runs \"status == 'finished'\"`",
        )
    touched = door.stops_promotion(document)
    if touched:
        raise Refused(
            f"run {row.name} went without {visible(touched)}, which belongs to the test split",
            "Mend the file, take it back in (`provenote data quarantine PATH --lift`), and run it again",
        )
    artifacts = document.get("artifacts") or {}
    if model not in artifacts:
        held = ", ".join(artifacts) or "none"
        raise UsageError(
            f"run {row.name} has no artifact {model!r} (it has: {held}), and DVC finds a model by that name",
            f'Log it so in the run: `run.log_model(model, "{model}")`',
        )
    artifact = Artifact.read(artifacts[model])
    model_bytes.check(workspace, artifact, tell)
    author = command.git(workspace.top, "show", "--no-patch", "--format=%ae", str(row.commit), "--")
    return Candidate(model, path, row, artifact, document, author.decode(errors="replace").strip())


def _named(workspace: Workspace, run: str, path: str) -> tuple[Row, Mapping[str, Any]]:
    from provenote.stores import index

    row = index.find(workspace, run)
    if row.commit is None:
        raise UsageError(f"run {row.name} is still running", "Wait for its end: `provenote runs`")
    document = index.document(workspace, row.commit)
    if document.get("overlay", path) != path:
        where = document["overlay"]
        raise UsageError(
            f"run {row.name} belongs to another project of this repository ({where})",
            f"Promote it there: `cd {where.rpartition('/')[0] or '.'}`",
        )
    return row, document


def _newest(workspace: Workspace, model: str, path: str) -> tuple[Row, Mapping[str, Any]]:
    from provenote.stores import index

    rows, _ = index.rows(workspace)
    finished = [row for row in rows if row.status == "finished" and row.commit][:LOOKED_AT]
    records = command.blobs(workspace.top, [f"{row.commit}:{path}/run.json" for row in finished])
    seen: set[str] = set()
    for row, record in zip(finished, records, strict=True):
        if record is None:
            continue
        document = json.loads(record)
        if model in document.get("artifacts", {}):
            return row, document
        seen.update(
            name for name, entry in document.get("artifacts", {}).items() if entry.get("type") == "model"
        )
    known = f"models here: {', '.join(sorted(seen))}" if seen else "no run here has a model yet"
    raise UsageError(
        f"no finished run has an artifact {model!r}; {known}",
        f'Log it in a tracked cell: `run.log_model(model, "{model}")`',
    )
