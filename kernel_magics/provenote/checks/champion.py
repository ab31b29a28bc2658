"""Champion against challenger: which of two models is better on the same rows, and how much is chance.

Both are asked about the same rows, and whole blocks of rows (weeks, where a time is known) are drawn for both
at once: what makes a week hard is hard for both and cancels out. `paired` is pure, so that a retraining asks
the same question as a person.

The verdict is one of four words. *Better*: the whole interval of the gain lies above zero. *Not worse*: it
lies above the margin that is given away. *Worse*: it lies below zero and reaches the margin. *Not judged*:
the interval leaves it open, or there are too few blocks; the smallest difference that would be seen is told.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from provenote.checks import metrics
from provenote.checks.metrics import Answers
from provenote.checks.verdict import Finding, Outcome, Verdict
from provenote.compare.numbers import MINUS, counted, text
from provenote.errors import UsageError
from provenote.statistics import bootstrap
from provenote.statistics.bootstrap import Estimate, Labels

Word = Literal["better", "not worse", "worse", "not judged"]

OUTCOMES: Mapping[Word, Outcome] = {
    "better": "passed",
    "not worse": "passed",
    "worse": "failed",
    "not judged": "not judged",
}
FEWEST = 8
"""Blocks with fewer of which nothing is judged: no interval of theirs holds what it says."""
FEWEST_ROWS = 30
"""Rows of a slice with fewer of which it is not judged."""
WEEK = 7 * 86_400.0
MOST_SLICES = 60


@dataclass(frozen=True, slots=True)
class Margin:
    """How much worse still counts as not worse.

    Parameters
    ----------
    amount : float
        In the metric's unit, or as a share of the holder's value.
    relative : bool
    """

    amount: float
    relative: bool = False

    @classmethod
    def parse(cls, given: str | float | None, metric: str) -> Margin:
        """Read ``0.01`` (in the metric's unit) or ``1%`` (of the holder's value); None: a hundredth.

        Raises
        ------
        UsageError
            If it is no number from 0 on.
        """
        if given is None:
            return cls(0.01, relative=not metrics.is_share(metric))
        words = str(given).strip()
        try:
            amount = float(words.removesuffix("%"))
        except ValueError:
            amount = math.nan
        if not 0 <= amount < math.inf:
            raise UsageError(f"{words!r} is no margin", "Write `--margin 0.01`, or `--margin 1%`")
        relative = words.endswith("%")
        return cls(amount / 100 if relative else amount, relative)

    def of(self, holder: float) -> float:
        """Return it in the metric's unit."""
        return self.amount * abs(holder) if self.relative else self.amount


@dataclass(frozen=True, slots=True)
class Part:
    """How the two compare on some of the rows: all of them, or a slice.

    Parameters
    ----------
    name : str
        ``season=4``; empty for all rows.
    holder, challenger : float
        The metric of each.
    gain : Estimate
        How much better the challenger is: positive is better, whichever way the metric goes.
    word : str
    why : str
    """

    name: str
    holder: float
    challenger: float
    gain: Estimate
    word: Word
    why: str


@dataclass(frozen=True, slots=True)
class Paired:
    """The comparison of two models.

    Parameters
    ----------
    metric : str
    greater_is_better : bool
    margin : float
        In the metric's unit.
    block : str
        What was drawn, in words: ``weeks``, ``rows, taken as independent``.
    whole : Part
    slices : tuple of Part
        Judged at a level that allows for their number.
    """

    metric: str
    greater_is_better: bool
    margin: float
    block: str
    whole: Part
    slices: tuple[Part, ...] = ()

    @property
    def word(self) -> Word:
        """The verdict: that of all rows, but worse where a slice is."""
        return "worse" if any(part.word == "worse" for part in self.slices) else self.whole.word

    def findings(self, stage: str = "the holder") -> tuple[Finding, ...]:
        """Return what was found as findings of a verdict."""
        part = self.whole
        found = [
            Finding(
                f"not worse than {stage}",
                OUTCOMES[part.word],
                f"{part.word}: {part.why}",
                _number(part.gain.value),
                _number(-self.margin),
                (part.gain.low, part.gain.high) if part.gain.known else None,
                "" if OUTCOMES[part.word] == "passed" else _mend(part),
                self._evidence(part),
            )
        ]
        if self.slices:
            found.append(self._of_slices(stage))
        return tuple(found)

    def _of_slices(self, stage: str) -> Finding:
        worse = [part for part in self.slices if part.word == "worse"]
        open_ = [part for part in self.slices if part.word == "not judged" and not part.gain.known]
        judged = len(self.slices) - len(open_)
        outcome: Outcome = "failed" if worse else "passed" if judged else "not judged"
        why = f"no slice of {judged} is worse"
        if worse:
            why = "worse on " + ", ".join(f"{part.name} ({part.why})" for part in worse[:4])
        if open_:
            why += f"; {counted(len(open_), 'slice')} too small to judge"
        return Finding(
            f"no slice worse than {stage}",
            outcome,
            why,
            evidence={"slices": [{"slice": part.name, **self._evidence(part)} for part in self.slices]},
        )

    def _evidence(self, part: Part) -> dict[str, Any]:
        return {
            "metric": self.metric,
            "holder": _number(part.holder),
            "challenger": _number(part.challenger),
            "gain": _number(part.gain.value),
            "low": _number(part.gain.low),
            "high": _number(part.gain.high),
            "verdict": part.word,
            "level": part.gain.level,
            "rows": part.gain.rows,
            "blocks": part.gain.blocks,
            "block": self.block,
            "smallest_detectable": _number(part.gain.detectable),
        }


def paired(
    holder: Answers,
    challenger: Answers,
    *,
    metric: str | None = None,
    blocks: Labels | None = None,
    block: str = "",
    margin: Margin | str | float | None = None,
    slices: Mapping[str, Any] | None = None,
    level: float = 0.95,
    fewest: int = FEWEST,
) -> Paired:
    """Compare two models by what they said about the same rows. Pure.

    Parameters
    ----------
    holder, challenger : Answers
        Of the same rows, in the same order.
    metric : str, optional
        As `provenote.checks.metrics.of`; default: rmse, or accuracy of classifiers.
    blocks : array of int, optional
        The block of each row (`provenote.statistics.bootstrap.by_time`); None: rows are independent.
    block : str
        What a block is, in words.
    margin : Margin, str or float, optional
        How much worse still counts as not worse; default: 0.01, of errors 1 % of the holder's.
    slices : mapping of str to array, optional
        Columns by which the rows are parted, one value a row.
    level : float
        Of the interval, 0.95; a retraining that tries often gives a higher one.
    fewest : int
        Blocks that are needed.

    Raises
    ------
    UsageError
        If the two are not of one kind, or the metric does not fit.
    """
    if holder.kind != challenger.kind:
        raise UsageError(f"a {holder.kind} cannot be held against a {challenger.kind}")
    name = metric or metrics.default(holder.kind)
    greater = metrics.greater_is_better(name)
    given = margin if isinstance(margin, Margin) else Margin.parse(margin, name)
    words = block or ("blocks" if blocks is not None else "rows, taken as independent")
    whole = _part("", holder, challenger, name, greater, blocks, words, given, level, fewest)
    named = _named(slices or {}, holder.rows)
    strict = 1 - (1 - level) / max(1, len(named))
    parts = []
    for title, rows in named:
        left, right = taken(holder, rows), taken(challenger, rows)
        own = None if blocks is None else bootstrap.renumbered(blocks[rows])
        parts.append(_part(title, left, right, name, greater, own, words, given, strict, fewest))
    return Paired(name, greater, given.of(whole.holder), words, whole, tuple(parts))


def verdict(found: Paired, subject: Mapping[str, str], stage: str) -> Verdict:
    """Return the comparison as a verdict that a policy can ask for."""
    return Verdict("champion", subject, found.findings(stage))


def judge(gain: Estimate, margin: float, block: str, fewest: int = FEWEST) -> tuple[Word, str]:
    """Return the word for a gain and its margin, and why. Pure."""
    if gain.blocks < fewest:
        return "not judged", f"only {gain.blocks} {_unit(block)}, and it takes {fewest}"
    if not gain.known:
        return "not judged", "the metric has no value on so few rows"
    around = f"[{signed(gain.low)}, {signed(gain.high)}]"
    if gain.low == gain.high == 0:
        return "not worse", "both say the same about every row"
    if gain.low > 0:
        return "better", f"the gain is {signed(gain.value)} {around}"
    if gain.low >= -margin:
        return "not worse", f"the gain is {signed(gain.value)} {around}, within the margin {text(margin)}"
    if gain.high < 0:
        return "worse", f"the gain is {signed(gain.value)} {around}, beyond the margin {text(margin)}"
    seen = text(gain.detectable)
    return "not judged", f"the gain is {signed(gain.value)} {around}: only {seen} or more would be seen"


def signed(value: float) -> str:
    """Write a difference with its sign."""
    words = text(float(f"{value:.4g}"))
    return words if words.startswith(MINUS) or not value else f"+{words}"


def _unit(block: str) -> str:
    return block.partition(",")[0]


def _mend(part: Part) -> str:
    if part.word == "worse":
        return "Keep the holder, or see on which slices it errs: `--slice COLUMN`"
    return "Judge it on more rows, or give a margin that can be seen: `--margin`"


def _part(
    title: str,
    holder: Answers,
    challenger: Answers,
    metric: str,
    greater: bool,
    blocks: Labels | None,
    block: str,
    margin: Margin,
    level: float,
    fewest: int,
) -> Part:
    if title and holder.rows < FEWEST_ROWS:
        nothing = Estimate(math.nan, math.nan, math.nan, math.nan, 0, holder.rows, level)
        why = f"only {counted(holder.rows, 'row')}, and it takes {FEWEST_ROWS}"
        return Part(title, math.nan, math.nan, nothing, "not judged", why)
    left, right = metrics.of(metric, holder), metrics.of(metric, challenger)
    old = bootstrap.estimate(left, blocks, draws=2).value
    new = bootstrap.estimate(right, blocks, draws=2).value
    gain = bootstrap.paired(left, right, blocks, level=level)
    if not greater:
        gain = dataclasses.replace(gain, value=-gain.value, low=-gain.high, high=-gain.low)
    if gain.blocks < fewest:
        gain = dataclasses.replace(gain, low=math.nan, high=math.nan)
    return Part(title, old, new, gain, *judge(gain, margin.of(old), block, fewest))


def taken(answers: Answers, rows: Any) -> Answers:
    """Return what was said about some of the rows, by their places."""
    features = answers.features
    return dataclasses.replace(
        answers,
        truth=np.asarray(answers.truth)[rows],
        said=np.asarray(answers.said)[rows],
        features=features.iloc[rows] if hasattr(features, "iloc") else features,
    )


def _named(slices: Mapping[str, Any], rows: int) -> list[tuple[str, Any]]:
    """Return the slices with the numbers of their rows.

    Raises
    ------
    UsageError
        If a column has so many values that no slice would have rows enough.
    """
    import pandas

    found: list[tuple[str, Any]] = []
    for name, values in slices.items():
        column = pandas.Series(np.asarray(values))
        groups = column.groupby(column, sort=True, dropna=False).indices
        if len(groups) > MOST_SLICES:
            raise UsageError(
                f"{name} has {len(groups):,} values, too many to judge each",
                f"Slice by a column with at most {MOST_SLICES}",
            )
        found += [(f"{name}={value}", np.asarray(places)) for value, places in groups.items()]
    return found


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
