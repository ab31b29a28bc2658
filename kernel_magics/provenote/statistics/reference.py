"""What a reference teaches: its own windows, their facts, relations, clock and distances, and limits on them.

Everything here can be asked *without* some own windows, so that a window of the reference itself, or one that
overlaps it, is judged by the others alone: that is how false alarms are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from provenote.statistics import cycles, distances, facts, limits, relations, windows
from provenote.statistics.cycles import Clock, Lag
from provenote.statistics.facts import Fact, Summary
from provenote.statistics.frame import Array, Frame, as_kinds, like, missing, together
from provenote.statistics.limits import Band
from provenote.statistics.relations import Relations
from provenote.statistics.windows import Window

ROWS = 100
"""Rows that a window needs to be judged."""

Kind = Literal["fact", "relation", "clock", "marginal"]


@dataclass(frozen=True, slots=True)
class Signal:
    """One statistic of a window against its limit.

    Parameters
    ----------
    kind : {'fact', 'relation', 'clock', 'marginal'}
    name : str
        The same from window to window: ``missing:hum``, ``relation:temp:shift``, ``clock``, ``marginal:cnt``.
    column : str
        Empty where it is about whole rows.
    value, limit : float
        In the statistic's own unit.
    over : bool
        Whether it is beyond the limit.
    fact : Fact or None
    lag : Lag or None
    usual : tuple of float, optional
        Between which nine of ten own windows lie.
    """

    kind: Kind
    name: str
    column: str
    value: float
    limit: float
    over: bool
    fact: Fact | None = None
    lag: Lag | None = None
    usual: tuple[float, float] | None = None

    @property
    def alarms(self) -> bool:
        """Whether it calls a person by itself: a marginal never does, nor what is only a note."""
        return self.over and self.kind != "marginal" and not (self.fact is not None and self.fact.note)


@dataclass(frozen=True, slots=True)
class Reference:
    """What a reference teaches.

    Parameters
    ----------
    frame : Frame
        Its rows in the order of time, watched columns only.
    length, step : int, int or None
        Seconds of a window, and between two rows of a regular series.
    own : tuple of Window
        Its whole windows with enough rows.
    apart : frozenset of str
        Columns that the relations leave out.
    unwatched : dict of str to str
        Columns that are not watched, and why.
    summaries, relations, clock, related, marginal
        What own windows show.
    drifting : tuple of str
        Columns whose distance is taken: all but those that the calendar tells.
    ordered : dict of str to array
        Numbers, sorted, without missing ones.
    kinds : dict of str to Counter
        Rows of each kind, by column of words.
    """

    frame: Frame
    length: int
    step: int | None
    own: tuple[Window, ...]
    apart: frozenset[str]
    unwatched: dict[str, str]
    summaries: tuple[Summary, ...]
    relations: Relations
    clock: Clock
    related: Band
    marginal: Band
    drifting: tuple[str, ...]
    ordered: dict[str, Array]
    kinds: dict[str, Counter[str]]

    @property
    def learned(self) -> bool:
        """Whether there are enough own windows for limits of 5 %."""
        return len(self.own) >= limits.LEAST

    @property
    def columns(self) -> list[str]:
        """The watched columns."""
        return self.frame.columns

    def fitted(self, frame: Frame) -> Frame:
        """Return a window's rows with the columns that are watched, each as what it is in the reference."""
        return like(frame, self.frame.numbers, self.frame.words).sorted()

    def judge(self, window: Frame, without: Iterable[int] = (), *, far: bool = True) -> list[Signal]:
        """Return every statistic of a window against its limit.

        Parameters
        ----------
        window : Frame
            As `fitted` returns it.
        without : iterable of int
            Own windows that must teach nothing here.
        far : bool
            Whether distances of single columns are taken; they never alarm.
        """
        gone = sorted(set(without))
        kept = [one for place, one in enumerate(self.summaries) if place not in set(gone)]
        found = [
            Signal("fact", _fact_name(fact), fact.column, fact.value, fact.limit, True, fact)
            for fact in facts.broken(facts.summarize(window, self.length, self.step), kept)
        ]
        found += self._relations(window, gone)
        lag = self.clock.lag(window, gone)
        if lag is not None:
            over = lag.phases != 0 and lag.gain > self.clock.limit
            found.append(Signal("clock", "clock", "", lag.gain, self.clock.limit, over, lag=lag))
        if not far:
            return found
        band = self.marginal.without(gone) if gone else self.marginal
        values = np.array([self.distance(name, window, gone) for name in self.drifting])
        found += [
            Signal(
                "marginal",
                f"marginal:{name}",
                name,
                float(value),
                band.bound(place),
                bool(score > band.limit),
                usual=self.marginal.usual[place],
            )
            for place, (name, value, score) in enumerate(
                zip(self.drifting, values, band.scores(values), strict=True)
            )
            if value == value
        ]
        return found

    def _relations(self, window: Frame, gone: Sequence[int]) -> list[Signal]:
        band = self.related.without(gone) if gone else self.related
        values = self.relations.statistics(window, gone)
        scores = band.scores(values) if len(values) else values
        names = [(one.column, part) for one in self.relations.found for part in ("shift", "spread")]
        return [
            Signal(
                "relation",
                f"relation:{column}:{part}",
                column,
                float(values[place]),
                band.bound(place),
                bool(scores[place] > band.limit),
                usual=self.related.usual[place],
            )
            for place, (column, part) in enumerate(names)
            if values[place] == values[place]
        ]

    def distance(self, name: str, window: Frame, without: Sequence[int] = ()) -> float:
        """Return how far a column of a window lies from the reference: KS distance, or total variation."""
        if name in self.frame.words:
            values = window.words.get(name)
            here = Counter() if values is None else Counter(one for one in values.tolist() if one is not None)
            if not here:
                return float("nan")
            known = self.kinds[name].copy()
            for place in without:
                known.subtract(self.summaries[place].kinds[name])
            return distances.varied(known, here)
        numbers = window.numbers.get(name)
        if numbers is None:
            return float("nan")
        there = np.sort(numbers[~np.isnan(numbers)])
        if len(there) < 10:
            return float("nan")
        return _apart(self.ordered[name], there, [self._own_sorted(name, place) for place in without])

    def _own_sorted(self, name: str, place: int) -> Array:
        values = self.frame.numbers[name][self.own[place].rows]
        return np.sort(values[~np.isnan(values)])

    def overlapping(self, begin: int, end: int) -> list[int]:
        """Return the own windows that share time with a stretch."""
        return [place for place, one in enumerate(self.own) if one.begin < end and begin < one.end]


def learn(frame: Frame, length: int, apart: Iterable[str] = (), more: Sequence[Frame] = ()) -> Reference:
    """Learn from a reference.

    Parameters
    ----------
    frame : Frame
        With times, in any order.
    length : int
        Seconds of a window.
    apart : iterable of str
        Columns that the relations leave out: label and prediction.
    more : sequence of Frame
        Windows that were accepted as normal later: each is one more own window.
    """
    whole = as_kinds(frame.sorted())
    step = windows.step(whole.times) if whole.times is not None and len(whole) else None
    cuts = windows.cut(whole, length)
    unwatched = _unwatched(whole, cuts)
    whole = whole.without(unwatched)
    begins = [(cut.begin, whole.take(cut.rows)) for cut in cuts]
    accepted = [like(one, whole.numbers, whole.words).sorted() for one in more]
    if accepted:
        size = len(whole)
        whole = together([whole, *accepted])
        for one in accepted:
            first = 0 if one.times is None else int(one.times[0].astype("datetime64[s]").astype(np.int64))
            begins.append((first, one))
            cuts.append(Window(first, first + length, slice(size, size + len(one))))
            size += len(one)
    expected = 0.5 * float(np.median([len(cut) for cut in cuts])) if cuts else 0.0
    own = tuple(cut for cut in cuts if len(cut) >= max(ROWS, expected))
    parts = [whole.take(one.rows) for one in own]
    slices = [one.rows for one in own]
    drifting = tuple(name for name in whole.columns if not _told_by_time(whole, name))
    related = relations.learn(whole, slices, apart)
    clock = cycles.learn(whole, slices, step)
    ordered = {name: np.sort(values[~np.isnan(values)]) for name, values in whole.numbers.items()}
    bare = Reference(
        whole,
        length,
        step,
        own,
        frozenset(apart),
        unwatched,
        tuple(facts.summarize(part, length, step) for part in parts),
        related,
        clock,
        limits.learn(_stack([related.statistics(part, [place]) for place, part in enumerate(parts)])),
        limits.learn(np.zeros((0, len(drifting)))),
        drifting,
        ordered,
        {
            name: Counter(str(one) for one in values.tolist() if one is not None)
            for name, values in whole.words.items()
        },
    )
    own_distances = [
        np.array([bare.distance(name, part, [place]) for name in drifting])
        for place, part in enumerate(parts)
    ]
    return Reference(
        **{name: getattr(bare, name) for name in bare.__slots__ if name != "marginal"},
        marginal=limits.learn(_stack(own_distances)),
    )


def _stack(rows: Sequence[Array]) -> Array:
    return np.array(rows) if rows else np.zeros((0, 0))


def _unwatched(frame: Frame, cuts: Sequence[Window]) -> dict[str, str]:
    """Return the columns that say nothing of a window, and why."""
    found: dict[str, str] = {}
    size = float(np.median([len(cut) for cut in cuts if len(cut)])) if cuts else 0.0
    for name, values in frame.numbers.items():
        there = values[~np.isnan(values)]
        if len(there) < 2:
            found[name] = "empty"
        elif there.min() == there.max():
            found[name] = "one value only"
        elif len(there) > 2 and (bool(np.all(np.diff(there) > 0)) or bool(np.all(np.diff(there) < 0))):
            found[name] = "counts the rows"
    for name, values in frame.words.items():
        there = values[~missing(values)].astype(str)
        if len(there) < 2:
            found[name] = "empty"
            continue
        changes = int(np.sum(there[1:] != there[:-1]))
        if not changes:
            found[name] = "one value only"
        elif len(there) / (changes + 1) > size:
            found[name] = "changes more slowly than a window"
        elif len(np.unique(there)) > len(there) / 2:
            found[name] = "almost every row its own"
    return found


def _told_by_time(frame: Frame, name: str) -> bool:
    """Whether hour, weekday or month tell a column of kinds: the calendar is no drift."""
    values = frame.words.get(name)
    if values is None or frame.times is None:
        return False
    kinds = np.unique(np.where(missing(values), "", values).astype(str), return_inverse=True)[1]
    months = frame.times.astype("datetime64[M]").astype(np.int64) % 12
    for turn in (cycles.phases(frame.times, 24), cycles.phases(frame.times, 7), months):
        table = np.zeros((int(turn.max()) + 1, int(kinds.max()) + 1))
        np.add.at(table, (turn, kinds), 1)
        if table.max(1).sum() >= 0.995 * len(kinds):
            return True
    return False


def _apart(reference: Array, window: Array, own: Sequence[Array]) -> float:
    """Return the KS distance of a sorted window from a sorted reference less some of its own windows."""
    size = len(reference) - sum(map(len, own))
    if size < 10:
        return float("nan")
    most = 0.0
    for side in ("right", "left"):
        below = np.searchsorted(reference, window, side).astype(float)
        for one in own:
            below -= np.searchsorted(one, window, side)
        known = np.searchsorted(window, window, side) / len(window)
        most = max(most, float(np.abs(below / size - known).max()))
    return most


def _fact_name(fact: Fact) -> str:
    return f"{fact.kind}:{fact.column}" if fact.column else fact.kind
