"""A past run stands beside the present; nothing of the user's changes, nothing unique is removed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import provenote
from provenote import data, workspace
from provenote.errors import Refused, UsageError, WorldError
from provenote.stores import index
from provenote.travel import contents, remove, restore, restored


def git(*arguments: str, cwd: Path | None = None) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True, cwd=cwd).stdout


def everything(root: Path) -> list[tuple[str, int, int]]:
    found = []
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if path.is_file() and parts[0] not in (".git", "past") and parts[:2] != (".dvc", "tmp"):
            found.append((str(path), path.stat().st_mtime_ns, path.stat().st_size))
    return found


@pytest.fixture
def past(repo: Path) -> str:
    """A run that read data, ran a changed file and kept an artifact; then the project went on."""
    (repo / "data").mkdir()
    (repo / "data" / "hour.csv").write_text("a,b\n1,2\n")
    data.add("data/hour.csv")
    git("add", "--all")
    git("commit", "-qm", "data")
    (repo / "a.txt").write_text("as it ran\n")
    with provenote.track("old") as run:
        assert data.path("data/hour.csv").read_text() == "a,b\n1,2\n"
        run.log_artifact(repo / "data" / "hour.csv", "copy")
        run.log(acc=1)
    (repo / "a.txt").write_text("hello\n")
    (repo / "data" / "hour.csv").write_text("a,b\n3,4\n5,6\n")
    data.add("data/hour.csv")
    git("add", "--all")
    git("commit", "-qm", "new data")
    return run.name


def test_nothing_of_the_users_changes(repo: Path, past: str) -> None:
    (repo / "a.txt").write_text("being edited\n")
    (repo / "new.py").write_text("untracked\n")
    before = everything(repo), git("status", "--porcelain=v2", "--branch"), git("stash", "list")
    outcome = restore.restore(workspace.find(), past)
    assert (everything(repo), git("status", "--porcelain=v2", "--branch"), git("stash", "list")) == before
    folder = repo / "past" / past
    assert outcome.folder == folder and outcome.made and not outcome.absent
    assert (folder / "a.txt").read_text() == "as it ran\n"
    assert (folder / "data" / "hour.csv").read_text() == "a,b\n1,2\n"
    assert (folder / "provenote" / "hour.csv").read_text() == "a,b\n1,2\n"
    assert git("status", "--porcelain", cwd=folder).splitlines() != []  # the run differs from its baseline
    assert restore.restore(workspace.find(), past).made is False
    status = subprocess.run(["dvc", "status"], capture_output=True, text=True, cwd=repo)
    assert status.returncode == 0, status.stderr


def test_a_run_logged_there_is_a_sister(repo: Path, past: str, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = restore.restore(workspace.find(), past)
    old = index.find(workspace.find(), past)
    monkeypatch.chdir(outcome.folder)
    with provenote.track("again") as run:
        run.log(acc=2)
    monkeypatch.chdir(repo)
    assert index.find(workspace.find(), run.name).baseline == old.baseline


def test_data_that_are_nowhere_are_named(repo: Path, past: str) -> None:
    shutil.rmtree(repo / ".dvc" / "cache")
    outcome = restore.restore(workspace.find(), past)
    assert set(outcome.absent) == {"data/hour.csv", "provenote/hour.csv"}
    assert (outcome.folder / "a.txt").read_text() == "as it ran\n"


def test_too_little_disk_is_said_before_anything_is_made(
    repo: Path, past: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore, "SPARE", 10**18)
    with pytest.raises(WorldError, match="MB free"):
        restore.restore(workspace.find(), past)
    assert not (repo / "past").exists()
    assert "worktree" not in git("worktree", "list").replace(str(repo), "")


def test_a_stopped_restore_is_gone_on_with(repo: Path, past: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, step in ((contents, "share_cache"), (contents, "put"), (restore, "_notebook")):
        with monkeypatch.context() as patch:
            patch.setattr(place, step, _stop)
            with pytest.raises(KeyboardInterrupt):
                restore.restore(workspace.find(), past)
    outcome = restore.restore(workspace.find(), past)
    assert (outcome.folder / "data" / "hour.csv").exists()


def _stop(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_what_stands_in_the_way_is_not_overwritten(repo: Path, past: str) -> None:
    (repo / "past" / past).mkdir(parents=True)
    (repo / "past" / past / "mine.txt").write_text("x")
    with pytest.raises(UsageError, match="holds something else"):
        restore.restore(workspace.find(), past)
    assert (repo / "past" / past / "mine.txt").read_text() == "x"


def test_removing_looks_for_what_is_nowhere_else(
    repo: Path, past: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = workspace.find()
    folder = restore.restore(place, past).folder
    (folder / "a.txt").write_text("edited there\n")
    (folder / "thoughts.md").write_text("only here\n")
    with pytest.raises(Refused, match=r"a.txt, thoughts.md .* nowhere else"):
        remove.remove(place, past)
    assert folder.exists()
    git("checkout", "-q", "--", "a.txt", cwd=folder)
    (folder / "thoughts.md").unlink()
    remove.remove(place, past)
    assert not folder.exists() and list(restored.listing(place)) == []
    folder = restore.restore(place, past).folder
    (folder / "thoughts.md").write_text("only here\n")
    remove.remove(place, past, force=True)
    assert not folder.exists()
    with pytest.raises(UsageError, match="is not restored"):
        remove.remove(place, past)


def test_a_commit_made_there_is_not_lost(repo: Path, past: str) -> None:
    place = workspace.find()
    folder = restore.restore(place, past).folder
    git("commit", "-qam", "work on the past", cwd=folder)
    with pytest.raises(Refused, match="the commit"):
        remove.remove(place, past)
    git("branch", "kept", git("rev-parse", "HEAD", cwd=folder).strip())
    remove.remove(place, past)


def test_the_mark_of_ignored_is_written_once(repo: Path, past: str) -> None:
    for _ in range(2):
        restored.hide(workspace.find())
    lines = (repo / ".git" / "info" / "exclude").read_text().splitlines()
    assert lines.count("/past/") == 1
    assert os.path.exists(".git")


def test_another_environment_is_told_with_its_mend(
    repo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from provenote import cli
    from provenote.tracking import environment

    here = environment.lock()
    text = here.text.replace("dvc==", "dvc==0.") + "zeta==1  # editable\n"
    other = environment.Lock(text, "0" * 64, here.python, environment.packages(text))
    with monkeypatch.context() as patch:
        patch.setattr(environment, "lock", lambda *_: other)
        with provenote.track("old") as run:
            run.log(acc=1)
    outcome = restore.restore(workspace.find(), run.name)
    version = here.packages["dvc"]
    assert set(outcome.environment) == {
        f"dvc 0.{version}, here {version}",
        "zeta 1 (editable), here absent",
    }
    assert cli.main(["restore", run.name]) == 0
    assert f"`provenote env create {run.name}`" in " ".join(capsys.readouterr().out.split())


def test_a_link_among_the_files_of_a_run_leads_nothing_out(repo: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (repo / "link").symlink_to(outside)
    (repo / "real.csv").write_text("a\n")
    data.add("real.csv")
    pointer = (repo / "real.csv.dvc").read_text()
    (repo / "out.dvc").write_text(pointer.replace("path: real.csv", "path: link/x.csv"))
    (repo / "up.dvc").write_text(pointer.replace("path: real.csv", "path: ../up.csv"))
    git("add", "--all")
    git("commit", "-qm", "links")
    with provenote.track("links") as run:
        run.log(acc=1)
    outcome = restore.restore(workspace.find(), run.name)
    assert "link/x.csv" in outcome.absent and list(outside.iterdir()) == []
    assert not (outcome.folder.parent / "up.csv").exists()
