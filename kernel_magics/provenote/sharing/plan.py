"""What a clone has to do so that it and a remote hold the same runs. Pure: from refs to refs.

A run's ref is an element of a set as the pair (ref, commit). Two sets unite; what some clone removed or
renamed is *gone* as that very pair, which the annotations tell to every clone. A ref holds one commit: where
the two sides put different runs under one ref, the one here steps aside to a longer name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

Refs = Mapping[str, str]
"""Commit by ref."""
Element = tuple[str, str]
"""A ref and the commit that it points to."""


@dataclass(frozen=True, slots=True)
class Departure:
    """A ref that this clone had at its last exchange and has no more.

    Parameters
    ----------
    ref, commit : str
    to : str or None
        The ref that appeared on the same commit: it was renamed; None: it was removed.
    """

    ref: str
    commit: str
    to: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done with the refs of runs.

    Parameters
    ----------
    receive : tuple of str
        Refs to fetch.
    aside : mapping of str to str
        Refs here that make room for another run: their new names.
    send : mapping of str to str
        What the remote lacks: commit by ref.
    replace : mapping of str to (str, str)
        Refs that hold something gone on the remote and another run here: the new and the old commit.
    delete : mapping of str to str
        Refs on the remote that are gone: the commit they still point to.
    """

    receive: tuple[str, ...] = ()
    aside: Mapping[str, str] = field(default_factory=dict)
    send: Mapping[str, str] = field(default_factory=dict)
    replace: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    delete: Mapping[str, str] = field(default_factory=dict)


def departures(known: Refs, here: Refs, kept: Collection[str] = ()) -> list[Departure]:
    """Return what was removed or renamed here since the last exchange.

    Parameters
    ----------
    known : Refs
        What this clone had then.
    here : Refs
        What it has now.
    kept : collection of str
        Commits that an archive holds: their refs left for that reason.
    """
    on = defaultdict(list)
    for ref, commit in sorted(here.items()):
        if known.get(ref) != commit:
            on[commit].append(ref)
    found = []
    for ref, commit in sorted(known.items()):
        if here.get(ref) == commit or commit in kept:
            continue
        new = on[commit]
        # Several names may have changed on one commit: each old one goes with a new one while there are some.
        found.append(Departure(ref, commit, new.pop(0) if new else None))
    return found


def revivals(here: Refs, gone: Collection[Element], obeyed: Collection[Element]) -> list[Element]:
    """Return what is gone, was dropped here for that, and stands here again: somebody wants it back."""
    return sorted(pair for pair in here.items() if pair in gone and pair in obeyed)


def drops(here: Refs, gone: Mapping[Element, str | None], obeyed: Collection[Element]) -> dict[str, str]:
    """Return the refs to drop here, by commit: gone, and not dropped before."""
    return {
        ref: commit for ref, commit in here.items() if (ref, commit) in gone and (ref, commit) not in obeyed
    }


def successors(dropped: Refs, here: Refs, gone: Mapping[Element, str | None]) -> dict[str, str]:
    """Return the refs that a dropped one was renamed to and that are not here: no run loses its last name."""
    made = {}
    for ref, commit in dropped.items():
        to, seen = gone.get((ref, commit)), {ref}
        while to is not None and to not in seen and (to, commit) in gone:  # renamed twice meanwhile
            seen.add(to)
            to = gone[to, commit]
        if to is not None and to not in here and (to, commit) not in gone:
            made[to] = commit
    return made


def plan(here: Refs, there: Refs, gone: Collection[Element], kept: Collection[str] = ()) -> Plan:
    """Return what makes this clone and a remote hold the same.

    Parameters
    ----------
    here, there : Refs
        Runs of this clone, and of the remote.
    gone : collection of (ref, commit)
        What was removed or renamed.
    kept : collection of str
        Commits that an archive holds, so that their refs have left.
    """
    receive, aside = [], {}
    send: dict[str, str] = {}
    replace: dict[str, tuple[str, str]] = {}
    delete: dict[str, str] = {}
    for ref in sorted({*here, *there}):
        mine, its = here.get(ref), there.get(ref)
        if mine is not None and ((ref, mine) in gone or mine in kept):
            mine = None
        if its is not None and ((ref, its) in gone or its in kept):
            if mine is None:
                delete[ref] = its
            elif mine != its:
                replace[ref] = mine, its
        elif its is None:
            if mine is not None:
                send[ref] = mine
        elif mine is None:
            if here.get(ref) is None:
                receive.append(ref)
        elif mine != its:
            receive.append(ref)
            aside[ref] = _free(f"{ref}-{mine[:7]}", mine, here, there)
    return Plan(tuple(receive), aside, send, replace, delete)


def _free(name: str, commit: str, here: Refs, there: Refs) -> str:
    """Return a name that is free on both sides, or holds this very commit already."""
    length = 7
    stem = name[:-length]
    while any(side.get(name, commit) != commit for side in (here, there)):
        length += 1
        name = stem + commit[:length] + "x" * (length - len(commit))
    return name
