"""The verdict on the order of cells, against examples and against a simple model of a notebook session."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenote.tracking.linearity import Document, Execution, Verdict, digest, evidence, judge, recompute
from provenote.tracking.reading import reads_only

SOURCES = ["import math", "a = 1", "b = a + 1", "%%track t\n%log s=b"]
DOCUMENT = Document(tuple((f"c{i}", digest(source)) for i, source in enumerate(SOURCES)), at=50.0)


def ran(order: list[int], *, ids: str | None = "c", at: float = 100.0) -> list[Execution]:
    return [
        Execution(n, None if ids is None else f"{ids}{cell}", digest(SOURCES[cell]), at + n, True)
        for n, cell in enumerate(order, 1)
    ]


def verdict(
    executions: list[Execution], document: Document | None = DOCUMENT, deleted: dict | None = None
) -> Verdict:
    return judge(executions, document, deleted, len(executions) - 1)


CLIENTS = {"jupyterlab": "c", "vs code": "vscode-notebook-cell:/a.ipynb#W", "none": None}


@pytest.mark.parametrize("ids", CLIENTS.values(), ids=CLIENTS)
@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ([0, 1, 2, 3], "linear"),
        ([0, 2, 3], "linear"),
        ([3], "linear"),
        ([0, 1, 2, 3, 3], "rerun"),
        ([0, 1, 2, 0, 1, 2, 3], "rerun"),
        ([0, 1, 1, 2, 3], "rerun"),
        ([0, 1, 2, 1, 3], "out-of-order"),
        ([1, 2, 0, 3], "out-of-order"),
        ([3, 1, 2], "out-of-order"),
    ],
)
def test_order_is_told_with_every_kind_of_client(ids: str | None, order: list[int], expected: str) -> None:
    assert verdict(ran(order, ids=ids)).verdict == expected


def test_skipped_cells_are_evidence_and_no_fault() -> None:
    assert verdict(ran([1, 3])) == Verdict("linear", (), ("c0", "c2"))


def test_no_document_is_unknown_with_its_reason() -> None:
    told = judge(ran([0, 1]), None, absent="a terminal session has no document")
    assert told == Verdict("unknown", ("a terminal session has no document",))


def test_nothing_that_counts_is_unknown() -> None:
    assert verdict([]).verdict == "unknown"
    assert verdict([replace(ran([0])[0], counts=False)]).verdict == "unknown"


def test_a_deleted_cell_is_out_of_order_and_named() -> None:
    told = verdict(ran([0, 1, 2, 3]), deleted={"c1": 104.0})
    assert told.verdict == "out-of-order"
    assert told.why == ("In[2] (cell c1) was deleted after it ran",)


def test_a_cell_deleted_before_it_ever_ran_is_no_matter() -> None:
    assert verdict(ran([0, 2, 3]), deleted={"c1": 101.0}).verdict == "linear"


def test_an_undone_deletion_is_forgotten() -> None:
    back_in_document = replace(DOCUMENT, at=110.0)
    assert verdict(ran([0, 1, 2, 3]), back_in_document, {"c1": 103.5}).verdict == "linear"
    assert verdict(ran([0, 1, 1, 2, 3]), DOCUMENT, {"c1": 102.5}).verdict == "rerun"


def test_silence_of_the_document_counts_only_when_it_was_seen_later() -> None:
    cells = tuple(cell for cell in DOCUMENT.cells if cell[0] != "c1")
    executions = ran([0, 1, 2, 3])
    assert verdict(executions, Document(cells, at=50)).verdict == "unknown"
    assert "not saved since" in verdict(executions, Document(cells, at=50)).why[0]
    assert verdict(executions, Document(cells, at=200)).verdict == "out-of-order"


def test_another_source_counts_only_when_it_was_seen_later() -> None:
    cells = tuple((cell, digest("a = 2") if cell == "c1" else source) for cell, source in DOCUMENT.cells)
    executions = ran([0, 1, 2, 3])
    assert verdict(executions, Document(cells, at=50)).verdict == "unknown"
    assert verdict(executions, Document(cells, at=200)).why == ("In[2] (cell c1) was edited after it ran",)


def test_the_tracked_cell_may_be_edited_and_run_again() -> None:
    first = replace(ran([0, 1, 2, 3])[3], source=digest("%%track t\n%log s=1"))
    executions = [*ran([0, 1, 2]), first, replace(ran([0, 1, 2, 3, 3])[4])]
    assert verdict(executions).verdict == "rerun"
    edited_while_it_runs = replace(DOCUMENT, cells=(*DOCUMENT.cells[:3], ("c3", digest("else"))), at=300)
    assert verdict(ran([0, 1, 2, 3]), edited_while_it_runs).verdict == "linear"


@pytest.mark.parametrize(
    ("ok", "expected"), [(False, "rerun"), (True, "out-of-order"), (None, "out-of-order")]
)
def test_two_sources_of_one_cell(ok: bool | None, expected: str) -> None:
    earlier = Execution(2, "c1", digest("a = boom"), 101.0, ok)
    executions = [ran([0])[0], earlier, *ran([1, 2, 3], at=110)]
    assert verdict(executions).verdict == expected
    assert "In[2]" in verdict(executions).why[0]


def test_executions_that_ran_nothing_do_not_count() -> None:
    nothing = Execution(3, "c0", digest("import math("), 103.5, False, counts=False)
    executions = [*ran([0, 1, 2]), nothing, ran([0, 1, 2, 3])[3]]
    assert verdict(executions).verdict == "linear"


def test_equal_cells_have_no_sure_place_without_ids() -> None:
    twins = Document((*DOCUMENT.cells, ("c9", digest("a = 1"))), at=50)
    assert verdict(ran([0, 1, 2, 3]), twins).verdict == "linear"
    for ids in (None, CLIENTS["vs code"]):
        told = verdict(ran([0, 1, 2, 3], ids=ids), twins)
        assert told.verdict == "unknown"
        assert "2 cells of the document have its source" in told.why[0]


def test_two_cells_of_one_source_that_stands_once_are_unknown() -> None:
    one, other = ran([1], ids="x:")[0], replace(ran([1], ids="x:")[0], cell="x:7", at=105)
    assert verdict([one, other]).verdict == "unknown"


def test_two_clients_of_one_kernel_are_placed_each_in_its_way() -> None:
    mixed = [*ran([0, 1]), *ran([2, 3], ids=CLIENTS["vs code"], at=110)]
    assert verdict(mixed, replace(DOCUMENT, at=300)).verdict == "linear"
    assert verdict([mixed[2], *mixed[:2], mixed[3]], replace(DOCUMENT, at=300)).verdict == "out-of-order"


def test_an_unrelated_document_says_nothing() -> None:
    other = Document((("q", digest("something else")),), at=500)
    assert verdict(ran([0, 1], ids=None), other) == Verdict(
        "unknown", ("none of the cells that ran is in the document",)
    )
    assert verdict(ran([0, 1]), replace(other, at=1)).why == (
        "the notebook was not saved since these cells ran",
    )


def test_a_failed_cell_without_id_that_left_the_document_is_unknown_not_out_of_order() -> None:
    failed = Execution(1, None, digest("boom"), 99.0, False)
    assert verdict([failed, *ran([0, 1], ids=None)], replace(DOCUMENT, at=300)).verdict == "unknown"
    assert (
        verdict([replace(failed, ok=True), *ran([0, 1], ids=None)], replace(DOCUMENT, at=300)).verdict
        == "out-of-order"
    )


def test_cells_before_loading_are_placed_by_source_and_join_later_executions() -> None:
    before = [replace(one, before_load=True, at=100.0) for one in ran([0, 1], ids=None)]
    assert verdict([*before, *ran([2, 3])]).verdict == "linear"
    assert verdict([*before, *ran([0, 1, 2, 3])]).verdict == "rerun"
    assert verdict([*reversed(before), *ran([2, 3])]).verdict == "out-of-order"


@pytest.mark.parametrize(
    "source",
    [
        "%runs",
        "%runs metrics.rmse < 60",
        "# look\n%compare a b\n\n%pv show hgb-3e1d",
        "%provenote job logs x",
        "",
        "%inbox",
        "%data",
        "%data status",
        "%pv data diff a@x",
        "%track status",
        "%job logs a",
    ],
)
def test_cells_of_reading_verbs_do_not_count(source: str) -> None:
    assert reads_only(source)


@pytest.mark.parametrize(
    "source",
    [
        "x = 1",
        "%runs\nx = 1",
        "x = %runs",
        "%data add a.csv",
        "%pv data get a@b",
        "%job train.ipynb",
        "%promote m",
        "%%track a\n%runs",
        "%log a=1",
        "%pv sync",
        "%timeit f()",
        "%track start a",
        "%pv",
        "!rm a",
    ],
)
def test_cells_that_do_something_count(source: str) -> None:
    assert not reads_only(source)


# ---------------------------------------------------------------------- a model


class Notebook:
    """A session as a person lives it: cells edited, moved, deleted and run; the client tells all."""

    def __init__(self, count: int) -> None:
        self.cells = [[f"c{i}", f"x{i} = 0", 0] for i in range(count)]
        self.log: list[tuple[str, str, bool]] = []
        self.made = count

    def act(self, what: str, where: int, ok: bool) -> None:
        if not self.cells:
            return
        cell = self.cells[where % len(self.cells)]
        if what == "run":
            self.log.append((cell[0], cell[1], ok))
        elif what == "edit":
            cell[2] += 1
            cell[1] = f"{cell[0]} = {cell[2]}"
        elif what == "delete":
            self.cells.remove(cell)
        elif what == "move":
            self.cells.remove(cell)
            self.cells.insert(0, cell)
        elif what == "insert":
            self.cells.insert(where % len(self.cells), [f"c{self.made}", f"x{self.made} = 0", 0])
            self.made += 1

    def expected(self) -> str:
        """Say the verdict by brute force, straight from the words of the rule."""
        if not self.log:
            return "unknown"
        now = {cell[0]: (place, cell[1]) for place, cell in enumerate(self.cells)}
        if not any(cell in now for cell, _, _ in self.log):
            return "unknown"
        tracked = self.log[-1][0]
        for i, (cell, source, ok) in enumerate(self.log):
            final = max(j for j, one in enumerate(self.log) if one[0] == cell)
            if cell not in now:
                return "out-of-order"
            if i != final and ok and source != self.log[final][1] and cell != tracked:
                return "out-of-order"
            if i == final and now[cell][1] != source and cell != tracked:
                return "out-of-order"
            for j, (other, _, _) in enumerate(self.log):
                other_final = max(k for k, one in enumerate(self.log) if one[0] == other)
                if (
                    i == final
                    and j == other_final
                    and i < j
                    and other in now
                    and now[cell][0] > now[other][0]
                ):
                    return "out-of-order"
        return "rerun" if len({cell for cell, _, _ in self.log}) < len(self.log) else "linear"


ACTIONS = st.tuples(
    st.sampled_from(["run", "run", "run", "edit", "delete", "move", "insert"]),
    st.integers(0, 20),
    st.booleans(),
)


@settings(max_examples=400, deadline=None)
@given(st.integers(1, 6), st.lists(ACTIONS, max_size=14), st.booleans())
def test_the_verdict_agrees_with_a_simple_model(count: int, actions: list, in_order: bool) -> None:
    book = Notebook(count)
    if in_order:
        for place in range(count):
            book.act("run", place, True)
    for action in actions:
        book.act(*action)
    executions = [
        Execution(n, cell, digest(source), float(n), ok) for n, (cell, source, ok) in enumerate(book.log, 1)
    ]
    document = Document(tuple((cell[0], digest(cell[1])) for cell in book.cells), 1e6, "labextension")
    told = verdict(executions, document)
    assert told.verdict == book.expected(), told.why
    assert bool(told.why) == (told.verdict != "linear")
    kept = json.loads(json.dumps(evidence(executions, document, {}, len(executions) - 1, told)))
    assert recompute(kept) == told


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.booleans(), st.integers(0, 9)), max_size=8),
    st.integers(0, 9),
    st.dictionaries(st.sampled_from(["c0", "c1", "c2"]), st.floats(0, 9)),
    st.booleans(),
)
def test_any_evidence_can_be_judged_again(cells: list, saved: int, deleted: dict, there: bool) -> None:
    executions = [
        Execution(n, f"c{cell}" if own else None, digest(f"x{cell}" if ok else "y"), float(at), ok)
        for n, (cell, own, ok, at) in enumerate(cells)
    ]
    document = Document(tuple((f"c{i}", digest(f"x{i}")) for i in range(4)), float(saved)) if there else None
    told = judge(executions, document, deleted, None)
    assert recompute(json.loads(json.dumps(evidence(executions, document, deleted, None, told)))) == told


def test_a_scripts_evidence_is_linear() -> None:
    assert recompute({"schema": 1, "script": "train.py"}).verdict == "linear"


FROZEN = """{"schema": 1,
 "why": ["In[4] (cell c1) ran after In[3] (cell c2), which it precedes in the document"],
 "skipped": [], "tracked": 4, "deleted": {"c9": 1795602901.5},
 "document": {"from": "labextension", "at": 1795602900.125,
  "cells": [["c0", "9ca8c5e8a0d7f1b2"], ["c1", "1111111111111111"],
   ["c2", "2222222222222222"], ["c3", "3333333333333333"]]},
 "executions": [
  {"n": 1, "cell": null, "source": "9ca8c5e8a0d7f1b2", "at": 1795602890.0, "ok": true, "before_load": true},
  {"n": 2, "cell": "c1", "source": "1111111111111111", "at": 1795602891.0, "ok": true},
  {"n": 3, "cell": "c2", "source": "2222222222222222", "at": 1795602892.0, "ok": true},
  {"n": 4, "cell": "c1", "source": "1111111111111111", "at": 1795602893.0, "ok": true},
  {"n": 5, "cell": "c3", "source": "3333333333333333", "at": 1795602894.0, "ok": null},
  {"n": 6, "cell": "c0", "source": "0000000000000000", "at": 1795602895.0, "ok": false, "counts": false}]}"""


def test_evidence_of_schema_1_is_read_for_ever() -> None:
    kept = json.loads(FROZEN)
    told = recompute(kept)
    assert (told.verdict, list(told.why)) == ("out-of-order", kept["why"])
