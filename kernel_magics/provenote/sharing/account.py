"""What an exchange did and what waits, by ref: what was tried again counts once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from provenote.stores import archives, notes


@dataclass(slots=True)
class Account:
    """The outcome of one exchange with one remote.

    Parameters
    ----------
    remote, url : str
        Whom with.
    sent, received : set of str
        Refs of runs.
    said, heard : int
        Annotations that were sent, and that came.
    told : dict of str to str or None
        Refs that were removed here (None), renamed here (their new ref), or brought back (themselves).
    followed : set of str
        Refs dropped here since somebody else removed or renamed them.
    archived : set of str
        Refs that left this clone since their runs are in an archive.
    aside : dict of str to str
        Refs here that made room for another run of the same name: their new names.
    cleared : set of str
        Refs deleted on the remote.
    branches : dict of str to str
        Governance and reviews: ``sent``, ``received``, or both.
    tags : set of str
        Tags of models that were exchanged.
    waiting : dict of str to str
        Refs that the remote refused, and its words.
    problems : list of str
        What could not be exchanged for another reason.
    files_sent, files_received : int
        Files of data carried.
    lacking : int
        Data versions whose bytes are on neither side.
    """

    remote: str
    url: str = ""
    sent: set[str] = field(default_factory=set)
    received: set[str] = field(default_factory=set)
    said: int = 0
    heard: int = 0
    told: dict[str, str | None] = field(default_factory=dict)
    followed: set[str] = field(default_factory=set)
    archived: set[str] = field(default_factory=set)
    aside: dict[str, str] = field(default_factory=dict)
    cleared: set[str] = field(default_factory=set)
    branches: dict[str, str] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)
    waiting: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    files_sent: int = 0
    files_received: int = 0
    lacking: int = 0

    @property
    def whole(self) -> bool:
        """Whether both sides hold the same now."""
        return not self.waiting and not self.problems

    def lines(self) -> list[str]:
        """Return what was done, in the user's words; the first line sums it up."""
        parts = [
            _part("sent", _runs(self.sent), _archives(self.sent), _annotations(self.said)),
            _part("received", _runs(self.received), _archives(self.received), _annotations(self.heard)),
        ]
        done = "; ".join(part for part in parts if part)
        lines = [f"{self.remote}: {done}" if done else f"{self.remote}: nothing new on either side"]
        for ref, to in sorted(self.told.items()):
            if to == ref:
                lines.append(f"brought back, for everyone: {leaf(ref)}")
            else:
                lines.append(
                    f"{'removed' if to is None else 'renamed'} here, so for everyone: {_arrow(ref, to)}"
                )
        lines += [f"removed or renamed elsewhere, so here: {leaf(ref)}" for ref in sorted(self.followed)]
        if self.archived:
            lines.append(f"archived elsewhere, so here: {_runs(self.archived)}")
        for ref, to in sorted(self.aside.items()):
            lines.append(f"another run on {self.remote} bears its name: {_arrow(ref, to)}")
        for branch, how in sorted(self.branches.items()):
            lines.append(f"{branch}: {how}")
        if self.tags:
            lines.append(f"tags of models: {', '.join(sorted(self.tags))}")
        if self.files_sent or self.files_received or self.lacking:
            words = f"data: {_counted(self.files_sent, 'file')} sent, {self.files_received} received"
            lines.append(
                words + (f"; {_counted(self.lacking, 'version')} on neither side" if self.lacking else "")
            )
        return lines

    def refusals(self) -> list[str]:
        """Return what waits and why, one line for each reason."""
        by_reason: dict[str, list[str]] = {}
        for ref, why in self.waiting.items():
            by_reason.setdefault(why, []).append(ref)
        lines = []
        for why, refs in sorted(by_reason.items()):
            verb = "waits" if len(refs) == 1 else "wait"
            what = f"{self.remote} refused ({why}): {waiting(refs)} {verb} here, nothing is lost"
            lines.append(f"{what}. Next try: `provenote sync`")
        return lines + self.problems

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "remote": self.remote,
            "url": self.url,
            "sent": {**_told(self.sent), "annotations": self.said},
            "received": {**_told(self.received), "annotations": self.heard},
            "removed": sorted(leaf(ref) for ref, to in self.told.items() if to is None),
            "renamed": {leaf(ref): leaf(to) for ref, to in sorted(self.told.items()) if to and to != ref},
            "restored": sorted(leaf(ref) for ref, to in self.told.items() if to == ref),
            "followed": sorted(map(leaf, self.followed)),
            "archived": sorted(map(leaf, self.archived)),
            "aside": {leaf(ref): leaf(to) for ref, to in sorted(self.aside.items())},
            "branches": dict(self.branches),
            "tags": sorted(self.tags),
            "data": {"sent": self.files_sent, "received": self.files_received, "lacking": self.lacking},
            "waiting": dict(sorted(self.waiting.items())),
            "problems": list(self.problems),
            "whole": self.whole,
        }


def leaf(ref: str) -> str:
    """Return the name of a run, from its ref."""
    return ref.rsplit("/", 1)[1]


def waiting(refs: Iterable[str], annotations: int = 0) -> str:
    """Say how many runs, annotations and branches wait."""
    there = list(refs)
    runs = [ref for ref in there if ref.startswith("refs/exps/")]
    words = [_runs(runs), _archives(there), _annotations(annotations)]
    if notes.REF in there and not annotations:
        words.append("the annotations")
    words += [ref.removeprefix("refs/heads/") for ref in there if ref.startswith("refs/heads/")]
    tags = sum(ref.startswith("refs/tags/") for ref in there)
    words.append(_counted(tags, "tag") if tags else "")
    words = [word for word in words if word]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words) or "nothing"


def _runs(refs: Iterable[str]) -> str:
    count = sum(ref.startswith("refs/exps/") for ref in refs)
    return _counted(count, "run") if count else ""


def _archives(refs: Iterable[str]) -> str:
    count = sum(ref.startswith(f"{archives.REF}/") for ref in refs)
    return _counted(count, "archive") if count else ""


def _told(refs: Iterable[str]) -> dict[str, list[str]]:
    runs = [ref for ref in refs if not ref.startswith(f"{archives.REF}/")]
    return {"runs": sorted(map(leaf, runs)), "archives": sorted(map(leaf, set(refs) - set(runs)))}


def _annotations(count: int) -> str:
    return _counted(count, "annotation") if count else ""


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _part(verb: str, *words: str) -> str:
    told = [word for word in words if word]
    return f"{verb} {' and '.join(told)}" if told else ""


def _arrow(ref: str, to: str | None) -> str:
    return leaf(ref) if to is None else f"{leaf(ref)} to {leaf(to)}"
