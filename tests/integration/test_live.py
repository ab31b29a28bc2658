"""Live runs: no acknowledged point is lost, whatever is killed; dead runs are closed, live ones are not."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import provenote
from provenote import workspace
from provenote.errors import UsageError, WorldError
from provenote.stores import index, live, runs

WRITER = """
import sys, provenote
run = provenote.track(sys.argv[1]).__enter__()
i = 0
while True:
    run.log({"loss": float(i)}, step=i)
    sys.stdout.write(f"{i}\\n"); sys.stdout.flush()
    i += 1
"""
COUNTER = """
import sys, provenote
with provenote.track(sys.argv[1]) as run:
    for i in range(int(sys.argv[2])):
        run.log(loss=i, step=i)
"""


def script(code: str, *arguments: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, *arguments], text=True, **options)  # type: ignore[call-overload]


def points(commit: str) -> int:
    shown = subprocess.run(
        ["git", "show", f"{commit}:provenote/plots/loss.tsv"], capture_output=True, text=True
    )
    return len(shown.stdout.splitlines()) - 1


def test_kill_9_loses_no_acknowledged_point(repo: Path, tmp_path: Path) -> None:
    chance = random.Random(7)
    acknowledged = {}
    for number in range(4):
        out = tmp_path / f"out{number}"
        writer = script(WRITER, f"k{number}", stdout=out.open("w"))
        while not out.read_text():
            assert writer.poll() is None, "the writer ended by itself"
            time.sleep(0.01)
        time.sleep(chance.random() * 0.3)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        acknowledged[f"k{number}"] = int(out.read_text().rsplit("\n", 2)[-2]) + 1
    rows, _ = index.rows(workspace.find())
    assert {row.label: row.status for row in rows} == dict.fromkeys(acknowledged, "killed")
    for row in rows:
        assert points(str(row.commit)) >= acknowledged[row.label]
        assert row.ended is not None and row.ended <= time.time()
    assert not list((workspace.find().home / "live").iterdir())


def test_many_processes_at_once_lose_nothing(repo: Path) -> None:
    writers = [script(COUNTER, f"p{number}", "200") for number in range(8)]
    assert [writer.wait() for writer in writers] == [0] * 8
    rows, _ = index.rows(workspace.find())
    assert sorted(row.label for row in rows) == [f"p{number}" for number in range(8)]
    assert {points(str(row.commit)) for row in rows} == {200}


def test_two_writers_of_one_name_are_two_runs(repo: Path) -> None:
    for writer in [script(COUNTER, "same", "5") for _ in range(2)]:
        assert writer.wait() == 0
    assert [row.label for row in index.rows(workspace.find())[0]] == ["same", "same"]


def test_a_forked_child_does_not_keep_its_parents_run_alive(repo: Path) -> None:
    code = """
import os, sys, time, provenote
run = provenote.track("parent").__enter__()
run.log(loss=1, step=0)
if os.fork() == 0:
    time.sleep(60)
print(1, flush=True)
os.kill(os.getpid(), 9)
"""
    writer = script(code, stdout=subprocess.PIPE, start_new_session=True)
    writer.wait()
    try:
        (row,), _ = index.rows(workspace.find())
        assert row.status == "killed"
    finally:
        os.killpg(writer.pid, signal.SIGKILL)


def test_a_child_that_logs_keeps_the_run_open_until_it_is_gone(repo: Path) -> None:
    code = """
import os, sys, time, provenote
run = provenote.track("parent").__enter__()
if os.fork() == 0:
    run.log(loss=1, step=0)
    print("logged", flush=True)
    sys.stdin.read()
    run.log(loss=2, step=1)
    os._exit(0)
time.sleep(0.5)
os.kill(os.getpid(), 9)
"""
    writer = script(code, stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    assert writer.stdout is not None and writer.stdin is not None
    assert writer.stdout.readline() == "logged\n"
    writer.wait()
    assert index.rows(workspace.find())[0][0].status == "running"
    writer.stdin.close()
    for _ in range(200):
        (row,), _ = index.rows(workspace.find())
        if row.status != "running":
            break
        time.sleep(0.02)
    assert row.status == "killed" and points(str(row.commit)) == 2


def test_a_run_is_ended_by_its_own_process(repo: Path) -> None:
    with provenote.track("mine") as run:
        child = os.fork()
        if child == 0:
            try:
                run.end()
            except UsageError as error:
                os._exit(0 if "belongs to process" in str(error) else 1)
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert index.rows(workspace.find())[0][0].status == "finished"


def test_readers_at_once_close_a_dead_run_together(repo: Path) -> None:
    writer = script(WRITER, "dead", stdout=subprocess.PIPE)
    assert writer.stdout is not None
    writer.stdout.readline()
    writer.kill()
    writer.wait()
    code = "import sys; from provenote.cli import main; sys.exit(main(['runs', '--json']))"
    readers = [script(code, stdout=subprocess.PIPE) for _ in range(6)]
    said = [json.loads(reader.communicate()[0])["rows"] for reader in readers]
    assert [[row["status"] for row in rows] for rows in said] == [["killed"]] * 6
    assert len({row["commit"] for rows in said for row in rows}) == 1


def test_another_hosts_run_is_shown_and_left_alone(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live, "HOST", "node-3")
        run = provenote.track("far").__enter__()
        run._appender.close()
    (row,), _ = index.rows(workspace.find())
    assert (row.status, row.reason) == ("running", "silent on node-3")
    assert run.folder.exists()


def test_one_broken_run_never_stops_the_listing(repo: Path) -> None:
    with provenote.track("good") as run:
        run.log(a=1)
    broken = workspace.find().home / "live" / "broken"
    broken.mkdir()
    (broken / "meta.json").write_text("{")
    other = workspace.find().home / "live" / "other"
    other.mkdir()
    (other / "meta.json").write_text(
        json.dumps(
            {
                "host": live.HOST,
                "id": "other",
                "name": "other-1",
                "label": "other",
                "started": 1.0,
                "baseline": "0" * 40,
                "prefix": "",
                "overlay": "provenote",
            }
        )
    )
    (other / "lease").write_text("")
    rows, _ = index.rows(workspace.find(), everything=True)
    assert {row.label for row in rows} == {"good", "other"}
    assert "cannot be finished" in str(next(row for row in rows if row.label == "other").reason)


def test_the_snapshot_survives_gc_while_the_run_lives(repo: Path) -> None:
    (repo / "new.py").write_text("only in the snapshot\n")
    with provenote.track("long") as run:
        (repo / "new.py").unlink()
        subprocess.run(["git", "gc", "--quiet", "--prune=now"], check=True)
    shown = subprocess.run(["git", "show", f"{run.commit}:new.py"], capture_output=True, text=True)
    assert shown.stdout == "only in the snapshot\n"
    refs = subprocess.run(["git", "for-each-ref", "refs/provenote"], capture_output=True, text=True).stdout
    assert refs == ""


def test_a_full_disk_at_the_end_loses_nothing(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = provenote.track("full").__enter__()
    run.log(a=1, step=0)
    with monkeypatch.context() as patch:
        patch.setattr(runs.objects, "build", _no_space)
        with pytest.raises(WorldError, match="not yet a commit, the disk is full"):
            run.end()
        (row,), _ = index.rows(workspace.find())
        assert row.status == "running" and "cannot be finished" in str(row.reason)
    (row,), _ = index.rows(workspace.find())
    assert (row.status, row.metrics) == ("finished", {"a": 1})


def _no_space(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.skipif(os.getuid() != 0, reason="needs root: a file system of its own that fills up")
def test_a_file_system_that_fills_up(tmp_path: Path, make_repo, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)], capture_output=True
    ).returncode:
        pytest.skip("cannot mount a tmpfs here")
    try:
        root = make_repo(place / "project")
        monkeypatch.chdir(root)
        run = provenote.track("full").__enter__()
        logged = 0
        with pytest.raises(WorldError, match="disk is full"):
            for step in range(1_000_000):
                run.log({"loss": float(step), "text": "x" * 500}, step=step)
                logged += 1
        with pytest.raises(WorldError, match="Nothing is lost"):
            run.end()
        (place / "project" / "a.txt").write_text("")
        subprocess.run(["mount", "-o", "remount,size=60m", str(place)], check=True)
        (row,), _ = index.rows(workspace.find())
        assert row.status == "finished" and points(str(row.commit)) == logged
    finally:
        monkeypatch.chdir(tmp_path)
        index._open.clear()
        subprocess.run(["umount", "-l", str(place)], check=False)


def test_a_repository_that_cannot_be_written_says_so(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with provenote.track("before") as run:
        run.log(a=1)
    if os.getuid() == 0:
        real = Path.mkdir

        def refuse(self: Path, *arguments: object, **options: object) -> None:
            if "live" in self.parts and self.name.startswith(".new"):
                raise PermissionError(13, "Permission denied")
            real(self, *arguments, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(Path, "mkdir", refuse)
    else:
        (repo / ".git" / "provenote" / "live").chmod(0o500)
    with pytest.raises(WorldError, match="cannot be written"):
        provenote.track("after").__enter__()
    assert len(index.rows(workspace.find())[0]) == 1


def test_the_clock_may_go_backwards(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = provenote.track("back").__enter__()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 3600)
    run.log(a=1)
    run.end()
    (row,), _ = index.rows(workspace.find())
    assert row.ended is not None and row.ended >= row.started


def test_joining_is_decided_once(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from provenote.tracking import active, starting

    job = starting.start("job", kind="job", params={"lr": 1})
    active._active.clear()
    monkeypatch.setenv("PROVENOTE_RUN", job.id)
    with provenote.track("inner") as first:
        first.log(a=1)
    assert first.id == job.id
    with provenote.track("second") as second:
        second.log(a=2)
    assert second.id != job.id and second.parent == job.id
    job.end()
    rows = {row.label: row for row in index.rows(workspace.find())[0]}
    assert rows["job"].metrics == {"a": 1} and rows["second"].parent == job.id
    with pytest.raises(UsageError, match="is not live here"):
        provenote.track("late").__enter__()


def test_a_job_logs_without_a_track(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from provenote.tracking import active, starting

    job = starting.start("job", kind="job")
    active._active.clear()
    monkeypatch.setenv("PROVENOTE_RUN", job.id)
    guest = provenote.current_run()
    assert guest is not None and guest.id == job.id
    guest.log(score=3)
    with provenote.track("the job itself") as run:
        assert run.id == job.id
    monkeypatch.delenv("PROVENOTE_RUN")
    job.end()
    (row,), _ = index.rows(workspace.find())
    assert row.metrics == {"score": 3}


def test_what_was_read_before_the_run_belongs_to_it(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from provenote.tracking import active

    monkeypatch.setattr(active, "_reads", [])
    read = {"path": "data/x.csv", "md5": "0" * 32, "size": 1, "rev": None}
    active.note_read(read)
    with provenote.track("later") as run:
        pass
    assert index.document(workspace.find(), str(run.commit))["reads"] == [read]
