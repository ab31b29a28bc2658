"""What all annotations together say: of each run, and of refs that are gone. Pure.

- `fold` makes one state of a set of events, whatever the order in which they came: an event stands after all
  that its author had seen; where that leaves a choice, after the earlier ones; then by name. The last word
  counts, so a clock that is wrong never lets an old word win over its answer.
- ``undo`` takes events back for ever, but only those of the same person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from provenote.stores.annotation import GONE, SAID, Annotation, Element, person

MARKS = {
    "star": ("starred", True),
    "unstar": ("starred", False),
    "archive": ("archived", True),
    "unarchive": ("archived", False),
    "pin": ("pinned", True),
    "unpin": ("pinned", False),
}
"""Events that set one mark of a run: the mark and its value."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What is said of one run.

    Parameters
    ----------
    starred, archived, pinned : bool
    reproduced : str or None
        Verdict of the last reproduction, ``identical``, ``within tolerance`` or ``different``.
    tags : mapping of str to bool
        Tags that were added (True) or taken away (False) since the run ended.
    notes : tuple of str
    """

    starred: bool = False
    archived: bool = False
    pinned: bool = False
    reproduced: str | None = None
    tags: Mapping[str, bool] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def tagged(self, given: Iterable[str]) -> list[str]:
        """Return the tags of a run that got ``given`` while it ran."""
        stay = [tag for tag in given if self.tags.get(tag, True)]
        return stay + [tag for tag, added in self.tags.items() if added and tag not in stay]


@dataclass(frozen=True, slots=True)
class Annotations:
    """What a set of events says.

    Parameters
    ----------
    runs : mapping of str to Marks
        By run id; runs of which nothing is said are absent.
    gone : mapping of (ref, commit) to str or None
        Refs that were removed (None) or renamed (their new ref).
    heads : tuple of str
        Events that no other builds on: what the next one names.
    """

    runs: Mapping[str, Marks] = field(default_factory=dict)
    gone: Mapping[Element, str | None] = field(default_factory=dict)
    heads: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        marks = ("starred", "archived", "pinned", "reproduced", "tags", "notes")
        runs = {
            run: {name: value for name in marks if (value := getattr(said, name))}
            for run, said in self.runs.items()
        }
        gone = [[ref, commit, to] for (ref, commit), to in self.gone.items()]
        return {"runs": runs, "gone": gone, "heads": list(self.heads)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Annotations:
        """Read it from what `to_json` made."""
        runs = {run: _marks(said) for run, said in value["runs"].items()}
        return cls(runs, {(ref, commit): to for ref, commit, to in value["gone"]}, tuple(value["heads"]))


def ordered(events: Iterable[Annotation]) -> list[Annotation]:
    """Return events in the one order that every clone finds: causes first, then by time, then by name.

    The time of an event counts as that of its latest cause, where its own clock says less.
    """
    by_id = {event.id: event for event in events}
    place: dict[str, tuple[int, int]] = {}  # time, and length of the longest chain of causes
    for first in by_id:
        waiting = [first]
        while waiting:
            event = by_id[waiting[-1]]
            causes = [name for name in event.prev if name in by_id]
            unknown = [name for name in causes if name not in place]
            if unknown:
                waiting += unknown
                continue
            waiting.pop()
            at = max([event.at, *(place[name][0] for name in causes)])
            place[event.id] = at, 1 + max((place[name][1] for name in causes), default=0)
    return sorted(by_id.values(), key=lambda event: (*place[event.id], event.id))


def undone(events: Iterable[Annotation]) -> set[str]:
    """Return the ids of the events that their own authors took back."""
    by_id = {event.id: event for event in events}
    return {
        target
        for event in by_id.values()
        if event.type == "undo"
        for target in event.body["targets"]
        if target in by_id and by_id[target].type in SAID and by_id[target].person == event.person
    }


def fold(events: Iterable[Annotation]) -> Annotations:
    """Return what a set of events says; the order in which they are given means nothing."""
    line = ordered(events)
    back = undone(line)
    runs: dict[str, dict[str, Any]] = {}
    gone: dict[Element, str | None] = {}
    for event in line:
        if event.type in GONE:
            _move(gone, event)
        elif event.id not in back:
            for run in event.runs:
                _say(runs, run, event)
    built_on = {name for event in line for name in event.prev}
    heads = tuple(sorted(event.id for event in line if event.id not in built_on))
    made = {run: _marks(said) for run, said in runs.items()}
    return Annotations(made, dict(sorted(gone.items())), heads)


def _marks(said: Mapping[str, Any]) -> Marks:
    return Marks(**{**said, "notes": tuple(said.get("notes", ()))})


def _say(runs: dict[str, dict[str, Any]], run: str, event: Annotation) -> None:
    if event.type not in SAID and event.type != "reproduced":
        return  # a word of a later release
    said = runs.setdefault(run, {})
    if event.type in MARKS:
        name, value = MARKS[event.type]
        said[name] = value
    elif event.type in ("tag", "untag"):
        said.setdefault("tags", {}).update(dict.fromkeys(event.body["tags"], event.type == "tag"))
    elif event.type == "note":
        said.setdefault("notes", []).append(event.body["text"])
    elif event.type == "reproduced":
        said["reproduced"] = event.body["verdict"]


def _move(gone: dict[Element, str | None], event: Annotation) -> None:
    element = (event.body["ref"], event.body["commit"])
    if event.type == "revived":
        gone.pop(element, None)
    else:
        gone[element] = event.body["to"] if event.type == "renamed" else None


def last_act(events: Iterable[Annotation], by: str) -> list[Annotation]:
    """Return the events of the last thing that a person said and has not taken back, or none."""
    line = ordered(events)
    back = undone(line)
    who = person(by)
    own = [each for each in line if each.type in SAID and each.person == who and each.id not in back]
    return [event for event in own if event.act == own[-1].act]
