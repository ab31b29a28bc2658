"""``runs`` and ``show`` on real runs: text, JSON, branches, children, lineage."""

from __future__ import annotations

import json
import math
import subprocess

import pytest

import provenote
from provenote.cli import main
from provenote.commands.tree import Context


def log(label="hgb", rmse=61.4, params=None, **metrics):
    with provenote.track(label) as run:
        run.log_params(params or {"depth": 8})
        for step in range(1, 6):
            run.log(rmse=rmse + 10 / step, step=step)
        run.log(metrics)
    return run


def shell(capsys, *words):
    status = main(words)
    out, err = capsys.readouterr()
    return status, out, err


def lines(capsys, *words):
    status, out, err = shell(capsys, *words)
    assert status == 0, err
    return out.splitlines()


def git(*words):
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout


def test_no_run_yet(repo, capsys):
    assert "%%track NAME" in lines(capsys, "runs")[0]
    assert json.loads(lines(capsys, "runs", "--json")[0]) == {"schema": 1, "rows": []}
    assert provenote.runs().shape[0] == 0


def test_query_sort_and_limit_agree_in_text_json_and_frame(repo, capsys):
    made = [log(rmse=rmse, params={"depth": depth}) for rmse, depth in ((60.0, 8), (50.0, 6), (70.0, 8))]
    names = [run.name for run in made]
    found = json.loads(lines(capsys, "runs", "rmse < 65", "--sort", "metrics.rmse", "--json")[0])
    assert list(found) == ["schema", "rows"] and found["schema"] == 1
    assert [row["name"] for row in found["rows"]] == [names[1], names[0]]
    assert found["rows"][0]["metrics"] == {"rmse": 52.0} and found["rows"][0]["commit"] == made[1].commit
    text = lines(capsys, "runs", "rmse < 65", "--sort=-rmse", "--limit", "1")
    assert text[0].split() == ["run", "state", "age", "depth", "rmse", "↓"] and names[0] in text[1]
    assert text[2:] == ["1 of 2 runs. All: `--limit 2`", "1 more do not match the query."]
    assert list(provenote.runs("params.depth == 8").index) == [names[2], names[0]]


def test_a_query_of_several_words_needs_no_quotes_beyond_the_shell(repo, capsys):
    log(rmse=60)
    assert len(lines(capsys, "runs", "rmse", "<", "65")) == 2


def test_groups(repo, capsys):
    for rmse, depth in ((60.0, 8), (64.0, 8), (50.0, 6)):
        log(rmse=rmse, params={"depth": depth, "seed": rmse})
    found = json.loads(lines(capsys, "runs", "--group-by", "depth", "--json")[0])
    assert [group["by"] for group in found["groups"]] == [{"params.depth": 6}, {"params.depth": 8}]
    spread = found["groups"][1]["metrics"]["rmse"]
    assert spread == {"mean": 64.0, "sd": pytest.approx(math.sqrt(8)), "count": 2, "min": 62.0, "max": 66.0}
    assert "one run" in lines(capsys, "runs", "--group-by", "depth")[1]


def test_branches(repo, capsys):
    here = log("here")
    git("switch", "--quiet", "-c", "other")
    git("commit", "--quiet", "--allow-empty", "-m", "second")
    there = log("there")
    git("switch", "--quiet", "main")
    text = lines(capsys, "runs")
    assert here.name in text[1] and text[-1] == "1 more on other branches: `-A`."
    for words in (("-A",), ("--all",), ("--branch", "other")):
        found = json.loads(lines(capsys, "runs", *words, "--json")[0])
        assert {row["name"] for row in found["rows"]} == {here.name, there.name}, words
    assert shell(capsys, "runs", "--branch", "nowhere")[0] == 2


def test_children_stand_behind_their_parent_until_something_is_asked(repo, capsys):
    with provenote.track("search") as parent:
        parent.log(rmse=1.0)
        for _ in range(3):
            log("trial")
    text = lines(capsys, "runs")
    assert len(text) == 2 and text[1].split()[1] == parent.name and text[1].endswith("3 children")
    assert len(lines(capsys, "runs", "--sort", "rmse")) == 5
    assert len(json.loads(lines(capsys, "runs", "--json")[0])["rows"]) == 4
    shown = "\n".join(lines(capsys, "show", parent.name))
    assert "children" in shown and shown.count("trial-") == 3


def test_a_running_run_is_listed_and_shown(repo, capsys):
    with provenote.track("now") as run:
        run.log(rmse=3, step=1)
        run.log(rmse=2, step=2)
        assert lines(capsys, "runs")[1].startswith(f"◐ {run.name}  running  0:0")
        shown = lines(capsys, "show", run.name)
        assert shown[0].startswith(f"◐ {run.name}  running") and any("rmse ↓" in line for line in shown)
        assert json.loads(lines(capsys, "show", run.name, "--json")[0])["row"]["status"] == "running"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["runs", "metrics.rmse <"], "query, column 15: expected a value"),
        (["runs", "rmsee < 3"], "The nearest is `rmse`"),
        (["runs", "--sort", "3x"], "--sort: column 1"),
        (["runs", "--limit", "0"], "shows nothing"),
        (["runs", "--group-by", "a b"], "expected the end of the field"),
        (["show", "nothing"], "is not in this repository"),
    ],
)
def test_mistakes_get_one_line(repo, capsys, words, said):
    log()
    status, out, err = shell(capsys, *words)
    assert (status, out) == (2, "") and err.count("\n") == 1 and said in err


def test_show_walks_from_data_to_run_to_model(repo, capsys):
    (repo / "model.bin").write_bytes(b"weights")
    with provenote.track("hgb", reason="new data", params={"opt": {"lr": 0.1}}) as run:
        run.record({"read": {"path": "data/hour.csv", "md5": "a" * 32, "size": 1_200_000, "rev": "b" * 40}})
        run.log_model("model.bin", "bike-demand")
        for step, value in enumerate([9.0, 3.0, "nan", 5.0]):
            run.log(rmse=float(value), step=step)
        run.tag("best")
        run.note("looks fine")
    git("tag", "-a", "-m", "x", "provenote=bike-demand@v1.0.0", run.commit)
    git("tag", "-a", "-m", "x", "provenote=bike-demand#production#1", run.commit)
    git("tag", "-a", "-m", "x", "provenote=other#production#1", "HEAD")
    text = lines(capsys, "show", run.name)
    assert text[0].startswith(f"✓ {run.name}  finished")
    flat = [" ".join(line.split()) for line in text]
    for line in (
        "reason of change new data",
        "note looks fine",
        "tags best",
        "opt.lr 0.1",
        "rmse ↓ 5 4 3 at 1 █▁▃",
        "read data/hour.csv data, bbbbbbbbbbbb 1.2 MB aaaaaaaaaaaa",
    ):
        assert line in flat, "\n".join(flat)
    assert any(line.startswith("kept bike-demand model, file 7 B") for line in flat)
    assert any("bike-demand@v1.0.0 is this run, by its tag" in line for line in flat)
    assert any("bike-demand in production is this run" in line for line in flat) and "other" not in " ".join(
        flat
    )
    found = json.loads(lines(capsys, "show", run.name, "--json")[0])
    assert found["row"]["name"] == run.name and found["document"]["id"] == run.id
    assert found["document"]["reads"][0]["path"] == "data/hour.csv" and "evidence" in found["document"]
    assert found["versions"] == [
        {"name": "bike-demand@v1.0.0", "is": "version"},
        {"name": "bike-demand #production", "is": "stage"},
    ]


def test_a_stage_that_moved_on_is_not_held(repo, capsys):
    first, second = log("a"), log("b")
    for count, run in ((1, first), (2, second)):
        git("tag", "-a", "-m", "x", f"provenote=m#production#{count}", run.commit)
    assert "production" not in "\n".join(lines(capsys, "show", first.name))
    assert "m in production is this run" in "\n".join(lines(capsys, "show", second.name))


def test_the_notebook_form_has_the_curve_as_a_picture(repo):
    from provenote.commands.runs import show
    from provenote.render import html

    run = log()
    page = html.render(show(Context(face="notebook"), run.name))
    assert "data:image/png;base64," in page and "<script" not in page


def test_a_hostile_run_is_shown_as_text(repo, capsys):
    evil = "x\x1b[31m<script>\u202e\n✓ verified"
    with provenote.track(evil, params={evil: evil}) as run:
        run.log({evil: 1})
        run.tag(evil)
        run.note(evil)
    for words in (("runs",), ("show", run.name)):
        text = "\n".join(lines(capsys, *words))
        assert "\x1b" not in text and "\u202e" not in text and "\n✓ verified" not in text
