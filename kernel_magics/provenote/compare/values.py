"""Values of the query language: what a literal is, and when a run's value compares with it.

A literal is None, a bool, a number, a text, a `Moment` (a stretch of time with a begin and an end) or
an `Ago` (a time counted back from now). The rules, all total:

- a missing or null value, and an empty list, meets only ``== null``;
- numbers compare with numbers; the stored texts ``NaN`` and ``inf`` count as the numbers they name, and
  NaN equals NaN here, so that diverged runs can be found;
- texts compare with texts, flags with flags; of two kinds only ``!=`` holds;
- a list meets ``==`` and ``~`` if one of its elements does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from math import isfinite, isnan
from typing import Any

from provenote.compare.numbers import number

NAN = float("nan")
"""The one NaN of parsed queries: being one object, it makes equal trees equal."""

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_SPAN = re.compile(r"(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)(ms|s|m|h|d|w)", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,300}", re.ASCII)
_NAMED = {"nan": NAN, "inf": float("inf"), "+inf": float("inf"), "-inf": float("-inf")}
_MOMENT = re.compile(
    r"(\d{4})-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?(Z|[+-]\d\d:\d\d)?)?)?", re.ASCII
)


@dataclass(frozen=True)
class Moment:
    """A month, day, minute or second, in local time unless it names a zone.

    Parameters
    ----------
    text : str
        As it is written, e.g. ``2026-11-01`` or ``2026-11-01T14:00Z`` (ISO 8601).
    """

    text: str

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """Begin and end (exclusive) in seconds since 1970."""
        found = _MOMENT.fullmatch(self.text)
        if not found:
            raise ValueError(self.text)
        year, month, day, hour, minute, second, zone = found.groups()
        form = f"{year}-{month}-{day or '01'}T{hour or '00'}:{minute or '00'}:{second or '00'}"
        begin = datetime.fromisoformat(form + (zone or "").replace("Z", "+00:00"))
        if not 1971 <= begin.year <= 9000:
            raise ValueError(self.text)
        if second or minute:
            end = begin + timedelta(seconds=1 if second else 60)
        elif day:
            end = begin + timedelta(days=1)
        else:
            end = (begin + timedelta(days=32)).replace(day=1)
        return begin.timestamp(), end.timestamp()


@dataclass(frozen=True, slots=True)
class Ago:
    """A time counted back from now, in seconds."""

    seconds: float


Value = None | bool | int | float | str | Moment | Ago


def as_number(text: str) -> int | float | None:
    """Read ``text`` as a number of the language, None if it is none."""
    if text.lower() in _NAMED:
        return _NAMED[text.lower()]
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else None


def as_span(text: str) -> float | None:
    """Read ``text`` (``90s``, ``1.5h``, ``7d``) as seconds, None if it is no finite duration."""
    found = _SPAN.fullmatch(text)
    seconds = float(found[1]) * _SECONDS[found[2]] if found else None
    return seconds if seconds is not None and isfinite(seconds) else None


def as_moment(text: str) -> Moment | None:
    """Read ``text`` as a month, day, minute or second, None if it is none."""
    moment = Moment(text)
    try:
        moment.bounds  # noqa: B018 - computing them is the check
    except (ValueError, OverflowError, OSError):
        return None
    return moment


def written(value: Value) -> str:
    """Write a literal so that it reads back as itself."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Ago):
        for unit in ("w", "d", "h", "m"):
            count = value.seconds / _SECONDS[unit]
            if count and count == int(count) < 1e6 and count * _SECONDS[unit] == value.seconds:
                return f"{int(count)}{unit}"
        return f"{value.seconds!r}s"
    if isinstance(value, (int, float)):
        return repr(value)
    text = value.text if isinstance(value, Moment) else value
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def holds(found: Any, op: str, value: Value, now: float) -> bool:
    """Tell whether ``found op value`` holds; never raises.

    Parameters
    ----------
    found : object
        What the run has: any JSON value.
    op : {'==', '!=', '<', '<=', '>', '>=', '~'}
    value : Value
        The literal of the query.
    now : float
        Seconds since 1970, for `Ago`.
    """
    if isinstance(found, (list, tuple)):
        if len(found) and value is not None:
            if op == "!=":
                return not any(_scalar(each, "==", value, now) for each in found)
            return op in ("==", "~") and any(_scalar(each, op, value, now) for each in found)
        found = None if not len(found) else found
    if value is None or found is None:
        return (op == "==") if found is value else (op == "!=" and value is None)
    return _scalar(found, op, value, now)


def _scalar(found: Any, op: str, value: Value, now: float) -> bool:
    if op == "~":
        return isinstance(found, str) and isinstance(value, str) and value.casefold() in found.casefold()
    if isinstance(value, (Moment, Ago)):
        begin, end = value.bounds if isinstance(value, Moment) else (now - value.seconds,) * 2
        return _in_time(found, op, begin, end)
    if not (isinstance(found, str) and isinstance(value, str)):
        left, right = number(found), number(value)
        if left is not None and right is not None:
            return _ordered(left, op, right)
        if not (isinstance(found, bool) and isinstance(value, bool)):
            return op == "!="
    return _ordered(found, op, value)


def _in_time(found: Any, op: str, begin: float, end: float) -> bool:
    """Compare with a stretch of time: before it, within it, after it."""
    at = number(found)
    if at is None or isnan(at):
        return False
    before, within = at < begin, begin <= at < end or at == begin
    if op in ("==", "!="):
        return within == (op == "==")
    return within and "=" in op or before and "<" in op or not (before or within) and ">" in op


def _ordered(left: Any, op: str, right: Any) -> bool:
    if left != left or right != right:
        both = left != left and right != right
        return both if op == "==" else op == "!=" and not both
    return bool(
        {
            "==": left == right,
            "!=": left != right,
            "<": left < right,
            "<=": left <= right,
            ">": left > right,
            ">=": left >= right,
        }[op]
    )
