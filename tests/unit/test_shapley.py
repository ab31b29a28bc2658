"""The split of a difference over its factors sums to it, exactly or sampled."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenote.blame import shapley

NAMES = ["data", "code", "params"]


@given(st.lists(st.floats(-1e6, 1e6), min_size=8, max_size=8))
def test_shares_sum_and_a_factor_that_does_nothing_gets_nothing(numbers: list[float]) -> None:
    values = dict(zip(shapley.subsets(NAMES), numbers, strict=True))
    shares = shapley.split(values, NAMES)
    jump = values[frozenset(NAMES)] - values[frozenset()]
    assert sum(shares.values()) == pytest.approx(jump, abs=1e-6)
    idle = {chosen: values[chosen - {"code"}] for chosen in values}
    assert shapley.split(idle, NAMES)["code"] == pytest.approx(0, abs=1e-6)


def test_sampled_shares_sum_and_come_near_the_exact_ones() -> None:
    names = list("abcde")

    def value(chosen: frozenset[str]) -> float:
        return 3.0 * ("a" in chosen) + 2.0 * ("b" in chosen) * ("c" in chosen) - ("d" in chosen)

    exact = shapley.split({chosen: value(chosen) for chosen in shapley.subsets(names)}, names)
    shares, errors = shapley.sampled(value, names, 40)
    assert sum(shares.values()) == pytest.approx(value(frozenset(names)))
    assert all(abs(shares[name] - exact[name]) <= 4 * errors[name] + 1e-12 for name in names)
    assert shares["a"] == pytest.approx(3.0) and errors["a"] == 0


def test_pairs_beyond_their_sum_and_what_cannot_be_parted() -> None:
    values = {chosen: float("data" in chosen and "code" in chosen) for chosen in shapley.subsets(NAMES)}
    assert shapley.interactions(values, NAMES)[0] == ("data", "code", 1.0)
    failed = [frozenset({"data"}), frozenset({"data", "params"})]
    assert shapley.merged(failed, NAMES) == ("data", "code")
    assert shapley.merged([], NAMES) is None
    assert shapley.merged([frozenset(NAMES)], NAMES) is None
