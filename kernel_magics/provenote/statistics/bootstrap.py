"""The bootstrap over blocks: how far a metric can be trusted when neighbouring rows err alike.

Rows of one week share their weather and their holidays, so a bootstrap that draws rows finds an interval
that is far too narrow. Here whole blocks are drawn. A metric that is a function of sums over rows (`Sums`)
costs one matrix product; any other (`Rows`) is computed anew for each draw.

The interval is the percentile interval, widened for few blocks as in Hesterberg, "What Teachers Should Know
About the Bootstrap" (The American Statistician, 2015): its tails are cut at ``Phi(sqrt(m / (m - 1)) *
t[m-1](alpha / 2))`` instead of ``alpha / 2``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

DRAWS = 2000
"""Draws for a metric of sums."""
SLOW_DRAWS = 300
"""Draws for a metric that is computed anew each time."""
MOST = 2000
"""Blocks that are drawn from; of more, several that were chosen at random are drawn together."""
POWER = 0.8
"""Chance with which the smallest detectable difference would be seen."""
_MONDAY = np.datetime64("1970-01-05", "s")


@dataclass(frozen=True, slots=True)
class Sums:
    """A metric that is a function of sums over rows.

    Parameters
    ----------
    parts : array of shape (rows, k)
        What is added up.
    combine : callable
        From sums of shape (..., k) to values of shape (...).
    """

    parts: Floats
    combine: Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True)
class Rows:
    """Any other metric: a function of the numbers of the rows that are taken, repeated ones included."""

    rows: int
    value: Callable[[NDArray[np.int64]], float]


Statistic = Sums | Rows


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and how far it can be trusted.

    Parameters
    ----------
    value : float
    low, high : float
        The interval; NaN where there is none.
    error : float
        Standard error.
    blocks, rows : int
        What was drawn from.
    level : float
        Of the interval, as 0.95.
    """

    value: float
    low: float
    high: float
    error: float
    blocks: int
    rows: int
    level: float

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return math.isfinite(self.value) and math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def detectable(self) -> float:
        """The smallest difference from a limit that would be seen with `POWER`, in the value's unit."""
        from scipy.stats import t

        if not self.known or self.blocks < 2:
            return math.nan
        tails = t.ppf([1 - (1 - self.level) / 2, POWER], self.blocks - 1)
        return float(self.error * (tails[0] + tails[1]))


def by_time(times: NDArray[Any], seconds: float) -> Labels:
    """Return the block of each row: blocks of equal length, those of whole weeks beginning on Mondays.

    Parameters
    ----------
    times : array of datetime64
        When each row was; none of them missing.
    seconds : float
        Length of a block.
    """
    past = (times.astype("datetime64[s]") - _MONDAY).astype(np.int64)
    return renumbered(np.floor_divide(past, max(1, round(seconds))))


def renumbered(blocks: Labels) -> Labels:
    """Return the blocks of some rows as numbers from 0 on, none left out."""
    return np.unique(blocks, return_inverse=True)[1].astype(np.int64)


def estimate(
    statistic: Statistic,
    blocks: Labels | None = None,
    *,
    level: float = 0.95,
    seed: int = 0,
    draws: int | None = None,
) -> Estimate:
    """Estimate a metric with its interval.

    Parameters
    ----------
    statistic : Sums or Rows
    blocks : array of int, optional
        The block of each row, from 0 on; None: every row is one, which is right only for independent rows.
    level : float
    seed : int
        The same seed gives the same interval.
    draws : int, optional
    """
    return _estimate((statistic,), _first, blocks, level, seed, draws)


def paired(
    holder: Statistic,
    challenger: Statistic,
    blocks: Labels | None = None,
    *,
    level: float = 0.95,
    seed: int = 0,
    draws: int | None = None,
) -> Estimate:
    """Estimate how much the challenger's metric is above the holder's, on the same rows in every draw.

    Parameters are those of `estimate`.
    """
    return _estimate((holder, challenger), _difference, blocks, level, seed, draws)


def _first(values: list[Floats]) -> Floats:
    return values[0]


def _difference(values: list[Floats]) -> Floats:
    return values[1] - values[0]


def _estimate(
    statistics: tuple[Statistic, ...],
    join: Callable[[list[Floats]], Floats],
    blocks: Labels | None,
    level: float,
    seed: int,
    draws: int | None,
) -> Estimate:
    rows = _rows(statistics[0])
    if blocks is None:
        blocks = np.arange(rows, dtype=np.int64)
    real = int(blocks.max()) + 1 if len(blocks) else 0
    whole = np.arange(rows, dtype=np.int64)
    value = float(join([_of(one, whole) for one in statistics])) if rows else math.nan
    if real < 2 or not math.isfinite(value):
        return Estimate(value, math.nan, math.nan, math.nan, real, rows, level)
    chance = np.random.default_rng(seed)
    if real > MOST:
        blocks = (chance.permutation(real) % MOST)[blocks]
    if all(isinstance(one, Sums) for one in statistics):
        found = _drawn_sums(statistics, join, blocks, chance, draws or DRAWS)
    else:
        found = _drawn_rows(statistics, join, blocks, chance, draws or SLOW_DRAWS)
    good = found[np.isfinite(found)]
    if len(good) < 0.95 * len(found):  # the metric has no value on so few: a class that is not drawn
        return Estimate(value, math.nan, math.nan, math.nan, real, rows, level)
    low, high = _cut(good, min(real, MOST), level)
    return Estimate(value, low, high, float(good.std(ddof=1)), real, rows, level)


def _rows(statistic: Statistic) -> int:
    return len(statistic.parts) if isinstance(statistic, Sums) else statistic.rows


def _of(statistic: Statistic, rows: NDArray[np.int64]) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        if isinstance(statistic, Sums):
            return statistic.combine(statistic.parts[rows].sum(axis=0))
        return statistic.value(rows)


def _drawn_sums(
    statistics: tuple[Statistic, ...],
    join: Callable[[list[Floats]], Floats],
    blocks: Labels,
    chance: np.random.Generator,
    draws: int,
) -> Floats:
    many = int(blocks.max()) + 1
    counts = chance.multinomial(many, np.full(many, 1 / many), size=draws).astype(np.float64)
    values = []
    for one in statistics:
        assert isinstance(one, Sums)
        added = np.zeros((many, one.parts.shape[1]))
        np.add.at(added, blocks, one.parts)
        with np.errstate(divide="ignore", invalid="ignore"):
            values.append(one.combine(counts @ added))
    return join(values)


def _drawn_rows(
    statistics: tuple[Statistic, ...],
    join: Callable[[list[Floats]], Floats],
    blocks: Labels,
    chance: np.random.Generator,
    draws: int,
) -> Floats:
    many = int(blocks.max()) + 1
    order = np.argsort(blocks, kind="stable")
    ends = np.searchsorted(blocks[order], np.arange(many + 1))
    found = np.empty(draws)
    for draw in range(draws):
        chosen = chance.integers(0, many, many)
        rows = np.concatenate([order[ends[block] : ends[block + 1]] for block in chosen])
        found[draw] = join([np.asarray(_of(one, rows), np.float64) for one in statistics])
    return found


def _cut(found: Floats, blocks: int, level: float) -> tuple[float, float]:
    """Return the interval's ends, the tails widened for few blocks."""
    from scipy.stats import norm, t

    tail = float(norm.cdf(math.sqrt(blocks / (blocks - 1)) * t.ppf((1 - level) / 2, blocks - 1)))
    low, high = np.quantile(found, [tail, 1 - tail])
    return float(low), float(high)
