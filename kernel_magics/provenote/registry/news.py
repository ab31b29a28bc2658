"""What is new in the ledger, for whoever shows or sends it: how much waits, and what came since a commit.

`told` is for a start that must cost nothing: it reads two small files and verifies nothing. What it says was
counted by whoever verified the ledger last; where the ledger has grown since, it says so instead.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from provenote.registry.reading import Registry
    from provenote.workspace import Workspace

COUNTED = "inbox.json"
"""File in `Workspace.home`: ``{schema, ledger, mine, waiting}``."""
_BRANCH = "refs/heads/provenote-governance"


def remember(registry: Registry) -> tuple[int, int]:
    """Count what waits for the person at this machine and in all, and keep it for `told`.

    Returns
    -------
    mine, waiting : int
        Requests on which it is this person's turn; all that wait.
    """
    from provenote.registry import listing, signing

    me = signing.find_me_or_none(registry)
    turns = [listing.turn(registry, one, me) for one in listing.open_ones(registry)]
    mine = sum(turn in ("vote", "release") for turn in turns)
    said = {"schema": 1, "ledger": registry.commit, "mine": mine, "waiting": len(turns)}
    home = registry.workspace.home
    with contextlib.suppress(OSError):  # a full or read-only disk takes the note, nothing else
        home.mkdir(parents=True, exist_ok=True)
        temporary = home / f".{COUNTED}-{os.getpid()}"
        temporary.write_text(json.dumps(said))
        temporary.replace(home / COUNTED)
    return mine, len(turns)


def told(folder: Path) -> str | None:
    """Return a line about what waits in the repository around a folder, None if there is nothing to say."""
    common = _common_dir(folder)
    if common is None:
        return None
    try:
        said = json.loads((common / "provenote" / COUNTED).read_bytes())
        known, mine = said["ledger"], int(said["mine"])
    except (OSError, ValueError, TypeError, KeyError):
        return None  # nobody has looked here yet
    if known != _tip(common):
        return "The governance ledger has grown since you looked: `%inbox`"
    if mine < 1:
        return None
    return f"{mine} request{' waits' if mine == 1 else 's wait'} for you: `%inbox`"


def since(workspace: Workspace, cursor: str | None) -> dict[str, Any]:
    """Return what came to the ledger since a commit of it.

    Two clones' events merge in any order, so what is new is told by what that commit held, not by times: each
    event is told once, whenever it came here.

    Parameters
    ----------
    workspace : Workspace
    cursor : str or None
        The ``ledger`` of the last answer; None: from the beginning.

    Returns
    -------
    dict
        ``ledger``: the commit to ask from next; ``events``, ``policies``, ``joins``: rows of the audit trail;
        where there may be any, also ``root``, ``demo`` and ``solo`` of the policy.

    Raises
    ------
    Refused
        If there is no ledger, it does not hold, or it does not hold that commit: then something was rewound.
    """
    from provenote.errors import Refused
    from provenote.registry import audit, reading
    from provenote.stores.ledger import Ledger

    ledger = Ledger(workspace.top)
    tip = ledger.tip()
    if cursor is not None and tip is not None and cursor == tip:
        return {"ledger": tip, "events": [], "policies": [], "joins": []}
    registry = reading.read(workspace)
    if cursor is not None and not ledger.holds(cursor, registry.commit):
        raise Refused(
            f"the governance ledger here does not hold the commit {ascii(cursor[:40])}",
            "Ask from the beginning, without --since; if it was there, somebody rewound the ledger",
        )
    old = frozenset(ledger.paths(cursor)) if cursor is not None else frozenset()
    policy = registry.log.policy
    said = {
        "ledger": registry.commit,
        "root": f"sha256:{registry.root}",
        "demo": policy.demo,
        "solo": policy.solo,
    }
    return {**said, **audit.whole(registry.files, registry.log, old)}


def _common_dir(folder: Path) -> Path | None:
    """Find the Git folder that all work trees share, without starting Git."""
    for place in (folder, *folder.parents):
        git = place / ".git"
        if git.is_dir():
            return git
        if git.is_file():  # a linked work tree
            try:
                own = place / git.read_text().partition("gitdir:")[2].strip()
                return (own / (own / "commondir").read_text().strip()).resolve()
            except OSError:
                return None
    return None


def _tip(common: Path) -> str | None:
    with contextlib.suppress(OSError):
        return (common / _BRANCH).read_text().strip()
    with contextlib.suppress(OSError):
        for line in (common / "packed-refs").read_text().splitlines():
            if line.endswith(f" {_BRANCH}"):
                return line.split(" ", 1)[0]
    return None
