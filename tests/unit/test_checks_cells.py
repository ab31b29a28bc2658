"""What a `%%test` line says, how a case ends, and the options of `provenote test`."""

from __future__ import annotations

import pytest

from provenote.checks import asked, session
from provenote.checks.verdict import Finding
from provenote.errors import UsageError
from provenote.jobs.notebook import is_case
from provenote.magics import testing


def test_a_line_is_parsed() -> None:
    found = testing.parse(
        'bike-demand@production --on "data/my file.csv" --since=2012-09-01 --min r2=0.85 --min mae_score=0.1 '
        "--max rmse=60 --slice season --slice hr --worst 0.5 --timeout 60 --newest 500 --trusted a.B"
    )
    assert found.model == "bike-demand@production" and found.choice.on == "data/my file.csv"
    assert (found.choice.since, found.choice.newest) == ("2012-09-01", 500)
    assert (found.least, found.most) == ({"r2": 0.85, "mae_score": 0.1}, {"rmse": 60.0})
    assert (found.slices, found.worst, found.timeout) == (("season", "hr"), 0.5, 60.0)
    assert testing.parse("") == session.Request(), "a bare line goes on with the model before"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("a b", "takes one model"),
        ("a --min r2", "needs a number"),
        ("a --min", "has no value"),
        ("a --newest ten", "whole number"),
        ("a --wrong 1", "no option --wrong"),
        ("a --timeout soon", "needs a number"),
    ],
)
def test_a_line_without_meaning_is_told(line: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        testing.parse(line)


def test_how_a_case_ends() -> None:
    good, bad = Finding("a", "passed"), Finding("b", "failed", "too low")
    open_, gone = Finding("c", "not judged", "3 rows"), Finding("d", "skipped", "no stage")
    session.conclude([good, gone])
    with pytest.raises(session.NotPassed, match=r"2 of 3 not passed. b: failed, too low; c: not judged"):
        session.conclude([good, open_, bad])
    assert session.judge(None, [good, gone]) == ("passed", "")
    assert session.judge(None, []) == ("passed", "it ran to its end")
    assert session.judge(session.NotPassed("x"), [good, open_])[0] == "not judged"
    assert session.judge(AssertionError("no"), [good]) == ("failed", "AssertionError: no")
    assert session.judge(session.TooLong("slow"), [])[0] == "failed"
    assert session.judge(ValueError("odd"), [bad]) == ("error", "ValueError: odd")
    assert session.judge(UsageError("no metric 'x'"), [])[0] == "error"


def test_which_cells_are_cases() -> None:
    def cell(source: str, *tags: str, kind: str = "code") -> dict[str, object]:
        return {"cell_type": kind, "source": source, "metadata": {"tags": list(tags)}}

    assert (
        is_case(cell("x", "test")) and is_case(cell("%%test bike")) and is_case(cell("\n%%track a\n%%test"))
    )
    assert not is_case(cell("%%testing")) and not is_case(cell("# %%test")) and not is_case(cell("x"))
    assert not is_case(cell("%%test", kind="markdown")) and not is_case(cell("x\n%%test"))


def test_options_become_parameters() -> None:
    given = {"data": "a.csv", "least": ["r2=0.5", "mae=1"], "worst": 1, "stage": "none", "mb": None}
    assert asked.of_template(given) == {
        "data": "a.csv",
        "least": {"r2": 0.5, "mae": 1.0},
        "worst": 1.0,
        "stage": "",
    }
    for wrong in ("r2", "=1", "r2=high"):
        with pytest.raises(UsageError, match="metric"):
            asked.bounds([wrong], "--min")
