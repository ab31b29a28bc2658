"""Continuous training: new rows end in a request that a person signs; a bad delivery; none better."""

from __future__ import annotations

import json
import lzma
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest
from sklearn.tree import DecisionTreeRegressor

import provenote
from provenote import cli, workspace
from provenote.checks import subject
from provenote.commands.registry import promote
from provenote.commands.tree import Context
from provenote.errors import WorldError
from provenote.jobs.local import LocalExecutor
from provenote.registry import reading
from provenote.retraining import conditions, desk, judging, present, record, rule_file
from provenote.retraining.record import Try
from provenote.stores import index
from provenote.triggers import ticking
from provenote.triggers.claims import Book, Claim

sys.path.insert(0, str(Path(__file__).parent))
import job_desk  # noqa: E402
import registry_desk  # noqa: E402

FEATURES = ["hr", "workingday", "weathersit", "temp", "hum", "mnth"]
LEARN = f"""
import pandas as pd
from sklearn.tree import DecisionTreeRegressor
import provenote

rows = pd.read_csv(provenote.data.path("data/rides.csv"))
past = rows[rows.dteday < train_until]
learn, check = past.iloc[:-200], past.iloc[-200:]
made = DecisionTreeRegressor(max_depth=depth, min_samples_leaf=8, random_state=0)
made.fit(learn[{FEATURES}], learn.cnt)
run = provenote.current_run()
run.log(rmse=float(((made.predict(check[{FEATURES}]) - check.cnt) ** 2).mean() ** 0.5))
made.fit(past[{FEATURES}], past.cnt)
run.log_model(made, "bike-demand", X=past[{FEATURES}], y=past.cnt)
"""
RULES = """
retrain:
  bike-demand:
    data: data/rides.csv
    notebook: train.ipynb
    cut: train_until
    when: {new_rows: 300}
    guards: {new_rows: 300, cool_down: 1d, cpu_hours: 5}
    judge:
      metric: rmse
      hold_out: 12w
      slices: [workingday]
      known_signs: {split: "the town grows, looked at by the desk"}
    tests: {least: {r2: 0.2}}
"""


def git(*words: str) -> str:
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout


def deliver(rows: pd.DataFrame) -> None:
    rows.to_csv("data/rides.csv", index=False)
    provenote.data.add("data/rides.csv")


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    status = cli.main(list(words))
    out = capsys.readouterr()
    return status, out.out + out.err


def plain(capsys: pytest.CaptureFixture[str], *words: str) -> object:
    cli.main([*words, "--json"])
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def rides(repo: Path) -> pd.DataFrame:
    """Two years of rentals, every third hour, of which the first 15 months are here."""
    (repo / "data").mkdir()
    shipped = files("provenote_templates") / "data" / "hour.csv.xz"
    (repo / "hour.csv").write_bytes(lzma.decompress(shipped.read_bytes()))
    every = pd.read_csv(repo / "hour.csv")
    (repo / "hour.csv").unlink()
    every = every[every.hr % 3 == 0][["instant", "dteday", "season", *FEATURES, "cnt"]]
    deliver(every[every.dteday < "2012-04-01"])
    job_desk.write(
        repo / "train.ipynb",
        job_desk.cell('train_until: str = "2012-01-01"\ndepth: int = 6', "p", "parameters"),
        job_desk.cell(LEARN, "c"),
    )
    git("add", "--all")
    git("commit", "--quiet", "-m", "data")
    return every


def test_new_rows_end_in_a_request_that_a_person_signs(
    rides: pd.DataFrame, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = workspace.find()
    status, text = said(capsys, "data", "contract", "data/rides.csv", "--time", "dteday")
    assert status == 0, text
    status, text = said(capsys, "sweep", "train.ipynb", "-g", "depth=3,6")
    assert status == 0, text
    best = min(index.rows(place)[0], key=lambda row: row.metrics["rmse"])
    registry_desk.solo()
    registry_desk.promote("bike-demand", run=best.name)
    Path("provenote.rules.yaml").write_text(RULES)
    rule = rule_file.pick(place.dvc_root, None)
    key = tmp_path / "ci"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    monkeypatch.setenv("PROVENOTE_CI_KEY", str(key))

    def moment(days: int) -> None:
        monkeypatch.setattr(ticking, "present", lambda: datetime.now(UTC) + timedelta(days=days))

    def signed() -> tuple[str, str]:
        return git("rev-parse", "provenote-governance"), git("for-each-ref", "refs/tags")

    # Seen for the first time; then nothing is due.
    status, text = said(capsys, "tick")
    assert status == 0 and "armed" in text, text
    (look,) = desk.tick(place)
    assert look.state == "idle" and "0 new labelled rows of 300" in look.conditions[0].says

    # A bad delivery: the contract holds it, and nothing is trained.
    before, runs = signed(), len(index.rows(place, everything=True)[0])
    later = rides[rides.dteday < "2012-10-01"]
    wrong = later.copy()
    wrong.loc[wrong.dteday >= "2012-08-01", "temp"] *= 100
    deliver(wrong)
    status, text = said(capsys, "tick")
    assert status == 0 and "is held by contract: data/rides.csv line" in text and "column temp" in text
    assert len(index.rows(place, everything=True)[0]) == runs, "nothing is trained on it"

    # The right one: of two timers one starts the sweep, and what comes of it is judged.
    deliver(later)
    make, submit = Book.make, LocalExecutor.submit
    states: list[str] = []

    def full(self: LocalExecutor, spec: object) -> str:
        monkeypatch.setattr(LocalExecutor, "submit", submit)
        raise WorldError("the disk is full")

    def slow(self: Book, claim: Claim, old: str | None) -> bool:
        monkeypatch.setattr(Book, "make", make)
        states.extend(one.state for one in desk.tick(place))  # the other timer, which is faster
        return make(self, claim, old)

    monkeypatch.setattr(Book, "make", slow)
    monkeypatch.setattr(LocalExecutor, "submit", full)
    states.extend(one.state for one in desk.tick(place))
    assert states == ["wrong", "claimed"]
    (look,) = desk.tick(place)
    assert look.state == "started" and look.job == Book(place.common_dir).history(rule.claims)[0].job
    (look,) = desk.tick(place, wait=True)
    made = look.made
    assert look.state == "judged" and made is not None, look
    assert made.outcome == "prepared", (made.why, made.findings)
    assert made.jobs == 2 and made.since == "2012-07-09" and made.champion == "bike-demand@v1.0.0"
    answers = {one["name"]: one["outcome"] for one in made.findings}
    assert answers["better than production"] == "passed" and answers["split"] in ("passed", "skipped")
    for name in ("rows it has not seen: challenger", "rows it has not seen: champion", "loads: loads clean"):
        assert answers[name] == "passed", name
    assert answers["no slice worse than production"] == "passed"
    spaces = {row.params["depth"] for row in index.rows(place, everything=True)[0] if row.parent == made.id}
    assert spaces == {3, 6}, "the champion's space"
    assert signed() == before, "nothing was signed and no tag was made, a key of the CI or not"

    # It waits in the inbox, with its report, and a person signs it.
    status, text = said(capsys, "inbox")
    command = f"promote bike-demand --prepared {made.short}"
    assert status == 0 and command in text and "unsigned" in text
    status, text = said(capsys, "retrain", "show", made.short, "--out", "report.html")
    assert status == 0 and made.run in Path("report.html").read_text()
    status, text = said(capsys, *command.split())
    assert status == 1 and signed() == before, "a terminal where nobody is asked signs nothing"
    typist = registry_desk.Typist()
    promote(Context(confirm=typist), "bike-demand", prepared=made.short, release=True)
    assert made.sha256 in typist.shown[0] and "better by" in typist.shown[0]
    assert registry_desk.head("bike-demand") == "v1.1.0"
    found = reading.read(place).state.promotions[-1]
    assert (found.subject.commit, found.subject.sha256) == (made.commit, made.sha256)
    status, text = said(capsys, *command.split())
    assert status == 2 and "asked for already" in text
    assert "prepared" not in said(capsys, "inbox")[1]

    # More rows, and a model that is no better: no request, and the try counts.
    deliver(rides)
    status, text = said(capsys, "tick")
    assert "is held by cool-down" in text
    moment(2)
    before = signed()
    (look,) = desk.tick(place, wait=True)
    assert look.made is not None and look.made.outcome == "rejected", look
    assert look.made.champion == "bike-demand@v1.1.0" and look.made.why.startswith("better than production")
    history = record.history(place, rule)
    assert history.year(datetime.now(UTC).timestamp()) == 2 and not history.stopped()
    assert signed() == before
    status, text = said(capsys, "retrain", "status")
    assert status == 0 and "2 of 12 tries" in text and "rejected" in text
    assert "0 new labelled rows" in text

    # One that learned the held out rows by heart is better by far, and not judged.
    with provenote.track("heart") as run:
        heart = DecisionTreeRegressor(random_state=0).fit(rides[FEATURES], rides.cnt)
        run.log_model(heart, "bike-demand", X=rides[FEATURES], y=rides.cnt)
    champion = present.champion(place, rule)
    held = present.Data(place, rule, champion).held_out("2012-10-09")
    both = [subject.find(place, f"bike-demand@{name}") for name in ("production", run.name)]
    answered = {one.name: one.outcome for one in judging.contested(place, rule, *both, held, 0.004)}
    assert answered["better than production"] == "passed"
    assert answered["rows it has not seen: challenger"] == "not judged"

    # An advisory about a package that the champion imported is a reason, too.
    import sklearn

    affected = [{"package": {"ecosystem": "PyPI", "name": "scikit-learn"}, "versions": [sklearn.__version__]}]
    weak = {"id": "PYSEC-2026-1", "modified": "2026-11-01T00:00:00Z", "affected": affected}
    Path("weak.json").write_text(json.dumps(weak))
    assert said(capsys, "env", "advisories", "weak.json")[0] == 0
    due = conditions._advisory(place, champion)
    assert due.key and "PYSEC-2026-1" in due.says

    # Two running are enough, until a person lets it go on.
    record.keep(place, Try("c" * 64, rule.name, rule.model, rule.stage, "failed", "no job succeeded"), "")
    status, text = said(capsys, "retrain", "run")
    assert status == 1 and "held by stopped: 2 tries running gave no better model" in text
    assert said(capsys, "retrain", "resume", "bike-demand", "--why", " ")[0] == 2
    assert said(capsys, "retrain", "resume", "bike-demand", "--why", "the disk was full")[0] == 0
    status, text = said(capsys, "retrain", "log")
    assert status == 0 and "the disk was full" in text and "no job succeeded" in text
    assert not record.history(place, rule).stopped() and signed() == before
