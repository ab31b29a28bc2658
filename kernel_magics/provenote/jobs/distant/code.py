"""The code that jobs elsewhere run: the work tree as it is, named by a ref on the Git remote."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from provenote import config
from provenote.errors import WorldError
from provenote.git import objects, snapshot
from provenote.jobs.distant import claims
from provenote.jobs.spec import JobSpec
from provenote.sharing.transport import Remote
from provenote.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Code:
    """A snapshot on the remote.

    Parameters
    ----------
    ref : str
        The ref that names it there, as long as jobs need it.
    commit : str
        Its tree is the snapshot, its parent the baseline.
    baseline : str
        The commit that HEAD was at.
    """

    ref: str
    commit: str
    baseline: str


def send(workspace: Workspace, remote: Remote, spec: JobSpec) -> Code:
    """Push the work tree as it is, with the notebook as it was when the job was made.

    Raises
    ------
    WorldError
        If it cannot be kept, or the remote cannot be reached or refuses.
    """
    with snapshot.look(workspace.top) as status:
        taken = snapshot.take(workspace.top, workspace.common_dir, config.load(workspace.dvc_root), status)
    common = workspace.common_dir
    base = taken.tree or objects.tree_of(common, taken.baseline)
    path = f"{workspace.prefix}/{spec.notebook}".lstrip("/")
    try:
        tree = objects.build(common, base, {path: (spec.blob, objects.FILE)})
        commit = objects.commit(common, tree, [taken.baseline], "provenote: the code of a job\n")
    except OSError as error:
        raise WorldError(
            f"the snapshot cannot be kept: {error.strerror or error}", "Free some space, then try again"
        ) from error
    ref = f"{claims.CODE}/{secrets.token_hex(8)}"
    if not claims.push(remote, [claims.Move(ref, None, commit)]):
        raise WorldError(f"the remote {remote.name} did not take the code of the job", "Try again")
    return Code(ref, commit, taken.baseline)
