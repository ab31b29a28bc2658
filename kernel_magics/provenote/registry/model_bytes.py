"""The bytes of a model version: found through its run's commit, read once, hashed, and handed on as hashed.

Nothing reads a path a second time: a file becomes bytes in memory, a folder is written, file by file from
bytes already hashed, to a folder that only this user can read.
"""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provenote.errors import Refused, UsageError, WorldError
from provenote.events import Tell, silent
from provenote.git import command
from provenote.registry.subject import Subject
from provenote.stores import digest
from provenote.workspace import Workspace


class BadBytes(Refused):
    """The bytes are not those that were approved."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a run's record says about one of its artifacts.

    Parameters
    ----------
    file : str
        File name in the run's folder.
    md5 : str
        Where DVC keeps it; ends with ``.dir`` for a folder. An address, not a proof.
    sha256 : str
    format : str
    trusted : tuple of str
    size : int
        Bytes.
    """

    file: str
    md5: str
    sha256: str
    format: str
    trusted: tuple[str, ...]
    size: int

    @property
    def kind(self) -> str:
        """``file`` or ``folder``."""
        return "folder" if self.md5.endswith(".dir") else "file"

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> Artifact:
        """Read an entry of ``artifacts`` in ``run.json``.

        Raises
        ------
        Refused
            If it has no digest, or has not the form of an artifact.
        """
        try:
            return cls(
                file=digest.check_name(str(entry["file"])),
                md5=_md5(entry["md5"]),
                sha256=str(entry["sha256"]),
                format=str(entry.get("format") or "file"),
                trusted=tuple(sorted({str(name) for name in entry.get("trusted") or ()})),
                size=int(entry["size"]),
            )
        except (KeyError, TypeError, ValueError, UsageError) as error:
            raise Refused(f"the run's record of the artifact is not complete: {error}") from error


def document(workspace: Workspace, commit: str, path: str) -> dict[str, Any]:
    """Return the ``run.json`` of a run's commit, read with Git alone.

    Raises
    ------
    WorldError
        If this clone lacks the commit.
    Refused
        If the commit holds no run at that path.
    """
    found, record = list(command.blobs(workspace.top, [f"{commit}^{{commit}}", f"{commit}:{path}/run.json"]))
    if found is None:
        mend = "Fetch its tags: `git fetch --tags`"
        raise WorldError(f"the run's commit {commit[:12]} is not in this clone", mend)
    try:
        read = json.loads(record or b"")
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise Refused(f"commit {commit[:12]} holds no run in {path}")
    return read


def approved(workspace: Workspace, subject: Subject) -> Artifact:
    """Return the artifact that a signed subject means, after comparing the run's record with the subject.

    Raises
    ------
    BadBytes
        If the record names other bytes than were signed.
    """
    artifacts = document(workspace, subject.commit, subject.path).get("artifacts")
    entry = artifacts.get(subject.model) if isinstance(artifacts, dict) else None
    if not isinstance(entry, dict):
        raise BadBytes(f"the run {subject.commit[:12]} has no artifact {subject.model!r}")
    found = Artifact.read(entry)
    if found.sha256 != subject.sha256 or found.kind != subject.kind:
        raise BadBytes(
            f"the run {subject.commit[:12]} names other bytes for {subject.model} than were approved"
        )
    return found


def content(workspace: Workspace, artifact: Artifact, tell: Tell = silent) -> bytes:
    """Return the bytes of a model file, after comparing them with the SHA-256.

    Raises
    ------
    BadBytes
        If they differ.
    WorldError
        If they are neither in the cache nor on a remote.
    """
    read = _object(workspace, artifact.md5, tell)
    found = digest.sha256_bytes(read)
    if found != artifact.sha256:
        raise _differs(artifact, found)
    return read


def folder(workspace: Workspace, artifact: Artifact, tell: Tell = silent) -> Path:
    """Return a private copy of a model folder, after comparing it with the SHA-256 of its manifest.

    The copy lives as long as this process.

    Raises
    ------
    BadBytes
        If it differs.
    """
    target = private_folder()
    try:
        _folder(workspace, artifact, tell, target)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    return target


def check(workspace: Workspace, artifact: Artifact, tell: Tell = silent) -> None:
    """Compare a model's bytes with their SHA-256, without keeping them.

    Raises
    ------
    BadBytes
        If they differ.
    """
    if artifact.kind == "file":
        content(workspace, artifact, tell)
    else:
        _folder(workspace, artifact, tell, None)


def _folder(workspace: Workspace, artifact: Artifact, tell: Tell, target: Path | None) -> None:
    """Hash the files of a folder one by one, and write those very bytes below ``target``."""
    from provenote.stores import cache, remotes

    remotes.require(workspace, artifact.md5, tell)
    listed = []
    for entry in cache.entries(workspace.cache_dir, artifact.md5):
        digest.check_name(entry.path)
        read = _object(workspace, _md5(entry.md5), tell)
        listed.append(digest.Resource(entry.path, len(read), digest.sha256_bytes(read)))
        if target is not None:
            _lay(target / entry.path, read)
    found = digest.sha256_bytes(digest.manifest_of(listed))
    if found != artifact.sha256:
        raise _differs(artifact, found)


def _lay(place: Path, content: bytes) -> None:
    """Write a file of a folder; a list that names one place twice was tampered with."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with open(place, "xb") as stream:
            stream.write(content)
    except (FileExistsError, NotADirectoryError) as error:
        raise BadBytes(f"the model's list of files names {place.name} twice") from error
    except OSError as error:
        raise WorldError(f"{place} cannot be written: {error.strerror}") from error


def private_folder() -> Path:
    """Make a folder that only this user can read, removed when this process ends."""
    made = Path(tempfile.mkdtemp(prefix="provenote-model-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def _object(workspace: Workspace, md5: str, tell: Tell) -> bytes:
    from provenote.stores import cache, remotes

    found = cache.locate(workspace.cache_dir, md5)
    if found is None:
        remotes.require(workspace, md5, tell)
        found = cache.object_path(workspace.cache_dir, md5)
    try:
        return found.read_bytes()
    except OSError as error:
        raise WorldError(f"{found} cannot be read: {error.strerror}") from error


def _differs(artifact: Artifact, found: str) -> BadBytes:
    return BadBytes(
        f"{artifact.file} differs from what was approved: SHA-256 {artifact.sha256}, found {found}"
    )


def _md5(value: Any) -> str:
    text = str(value)
    plain = text.removesuffix(".dir")
    if len(plain) != 32 or not set(plain) <= set("0123456789abcdef"):
        raise ValueError(f"{ascii(text[:60])} is no MD5")
    return text
