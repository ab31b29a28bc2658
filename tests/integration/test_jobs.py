"""Jobs with real kernels: what ends how, what is recorded, and that nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tests.integration.job_desk import cell, job_processes, wait_for, write

from provenote import workspace
from provenote.commands import jobs as verbs
from provenote.commands.tree import Context
from provenote.data import storing
from provenote.errors import ProvenoteError, Refused, UsageError
from provenote.jobs import executor, folder, launch, sweeps, templates
from provenote.stores import index

PARAMETERS = "depth: int = 3\nname: str = 'a'"


def statuses(result: launch.JobResult) -> list[str]:
    """Return the status of each code cell in the executed notebook."""
    book = json.loads(Path(result.state.output or "").read_bytes())
    return [one["metadata"]["papermill"]["status"] for one in book["cells"] if one["cell_type"] == "code"]


def row(result: launch.JobResult) -> Any:
    return index.find(workspace.find(), result.state.run or "")


def document(result: launch.JobResult) -> dict[str, Any]:
    return index.document(workspace.find(), result.state.commit or "")


def printed(result: launch.JobResult) -> str:
    return executor.get(workspace.find()).logs(result.id)


def test_a_job_is_a_run_and_equal_runs_are_equal_bytes(repo):
    nb = write(
        repo / "my notebooks é" / "trainé 1.ipynb",
        cell(PARAMETERS, "params", "parameters"),
        cell("print(get_ipython().kernel.get_parent()['metadata']['cellId'])", "c1", "mine"),
        cell("import os; print(sorted(os.listdir('.')), os.environ['OMP_NUM_THREADS'], depth, name)", "c2"),
        cell("1/0", "c3", "raises-exception"),
        cell(
            "print(sorted({'a', 'b', 'c'}, key=hash)); get_ipython().kernel.get_parent()['metadata']['tags']",
            "c4",
        ),
    )
    out = repo / "out.ipynb"
    view = verbs.job_run(Context(), str(nb), params=["depth=7", "name=x y"], output=str(out))
    assert view.status == 0
    job = folder.find(workspace.find().home, view.data["id"])
    result = launch.JobResult(job.id, job.state(), job.spec)
    found, run = row(result), document(result)
    assert (found.status, found.reason, found.params) == ("finished", None, {"depth": 7, "name": "x y"})
    assert run["kind"] == "job"
    assert (run["notebook"], run["disk"], run["linearity"]) == (
        "my notebooks é/trainé 1.ipynb",
        "same",
        "linear",
    )
    assert run["job"]["given"] == {"depth": 7, "name": "x y"}
    assert [one["status"] for one in run["extra"]["cells"]] == ["completed"] * 6
    assert statuses(result) == ["completed"] * 6
    log = printed(result)
    assert f"c1\n['trainé 1.ipynb'] {launch.cores()} 7 x y\n" in log
    assert "ZeroDivisionError" in log  # a cell tagged raises-exception does not end the job
    book = json.loads(out.read_bytes())
    assert [one["id"] for one in book["cells"]][::2] == ["params", "c1", "c3"]
    assert "start_time" not in out.read_text()
    assert (
        subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True).stdout.count("\n")
        == 2
    )
    # Once more: another job, another run, and the same notebook byte for byte.
    again = launch.run_job(nb, ["depth=7", "name=x y"])
    assert again.id != result.id
    assert again.state.run != result.state.run
    assert Path(again.state.output or "").read_bytes() == out.read_bytes()


def test_a_failing_cell_is_named_and_the_rest_stays_pending(repo):
    nb = write(
        repo / "bad.ipynb",
        cell("print('y' * 3_000_000)", "c1"),
        cell("raise ValueError('wrong <b>shape</b>')", "c2"),
        cell("2", "c3"),
    )
    view = verbs.job_run(Context(), str(nb))
    assert view.status == 1
    assert view.data["reason"] == "cell 2: ValueError: wrong <b>shape</b>"
    assert view.data["cell"]["id"] == "c2"
    job = folder.find(workspace.find().home, view.data["id"])
    result = launch.JobResult(job.id, job.state(), job.spec)
    assert statuses(result) == ["completed", "failed", "pending"]
    assert (row(result).status, row(result).reason) == ("failed", "cell 2: ValueError: wrong <b>shape</b>")
    # What a cell prints is limited in the notebook and whole in the log; the cells are the user's own.
    assert Path(result.state.output or "").stat().st_size < 1_100_000
    assert len(printed(result)) > 3_000_000
    assert len(json.loads(Path(result.state.output or "").read_bytes())["cells"]) == 3
    logged = verbs.job_logs(Context(), view.data["id"][:8], lines=1).data["log"]
    assert logged == "ValueError: wrong <b>shape</b>"


def test_a_cell_that_takes_too_long(repo):
    nb = write(
        repo / "slow.ipynb", cell("1", "c1"), cell("import time; time.sleep(60)", "c2"), cell("2", "c3")
    )
    result = launch.run_job(nb, cell_timeout=0.5)
    assert (result.state.state, result.exit_status) == ("timed_out", 1)
    assert result.state.reason == "cell 2: 0.5 s for one cell"
    assert statuses(result) == ["completed", "failed", "pending"]
    assert (row(result).status, row(result).reason) == ("failed", "timed_out")
    assert document(result)["extra"]["ended"]["reason"] == "cell 2: 0.5 s for one cell"
    assert job_processes(result.id) == []


def test_a_notebook_that_takes_too_long_and_does_not_listen(repo):
    source = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(60)"
    request = launch.check(write(repo / "deaf.ipynb", cell(source, "c1")))
    there = executor.get(request.workspace)
    job = there.submit(request.spec({}, "n", label="deaf", commit=launch.commit(request), timeout=2.0))
    state = launch.follow(there, job, "deaf")
    assert (state.state, state.reason) == ("timed_out", "cell 1: 2 s for the whole notebook")
    assert job_processes(job) == []


def test_a_kernel_killed_inside_a_cell(repo):
    nb = write(
        repo / "dies.ipynb",
        cell("import subprocess; child = subprocess.Popen(['sleep', '300'])", "c1"),
        cell("import os; os.kill(os.getpid(), 9)", "c2"),
        cell("2", "c3"),
    )
    result = launch.run_job(nb)
    assert (result.state.state, result.exit_status) == ("killed", 1)
    assert result.state.reason == "cell 2: the kernel died (SIGKILL)"
    assert statuses(result) == ["completed", "failed", "pending"]
    assert (row(result).status, row(result).reason) == ("killed", "cell 2: the kernel died (SIGKILL)")
    assert job_processes(result.id) == []  # its child went with it


@pytest.mark.parametrize(
    ("source", "state", "reason", "ran"),
    [
        (
            "import sys; sys.exit()",
            "succeeded",
            "cell 2 ended the notebook on purpose; 1 cell did not run",
            "completed",
        ),
        ("exit()", "succeeded", "cell 2 ended the notebook on purpose; 1 cell did not run", "completed"),
        ("import sys; sys.exit(3)", "failed", "cell 2: SystemExit: 3", "failed"),
    ],
)
def test_a_cell_that_exits(repo, source, state, reason, ran):
    result = launch.run_job(write(repo / "exits.ipynb", cell("1", "c1"), cell(source, "c2"), cell("2", "c3")))
    assert (result.state.state, result.state.reason) == (state, reason)
    assert statuses(result) == ["completed", ran, "pending"]


def test_a_killed_supervisor_is_a_lost_job_and_leaves_no_orphan(repo):
    source = (
        "import subprocess, time; child = subprocess.Popen(['sleep', '300'])\n"
        "print('up', flush=True); time.sleep(300)"
    )
    request = launch.check(write(repo / "long.ipynb", cell(source, "c1")))
    there = executor.get(request.workspace)
    job = there.submit(request.spec({}, "n", label="long", commit=launch.commit(request)))
    wait_for(lambda: there.logs(job) == "up\n")
    assert len(job_processes(job)) == 2
    claimed = next(
        event for event in folder.JobFolder(request.workspace.home / "jobs" / job).events() if "pid" in event
    )
    os.kill(claimed["pid"], signal.SIGKILL)
    killed = time.monotonic()
    wait_for(lambda: not job_processes(job), 20)
    assert time.monotonic() - killed < 2
    state = there.status(job)
    assert (state.state, state.status) == ("lost", ("killed", "lost"))
    assert index.find(request.workspace, state.run or "").status == "killed"
    # It can be taken up again, as the next attempt of the same job.
    write(repo / "long.ipynb", cell("1", "c1"))
    place, found = request.workspace, folder.find(request.workspace.home, job)
    retrying = threading.Thread(target=lambda: launch.retry(place, found))
    retrying.start()
    wait_for(lambda: there.status(job).attempt == 2 and there.logs(job) == "up\n")
    with pytest.raises(Refused, match="going on"):
        launch.retry(place, found)
    assert verbs.job_cancel(Context(), job[:8]).data["asked"] == 1
    retrying.join()
    state = there.status(job)
    assert (state.state, state.attempt, state.status) == ("cancelled", 2, ("killed", "cancelled"))
    # What ran was the notebook of the submission, not the file that replaced it.
    run = index.document(place, state.commit or "")
    assert (run["disk"], run["status"], run["reason"]) == ("differs", "killed", "cancelled")
    assert run["extra"]["ended"] == {"state": "cancelled", "reason": "cell 1"}
    assert job_processes(job) == []
    assert verbs.job_cancel(Context(), job[:8]).data["asked"] == 0


def test_a_job_whose_supervisor_died_after_the_end_of_its_run_is_not_run_twice(repo):
    good = launch.run_job(write(repo / "good.ipynb", cell("x = 1", "c1")))
    bad = launch.run_job(write(repo / "bad.ipynb", cell("1 / 0", "c1")))
    for result in (good, bad):
        path = folder.JobFolder(workspace.find().home / "jobs" / result.id).path / "events.jsonl"
        lines = path.read_text().splitlines(keepends=True)
        assert json.loads(lines[-2])["state"] == "publishing"
        path.write_text("".join(lines[:-1]))  # killed before it could say so
        state = executor.get(workspace.find()).status(result.id)
        assert (state.state, state.reason) == (result.state.state, result.state.reason)
        assert (state.commit, state.name, state.output) == (
            result.state.commit, result.state.name, result.state.output,
        )  # fmt: skip
        # A run that was closed for a dead process came to no end: its job is lost.
        path.write_text("".join(lines[:-1]).replace(str(result.state.run), "f" * 16))
        assert executor.get(workspace.find()).status(result.id).state == "lost"


def test_a_sweep_makes_children_and_retry_goes_on_with_the_rest(repo):
    nb = write(
        repo / "s.ipynb",
        cell("x: int = 0\nk: str = 'a'", "params", "parameters"),
        cell(
            "import os, provenote\nassert x != 2 or os.path.exists('ok')\n"
            "print(os.environ['OMP_NUM_THREADS'])",
            "c1",
        ),
        cell("with provenote.track('inner') as run: run.log(score=x * 10)", "c2"),
    )
    told = []
    result = sweeps.sweep(nb, ["x=0,1,2,3"], ["k=b"], max_parallel=2, metric="score", tell=told.append)
    assert (result.sweep.state.state, result.sweep.exit_status) == ("failed", 1)
    assert [one.state.state for one in result.jobs] == ["succeeded", "succeeded", "failed", "succeeded"]
    assert [one.get("score") for one in result.metrics] == [0, 10, None, 30]
    assert result.best("score") == 3  # a score is better when higher
    assert any(event.detail.startswith("best score") for event in told)
    assert (told[-1].unit, told[-1].done, told[-1].total) == ("jobs", 4, 4)
    children = [row(one) for one in result.jobs]
    assert {child.parent for child in children} == {result.sweep.id}
    assert [child.params for child in children] == [{"x": x, "k": "b"} for x in range(4)]
    rows, _ = index.rows(workspace.find(), everything=True)
    assert len(rows) == 4  # the sweep is a group, no run of its own
    named = {"id": result.sweep.id, "label": "s", "axes": ["x"], "size": 4}
    assert document(result.jobs[0])["job"]["sweep"] == named
    assert printed(result.jobs[0]) == f"{max(1, launch.cores() // 2)}\n"
    (repo / "ok").touch()
    view = verbs.job_retry(Context(), result.sweep.id[:12])
    assert view.status == 0
    assert [job["state"] for job in view.data["jobs"]] == ["succeeded"] * 4
    again = [folder.find(workspace.find().home, job["id"]).state() for job in view.data["jobs"]]
    assert [state.attempt for state in again] == [1, 1, 2, 1]  # done jobs were not run again
    with pytest.raises(Refused, match="has succeeded"):
        verbs.job_retry(Context(), result.sweep.id[:12])
    listed = verbs.jobs(Context()).data["jobs"]
    assert [(one["kind"], one["cell"], one["cells"]) for one in listed] == [("sweep", 4, 4)]
    assert len(verbs.jobs(Context(), everything=True).data["jobs"]) == 5


def test_a_kernel_that_cannot_start_is_a_broken_world(repo, monkeypatch):
    spec = repo.parent / "share" / "kernels" / "broken"
    spec.mkdir(parents=True)
    argv = [sys.executable, "-c", "import sys; sys.exit('no kernel here')", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "b", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(repo.parent / "share"))
    view = verbs.job_run(Context(), str(write(repo / "b.ipynb", cell("1", "c1"), kernel="broken")))
    assert view.status == 3
    assert view.data["reason"] == "the kernel 'broken' did not start (exit status 1)"
    assert "no kernel here" in verbs.job_logs(Context(), view.data["id"]).data["log"]
    assert index.find(workspace.find(), view.data["run"]).status == "failed"
    assert job_processes(view.data["id"]) == []


def test_the_training_template_runs_on_the_shipped_data(repo):
    import lzma
    from importlib.resources import files

    shipped = files("provenote_templates") / "data" / "hour.csv.xz"
    (repo / "data").mkdir()
    (repo / "data" / "hour.csv").write_bytes(lzma.decompress(shipped.read_bytes()))
    storing.add("data/hour.csv")
    with pytest.raises(UsageError, match="Did you mean `--from train`"):
        templates.create(repo / "t.ipynb", "tran")
    path = templates.create(repo / "train", "train")
    with pytest.raises(UsageError, match="exists and is left as it is"):
        templates.create(path, "train")
    result = launch.run_job(path, ["max_iter=20", "depth=none", "loss=squared_error"])
    assert result.state.state == "succeeded", printed(result)
    found, run = row(result), document(result)
    assert found.linearity == "linear"
    assert found.params["depth"] is None
    assert {"rmse", "mae", "r2", "bias", "fit_s"} <= set(found.metrics)
    assert 0 < found.metrics["rmse"] < 200
    assert [step for step, _ in index.series(workspace.find(), found)["rmse"]] == [10, 20]
    assert run["artifacts"]["bike-demand"]["type"] == "model"
    assert [read["path"] for read in run["reads"]] == ["data/hour.csv"]
    # What was loaded where the model was trained, not only what its cells name.
    assert {"scikit-learn", "scipy"} <= set(run["extra"]["imported"]) and run["extra"]["builds"]["scipy"]


def test_two_sweeps_at_once(repo):
    nb = write(repo / "t.ipynb", cell("x: int = 0", "params", "parameters"), cell("x", "c1"))
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(sweeps.sweep(nb, ["x=1,2"], max_parallel=1)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.sweep.state.state for one in results] == ["succeeded"] * 2
    rows, _ = index.rows(workspace.find(), everything=True)
    assert len(rows) == 4
    for one in results:
        assert {row(job).parent for job in one.jobs} == {one.sweep.id}


def test_ctrl_c_leaves_a_tidy_state(repo):
    nb = write(
        repo / "wait.ipynb",
        cell("x: int = 0", "params", "parameters"),
        cell("import time; print('up', flush=True); time.sleep(300)", "c1"),
    )
    code = (
        "import sys; from provenote.commands import jobs; from provenote.commands.tree import Context;"
        f"sys.exit(jobs.sweep(Context(), {str(nb)!r}, grid=['x=1,2,3'], max_parallel=2).status)"
    )
    foreground = subprocess.Popen([sys.executable, "-c", code])
    place = workspace.find()

    def working() -> list[str]:
        return [
            job.id
            for job in folder.listing(place.home)
            if (job.attempt(1) / "log.txt").read_bytes().endswith(b"up\n")
        ]

    wait_for(lambda: len(working()) == 2, 120)
    foreground.send_signal(signal.SIGINT)
    assert foreground.wait(60) == 1
    states = {job.spec.kind: job.state() for job in folder.listing(place.home)}
    assert states["sweep"].reason == "0 of 3 jobs had succeeded"
    assert [job.state().state for job in folder.listing(place.home)] == ["cancelled"] * 3
    rows, _ = index.rows(place, everything=True)
    assert [(one.status, one.reason) for one in rows] == [("killed", "cancelled")] * 2
    assert not [process for job in working() for process in job_processes(job)]


class TestRefusedBeforeAnythingIsMade:
    """A wrong request leaves no job, no run, and says how to mend it."""

    @pytest.fixture(autouse=True)
    def nothing_is_made(self, repo):
        yield
        assert folder.listing(workspace.find().home) == []

    def refused(self, words: str, *arguments: Any, **options: Any) -> None:
        with pytest.raises(ProvenoteError, match=words) as error:
            launch.run_job(*arguments, **options)
        assert error.value.exit_status == 2
        assert "\n" not in error.value.line

    def test_the_notebook(self, repo, tmp_path):
        self.refused("there is no notebook", repo / "none.ipynb")
        (repo / "torn.ipynb").write_text('{"cells": [')
        self.refused("is not a notebook", repo / "torn.ipynb")
        self.refused("is a folder", repo)
        self.refused("not a Git repository", write(tmp_path / "outside.ipynb", cell("1", "c")))

    def test_the_kernel(self, repo):
        self.refused("kernel 'ir' of r.ipynb is not installed.*python3", write(repo / "r.ipynb", kernel="ir"))
        self.refused("names no kernel", write(repo / "n.ipynb", kernel=""))
        self.refused("kernel 'xx'", write(repo / "p.ipynb"), kernel="xx")

    def test_parameters(self, repo):
        plain = write(repo / "plain.ipynb", cell("x = 1", "c"))
        self.refused("no cell tagged parameters", plain, ["x=2"])
        nb = write(repo / "p.ipynb", cell("x: int = 1\ny: int\napi_key: str = ''", "c", "parameters"))
        self.refused("parameter y has no value", nb)
        self.refused("takes int", nb, ["y=z"])
        self.refused("no name of a parameter", nb, ["y;import os=1"])
        self.refused("Did you mean x", nb, ["xx=1"])
        self.refused("would store a secret", nb, ["y=1", "api_key=abc"])

    def test_the_output_and_the_rest(self, repo):
        nb = write(repo / "p.ipynb", cell("x: int = 1", "c", "parameters"))
        self.refused("does not exist", nb, output=repo / "no" / "o.ipynb")
        self.refused("is a folder", nb, output=repo)
        self.refused("would overwrite", nb, output=nb)
        self.refused("cannot have", nb, cell_timeout=-1)
        self.refused("no executor 'mars'", nb, on="mars")
        with pytest.raises(UsageError, match="needs an axis"):
            sweeps.sweep(nb, [])
        with pytest.raises(UsageError, match="cannot run at once"):
            sweeps.sweep(nb, ["x=1"], max_parallel=0)
        assert verbs.job_run(Context(), str(nb), describe=True).data["parameters"][0]["name"] == "x"
