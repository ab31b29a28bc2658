"""Comments find their cell, line or output again after whatever people do to a notebook."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest

from provenote.compare.notebooks import NotReadable
from provenote.reviews import anchors, event
from provenote.reviews.anchors import Notebook
from provenote.reviews.threads import Place
from provenote.stores.digest import canonical

LOAD = "import pandas as pd\nhours = pd.read_csv('hour.csv')\nhours = hours.dropna()"
FEATURES = "X = hours[BASE].copy()\nX['hr_sin'] = np.sin(TAU * hours['hr'])\ny = hours['cnt']"
TRAIN = "model = HistGradientBoostingRegressor(\n    max_depth=6, max_iter=100,\n)\nmodel.fit(X, y)"
PLOT = "fig, ax = plt.subplots()\nax.plot(curve)\nplt.show()"


def png(seed: int) -> dict[str, Any]:
    body = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes([seed]) * 40).decode()
    return {
        "output_type": "display_data",
        "data": {"image/png": body, "text/plain": "<Figure>"},
        "metadata": {},
    }


def said(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def cell(source: str, id: str | None = None, *outputs: dict[str, Any], kind: str = "code") -> dict[str, Any]:
    made: dict[str, Any] = {"cell_type": kind, "metadata": {}, "source": source.splitlines(keepends=True)}
    if kind == "code":
        made |= {"outputs": list(outputs), "execution_count": None}
    return made | ({"id": id} if id else {})


def book(*cells: dict[str, Any]) -> Notebook:
    return anchors.read(
        json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}).encode()
    )


def usual() -> list[dict[str, Any]]:
    return [
        cell("# Bikes", "md", kind="markdown"),
        cell(LOAD, "load"),
        cell(FEATURES, "features"),
        cell(TRAIN, "train", said("rmse 71.89\nmae 47.38\n"), png(1)),
        cell(PLOT, "plot", png(2), png(3)),
    ]


def kept(anchor: dict[str, Any]) -> dict[str, Any]:
    """An anchor as the branch gives it back: what cannot be signed there is none."""
    assert event._is_anchor(anchor)
    return dict(json.loads(canonical(anchor)))


def test_a_line_is_found_exactly_and_moved_when_its_cell_or_line_moves() -> None:
    cells = usual()
    anchor = kept(anchors.make(book(*cells), 3, line=1))
    assert anchors.resolve(book(*cells), anchor) == Place(3, "train", "source", 1, None, "exact")
    moved = [cells[0], cells[3], cell("extra = 1", "new"), *cells[1:3], cells[4]]
    assert anchors.resolve(book(*moved), anchor) == Place(1, "train", "source", 1, None, "moved")
    cells[3] = cell("# boosted\n" + TRAIN, "train")
    assert anchors.resolve(book(*cells), anchor) == Place(3, "train", "source", 2, None, "moved")


def test_an_edited_line_is_guessed_and_one_that_is_gone_outdated() -> None:
    cells = usual()
    anchor = kept(anchors.make(book(*cells), 3, line=1))
    cells[3] = cell(TRAIN.replace("max_depth=6", "max_depth=8"), "train")
    assert anchors.resolve(book(*cells), anchor) == Place(3, "train", "source", 1, None, "guessed")
    cells[3] = cell("model = LinearRegression().fit(X, y)", "train")
    assert anchors.resolve(book(*cells), anchor) == Place(3, "train", "source", None, None, "outdated")


def test_of_equal_lines_the_one_with_the_same_surroundings_is_meant() -> None:
    source = "a = 1\nstep()\nb = 2\nstep()\nc = 3"
    anchor = kept(anchors.make(book(cell(source, "c")), 0, line=3))
    after = book(cell("zero = 0\nstep()\n" + source, "c"))
    assert anchors.resolve(after, anchor) == Place(0, "c", "source", 5, None, "moved")


def test_a_split_cell_keeps_its_comments_and_a_merged_one_too() -> None:
    cells = usual()
    before = book(*cells)
    first, second = kept(anchors.make(before, 1, line=0)), kept(anchors.make(before, 1, line=2))
    split = [
        cells[0],
        cell(LOAD.split("\nhours = hours")[0], "load"),
        cell("hours = hours.dropna()", "n"),
        *cells[2:],
    ]
    assert anchors.resolve(book(*split), first) == Place(1, "load", "source", 0, None, "moved")
    assert anchors.resolve(book(*split), second) == Place(2, "n", "source", 0, None, "guessed")
    merged = [cells[0], cell(FEATURES + "\n" + LOAD, "features"), *cells[3:]]
    assert anchors.resolve(book(*merged), second) == Place(1, "features", "source", 5, None, "guessed")


def test_with_all_ids_made_anew_every_comment_comes_back_to_its_cell() -> None:
    cells = [cell(f"value_{i} = compute({i * 37}, scale={i})\nprint(value_{i})", f"c{i}") for i in range(100)]
    before = book(*cells)
    found = [kept(anchors.make(before, i, line=0)) for i in range(100)]
    anew = [cell("".join(one["source"]), f"new{i}") for i, one in enumerate(cells)]
    anew.insert(10, cell("inserted = True", "newer"))
    places = [anchors.resolve(book(*anew), one) for one in found]
    assert [one.cell for one in places] == [*range(10), *range(11, 101)]
    assert {one.certainty for one in places} == {"moved"}
    bare = [cell("".join(one["source"])) for one in cells]  # a notebook of format 4.4 has no ids
    assert [anchors.resolve(book(*bare), one).cell for one in found] == list(range(100))


def test_a_lost_and_edited_cell_is_guessed_by_likeness_and_a_deleted_one_is_an_orphan() -> None:
    cells = usual()
    anchor = kept(anchors.make(book(*cells), 3, line=3))
    cells[3] = cell(TRAIN.replace("100", "300") + "\nmodel.score(X, y)", "other")
    assert anchors.resolve(book(*cells), anchor) == Place(3, "other", "source", 3, None, "guessed")
    del cells[3]
    assert anchors.resolve(book(*cells), anchor) == Place(None, None, "source", None, None, "orphan")
    assert anchors.resolve(book(), anchor).certainty == "orphan"


def test_twins_without_ids_are_guesses() -> None:
    anchor = kept(anchors.make(book(cell("check()"), cell("check()")), 1))
    assert anchors.resolve(book(cell("check()"), cell("check()")), anchor).certainty == "guessed"


def test_an_output_is_known_by_its_digest_and_outdated_when_it_differs() -> None:
    cells = usual()
    second = kept(anchors.make(book(*cells), 4, output=1))
    cells[4] = cell(PLOT, "plot", png(3), png(2))
    assert anchors.resolve(book(*cells), second) == Place(4, "plot", "output", None, 0, "moved")
    cells[4] = cell(PLOT, "plot", png(8), png(9))
    assert anchors.resolve(book(*cells), second) == Place(4, "plot", "output", None, 1, "outdated")
    cells[4] = cell(PLOT, "plot")
    assert anchors.resolve(book(*cells), second) == Place(4, "plot", "output", None, None, "outdated")
    line = kept(anchors.make(book(*usual()), 3, output=0, line=1))
    cells[3] = cell(TRAIN, "train", png(1), said("rmse 63.99\nr2 0.8\nmae 47.38\n"))
    assert anchors.resolve(book(*cells), line) == Place(3, "train", "output", 2, 1, "moved")


def test_a_captured_notebook_holds_each_execution_under_the_id_of_the_document() -> None:
    def ran(source: str, id: str, number: int) -> dict[str, Any]:
        return {**cell(source, f"{id}-{number}"), "metadata": {"provenote": {"cell": id, "ok": True}}}

    anchor = kept(anchors.make(book(cell(TRAIN, "train")), 0, line=0))
    captured = book(ran("model = None", "train", 1), ran(LOAD, "load", 1), ran(TRAIN, "train", 2))
    assert anchors.resolve(captured, anchor) == Place(2, "train", "source", 0, None, "moved")
    unnamed = book({**cell(TRAIN, "x1"), "metadata": {"provenote": {"cell": None}}})
    assert anchors.resolve(unnamed, anchor) == Place(0, None, "source", 0, None, "moved")


def test_whatever_is_done_to_a_notebook_every_anchor_has_an_answer_inside_it() -> None:
    rng = random.Random(7)
    cells = usual()
    before = book(*cells)
    found: list[dict[str, Any]] = [{}]
    for index, ran in enumerate(before.cells):
        found += [kept(anchors.make(before, index))]
        found += [kept(anchors.make(before, index, line=n)) for n in range(len(before.lines[index]))]
        found += [kept(anchors.make(before, index, output=n)) for n in range(len(ran.outputs))]
    for _ in range(60):
        now = [dict(one) for one in rng.sample(cells, rng.randint(0, len(cells)))]
        for one in now:
            if rng.random() < 0.4:
                one.pop("id", None)
            if rng.random() < 0.4:
                one["source"] = rng.sample(one["source"], rng.randint(0, len(one["source"])))
            if rng.random() < 0.3 and "outputs" in one:
                one["outputs"] = one["outputs"][::-1][: rng.randint(0, 2)]
        after = book(*now)
        for anchor in found:
            place = anchors.resolve(after, anchor)
            if place.cell is not None:
                assert 0 <= place.cell < len(now)
                if place.line is not None and place.target == "source":
                    assert place.line < len(after.lines[place.cell])
                if place.output is not None:
                    assert place.output < len(after.cells[place.cell].outputs)
            assert (place.cell is None) == (place.certainty == "orphan" or not anchor)


def test_what_is_no_anchor_is_refused_and_what_is_no_notebook_too() -> None:
    good = anchors.make(book(*usual()), 3, line=1)
    bad: list[Any] = [
        {"cell": "x"}, [], "cell 3", {**good, "line": -1}, {**good, "line": True}, {**good, "target": "all"},
        {**good, "before": [1]}, {**good, "before": ["x"] * 9}, {**good, "gist": "x" * 2_000},
        {**good, "more": 1},
    ]  # fmt: skip
    for one in bad:
        assert not event._is_anchor(one), one
    for content in (b"", b"[]", b"{}", b"{" * 5_000, b"\xff\xfe"):
        with pytest.raises(NotReadable):
            anchors.read(content)
    with pytest.raises(IndexError):
        anchors.make(book(*usual()), 3, line=99)
