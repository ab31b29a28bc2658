"""Read the registry of a repository: from Git's branch to a `State`, under the pinned root."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property

from provenote.registry import chain, event, root
from provenote.registry.fold import Log, fold
from provenote.registry.state import State
from provenote.stores.digest import sha256_bytes
from provenote.stores.ledger import REVIEWS, Ledger
from provenote.workspace import Workspace


@dataclass(frozen=True)
class Registry:
    """The registry as it was read.

    Parameters
    ----------
    workspace : Workspace
    ledger : Ledger
    commit : str
        Commit of the ledger that was read.
    root : str
        The root under which it was read.
    state : State
    files : mapping of str to bytes
        The files of the ledger.
    """

    workspace: Workspace
    ledger: Ledger
    commit: str
    root: str
    state: State
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @cached_property
    def proposals(self) -> list[chain.Proposal]:
        """The next policies that wait for more owners' signatures."""
        return chain.proposals(self.files, self.log.policy)

    @property
    def log(self) -> Log:
        """The events that count."""
        return self.state.log

    @property
    def path(self) -> str:
        """The path that stands before a model's name in this project's tags."""
        return overlay_path(self.workspace)


def read(workspace: Workspace, given: str | None = None, *, now: float | None = None) -> Registry:
    """Read and verify the whole ledger.

    Parameters
    ----------
    workspace : Workspace
    given : str, optional
        The root to trust, instead of the pinned one.
    now : float, optional
        The time to judge by; seconds since 1970.

    Raises
    ------
    Refused
        If there is no ledger, no pinned root, or the ledger does not hold.
    """
    ledger = Ledger(workspace.top)
    trusted = root.pinned(workspace.top, given)
    found = ledger.read()
    if trusted is None:
        raise root.none_pinned(_claimed(found.files))

    @cache
    def known(commit: str) -> frozenset[str] | None:
        if not ledger.holds(commit, found.commit):
            return None
        return frozenset(name for path in ledger.paths(commit) if (name := event.event_id(path)))

    def reviews() -> Mapping[str, bytes]:
        branch = Ledger(workspace.top, REVIEWS)
        return branch.read().files if branch.tip() else {}

    log = fold(found.files, trusted, int(time.time() if now is None else now), known, reviews)
    return Registry(workspace, ledger, found.commit, trusted, State(log), found.files)


def there(workspace: Workspace) -> bool:
    """Whether there is a ledger to read, here or on a remote that was fetched from."""
    ledger = Ledger(workspace.top)
    return ledger.tip() is not None or bool(ledger.known_elsewhere())


def overlay_path(workspace: Workspace) -> str:
    """Return the folder of a run's files from the Git root: what DVC and GTO call the model's path."""
    from provenote import config

    overlay = config.load(workspace.dvc_root).overlay.strip("/")
    return f"{workspace.prefix}/{overlay}" if workspace.prefix else overlay


def _claimed(files: Mapping[str, bytes]) -> str | None:
    """Return the root that the ledger claims, for a person to compare; None if it is not plain."""
    first = [content for path, content in files.items() if chain.number(path) == 1]
    return sha256_bytes(first[0]) if len(first) == 1 else None
