"""What is new in the ledger, for whoever shows or sends it: how much waits, and what came since a commit.

`told` is for a start that must cost nothing: it reads some small files and verifies nothing. What it says of
requests and of reviews was counted by whoever verified their branch last; where one has grown since, it says
so instead.
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
REVIEWED = "inbox-reviews.json"
"""The same of notebook reviews: ``{schema, reviews, mine}``."""
_LEDGER, _REVIEWS = "refs/heads/provenote-governance", "refs/heads/provenote-reviews"


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
    _keep(registry.workspace.home, COUNTED, said)
    return mine, len(turns)


def remember_reviews(workspace: Workspace, commit: str | None, mine: int) -> None:
    """Keep for `told` how many reviews wait for the person here, as counted at a commit of their branch."""
    _keep(workspace.home, REVIEWED, {"schema": 1, "reviews": commit, "mine": mine})


def _keep(home: Path, name: str, said: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # a full or read-only disk takes the note, nothing else
        home.mkdir(parents=True, exist_ok=True)
        temporary = home / f".{name}-{os.getpid()}"
        temporary.write_text(json.dumps(said))
        temporary.replace(home / name)


def told(folder: Path) -> str | None:
    """Return a line about what waits in the repository around a folder, None if there is nothing to say."""
    common = _common_dir(folder)
    if common is None:
        return None
    notes = ((COUNTED, "ledger", _LEDGER), (REVIEWED, "reviews", _REVIEWS))
    requests, reviews = (_counted(common, *note) for note in notes)
    several = (requests or 0) + (reviews or 0) > 1
    counted = [
        f"{count} {word}{'' if count == 1 else 's'}"
        for count, word in ((requests, "request"), (reviews, "review"))
        if count
    ]
    grown = [
        words
        for count, words in ((requests, "the governance ledger has"), (reviews, "the reviews have"))
        if count is None
    ]
    said = f"{' and '.join(counted)} wait{'' if several else 's'} for you" if counted else ""
    if grown:
        both = "the governance ledger and the reviews have" if len(grown) == 2 else grown[0]
        more = f"{both} grown since you looked"
        said = f"{said}, and {more}" if said else f"{more[0].upper()}{more[1:]}"
    return f"{said}: `%inbox`" if said else None


def _counted(common: Path, name: str, key: str, branch: str) -> int | None:
    """Return how many a note says wait, 0 where nobody has looked, None where its branch moved since."""
    try:
        said = json.loads((common / "provenote" / name).read_bytes())
        known, mine = said[key], int(said["mine"])
    except (OSError, ValueError, TypeError, KeyError):
        return 0
    return max(mine, 0) if known == _tip(common, branch) else None


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


def _tip(common: Path, branch: str) -> str | None:
    with contextlib.suppress(OSError):
        return (common / branch).read_text().strip()
    with contextlib.suppress(OSError):
        for line in (common / "packed-refs").read_text().splitlines():
            if line.endswith(f" {branch}"):
                return line.split(" ", 1)[0]
    return None
