"""Runs as Git commits: the work tree stays untouched, the commit holds what was logged, DVC reads it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
import threading
from pathlib import Path

import pytest

import provenote
from provenote import workspace
from provenote.errors import UsageError
from provenote.stores import index, runs


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


def state(*files: str) -> dict[str, str]:
    """Everything of the user's that a run must leave alone."""
    seen = {name: hashlib.sha256(Path(name).read_bytes()).hexdigest() for name in (".git/index", *files)}
    for command in (
        "rev-parse HEAD",
        "stash list",
        "status --porcelain=v2",
        "symbolic-ref HEAD",
        "branch -a",
    ):
        seen[command] = git("--no-optional-locks", *command.split())
    return seen


def test_a_run_is_one_commit_that_holds_what_was_logged(repo: Path) -> None:
    with provenote.track("First run!", params={"lr": 0.1, "deep": {"x": 1}}) as run:
        for step in range(3):
            run.log(loss=1 / (step + 1), step=step)
        run.log({"train/loss": float("nan"), "word": "good", "none": None, "ok": True})
        run.tag("baseline")
        run.note("a note")
    assert run.name.startswith("first-run-")
    place = workspace.find()
    row = index.find(place, run.name)
    assert row.status == "finished" and row.label == "First run!" and row.commit == run.commit
    assert row.params == {"lr": 0.1, "deep": {"x": 1}}
    assert row.metrics == {"loss": 1 / 3, "train/loss": "nan", "word": "good", "none": None, "ok": True}
    assert row.tags == ["baseline"] and row.notes == ["a note"]
    assert index.series(place, row)["loss"] == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
    shown = git("show", f"{run.commit}:provenote/plots/loss.tsv")
    assert shown.splitlines()[0] == "step\tloss"
    assert json.loads(git("show", f"{run.commit}:provenote/metrics.json")) == {
        "loss": 1 / 3,
        "train/loss": "nan",
        "word": "good",
        "ok": True,
    }
    assert git("rev-parse", f"{run.commit}^").strip() == row.baseline
    assert not list((place.home / "live").iterdir())


def test_index_head_stash_and_files_stay_as_they_were(repo: Path) -> None:
    (repo / ".env").write_text("secret")
    (repo / ".gitignore").write_text("ign/\n")
    (repo / "ign").mkdir()
    (repo / "ign" / "x").write_text("i")
    git("add", ".gitignore")
    git("commit", "-qm", "ignore")
    (repo / "a.txt").write_text("two\n")
    (repo / "s.txt").write_text("staged\n")
    git("add", "s.txt")
    (repo / "s.txt").write_text("staged\nmore\n")
    (repo / "u.txt").write_text("u\n")
    (repo / "big.csv").write_text("a,b\n1,2\n")
    before = state("a.txt", "s.txt", "u.txt", ".env", "ign/x")
    for number in range(3):
        with provenote.track(f"r{number}") as run:
            run.log(acc=number)
    assert state("a.txt", "s.txt", "u.txt", ".env", "ign/x") == before
    kept = git("ls-tree", "-r", "--name-only", str(run.commit)).split()
    assert {"a.txt", "s.txt", "u.txt"} <= set(kept)
    assert not {".env", "ign/x", "big.csv"} & set(kept)
    assert git("show", f"{run.commit}:s.txt") == "staged\nmore\n"
    omitted = index.document(workspace.find(), str(run.commit))["omitted"]
    assert {(entry["path"], entry["why"]) for entry in omitted} == {(".env", "secret"), ("big.csv", "data")}
    assert git("for-each-ref", "refs/provenote") == ""


def test_an_exception_ends_the_run_as_failed(repo: Path) -> None:
    with pytest.raises(ValueError, match="wrong"), provenote.track("bad") as run:
        run.log(acc=1)
        raise ValueError("wrong shape")
    row = index.find(workspace.find(), run.name)
    assert (row.status, row.reason, row.metrics) == ("failed", "ValueError: wrong shape", {"acc": 1})


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda root: subprocess.run(["rm", "-rf", ".git"]), "not a Git repository"),
        (lambda root: subprocess.run(["rm", "-rf", ".dvc"]), "no DVC project"),
        (lambda root: subprocess.run("rm -rf .git; git init -q .", shell=True), "no commit yet"),
        (
            lambda root: ((root / "provenote").mkdir(), (root / "provenote" / "mine.py").write_text("x")),
            "not ours",
        ),
    ],
)
def test_what_cannot_be_tracked_is_said_in_one_line(repo: Path, make, said: str) -> None:
    make(repo)
    with pytest.raises(UsageError, match=said) as error:
        provenote.track("x").__enter__()
    assert "\n" not in str(error.value) and "`" in str(error.value)


def test_overlay_setting_frees_the_name(repo: Path) -> None:
    (repo / "provenote").mkdir()
    (repo / "provenote" / "mine.py").write_text("x")
    (repo / "provenote.toml").write_text('overlay = "runs"\n')
    with provenote.track("x") as run:
        run.log(a=1)
    assert git("show", f"{run.commit}:provenote/mine.py") == "x"
    assert json.loads(git("show", f"{run.commit}:runs/metrics.json")) == {"a": 1}


@pytest.mark.parametrize(
    "label", ["a/b c", "模型", "x" * 300, "..", "-", "refs/heads/main", "a\nb", "HEAD", ".lock", "é~^:"]
)
def test_any_text_is_a_label(repo: Path, label: str) -> None:
    with provenote.track(label) as run:
        run.log(a=1)
    row = index.find(workspace.find(), run.name)
    assert row.label == label and row.commit
    assert subprocess.run(["git", "check-ref-format", runs.ref_name(row.baseline, row.name)]).returncode == 0


def test_a_run_ends_once(repo: Path) -> None:
    with provenote.track("once") as run:
        run.end()
        with pytest.raises(UsageError, match="already ended"):
            run.end()
        with pytest.raises(UsageError, match="has ended"):
            run.log(a=1)
    assert len(index.rows(workspace.find())[0]) == 1


def test_bad_keys_and_values_are_named_and_lose_nothing(repo: Path) -> None:
    with provenote.track("values") as run:
        run.log(a=1)
        for bad, said in (
            ({1: 2}, "not a text"),
            ({"": 2}, "empty"),
            ({"o": object()}, "'o' is a builtins.object"),
        ):
            with pytest.raises(UsageError, match=said):
                run.log(bad)
        with pytest.raises(UsageError, match="is no number"):
            run.log(a=1, step="three")
        with pytest.warns(UserWarning, match="twice at step 3"):
            run.log(a=2, step=3)
            run.log(a=4, step=3)
    assert index.find(workspace.find(), run.name).metrics == {"a": 4}
    assert index.series(workspace.find(), index.find(workspace.find(), run.name))["a"] == [
        (0, 1),
        (3, 2),
        (3, 4),
    ]


def test_index_is_disposable(repo: Path) -> None:
    for number in range(3):
        with provenote.track("r") as run:
            run.log(acc=number)
    place = workspace.find()
    want = index.rows(place)
    index._open.clear()
    (place.home / "index.sqlite").write_bytes(b"no database" * 1000)
    assert index.rows(place) == want
    index._open.clear()
    for file in place.home.glob("index.sqlite*"):
        file.unlink()
    assert index.rows(place) == want


def test_runs_of_other_branches_are_hidden_and_counted(repo: Path) -> None:
    with provenote.track("on-main"):
        pass
    git("checkout", "-qb", "side")
    git("commit", "-qm", "side", "--allow-empty")
    with provenote.track("on-side"):
        pass
    place = workspace.find()
    assert [row.label for row in index.rows(place)[0]] == ["on-side", "on-main"]
    git("checkout", "-q", "main")
    shown, hidden = index.rows(place)
    assert [row.label for row in shown] == ["on-main"] and hidden == 1
    assert len(index.rows(place, everything=True)[0]) == 2
    assert len(index.rows(place, branch="side")[0]) == 2


def test_many_runs_of_one_label_get_names_of_their_own(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "names", lambda label, run_id: iter([f"{label}-same", f"{label}-{run_id}"]))
    for _ in range(3):
        with provenote.track("r"):
            pass
    names = [row.name for row in index.rows(workspace.find())[0]]
    assert len(set(names)) == 3


def test_a_file_that_changes_while_it_is_kept_is_refused(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from provenote.stores import cache

    path = repo / "growing.bin"
    path.write_bytes(b"one")
    put = cache.put

    def slow(*words: object) -> object:
        stored = put(*words)
        path.write_bytes(b"two and more")
        return stored

    monkeypatch.setattr(cache, "put", slow)
    with provenote.track("keeps") as run, pytest.raises(UsageError, match="changed while it was being read"):
        run.log_artifact(path)
    assert index.document(workspace.find(), str(run.commit))["artifacts"] == {}


def test_a_new_index_that_another_process_is_opening_is_waited_for(repo: Path) -> None:
    with provenote.track("one"):
        pass
    path = repo / ".git" / "provenote" / "index.sqlite"
    path.unlink(missing_ok=True)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("create table t(x)")
    other.execute("begin immediate")  # it writes: the file's mode cannot be changed now
    threading.Timer(0.3, lambda: other.execute("commit")).start()
    assert len(index.rows(workspace.find())[0]) == 1
    other.close()
