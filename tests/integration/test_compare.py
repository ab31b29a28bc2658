"""``compare`` on real runs: text, JSON, notebook; baselines, absent runs, odd keys."""

from __future__ import annotations

import json
import math

import pytest

import provenote
from provenote.cli import main


def log(label="hgb", params=None, **metrics):
    with provenote.track(label) as run:
        run.log_params(params or {})
        run.log(metrics)
    return run.name


def shell(capsys, *words):
    status = main(words)
    out, err = capsys.readouterr()
    return status, out, err


def told(capsys, *words):
    status, out, err = shell(capsys, "compare", *words)
    assert status == 0, err
    return out


def data(capsys, *words):
    return json.loads(told(capsys, *words, "--json"))


def test_what_differs_is_shown_and_what_is_the_same_is_counted(repo, capsys):
    one = log(params={"depth": 6, "loss": "squared", "seed": 0}, rmse=71.89, r2=0.83)
    two = log(params={"depth": 8, "loss": "squared", "seed": 0}, rmse=61.4, r2=0.83)
    text = told(capsys, one, two)
    assert f"A  {one}  finished  baseline" in text and f"B  {two}  finished" in text
    assert "−10.49 better" in text and "Metrics, 1 differ" in text
    assert "loss" not in text and "2 identical hidden: `--all`" in text
    assert "squared" in told(capsys, one, two, "--all")
    found = data(capsys, one, two)
    assert found["schema"] == 1 and found["baseline"] == one
    assert [run["letter"] for run in found["runs"]] == ["A", "B"]
    assert found["params"] == [{"key": "depth", "values": [6, 8], "has": [True, True]}]
    assert found["metrics"][0]["change"] == [0.0, pytest.approx(-10.49)]
    assert found["metrics"][0]["better"] == [None, True] and found["metrics"][0]["direction"] == "lower"
    assert found["identical"]["params"] == 2 and found["identical"]["metrics"] == 1


def test_another_baseline_may_be_chosen(repo, capsys):
    one, two, three = (log(rmse=value) for value in (3.0, 2.0, 1.0))
    found = data(capsys, one, two, "--baseline", two)
    assert [run["name"] for run in found["runs"]] == [two, one]
    found = data(capsys, one, two, "--baseline", three)
    assert [run["name"] for run in found["runs"]] == [three, one, two]
    assert found["metrics"][0]["better"] == [None, False, False]


def test_one_run_is_held_against_the_run_before_of_its_label(repo, capsys):
    first = log(rmse=3.0)
    assert "nothing to hold" in shell(capsys, "compare", first)[2]
    log("other", rmse=9.0)
    second = log(rmse=2.0)
    assert [run["name"] for run in data(capsys, second)["runs"]] == [first, second]


@pytest.mark.parametrize("extra", [[], ["--json"]])
def test_a_run_that_does_not_exist_is_one_line(repo, capsys, extra):
    status, out, err = shell(capsys, "compare", log(), "gone-1234", *extra)
    assert status == 2 and not out
    assert err.count("\n") == 1 and "'gone-1234' is not in this repository" in err and "provenote sync" in err


def test_too_few_runs_and_the_same_one_twice_are_refused(repo, capsys):
    name = log()
    assert shell(capsys, "compare")[0] == 2
    status, _, err = shell(capsys, "compare", name, name)
    assert status == 2 and "named twice" in err


def test_runs_with_nothing_in_common(repo, capsys):
    one, two = log(params={"depth": 6}, rmse=1.0), log("other", params={"layers": [3, 4]}, accuracy=0.5)
    found = data(capsys, one, two)
    assert found["params"] == [
        {"key": "depth", "values": [6, None], "has": [True, False]},
        {"key": "layers", "values": [None, [3, 4]], "has": [False, True]},
    ]
    assert found["metrics"][0]["change"] == [0.0, None]
    lines = told(capsys, one, two).splitlines()
    assert any(line.split() == ["layers", "–", "[3,", "4]"] for line in lines)


def test_nan_is_the_same_as_nan(repo, capsys):
    one = log(params={"gap": math.nan, "top": math.inf}, loss=math.nan)
    two = log(params={"gap": math.nan, "top": math.inf}, loss=math.nan)
    three = log(params={"gap": 1.0, "top": -math.inf}, loss=2.0)
    found = data(capsys, one, two)
    assert found["params"] == [] and found["metrics"] == []
    assert [row["key"] for row in data(capsys, one, three)["params"]] == ["gap", "top"]
    assert "NaN" in told(capsys, one, three)


def test_hostile_names_act_on_nothing(repo, capsys):
    key = "\x1b[31m<script>alert(1)</script>\u202e" + "k" * 300
    one, two = log(params={key: "a\nb|`c`"}), log(params={key: "<b>x</b>"})
    text = told(capsys, one, two)
    assert "\x1b" not in text and "\u202e" not in text and r"\x1b[31m" in text and r"a\nb|`c`" in text
    assert data(capsys, one, two)["params"][0]["key"] == key


def test_a_run_that_goes_on_is_compared_as_far_as_it_is_known(repo, capsys):
    one = log(params={"depth": 6}, rmse=2.0)
    with provenote.track("hgb") as run:
        run.log_params({"depth": 8})
        run.log(rmse=1.0)
        found = data(capsys, one, run.name)
        assert found["runs"][1]["status"] == "running"
        assert found["params"][0]["values"] == [6, 8] and found["metrics"][0]["better"] == [None, True]
