"""What the widget of verdicts is told, and where verdicts become widgets."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from provenote.checks import pages
from provenote.checks.verdict import Finding, Verdict
from provenote.magics import shown
from provenote.monitor import verdicts
from provenote.view import Line
from provenote.widgets import live, present, verdict

DIGEST = "ab" * 32
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=12,
)
FINDINGS = st.dictionaries(
    st.sampled_from(["name", "outcome", "why", "value", "limit", "interval", "mend", "evidence"]), JSON
)


def test_a_finding_keeps_figures_for_the_bar_and_words_for_the_reader() -> None:
    one = Finding("at least r2", "failed", "low", 0.84321, 0.9, (0.8, 0.88), "Run `x`", {"rows": 2888})
    assert verdict.finding(Verdict("t", {}, (one,)).plain()["findings"][0]) == {
        "name": "at least r2",
        "outcome": "failed",
        "why": "low",
        "mend": "Run `x`",
        "value": 0.84321,
        "limit": 0.9,
        "interval": (0.8, 0.88),
        "texts": ["0.8432", "0.9", "[0.8, 0.88]"],
        "blocks": [{"facts": [["rows", "2888", False]]}],
    }


def test_evidence_is_facts_digests_and_rows() -> None:
    found = verdict.blocks(
        {
            "sha256": DIGEST,
            "year": 2012,
            "count": 17379,
            "share": -0.12345678,
            "columns": ["temp", "hum"],
            "same_rows": True,
            "nothing": None,
            "slices": [{"slice": "a", "r2": 0.5, "none": None}, {"slice": "b", "r2": 0.25, "none": ""}] * 30,
            "points": {"answers": {"passed": False}},
        }
    )
    assert found[0]["facts"] == [
        ["sha256", DIGEST, True],
        ["year", "2012", False],
        ["count", "17,379", False],
        ["share", "−0.123457", False],
        ["columns", "temp, hum", False],
        ["same rows", "yes", False],
    ]
    slices, points = found[1:]
    assert slices["columns"] == ["slice", "r2"] and slices["right"] == [False, True]
    assert len(slices["rows"]) == verdict.ROWS and slices["left"] == 10
    assert points["rows"] == [["answers", "no"]]


def test_thousands_of_findings_stay_small_and_none_is_lost_silently() -> None:
    one = {"name": "n", "outcome": "failed", "evidence": {"rows": [{"row": at} for at in range(90)]}}
    state = verdict.state([("a", {"findings": [one] * 2_000})])
    tables = [each["blocks"][0] for each in state["verdicts"][0]["findings"]]
    assert len(tables) == 2_000 and {(len(each["rows"]), each["left"]) for each in tables} == {(5, 85)}
    many = verdict.state(
        [(str(at), {"findings": [{"name": "n"}] * 150}) for at in range(verdict.VERDICTS + 3)]
    )
    told = [(len(each["findings"]), each["left"]) for each in many["verdicts"]]
    assert many["left"] == 3 and told[0] == (150, 0) and told[-1] == (0, 150)
    assert sum(here for here, _ in told) == verdict.FINDINGS


@given(st.lists(FINDINGS, max_size=4) | JSON, JSON, JSON)
def test_whatever_a_run_holds_becomes_plain_json(findings: object, subject: object, outcome: object) -> None:
    state = verdict.state([("x", {"findings": findings, "subject": subject, "outcome": outcome})])
    json.dumps(state, allow_nan=False)
    for one in state["verdicts"][0]["findings"]:
        assert one["outcome"] in verdict.WORST_FIRST
        assert one["value"] is None or math.isfinite(one["value"])


def test_later_labels_stand_in_the_verdict_of_their_window() -> None:
    def record(begin: int, name: str, *findings: Finding, level: str = "healthy") -> SimpleNamespace:
        plain = Verdict("monitor", {"window": name}, findings).plain()
        return SimpleNamespace(begin=begin, window=name, level=level, verdict=plain)

    facts, error = Finding("facts", "passed"), Finding("performance", "failed")
    standing = SimpleNamespace(
        monitor=SimpleNamespace(accepted=[SimpleNamespace(window="w1")]),
        data=(record(1, "w1", facts, level="act"), record(2, "w2", facts)),
        performance=(record(1, "w1", error),),
    )
    found = verdicts.named(standing)  # type: ignore[arg-type]
    assert [name for name, _ in found] == ["w2, healthy", "w1, accepted"]
    assert [one["name"] for one in found[1][1]["findings"]] == ["facts", "performance"]
    assert found[1][1]["outcome"] == "failed"
    standing.performance[0].verdict["schema"] = 9
    assert [one["name"] for one in verdicts.named(standing)[1][1]["findings"]] == ["facts"]  # type: ignore[arg-type]


def test_the_plain_table_is_kept_and_the_widget_stands_beside_it(monkeypatch) -> None:
    displayed = []
    monkeypatch.setattr(present, "_display", lambda bundle, **more: displayed.append(bundle))
    view = pages.view(Verdict("t", {}, (Finding("<b>", "failed", "low"),)), what="m", more=[Line("told")])
    monkeypatch.setattr(live, "interactive", lambda: False)  # a job, or a front end without cells
    shown.verdicts(view, {"x/y": 1})
    assert [sorted(one) for one in displayed] == [["text/html", "text/plain", "x/y"]]
    assert "pn-kept" not in displayed[0]["text/html"] and "&lt;b&gt;" in displayed[0]["text/html"]

    monkeypatch.setattr(live, "interactive", lambda: True)
    owned = []
    monkeypatch.setattr(present, "_own", owned.append)
    displayed.clear()
    shown.verdicts(view)
    kept, widget = displayed
    assert 'class="pn-kept"' in kept["text/html"] and "&lt;b&gt;" in kept["text/html"]
    box = owned[0].box
    assert widget[present.VIEW]["model_id"] == box.model_id and "pn-shown" in box._dom_classes
    grid, below = box.children
    assert grid.state["verdicts"][0]["title"] == "m" and "told" in below.value
    owned[0].close()
    assert grid.comm is None and box.comm is None
