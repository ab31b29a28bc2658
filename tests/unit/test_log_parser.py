"""The lines of magics: what ``%log`` means, and how other lines part into words."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenote.errors import UsageError
from provenote.magics import log_line, words

NAMES = {"acc": 0.9, "i": 7, "scores": {"train/loss": 0.5}, "f": lambda a, b=0: a + b, "step": 3}


def logged(line: str) -> tuple[dict, object]:
    mapping, named, step = log_line.parse(line).evaluate(dict(NAMES))
    return {**(mapping or {}), **named}, step


@pytest.mark.parametrize(
    ("line", "values", "step"),
    [
        ("acc=acc", {"acc": 0.9}, None),
        ("acc=acc, loss=f(1, b=2) --step i", {"acc": 0.9, "loss": 3}, 7),
        ("loss=1, --step i + 1", {"loss": 1}, 8),
        ("loss=1 --step=i", {"loss": 1}, 7),
        ("a=i --step f(i, 1)", {"a": 7}, 8),
        ("a=3 - -step", {"a": 6}, None),
        ("a=3--step", {"a": 6}, None),
        ("a=f(3, - -step), b=[x for x in (1, 2)]", {"a": 6, "b": [1, 2]}, None),
        ('a="--step 4" --step 5', {"a": "--step 4"}, 5),
        ("scores --step i", {"train/loss": 0.5}, 7),
        ("scores, acc=acc", {"train/loss": 0.5, "acc": 0.9}, None),
        ('**{"a b": 1}, c=2', {"a b": 1, "c": 2}, None),
        ("a={'x': (1, 2)}, b='$acc {i}'", {"a": {"x": (1, 2)}, "b": "$acc {i}"}, None),
        ("step=1", {"step": 1}, None),
        ("a=1 # remark", {"a": 1}, None),
        ("größe=1", {"größe": 1}, None),
    ],
)
def test_a_line_means_what_python_means(line: str, values: dict, step: object) -> None:
    assert logged(line) == (values, step)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "nothing to log"),
        ("--step 3", "nothing to log"),
        ("acc acc", "invalid syntax"),
        ("a=1) + f(b=2", "unbalanced brackets"),
        ("a=1, a=2", "a is given twice"),
        ("a=1 --step", "--step has no value"),
        ("a=1 --step i j", "--step i j"),
        ("*[1]", "no name"),
        ("1, 2", "no name"),
        ("a=await f()", "await"),
        ("a=(1", "never closed"),
        ("a='x", "unterminated"),
        ("a b=1", "invalid syntax"),
        ("a=1\0", "null bytes"),
    ],
)
def test_a_wrong_line_is_one_line_with_the_form(line: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        log_line.parse(line)
    assert why in caught.value.line
    assert "%log name=expression" in caught.value.line
    assert "\n" not in caught.value.line


def test_a_missing_name_is_the_users_mistake_and_a_bug_in_a_function_keeps_its_traceback() -> None:
    with pytest.raises(UsageError, match="'nope' is not defined"):
        log_line.parse("a=nope").evaluate({})

    def broken() -> int:
        return missing  # noqa: F821

    with pytest.raises(NameError):
        log_line.parse("a=broken()").evaluate({"broken": broken})
    with pytest.raises(ZeroDivisionError):
        log_line.parse("a=1/0").evaluate({})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True), VALUES, min_size=1), st.integers()
)
def test_any_values_come_back(values: dict, step: int) -> None:
    import keyword

    values = {name: value for name, value in values.items() if not keyword.iskeyword(name)}
    if not values:
        return
    line = ", ".join(f"{name}={value!r}" for name, value in values.items())
    assert logged(line) == (values, None)
    assert logged(f"{line} --step {step}") == (values, step)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_parsed_or_refused_in_one_line(line: str) -> None:
    try:
        log_line.parse(line)
    except UsageError as error:
        assert "\n" not in error.line


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", []),
        ("train.ipynb -p depth=6", ["train.ipynb", "-p", "depth=6"]),
        ('runs "metrics.rmse < 60"', ["runs", "metrics.rmse < 60"]),
        ("metrics.rmse==60", ["metrics.rmse==60"]),
        ("promote m --why 'it is $better {now}'", ["promote", "m", "--why", "it is $better {now}"]),
        ('-p name="a b" -p sizes=[1, 2]', ["-p", 'name="a b"', "-p", "sizes=[1, 2]"]),
        ("-g lr=0.1,0.2", ["-g", "lr=0.1,0.2"]),
        ("-p 'name=\"x\"'", ["-p", 'name="x"']),
        (r"my\ file.csv", ["my file.csv"]),
        ("-p f=g(1, b='x)')", ["-p", "f=g(1, b='x)')"]),
        ("a@HEAD~1 --out x/y", ["a@HEAD~1", "--out", "x/y"]),
    ],
)
def test_lines_part_into_words(line: str, expected: list[str]) -> None:
    assert words.split(line) == expected


@pytest.mark.parametrize("line", ["'a", '"a', "-p a=[1, 2", "-p a='x"])
def test_an_open_quote_is_said(line: str) -> None:
    with pytest.raises(UsageError, match="not closed"):
        words.split(line)


@settings(max_examples=100, deadline=None)
@given(st.lists(VALUES.filter(lambda value: isinstance(value, (str, list, dict))), max_size=4))
def test_values_stay_python_expressions(values: list) -> None:
    found = words.split(" ".join(f"-p k{n}={value!r}" for n, value in enumerate(values)))
    assert [ast.literal_eval(word.split("=", 1)[1]) for word in found[1::2]] == values
