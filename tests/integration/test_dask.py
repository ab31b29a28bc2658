"""Jobs on a Dask cluster of two workers, each in a folder of its own; any of its processes is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.integration.dask_cluster import Cluster, free_port, kill_group
from tests.integration.job_desk import cell, wait_for

from provenote import workspace
from provenote.data import exchange, storing
from provenote.errors import ProvenoteError, UsageError, WorldError
from provenote.jobs import executor, folder, launch, sweeps
from provenote.jobs.distant import claims, task
from provenote.jobs.distant.executor import DaskExecutor
from provenote.jobs.distant.truth import Truth
from provenote.jobs.distant.work import Work
from provenote.jobs.folder import JobFolder
from provenote.sharing import transport
from provenote.stores import index

pytest.importorskip("distributed")

PARAMETERS = "n: int = 0\nseconds: float = 0.0\nmark: str = ''"
WORK = """
import os, pathlib, time, provenote
run = provenote.current_run()
print("at work", n)
if mark:
    pathlib.Path(mark).write_text(str(os.getpid()))
time.sleep(seconds)
run.log({"score": n * 2})
"""


def git(place: Path, *words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=place, check=True, capture_output=True, text=True
    ).stdout.strip()


def notebook(place: Path, *sources: str) -> None:
    spec = {"name": "python3", "display_name": "python3", "language": "python"}
    cells = [cell(PARAMETERS, "p", "parameters"), *(cell(one, f"c{i}") for i, one in enumerate(sources))]
    book = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": spec}, "cells": cells}
    (place / "t.ipynb").write_text(json.dumps(book))
    git(place, "add", "t.ipynb")
    git(place, "commit", "--quiet", "-m", "notebook")


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    found = Cluster(tmp_path_factory.mktemp("dask"))
    yield found
    found.close()


@pytest.fixture
def cluster(machines: Cluster) -> Cluster:
    machines.ensure()
    return machines


@pytest.fixture
def project(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with a Git remote that is a folder."""
    git(tmp_path, "init", "--quiet", "--bare", "origin.git")
    git(repo, "remote", "add", "origin", str(tmp_path / "origin.git"))
    notebook(repo, WORK)
    monkeypatch.chdir(repo)
    return repo


class Background(threading.Thread):
    """A command at work in a thread of its own."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self.result: Any = None
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.result = self._work()
        except BaseException as error:
            self.error = error

    def wait(self, seconds: float = 90) -> Any:
        self.join(seconds)
        assert not self.is_alive(), "the command does not end"
        if self.error is not None:
            raise self.error
        return self.result


def jobs(place: Path) -> list[JobFolder]:
    return [one for one in folder.listing(workspace.find(place).home) if one.spec.kind == "notebook"]


def at_work(place: Path, command: Background) -> JobFolder | None:
    """Return a job whose notebook runs; the command that waits for it must not have ended."""
    assert command.is_alive(), command.error or command.result
    for one in jobs(place):
        state = one.state()
        if state.state == "running" and state.line.startswith("at work"):
            return one
    return None


def worker_of(job: JobFolder) -> str:
    return [event["worker"] for event in job.events() if "worker" in event][-1]


def finished(place: Path) -> list[Any]:
    rows, _ = index.rows(workspace.find(place))
    return [row for row in rows if row.status == "finished"]


def our_refs(place: Path) -> str:
    return git(place, "ls-remote", "origin", "refs/provenote/*")


def run(cluster: Cluster, **params: Any) -> launch.JobResult:
    return launch.run_job("t.ipynb", params, on=cluster.on)


def test_a_sweep_survives_a_killed_worker_and_brings_its_data(
    project: Path, cluster: Cluster, tmp_path: Path
) -> None:
    (project / "rows.csv").write_text("a,b\n" + "1,2\n" * 500)
    git(project, "config", "--file", ".dvc/config", "core.remote", "store")
    git(project, "config", "--file", ".dvc/config", "remote.store.url", str(tmp_path / "store"))
    storing.add("rows.csv")
    exchange.push()
    git(project, "add", ".")
    count = (
        "run.log({'rows': len(open('rows.csv').readlines())})\npathlib.Path('kept.txt').write_text(str(n))"
    )
    notebook(project, WORK, count + "\nrun.log_artifact('kept.txt')")
    mine = Background(lambda: sweeps.sweep("t.ipynb", {"n": [0, 1, 2]}, {"seconds": 1.5}, on=cluster.on))
    victim = wait_for(lambda: at_work(project, mine))
    kill_group(cluster.of(worker_of(victim)))
    result = mine.wait()
    assert [job.state.state for job in result.jobs] == ["succeeded"] * 3, result.sweep.state
    assert result.sweep.exit_status == 0
    assert victim.state().attempt == 2
    assert any("was lost" in event.get("line", "") for event in victim.events())
    assert sorted(row.params["n"] for row in finished(project)) == [0, 1, 2]
    assert [one["rows"] for one in result.metrics] == [501] * 3
    assert [one["score"] for one in result.metrics] == [0, 2, 4]
    for job in result.jobs:  # what the runs kept is on the remote, though it was made elsewhere
        document = index.document(workspace.find(), job.state.commit or "")
        md5 = document["artifacts"]["kept"]["md5"]
        assert (tmp_path / "store" / "files" / "md5" / md5[:2] / md5[2:]).is_file()
        assert Path(job.state.output or "").is_file()
        assert "at work" in executor.get(workspace.find()).logs(job.id)
    wait_for(lambda: not our_refs(project) and not cluster.attempts())


def test_a_sweep_until_the_aim_gives_out_what_its_workers_take(project: Path, cluster: Cluster) -> None:
    result = sweeps.sweep("t.ipynb", {"n": list(range(12))}, until="score >= 0", on=cluster.on)
    assert result.sweep.exit_status == 0
    assert "met the aim" in (result.sweep.state.reason or "")
    states = [job.state.state for job in result.jobs]
    begun = states.count("succeeded")
    assert 1 <= begun <= 4, states  # two workers, each with its present job and perhaps the next
    assert states.count("queued") == 12 - begun


def test_a_killed_nanny_loses_no_job(project: Path, cluster: Cluster) -> None:
    mine = Background(lambda: run(cluster, n=5, seconds=3.0))
    job = wait_for(lambda: at_work(project, mine))
    os.kill(cluster.of(worker_of(job)).pid, signal.SIGKILL)
    result = mine.wait()
    assert result.state.state == "succeeded", result.state
    assert [row.params["n"] for row in finished(project)] == [5]
    assert git(project, "ls-remote", "origin", "refs/exps/*").count("\n") == 0


def test_a_killed_scheduler_is_told_and_the_job_can_go_on(
    project: Path, cluster: Cluster, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    mine = Background(lambda: run(cluster, n=6, seconds=4.0, mark=str(mark)))
    job = wait_for(lambda: at_work(project, mine))
    assert cluster.scheduler is not None
    kill_group(cluster.scheduler)
    result = mine.wait()
    assert result.state.state == "lost"
    assert result.exit_status == 1
    assert "scheduler" in (result.state.reason or "") and "is gone" in (result.state.reason or "")
    assert not finished(project)
    kernel = int(mark.read_text())
    wait_for(lambda: not psutil.pid_exists(kernel))
    cluster.ensure()
    again = launch.retry(workspace.find(), job)
    assert again.state.state == "succeeded", again.state
    assert again.state.attempt == 2
    assert [row.params["n"] for row in finished(project)] == [6]
    assert len(git(project, "ls-remote", "origin", "refs/exps/*").splitlines()) == 1


def test_cancel_stops_the_process_on_the_worker(project: Path, cluster: Cluster, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    mine = Background(lambda: run(cluster, n=7, seconds=600.0, mark=str(mark)))
    job = wait_for(lambda: at_work(project, mine))
    executor.get(workspace.find(), cluster.on).cancel(job.id)
    result = mine.wait(30)
    assert result.state.state == "cancelled"
    kernel = int(mark.read_text())
    wait_for(lambda: not psutil.pid_exists(kernel))
    rows, _ = index.rows(workspace.find())
    assert [(row.status, row.reason) for row in rows] == [("killed", "cancelled")]
    wait_for(lambda: not our_refs(project) and not cluster.attempts())


def test_a_job_that_waits_for_a_worker_is_cancelled_at_once(project: Path, cluster: Cluster) -> None:
    for worker in cluster.workers.values():
        kill_group(worker)
    mine = Background(lambda: run(cluster, n=8))
    job = wait_for(lambda: next(iter(jobs(project)), None))
    executor.get(workspace.find(), cluster.on).cancel(job.id)
    assert mine.wait(30).state.state == "cancelled"
    assert not index.rows(workspace.find())[0]
    wait_for(lambda: not our_refs(project))


def test_a_job_submitted_twice_is_one_run(
    project: Path, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(project, "push", "--quiet", "origin", "HEAD:main")
    git(tmp_path, "clone", "--quiet", "--branch", "main", str(tmp_path / "origin.git"), "other")
    request = launch.check("t.ipynb", None, True)
    spec = request.spec({"n": 9, "seconds": 2.0}, "0" * 16, label="t", commit=launch.commit(request))
    ours, theirs = (
        DaskExecutor(workspace.find(place), cluster.on[7:]) for place in (project, tmp_path / "other")
    )
    for one in (ours, theirs):
        assert one.submit(spec) == spec.id
    assert ours.submit(spec) == spec.id  # it runs, and is not started again
    states = [
        wait_for(lambda one=one: one.status(spec.id) if one.status(spec.id).over else None)
        for one in (ours, theirs)
    ]
    assert [state.state for state in states] == ["succeeded", "succeeded"], states
    assert states[0].commit == states[1].commit
    assert [len(finished(place)) for place in (project, tmp_path / "other")] == [1, 1]
    assert len(git(project, "ls-remote", "origin", "refs/exps/*").splitlines()) == 1


def test_a_lost_dispatcher_is_seen_and_its_job_taken_up_again(project: Path, cluster: Cluster) -> None:
    mine = Background(lambda: run(cluster, n=4, seconds=2.0))
    job = wait_for(lambda: at_work(project, mine))
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "provenote.jobs.distant.desk" in words and process.cwd() == str(project):
            process.kill()
    assert mine.wait().state.state == "lost"
    wait_for(lambda: git(project, "ls-remote", "origin", "refs/exps/*"))  # the worker went on, and published
    again = launch.retry(workspace.find(), job)
    assert again.state.state == "succeeded"
    assert [row.params["n"] for row in finished(project)] == [4]
    assert len(git(project, "ls-remote", "origin", "refs/exps/*").splitlines()) == 1
    wait_for(lambda: not our_refs(project))  # also what the killed one left


def test_a_run_whose_claim_was_moved_does_not_count(project: Path, cluster: Cluster) -> None:
    mine = Background(lambda: run(cluster, n=3, seconds=2.0))
    job = wait_for(lambda: at_work(project, mine))
    truth = Truth(workspace.find().common_dir, transport.choose(project))
    work = Work(job, -1, job.spec, {}, 1)
    claim = truth.look(work)
    assert truth.said(work, claim or "")["kind"] == "claim"
    assert truth.stop(work) is None
    result = mine.wait()
    assert result.state.state == "succeeded"
    assert result.state.attempt == 2  # the first one ran to its end, and could not publish
    assert [row.params["n"] for row in finished(project)] == [3]
    assert len(git(project, "ls-remote", "origin", "refs/exps/*").splitlines()) == 1


def test_a_killed_supervisor_is_told_and_its_run_kept(project: Path, cluster: Cluster) -> None:
    mine = Background(lambda: run(cluster, n=2, seconds=600.0))
    wait_for(lambda: at_work(project, mine))
    (events,) = cluster.place.glob("worker*/kept/*/attempts/*/.git/provenote/jobs/*/events.jsonl")
    claimed = [json.loads(line) for line in events.read_text().splitlines() if '"claimed"' in line]
    os.kill(claimed[-1]["pid"], signal.SIGKILL)
    result = mine.wait(30)
    assert result.state.state == "killed"
    assert "was killed (SIGKILL)" in (result.state.reason or "")
    rows, _ = index.rows(workspace.find())
    assert [(row.status, row.params["n"]) for row in rows] == [("killed", 2)]
    wait_for(lambda: not cluster.attempts())


def test_a_failed_cell_is_told_as_it_is_here(project: Path, cluster: Cluster) -> None:
    notebook(project, "raise ValueError('no')")
    (project / "new.py").write_text("what is not committed travels too")
    result = run(cluster)
    assert result.state.state == "failed"
    assert result.state.reason == "cell 2: ValueError: no"
    document = index.document(workspace.find(), result.state.commit or "")
    assert document["status"] == "failed"
    assert document["job"]["id"] == result.id
    assert document["job"]["hash_seed"] == os.environ.get("PYTHONHASHSEED", "0")  # not the nanny's
    assert document["baseline"] == git(project, "rev-parse", "HEAD")
    assert "new.py" in git(project, "ls-tree", "--name-only", result.state.commit or "")


def test_without_the_extra_one_line_tells_how_to_get_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provenote.jobs.distant.executor.importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'provenote\[dask\]'"):
        launch.run_job("t.ipynb", on="dask://127.0.0.1:8786")
    assert not jobs(project)


@pytest.mark.parametrize("address", ["", "nowhere", "host:port", ":8786"])
def test_what_is_no_address_is_refused(project: Path, address: str) -> None:
    with pytest.raises(UsageError, match="is no address"):
        executor.get(workspace.find(), f"dask://{address}")


def test_without_a_git_remote_nothing_is_made(project: Path) -> None:
    git(project, "remote", "remove", "origin")
    with pytest.raises(UsageError, match="no remote.*git remote add"):
        launch.run_job("t.ipynb", on="dask://127.0.0.1:8786")
    assert not jobs(project)


def test_without_a_scheduler_nothing_is_made(project: Path) -> None:
    port = free_port()
    for begin in (
        lambda: launch.run_job("t.ipynb", on=f"dask://127.0.0.1:{port}"),
        lambda: sweeps.sweep("t.ipynb", {"n": [1, 2]}, on=f"dask://127.0.0.1:{port}"),
    ):
        with pytest.raises(WorldError, match=f"no Dask scheduler answers at 127.0.0.1:{port}"):
            begin()
    assert not folder.listing(workspace.find().home)


def test_a_remote_that_refuses_is_named(project: Path, cluster: Cluster, tmp_path: Path) -> None:
    hook = tmp_path / "origin.git" / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(WorldError, match="refuses the refs that jobs need") as refused:
        launch.run_job("t.ipynb", on=cluster.on)
    assert "\n" not in refused.value.line
    assert not jobs(project)


def test_a_remote_that_takes_no_runs_costs_no_run(project: Path, cluster: Cluster, tmp_path: Path) -> None:
    hook = tmp_path / "origin.git" / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nwhile read old new ref; do case $ref in refs/exps/*) exit 1;; esac; done\n")
    hook.chmod(0o755)
    result = run(cluster, n=1)
    assert result.state.state == "succeeded"
    assert "in your repository only" in (result.state.reason or "")
    assert [row.params["n"] for row in finished(project)] == [1]
    assert not git(project, "ls-remote", "origin", "refs/exps/*")


def test_only_one_of_two_moves_a_ref(project: Path) -> None:
    place = workspace.find()
    remote = transport.choose(place.top)
    first, second = (claims.write(place.common_dir, "claim", {"by": name}) for name in "ab")
    ref = claims.job_ref("f" * 64)
    assert claims.push(remote, [claims.Move(ref, None, first)])
    assert not claims.push(remote, [claims.Move(ref, None, second)])
    assert claims.look(remote, [ref]) == {ref: first}
    # One that must only be there keeps all others from moving when it is not.
    gone = claims.Move("refs/provenote/live/gone", first, first)
    assert not claims.push(remote, [gone, claims.Move(ref, first, second)])
    assert claims.look(remote, [ref]) == {ref: first}
    assert claims.push(remote, [claims.Move(ref, first, second)])
    assert not claims.push(remote, [claims.Move(ref, first, None)])
    assert claims.read(place.common_dir, second)[0]["by"] == "b"
    assert claims.push(remote, [claims.Move(ref, second, None)])
    assert claims.look(remote, [ref]) == {}


def test_an_unreachable_remote_is_one_line(project: Path) -> None:
    git(project, "remote", "set-url", "origin", str(project / "nowhere.git"))
    remote = transport.choose(project)
    with pytest.raises(ProvenoteError) as error:
        claims.push(remote, [claims.Move(claims.job_ref("0" * 64), None, git(project, "rev-parse", "HEAD"))])
    assert "\n" not in error.value.line


def test_versions_that_differ_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: "1.0.0")
    python = ".".join(map(str, sys.version_info[:2]))
    error, note = task.skew({"provenote": "2.0.0", "python": python})
    assert error is not None and note is None
    assert "has provenote 1.0.0, and this is 2.0.0" in error["what"]
    assert "pip install provenote==2.0.0" in error["mend"]
    error, note = task.skew({"provenote": "1.0.0", "python": "3.1"})
    assert error is None and note is not None and "here is 3.1" in note
    assert task.skew({"provenote": "1.0.0", "python": python}) == (None, None)
    assert task.skew({"provenote": None, "python": python}) == (None, None)
