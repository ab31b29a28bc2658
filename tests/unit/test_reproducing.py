"""What is run again, what counts as the same, and what is said about why not: what of it is pure."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenote.compare.notebooks import NotebookCell, Output
from provenote.errors import UsageError
from provenote.reproducing import canonical, execution, reasons, reproduction, source, tolerance, verdict
from provenote.reproducing.tolerance import Tolerance
from provenote.reproducing.verdict import Gave
from provenote.tracking.linearity import digest

# ---------------------------------------------------------------------- tolerance


@pytest.mark.parametrize(
    ("word", "name", "then", "good", "bad"),
    [
        ("rmse=0.01", "rmse", 50.0, 50.5, 50.51),
        ("rmse=1%", "rmse", -50.0, -50.5, -50.51),
        ("rmse=+-0.5", "rmse", 0.0, 0.5, 0.51),
        ("rmse=±0.5", "rmse", 0.0, -0.5, -0.51),
        ("0.1", "*", 10.0, 11.0, 11.1),
        ("val/loss=a=0", "val/loss=a", 1.0, 1.0, 1.0000001),
    ],
)
def test_a_tolerance_is_a_share_or_a_distance(
    word: str, name: str, then: float, good: float, bad: float
) -> None:
    found = tolerance.parse([word])
    assert list(found) == [name]
    assert found[name].holds(then, good) and not found[name].holds(then, bad)
    assert tolerance.parse([f"{name}={found[name]}"]) == found


def test_several_tolerances_stand_in_one_word_and_the_last_counts() -> None:
    found = tolerance.parse(["a=1, b=2%", "", "a=3"])
    assert found == {"a": Tolerance(3.0), "b": Tolerance(0.02)}
    assert tolerance.of(found, "c") == tolerance.EXACT
    assert tolerance.of({**found, "*": Tolerance(9.0)}, "c") == Tolerance(9.0)


@pytest.mark.parametrize(
    "word", ["rmse=", "rmse=x", "rmse=-1", "rmse=nan", "rmse=inf", "rmse=+-1%", "<b>=1e999"]
)
def test_what_is_no_tolerance_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="is no tolerance"):
        tolerance.parse([word])


def test_a_tolerance_for_no_metric_of_the_run_is_refused() -> None:
    tolerance.check(tolerance.parse(["rmse=1", "2"]), ["rmse"])
    with pytest.raises(UsageError, match="no metric 'rmsle'.*It has: mae, rmse"):
        tolerance.check(tolerance.parse(["rmsle=1"]), ["rmse", "mae"])


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats())
def test_exact_means_equal(then: float, now: float) -> None:
    assert tolerance.EXACT.holds(then, now) == (then == now)


def test_odd_numbers_are_near_themselves_alone() -> None:
    wide = Tolerance(10.0)
    assert wide.holds(math.nan, math.nan) and wide.holds(math.inf, math.inf)
    assert (
        not wide.holds(math.inf, -math.inf)
        and not wide.holds(1.0, math.nan)
        and not wide.holds(math.inf, 1.0)
    )


@pytest.mark.parametrize(
    ("key", "clock"),
    [("fit_s", True), ("epoch.time", True), ("train/elapsed", True), ("fit_time_s", True), ("s", True),
     ("loss", False), ("bias", False), ("times_better", False), ("mass", False), ("r2_scores", False),
     ("ms", True)],
)  # fmt: skip
def test_a_metric_that_measures_time_is_known_by_its_name(key: str, clock: bool) -> None:
    assert tolerance.is_clock(key) == clock


# ---------------------------------------------------------------------- verdict


def out(text: str, name: str = "stdout", kind: str = "stream", **forms: str) -> Output:
    return Output(kind, name, {"text/plain": text, **forms})


def cell(*outputs: Output, source: str = "x", id: str = "c1") -> NotebookCell:
    return NotebookCell(id, "code", source, outputs)


def gave(
    metrics: dict[str, Any], *cells: NotebookCell | None, status: str = "finished", **points: Any
) -> Gave:
    return Gave(status, "", metrics, points, cells)


def test_equal_to_the_last_bit_is_identical() -> None:
    then = gave(
        {"rmse": 0.1 + 0.2, "n": 3, "best": "a", "odd": "NaN"}, cell(out("3\n")), rmse=[(1, math.nan)]
    )
    now = gave({"rmse": 0.1 + 0.2, "n": 3, "best": "a", "odd": "NaN"}, cell(out("3\n")), rmse=[(1, math.nan)])
    found = verdict.judge(then, now, {})
    assert (found.word, found.compared, found.cells) == ("identical", 1, ())
    assert [metric.grade for metric in found.metrics] == ["equal"] * 4


@pytest.mark.parametrize(
    ("then", "now", "grade"),
    [
        ({"m": 0.3}, {"m": 0.1 + 0.2}, "off"),
        ({"m": True}, {"m": 1}, "off"),
        ({"m": "a"}, {"m": "b"}, "off"),
        ({"m": 1}, {}, "gone"),
        ({}, {"m": 1}, "new"),
        ({"m": {"n": 1}}, {"m": {"n": 2}}, "off"),
    ],
)
def test_any_metric_that_is_off_makes_it_different(then: Any, now: Any, grade: str) -> None:
    found = verdict.judge(gave(then), gave(now), {})
    assert (found.word, found.metrics[0].grade) == ("different", grade)


def test_within_tolerance_is_for_each_metric_and_all_its_points() -> None:
    allowed = tolerance.parse(["rmse=1%"])
    then = gave({"rmse": 100.0, "mae": 1.0}, rmse=[(1, 200.0), (2, 100.0)])
    near = gave({"rmse": 100.5, "mae": 1.0}, rmse=[(1, 201.0), (2, 100.5)])
    found = verdict.judge(then, near, allowed)
    assert found.word == "within tolerance"
    assert (found.metrics[0].grade, found.metrics[0].off_points, found.metrics[0].points) == ("near", 2, 2)
    for other in (
        gave({"rmse": 100.5, "mae": 1.001}, rmse=[(1, 200.0), (2, 100.5)]),  # of mae nothing was said
        gave({"rmse": 100.0, "mae": 1.0}, rmse=[(1, 210.0), (2, 100.0)]),  # a point on the way is off
        gave({"rmse": 100.0, "mae": 1.0}, rmse=[(1, 200.0)]),
        gave({"rmse": 100.0, "mae": 1.0}, rmse=[(1, 200.0), (3, 100.0)]),
    ):
        assert verdict.judge(then, other, allowed).word == "different"


def test_time_is_shown_and_judged_only_when_asked_for() -> None:
    then, now = gave({"rmse": 1, "fit_s": 1.0}), gave({"rmse": 1, "fit_s": 9.0})
    assert verdict.judge(then, now, {}).word == "identical"
    assert verdict.judge(then, now, {}).metrics[1].grade == "clock"
    assert verdict.judge(then, now, tolerance.parse(["fit_s=1%"])).word == "different"
    assert not verdict.comparable(gave({"fit_s": 1}, cell())) and verdict.comparable(gave({}, cell(out("a"))))


def test_a_run_that_ends_otherwise_is_different() -> None:
    assert verdict.judge(gave({"m": 1}), gave({"m": 1}, status="failed"), {}).word == "different"
    assert verdict.judge(gave({}, status="failed"), gave({}, status="failed"), {}).word == "identical"


def test_an_output_that_differs_names_its_cell() -> None:
    then = gave({"m": 1}, cell(out("a")), cell(out("b")), cell(out("c")), None)
    now = gave({"m": 1}, cell(out("a")), cell(out("B")), None, None)
    found = verdict.judge(then, now, {})
    assert (found.word, [one.number for one in found.cells], found.compared) == ("different", [2, 3], 3)
    assert found.cells[1].now is None


def test_numbers_in_outputs_may_be_off_as_far_as_metrics_may() -> None:
    then, now = (
        gave({"m": 100.0}, cell(out("m is 100.0, n 3"))),
        gave({"m": 100.5}, cell(out("m is 100.5, n 3"))),
    )
    assert verdict.judge(then, now, tolerance.parse(["m=1%"])).word == "within tolerance"
    assert (
        verdict.judge(then, now, tolerance.parse(["m=+-1"])).word == "different"
    )  # a distance of m says nothing of n
    words = gave({"m": 100.5}, cell(out("m was 100.5, n 3")))
    assert verdict.judge(then, words, tolerance.parse(["m=1%"])).word == "different"
    pictures = [
        gave({"m": 1}, cell(out("", kind="result", **{"image/png": body}))) for body in ("iVBO1", "iVBO2")
    ]
    assert verdict.judge(*pictures, tolerance.parse(["m=9"])).word == "different"


# ---------------------------------------------------------------------- outputs in canonical form


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/tmp/ipykernel_812/33.py:3: note", "/tmp/ipykernel_9/3344.py:3: note"),
        ("CPU times: user 3 ms\nWall time: 4.1 s\nok", "CPU times: user 9 s, sys 1\nWall time: 5 ms\nok"),
        (
            "1.2 ms ± 3 us per loop (mean ± std. dev. of 7 runs)",
            "9 s ± 1 s per loop (mean ± std. dev. of 7 runs)",
        ),
        ("done in 3.25 s", "done in 4 s"),
        ("took 12 seconds", "took 1.5e1 seconds"),
        ("read /home/a/project/data/x.csv", "read /home/a/project/past/.again/1f/data/x.csv"),
    ],
)
def test_what_no_two_executions_share_is_taken_out(one: str, other: str) -> None:
    folders = ["/home/a/project", "/home/a/project/past/.again/1f"]
    assert canonical.text(one, folders) == canonical.text(other, folders)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("rmse 61.4", "rmse 61.5"),
        ("3 samples", "4 samples"),
        ("2.5 m/s", "3.5 m/s"),
        ("std  1.58\nmin  1.0", "std  1.59\nmin  1.0"),
        ("1\ns 2", "3\ns 2"),
        ("8s8", "9s8"),
    ],
)
def test_what_says_something_stays(one: str, other: str) -> None:
    assert canonical.text(one, []) != canonical.text(other, [])


def test_standard_error_is_left_out_and_an_error_is_its_last_line() -> None:
    with_bar = cell(out("1\n"), out("100%|###| 3.2it/s", "stderr"))
    assert canonical.cell(with_bar, []).digest == canonical.cell(cell(out("1\n")), []).digest
    a, b = (
        cell(out(f"{draw}\nValueError: wrong <b>shape</b>", "ValueError", "error"))
        for draw in ("----", "====")
    )
    assert canonical.cell(a, []).digest == canonical.cell(b, []).digest
    assert (
        canonical.cell(a, []).digest
        != canonical.cell(cell(out("ValueError: x", "ValueError", "error")), []).digest
    )


# ---------------------------------------------------------------------- what is run again


def ran(text: str, id: str | None, number: int, ok: bool | None = True, **more: Any) -> dict[str, Any]:
    facts = {"cell": id, "ok": ok, **more}
    return {
        "cell_type": "code", "id": f"{id or 'in'}-{number}", "metadata": {"provenote": facts}, "source": text,
        "outputs": [], "execution_count": number,
    }  # fmt: skip


def evidence(
    cells: list[dict[str, Any]], document: list[tuple[str | None, str]] | None, at: float = 1e9
) -> dict[str, Any]:
    executions = [
        {"n": one["execution_count"], "cell": one["metadata"]["provenote"]["cell"], "at": float(place),
         "source": digest(one["source"]), "ok": True}
        for place, one in enumerate(cells)
    ]  # fmt: skip
    told = (
        {"from": "job", "at": at, "cells": [[id, digest(text)] for id, text in document]}
        if document
        else None
    )
    return {"document": told, "executions": executions, "deleted": {}}


def test_cells_run_once_with_their_last_source_in_document_order() -> None:
    cells = [ran("b=a", "c2", 1, False), ran("a=1", "c1", 2), ran("a=2", "c1", 3), ran("b=a", "c2", 4)]
    chosen, remarks = source.in_document_order(cells, evidence(cells, [("c1", "a=2"), ("c2", "b=a")]))
    assert (chosen, remarks) == ([2, 3], [])


def test_a_cell_that_is_gone_does_not_run_and_is_named() -> None:
    cells = [ran("x=5", "gone", 1), ran("print(x)", "c1", 2)]
    chosen, remarks = source.in_document_order(cells, evidence(cells, [("c1", "print(x)")]))
    assert chosen == [1]
    assert remarks == ["In[1] was deleted or edited after running, and was not run"]


def test_a_cell_that_was_not_saved_yet_runs_behind_the_one_before_it() -> None:
    cells = [ran("a", "c1", 1), ran("new", "new", 2), ran("b", "c2", 3)]
    chosen, remarks = source.in_document_order(cells, evidence(cells, [("c1", "a"), ("c2", "b")], at=0))
    assert chosen == [0, 1, 2]
    assert remarks == ["the place of 1 cell in the notebook is not known"]


def test_without_a_document_the_order_of_last_runs_counts_and_is_said() -> None:
    cells = [ran("a", "c1", 1), ran("", "c3", 2), ran("b", None, 3), ran("%runs", None, 4, counts=False)]
    chosen, remarks = source.in_document_order(cells, evidence(cells, None))
    assert chosen == [0, 2]
    assert remarks and "not known" in remarks[0]


def test_a_cell_without_an_id_is_found_by_its_source() -> None:
    cells = [ran("b", None, 1), ran("a", None, 2)]
    assert source.in_document_order(cells, evidence(cells, [(None, "a"), (None, "b")]))[0] == [1, 0]


def notebook(*cells: dict[str, Any]) -> bytes:
    return json.dumps({"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def test_a_failed_cell_does_not_stop_the_others() -> None:
    cells = [ran("1/0", "c1", 1, False), ran("2", "c2", 2)]
    document = {
        "kind": "interactive",
        "notebook": "a.ipynb",
        "evidence": evidence(cells, [("c1", "1/0"), ("c2", "2")]),
    }
    found = source.find("r", document, notebook(*cells), [])
    assert found.notebook is not None
    assert [one["metadata"]["tags"] for one in found.notebook["cells"]] == [["raises-exception"], []]
    assert [one.id for one in found.cells if one] == ["c1-1", "c2-2"]


def test_of_a_cell_before_the_extension_no_output_is_known() -> None:
    cells = [ran("print(1)", "c1", 1, before_load=True), ran("2", "c2", 2)]
    document = {
        "kind": "interactive",
        "notebook": "a.ipynb",
        "evidence": evidence(cells, [("c1", "print(1)"), ("c2", "2")]),
    }
    found = source.find("r", document, notebook(*cells), [])
    assert found.notebook is not None and len(found.notebook["cells"]) == 2
    assert [one is None for one in found.cells] == [True, False]


@pytest.mark.parametrize("path", ["../../evil.ipynb", "/etc/evil.ipynb", "a/../../b.ipynb", "x.py", None])
def test_a_notebook_outside_the_project_gets_a_place_inside(path: str | None) -> None:
    document = {"kind": "interactive", "notebook": path, "evidence": {}}
    assert source.find("r", document, notebook(ran("1", "c1", 1)), []).path == "executed.ipynb"


def test_a_job_runs_the_very_cells_that_its_kernel_got() -> None:
    injected = ran("depth = float('nan')", "p", 1) | {
        "metadata": {"tags": ["injected-parameters", "mine"], "papermill": {}}
    }
    pending = ran("3", "c3", 3) | {"metadata": {"papermill": {"status": "pending"}}}
    book = notebook({"cell_type": "markdown", "id": "m", "metadata": {}, "source": "text"}, injected, pending)
    found = source.find("r", {"kind": "job", "notebook": "a.ipynb", "job": {"kernel": "k"}}, book, [])
    assert found.notebook is not None and found.kernel == "k"
    assert [one["source"] for one in found.notebook["cells"]] == ["text", "depth = float('nan')", "3"]
    assert found.notebook["cells"][1]["metadata"] == {"tags": ["mine"]}
    assert [one is None for one in found.cells] == [False, True]


@pytest.mark.parametrize(
    ("document", "executed", "files", "words"),
    [
        ({"evidence": {"why": ["an interactive session"]}}, None, [], "kept no cells"),
        ({"evidence": {}}, b"{", [], "cannot be read"),
        ({"evidence": {"script": "t.py"}, "command": ["t.py"]}, None, ["a.py"], "is not in its snapshot"),
        ({"evidence": {"script": "t.py"}, "command": ["t.py"]}, None, ["t.py", "b/t.py"], "2 times"),
        ({"evidence": {"script": "t.py"}, "command": None}, None, ["t.py"], "how it was started"),
        (
            {"evidence": {"script": "t.py", "arguments": 3}, "command": ["t.py", "a", "b"]},
            None,
            ["t.py"],
            "with 3 arguments, of which the first 2 alone",
        ),
    ],
)
def test_what_cannot_be_run_again_is_said(
    document: dict[str, Any], executed: bytes | None, files: list[str], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        source.find("r", document, executed, files)


def test_a_script_runs_with_its_recorded_arguments() -> None:
    document = {"evidence": {"script": "t.py"}, "command": ["t.py", "--depth", "4"]}
    found = source.find("r", document, None, ["src/t.py", "a.txt"])
    assert (found.kind, found.path, found.arguments) == ("script", "src/t.py", ("--depth", "4"))
    assert "first two" in found.remarks[0]
    document["evidence"] |= {"path": "b/t.py", "folder": "b", "arguments": 2, "module": "b.t"}
    found = source.find("r", document, None, ["src/t.py", "b/t.py"])
    assert (found.path, found.folder, found.module, found.remarks) == ("b/t.py", "b", "b.t", ())
    document["evidence"] |= {"folder": "../..", "module": "b t; x"}
    found = source.find("r", document, None, ["src/t.py", "b/t.py"])
    assert (found.folder, found.module) == (None, "")


def test_threads_and_hash_seed_are_set_again_and_nothing_else() -> None:
    machine = {
        "threads": {"OMP_NUM_THREADS": "2", "LD_PRELOAD": "x", "MKL_NUM_THREADS": "$(x)"},
        "hash_seed": "0",
    }
    assert execution.environment({"machine": machine}) == {"OMP_NUM_THREADS": "2", "PYTHONHASHSEED": "0"}
    assert execution.environment({"machine": {"hash_seed": "random"}}) == execution.environment({}) == {}


# ---------------------------------------------------------------------- reasons


def different(*cells: NotebookCell) -> verdict.Verdict:
    then = gave({"m": 1}, *(cell(out("a"), source=one.source) for one in cells))
    return verdict.judge(then, gave({"m": 2}, *cells), {})


def test_reasons_are_what_the_records_tell() -> None:
    document = {
        "linearity": "out-of-order", "evidence": {"why": ["In[3] ran after In[1]"]},
        "params": {"boost__random_state": None}, "snapshot": "lost", "stale_modules": ["m"],
        "reads": [{"path": "a.csv", "md5": "1"}],
        "machine": {"platform": "Linux 6 x86_64", "cpus": 8, "hash_seed": "random", "blas": [{"threads": 8}]},
    }  # fmt: skip
    again = {
        "reads": [{"path": "a.csv", "md5": "2"}],
        "machine": {"platform": "Linux 6 x86_64", "cpus": 2, "hash_seed": "0", "blas": [{"threads": 2}]},
    }
    found = reasons.likely(
        document, again, different(cell(out("b"), source="print(time.time())")),
        environment=["scipy 1, here 2"], imported=1, absent=["b.csv"],
    )  # fmt: skip
    assert found == [
        "its cells ran out of order: In[3] ran after In[1]",
        "the snapshot of its files is lost: those of its baseline were used",
        "it ran with modules whose files had changed since they were imported",
        "not there: b.csv",
        "the environment differs, of what it imported: scipy 1, here 2",
        "other data were read: a.csv",
        "boost__random_state is None",
        "cell 1 asks the clock: time.time",
        "processors: 8, here 2",
        "threads of the linear algebra: 8, here 2",
        "its hash seed was not fixed, so sets had an order of their own",
    ]


def test_what_was_kept_is_compared_by_its_bytes() -> None:
    then = {"artifacts": {"a": {"md5": "1"}, "b": {"md5": "1"}, "c": {"md5": "1"}}}
    now = {"artifacts": {"a": {"md5": "1"}, "b": {"md5": "2"}, "d": {"md5": "1"}}}
    assert reproduction.artifacts(then, now) == {"a": "same", "b": "differs", "c": "gone", "d": "new"}
    assert reproduction.artifacts({}, {}) == {}


def test_nothing_is_guessed() -> None:
    assert reasons.likely({"linearity": "linear", "params": {"seed": 1}}, {}, different(cell(out("b")))) == []
    assert reasons.likely({"params": {}}, {}, different()) == [
        "no seed or random state is among its parameters"
    ]
    random = cell(out("b"), source="x = np.random.rand(3)")
    assert "cell 1 draws numbers: np.random" in reasons.likely({"params": {}}, {}, different(random))
