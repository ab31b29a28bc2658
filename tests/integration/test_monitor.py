"""A monitor's life on real data: clean weeks, a broken delivery, its mending, a wrong clock, silence."""

from __future__ import annotations

import importlib.resources
import io
import json
import lzma
import re
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

from provenote import cli, doctor, workspace
from provenote.monitor import definition, watching
from provenote.stores import index

HOSTILE = "x</script><img src=y>"


@pytest.fixture(scope="module")
def bikes() -> pd.DataFrame:
    """Return the shipped bike data, with a plain prediction and a column whose name is an attack."""
    shipped = importlib.resources.files("provenote_templates").joinpath("data").joinpath("hour.csv.xz")
    table = pd.read_csv(io.BytesIO(lzma.decompress(shipped.read_bytes())))
    table = table.drop(columns=["casual", "registered", "yr"])
    usual = table[table.instant <= 8645].groupby("hr").cnt.mean()
    table["guess"] = table.hr.map(usual)
    table[HOSTILE] = (table.instant * 37 % 101) / 7
    return table


def say(*words: str) -> int:
    return cli.main(list(words))


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict]:
    capsys.readouterr()
    status = say(*words, "--json")
    return status, json.loads(capsys.readouterr().out)


def test_the_life_of_a_monitor(
    repo: Path, bikes: pd.DataFrame, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (repo / "live").mkdir()
    bikes[bikes.dteday < "2012-01-01"].to_csv(repo / "y1.csv", index=False)
    words = ["monitor", "add", "demand", "--data", "live/*.csv", "--label", "cnt", "--prediction", "guess"]
    assert say(*words, "--reference", "y1.csv") == 2, "a reference has to be under version control"
    assert say("data", "add", "y1.csv") == 0
    subprocess.run(["git", "add", "-A"], check=True)
    subprocess.run(["git", "commit", "-qm", "reference"], check=True)
    status, made = told(capsys, *words, "--reference", "y1.csv")
    assert status == 0 and made["windows"] == 52 and made["time"] == ["dteday", "hr"]
    assert made["false_alarms"]["any"] <= 4
    smallest = {one["column"]: one["amount"] for one in made["smallest"]}
    assert smallest["temp"] is not None and smallest["cnt"] is None
    assert say(*words, "--reference", "y1.csv") == 2, "it is there already"
    told_monitor = definition.pick(repo, None)
    assert told_monitor.md5 in (repo / "y1.csv.dvc").read_text()

    live = bikes[bikes.dteday >= "2012-01-01"]
    weeks = [
        week
        for _, week in live.groupby((pd.to_datetime(live.dteday) - pd.Timestamp("2012-01-01")).dt.days // 7)
    ]

    def deliver(number: int, table: pd.DataFrame) -> None:
        table.to_csv(repo / "live" / f"{number:02d}.csv", index=False)

    # Four clean weeks: nobody is called.
    for number in range(4):
        deliver(number, weeks[number])
    (repo / "live" / "broken.csv").write_bytes(b"\x00\x01nothing\n\xff")
    status, look = told(capsys, "monitor", "run")
    assert status == 0, look["alerts"]
    assert [one["level"] for one in look["judged"] if one["part"] == "data"] == ["healthy"] * 4
    assert [one["path"] for one in look["unread"]] == ["live/broken.csv"]
    assert told(capsys, "monitor", "run")[1]["judged"] == [], "nothing is judged twice"
    (repo / "live" / "broken.csv").unlink()

    # A delivery in another unit: one alert, its cause, and a run that keeps the verdict.
    deliver(4, weeks[4].assign(temp=weeks[4].temp * 100))
    status, look = told(capsys, "monitor", "run", "demand")
    assert status == 1
    assert [(one["id"], one["count"], one["level"]) for one in look["alerts"]] == [("unit:temp", 1, "act")]
    place = workspace.find(repo)
    row = index.find(place, look["alerts"][0]["run"])
    assert row.commit is not None and "act" in row.tags
    document = index.document(place, row.commit)
    assert document["kind"] == "monitor" and "verdict" in document["artifacts"]
    assert [one["path"] for one in document["reads"]] == ["live/04.csv"]
    verdict = document["extra"]["monitor"]["verdict"]
    assert verdict["outcome"] == "failed" and verdict["subject"]["window"] == "2012-01-29"
    second = verdict["findings"][-1]
    assert (second["name"], second["outcome"]) == ("judged again", "passed"), second

    # It is mended: the window is judged anew, and the alert is gone.
    deliver(4, weeks[4])
    status, look = told(capsys, "monitor", "run")
    assert status == 0 and look["alerts"] == []

    # Two weeks with a wrong clock are one alert with a counter; it rests until a day that is still to come.
    for number in (5, 6):
        moved = pd.to_datetime(weeks[number].dteday) + pd.to_timedelta(weeks[number].hr + 3, unit="h")
        late = weeks[number].assign(dteday=moved.dt.strftime("%Y-%m-%d"), hr=moved.dt.hour)
        deliver(number, late[moved < moved.iloc[0].normalize() + pd.Timedelta(days=7)])
    status, look = told(capsys, "monitor", "run")
    clock = next(one for one in look["alerts"] if one["id"] == "clock")
    assert status == 1 and clock["count"] == 2 and "3 hours late" in clock["title"]
    assert say("monitor", "snooze", "clock", "--until", "2020-01-01", "--why", "no") == 2
    assert say("monitor", "snooze", "nothing", "--until", "2999-01-01", "--why", "no") == 2
    assert say("monitor", "snooze", "clock", "--until", "2999-01-01", "--why", "the sender is told") == 0
    status, shown = told(capsys, "monitor", "demand")
    assert status == 0 and [one["state"] for one in shown["alerts"]] == ["snoozed"]

    # A window is taken as normal: its rows are data under version control, the first reference stays.
    assert say("monitor", "accept", "2011-01-01", "--why", "no such window") == 2
    assert say("monitor", "accept", "2012-01-08", "--why", "as it should be") == 0
    assert (repo / "monitors" / "demand" / "2012-01-08.parquet.dvc").exists()
    status, shown = told(capsys, "monitor", "show")
    assert shown["moved"] and max(shown["moved"].values()) < 1

    # Half a week is not judged, and that is no "healthy".
    deliver(7, weeks[7].iloc[:60])
    status, look = told(capsys, "monitor", "run")
    assert status == 3 and look["level"] == "not judged"

    # The report is one file that loads nothing and runs nothing of a column's name.
    assert say("monitor", "show", "--report", "report.html") == 3
    page = (repo / "report.html").read_text(encoding="utf-8")
    assert "Plotly.newPlot" in page and HOSTILE not in page and "<img src=y" not in page
    body = page[: page.index('<script type="application/json"')]
    assert not re.findall(r"<[a-z]+[^>]* (?:src|href)=", body) and "url(" not in body
    (repo / "report.html").write_text("mine")
    assert say("monitor", "show", "--report", "report.html") == 1, "somebody else's file is not replaced"

    # Nobody looks: for every reader the silence is an alert; a timer ends it.
    monitor = definition.pick(repo, "demand")
    late = time.time() + 2 * monitor.every + 60
    assert watching.standing(place, monitor, late - 3600).silent == ""
    assert "no look for 2 days" in watching.standing(place, monitor, late).silent
    assert watching.silent_monitors(place, late)[0][0].name == "demand"
    assert told(capsys, "tick")[1][0]["state"] == "idle"
    monkeypatch.setattr("provenote.monitor.turns.time.time", lambda: late)
    assert ["no look for 2 days" in one.what for one in doctor._monitors(place)] == [True]
    status, turns = told(capsys, "tick")
    assert [(one["rule"], one["state"]) for one in turns] == [("monitor demand", "looked")]


def test_a_trial_shows_what_a_monitor_can_promise(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """On another real series: few false alarms, every gross fault but a clock that weather hardly tells."""
    series = Path(__file__).parents[1] / "data" / "series" / "jfk-weather.csv.gz"
    status, found = told(capsys, "monitor", "trial", str(series), "--random", "20")
    assert status == 0 and found["windows"] == 52
    assert found["clean"] <= 0.08
    rows = {one["name"]: one for one in found["rows"]}
    clean = rows["clean, own windows"]
    assert clean["naive"] > 0.8 * clean["windows"], "the usual tests must ring, or this could not fail"
    gross = [one for one in rows.values() if one["gross"] and not one["name"].startswith("clock")]
    assert len(gross) >= 6 and all(one["seen"]["any"] == one["windows"] for one in gross)
    assert say("monitor", "trial", str(tmp_path / "none.csv")) == 2
    (tmp_path / "bare.csv").write_text("a,b\n1,2\n")
    assert say("monitor", "trial", str(tmp_path / "bare.csv")) == 2
