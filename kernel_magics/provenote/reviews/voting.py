"""Approve the version under review or ask for changes: a person's will, so the person is asked.

What is signed is shown whole, and the notebook's name is typed. Where nobody can be asked it refuses.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from provenote.errors import Refused, UsageError
from provenote.registry.names import visible
from provenote.registry.signing import Confirm, NoPerson
from provenote.reviews import desk, sources
from provenote.reviews.desk import Desk
from provenote.reviews.speaking import Done, notebook_of, said, version_of, words_of
from provenote.reviews.threads import Version
from provenote.workspace import Workspace


def vote(
    workspace: Workspace, reference: str | None, decision: str, why: str, *, confirm: Confirm | None
) -> Done:
    """Approve the version under review, or ask for changes.

    Parameters
    ----------
    workspace : Workspace
    reference : str or None
        The review.
    decision : {'approve', 'request-changes'}
    why : str
        Asked for with request-changes.
    confirm : Confirm or None
        How to ask the person; None where nobody is.

    Raises
    ------
    NoPerson
        If nobody can be asked.
    UsageError
        If another word is typed than the notebook's name.
    Refused
        If the notebook is not here to be looked at, or another version came under review meanwhile.
    """
    here = desk.read(workspace)
    name = here.find(reference)
    version = version_of(here, name)
    notebook_of(here, name)  # nobody approves what they cannot see
    if not sources.checked_out(workspace, version):
        raise Refused(f"commit {version.commit[:12]} does not hold that notebook as {visible(version.path)}")
    if decision == "request-changes" and not why.strip():
        raise UsageError("to request changes takes a reason", 'Give one: `--why "..."`')
    if why.strip():
        why = words_of(why)
    opened = here.book.open_threads(name)
    _not_repeated(here, name, version, decision)
    word = Path(here.book.events[name].text("path")).stem
    shown = _shown(here, name, version, decision, why)
    if confirm is None:
        raise NoPerson(
            "a vote takes a signature, and nobody is here to be asked (a job, or no terminal)",
            "Do it in a terminal or in a notebook that you run yourself",
        )
    typed = confirm(shown, word)
    if typed.strip() != word:
        raise UsageError(f"{visible(typed)!r} is not {visible(word)!r}, so nothing was signed")

    def compose(now: Desk) -> dict[str, Any]:
        if version_of(now, name) != version or set(now.book.open_threads(name)) - set(opened):
            raise Refused("the review changed while you decided, so nothing was signed", "Look again")
        return {"version": version, "decision": decision, **({"why": why} if why.strip() else {})}

    words = f"{decision} {visible(version.path)} of {version.label}"
    return said(here, "vote", name, words, compose, beside=_same_notebook(here, version))


def _same_notebook(here: Desk, version: Version) -> tuple[str, ...]:
    """Return the reviews that had this very file of this very commit under them: a vote has seen them all."""
    asked = (version.commit, version.path)
    return tuple(
        name
        for name in here.book.reviews
        if any((one.commit, one.path) == asked for _, one in here.book.versions(name))
    )


def _not_repeated(here: Desk, name: str, version: Version, decision: str) -> None:
    mine = here.me.signer.public
    votes = here.outline(name).votes
    for one in votes:
        if here.book.events[one.id].key == mine and one.decision == decision and not one.stale:
            raise UsageError(f"you said {decision} of {version.label} already")


def _shown(here: Desk, name: str, version: Version, decision: str, why: str) -> str:
    review = here.outline(name)
    policy = here.people.registry.log.policy if here.people.registry else None
    opened = f"{len(review.open_threads)} open, {len(review.threads)} in all"
    pairs = [
        ("decision", decision),
        ("review", f"{review.title} ({name[:12]})"),
        ("notebook", version.path),
        ("commit", version.commit),
        ("blob", version.blob),
        ("sha256", version.sha256),
        ("run", version.run or "none: a file of that commit"),
        ("threads", opened),
        ("why", why or "(none given)"),
        ("policy", f"{policy.version} ({policy.id})" if policy else "none: no policy is trusted here"),
        ("key", f"{here.me.name}, {here.me.signer.label}"),
    ]
    if not here.me.known:
        pairs.append(
            ("note", "the policy does not know this key: others see it as unknown, it counts for nothing")
        )
    lines = ["You sign exactly this:", *(f"  {label:<8}  {visible(value)}" for label, value in pairs)]
    return "\n".join(lines)
