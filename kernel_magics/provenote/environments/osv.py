"""Records of weaknesses in OSV's format, read for what a match needs, and written compactly. Pure.

- A record that is withdrawn, of another ecosystem, or only about Git commits says nothing here.
- Records come from anybody: what cannot be read is counted, and where it is about a package that is here, the
  match is not known. Nothing of it stops the others.

Format: https://ossf.github.io/osv-schema/ (version 1.7).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from provenote.environments.advisories import KINDS, SCHEMA, Entry, inside, parsed
from provenote.stores.environments import normalized

ECOSYSTEM = "PyPI"
LINE = 160
"""Characters of a record's summary that are kept."""
_MOST = 100_000
"""Versions, and events, of one record that are read."""


@dataclass(slots=True)
class Snapshot:
    """Records of one day, by package.

    Parameters
    ----------
    as_of : str
        ISO time of the newest record, in UTC; empty where none tells it.
    entries : dict
        Entries by normalized name.
    unread : int
        Records that could not be read at all.
    withdrawn, others : int
        Records that were withdrawn, or are about other ecosystems or commits only.
    """

    as_of: str = ""
    entries: dict[str, list[Entry]] = field(default_factory=dict)
    unread: int = 0
    withdrawn: int = 0
    others: int = 0


def gather(records: Iterable[bytes | None], now: datetime | None = None) -> Snapshot:
    """Read records in OSV's format.

    Parameters
    ----------
    records : iterable of bytes or None
        JSON texts; None stands for one that could not even be read.
    now : datetime, optional
        Records that claim to be of a later time do not make the snapshot newer.
    """
    limit = (now or datetime.now(UTC)) + timedelta(days=1)
    found = Snapshot()
    newest = datetime.min.replace(tzinfo=UTC)
    for content in records:
        try:
            record = json.loads(content or b"")
            if not isinstance(record, dict) or not isinstance(record.get("id"), str) or not record["id"]:
                raise ValueError("no record")
        except (ValueError, RecursionError):
            found.unread += 1
            continue
        moment = _moment(record.get("modified")) or _moment(record.get("published"))
        if moment is not None and newest < moment <= limit:
            newest = moment
        if record.get("withdrawn"):
            found.withdrawn += 1
            continue
        told = list(_entries(record))
        found.others += not told
        for name, entry in told:
            found.entries.setdefault(name, []).append(entry)
    found.as_of = newest.isoformat(timespec="seconds") if newest.year > 1 else ""
    return found


def _moment(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _entries(record: Mapping[str, Any]) -> Iterator[tuple[str, Entry]]:
    """Yield what a record says of each package."""
    aliases = tuple(_text(one) for one in _list(record.get("aliases")) if isinstance(one, str))
    summary = _text(record.get("summary") or record.get("details") or "", LINE)
    about = Entry(_text(record["id"]), aliases, summary, _severity(record))
    for affected in _list(record.get("affected")):
        package = affected.get("package") if isinstance(affected, dict) else None
        if not isinstance(package, dict) or package.get("ecosystem") != ECOSYSTEM:
            continue
        name = package.get("name")
        if not isinstance(name, str) or not name.strip():
            continue
        ranges, unread = [], False
        for one in _list(affected.get("ranges")):
            if not isinstance(one, dict) or one.get("type") != "ECOSYSTEM":
                unread |= not isinstance(one, dict) or one.get("type") not in ("GIT", "ECOSYSTEM")
                continue
            events = _events(one)
            if events is None:
                unread = True
            else:
                ranges.append(events)
        versions = [one for one in _list(affected.get("versions"))[:_MOST] if isinstance(one, str)]
        unread |= len(versions) != len(_list(affected.get("versions")))
        left = tuple(dict.fromkeys(one for one in versions if not _covered(one, ranges)))
        if ranges or left or unread:
            yield normalized(name.strip()), replace(about, ranges=tuple(ranges), versions=left, unread=unread)


def _events(one: Mapping[str, Any]) -> tuple[tuple[str, str], ...] | None:
    """Return the events of a range in the order of their versions; None where they cannot be read."""
    found: list[tuple[str, str]] = []
    events = one.get("events")
    if not isinstance(events, list) or len(events) > _MOST:
        return None
    for event in events:
        if not isinstance(event, dict):
            return None
        for kind, version in event.items():
            if kind == "limit" and version == "*":
                continue
            if kind not in KINDS or not isinstance(version, str):
                return None
            if not (kind == "introduced" and version == "0") and parsed(version) is None:
                return None
            found.append((kind, version))
    if not any(kind == "introduced" for kind, _ in found):
        return None
    return tuple(sorted(found, key=_order))


def _order(event: tuple[str, str]) -> tuple[bool, Any, int]:
    kind, version = event
    if kind == "introduced" and version == "0":
        return (False, 0, 0)
    return (True, parsed(version), KINDS[kind])


def _covered(version: str, ranges: Sequence[tuple[tuple[str, str], ...]]) -> bool:
    found = parsed(version)
    return found is not None and any(inside(found, events) for events in ranges)


def _severity(record: Mapping[str, Any]) -> str:
    own = record.get("database_specific")
    word = own.get("severity") if isinstance(own, dict) else None
    if isinstance(word, str):
        return _text(word, 20).lower()
    if str(record["id"]).startswith("MAL-"):
        return "malware"
    scores = [one.get("score") for one in _list(record.get("severity")) if isinstance(one, dict)]
    return _text(next((score for score in scores if isinstance(score, str)), ""), 80)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any, most: int = 100) -> str:
    line = " ".join(str(value).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def dump(snapshot: Snapshot, source: str = "") -> Iterator[str]:
    """Yield the lines of the compact form: a head, then one for each package, sorted.

    Equal records give equal lines, in whatever order they came.
    """
    head = {
        "provenote_advisories": SCHEMA,
        "as_of": snapshot.as_of,
        "source": source,
        "packages": len(snapshot.entries),
        "advisories": len({entry.id for held in snapshot.entries.values() for entry in held}),
        "unread": snapshot.unread,
    }
    yield json.dumps(head, ensure_ascii=True)
    for name in sorted(snapshot.entries):
        held = sorted((_plain(entry) for entry in snapshot.entries[name]), key=json.dumps)
        yield json.dumps([name, held], ensure_ascii=True, separators=(",", ":"))


def _plain(entry: Entry) -> dict[str, Any]:
    found = {name: getattr(entry, name) for name in Entry.__slots__}
    return {name: value for name, value in found.items() if value}
