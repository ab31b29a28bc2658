"""scikit-learn autolog in real runs: what ends in the commit, and that the setting turns it off."""

from __future__ import annotations

import csv
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import provenote
from provenote import workspace
from provenote.compare import show
from provenote.stores import cache, index
from provenote.tracking import fits

X = np.random.default_rng(0).normal(size=(60, 3))
Y = X @ [1.0, 2.0, 3.0] + 1


def document(run):
    return index.document(workspace.find(), run.commit)


def test_a_tracked_fit_is_in_the_commit(repo):
    with provenote.track("ridge") as run:
        model = Ridge(alpha=0.5).fit(X, Y)
        run.log_model(model, "demand")
    kept = document(run)
    assert kept["params"]["alpha"] == 0.5
    assert kept["metrics"]["training_score"] == pytest.approx(model.score(X, Y))
    assert kept["extra"]["fits"][0]["estimator"] == "Ridge"
    assert kept["artifacts"]["demand"]["format"] == "skops"
    assert kept["notes"] == []
    assert not fits._patched


def test_the_candidates_of_a_search_are_an_artifact(repo):
    grid = {"ridge__alpha": [0.1, 1.0, 10.0]}
    with provenote.track("search") as run:
        GridSearchCV(make_pipeline(StandardScaler(), Ridge()), grid, cv=3).fit(X, Y)
    kept = document(run)
    table = kept["artifacts"]["cv_results"]
    assert (table["type"], table["rows"]) == ("table", 3)
    path = cache.object_path(workspace.find().cache_dir, table["md5"])
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["param_ridge__alpha"] for row in rows] == ["0.1", "1.0", "10.0"]
    assert {"mean_test_score", "rank_test_score", "std_fit_time"} <= set(rows[0])
    assert kept["params"]["best_estimator"] == "Ridge"


def test_the_users_keys_win_in_the_commit(repo):
    with provenote.track("mine", params={"alpha": "by hand"}) as run:
        run.log(training_score=0.25)
        Ridge(alpha=0.5).fit(X, Y)
    kept = document(run)
    assert kept["params"]["alpha"] == "by hand"
    assert kept["params"]["solver"] == "auto"
    assert kept["metrics"]["training_score"] == 0.25


def test_a_failed_run_keeps_the_parameters_of_the_fit_that_failed(repo):
    with pytest.raises(ValueError, match="inconsistent"), provenote.track("broken") as run:
        Ridge(alpha=7).fit(X, Y[:5])
    kept = document(run)
    assert kept["status"] == "failed"
    assert kept["params"]["alpha"] == 7
    assert "training_score" not in kept["metrics"]


@pytest.mark.parametrize("how", ["file", "variable"])
def test_one_setting_turns_it_off(repo, monkeypatch, how):
    if how == "file":
        (repo / "provenote.toml").write_text("autolog = false\n")
    else:
        monkeypatch.setenv("PROVENOTE_AUTOLOG", "0")
    with provenote.track("quiet") as run:
        Ridge().fit(X, Y)
    kept = document(run)
    assert (kept["params"], kept["metrics"]) == ({}, {})


def test_a_score_on_part_of_the_rows_is_shown_as_one(repo):
    rows = np.arange(12_000, dtype=float).reshape(-1, 1)
    with provenote.track("wide") as run:
        Ridge().fit(rows, rows[:, 0])
    view = show.one_run(workspace.find(), run.name)
    table = next(part for part in view.parts if getattr(part, "caption", "") == "Metrics")
    assert table.foot == ["training_score is on 10,000 of 12,000 rows"]


def test_nested_runs_hold_their_own_fits(repo):
    with provenote.track("outer") as outer:
        Ridge(alpha=1).fit(X, Y)
        with provenote.track("inner") as inner:
            Ridge(alpha=2).fit(X, Y)
    assert document(outer)["params"]["alpha"] == 1
    assert document(inner)["params"]["alpha"] == 2


def test_a_script_that_imports_scikit_learn_inside_the_run(repo):
    code = """
        import provenote
        with provenote.track("late") as run:
            from sklearn.linear_model import Ridge
            Ridge(alpha=3).fit([[1.0], [2.0], [4.0]], [1, 2, 4])
        print(run.commit)
    """
    (repo / "train.py").write_text(textwrap.dedent(code))
    answer = subprocess.run([sys.executable, "train.py"], capture_output=True, text=True, check=True)
    kept = index.document(workspace.find(), answer.stdout.strip())
    assert kept["params"]["alpha"] == 3
    assert kept["metrics"]["fit_time_s"] > 0
