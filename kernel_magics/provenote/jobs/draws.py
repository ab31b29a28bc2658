"""Ranges of a parameter, and jobs drawn from them at random. Pure: the same seed draws the same jobs.

A range is ``2..9`` (both ends belong to it) or ``log:0.001..0.1`` (even over the orders of magnitude).
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provenote.errors import UsageError
from provenote.jobs.kinds import Kind
from provenote.jobs.parameters import Parameter

_LOG = "log:"
_PATIENCE = 100  # draws for each new combination, before the rest is taken in shuffled order


@dataclass(frozen=True, slots=True)
class Range:
    """The values between two ends.

    Parameters
    ----------
    low, high : int or float
        Both belong to it.
    log : bool
        Whether it is even over the logarithm.
    whole : bool
        Whether only whole numbers belong to it.
    """

    low: float
    high: float
    log: bool
    whole: bool

    def __len__(self) -> int:
        """Return how many values a range of whole numbers has."""
        return int(self.high) - int(self.low) + 1

    def at(self, share: float) -> int | float:
        """Return the value at ``share`` (0 <= share < 1) of the range; floats with six digits that count."""
        if self.log:
            low, high = math.log(self.low), math.log(self.high)
            value = math.exp(low + share * (high - low))
        else:
            value = self.low + share * (self.high - self.low + self.whole)
        if self.whole:
            return min(int(self.high), max(int(self.low), round(value) if self.log else math.floor(value)))
        return min(self.high, max(self.low, float(f"{value:.6g}")))


Axis = Sequence[Any] | Range
"""The values of one parameter: those listed, or a range."""


def read(parameter: Parameter, text: str) -> Range | None:
    """Return the range that ``text`` writes; None if it writes none, or the parameter takes no numbers.

    Raises
    ------
    UsageError
        If it is a range with wrong ends.
    """
    whole, real = _numeric(parameter.kind)
    log = text.strip().startswith(_LOG)
    first, dots, last = text.strip().removeprefix(_LOG).partition("..")
    if not (whole or real) or not (dots or log):
        return None
    mend = f"Write `-g {parameter.name}=2..9` or `-g {parameter.name}=log:0.001..0.1`"
    try:
        low, high = _end(first), _end(last)
    except ValueError:
        raise UsageError(f"{text!r} is no range of {parameter.name}", mend) from None
    if isinstance(low, float) or isinstance(high, float):
        if not real:
            raise UsageError(
                f"parameter {parameter.name} takes {parameter.kind}, and {text!r} is of floats", mend
            )
        whole = False
    if not low < high:
        raise UsageError(
            f"the range {text!r} of {parameter.name} is empty", f"The smaller end comes first. {mend}"
        )
    if log and low <= 0:
        raise UsageError(
            f"the range {text!r} of {parameter.name} begins at {low}", "A log range begins above 0"
        )
    return Range(low, high, log, whole) if whole else Range(float(low), float(high), log, whole)


def spread(name: str, axis: Axis) -> Sequence[Any]:
    """Return all values of an axis, as a grid needs them.

    Raises
    ------
    UsageError
        If it is a range that has none: of floats, or even over the logarithm.
    """
    if not isinstance(axis, Range):
        return axis
    if axis.log or not axis.whole:
        raise UsageError(
            f"axis {name} is a range, and a grid needs each value",
            f"Draw from it: `--random 20`, or list the values: `-g {name}=v1,v2`",
        )
    return range(int(axis.low), int(axis.high) + 1)


def drawn(axes: Mapping[str, Axis], count: int, seed: int, fixed: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the parameters of ``count`` different jobs, drawn with ``seed``.

    More jobs with the same seed begin with the same ones.

    Raises
    ------
    UsageError
        If there are not as many combinations.
    """
    size = 1
    for axis in axes.values():
        many = isinstance(axis, Range) and not axis.whole
        size = size * (10**18 if many else len(axis))
    if count > size:
        raise UsageError(
            f"there are {size:,} combinations, fewer than {count:,}", "Run them all: leave out --random"
        )
    source = random.Random(seed)  # noqa: S311 - no secret: only `random()`, which is the same in every Python
    found: dict[str, dict[str, Any]] = {}
    for _ in range(count * _PATIENCE):
        if len(found) == count:
            break
        choice = {name: _one(axis, source.random()) for name, axis in axes.items()}
        found.setdefault(repr(choice), choice)
    if len(found) < count:  # a small space, of which some values are rarely drawn
        rest = itertools.product(*(_all(axis) for axis in axes.values()))
        for values in sorted(rest, key=lambda _: source.random()):
            choice = dict(zip(axes, values, strict=True))
            if len(found) < count:
                found.setdefault(repr(choice), choice)
    return [{**fixed, **choice} for choice in found.values()]


def _one(axis: Axis, share: float) -> Any:
    return axis.at(share) if isinstance(axis, Range) else axis[int(share * len(axis))]


def _all(axis: Axis) -> Sequence[Any]:
    return range(int(axis.low), int(axis.high) + 1) if isinstance(axis, Range) else axis


def _end(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _numeric(kind: Kind) -> tuple[bool, bool]:
    """Return whether a parameter of this kind takes whole numbers, and floats."""
    names = {kind.name, *(option.name for option in kind.inner if kind.name == "union")}
    both = "any" in names
    return both or "int" in names, both or "float" in names
