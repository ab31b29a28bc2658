"""The contract as a table: what is typed reaches the file, one line at a time, or is refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from provenote.contracts import contract_file, contract_text, editing, expressions
from provenote.contracts.contract import ColumnRule, Contract, Determines
from provenote.errors import ProvenoteError
from provenote.render import html
from provenote.view import View
from provenote.widgets import contract as widget


@pytest.fixture
def file(tmp_path: Path) -> Path:
    columns = {
        "temp": ColumnRule("temp", "float", null_max=0.01, range=(-0.5, 1.5)),
        "kind": ColumnRule("kind", "text", values=("a", "b, c")),
        "day": ColumnRule("day", "date"),
        "<b>": ColumnRule("<b>", "int"),
    }
    rules = ["temp >= 0", Determines(("kind",), "day")]
    path = tmp_path / "a.csv.contract.yaml"
    path.write_text(
        contract_text.to_text(Contract(columns), "a.csv", rules).replace("columns:", "# mine\ncolumns:")
    )
    return path


@pytest.mark.parametrize(
    ("name", "field", "typed", "attribute", "expected"),
    [
        ("temp", "low", "-2", "range", (-2, 1.5)),
        ("temp", "high", "", "range", (-0.5, None)),
        ("temp", "missing", "12.5", "null_max", 0.125),
        ("temp", "type", "int", "type", "int"),
        ("kind", "in", "a, 'b, c', d", "values", ("a", "b, c", "d")),
        ("kind", "in", "", "values", None),
        ("kind", "in", "&a x, [", "values", ("&a x", "[")),
        ("kind", "unseen", "refuse", "on_unseen", "refuse"),
        ("day", "low", "2012-01-31", "range", ("2012-01-31", None)),
        ("<b>", "in", "1, 2", "values", (1, 2)),
    ],
)
def test_what_is_typed_is_written(
    file: Path, name: str, field: str, typed: str, attribute: str, expected: object
) -> None:
    kept: list[Contract] = []
    shown = widget.Editing(file, kept.append)
    before = file.read_text().splitlines()
    shown.fields[name, field].value = typed
    after = file.read_text()
    assert getattr(contract_file.parse(after.encode()).columns[name], attribute) == expected
    assert len([1 for old, new in zip(before, after.splitlines(), strict=True) if old != new]) == 1
    assert "# mine" in after and "is written" in shown.told.value and len(kept) == 1
    again = widget.Editing(file, kept.append)
    assert again.fields[name, field].value == shown.fields[name, field].value


@pytest.mark.parametrize(
    ("name", "field", "typed"),
    [
        ("temp", "low", "warm"), ("temp", "low", "9"), ("temp", "missing", "101"), ("temp", "missing", "x"),
        ("temp", "high", "1, 2"), ("kind", "low", "1"), ("temp", "in", "warm"), ("kind", "in", "{a: 1}"),
        ("<b>", "in", "true"), ("day", "low", "7"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_and_not_written(file: Path, name: str, field: str, typed: str) -> None:
    shown = widget.Editing(file, lambda _: None)
    before = file.read_bytes()
    shown.fields[name, field].value = typed
    assert file.read_bytes() == before and "not written" in shown.told.value


def test_an_offered_rule_is_accepted_and_an_editor_beside_loses_nothing(file: Path) -> None:
    shown = widget.Editing(file, lambda _: None)
    shown.offers["temp >= 0"].click()
    found = contract_file.parse(file.read_bytes())
    assert [rule.text for rule in found.rules] == ["temp >= 0"] and found.offered == ("kind -> day",)
    file.write_text(file.read_text().replace("# mine", "# theirs"))
    shown.offers["kind -> day"].click()
    found = contract_file.parse(file.read_bytes())
    assert found.determines == (Determines(("kind",), "day"),) and found.offered == ()
    assert "# theirs" in file.read_text() and not shown.offers
    with pytest.raises(ProvenoteError, match="not offered"):
        editing.accept(file.read_bytes(), "temp >= 0")
    file.write_text("no contract")
    shown.fields["temp", "low"].value = "-3"
    assert "not written" in shown.told.value and file.read_text() == "no contract"


def test_a_wide_contract_is_shown_page_by_page_and_a_saved_notebook_keeps_a_table(tmp_path: Path) -> None:
    path = tmp_path / "w.contract.yaml"
    columns = {f"c{n}": ColumnRule(f"c{n}", "int") for n in range(60)} | {"<i>": ColumnRule("<i>", "int")}
    made = Contract(columns, rules=(expressions.parse("c1 > 0"),))
    path.write_text(contract_text.to_text(made, "w.csv"))
    shown = widget.Editing(path, lambda _: None)
    assert len({name for name, _ in shown.fields}) == widget.PAGE and shown.back.disabled
    shown.on.click()
    shown.on.click()
    assert ("<i>", "low") in shown.fields and shown.on.disabled
    shown.fields["<i>", "high"].value = "4"
    assert contract_file.parse(path.read_bytes()).columns["<i>"].range == (None, 4)
    static = html.render(View([widget.table(made)]))
    assert "&lt;i&gt;" in static and "<i>" not in static
