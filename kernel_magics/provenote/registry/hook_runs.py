"""What a push may do to runs and annotations that are there: nothing, unless a removal was told.

A run's ref, and an archive's, leaves a remote after an annotation said so (``removed``, ``renamed``), in the
same push or before: so every clone follows instead of bringing it back, and it stays known who removed it.
"""

from __future__ import annotations

import re
from functools import cached_property

from provenote.errors import Refused
from provenote.git import command
from provenote.registry.hook_push import Push, Update
from provenote.stores import annotation, marks
from provenote.stores.annotation import Annotation, Element
from provenote.stores.digest import sha256_bytes

NOTES = "refs/provenote/notes"
ARCHIVES = "refs/provenote/archive"

_RUN = re.compile(r"refs/exps/[0-9a-f]{2}/[0-9a-f]{38,62}/[^/]+")


class Removals:
    """What annotations and archives say has left, read once for a push of however many refs.

    Parameters
    ----------
    push : Push
    """

    def __init__(self, push: Push) -> None:
        self._push = push

    @cached_property
    def gone(self) -> frozenset[Element]:
        """The refs of runs and archives that annotations say are gone, each with its commit."""
        return _gone(self._push)

    @cached_property
    def archived(self) -> frozenset[str]:
        """The commits of runs that an archive keeps once the push is taken."""
        return _archived(self._push, self.gone)


def check(push: Push, update: Update, removals: Removals) -> None:
    """Refuse to rewrite or drop a run, an archive or an annotation.

    Parameters
    ----------
    push : Push
    update : Update
    removals : Removals
        Of that push.

    Raises
    ------
    Refused
        If the push does that and no annotation tells it.
    """
    ref, old = update.ref, update.old
    if ref == NOTES:
        _check_notes(push, update)
        return
    archive = ref.startswith(f"{ARCHIVES}/")
    if old is None or old == update.new or not (archive or _RUN.fullmatch(ref)):
        return
    if (ref, old) in removals.gone or (not archive and old in removals.archived):
        return
    what = "archive" if archive else "run"
    if update.new is None:
        raise Refused(
            f"nobody has told that this {what} is removed", "Remove it in a clone, then: `provenote sync`"
        )
    raise Refused(f"a {what} that is here is never rewritten", "Give yours another name: `provenote sync`")


def _check_notes(push: Push, update: Update) -> None:
    if update.new is None:
        raise Refused("the annotations are never deleted")
    new = push.commit(update.new)
    if update.old is None:
        return
    if not push.grows(update.old, new):
        raise Refused(
            "it would leave out annotations that are here; they only grow", "Sync: `provenote sync`"
        )
    changed = [change for change in push.changes(update.old, new) if change.letter != "A"]
    for change in changed:
        name = annotation.event_id(change.path)
        if change.letter == "D":
            raise Refused(f"it deletes the annotation {ascii(change.path)}")
        if name is not None:  # an honest clone puts the right content back; nobody else may touch it
            content = next(iter(command.blobs(push.folder, [change.oid])))
            if content is None or sha256_bytes(content) != name:
                raise Refused(f"it changes the annotation {name[:12]}")


def _gone(push: Push) -> frozenset[Element]:
    tip = push.after(NOTES)
    if tip is None:
        return frozenset()
    found = {
        name: change.oid for change in push.changes(None, tip) if (name := annotation.event_id(change.path))
    }
    told: list[Annotation] = []
    for name, content in zip(found, command.blobs(push.folder, found.values()), strict=True):
        if content is None or b'"type":"re' not in content:  # removed, renamed, revived
            continue
        try:
            told.append(annotation.parse(name, content))
        except Refused:
            continue
    return frozenset(marks.fold(told).gone)


def _archived(push: Push, gone: frozenset[Element]) -> frozenset[str]:
    lines = push.git("for-each-ref", "--format=%(refname) %(parent)", ARCHIVES).decode().splitlines()
    kept = {ref: parents.split() for ref, _, parents in (line.partition(" ") for line in lines)}
    for update in push.updates:
        if update.ref.startswith(f"{ARCHIVES}/"):
            kept.pop(update.ref, None)
            if update.new is not None:
                words = push.git("rev-list", "--parents", "-1", push.commit(update.new)).decode().split()
                kept[update.ref] = words[1:]
    return frozenset(
        commit for archive, commits in kept.items() for commit in commits if (archive, commit) not in gone
    )
