"""What a bot does on a forge: check the ledger against what it verified before, then make the tags it backs.

A forge takes whatever a member pushes onto the end of the ledger, so files that do not count are told here
and stop nothing: every reader ignores them. What stops it is a ledger that lost something, that does not hold
under the root, or a tag that nothing backs; then nothing is made.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from provenote.errors import ProvenoteError, Refused
from provenote.git import command
from provenote.registry import hook_file, hook_ledger, hook_tags, root, tags
from provenote.registry.hook_ledger import Judged
from provenote.registry.hook_push import Push, Update
from provenote.registry.names import visible
from provenote.registry.tags import Tag
from provenote.stores.ledger import GOVERNANCE, Ledger

VERIFIED = "provenote-verified"
"""Branch that stands where the ledger was verified last; the bot alone may move it."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the bot found.

    Parameters
    ----------
    tip : str
        Commit of the ledger that was checked.
    since : str or None
        Commit that was verified before.
    broken : tuple of str
        What does not hold; empty: all does.
    remarks : tuple of str
        What should be known though it stops nothing.
    made : tuple of str
        Tags that were missing and were made.
    pushed : bool
        Whether they, and where the ledger was verified, were given to the remote.
    """

    tip: str
    since: str | None
    broken: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    pushed: bool = False


def check(folder: Path, since: str | None, push_to: str | None = None, given: str | None = None) -> Checked:
    """Check the ledger and all tags of models of a clone.

    Parameters
    ----------
    folder : Path
        A folder of the clone.
    since : str, optional
        What was verified before; a name that is not there means nothing was.
    push_to : str, optional
        The remote that gets the missing tags, and the branch that says how far the ledger is verified.
    given : str, optional
        The root to trust instead of the pinned one.

    Raises
    ------
    Refused
        If there is no ledger, or nothing says which root to trust.
    WorldError
        If the remote takes nothing.
    """
    tip = _tip(folder)
    if tip is None:
        raise Refused(f"there is no {GOVERNANCE} here", f"Fetch it: `git fetch origin {GOVERNANCE}`")
    trusted = root.pinned(folder, given)
    if trusted is None:
        raise root.none_pinned(hook_file.claimed(folder))
    ledger = Ledger(folder)
    before = command.resolve(folder, since) if since else None
    if before is not None and not ledger.holds(before, tip):
        lost = f"the ledger was rewound: it no longer holds {before[:12]}, which was verified before"
        return Checked(tip, before, (lost,))
    try:
        judged, _ = hook_ledger.read(Push(folder, ()), tip, trusted, None)
    except ProvenoteError as error:
        return Checked(tip, before, (error.line,))
    remarks = (
        [] if before is not None or since is None else [f"{since} is not there: nothing was verified before"]
    )
    remarks += _remarks(judged)
    broken = _tags(folder, judged)
    if broken:
        return Checked(tip, before, tuple(broken), tuple(remarks))
    wanted = tags.wanted(judged.state)
    if push_to is not None:
        _fetch(folder, push_to, wanted.values())
    made = tags.project(folder, wanted)
    if push_to is not None:
        _give(folder, push_to, tip, made)
    return Checked(tip, before, (), tuple(remarks), tuple(made), push_to is not None)


def _tip(folder: Path) -> str | None:
    for ref in (f"refs/remotes/origin/{GOVERNANCE}", f"refs/heads/{GOVERNANCE}"):
        if (commit := command.resolve(folder, ref)) is not None:
            return commit
    return None


def _remarks(judged: Judged) -> list[str]:
    said = [f"event {name[:12]} does not count: {why}" for name, why in judged.log.refused.items()]
    strays = sorted(path for path in judged.files if not hook_ledger.belongs(path))
    return [*said, *(f"{visible(path)} is no file of the ledger, and is ignored" for path in strays)]


def _tags(folder: Path, judged: Judged) -> list[str]:
    """Return what is wrong with the tags that are here."""
    push, wrong = Push(folder, ()), []
    out = command.git(folder, "for-each-ref", "--format=%(objectname) %(refname)", "refs/tags")
    for line in out.decode(errors="surrogateescape").splitlines():
        oid, _, ref = line.partition(" ")
        try:
            hook_tags.check(push, Update(None, oid, ref), judged)
        except Refused as error:
            wrong.append(f"{visible(ref.removeprefix('refs/'))}: {error.what}")
    return wrong


def _fetch(folder: Path, remote: str, wanted: Iterable[Tag]) -> None:
    """Fetch the runs that tags shall point to and that a clone of branches alone has not."""
    there = tags.existing(folder)
    commits = sorted({tag.commit for tag in wanted if tag.name not in there})
    have = command.blobs(folder, [f"{commit}^{{commit}}" for commit in commits])
    lacking = [commit for commit, content in zip(commits, have, strict=True) if content is None]
    for commit in lacking:  # one that the remote has not must not keep the others away
        command.run(folder, "fetch", "--quiet", "--no-tags", "--end-of-options", remote, commit)


def _give(folder: Path, remote: str, tip: str, made: Iterable[str]) -> None:
    refs = [f"refs/tags/{name}:refs/tags/{name}" for name in made]
    words = ["push", "--quiet", "--atomic", "--end-of-options", remote, *refs]
    command.git(folder, *words, f"{tip}:refs/heads/{VERIFIED}")
