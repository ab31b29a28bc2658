"""The bytes behind runs and data, which DVC's remotes carry: ``sync --data``. No file of the user changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from provenote.errors import UsageError, WorldError
from provenote.events import Tell
from provenote.git import trees
from provenote.sharing.account import Account
from provenote.stores import dvc_config, remotes, runs
from provenote.workspace import Workspace


def check(workspace: Workspace) -> None:
    """Refuse, before anything is exchanged, where no remote for bytes is set up.

    Raises
    ------
    UsageError
        With the command that adds one.
    """
    dvc_config.remote(workspace)


def carry(workspace: Workspace, account: Account, tell: Tell) -> None:
    """Push what is in the cache, pull what is not: artifacts of runs, what they read, and tracked data.

    A remote that does not answer is told in the account: the runs themselves were exchanged before.
    """
    for remote, md5s in _wanted(workspace).items():
        try:
            sent = remotes.push(workspace, md5s, remote=remote, tell=tell)
            account.files_sent += sent.files
            if sent.lacking:
                got = remotes.pull(workspace, sent.lacking, remote=remote, tell=tell)
                account.files_received += got.files
                account.lacking += len(got.lacking)
        except (UsageError, WorldError) as error:
            account.problems.append(error.line)


def _wanted(workspace: Workspace) -> dict[str | None, set[str]]:
    """Return the objects that travel, by the remote that a pointer names (None: the default one)."""
    from provenote.data import tracked

    wanted: dict[str | None, set[str]] = defaultdict(set)
    private: set[str] = set()
    wanted[None] = set(_of_runs(workspace))
    for one in tracked.everything(workspace):
        if one.pointer is not None and one.stored is not None:
            (wanted[one.pointer.remote] if one.pointer.pushed else private).add(one.stored.md5)
    return {remote: md5s - private for remote, md5s in wanted.items()}  # `push: false` stays here


def _of_runs(workspace: Workspace) -> Iterator[str]:
    from provenote.sharing import refs

    repo = trees.repository(workspace.common_dir)
    here = refs.read(workspace.top)
    for commit in sorted({*here.runs.values(), *here.kept(())}):
        document = runs.read(repo, commit) or {}
        for thing in [*document.get("artifacts", {}).values(), *document.get("reads", [])]:
            if isinstance(thing, dict) and isinstance(thing.get("md5"), str):
                yield thing["md5"]
