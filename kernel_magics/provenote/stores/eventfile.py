"""One event in one file: a canonical JSON line, a signature behind it where there is one, its hash as name.

What the ledger's events and the annotations of runs have in common. Both parts of a file have exactly one
form, so nobody can make a second event out of another's.
"""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from provenote.errors import Refused
from provenote.stores.digest import parse_canonical, sha256_bytes

if TYPE_CHECKING:
    from provenote.stores.keys import Signer
    from provenote.stores.signatures import PublicKey

FORMAT = 1
LARGEST = 64 * 1024
"""Bytes of one event with its signature."""
SKEW = 600
"""Seconds by which the clocks of those who sign may differ."""
HEX = re.compile(r"[0-9a-f]{64}")
"""The form of an event's id."""

_AT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", re.ASCII)
_PATH = re.compile(r"e/([0-9a-f]{2})/([0-9a-f]{62})")


class BadEvent(Refused):
    """The file is no event, or none that counts."""


class Placed(Protocol):
    """What has a place among others: the ids that it had seen, and its time."""

    @property
    def prev(self) -> tuple[str, ...]:
        """Ids of its predecessors."""

    @property
    def at(self) -> int:
        """Seconds since 1970, as it says."""


def in_order(found: Mapping[str, Placed]) -> list[str]:
    """Return the ids so that each stands after its predecessors, otherwise by time and id.

    An event names others by hashes of their content, so there is no circle.
    """
    order: list[str] = []
    done: set[str] = set()
    for start in sorted(found, key=lambda name: (found[name].at, name)):
        waiting = [start]
        while waiting:
            name = waiting[-1]
            open_ones = [earlier for earlier in found[name].prev if earlier in found and earlier not in done]
            if name in done or not open_ones:
                waiting.pop()
                if name not in done:
                    done.add(name)
                    order.append(name)
            else:
                waiting += open_ones
    return order


def seal(line: bytes, namespace: str, signer: Signer | None) -> tuple[str, bytes]:
    """Return ``(path, content)`` of an event's file, signed if there is a signer."""
    content = line if signer is None else line + signer.sign(line, namespace)
    name = sha256_bytes(content)
    return f"e/{name[:2]}/{name[2:]}", content


def event_id(path: str) -> str | None:
    """Return the id that a path claims, or None if it is no event's path."""
    found = _PATH.fullmatch(path)
    return found[1] + found[2] if found else None


def opened(
    name: str, content: bytes, namespace: str, *, signed: bool
) -> tuple[dict[str, Any], PublicKey | None]:
    """Return what a file says, and the key that signed it.

    Parameters
    ----------
    name : str
        The id that its path claims.
    content : bytes
        The file.
    namespace : str
        What its signature must be for.
    signed : bool
        Whether it must be signed.

    Raises
    ------
    BadEvent, BadSignature
        If it is not exactly an event, or its signature does not hold.
    """
    if len(content) > LARGEST:
        raise BadEvent(f"larger than {LARGEST} bytes")
    if sha256_bytes(content) != name:
        raise BadEvent("its name is not the hash of its content")
    line, feed, armored = content.partition(b"\n")
    key = None
    if signed or armored:
        from provenote.stores import signatures  # unsigned annotations are read without it

        key = signatures.verify_canonical(line + b"\n", armored, namespace)
    return parsed(line + feed), key


def parsed(line: bytes) -> dict[str, Any]:
    """Return what a canonical line says.

    Raises
    ------
    BadEvent
        If it is none, or no map.
    """
    try:
        body = parse_canonical(line)
    except (ValueError, RecursionError) as error:
        raise BadEvent(f"not a canonical JSON line: {error}") from None
    if not isinstance(body, dict):
        raise BadEvent("not a canonical JSON line")
    return body


def check_head(body: dict[str, Any], *fields: str) -> None:
    """Refuse a body of another format, or one that lacks one of these texts."""
    if body.get("v") != FORMAT or body.get("v") is True:
        raise BadEvent(f"of format {ascii(body.get('v'))}, which this version of Provenote does not know")
    for field in fields:
        if not isinstance(body.get(field), str):
            raise BadEvent(f"it lacks {field!r}")


def timestamp(at: int) -> str:
    """Write seconds since 1970 as ``2026-11-23T10:00:00Z``."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def seconds(text: str) -> int:
    """Read ``2026-11-23T10:00:00Z``.

    Raises
    ------
    BadEvent
        If it is no such time.
    """
    try:
        if not _AT.fullmatch(text):
            raise ValueError
        year, month, day, hour, minute, second = map(int, re.split("[-T:Z]", text)[:6])
        return calendar.timegm(datetime(year, month, day, hour, minute, second).timetuple())
    except (ValueError, OverflowError):
        raise BadEvent(f"{ascii(text[:40])} is no time") from None
