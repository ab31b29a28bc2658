"""Rules of contracts: what the grammar takes, what it refuses, and that Arrow computes what Python does."""

from __future__ import annotations

import contextlib
from typing import Any

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenote.contracts import evaluating, expressions, keys
from provenote.contracts.expressions import NotARule

COLUMNS = {
    "a": pyarrow.array([1, 2, None, 4]),
    "b": pyarrow.array([1.5, None, 3.0, -4.0]),
    "odd name": pyarrow.array(["x", "y", None, "it's"]),
    "day": pyarrow.array(["2011-01-01", "2012-06-30", None, "2013-01-01"]).cast(pyarrow.date32()),
    "flag": pyarrow.array([True, False, None, True]),
}


def held(text: str) -> list[bool | None]:
    found = evaluating.evaluate(expressions.parse(text).tree, COLUMNS.__getitem__)
    return found.to_pylist()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a >= 2", [False, True, None, True]),
        ("0 <= a <= 2", [True, True, None, False]),
        ("a + 1 == 2 or b < 0", [True, None, None, True]),
        ("not a == 1", [False, True, None, True]),
        ("a is null", [False, False, True, False]),
        ("b is not null and a is not null", [True, False, False, True]),
        ('`odd name` == "it\'s"', [False, False, None, True]),
        ("day < '2012-12-31'", [True, True, None, False]),
        ("flag == true", [True, False, None, True]),
        ("a * -2 / 4 == -(a / 2)", [True, True, None, True]),
        ("(a - 1) * (b + 1) >= 0", [True, None, None, False]),
    ],
)
def test_rules_are_computed_as_they_read(text: str, expected: list[bool | None]) -> None:
    assert held(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')", "a.b == 1", "a", "a + 1", "", "a == ", "(a == 1", "a == 1)",
        "a = 1", "a == 1; b == 2", "lambda: 1", "[a] == 1", "a == 1 #", "a and b", "`", "'x", "f'{a}' == 1",
        "a is 1", "not " * 200 + "a == 1", "(" * 200 + "a == 1" + ")" * 200, "a == 1 and " * 60 + "a == 1",
        "- " * 90 + "a == 1", "a == 1e999", "a == 99999999999999999999999", "a ** 2 == 4", "a // 2 == 2",
        "a if b else c", "a == \x00",
    ],
)  # fmt: skip
def test_what_is_no_rule_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(NotARule) as caught:
        expressions.parse(text)
    assert "\n" not in caught.value.line and len(caught.value.line) < 400


@given(st.text(max_size=80))
def test_any_text_is_a_rule_or_refused(text: str) -> None:
    with contextlib.suppress(NotARule):
        assert expressions.parse(text).columns is not None


@given(st.text(min_size=1, max_size=30))
def test_a_name_that_is_quoted_names_its_column(name: str) -> None:
    quoted = expressions.quoted(name)
    if quoted:
        assert expressions.parse(f"{quoted} == 1").columns == (name,)


def test_kinds_that_do_not_fit_are_said() -> None:
    with pytest.raises(NotARule, match="against each other"):
        held("`odd name` + 1 == 2")
    with pytest.raises(NotARule, match="against each other"):
        held("a == 'x'")


def test_fractions_are_equal_to_nine_digits_and_whole_numbers_exactly() -> None:
    numbers = {"x": pyarrow.array([0.1]), "y": pyarrow.array([0.2]), "n": pyarrow.array([2**53 + 1])}

    def one(text: str) -> Any:
        return evaluating.evaluate(expressions.parse(text).tree, numbers.__getitem__)[0].as_py()

    assert one("x + y == 0.3") and one("x + y <= 0.3") and not one("x + y < 0.3")
    assert not one("x == 0.1000001")
    assert one("n == 9007199254740993") and not one("n == 9007199254740992")
    big = {"n": pyarrow.array([2**62])}
    assert evaluating.evaluate(expressions.parse("n + n > n").tree, big.__getitem__)[0].as_py()


@given(
    st.lists(
        st.tuples(st.integers(-3, 3), st.text("ab\u00e9\0", max_size=3), st.sampled_from([None, 0.5, 1.5]))
    ),
    st.integers(1, 40),
)
def test_keys_that_repeat_are_counted_in_memory_and_on_disk(rows: list[Any], most: int) -> None:
    columns = [pyarrow.array([row[i] for row in rows], kind) for i, kind in enumerate(KINDS)]
    expected = len(rows) - len(set(rows))
    before = keys.IN_MEMORY
    try:
        for keys.IN_MEMORY in (before, most):
            with keys.Keys() as store:
                for start in range(0, len(rows), 3):
                    store.add(keys.hashed([column[start : start + 3] for column in columns]))
                hashes, count = store.twice()
            assert count == expected
            assert (len(hashes) == 0) == (expected == 0)
    finally:
        keys.IN_MEMORY = before


KINDS = (pyarrow.int64(), pyarrow.string(), pyarrow.float64())
