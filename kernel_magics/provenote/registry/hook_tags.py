"""What a push may do to tags of models: bring exactly those that the ledger backs, and move or delete none.

Every tag below a model's path (``provenote=churn#production#3``) belongs to the ledger: GTO reads more
forms than we write (``...!#4`` takes a stage away), so whatever the ledger does not name is refused.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from provenote.errors import Refused
from provenote.registry import tags
from provenote.registry.hook_ledger import Judged
from provenote.registry.hook_push import Push, Update
from provenote.registry.tags import Tag

PREFIX = "refs/tags/"
FOLDER = "provenote"
"""Name of the folder of a run's files, where no project chose another."""


def may_govern(ref: str) -> bool:
    """Whether a ref could be a tag of a model."""
    return ref.startswith(PREFIX) and "=" in ref


def check(push: Push, update: Update, judged: Judged | None) -> None:
    """Refuse a tag of a model that is not as the ledger says.

    Parameters
    ----------
    push : Push
    update : Update
    judged : Judged or None
        The ledger as the push leaves it; None: there is none, or it does not hold.

    Raises
    ------
    Refused
        The message says what the ledger says.
    """
    name = update.ref.removeprefix(PREFIX)
    path, equals, _ = name.partition("=")
    if not equals or not _governed(path, judged):
        return
    if judged is None:
        if update.new is not None:
            raise Refused("no ledger that holds backs this tag")
        return
    wanted = tags.wanted(judged.state).get(name)
    if update.new is None:
        if wanted is not None and _wrong(push, update.old, wanted) is None:
            raise Refused("the ledger backs this tag: it stays")
        return
    if wanted is None:
        raise Refused("nothing in the ledger backs this tag", "Ask for it: `provenote promote`")
    if wrong := _wrong(push, update.new, wanted):
        raise Refused(wrong, f"Make it anew: `git tag -d {name}`, `provenote verify --tags --repair`")


def _governed(path: str, judged: Judged | None) -> bool:
    plain = path.casefold().rstrip("/")
    if plain.rpartition("/")[2] == FOLDER:
        return True
    if judged is None:
        return False
    paths = {one.subject.path.casefold() for one in judged.state.promotions}
    patterns = {rule.path.casefold() for policy in judged.log.policies for rule in policy.rules} - {"*"}
    return plain in paths or any(fnmatchcase(plain, pattern) for pattern in patterns)


def _wrong(push: Push, oid: str | None, wanted: Tag) -> str | None:
    """Return how a tag object differs from what the ledger wants, None if it does not."""
    if oid is None:
        return "there is no such tag"
    if push.git("cat-file", "-t", oid).strip() != b"tag":
        return "it is no annotated tag, so GTO and DVC would overlook it"
    text = push.git("cat-file", "tag", oid).decode("utf-8", "replace")
    return tags.differs(text, wanted)
