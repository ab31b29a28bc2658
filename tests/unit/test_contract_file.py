"""The contract as a file: it reads back as it was written, by people's hands too, and runs nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenote.contracts import contract_file, contract_text, difference, expressions
from provenote.contracts.contract import ColumnRule, Contract, Determines, TestSplit, Time
from provenote.contracts.contract_file import BadContract

ODD = [
    "temp",
    "yes",
    "null",
    "a: b",
    "#",
    "- x",
    "ünï",
    "it's",
    'q"q',
    "back\\slash",
    "tab\tx",
    "1e5",
    " lead",
    "{a}",
]
ODD += [" lead", "{a}", "<b>", "\x1b[31m", "x" * 300, "😀", "[a]", "&a", "*a", "!t", "%", "@", "`", "~", "="]
ODD += ["<<", "null: x"]


def rule(name: str, **more: Any) -> ColumnRule:
    return ColumnRule(name, "float", null_max=0.01, range=(-0.225, 1.245), usual=(0.1, 0.5, 0.9), **more)


@given(st.lists(st.one_of(st.sampled_from(ODD), st.text(min_size=1, max_size=20)), unique=True, min_size=1))
def test_a_contract_reads_back_as_it_was_written(names: list[str]) -> None:
    names = [name for name in names if name.encode("utf-8", "ignore").decode() == name]
    columns = {name: rule(name, unit="°C: #1", varies=True) for name in names}
    made = Contract(
        columns,
        key=tuple(names[:1]),
        time=Time(tuple(names[:1]), "hour", True, 0.02, 12) if names else None,
        rules=(expressions.parse("1 == 1"),),
        determines=tuple(Determines((name,), names[0]) for name in names[1:]),
        test=TestSplit("2012-*.csv", expressions.parse("1 == 1")),
        windows={"length": "7d"},
        on_fail={"range": "note"},
    )
    content = contract_text.to_text(made, "data/a.csv", ["1 == 2"]).encode()
    found = contract_file.parse(content)
    assert not contract_text.by_hand(content)
    assert contract_text.by_hand(content.replace(b"0.02", b"0.03"))
    assert found.columns == columns and found.key == made.key and found.time == made.time
    assert found.rules == made.rules and found.determines == made.determines and found.test == made.test
    assert found.action("range") == "note" and found.action("type") == "refuse"
    assert found.offered == ("1 == 2",)


def test_one_line_changes_and_every_other_character_stays() -> None:
    text = contract_text.to_text(Contract({"temp": rule("temp"), "a: b": rule("a: b")}), "a.csv")
    text = text.replace("columns:\n", "columns:\n  # by hand, with é\n")
    new = replace(rule("a: b"), null_max=0.5, values=(1, 2.5))
    changed = contract_file.replaced(text.encode(), new).decode()
    assert contract_file.parse(changed.encode()).columns["a: b"] == new
    pairs = zip(text.splitlines(), changed.splitlines(), strict=True)
    different = [one for one, other in pairs if one != other]
    assert len(different) == 1 and "by hand, with é" in changed
    block = "provenote_contract: 1\ncolumns:\n  t:\n    type: int\n    null_max: 0.1\n"
    block += "  u: {type: text}\nkey: [u]\n"
    changed = contract_file.replaced(block.encode(), ColumnRule("t", "int", null_max=0.2)).decode()
    assert contract_file.parse(changed.encode()).columns["t"].null_max == 0.2
    assert changed.endswith("  u: {type: text}\nkey: [u]\n")
    with pytest.raises(BadContract, match="no column"):
        contract_file.replaced(block.encode(), rule("nope"))


BASE = "provenote_contract: 1\ncolumns:\n  t: {type: float}\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no map"),
        ("provenote_contract: 2\ncolumns: {}\n", "version 2"),
        ("columns: {}\n", "lacks 'provenote_contract'"),
        (BASE + "news: 1\n", "does not know"),
        (BASE + "key: [nope]\n", "speaks of the column 'nope'"),
        (BASE + 'rows: [{expr: "nope > 1"}]\n', "speaks of the column"),
        (BASE + "rows: [{expr: \"__import__('os').system('true') == 1\"}]\n", "belongs to no rule"),
        (BASE + "rows: [{sql: x}]\n", "neither 'expr'"),
        (BASE + "on_fail: {range: explode}\n", "there are refuse"),
        (BASE + "on_fail: {nope: refuse}\n", "speaks of"),
        (BASE.replace("float", "float, range: [2, 1]"), "ends before it begins"),
        (BASE.replace("float", "float, range: [1]"), "no pair"),
        (BASE.replace("float", "float, range: [a, b]"), "does not fit"),
        (BASE.replace("float", "float, null_max: 2"), "share from 0 to 1"),
        (BASE.replace("float", "complex"), "has the type"),
        (BASE.replace("float", "float, in: [a]"), "is no float"),
        (BASE.replace("float", "text, in: [1]"), "is no text"),
        (BASE.replace("float", "float, nope: 1"), "does not know"),
        (BASE + "time: {columns: [t], unit: fortnight}\n", "a unit of"),
        ("x: &a [1]\ny: *a\n", "anchors"),
        ("a: !!python/object/apply:os.system ['true']\n", "tags"),
        ("a: 1\na: 2\n", "twice"),
        ("a: " + "[" * 500, ""),
        ("\xff\xfe", ""),
        ("a: {" * 50, ""),
        (BASE + "windows: " + "{a: " * 13 + "1" + "}" * 13 + "\n", "too deeply"),
    ],
)  # fmt: skip
def test_a_hostile_file_is_refused_in_one_line(text: str, why: str) -> None:
    with pytest.raises(BadContract) as caught:
        contract_file.parse(text.encode("latin-1"), "a.contract.yaml")
    assert why in caught.value.line and "\n" not in caught.value.line


def test_what_a_new_contract_lets_through_is_told() -> None:
    old = Contract({"t": rule("t"), "gone": rule("gone")}, key=("t",), rules=(expressions.parse("t > 0"),))
    new = Contract(
        {"t": replace(rule("t"), range=(-1.0, 2.0)), "come": rule("come")}, on_fail={"range": "note"}
    )
    found = {(one.place, one.what): one.softer for one in difference.compare(old, new)}
    assert found == {
        ("t", "range"): True,
        ("gone", "column"): True,
        ("come", "column"): False,
        ("", "key"): True,
        ("", "rule"): True,
        ("", "on_fail range"): True,
    }
    assert difference.compare(new, new) == [] and difference.compare(None, None) == []
