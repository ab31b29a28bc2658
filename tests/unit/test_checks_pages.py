"""What verdicts look like, with hostile words in them; and what is said of rows that were learned."""

from __future__ import annotations

import math

from provenote.checks import leak, pages
from provenote.checks.verdict import Finding, Verdict
from provenote.render import html, intervals, terminal

HOSTILE = "<script>alert(1)</script>\x1b[31m" + "x" * 300


def test_a_verdict_is_a_table_with_its_exit_status() -> None:
    found = (
        Finding("a", "passed", "2,888 rows", 0.9123456, 0.85, (0.9, 0.93)),
        Finding("b", "failed", "too low", 0.1, 0.85, mend="Keep the holder"),
        Finding("c", "skipped", "no stage", mend="never shown"),
        Finding(HOSTILE, "not judged", HOSTILE, math.nan, mend="Judge it on more rows"),
    )
    view = pages.view(Verdict("model-tests", {"reference": "bike@v1.0.0"}, found))
    assert view.status == 1 and view.data["outcome"] == "failed"
    text = terminal.render(view, width=160, color=False)
    assert "bike@v1.0.0: failed" in text and "1 passed, 1 failed, 1 not judged, 1 skipped" in text
    assert "0.9123" in text and "[0.9, 0.93]" in text and "Keep the holder" in text
    assert "never shown" not in text and "\x1b" not in text
    drawn = html.render(view)
    assert "<script>" not in drawn and "too low" in drawn
    for outcome, status in (("passed", 0), ("not judged", 3), ("error", 3), ("skipped", 3)):
        assert pages.view(Verdict("t", {}, (Finding("a", outcome),))).status == status  # type: ignore[arg-type]
    empty = pages.view(Verdict("t", {}, ()))
    assert empty.status == 3 and "no test ran" in terminal.render(empty, width=100, color=False)


def test_intervals_are_drawn_with_words_for_who_cannot_see_them() -> None:
    nothing = intervals.Reach("none", math.nan, word="not judged")
    assert intervals.draw([nothing], title="gain") is None
    hostile = intervals.Reach("$x_{1}$ <b>", 0.2, 0.1, 0.3, "better", "better")
    made = intervals.draw(
        [hostile, nothing, *[intervals.Reach(str(n), n) for n in range(60)]], title="gain $"
    )
    assert made is not None and made.png.startswith(b"\x89PNG")
    assert "from 0.1 to 0.3, better" in made.alt and "none no value, not judged" in made.alt
    assert made.alt.count(";") == intervals.MOST - 1


def test_what_is_said_of_learned_rows() -> None:
    def told(share: float, **more: object) -> Finding:
        return leak._told("n", share, "read it", **{"sure": False, "since": "", **more})  # type: ignore[arg-type]

    assert told(0.0).outcome == told(0.005, sure=True).outcome == "passed"
    assert told(0.4, sure=True).outcome == told(0.4, sure=True, since="2012-09-01").outcome == "failed"
    open_ = told(1.0)
    assert open_.outcome == "not judged" and "all rows were" in open_.why and "--since" in open_.mend
    chosen = told(1.0, since="2012-09-01")
    assert chosen.outcome == "skipped" and "you chose those from 2012-09-01 on" in chosen.why
