"""What a signature decides about: one version of a model, down to its bytes. Strict in what it reads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from provenote.registry import names
from provenote.stores.eventfile import BadEvent

_HEX = re.compile(r"[0-9a-f]{64}")
_OID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Subject:
    """What is decided about: a version of a model, down to its bytes.

    Parameters
    ----------
    path : str
        Overlay path from the Git root (``provenote``, ``sub/project/provenote``).
    model : str
        Name of the model and of the run's artifact.
    version : str
        ``v1.2.3``.
    commit : str
        The run's commit.
    sha256 : str
        Of the file's bytes, or of the folder's manifest.
    kind : {'file', 'folder'}
        Which of the two: a file must not pass for a folder's manifest.
    format : str
        Model format.
    trusted : tuple of str
        Types that a reader must trust, sorted.
    """

    path: str
    model: str
    version: str
    commit: str
    sha256: str
    kind: Literal["file", "folder"]
    format: str
    trusted: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """The model: its path and name."""
        return self.path, self.model

    @property
    def reference(self) -> str:
        """``NAME@v1.2.3``."""
        return f"{self.model}@{self.version}"

    def to_json(self) -> dict[str, Any]:
        """Return it as it stands in an event."""
        return {
            "path": self.path,
            "model": self.model,
            "version": self.version,
            "commit": self.commit,
            "sha256": self.sha256,
            "kind": self.kind,
            "format": self.format,
            "trusted": list(self.trusted),
        }

    @classmethod
    def from_json(cls, value: Any) -> Subject:
        """Read it from an event.

        Raises
        ------
        BadEvent
            If a field is missing, unknown, or has not its form.
        """
        fields = {"path", "model", "version", "commit", "sha256", "kind", "format", "trusted"}
        if not isinstance(value, dict) or set(value) != fields:
            raise BadEvent("the subject has not the fields of a subject")
        trusted = value["trusted"]
        texts = all(isinstance(value[name], str) for name in fields - {"trusted"})
        if not texts or not isinstance(trusted, list) or not all(isinstance(name, str) for name in trusted):
            raise BadEvent("a field of the subject has another type than it must")
        good = (
            names.PATH.fullmatch(value["path"])
            and names.MODEL.fullmatch(value["model"])
            and re.fullmatch(r"v(0|[1-9]\d{0,8})(\.(0|[1-9]\d{0,8})){2}", value["version"], re.ASCII)
            and _OID.fullmatch(value["commit"])
            and _HEX.fullmatch(value["sha256"])
            and value["kind"] in ("file", "folder")
            and 0 < len(value["format"]) <= names.LONGEST
            and trusted == sorted(set(trusted))
        )
        if not good:
            raise BadEvent("a field of the subject has not its form")
        return cls(**{**value, "trusted": tuple(trusted)})
