"""Values are written so that JSON, YAML 1.1 and 1.2 readers get them back as they were."""

from __future__ import annotations

import enum
import io
import json
import math
import pathlib
from decimal import Decimal

import numpy as np
import pytest
import yaml as pyyaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from provenote.errors import UsageError
from provenote.stores import values

texts = st.text(max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
nested = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(texts, nested, max_size=4))
@settings(max_examples=150, deadline=None)
def test_yaml_and_json_readers_get_back_what_was_written(params: dict[str, object]) -> None:
    plain = values.plain(params)
    written = values.yaml(plain).decode()
    assert json.loads(values.line(plain)) == plain
    assert YAML(typ="safe", pure=True).load(io.StringIO(written)) == plain
    assert pyyaml.safe_load(written) == plain


def test_what_stands_for_a_number_or_text_is_taken() -> None:
    class Color(enum.StrEnum):
        RED = "red"

    given_values = {
        "np": np.float32(0.5),
        "int": np.int64(3),
        "bool": np.bool_(True),
        "array": np.arange(3),
        "path": pathlib.Path("a/b"),
        "decimal": Decimal("1.5"),
        "enum": Color.RED,
        "tuple": (1, 2),
        "set": {2, 1},
        "huge": 2**70,
        "class": Decimal,
    }
    assert values.plain(given_values) == {
        "np": 0.5,
        "int": 3,
        "bool": True,
        "array": [0, 1, 2],
        "path": "a/b",
        "decimal": 1.5,
        "enum": "red",
        "tuple": [1, 2],
        "set": [1, 2],
        "huge": 2**70,
        "class": "decimal.Decimal",
    }


def test_numbers_without_a_place_in_json_become_words() -> None:
    assert values.plain([math.nan, math.inf, -math.inf, np.float64("nan")]) == ["nan", "inf", "-inf", "nan"]


def test_what_cannot_be_written_is_named() -> None:
    with pytest.raises(UsageError, match=r"'a.b' is a builtins.object"):
        values.plain({"b": object()}, "a")
    with pytest.raises(UsageError, match="not a text"):
        values.plain({3: 1})


@given(st.lists(texts.filter(str.strip), unique=True, max_size=8))
def test_plot_files_are_valid_and_differ(keys: list[str]) -> None:
    names = list(values.plot_files(keys).values())
    assert len({name.lower() for name in names}) == len(keys)
    assert all(len(name) < 140 and "/" not in name and not name.startswith(".") for name in names)


def test_dvc_shows_numbers_booleans_and_texts() -> None:
    shown = values.dvc_metrics(
        {"a": 1, "n": None, "l": [1], "m": {"x": 2.0, "n": None}, "e": {"n": None}, "t": "x", "b": True}
    )
    assert shown == {"a": 1, "m": {"x": 2.0}, "t": "x", "b": True}


def test_a_key_with_a_tab_cannot_break_the_table() -> None:
    assert values.tsv("a\tb\nc", [(0, 0.5), (1, "x\ty")]) == b"step\ta b c\n0\t0.5\n1\tx y\n"
