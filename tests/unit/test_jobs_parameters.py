"""The parameters cell: what it declares, what a value may be, and what is refused."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from provenote import masking
from provenote.errors import UsageError
from provenote.jobs import grid, kinds, parameters
from provenote.jobs.local import environment
from provenote.jobs.parameters import MISSING, declared
from provenote.jobs.spec import JobSpec, parse

CELL = """
import os
from typing import Literal, Optional
%matplotlib inline
depth: int = 6  # depth of a tree
lr: float = 0.1
loss: Literal["poisson", "squared_error"] = "poisson"
limit: Optional[int] = None
width: int | None = 3
name = 'hgb'
verbose = False
layers = [64, 32]
size: tuple[int, int] = (2, 3)
options = {"a": 1}
columns: list[str] = ["hr"]
must: int
root = os.getcwd()
anything = None
missing = float("nan")
"""


@pytest.fixture
def known():
    return declared(CELL)


def value(known, text, names=None):
    return next(iter(parameters.given([text], known, names).values()))


def test_declared_names_kinds_defaults_help(known):
    by_name = {p.name: p for p in known}
    assert list(by_name)[:3] == ["depth", "lr", "loss"]
    assert by_name["depth"].help == "depth of a tree"
    assert by_name["depth"].default == 6
    assert str(by_name["loss"].kind) == "one of 'poisson', 'squared_error'"
    assert str(by_name["width"].kind) == "int or None"
    assert str(by_name["columns"].kind) == "list[str]"
    assert by_name["root"].default is MISSING
    assert by_name["must"].required
    assert not by_name["root"].required
    assert math.isnan(by_name["missing"].default)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("depth=7", 7),
        ("depth=1_000", 1000),
        ("depth=0x10", 16),
        ("lr=1e-3", 0.001),
        ("lr=1", 1.0),
        ("lr=inf", math.inf),
        ("loss=poisson", "poisson"),
        ("loss='poisson'", "poisson"),
        ("limit=None", None),
        ("limit=null", None),
        ("limit=4", 4),
        ("width=none", None),
        ("name=plain words = and more", "plain words = and more"),
        ('name="quoted"', "quoted"),
        ("name=5", "5"),
        ("name=", ""),
        ("verbose=true", True),
        ("verbose=False", False),
        ("layers=[1, 2]", [1, 2]),
        ('options={"b": [1, {"c": null}]}', {"b": [1, {"c": None}]}),
        ("options={'b': 1}", {"b": 1}),
        ("size=(4,5)", (4, 5)),
        ("size=[4,5]", (4, 5)),
        ("columns=['a','b']", ["a", "b"]),
        ("anything=[1]", [1]),
        ("anything=word", "word"),
        ("must=1", 1),
    ],
)
def test_values_are_typed_by_the_cell(known, text, expected):
    found = value(known, text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    "text",
    ["depth=3.7", "depth=abc", "depth=", "depth=true", "depth=None", "lr=fast", "loss=hinge", "verbose=1",
     "verbose=maybe", "layers=3", "layers={}", "options=[1]", "size=(1,2,3)", "columns=[1]", "limit=x"],
)  # fmt: skip
def test_mistyped_values_are_refused(known, text):
    with pytest.raises(UsageError, match=f"parameter {text.split('=')[0]} takes"):
        value(known, text)


def test_unknown_name_proposes_the_nearest(known):
    with pytest.raises(UsageError, match="no parameter dept. Did you mean depth"):
        value(known, "dept=3")
    with pytest.raises(UsageError, match="Declared: depth, lr"):
        value(known, "zzzzzz=3")


@pytest.mark.parametrize("name", ["x; import os; os.abort(); y", "a.b", "__import__('os')", "1x", "a b"])
def test_a_name_that_is_code_is_refused(known, name):
    with pytest.raises(UsageError):
        value(known, f"{name}=3")


def test_twice_and_shapeless_are_refused(known):
    with pytest.raises(UsageError, match="given twice"):
        parameters.given(["depth=1", "depth=2"], known)
    with pytest.raises(UsageError, match="is no parameter"):
        parameters.given(["depth"], known)


def test_missing_value_is_refused_and_defaults_complete(known):
    with pytest.raises(UsageError, match="parameter must has no value"):
        parameters.complete({}, known)
    full = parameters.complete({"must": 1, "depth": 2}, known)
    assert full["depth"] == 2
    assert full["lr"] == 0.1
    assert "root" not in full


@pytest.mark.parametrize(
    "cell", ["api_key: str = ''", "password = ''", "GITHUB_TOKEN = ''", "pw: Secret = None", "accessKey = ''"]
)
def test_secrets_are_refused(cell):
    known = declared(cell)
    with pytest.raises(UsageError, match="would store a secret") as error:
        parameters.given([f"{known[0].name}=hunter2"], known)
    assert "hunter2" not in error.value.line
    assert f"-p {known[0].name}=env:{known[0].name.upper()}" in error.value.line


@pytest.mark.parametrize("cell", ["token = ''", "pw: Secret = None", "url: 'provenote.Secret'"])
def test_a_secret_is_given_by_reference(cell, monkeypatch):
    known = declared(cell)
    name = known[0].name
    monkeypatch.setenv("API_TOKEN", "x" * 7 + "'y")
    values = parameters.given([f"{name}=env:API_TOKEN"], known)
    assert values == parameters.given({name: "env:API_TOKEN"}, known) == {name: "env:API_TOKEN"}
    spec = JobSpec("n", "0", "k", "l", "n", given=values, kind="sweep", jobs=(values,))
    again = parse(spec.canonical())
    assert again == spec
    assert isinstance(again.jobs[0][name], kinds.Secret)
    assert b"yyy" not in spec.canonical()
    found = {}
    exec(f"value = {kinds.source(again.given[name])}", found)
    assert found["value"] == "x" * 7 + "'y"
    assert environment(spec)[masking.VARIABLE] == "API_TOKEN"
    for value, words in (("shrt", "shorter than 8"), ("12345678", "is a number"), ("", "has no API_TOKEN")):
        monkeypatch.setenv("API_TOKEN", value)
        with pytest.raises(UsageError, match=words) as error:
            parameters.given([f"{name}=env:API_TOKEN"], known)
        assert not value or value not in error.value.line


def test_what_only_looks_like_a_reference_is_a_text(monkeypatch):
    monkeypatch.setenv("HOME_PAGE", "https://example.org")
    assert parameters.given(["name=env:HOME_PAGE"], declared("name = ''")) == {"name": "env:HOME_PAGE"}
    assert "$secret" not in JobSpec("n", "0", "k", "l", "n", given={"name": "env:X"}).canonical().decode()


@forall(st.text(min_size=8), st.text())
def test_a_masked_value_is_nowhere(value, around):
    mask = masking.Mask({"T": value})
    for form in masking.forms(value):
        text = f"{around}{form}{around}"
        assert form not in mask.text(text).replace("[secret T]", "\x00")
        assert form not in json.dumps({"k": mask.text(text)}).replace("[secret T]", "\x00")
    assert mask.text("") == ""


def test_a_secret_value_is_refused_under_any_name():
    token = "ghp_" + "a" * 36
    with pytest.raises(UsageError, match="would store a secret") as error:
        parameters.given([f"name={token}"], declared("name = ''"))
    assert token not in error.value.line


@pytest.mark.parametrize(
    "cell", ["max_tokens = 5", "tokenizer = 'bert'", "keyword = 'a'", "n_secrets: int = 2"]
)
def test_innocent_names_are_not_secrets(cell):
    known = declared(cell)
    parameters.given([f"{known[0].name}={7 if '=' in cell and cell[-1].isdigit() else 'x'}"], known)


def test_a_cell_that_is_not_python_is_refused():
    with pytest.raises(UsageError, match="not Python .line 2"):
        declared("a = 1\nb = = 2")


def test_python_values_are_checked_too(known):
    assert parameters.given({"depth": 3, "layers": (1, 2)}, known) == {"depth": 3, "layers": [1, 2]}
    with pytest.raises(UsageError):
        parameters.given({"depth": 3.5}, known)
    with pytest.raises(UsageError):
        parameters.given({"anything": object()}, known)


class TestInTheNotebook:
    """Values are expressions over the notebook's namespace."""

    names = {"best": 9, "rates": [0.1, 0.2], "text": "squared_error"}

    def test_expression(self, known):
        assert value(known, "depth=best + 1", self.names) == 10
        assert value(known, "loss=text", self.names) == "squared_error"
        assert value(known, "depth=max(best, 3)", self.names) == 9

    def test_literals_and_plain_words_stay(self, known):
        assert value(known, "name=hgb", self.names) == "hgb"
        assert value(known, "lr=1e-2", self.names) == 0.01

    def test_failure_is_one_line(self, known):
        with pytest.raises(UsageError, match="cannot be evaluated in this notebook .ZeroDivisionError"):
            value(known, "depth=best/0", self.names)

    def test_axes(self, known):
        assert grid.axes(["lr=rates", "depth=range(2, 5)"], known, self.names) == {
            "lr": [0.1, 0.2],
            "depth": [2, 3, 4],
        }


class TestGrid:
    """Axes and their combinations."""

    def test_commas_span_the_axis(self, known):
        assert grid.axes(["depth=1,2, 3", "loss=poisson"], known) == {"depth": [1, 2, 3], "loss": ["poisson"]}

    def test_a_list_holds_values_with_commas(self, known):
        assert grid.axes(['name=["a,b", "c"]'], known) == {"name": ["a,b", "c"]}
        assert grid.axes(["name='a,b',c"], known) == {"name": ["a,b", "c"]}

    def test_lists_as_values(self, known):
        assert grid.axes(["layers=[1,2],[3]"], known) == {"layers": [[1, 2], [3]]}
        assert grid.axes(["layers=[[1,2],[3]]"], known) == {"layers": [[1, 2], [3]]}
        assert grid.axes(["layers=[1,2]"], known) == {"layers": [[1, 2]]}

    def test_equal_values_are_one(self, known):
        assert grid.axes(["depth=1,1,2"], known) == {"depth": [1, 2]}

    def test_last_axis_varies_fastest(self):
        made = grid.combinations({"a": [1, 2], "b": ["x", "y"]}, {"c": 0})
        assert made == [{"c": 0, "a": a, "b": b} for a in (1, 2) for b in ("x", "y")]

    @pytest.mark.parametrize("text", ["depth=", "depth=1,x", "nothing=1", "depth"])
    def test_bad_axes_are_refused(self, known, text):
        with pytest.raises(UsageError):
            grid.axes([text], known)

    def test_fixed_and_axis_or_too_many_are_refused(self):
        with pytest.raises(UsageError, match="both fixed and an axis"):
            grid.combinations({"a": [1]}, {"a": 2})
        with pytest.raises(UsageError, match="at most 10,000"):
            grid.combinations({"a": range(200), "b": range(200)}, {})

    @forall(
        st.dictionaries(st.sampled_from("abc"), st.lists(st.integers(), min_size=1, max_size=4, unique=True))
    )
    def test_every_combination_once(self, axes):
        made = grid.combinations(axes, {})
        assert len(made) == math.prod(len(values) for values in axes.values())
        assert len({tuple(sorted(one.items())) for one in made}) == len(made)


_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@forall(_PLAIN)
def test_source_makes_the_value_again(value):
    assert eval(kinds.source(value)) == value  # noqa: S307 - the text is ours


@forall(st.text())
def test_any_text_is_read_or_refused_in_one_line(text):
    known = declared("a: int = 1\nb: float = 1.0\nc: bool = True\nd: list[int] = []\ne = None")
    for parameter in known:
        try:
            parameters.value_of(parameter, text)
        except UsageError as error:
            assert "\n" not in error.line
