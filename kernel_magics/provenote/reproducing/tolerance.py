"""How far a metric may be off and still count as reproduced. Pure.

``rmse=0.01`` allows a hundredth of the first value, ``rmse=1%`` the same, ``rmse=+-0.5`` half a unit. The
name ``*`` stands for every metric that is not named. Without a word nothing may be off.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from provenote.errors import UsageError

ALL = "*"
_ABSOLUTE = re.compile(r"(?:\+-|±)")
_CLOCK = re.compile(
    r"(?:^|[_\s])(?:s|ms|us|ns|sec|secs|seconds|time|duration|elapsed|runtime|timestamp)$", re.I
)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a number may be from the first one.

    Parameters
    ----------
    size : float
    relative : bool
        Whether ``size`` is a share of the first number.
    """

    size: float = 0.0
    relative: bool = True

    def holds(self, then: float, now: float) -> bool:
        """Tell whether two numbers are near enough; NaN equals NaN, infinity equals itself."""
        if then == now or (math.isnan(then) and math.isnan(now)):
            return True
        if not (math.isfinite(then) and math.isfinite(now)):
            return False
        return abs(now - then) <= (self.size * abs(then) if self.relative else self.size)

    def __str__(self) -> str:
        """Write it as it is typed."""
        return f"{self.size:g}" if self.relative else f"+-{self.size:g}"


EXACT = Tolerance()
Tolerances = Mapping[str, Tolerance]


def parse(words: Iterable[str]) -> dict[str, Tolerance]:
    """Read tolerances as they are typed.

    Parameters
    ----------
    words : iterable of str
        ``name=0.01``, ``name=1%``, ``name=+-0.5``; several in one with commas; a bare
        value is for all.

    Raises
    ------
    UsageError
        If one is no tolerance.
    """
    found: dict[str, Tolerance] = {}
    for word in (part.strip() for each in words for part in each.split(",")):
        if word:
            name, equal, value = word.rpartition("=")
            found[name.strip() if equal else ALL] = _one(value.strip(), word)
    return found


def _one(text: str, word: str) -> Tolerance:
    absolute = _ABSOLUTE.match(text)
    plain = text[absolute.end() :] if absolute else text
    share = 0.01 if plain.endswith("%") and not absolute else 1.0
    try:
        size = float(plain.removesuffix("%") if share != 1.0 else plain) * share
    except ValueError:
        size = math.nan
    if not 0 <= size < math.inf:
        raise UsageError(
            f"{word!r} is no tolerance",
            "Give a share, a percentage or a distance: `--tolerance rmse=0.01`, `rmse=1%`, `rmse=+-0.5`",
        )
    return Tolerance(size, absolute is None)


def check(given: Tolerances, metrics: Iterable[str]) -> None:
    """Refuse a tolerance for a metric that the run does not have.

    Raises
    ------
    UsageError
        If one names no metric.
    """
    known = sorted(metrics)
    for name in given:
        if name != ALL and name not in known:
            few = ", ".join(known[:8]) or "none"
            raise UsageError(f"the run has no metric {name!r}", f"It has: {few}")


def of(given: Tolerances, key: str) -> Tolerance:
    """Return the tolerance of a metric."""
    return given.get(key, given.get(ALL, EXACT))


def is_clock(key: str) -> bool:
    """Tell whether a metric measures time, by its name: ``fit_s``, ``epoch_time``."""
    return _CLOCK.search(re.split(r"[./]", key)[-1]) is not None
