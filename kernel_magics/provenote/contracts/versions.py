"""The contract as it was with a version of data."""

from __future__ import annotations

from provenote.contracts import contract_file, difference
from provenote.contracts.contract import Contract
from provenote.contracts.difference import Change
from provenote.data.differing import Difference, Side
from provenote.git.command import blobs
from provenote.workspace import Workspace, find


def between(found: Difference) -> list[Change]:
    """Return how the contracts of two versions differ.

    Parameters
    ----------
    found : Difference
        What `provenote.data.diff` found.

    Raises
    ------
    BadContract
        If one of them is none.
    """
    workspace = find()
    return difference.compare(_of(workspace, found.old), _of(workspace, found.new))


def _of(workspace: Workspace, side: Side) -> Contract | None:
    """Return the contract that stood beside a version; the work tree's, where no commit names it."""
    file = contract_file.file_of(workspace.dvc_root / side.path)
    if side.commit is None:
        return contract_file.read(file)
    inside = f"{workspace.prefix}/{side.path}{contract_file.ENDING}".lstrip("/")
    content = next(iter(blobs(workspace.top, [f"{side.commit}:{inside}"])), None)
    return contract_file.parse(content, file.name) if content is not None else None
