"""Known weaknesses of packages, matched with the versions that are here. Pure.

- The compact form is a line for each package, sorted: only lines of packages that are here are parsed.
- A version that cannot be held against a range is not known to be well: the match says so.
- One weakness that has several names, by its aliases, is one match.

How a range is evaluated: https://ossf.github.io/osv-schema/ ("Evaluation"); versions: PEP 440.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from packaging.version import Version

SCHEMA = 1
KINDS = {"introduced": 0, "fixed": 1, "last_affected": 2}
"""Events of a range, in their order at one version."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one record says of one package.

    Parameters
    ----------
    id : str
        As ``GHSA-...`` or ``PYSEC-2026-1``.
    aliases : tuple of str
        Other names of the same weakness.
    summary : str
    severity : str
        In the record's own words; empty where it has none.
    ranges : tuple of tuple of (str, str)
        Events of each range, as ``("introduced", "1.0")``.
    versions : tuple of str
        Affected versions that no range holds.
    unread : bool
        Whether part of what it says of this package cannot be read.
    """

    id: str
    aliases: tuple[str, ...] = ()
    summary: str = ""
    severity: str = ""
    ranges: tuple[tuple[tuple[str, str], ...], ...] = ()
    versions: tuple[str, ...] = ()
    unread: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """A weakness of a package that is here.

    Parameters
    ----------
    package, version : str
    id : str
        The first of its names.
    aliases : tuple of str
        Its other names.
    summary, severity : str
    fixed : str
        The least later version without it, where a record tells it.
    known : bool
        False where it cannot be told whether this version has it.
    """

    package: str
    version: str
    id: str
    aliases: tuple[str, ...]
    summary: str
    severity: str
    fixed: str = ""
    known: bool = True


# ---------------------------------------------------------------------- the compact form


def head(line: str) -> dict[str, Any]:
    """Read the first line of the compact form.

    Raises
    ------
    ValueError
        If it is none.
    """
    found = json.loads(line)
    if not isinstance(found, dict) or found.get("provenote_advisories") != SCHEMA:
        raise ValueError("no advisories of this form")
    return found


def select(lines: Iterable[str], names: Mapping[str, str]) -> tuple[dict[str, list[Entry]], list[str]]:
    """Read what the compact form says of some packages.

    Parameters
    ----------
    lines : iterable of str
        All but the first.
    names : mapping
        Whose keys are normalized names.

    Returns
    -------
    entries : dict
        By name.
    unread : list of str
        Names of which a line cannot be read.
    """
    found: dict[str, list[Entry]] = {}
    unread = []
    for line in lines:
        name = line[2 : line.find('"', 2)]  # the others' lines are not parsed: that takes the time
        if name not in names:
            continue
        try:
            _, held = json.loads(line)
            found.setdefault(name, []).extend(_entry(one) for one in held)
        except (ValueError, TypeError, KeyError, RecursionError):
            unread.append(name)
    return found, unread


def _entry(one: Mapping[str, Any]) -> Entry:
    ranges = tuple(tuple((str(kind), str(version)) for kind, version in events)
                   for events in one.get("ranges", ()))  # fmt: skip
    return Entry(
        str(one["id"]),
        tuple(map(str, one.get("aliases", ()))),
        str(one.get("summary", "")),
        str(one.get("severity", "")),
        ranges,
        tuple(map(str, one.get("versions", ()))),
        bool(one.get("unread", False)),
    )


# ---------------------------------------------------------------------- matching


@lru_cache(maxsize=200_000)
def parsed(text: str) -> Version | None:
    """Return a version without its local part (``+cpu``), or None for what is none (PEP 440)."""
    from packaging.version import InvalidVersion, Version

    if len(text) > 200:
        return None
    try:
        found = Version(text)
    except (InvalidVersion, ValueError):
        return None
    return Version(found.public) if found.local else found


def matches(entries: Mapping[str, Sequence[Entry]], versions: Mapping[str, str]) -> list[Match]:
    """Return the weaknesses of packages in these versions: one for each, whatever its names.

    Parameters
    ----------
    entries : mapping
        Entries by normalized name.
    versions : mapping of str to str
        Version of each package that is here.
    """
    found = []
    for name, held in entries.items():
        if name not in versions:
            continue
        version = versions[name]
        hits = [(entry, hit) for entry in held if (hit := affects(entry, version)) is not False]
        found += [_match(name, version, group) for group in _alike(hits)]
    return sorted(found, key=lambda one: (one.package, one.id))


def affects(entry: Entry, version: str) -> bool | None:
    """Return whether a version has a weakness; None where that cannot be told."""
    here = parsed(version)
    if version in entry.versions:
        return True
    if here is None:
        return None if entry.ranges or entry.unread else False
    known = {parsed(one) for one in entry.versions}
    try:
        if here in known or any(inside(here, events) for events in entry.ranges):
            return True
    except (TypeError, KeyError):  # a compact form that somebody edited
        return None
    return None if entry.unread else False


def inside(version: Version, events: Sequence[tuple[str, str]]) -> bool:
    """Evaluate the events of a range, which are in the order of their versions."""
    inside = False
    for kind, text in events:
        if kind == "introduced" and text == "0":
            inside = True
            continue
        other = parsed(text)
        if other is None:
            raise TypeError(f"{text!r} is no version")
        if kind == "introduced" and version >= other:
            inside = True
        elif (kind == "fixed" and version >= other) or (kind == "last_affected" and version > other):
            inside = False
    return inside


def _alike(hits: Sequence[tuple[Entry, bool | None]]) -> list[list[tuple[Entry, bool | None]]]:
    """Put together what is one weakness under several names."""
    groups: list[tuple[set[str], list[tuple[Entry, bool | None]]]] = []
    for entry, hit in hits:
        names = {entry.id, *entry.aliases}
        held = [(entry, hit)]
        apart = []
        for known, members in groups:
            if known & names:
                names |= known
                held = members + held
            else:
                apart.append((known, members))
        groups = [*apart, (names, held)]
    return [members for _, members in groups]


def _match(name: str, version: str, group: Sequence[tuple[Entry, bool | None]]) -> Match:
    sure = [entry for entry, hit in group if hit]
    first = min(sure or [entry for entry, _ in group], key=lambda entry: entry.id)
    names = {one for entry, _ in group for one in (entry.id, *entry.aliases)} - {first.id}
    here = parsed(version)
    later = [
        one
        for entry, _ in group
        for events in entry.ranges
        for kind, text in events
        if kind == "fixed" and here and (one := parsed(text)) is not None and one > here
    ]
    summary = next((entry.summary for entry, _ in group if entry.summary), "")
    severity = next((entry.severity for entry, _ in group if entry.severity), "")
    fixed = str(min(later)) if later else ""
    return Match(name, version, first.id, tuple(sorted(names)), summary, severity, fixed, bool(sure))
