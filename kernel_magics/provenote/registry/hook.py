"""What a bare remote refuses: a push against the ledger, its tags, the annotations, or runs that exist.

`check` is asked by the ``pre-receive`` hook (`provenote.registry.hook_entry`) before any ref moves. The new
objects lie in Git's quarantine then: they are read by Git's own commands with the hook's environment, and
nothing is written. Ordinary pushes never come this far: the hook's script lets them through by themselves.

- `hook_ledger`: the governance branch only grows, by files that hold.
- `hook_reviews`: the branch of reviews only grows, by events that hold.
- `hook_tags`: a tag of a model is exactly what the ledger says.
- `hook_runs`: a run, an archive or an annotation that is there stays, unless its removal is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from provenote.errors import ProvenoteError, Refused
from provenote.git import command
from provenote.registry import hook_ledger, hook_reviews, hook_runs, hook_tags
from provenote.registry.hook_ledger import Judged
from provenote.registry.hook_push import Push, Update
from provenote.registry.names import visible

LEDGER = hook_ledger.REF
BRANCHES = (LEDGER, hook_reviews.REF)
"""Branches that only grow."""

_LINE = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64}) ([0-9a-f]{40}|[0-9a-f]{64}) (refs/.+)")


@dataclass(slots=True)
class Findings:
    """What was found about a push.

    Parameters
    ----------
    refused : list of str
        A line for each ref that may not move so; empty: the push is good.
    remarks : list of str
        What its author should know though it is taken.
    """

    refused: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def parse(given: str) -> list[Update]:
    """Read what Git gives to a ``pre-receive`` hook: ``<old> <new> <ref>``, one line each.

    Raises
    ------
    Refused
        If a line has not that form.
    """
    updates = []
    for line in given.split("\n"):
        if not line:
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise Refused(f"Git's hook was given a line that it does not give: {ascii(line[:80])}")
        old, new = (None if set(oid) == {"0"} else oid for oid in found.group(1, 2))
        updates.append(Update(old, new, found[3]))
    return updates


def check(folder: Path, updates: Iterable[Update], root: str | None, *, now: float | None = None) -> Findings:
    """Judge a push as a whole.

    Parameters
    ----------
    folder : Path
        The repository that is pushed to.
    updates : iterable of Update
        What shall move.
    root : str or None
        The pinned root; None: that of the first policy that the remote's ledger began with.
    now : float, optional
        The time to judge by; seconds since 1970.
    """
    push, findings = Push(folder, tuple(updates)), Findings()
    judged: Judged | None = None
    asked = push.of(LEDGER) is not None
    if asked or any(hook_tags.may_govern(update.ref) for update in push.updates):
        try:
            judged = hook_ledger.judge(push, root, now)
        except ProvenoteError as error:
            findings.refused.append(_line(LEDGER, error))
    if judged is not None:
        findings.remarks += judged.remarks
    removals = hook_runs.Removals(push)
    for update in push.updates:
        if update.ref == LEDGER:
            continue
        try:
            _one(push, update, judged, removals)
        except ProvenoteError as error:
            findings.refused.append(_line(update.ref, error))
    return findings


def _one(push: Push, update: Update, judged: Judged | None, removals: hook_runs.Removals) -> None:
    ref = update.ref
    if _disguised(ref):
        raise Refused("its name would pass for one that is guarded")
    if ref.startswith("refs/replace/") and update.new is not None:
        raise Refused("it would show another object than the one that was signed")
    if ref == hook_reviews.REF:
        hook_reviews.check(push, update)
    elif ref.startswith("refs/tags/"):
        hook_tags.check(push, update, judged)
    elif ref.startswith(("refs/exps/", "refs/provenote/")):
        hook_runs.check(push, update, removals)


def _disguised(ref: str) -> bool:
    """Whether a file system without case would take this for a guarded ref, or it would bar one."""
    plain = ref.casefold()
    for guarded in (*BRANCHES, hook_runs.NOTES):
        if ref != guarded and (plain == guarded or plain.startswith(f"{guarded}/")):
            return True
    return any(
        plain.startswith(guarded) and not ref.startswith(guarded)
        for guarded in ("refs/provenote/", "refs/exps/", "refs/tags/")
    )


def _line(ref: str, error: ProvenoteError) -> str:
    return visible(f"{ref.removeprefix('refs/').removeprefix('heads/')}: {error.line}")


def pinned(folder: Path) -> str | None:
    """Return the root that this remote's administrator pinned, without looking at the pusher's settings."""
    from provenote.registry import root

    answer = command.run(folder, "config", "--local", "--get-all", root.SETTING)
    lines = answer.stdout.decode(errors="replace").split()
    if len(lines) > 1:
        raise Refused(f"{root.SETTING} of this remote is set {len(lines)} times")
    return root.parse(lines[0]) if lines else None
