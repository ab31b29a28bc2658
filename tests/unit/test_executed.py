"""The executed notebook and the outputs in it: canonical, limited, free of certain secrets."""

from __future__ import annotations

import json

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenote.tracking import executed
from provenote.tracking.executed import Rules, unique_ids
from provenote.tracking.outputs import Outputs, lines
from provenote.tracking.record import Ran

TOKEN = "ghp_" + "a1B2" * 9


def ran(number: int, cell: str | None, source: str, ok: bool | None = True) -> Ran:
    one = Ran(number, cell, source, 1.0)
    one.ok = ok
    return one


def written(*executions: Ran, rules: Rules | None = None) -> dict:
    text, _ = executed.text(list(executions), rules or Rules())
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    return notebook


def test_each_execution_is_a_cell_with_its_true_id() -> None:
    cells = written(ran(1, "c1", "a = 1"), ran(2, None, "b = 2"), ran(3, "c1", "a = 3\nb", ok=False)).cells
    assert [cell.id for cell in cells] == ["c1", "in-2", "c1-2"]
    assert [cell.source for cell in cells] == ["a = 1", "b = 2", "a = 3\nb"]
    assert [cell.metadata.provenote["cell"] for cell in cells] == ["c1", None, "c1"]
    assert [cell.metadata.provenote["ok"] for cell in cells] == [True, True, False]
    assert [cell.execution_count for cell in cells] == [1, 2, 3]


def test_no_execution_gives_a_valid_notebook() -> None:
    assert written().cells == []


def test_equal_runs_give_equal_bytes() -> None:
    first, second = ran(1, "c", "x"), ran(1, "c", "x")
    second.at = 99.0
    assert executed.text([first], Rules()) == executed.text([second], Rules())


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.none() | st.text(max_size=70) | st.sampled_from(["c1", "c1-2"]), st.integers(0, 99))
    )
)
def test_ids_are_unique_and_valid(cells: list) -> None:
    ids = unique_ids(cells)
    assert len(set(ids)) == len(ids) == len(cells)
    assert all(0 < len(one) <= 64 and one.replace("-", "a").replace("_", "a").isalnum() for one in ids)


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_lines_join_to_the_text(text: str) -> None:
    assert "".join(lines(text)) == text


def test_streams_are_joined_displays_updated_and_cleared() -> None:
    one = ran(1, "c", "x")
    one.outputs.message("stream", {"name": "stdout", "text": "a"})
    one.outputs.message("stream", {"name": "stdout", "text": "b\nc"})
    one.outputs.message("display_data", {"data": {"text/plain": "0 %"}, "transient": {"display_id": "p"}})
    one.outputs.message("execute_result", {"data": {"text/plain": "7"}, "metadata": {}})
    one.outputs.message(
        "update_display_data", {"data": {"text/plain": "100 %"}, "transient": {"display_id": "p"}}
    )
    outputs = written(one).cells[0].outputs
    assert outputs[0].text == "ab\nc"
    assert outputs[1].data["text/plain"] == "100 %"
    assert outputs[2].execution_count == 1
    one.outputs.message("clear_output", {"wait": True})
    assert len(written(one).cells[0].outputs) == 3
    one.outputs.message("stream", {"name": "stderr", "text": "new"})
    assert [output.text for output in written(one).cells[0].outputs] == ["new"]


def test_a_large_output_is_replaced_by_a_notice() -> None:
    one = ran(1, "c", "x")
    one.outputs.stream("stdout", "y" * 2_000)
    one.outputs.display("display_data", {"image/png": "z" * 100}, {})
    outputs = written(one, rules=Rules(output_limit=1_000)).cells[0].outputs
    assert "left out" in outputs[0].text and "1,000" in outputs[0].text
    assert outputs[1].data["image/png"] == "z" * 100


def test_a_flood_of_outputs_is_bounded_in_memory_and_on_disk() -> None:
    one = ran(1, "c", "x")
    for _ in range(300):
        one.outputs.stream("stdout", "y" * 100_000)
    for _ in range(30):
        one.outputs.display("display_data", {"image/png": "p" * 1_000_000}, {})
    assert len(str(one.outputs._items)) < 17_000_000
    for _ in range(300):
        one.outputs.display("display_data", {"text/plain": "z" * 900}, {})
    assert len(executed.text([one], Rules(output_limit=1_000))[0]) < 200_000


def test_one_cell_stores_at_most_ten_times_the_limit() -> None:
    one = ran(1, "c", "x")
    for _ in range(40):
        one.outputs.display("display_data", {"text/plain": "z" * 800}, {})
    outputs = written(one, rules=Rules(output_limit=1_000)).cells[0].outputs
    assert 10 <= sum(output.output_type == "display_data" for output in outputs) <= 12
    assert all("left out" in output.text for output in outputs[15:])


def test_outputs_can_be_kept_out() -> None:
    one = ran(1, "c", "x")
    one.outputs.stream("stdout", "private")
    assert written(one, rules=Rules(store_outputs=False)).cells[0].outputs == []


def test_certain_secrets_are_redacted_everywhere_and_counted() -> None:
    one = ran(1, "c", f"token = '{TOKEN}'")
    one.outputs.stream("stdout", f"is {TOKEN}\n")
    one.outputs.display(
        "display_data", {"text/html": f"<b>{TOKEN}</b>", "application/json": {"k": [TOKEN]}}, {}
    )
    one.outputs.error("ValueError", TOKEN, [f"line with {TOKEN}"])
    text, count = executed.text([one], Rules())
    assert "ghp_" not in text
    assert count == 6
    assert written(one).cells[0].metadata.provenote["redacted"] == 6


def test_widgets_are_left_out_and_bytes_become_base64() -> None:
    one = ran(1, "c", "x")
    one.outputs.display("display_data", {"application/vnd.jupyter.widget-view+json": {"model_id": "m"}}, {})
    one.outputs.display("display_data", {"image/png": b"\x89PNG"}, {})
    outputs = written(one).cells[0].outputs
    assert len(outputs) == 1
    assert outputs[0].data["image/png"] == "iVBORw=="


def test_what_utf8_cannot_hold_is_replaced() -> None:
    one = ran(1, "c", "print('\\ud800')")
    one.outputs.stream("stdout", "\ud800")
    executed.text([one], Rules())[0].encode("utf-8")


def test_a_finished_cell_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    true = executed._cell
    monkeypatch.setattr(executed, "_cell", lambda one, *rest: made.append(one.number) or true(one, *rest))
    cells = [ran(number, "c", f"x = {number}") for number in range(20)]
    for _ in range(50):
        cells[-1].outputs.stream("stdout", ".")
        executed.text(cells, Rules())
    assert made.count(3) == 1
    assert made.count(19) == 50


def test_an_output_that_comes_late_is_not_lost() -> None:
    one = ran(1, "c", "x")
    written(one)
    one.outputs.stream("stdout", "from a thread")
    assert written(one).cells[0].outputs[0].text == "from a thread"


def test_outputs_know_nothing_of_unknown_messages() -> None:
    outputs = Outputs()
    outputs.message("status", {"execution_state": "busy"})
    assert outputs.revision == 0
