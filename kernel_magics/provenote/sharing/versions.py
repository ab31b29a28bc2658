"""Tags of models that travel: of versions that were asked for, of stages that they came to, and no others.

A version's tag is made where somebody means to ask; it leaves that clone with the request in the ledger.
Whether a tag is right is checked against the verified ledger by `provenote.registry`, not here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from provenote.git import command
from provenote.stores.ledger import Ledger

PREFIX = "refs/tags/"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a ledger asks for.

    Parameters
    ----------
    versions : mapping of str to set of str
        Name of a version's tag -> commits that requests name for it.
    stages : mapping of str to set of str
        Name of a stage's tag up to its number -> commits of runs.
    """

    versions: Mapping[str, set[str]] = field(default_factory=dict)
    stages: Mapping[str, set[str]] = field(default_factory=dict)

    def travels(self, ref: str, commit: str | None) -> bool:
        """Whether the tag ``ref`` on ``commit`` belongs to what was asked for."""
        name = ref.removeprefix(PREFIX)
        stage, _, number = name.rpartition("#")
        of_stage = self.stages.get(stage, ()) if number.isdigit() else ()
        return commit is not None and (commit in self.versions.get(name, ()) or commit in of_stage)


def asked(ledger: Ledger, commit: str) -> Asked:
    """Read what the requests and releases in a commit of the ledger ask for; other files don't count."""
    listed = ledger.paths(commit)
    versions: dict[str, set[str]] = {}
    stages: dict[str, set[str]] = {}
    names = [oid for path, oid in listed.items() if path.startswith("e/")]
    for content in command.blobs(ledger.folder, names):
        try:
            event: Any = json.loads((content or b"").partition(b"\n")[0])
            subject = event["subject"] if event["type"] in ("request", "release") else None
            if subject is None:
                continue
            model = f"{subject['path']}={subject['model']}"
            versions.setdefault(f"{model}@{subject['version']}", set()).add(subject["commit"])
            stages.setdefault(f"{model}#{event['stage']}", set()).add(subject["commit"])
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    return Asked(versions, stages)


def to_send(wanted: Asked, here: Mapping[str, str], there: Mapping[str, str]) -> dict[str, str]:
    """Return the tags here that the remote lacks: object by ref. Pure."""
    return {
        ref: oid
        for ref, oid in here.items()
        if ref.startswith(PREFIX) and not ref.endswith("^{}") and ref not in there
        if wanted.travels(ref, here.get(f"{ref}^{{}}"))
    }


def to_receive(wanted: Asked, here: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    """Return the tags on the remote that this clone lacks. Pure."""
    return sorted(to_send(wanted, there, here))


def differing(wanted: Asked, here: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    """Return the tags of one name that are not the same on both sides. Pure."""
    return sorted(
        ref.removeprefix(PREFIX)
        for ref, oid in here.items()
        if ref.startswith(PREFIX) and not ref.endswith("^{}") and there.get(ref, oid) != oid
        if ref.removeprefix(PREFIX) in wanted.versions
        or ref.removeprefix(PREFIX).rpartition("#")[0] in wanted.stages
    )
