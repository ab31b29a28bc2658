"""The verbs of data as a shell sees them: words, JSON and exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from provenote.cli import main


def sh(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]):
    """Return a function that calls a verb and gives its exit status and what it says."""

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(["data", *words])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def answer(call, *words: str) -> Any:
    status, out, err = call(*words, "--json")
    assert status == 0, err
    return json.loads(out)


def test_the_way_of_a_table(repo: Path, call) -> None:
    Path("t.csv").write_text("id,x\n1,1\n2,2\n")
    status, out, _ = call("add", "t.csv")
    assert status == 0
    assert "t.csv: added, 2 rows, 2 columns, 13 B" in out
    command = out.split("Next: `", 1)[1].split("`")[0]
    assert command == "git add t.csv.dvc .gitignore t.csv.profile.json"
    sh("sh", "-c", command)
    sh("git", "commit", "--quiet", "-m", "one")
    assert sh("git", "status", "--porcelain") == ""
    assert "t.csv: unchanged" in call("add", "t.csv")[1]
    Path("t.csv").write_text("id,x\n1,5\n3,3\n")
    found = answer(call, "status")["data"]
    assert [(one["path"], one["state"], one["rows"], one["pushed"]) for one in found] == [
        ("t.csv", "changed", 2, None)
    ]
    assert "provenote data add PATH" in call("status")[1]
    found = answer(call, "diff", "t.csv")
    counts = [found["table"][name] for name in ("added", "removed", "changed")]
    assert (found["kind"], counts, found["table"]["key"]) == ("table", [1, 1, 1], ["id"])
    _, out, _ = call("diff", "t.csv", "--key", "id")
    assert "2 → 2 (+0)" in out
    assert "id=1" in out
    assert answer(call, "add", "t.csv")["added"][0]["state"] == "changed"
    sh("git", "commit", "--quiet", "--all", "-m", "two")
    assert [one["subject"] for one in answer(call, "log", "t.csv")["versions"]] == ["two", "one"]
    assert Path(answer(call, "get", "t.csv@HEAD~1")["path"]).read_text() == "id,x\n1,1\n2,2\n"


def test_exit_status_tells_who_is_at_fault(repo: Path, call) -> None:
    assert call("add", "nothing")[0] == 2
    assert call("add")[0] == 2
    Path("f").write_text("f")
    assert call("add", "f")[0] == 0
    assert call("push")[0] == 2  # no remote is set up
    sh("dvc", "remote", "add", "--quiet", "-d", "far", "/proc/nowhere")
    status, out, err = call("push")
    assert status == 3
    assert "Traceback" not in out + err
    assert call("get", "f@nope")[0] == 2
    assert call("diff", "f@nope")[0] == 2


def test_several_paths(repo: Path, call) -> None:
    for name in "abc":
        Path(name).write_text(name)
    assert [one["path"] for one in answer(call, "add", "a", "b")["added"]] == ["a", "b"]
    status, _, err = call("add", "c", "nothing")
    assert status == 2
    assert "(added before it: c)" in err


def test_stage_for_git_where_dvc_would(repo: Path, call) -> None:
    sh("dvc", "config", "core.autostage", "true")
    Path("f").write_text("f")
    assert call("add", "f", "--profile", "none")[0] == 0
    assert "A  f.dvc" in sh("git", "status", "--porcelain")


def test_push_and_pull_say_what_they_did(repo: Path, call) -> None:
    Path("f").write_text("f")
    call("add", "f")
    sh("dvc", "remote", "add", "--quiet", "-d", "store", str(repo.parent / "store"))
    assert "1 file copied to store" in call("push")[1]
    assert "store has everything already" in call("push")[1]
    Path("f").unlink()
    assert "f: as its pointer says" in call("pull")[1]
    Path("f").write_text("mine")
    status, out, _ = call("pull")
    assert status == 0
    assert "f: kept" in out
    assert "`provenote data add f`" in out


def test_runs_that_read_a_version(repo: Path, call) -> None:
    Path("t.csv").write_text("a\n1\n")
    call("add", "t.csv")
    sh("git", "add", "--all")
    sh("git", "commit", "--quiet", "-m", "data")
    code = "import provenote\nwith provenote.track('reader'): provenote.data.path('t.csv')"
    sh(sys.executable, "-c", code)
    runs = answer(call, "log", "t.csv", "--runs")["versions"][0]["runs"]
    assert len(runs) == 1
    assert runs[0].startswith("reader-")
