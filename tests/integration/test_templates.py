"""The templates run on the demo's data by one command each, and say what is wrong when it is."""

from __future__ import annotations

import lzma
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import nbformat
import pytest

import provenote
from provenote import cli, workspace
from provenote.jobs import launch, templates
from provenote.stores import index

sys.path.insert(0, str(Path(__file__).parent))
import registry_desk  # noqa: E402

FEATURES = ["yr", "mnth", "hr", "weekday", "workingday", "weathersit", "temp", "hum"]


def commit(message: str) -> None:
    subprocess.run(["git", "add", "--all"], check=True)
    subprocess.run(["git", "commit", "--quiet", "-m", message], check=True)


@pytest.fixture
def project(repo: Path) -> Path:
    """The demo's data, a model of it in production, and a worse one in a newer run."""
    import pandas as pd
    from sklearn.ensemble import HistGradientBoostingRegressor

    (repo / "data").mkdir()
    shipped = files("provenote_templates") / "data" / "hour.csv.xz"
    (repo / "data/hour.csv").write_bytes(lzma.decompress(shipped.read_bytes()))
    provenote.data.add("data/hour.csv")
    commit("data")
    hours = pd.read_csv("data/hour.csv")
    past = hours[hours.dteday <= "2012-10-31"]
    registry_desk.solo()
    for trees in (40, 5):
        with provenote.track(f"trees {trees}") as run:
            model = HistGradientBoostingRegressor(max_iter=trees).fit(past[FEATURES], past.cnt)
            run.log_model(model, "bike-demand")
        if trees == 40:
            registry_desk.promote("bike-demand")
    return repo


def ran(name: str, **given: object) -> launch.JobResult:
    if not Path(f"{name}.ipynb").exists():
        assert cli.main(["new", f"{name}.ipynb", "--from", name]) == 0
    return launch.run_job(f"{name}.ipynb", given)


def metrics(result: launch.JobResult) -> dict[str, float]:
    assert result.state.state == "succeeded", (result.state.reason, result.state.error)
    return dict(index.document(workspace.find(), str(result.state.commit))["metrics"])


def test_every_template_is_offered_and_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    assert templates.names() == ["compare-with-champion", "data-check", "evaluate", "test-model", "train"]
    assert cli.main(["new", "--help"]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in templates.names())


def test_evaluate_and_compare_with_the_champion(project: Path) -> None:
    champion = metrics(ran("evaluate"))
    assert 0 < champion["mae"] < champion["rmse"] < 150 and champion["r2"] > 0.5
    newest = registry_desk.workspace.find()
    rows, _ = index.rows(newest)
    worse = next(row for row in rows if row.label == "trees 5")
    challenger = metrics(ran("evaluate", run=worse.name))
    assert challenger["rmse"] > champion["rmse"]
    both = metrics(ran("compare-with-champion"))
    assert both["champion_rmse"] == pytest.approx(champion["rmse"])
    assert both["challenger_rmse"] == pytest.approx(challenger["rmse"])
    assert both["difference"] == pytest.approx(challenger["rmse"] - champion["rmse"])
    assert 0 <= both["weeks_better"] < both["weeks"]
    failed = ran("evaluate", begin="2030-01-01")
    assert failed.state.state == "failed" and "no row of data/hour.csv" in str(failed.state.reason)


def test_data_that_changed_for_the_worse_fails_the_check(project: Path) -> None:
    import pandas as pd

    assert metrics(ran("data-check"))["rows"] == 17379
    hours = pd.read_csv("data/hour.csv")
    for message, made, says in (
        ("a unit", hours.assign(temp=hours.temp.where(hours.index < 17000, hours.temp * 100)), "temp"),
        ("half", hours.iloc[:8000], "8,000 rows, 17,379 before"),
        ("a column", hours.drop(columns="hum"), "gone: hum"),
        ("gaps", hours.assign(hum=hours.hum.where(hours.index % 9 > 0)), "hum (11.1%)"),
        ("a type", hours.assign(hr=hours.hr.astype(str) + "h"), "hr was int64, is"),
    ):
        made.to_csv("data/hour.csv", index=False)
        provenote.data.add("data/hour.csv")
        result = ran("data-check", against="HEAD")
        assert result.state.state == "failed", message
        assert says in str(result.state.reason), (message, result.state.reason)


def test_a_run_loads_its_model_and_other_names_are_told(project: Path) -> None:
    rows, _ = index.rows(workspace.find())
    run = rows[0].name
    assert len(provenote.load("bike-demand", run=run).feature_names_in_) == len(FEATURES)
    with pytest.raises(provenote.UsageError, match="kept no model 'other'. Its models: bike-demand"):
        provenote.load("other", run=run)
    with pytest.raises(provenote.UsageError):
        provenote.load("bike-demand", run="nothing")
    with provenote.track("open") as going, pytest.raises(provenote.UsageError, match="goes on"):
        provenote.load("bike-demand", run=going.id)


def test_a_runs_model_with_types_of_its_own_must_be_trusted(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(
        "from sklearn.base import BaseEstimator\n"
        "class Model(BaseEstimator):\n    def fit(self, x): return self\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import mine

    with provenote.track("mine") as run:
        run.log_model(mine.Model(), "own")
    with pytest.raises(provenote.Refused, match=r"mine\.Model"):
        provenote.load("own", run=run.name)
    assert type(provenote.load("own", run=run.name, trusted=["mine.Model"])) is mine.Model


def test_a_runs_bytes_are_checked(repo: Path) -> None:
    run = registry_desk.run_with_model(b"weights")
    assert Path(str(provenote.load("churn", run=run))).read_bytes() == b"weights"
    registry_desk.cached(b"weights").write_bytes(b"changed")
    with pytest.raises(provenote.Refused):
        provenote.load("churn", run=run)


def test_templates_are_notebooks_of_ours() -> None:
    for name in templates.names():
        made = nbformat.reads((files("provenote_templates") / f"{name}.ipynb").read_text("utf-8"), 4)
        nbformat.validate(made)
        assert sum("parameters" in cell.metadata.get("tags", []) for cell in made.cells) == 1
        assert not any(cell.get("outputs") for cell in made.cells)
