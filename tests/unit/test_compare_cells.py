"""Cells of two notebooks find each other; outputs are compared by what they say."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenote.compare import cells, notebooks
from provenote.compare.notebooks import NotebookCell, NotReadable, parse

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n one").decode()


def cell(source="x = 1", id="", outputs=(), ours=True, **more):
    raw = {
        "cell_type": "code",
        "id": id or "in-1",
        "metadata": {},
        "outputs": list(outputs),
        "source": source,
    }
    if ours:
        raw["metadata"]["provenote"] = {"cell": id or None, "ok": True}
    return raw | more


def book(*made, minor=5, major=4):
    return json.dumps(
        {"cells": list(made), "metadata": {}, "nbformat": major, "nbformat_minor": minor}
    ).encode()


def result(text="1", **forms):
    return {
        "output_type": "execute_result",
        "execution_count": 3,
        "metadata": {},
        "data": {"text/plain": text, **forms},
    }


def read(*made):
    return parse(book(*made))


def statuses(old, new):
    found = cells.align([read(*old), read(*new)])
    return [found.status(row, 1) for row in found.rows]


def test_cells_are_matched_by_id_then_by_source():
    old = [cell("a = 1", "c1"), cell("b = 2", "c2"), cell("c = 3", "c3")]
    new = [cell("a = 1", "c1"), cell("b = 20", "c2"), cell("c = 3", "elsewhere"), cell("d = 4", "c4")]
    assert statuses(old, new) == ["same", "edited", "same", "added"]
    assert statuses(new, old) == ["same", "edited", "same", "removed"]


def test_an_edited_cell_without_an_id_is_known_by_its_lines():
    old = [cell("import os"), cell("a = 1\nb = 2\nc = 3\nfit()"), cell("print(a)")]
    new = [cell("import os"), cell("a = 1\nb = 9\nc = 3\nfit()"), cell("print(a)")]
    assert statuses(old, new) == ["same", "edited", "same"]
    assert statuses(old, [old[0], cell("nothing_alike()"), old[2]]) == ["same", "removed", "added", "same"]


def test_a_moved_cell_is_said_to_have_moved():
    one, two, three = (cell(f"{name} = 1", name) for name in "abc")
    assert statuses([one, two, three], [two, three, one]) == ["moved", "same", "same"]


def test_a_cell_that_ran_twice_is_two_cells():
    again = cell("a = 1", "c1") | {"id": "c1-2"}
    old, new = read(cell("a = 1", "c1")), read(cell("a = 1", "c1"), again)
    pairs = cells.match(old, new)
    assert [(pair.old, pair.new) for pair in pairs] == [(0, 0), (None, 1)]


def test_parameters_that_papermill_injects_are_one_cell():
    tagged = {"metadata": {"tags": ["injected-parameters"], "provenote": {"cell": "f00", "ok": True}}}
    old, new = cell("depth = 6", "f00") | tagged, cell("depth = 8\nlr = 1", "bad") | tagged
    assert statuses([old], [new]) == ["edited"]


def test_outputs_are_the_same_but_for_chance():
    one = result("<Model at 0x7f3a12bc9d10>", **{"text/html": '<table id="T_5bd3e_level0">1</table>'})
    two = result("<Model at 0x7fffaa00bb11>", **{"text/html": '<table id="T_00aa1_level0">1</table>'})
    two["execution_count"] = 99
    bar = {"output_type": "stream", "name": "stderr", "text": ["10%\r", "90%\rdone\n"]}
    end = {"output_type": "stream", "name": "stderr", "text": "done\n"}
    assert statuses([cell(id="a", outputs=[one, bar])], [cell(id="a", outputs=[two, end])]) == ["same"]
    assert statuses([cell(id="a", outputs=[one])], [cell(id="a", outputs=[result("2")])]) == ["outputs"]


def test_our_own_block_and_widgets_are_no_outputs():
    ours = {
        "output_type": "display_data",
        "metadata": {},
        "data": {"text/html": '<div class="pn">run-1</div>', "text/plain": "run-1"},
    }
    widget = {
        "output_type": "display_data",
        "metadata": {},
        "data": {"application/vnd.jupyter.widget-view+json": {"model_id": "x"}},
    }
    assert statuses([cell(id="a", outputs=[ours])], [cell(id="a", outputs=[widget])]) == ["same"]


def test_pictures_are_compared_by_their_bytes():
    other = base64.b64encode(b"\x89PNG\r\n\x1a\n two").decode()
    old, new = (
        read(cell(id="a", outputs=[result("<Figure>", **{"image/png": png})])) for png in (PNG, other)
    )
    assert cells.pictures_differ([old[0], new[0]]) and not cells.pictures_differ([old[0], old[0], None])
    assert cells.align([old, new]).status(cells.align([old, new]).rows[0], 1) == "outputs"
    assert notebooks.picture_bytes(new[0].pictures[0]) == b"\x89PNG\r\n\x1a\n two"
    assert old[0].text == new[0].text == ""


def test_html_without_text_is_read_as_text():
    table = {
        "output_type": "display_data",
        "metadata": {},
        "data": {"text/html": "<style>p{}</style><p>a &lt; b</p>"},
    }
    assert read(cell(outputs=[table]))[0].text.strip() == "a < b"


def test_older_formats_are_read():
    old = [{k: v for k, v in cell("a = 1").items() if k != "id"} | {"metadata": {}}]
    assert [c.source for c in parse(book(*old, minor=2))] == ["a = 1"]
    three = {
        "nbformat": 3,
        "worksheets": [
            {
                "cells": [
                    {
                        "cell_type": "code",
                        "input": ["a = 1\n", "a"],
                        "outputs": [{"output_type": "pyout", "text": ["1"], "png": PNG}],
                    }
                ]
            }
        ],
    }
    found = parse(json.dumps(three).encode())
    assert found[0].source == "a = 1\na" and found[0].pictures
    pairs = cells.match(found, read(cell("a = 1\na", "c1")))
    assert [(pair.old, pair.new) for pair in pairs] == [(0, 0)]


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b"\xff\xfe", b'{"nbformat": 9, "sheets": {}}', b"[" * 100_000]
)
def test_what_is_no_notebook_is_said(content):
    with pytest.raises(NotReadable):
        parse(content)


@pytest.mark.parametrize(
    "odd",
    [
        {"cells": [1, None, {}, {"source": 5}, {"outputs": {}}, {"outputs": [3, {"output_type": "new"}]}]},
        {
            "cells": [
                {"metadata": 3, "outputs": [{"output_type": "display_data", "data": {"image/png": [1]}}]}
            ]
        },
        {"cells": [{"cell_type": None, "source": ["a", 1], "outputs": [{"output_type": "error"}]}]},
    ],
)
def test_odd_notebooks_are_read_as_far_as_possible(odd):
    found = parse(json.dumps(odd).encode())
    assert found
    for one in found:
        assert isinstance(one.text, str) and isinstance(one.digest, tuple)
        assert all(isinstance(notebooks.picture_bytes(output), bytes) for output in one.pictures)


def test_cells_that_two_runs_added_stand_in_one_row():
    base = read(cell("a = 1", "a"), cell("b = 1", "b"))
    one = read(cell("a = 1", "a"), cell("n = 1", "n"), cell("b = 1", "b"))
    two = read(cell("a = 1", "a"), cell("n = 2", "n"), cell("b = 3", "b"))
    found = cells.align([base, one, two])
    assert [row.places for row in found.rows] == [(0, 0, 0), (None, 1, 1), (1, 2, 2)]
    assert [found.status(found.rows[2], place) for place in (1, 2)] == ["same", "edited"]


def test_a_notebook_that_is_not_known_differs_in_nothing():
    found = cells.align([read(cell()), None, read(cell("y = 2"))], {1: "it has none"})
    assert found.known == (True, False, True) and found.status(found.rows[0], 1) == "unknown"
    assert cells.align([None, read(cell())]).rows == ()


CELLS = st.lists(
    st.builds(
        NotebookCell,
        st.sampled_from(["", "a", "b", "c"]),
        st.just("code"),
        st.sampled_from(["", "x", "x\ny", "y\nz"]),
    ),
    max_size=8,
)


@given(CELLS, CELLS)
def test_every_cell_is_in_one_pair(old, new):
    pairs = cells.match(old, new)
    assert sorted(p.old for p in pairs if p.old is not None) == list(range(len(old)))
    assert [p.new for p in pairs if p.new is not None] == list(range(len(new)))


@given(CELLS)
def test_a_notebook_is_the_same_as_itself(old):
    found = cells.align([old, old, old])
    assert len(found.rows) == len(old) and not any(found.differs(row) for row in found.rows)


@given(CELLS, CELLS, CELLS)
def test_each_notebook_stands_whole_in_the_rows(base, one, two):
    found = cells.align([base, one, two])
    for place, book in enumerate((base, one, two)):
        assert sorted(row.places[place] for row in found.rows if row.places[place] is not None) == list(
            range(len(book))
        )


@pytest.mark.parametrize("part", ["<style ", "<script>", "<!--", "<", "<style></style  "])
def test_hostile_html_is_read_as_text_without_going_over_it_again_and_again(part):
    markup = f"<b>1</b> <style>no</style >{part * 20_000}2 &lt;3"
    (found,) = read(cell(outputs=[{"output_type": "display_data", "data": {"text/html": markup}}]))
    assert "no" not in found.text and found.text.strip().startswith("1")
    assert notebooks.untagged("<style>a<b</style >x<!-- <i> -->y<script>3 < 4").split() == [
        "x",
        "y",
        "3",
        "<",
        "4",
    ]
