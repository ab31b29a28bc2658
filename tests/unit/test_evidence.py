"""Checks that are held to their evidence: a signed pass alone is not enough."""

from __future__ import annotations

import json

import pytest
from ledger_world import World, rule, subject

from provenote.errors import UsageError
from provenote.registry import evidence, gathering
from provenote.registry.policy import BadPolicy
from provenote.registry.rules import Verdict
from provenote.registry.state import NotReleased

RMSE = {"rmse": {"max": 45, "not_worse_than_holder": 0.02}}


def world(metrics: object = RMSE, **more: object) -> World:
    return World(rule(metrics=metrics, checks=[], **more))


def figures(candidate: object, holder: object = None, version: str = "v1.0.0", before: str = "") -> dict:
    """Return the evidence of `metrics`; ``before`` is the version that holds the stage."""
    row = {"value": evidence.text(candidate), "holder": evidence.text(holder)}
    found = {
        "commit": subject(version).commit,
        "metrics": {"rmse": {name: value for name, value in row.items() if value is not None}},
    }
    return {**found, "holder": subject(before).commit} if before else found


def asked(made: World, proof: object, version: str = "v1.0.0", **body: object) -> str:
    request = made.ask(subject(version))
    made.vote(request, "bob")
    made.vote(request, "carol")
    made.check(request, **{"name": "metrics", "evidence": proof, **body})
    return request


def verdict(made: World, request: str) -> Verdict:
    found = made.state().promotion(request)
    assert found is not None
    return found.verdict


def test_figures_within_the_thresholds_are_released_and_next_compared_with():
    made = world()
    first = asked(made, figures(45))
    assert not made.problems(made.release(first))
    second = asked(made, figures(45.0, 44.5, "v1.1.0", "v1.0.0"), "v1.1.0")
    assert not made.lacks(second)
    assert not made.problems(made.release(second))
    assert made.holds() == "v1.1.0"
    made.amend(rules=[rule(metrics={"rmse": {"max": 1}}, checks=[])])
    assert made.holds() == "v1.1.0"  # a policy does not judge releases under the one before


@pytest.mark.parametrize(
    ("proof", "says"),
    [
        (None, "another run"),
        ("45", "another run"),
        ([], "another run"),
        ({}, "another run"),
        (figures(45.5), "above 45"),
        (figures(1, version="v9.9.9"), "another run"),
        (figures(float("nan")), "no finite value"),
        (figures(True), "no finite value"),
        ({**figures(1), "metrics": None}, "no finite value"),
        ({**figures(1), "metrics": {"rmse": 5}}, "no finite value"),
        ({**figures(1), "metrics": {"rmse": {"value": 5}}}, "no finite value"),
        *(
            ({**figures(1), "metrics": {"rmse": {"value": text}}}, "no finite value")
            for text in ("nan", "inf", "-inf", "1e999", "0x1", "", " 1", "1_0", "٣", "1\n", "9" * 50)
        ),
        ({**figures(1), "metrics": {"RMSE": {"value": "1.0"}}}, "no finite value"),
        ({**figures(1), "holder": "0" * 40}, "another version than what holds"),
    ],
)
def test_a_signed_pass_whose_figures_do_not_hold(proof, says):
    made = world()
    request = asked(made, proof)
    assert made.problems(made.release(request)) == {"checks"}
    assert says in " ".join(one.text for one in verdict(made, request).problems)


@pytest.mark.parametrize(
    ("proof", "says"),
    [
        (figures(44.9, 44, "v1.1.0", "v1.0.0"), "worse than the 44 of v1.0.0, more than 0.02 of it"),
        (figures(44, None, "v1.1.0", "v1.0.0"), "no finite rmse to compare with"),
        (figures(44, 99, "v1.1.0"), "another version than what holds the stage now (v1.0.0)"),
        (figures(44, 99, "v1.1.0", "v0.9.0"), "another version than what holds the stage now (v1.0.0)"),
    ],
)
def test_a_signed_pass_that_is_worse_than_the_holder_or_compares_with_another(proof, says):
    made = world()
    made.release(asked(made, figures(44)))
    request = asked(made, proof, "v1.1.0")
    assert made.problems(made.release(request)) == {"checks"}
    assert says in " ".join(one.text for one in verdict(made, request).problems)
    assert made.holds() == "v1.0.0"


def test_the_holder_changes_after_the_check():
    made = world()
    second = asked(made, figures(40, version="v1.1.0"), "v1.1.0")
    assert not made.lacks(second)
    made.release(asked(made, figures(30)))
    assert made.lacks(second) == {"checks"}
    assert made.problems(made.release(second)) == {"checks"}


def test_a_holder_that_the_releaser_had_not_seen():
    """It was right to release with what they knew; that two hold the stage is told to every reader."""
    made = world()
    first, second = asked(made, figures(30)), asked(made, figures(40, version="v1.1.0"), "v1.1.0")
    seen = made.log().heads
    released = made.release(first, prev=seen)
    late = made.after(released, lambda: made.release(second, prev=seen, seq=1, supersedes=[]))
    assert not made.problems(late)
    with pytest.raises(NotReleased, match="contested"):
        made.holds()


def test_a_recalled_holder_and_an_override_are_compared_as_they_must():
    made = world(override={"role": "emergency", "hours": 24})
    first = made.release(asked(made, figures(40)))
    made.sign("recall", "carol", subject=subject(), stage="production", target=first, why="biased")
    second = asked(made, figures(44, version="v1.1.0"), "v1.1.0")
    assert not made.problems(made.release(second))
    third = made.ask(subject("v1.2.0"))
    made.release(third, by="boss", override=True, why="down")
    assert made.holds() == "v1.2.0"
    made.vote(third, "bob")
    made.vote(third, "carol")
    made.check(third, name="metrics", evidence=figures(44, 44, "v1.2.0", "v1.1.0"))
    made.now += 3 * 86_400
    assert made.holds() == "v1.2.0"  # ratified, with the figures of what it replaced


def test_who_signs_figures_and_a_failed_check():
    made = world()
    assert made.lacks(asked(made, figures(1), by="bob")) == {"checks"}
    made = world()
    request = asked(made, figures(50), status="fail")
    assert "failed: rmse 50 is above 45" in verdict(made, request).problems[0].text
    made = world({"r2": {"min": 0.5, "not_worse_than_holder": 0}})
    proof = {"commit": subject().commit, "metrics": {"r2": {"value": "0.4"}}}
    assert "below 0.5" in verdict(made, asked(made, proof)).problems[0].text


@pytest.mark.parametrize(
    ("metrics", "way"),
    [
        ({"a": {"max": 1.5, "not_worse_than_holder": 0}}, "lower"),
        ({"a": {"min": -1e-3, "not_worse_than_holder": 0.1}}, "higher"),
        ({"a": {"better": "higher", "not_worse_than_holder": 0.1}}, "higher"),
        ({"a": {"better": "lower", "min": 0, "max": 2}}, "lower"),
    ],
)
def test_thresholds_are_read(metrics, way):
    (found,) = world(metrics).log().policy.rules[0].metrics
    assert found.better == way
    assert "metrics" in world(metrics).log().policy.rules[0].verdicts


@pytest.mark.parametrize(
    "metrics",
    [
        5,
        [],
        {"a": {}},
        {"a": 5},
        {"a": {"max": "45"}},
        {"a": {"max": True}},
        {"a": {"max": [1]}},
        {"a": {"max": float("inf")}},
        {"a": {"max": float("nan")}},
        {"a": {"min": 2, "max": 1}},
        {"a": {"max": 1, "not_worse_than_holder": -0.1}},
        {"a": {"not_worse_than_holder": 0.1}},
        {"a": {"min": 0, "max": 1, "not_worse_than_holder": 0.1}},
        {"a": {"better": "smaller", "max": 1}},
        {"a": {"max": 1, "typo": 2}},
        {"": {"max": 1}},
        {"a" * 101: {"max": 1}},
        {"a\u202eb": {"max": 1}},
    ],
)
def test_thresholds_that_cannot_be_enforced_are_refused_in_one_line(metrics):
    with pytest.raises(BadPolicy) as caught:
        made = world()
        made.amend(rules=[rule(metrics=metrics)])
        made.log()
    assert "\n" not in caught.value.line


def test_a_check_of_metrics_without_thresholds():
    made = World()
    made.amend(rules=[rule(checks=["metrics"])])
    with pytest.raises(BadPolicy, match="no thresholds"):
        made.log()


# ---------------------------------------------------------------------- reproduced

REPORT = "a" * 64


@pytest.mark.parametrize(
    ("proof", "says"),
    [
        (None, "another run"),
        ({"run": subject("v9.0.0").commit, "verdict": "identical", "report": REPORT}, "another run"),
        ({"run": subject().commit, "verdict": "different", "report": REPORT}, "was 'different'"),
        ({"run": subject().commit, "verdict": ["identical"], "report": REPORT}, "the reproduction was"),
        ({"run": subject().commit, "report": REPORT}, "was None"),
        ({"run": subject().commit, "verdict": "identical"}, "no report"),
        ({"run": subject().commit, "verdict": "identical", "report": "A" * 64}, "no report"),
        ({"run": subject().commit, "verdict": "identical", "report": 5}, "no report"),
    ],
)
def test_a_bare_pass_of_reproduced_releases_nothing(proof, says):
    made = World(rule(checks=["reproduced"]))
    request = asked(made, proof, name="reproduced")
    assert says in verdict(made, request).problems[0].text
    assert made.problems(made.release(request)) == {"checks"}


@pytest.mark.parametrize("word", ["identical", "within tolerance"])
def test_a_reproduction_of_this_very_run_does(word):
    made = World(rule(checks=["reproduced"]))
    proof = {"run": subject().commit, "verdict": word, "report": REPORT}
    request = asked(made, proof, name="reproduced")
    assert not made.problems(made.release(request))


# ---------------------------------------------------------------------- reports


def report(**more: object) -> dict:
    said = {
        "schema": 1,
        "name": "data-tests",
        "outcome": "passed",
        "subject": {},
        "findings": [{"name": "a", "outcome": "passed"}],
    }
    return {**said, **more}


def test_a_test_s_verdict_decides_by_its_outcome(tmp_path):
    path = tmp_path / "verdict.json"
    for word in ("passed", "failed", "not judged", "error", "skipped"):
        path.write_text(json.dumps(report(outcome=word, findings=[{"name": "a", "outcome": word}])))
        status, proof = gathering.of_report(str(path), "data-tests", subject())
        assert status == ("pass" if word == "passed" else "fail") and proof["outcome"] == word
    path.write_text(json.dumps(report(subject={"version": "v1.0.0", "commit": subject().commit})))
    assert gathering.of_report(str(path), "data-tests", subject())[0] == "pass"
    several = [report(), report(outcome="failed", findings=[{"name": "b", "outcome": "failed"}])]
    path.write_text(json.dumps({"verdicts": several}))
    assert gathering.of_report(str(path), "data-tests", subject())[0] == "fail"
    for content in (b"3 passed", b"\xff\xfe", b"[" * 100_000, b"[1]", b"{}", b""):
        path.write_bytes(content)
        assert gathering.of_report(str(path), "data-tests", subject())[0] is None


@pytest.mark.parametrize(
    "said",
    [
        report(name="model-tests"),
        report(outcome="fine"),
        report(schema=2),
        report(findings=[]),
        report(findings=5),
        report(findings=["passed"]),
        report(findings=[{"name": "a", "outcome": "failed"}]),
        report(subject={"version": "v2.0.0"}),
        report(subject={"commit": "0" * 40}),
        report(subject={"model": "other"}),
    ],
)
def test_a_verdict_of_something_else_or_at_odds_with_itself(said, tmp_path):
    path = tmp_path / "verdict.json"
    path.write_text(json.dumps(said))
    with pytest.raises(UsageError):
        gathering.of_report(str(path), "data-tests", subject())


@pytest.mark.parametrize(
    ("kept", "status", "found"),
    [
        (None, "finished", "pass"),
        (None, "failed", "fail"),
        ({"outcome": "passed", "sha256": ""}, "finished", "pass"),
        ({"outcome": "passed", "sha256": "its"}, "finished", "pass"),
        ({"outcome": "not judged", "sha256": "its"}, "finished", "fail"),
        (
            {"outcome": "passed", "sha256": "its"},
            "failed",
            "fail",
        ),  # what the run says of itself decides less
        ({"outcome": "passed", "sha256": "f" * 64}, "finished", None),
    ],
)
def test_a_test_job_s_verdict_is_about_the_model_that_it_tested(kept, status, found, monkeypatch):
    from types import SimpleNamespace

    from provenote.stores import index

    asked = subject()
    extra = {}
    if kept is not None:
        about = {"sha256": asked.sha256 if kept["sha256"] == "its" else kept["sha256"], "model": "churn"}
        rows = [{"name": "a", "outcome": kept["outcome"]}]
        extra = {"verdict": {"schema": 1, "name": "model-tests", "outcome": kept["outcome"],
                             "subject": about, "findings": rows}}  # fmt: skip
    row = SimpleNamespace(name="test-1a2b", commit="c" * 40, status=status)
    monkeypatch.setattr(index, "find", lambda *_: row)
    monkeypatch.setattr(index, "document", lambda *_: {"extra": extra})
    if found is None:
        with pytest.raises(UsageError, match="run test-1a2b tested churn ffffffffffff, not what .* is"):
            gathering.of_run(None, "test-1a2b", asked)
    else:
        assert gathering.of_run(None, "test-1a2b", asked)[0] == found
