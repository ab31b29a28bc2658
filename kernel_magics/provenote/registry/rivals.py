"""What keeps two ledgers apart: united, two policies of one number would both count.

Every reader refuses such a ledger, and nothing can be taken out of one. It comes about by accident where
fewer than half of the owners are enough to sign: two of them change the policy at once. So what is still in
two clones stays in two clones, and the owner who was later does it again.
"""

from __future__ import annotations

from pathlib import Path

from provenote.errors import Refused
from provenote.registry import chain, root
from provenote.registry.chain import Untrusted
from provenote.registry.policy import BadPolicy
from provenote.stores.ledger import Ledger


def check(folder: Path, theirs: str) -> None:
    """Refuse to unite this clone's ledger with another one, if that would stop every reader.

    Parameters
    ----------
    folder : Path
        A folder of the repository.
    theirs : str
        A commit of the other clone's ledger.

    Raises
    ------
    Refused
        The message says which policies, and how to take theirs.
    """
    ledger, trusted = Ledger(folder), root.pinned(folder)
    tip = ledger.tip()
    if tip is None or trusted is None or ledger.holds(theirs, tip) or ledger.holds(tip, theirs):
        return
    ours, others = ledger.read(tip).files, ledger.read(theirs).files
    try:
        here, there = chain.read(ours, trusted), chain.read(others, trusted)
    except (Untrusted, BadPolicy):
        return  # each reader is told by itself
    for mine, its in zip(here, there, strict=False):
        if mine.id != its.id:
            raise Refused(
                f"two owners changed the policy at once: policy {mine.version} is {mine.id[:12]} here and "
                f"{its.id[:12]} there, and both together would stop every reader",
                f"Take theirs, then do yours again; what was signed here alone falls: "
                f"`git branch -f {ledger.branch} {theirs[:12]}`",
            )
