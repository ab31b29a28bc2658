"""Split the difference of a metric over the factors that differ: Shapley values, exact or sampled. Pure.

The share of a factor is the mean of what it adds over all orders in which the factors could have changed one
after the other. The shares sum to the whole difference, which changing one factor at a time does not give.
Source: L. S. Shapley, "A value for n-person games", 1953; the sampling is that of Castro, Gomez and Tejada,
"Polynomial calculation of the Shapley value based on sampling", 2009, with each order also walked backwards.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Mapping, Sequence

Chosen = frozenset[str]
"""The factors that are as in the new run; all others are as in the old one."""


def subsets(names: Sequence[str]) -> list[Chosen]:
    """Return every set of factors, smaller ones first: ``2**len(names)`` of them."""
    return [
        frozenset(chosen) for size in range(len(names) + 1) for chosen in itertools.combinations(names, size)
    ]


def split(values: Mapping[Chosen, float], names: Sequence[str]) -> dict[str, float]:
    """Return the exact share of each factor.

    Parameters
    ----------
    values : mapping
        The metric for every set of `subsets`.
    names : sequence of str

    Returns
    -------
    dict of str to float
        In the unit of the metric; they sum to ``values[all] - values[none]``.
    """
    many = len(names)
    shares = {}
    for name in names:
        added = []
        for chosen in subsets([other for other in names if other != name]):
            weight = math.factorial(len(chosen)) * math.factorial(many - len(chosen) - 1)
            added.append(weight / math.factorial(many) * (values[chosen | {name}] - values[chosen]))
        shares[name] = math.fsum(added)
    return shares


def sampled(
    value: Callable[[Chosen], float], names: Sequence[str], orders: int = 20, seed: int = 0
) -> tuple[dict[str, float], dict[str, float]]:
    """Estimate the share of each factor from random orders, each walked forwards and backwards.

    Parameters
    ----------
    value : callable
        The metric for a set of factors; asked for a set several times.
    names : sequence of str
    orders : int
        How many walks, an even number.
    seed : int

    Returns
    -------
    shares : dict of str to float
        They sum to the whole difference.
    errors : dict of str to float
        Standard error of each, from the pairs of walks.
    """
    dice = random.Random(seed)  # no secret: the same question gives the same walks
    pairs: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(max(1, orders // 2)):
        order = list(names)
        dice.shuffle(order)
        walks = [_walk(value, order), _walk(value, order[::-1])]
        for name in names:
            pairs[name].append(math.fsum(walk[name] for walk in walks) / 2)
    shares = {name: math.fsum(found) / len(found) for name, found in pairs.items()}
    return shares, {name: _error(found) for name, found in pairs.items()}


def _walk(value: Callable[[Chosen], float], order: Sequence[str]) -> dict[str, float]:
    added, chosen = {}, frozenset[str]()
    for name in order:
        added[name] = value(chosen | {name}) - value(chosen)
        chosen |= {name}
    return added


def _error(found: Sequence[float]) -> float:
    if len(found) < 2:
        return math.inf
    mean = math.fsum(found) / len(found)
    variance = math.fsum((one - mean) ** 2 for one in found) / (len(found) - 1)
    return math.sqrt(variance / len(found))


def interactions(values: Mapping[Chosen, float], names: Sequence[str]) -> list[tuple[str, str, float]]:
    """Return what two factors do together beyond what each does alone, the largest first.

    Parameters
    ----------
    values : mapping
        The metric for at least no factor, each one, and each two.
    names : sequence of str

    Returns
    -------
    list of (str, str, float)
        In the unit of the metric.
    """
    none: Chosen = frozenset()
    found = [
        (
            one,
            other,
            values[none | {one, other}] - values[none | {one}] - values[none | {other}] + values[none],
        )
        for one, other in itertools.combinations(names, 2)
        if none | {one, other} in values
    ]
    return sorted(found, key=lambda each: -abs(each[2]))


def merged(failed: Sequence[Chosen], names: Sequence[str]) -> tuple[str, str] | None:
    """Choose two factors that cannot be told apart, from the mixtures that did not run.

    Parameters
    ----------
    failed : sequence of frozenset
        Sets of new factors whose mixture failed.
    names : sequence of str

    Returns
    -------
    (str, str) or None
        Of all pairs the one that most failed mixtures part; None when none did.
    """
    parted = {
        (one, other): sum((one in chosen) != (other in chosen) for chosen in failed)
        for one, other in itertools.combinations(names, 2)
    }
    best = max(parted, key=lambda pair: parted[pair], default=None)
    return best if best is not None and parted[best] else None
