"""A table as arrays: numbers, words, and when each row happened. What the statistics here read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

DISTINCT = 24
"""Whole numbers with no more values than this are kinds, as a weekday or the state of the weather."""
EACH = 30
"""Rows that a kind needs on average: with fewer, whole numbers are amounts."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Columns of equal length.

    Parameters
    ----------
    numbers : dict of str to float64 array
        Amounts; NaN is a missing one.
    words : dict of str to object array
        Kinds, as text; None is a missing one.
    times : datetime64[s] array or None
        When each row happened, in the order of time; None without a column of time.
    """

    numbers: dict[str, Array] = field(default_factory=dict)
    words: dict[str, Array] = field(default_factory=dict)
    times: Array | None = None

    def __len__(self) -> int:
        """Count the rows."""
        for columns in (self.numbers, self.words):
            for values in columns.values():
                return len(values)
        return 0 if self.times is None else len(self.times)

    @property
    def columns(self) -> list[str]:
        """Names of the columns, amounts first."""
        return [*self.numbers, *self.words]

    def take(self, rows: Array | slice) -> Frame:
        """Return some rows, by a mask, positions or a slice."""
        return Frame(
            {name: values[rows] for name, values in self.numbers.items()},
            {name: values[rows] for name, values in self.words.items()},
            None if self.times is None else self.times[rows],
        )

    def sorted(self) -> Frame:
        """Return the rows in the order of time; rows of one time keep theirs."""
        if self.times is None or bool(np.all(self.times[1:] >= self.times[:-1])):
            return self
        return self.take(np.argsort(self.times, kind="stable"))

    def without(self, names: Iterable[str]) -> Frame:
        """Return the frame without these columns."""
        out = set(names)
        return replace(
            self,
            numbers={name: values for name, values in self.numbers.items() if name not in out},
            words={name: values for name, values in self.words.items() if name not in out},
        )


def missing(values: Array) -> Array:
    """Return which values are missing."""
    if values.dtype.kind == "f":
        return np.asarray(np.isnan(values))
    return np.fromiter((value is None for value in values), bool, len(values))


def together(frames: Iterable[Frame]) -> Frame:
    """Return the rows of several frames, as the columns of the first; what others lack is missing there."""
    given = list(frames)
    first = given[0]
    numbers = {
        name: np.concatenate([frame.numbers.get(name, np.full(len(frame), np.nan)) for frame in given])
        for name in first.numbers
    }
    words = {
        name: np.concatenate([frame.words.get(name, np.full(len(frame), None, object)) for frame in given])
        for name in first.words
    }
    parts = [frame.times for frame in given if frame.times is not None]
    return Frame(numbers, words, np.concatenate(parts) if len(parts) == len(given) else None)


def as_kinds(frame: Frame) -> Frame:
    """Return the frame with columns of few whole numbers as words: a weekday is no amount."""
    kinds = [name for name, values in frame.numbers.items() if _is_kind(values)]
    return like(frame, frame.numbers.keys() - set(kinds), [*frame.words, *kinds])


def like(frame: Frame, numbers: Iterable[str], words: Iterable[str]) -> Frame:
    """Return the frame with these columns as numbers and as words, whatever they were; others are left out.

    Words among numbers become missing ones, and numbers among words their shortest text.
    """
    wanted_numbers, wanted_words = set(numbers), set(words)
    made_numbers: dict[str, Array] = {}
    made_words: dict[str, Array] = {}
    for name in frame.columns:
        values = frame.numbers.get(name)
        if name in wanted_numbers:
            made_numbers[name] = values if values is not None else _parsed(frame.words[name])
        elif name in wanted_words:
            made_words[name] = _named(values) if values is not None else frame.words[name]
    return Frame(made_numbers, made_words, frame.times)


def _is_kind(values: Array) -> bool:
    there = values[~np.isnan(values)]
    if not len(there) or not bool(np.all(there == np.round(there))):
        return False
    distinct = len(np.unique(there))
    return distinct <= DISTINCT and len(there) >= EACH * distinct


def _named(values: Array) -> Array:
    made = np.full(len(values), None, object)
    there = ~np.isnan(values)
    kinds, place = np.unique(values[there], return_inverse=True)
    names = np.array([f"{kind:.15g}" for kind in kinds], object)
    made[there] = names[place] if len(names) else None
    return made


def _parsed(values: Array) -> Array:
    made = np.full(len(values), np.nan)
    for place, value in enumerate(values):
        try:
            made[place] = float(value)
        except (TypeError, ValueError):
            continue
    return made
