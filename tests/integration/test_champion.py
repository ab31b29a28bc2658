"""`compare --against`: a challenger beside the holder of a stage, on real rows, with every odd case told."""

from __future__ import annotations

import json
import lzma
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest

import provenote
from provenote import cli, workspace
from provenote.stores import index

sys.path.insert(0, str(Path(__file__).parent))
import registry_desk  # noqa: E402

FEATURES = ["yr", "mnth", "hr", "weekday", "workingday", "weathersit", "temp", "hum"]
SINCE = ["--since", "2012-09-01"]


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    status = cli.main(["compare", *words])
    out = capsys.readouterr()
    return status, out.out + out.err


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    cli.main(["compare", *words, "--json"])
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def finding(found: dict[str, object], name: str) -> dict[str, object]:
    check = found["check"]
    assert isinstance(check, dict)
    return next(one for one in check["findings"] if one["name"].startswith(name))


def fitted(rows: pd.DataFrame, label: str, depth: int, rows_kept: bool = True) -> str:
    from sklearn.tree import DecisionTreeRegressor

    features, answers = rows[FEATURES], rows["cnt"]
    with provenote.track(label) as run:
        pd.read_csv(provenote.data.path("data/hour.csv"))
        model = DecisionTreeRegressor(max_depth=depth, random_state=0).fit(features, answers)
        kept = {"X": features, "y": answers} if rows_kept else {}
        run.log_model(model, "bike-demand", **kept)
    return str(run.name)


@pytest.fixture
def hours(repo: Path) -> pd.DataFrame:
    """Two years of rentals, a model of their first 20 months in production."""
    (repo / "data").mkdir()
    shipped = files("provenote_templates") / "data" / "hour.csv.xz"
    (repo / "data/hour.csv").write_bytes(lzma.decompress(shipped.read_bytes()))
    provenote.data.add("data/hour.csv")
    subprocess.run(["git", "add", "--all"], check=True)
    subprocess.run(["git", "commit", "--quiet", "-m", "data"], check=True)
    return pd.read_csv("data/hour.csv")


def test_a_challenger_beside_the_holder(hours: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    past = hours[hours.dteday < "2012-09-01"]
    lame = fitted(past, "lame", 3)
    status, text = said(capsys, "--against", "production", lame)
    assert status == 1 and "ledger" in text, "no holder: one line that says why"
    registry_desk.solo()
    registry_desk.promote("bike-demand", run=lame)
    assert registry_desk.head("bike-demand") == "v1.0.0"

    status, text = said(capsys, "--against", "production", lame, *SINCE)
    assert status == 3 and "the holder itself" in text

    good = fitted(past, "good", 8)
    status, text = said(capsys, "--against", "production", good, *SINCE, "-s", "weathersit")
    assert status == 0 and f"bike-demand@{good} against bike-demand@v1.0.0 (production): better" in text
    assert "2,888 rows, 19 weeks" in text
    found = answer(capsys, "--against", "production", "bike-demand", *SINCE, "-s", "workingday")
    told = finding(found, "not worse than production")
    evidence = told["evidence"]
    assert isinstance(evidence, dict) and found["verdict"] == "better"
    assert evidence["metric"] == "rmse" and evidence["block"] == "weeks" and evidence["blocks"] == 19
    assert evidence["low"] > 0 and evidence["smallest_detectable"] > 0
    slices = finding(found, "no slice worse")["evidence"]
    assert isinstance(slices, dict) and [one["slice"] for one in slices["slices"]] == [
        "workingday=0",
        "workingday=1",
    ]
    unseen = finding(found, "rows it has not seen: challenger")
    assert unseen["outcome"] == "passed" and unseen["value"] < 0.01

    registry_desk.promote("bike-demand", run=good)
    assert answer(capsys, "--against", "production", lame, *SINCE)["verdict"] == "worse"
    assert answer(capsys, "--against", "v1.0.0", good, *SINCE)["verdict"] == "better"
    assert answer(capsys, "--against", lame, good, *SINCE, "--metric", "r2")["verdict"] == "better"
    few = answer(capsys, "--against", "production", lame, "--since", "2012-12-01")
    assert few["verdict"] == "not judged" and "takes 8" in str(finding(few, "not worse")["why"])
    days = answer(capsys, "--against", "production", lame, "--since", "2012-12-01", "--block", "1d")
    assert days["verdict"] == "worse"
    status, text = said(capsys, "--against", "production", lame, "--newest", "2000", "--time", "none")
    assert status == 1 and "rows are taken as independent" in text

    chosen = answer(capsys, "--against", "v1.0.0", good)
    assert chosen["verdict"] == "better" and finding(chosen, "not worse")["evidence"]["rows"] == 2888  # type: ignore[index]
    learned = fitted(hours, "by-heart", 14)
    heart = answer(capsys, "--against", "production", learned, *SINCE)
    assert heart["verdict"] == "not judged"
    assert "among those that it learned from" in str(finding(heart, "rows it has not seen: challenger"))
    untold = fitted(past, "untold", 11, rows_kept=False)
    status, text = said(capsys, "--against", "production", untold, "--answer", "cnt")
    assert status == 3 and "not recorded" in text
    assert answer(capsys, "--against", "production", untold, "--answer", "cnt", *SINCE)["verdict"] == "better"

    for words, says in (
        ((untold,), "which column does the model predict"),
        ((lame, "--slice", "weather"), "no column 'weather' to slice by"),
        ((lame, "--metric", "accuracy"), "metric of classifiers"),
        ((lame, "--margin", "some"), "no margin"),
        ((lame, "--on", "a.txt"), "no table"),
        ((lame, "--block", "week"), "no length of a block"),
        (("nothing",), "nothing"),
        ((good, lame), "takes one run or model"),
        ((), "takes one run or model"),
    ):
        status, text = said(capsys, "--against", "production", *words)
        assert status == 2 and says in text and text.count("\n") == 1, (words, text)
    status, text = said(capsys, good, lame, "--metric", "rmse")
    assert status == 2 and "--metric is for --against" in text


def test_models_of_other_columns_and_kinds(hours: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.linear_model import LogisticRegression

    from provenote.checks import contest, pages
    from provenote.render import html

    hours["busy"] = (hours.cnt > 200).astype(int)
    hours.to_csv("data/busy.csv", index=False)
    provenote.data.add("data/busy.csv")
    rows = ["--on", "data/busy.csv", *SINCE]
    past = hours[hours.dteday < "2012-09-01"]
    names = {}
    for label, model, columns, column in (
        ("few", LogisticRegression(), ["hr", "temp"], "busy"),
        ("more", LogisticRegression(), ["hr", "temp", "hum"], "busy"),
        ("amount", DummyRegressor(), ["hr"], "cnt"),
        ("gone", DummyClassifier(), ["made"], "busy"),
    ):
        with provenote.track(label) as run:
            features = past.assign(made=1)[columns]
            run.log_model(model.fit(features, past[column]), "busy", X=features, y=past[column])
        names[label] = run.name
    place = workspace.find()
    choice = contest.Choice("data/busy.csv", since="2012-09-01", metric="roc_auc", slices=("<b>",))
    with pytest.raises(provenote.UsageError, match="<b>"):
        contest.against(place, names["more"], names["few"], choice)
    choice = contest.Choice("data/busy.csv", since="2012-09-01", metric="accuracy", slices=("workingday",))
    found = contest.against(place, names["more"], names["few"], choice)
    assert found.found is not None and found.found.metric == "accuracy" and len(found.gains) == 19
    view = pages.contest(found, pictures=True)
    drawn = html.render(view)
    assert drawn.count("<img") == 2 and "workingday=1" in drawn
    for one, says in (
        ("amount", "cannot be held against"),
        ("gone", "lacks 1 of the model's 1 columns: made"),
    ):
        status, text = said(
            capsys, "--against", str(names["few"]), str(names[one]), *rows, "--answer", "busy"
        )
        assert status == 2 and says in text, text
    assert len(index.rows(place)[0]) == 4, "comparing makes no run"
