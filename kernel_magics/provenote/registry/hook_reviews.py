"""What a push may do to the branch of reviews: add events whose form and signatures hold, a bounded number.

Whose key it is, is each reader's matter: a newcomer may speak before they are admitted, and counts for none.
"""

from __future__ import annotations

from provenote.errors import Refused
from provenote.git import command
from provenote.registry import hook_ledger
from provenote.registry.hook_push import Push, Update
from provenote.registry.names import visible
from provenote.reviews import event, fold
from provenote.stores.eventfile import LARGEST
from provenote.stores.ledger import REVIEWS, Ledger

REF = f"refs/heads/{REVIEWS}"
EVENTS = 2_000
"""How many events one push may add to a branch that is there."""

_ATTRIBUTES = b"* -text\n"


def check(push: Push, update: Update) -> None:
    """Refuse a push that changes what is there, or adds what is no event of a review.

    Raises
    ------
    Refused
        The message names the file.
    """
    hook_ledger.check_growth(push, update)
    assert update.new is not None  # `check_growth` refuses a deletion
    added = {change.path: change.oid for change in push.changes(update.old, update.new)}
    for path in added:
        if path != ".gitattributes" and event.event_id(path) is None:
            raise Refused(f"{visible(path)} is no file of a review")
    if len(added) > EVENTS and update.old is not None:
        raise Refused(f"{len(added):,} events in one push; {EVENTS:,} are taken")
    sizes = push.sizes(added.values())
    for path, oid in added.items():
        if sizes.get(oid, LARGEST + 1) > LARGEST:
            raise Refused(f"{path} is larger than {LARGEST:,} bytes")
    contents = dict(zip(added, command.blobs(push.folder, added.values()), strict=True))
    files = {path: content for path, content in contents.items() if content is not None}
    if files.get(".gitattributes", _ATTRIBUTES) != _ATTRIBUTES:
        raise Refused(".gitattributes is not the one that keeps line ends as they are")
    found, refused = fold.parse(files)
    for name, why in refused.items():
        raise Refused(f"event {name[:12]} does not hold: {why}")
    there = {event.event_id(path) for path in Ledger(push.folder, REVIEWS).paths(update.new)}
    for name, item in found.items():
        missing = [earlier for earlier in item.prev if earlier not in there]
        if missing:
            raise Refused(
                f"event {name[:12]} was made after event {missing[0][:12]}, which is not in the push"
            )
