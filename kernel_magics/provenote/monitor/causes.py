"""Why a window alarms: each signal is laid to one likely cause, and each cause is one alert.

Unit and swap are found by undoing them: where the alarms are gone then, that was it. Growth is what moves the
level of a column and nothing else: the others still tell of each other, and the day keeps its hours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from provenote.statistics import faults
from provenote.statistics.frame import Frame
from provenote.statistics.reference import Reference, Signal

FACTORS = {
    "100 times": 100.0,
    "a hundredth of": 0.01,
    "10 times": 10.0,
    "a tenth of": 0.1,
    "1,000 times": 1000.0,
    "a thousandth of": 0.001,
    "3.6 times (m/s for km/h)": 3.6,
    "1/3.6 of (km/h for m/s)": 1 / 3.6,
    "0.4536 of (lb for kg)": 0.4536,
    "2.2046 times (kg for lb)": 2.2046,
    "1.609 times (km for miles)": 1.609,
    "60 times": 60.0,
}
TENS = frozenset((100.0, 0.01, 10.0, 0.1, 1000.0, 0.001))
GROWN = 1.15
"""Ratio of a level to that of the same season from which on it has grown; its inverse: shrunk."""
NEAR = 0.9
"""How far a level may lie from a factor, as a logarithm: seasons move it too."""
ALIKE = 0.9
"""Correlation from which on two columns are too much alike to tell that they were swapped."""
_SEASON = 30 * 86_400
_YEAR = 365.25 * 86_400
_PAIRS = 15


@dataclass(frozen=True, slots=True)
class Cause:
    """What probably happened.

    Parameters
    ----------
    id : str
        The same as long as it lasts: ``missing:hum``, ``growth:cnt``, ``clock``.
    title : str
        What is seen, in one short line.
    why : str
        What is suspected, and against what.
    mend : str
        The command or act that helps.
    level : {'act', 'look'}
    signals : tuple of str
        Names of the signals that it explains.
    """

    id: str
    title: str
    why: str
    mend: str
    level: Literal["act", "look"]
    signals: tuple[str, ...] = ()


def explain(
    reference: Reference,
    window: Frame,
    signals: Sequence[Signal],
    *,
    before: Iterable[str] = (),
    without: Sequence[int] = (),
) -> list[Cause]:
    """Lay what is beyond its limit to causes.

    Parameters
    ----------
    reference : Reference
    window : Frame
        As `Reference.fitted` returns it.
    signals : sequence of Signal
        As `Reference.judge` returns them.
    before : iterable of str
        Names of the marginals that were over in the window before.
    without : sequence of int
        Own windows that taught nothing here.
    """
    over = [one for one in signals if one.over]
    left = {one.name: one for one in over}
    seen = frozenset(left)
    found: list[Cause] = []

    def take(cause: Cause, names: Iterable[str]) -> None:
        taken = tuple(name for name in names if name in left)
        for name in taken:
            del left[name]
        found.append(replace(cause, signals=taken))

    def of(*columns: str) -> list[str]:
        """Return what is left about some columns, and relations that they take part in."""
        wide = set(columns)
        for one in reference.relations.found:
            if wide & {one.column, *one.partners}:
                wide.add(one.column)
        kinds = ("fact", "marginal")
        return [
            name
            for name, one in left.items()
            if (one.kind == "relation" and one.column in wide)
            or (one.kind in kinds and one.column in columns)
        ]

    for one in over:
        if one.kind == "fact" and one.fact is not None and one.fact.kind != "range":
            names = of(one.column) if one.fact.kind in ("constant", "absent") else [one.name]
            take(_fact(one, window), names)
    clock = left.get("clock")
    if clock is not None:
        take(_clock(clock, reference), ["clock", *(name for name in left if name.startswith("relation:"))])
    struck = {one.column for one in left.values() if one.kind in ("fact", "relation")}
    if struck:
        unit = _unit(reference, window, sorted(struck), left, without, seen)
        if unit is not None:
            take(unit[1], of(unit[0]))
        elif any(one.kind == "relation" for one in left.values()):
            swap = _swap(reference, window, sorted(struck), left, without, seen)
            if swap is not None:
                take(swap[1], of(*swap[0]))
    for one in [one for one in left.values() if one.kind == "fact"]:
        if one.name in left:
            take(_range(one, reference, window, left), [one.name, f"marginal:{one.column}"])
    for column in dict.fromkeys(one.column for one in left.values() if one.kind == "relation"):
        if any(one.kind == "relation" and one.column == column for one in left.values()):
            take(_relation(column, reference, window, without), of(column))
    alarmed = any(one.level == "act" for one in found)
    for one in list(left.values()):
        take(_marginal(one, reference, window, alarmed or one.name in set(before)), [one.name])
    return found


def _fact(signal: Signal, window: Frame) -> Cause:
    fact = signal.fact
    assert fact is not None
    column, rows = fact.column, len(window)
    words = {
        "absent": (f"{column} is not there", "The column is missing in the files of this window."),
        "missing": (
            f"{fact.value:.1%} of {column} missing",
            f"{fact.count:,} of {rows:,} rows; own windows of the reference had at most "
            f"{max(fact.limit - 0.01, 0):.1%}.",
        ),
        "constant": (
            f"{column} has one value only",
            "No own window of the reference was constant: a sensor that hangs, or a default.",
        ),
        "repeated": (
            f"{fact.count:,} rows are there twice",
            f"{fact.value:.1%} of the rows repeat another one in every column; a delivery was added twice?",
        ),
        "unseen": (
            f"{column} has new kinds: {fact.says}",
            f"{fact.count:,} rows of a kind that the reference never had.",
        ),
        "gap": (
            f"{fact.value:.1%} of the times have no row",
            f"Own windows lacked at most {max(fact.limit - 0.02, 0):.1%}; "
            "all columns at once: the delivery stopped.",
        ),
    }
    title, why = words[fact.kind]
    return Cause(
        signal.name,
        title,
        why,
        "Mend the files, or keep this window as normal: `provenote monitor accept WINDOW --why ...`",
        "look" if fact.note else "act",
    )


def _clock(signal: Signal, reference: Reference) -> Cause:
    lag = signal.lag
    assert lag is not None
    unit = "hours" if reference.clock.period == 24 else "days"
    way = "late" if lag.phases > 0 else "early"
    told = ", ".join(reference.clock.columns[:3])
    return Cause(
        "clock",
        f"The clock is {abs(lag.phases)} {unit} {way}",
        f"The course of {told} fits the reference when it is moved by {-lag.phases:+d} "
        f"{unit} (correlation {lag.alike + lag.gain:.2f}, not {lag.alike:.2f}): a time zone, or summer time?",
        "Correct the times in the files, then `provenote monitor run` judges the window anew",
        "act",
    )


def _unit(
    reference: Reference,
    window: Frame,
    columns: Sequence[str],
    left: dict[str, Signal],
    without: Sequence[int],
    seen: frozenset[str],
) -> tuple[str, Cause] | None:
    for column in columns:
        if column not in window.numbers:
            continue
        related = any(one.kind == "relation" for one in left.values())
        times = abs(np.log(max(ratio(reference, window, column)[0], 1e-9)))
        for words, factor in FACTORS.items():
            if not related and 0.1 < factor < 10:
                continue  # nothing but its level speaks: that may have grown
            near = NEAR if factor in TENS else NEAR / 3
            if abs(times - abs(np.log(factor))) > near:
                continue
            undone = faults.scaled(column, 1 / factor)(window)
            if undone is not None and _mended(reference, undone, left, column, without, seen):
                why = f"Taken back, nothing of it alarms: {column} comes in another unit."
                mend = f"Correct the unit of {column} at its source, or in the files"
                return column, Cause(f"unit:{column}", f"{column} is {words} what it was", why, mend, "act")
    return None


def _swap(
    reference: Reference,
    window: Frame,
    columns: Sequence[str],
    left: dict[str, Signal],
    without: Sequence[int],
    seen: frozenset[str],
) -> tuple[tuple[str, str], Cause] | None:
    names = [name for name in window.numbers if name in reference.frame.numbers]
    pairs = [
        (first, second)
        for first, second in combinations(names, 2)
        if {first, second} & set(columns)
        and faults.related(reference.frame.numbers[first], reference.frame.numbers[second]) < ALIKE
    ]
    for first, second in pairs[:_PAIRS]:
        undone = faults.swapped(first, second)(window)
        if undone is not None and _mended(reference, undone, left, first, without, seen):
            return (first, second), Cause(
                f"swap:{first}:{second}",
                f"{first} and {second} are swapped",
                "With their names exchanged nothing of it alarms.",
                "Correct the order of the columns at their source",
                "act",
            )
    return None


def _mended(
    reference: Reference,
    undone: Frame,
    left: dict[str, Signal],
    column: str,
    without: Sequence[int],
    seen: frozenset[str],
) -> bool:
    """Whether no alarm about numbers is left once a fault is taken back, and none is new.

    What was seen before may stay: another fault of the same delivery explains it.
    """
    before = {one.name for one in left.values() if one.alarms}
    named = {name for name in before if left[name].kind == "relation" or left[name].column == column}
    after = {one.name for one in reference.judge(undone, without, far=False) if one.alarms}
    return bool(named) and not any(name in named or name not in seen for name in after)


def ratio(reference: Reference, window: Frame, column: str) -> tuple[float, bool]:
    """Return a column's level over that of the reference, and whether that is the same season's.

    The same season: own windows within a month of the same day of another year; else the whole reference.
    """
    values = window.numbers.get(column)
    if values is None or window.times is None or not len(window):
        return float("nan"), False
    moment = int(window.times[0].astype("datetime64[s]").astype(np.int64))
    near = []
    for own in reference.own:
        away = abs(own.begin - moment) % _YEAR
        if min(away, _YEAR - away) <= _SEASON:
            near.append(np.nanmean(reference.frame.numbers[column][own.rows]))
    level = float(np.mean(near)) if near else float(np.nanmean(reference.frame.numbers[column]))
    here = float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")
    return (here / level if level else float("nan")), bool(near)


def _range(signal: Signal, reference: Reference, window: Frame, left: dict[str, Signal]) -> Cause:
    column = signal.column
    times, season = ratio(reference, window, column)
    grown = times >= GROWN or 0 < times <= 1 / GROWN
    related = any(one.kind == "relation" for one in left.values())
    if grown and not related and 0.1 < times < 10:
        word = "grown" if times > 1 else "shrunk"
        than = "in the same season of the reference" if season else "in the reference"
        return Cause(
            f"growth:{column}",
            f"{column} has {word}: {times:.2f} times its level",
            f"{times:.2f} times the level {than}, up to {signal.value:,.6g}. The other columns keep their "
            "relations and the day its hours: growth, not a fault of the data or of the clock.",
            "Train again with newer data, or take it as normal: `provenote monitor accept WINDOW --why ...`",
            "act",
        )
    above = signal.value > signal.limit
    return Cause(
        f"range:{column}",
        f"{column} is {signal.value:,.6g}, {'above' if above else 'below'} {signal.limit:,.6g}",
        f"The limit is the reference's range and a quarter more; the level of the window is "
        f"{times:.2f} times the reference's.",
        "Look at these rows, and mend the files; a wider range is a new reference",
        "act",
    )


def _relation(column: str, reference: Reference, window: Frame, without: Sequence[int]) -> Cause:
    relation = next(one for one in reference.relations.found if one.column == column)
    shift = reference.relations.shift(relation, window, without)
    others = ", ".join(relation.partners)
    return Cause(
        f"relation:{column}",
        f"{column} is no longer what {others} tell",
        f"Its middle lies {shift:+.4g} off what they say; the reference's own windows stay within the limit. "
        "A sensor that drifts, a calibration, another source.",
        f"Compare {column} with {relation.partners[0]} in these rows",
        "act",
    )


def _marginal(signal: Signal, reference: Reference, window: Frame, raised: bool) -> Cause:
    column = signal.column
    if column in window.numbers:
        times, season = ratio(reference, window, column)
        level = (
            f"; its level is {times:.2f} times that {'of the same season' if season else 'of the reference'}"
        )
    else:
        level = ""
    return Cause(
        f"drift:{column}",
        f"{column} is distributed differently",
        f"Distance {signal.value:.2f}, limit {signal.limit:.2f} from own windows{level}. "
        + ("Two windows running, or beside an alarm." if raised else "By itself that is worth a look only."),
        "See the report, and train again if it stays" if raised else "",
        "act" if raised else "look",
    )
