"""The cases of a test notebook, their verdict, and the verdict as JUnit XML."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from provenote.checks import junit
from provenote.checks.verdict import Finding, Verdict, read
from provenote.jobs import cases


def cell(identity: str, source: str, *tags: str, error: tuple[str, str] | None = None) -> dict[str, Any]:
    outputs = (
        [{"output_type": "error", "ename": error[0], "evalue": error[1], "traceback": []}] if error else []
    )
    metadata = {"tags": list(tags)}
    return {"id": identity, "cell_type": "code", "metadata": metadata, "source": source, "outputs": outputs}


def ran(*ends: tuple[str, str]) -> list[dict[str, Any]]:
    return [{"id": name, "status": status, "seconds": 0.5} for name, status in ends]


def outcomes(verdict: Verdict) -> dict[str, str]:
    return {one.name: one.outcome for one in verdict.findings}


def test_each_case_tells_how_it_ended() -> None:
    notebook = {
        "cells": [
            cell("setup", "import numpy"),
            cell("given", "depth = 3", "injected-parameters"),
            cell("good", "# it adds up\nassert 1 + 1 == 2", "test"),
            cell("bad", "assert x > 1", "test", error=("AssertionError", "x is 0")),
            cell("broken", "%%test bike\n1 / 0", error=("ZeroDivisionError", "division by zero")),
            cell("asked", "%%test bike --min r2=0.8", error=("NotPassed", "")),
            {"id": "t", "cell_type": "markdown", "metadata": {}, "source": "%%test"},
            cell("never", "# the last", "test"),
        ]
    }
    told = {
        "asked": {
            "outcome": "not judged",
            "findings": [
                {"name": "at least r2", "outcome": "not judged", "why": "only 3 rows", "limit": 0.8},
                {"name": "size", "outcome": "passed", "why": "1 MB", "value": 1.0, "interval": None},
            ],
        }
    }
    ends = ran(("setup", "completed"), ("good", "completed"), ("bad", "failed"), ("broken", "failed"),
               ("asked", "failed"))  # fmt: skip
    subject = {"subject": {"reference": "bike@v1.0.0", "sha256": "ab"}, "cases": told}
    found = cases.ended(notebook, ends, subject, "t/bike.ipynb")
    assert outcomes(found) == {
        "it adds up": "passed",
        "bad": "failed",
        "broken": "error",
        "asked: at least r2": "not judged",
        "asked: size": "passed",
        "the last": "skipped",
    }
    assert found.outcome == "error" and found.subject["sha256"] == "ab"
    assert found.findings[1].why == "AssertionError: x is 0"
    assert read(found.plain()) == found
    tree = ElementTree.fromstring(junit.render(found).encode())
    suite = tree.find("testsuite")
    assert suite is not None and (suite.get("tests"), suite.get("failures")) == ("6", "1")
    assert (suite.get("errors"), suite.get("skipped")) == ("2", "1")
    by_name = {case.get("name"): case for case in suite.iter("testcase")}
    assert by_name["bad"].get("classname") == "t/bike.ipynb"
    open_ = by_name["asked: at least r2"].find("error")
    assert open_ is not None and open_.get("message") == "not judged: only 3 rows"
    properties = {one.get("name"): one.get("value") for one in by_name["asked: size"].iter("property")}
    assert properties["value"] == "1.0" and properties["cell"] == "asked"
    assert {one.get("name") for one in suite.findall("properties/property")} >= {"sha256", "notebook"}


def test_a_setup_that_breaks_is_an_error_and_the_cases_are_skipped() -> None:
    notebook = {
        "cells": [
            cell("setup", "import nothing", error=("ModuleNotFoundError", "no module")),
            cell("case", "pass", "test"),
        ]
    }
    found = cases.ended(notebook, ran(("setup", "failed")), {}, "a.ipynb", "cell 1: no module")
    assert outcomes(found) == {"cell 1": "error", "case": "skipped"} and found.outcome == "error"
    assert "no module" in found.findings[0].why
    assert found.findings[1].why == "it did not run, since cell 1 broke"


def test_a_job_that_was_stopped_never_passes() -> None:
    notebook = {"cells": [cell("a", "pass", "test"), cell("b", "pass", "test")]}
    found = cases.ended(notebook, ran(("a", "completed")), {}, "a.ipynb", "cell 1 ended the test")
    assert outcomes(found) == {"a": "passed", "b": "skipped", "the job": "error"}
    assert found.outcome == "error"
    empty = cases.ended({"cells": []}, [], {}, "a.ipynb", "the kernel did not start")
    assert empty.outcome == "error"
    assert cases.ended(notebook, [], {}, "a.ipynb").outcome == "skipped"


@pytest.mark.parametrize(
    ("status", "error", "outcome"),
    [
        ("completed", None, "passed"),
        ("failed", ("AssertionError", "gone: hum"), "failed"),
        ("failed", ("KeyError", "hum"), "error"),
    ],
)
def test_a_notebook_without_cases_is_one(status: str, error: Any, outcome: str) -> None:
    notebook = {"cells": [cell("a", "1"), cell("b", "assert False", error=error)]}
    found = cases.ended(notebook, ran(("a", "completed"), ("b", status)), {}, "checks/data.ipynb", "x")
    assert outcomes(found)["data"] == outcome
    short = cases.ended(notebook, ran(("a", "completed")), {}, "data.ipynb")
    assert outcomes(short) == {"data": "skipped"}


def test_two_cases_of_one_name_are_told_apart_and_hostile_ones_stay_xml() -> None:
    notebook = {"cells": [cell("a", "# <b>&\x1b[31m\x00", "test"), cell("b", "# same", "test"),
                          cell("c", "# same", "test")]}  # fmt: skip
    found = cases.ended(
        notebook, ran(("a", "completed"), ("b", "completed"), ("c", "completed")), {}, "a.ipynb"
    )
    names = list(outcomes(found))
    assert names[1:] == ["same", "same (2)"]
    tree = ElementTree.fromstring(junit.render(found).encode())
    assert [case.get("name") for case in tree.iter("testcase")][0] == "<b>&\ufffd[31m\ufffd"


def test_what_is_no_verdict_is_none() -> None:
    assert cases.of_document({}) is None
    assert cases.of_document({"extra": {"verdict": {"cases": {}}}}) is None, "a kernel's word alone is none"
    assert (
        cases.of_document({"extra": {"verdict": {"outcome": "passed", "schema": 9, "findings": []}}}) is None
    )
    good = Verdict("model-tests", {}, (Finding("a", "passed"),)).plain()
    kept = cases.of_document({"extra": {"verdict": good}})
    assert kept is not None and kept.outcome == "passed"
    good["findings"] = [{"name": "a", "outcome": "fine"}]
    strange = cases.of_document({"extra": {"verdict": good}})
    assert strange is not None and strange.outcome == "error", "an outcome that nobody knows is no good one"
