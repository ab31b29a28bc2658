"""Sweeps with real kernels: draws, files, an aim, and how one goes on after it was stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.integration.job_desk import cell, wait_for, write

from provenote import workspace
from provenote.commands import jobs as verbs
from provenote.commands import runs as look
from provenote.commands.tree import Context
from provenote.errors import UsageError
from provenote.jobs import folder, launch, sweeps
from provenote.model import Row
from provenote.stores import index

SCORE = "import provenote\nrun = provenote.current_run()\nrun.log(rmse=100 - 10 * x)"


def notebook(repo: Path, *sources: str, name: str = "s.ipynb") -> Path:
    cells = [cell("x: int = 0\nk: str = 'a'", "params", "parameters")]
    return write(repo / name, *cells, *(cell(source, f"c{i}") for i, source in enumerate(sources)))


def sweep(path: Path, **options: Any) -> Any:
    return verbs.sweep(Context(), str(path), **options)


def rows() -> list[Row]:
    return index.rows(workspace.find(), everything=True)[0]


def values(found: list[Row]) -> list[int]:
    return sorted(row.params["x"] for row in found)


def test_a_sweep_draws_reads_a_file_and_is_one_line(repo):
    nb = notebook(repo, SCORE)
    view = sweep(nb, random=3, seed=5, grid=["x=0..9", "k=a,b"])
    assert view.status == 0
    drawn = [job["params"] for job in view.data["jobs"]]
    assert len({repr(one) for one in drawn}) == 3
    again = sweeps.prepare(nb, ["x=0..9", "k=a,b"], draw=3, seed=5)[1]
    assert [{"x": 0, "k": "a", **one} for one in again.jobs] == drawn
    (repo / "jobs.csv").write_text("x,k\n1,\n2,z\n")
    view = sweep(nb, from_=str(repo / "jobs.csv"), name="listed")
    assert [job["params"] for job in view.data["jobs"]] == [{"x": 1, "k": "a"}, {"x": 2, "k": "z"}]
    assert [job["metrics"]["rmse"] for job in view.data["jobs"]] == [90, 80]
    # The runs are the jobs', and tables fold them; the sweep has a name that verbs take.
    assert len(rows()) == 5
    sweep_id = view.data["id"]
    name = f"sweep-{sweep_id[:8]}"
    lines = look.runs(Context()).parts[0].rows
    assert [line[0].text for line in lines][0] == name
    assert len(lines) == 2
    shown = look.show(Context(), name).data
    assert (shown["sweep"]["label"], shown["sweep"]["jobs"]) == ("listed", 2)
    assert values([row for row in rows() if row.parent == sweep_id]) == [1, 2]
    assert look.show(Context(), shown["sweep"]["best"]).data["document"]["job"]["sweep"]["axes"] == ["x", "k"]
    assert folder.find(workspace.find().home, name).id == sweep_id


def test_the_same_sweep_again_runs_what_has_not_succeeded(repo):
    nb = notebook(repo, "import os; assert x != 2 or os.path.exists('ok')", SCORE)
    first = sweep(nb, grid=["x=1,2,3"])
    assert (first.status, first.data["before"]) == (1, 0)
    (repo / "ok").touch()
    second = sweep(nb, grid=["x=1,2,3"])
    assert (second.status, second.data["before"], second.data["id"]) == (0, 2, first.data["id"])
    assert "2 jobs had succeeded before; all anew: `--again`" in second.parts[0].foot
    assert values(rows()) == [1, 2, 2, 3]
    third = sweep(nb, grid=["x=1,2,3"])
    assert (third.status, third.data["before"]) == (0, 3)
    assert len(rows()) == 4
    # Other code around it is another sweep; so is one that is asked for anew.
    (repo / "model.py").write_text("a = 1\n")
    assert sweep(nb, grid=["x=1,2,3"]).data["before"] == 0
    assert sweep(nb, grid=["x=1,2,3"], again=True).data["before"] == 0
    assert len(rows()) == 10


def test_a_sweep_goes_on_after_its_coordinator_was_killed(repo):
    nb = notebook(
        repo, "import os, time\nprint('up', flush=True)\nwhile not os.path.exists('go'): time.sleep(0.05)"
    )
    code = (
        "import sys; from provenote.commands import jobs; from provenote.commands.tree import Context;"
        f"sys.exit(jobs.sweep(Context(), {str(nb)!r}, grid=['x=1,2,3,4'], max_parallel=2).status)"
    )
    foreground = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    home = workspace.find().home
    whole = wait_for(lambda: next((job for job in folder.listing(home) if job.spec.kind == "sweep"), None))

    def working() -> int:
        return sum(b"up\n" in (job.attempt(1) / "log.txt").read_bytes() for job in folder.listing(home))

    wait_for(lambda: working() == 2)
    os.kill(next(event["pid"] for event in whole.events() if "pid" in event), signal.SIGKILL)
    assert foreground.wait(60) == 1
    assert whole.state().state == "lost"
    (repo / "go").touch()
    view = verbs.job_retry(Context(), f"sweep-{whole.id[:8]}")
    assert view.status == 0
    assert [job["state"] for job in view.data["jobs"]] == ["succeeded"] * 4
    assert values(rows()) == [1, 2, 3, 4]  # each once: the two that were at work went on
    assert [folder.JobFolder(home / "jobs" / job["id"]).state().attempt for job in view.data["jobs"]] == [
        1
    ] * 4


def test_a_sweep_ends_when_it_has_met_its_aim(repo):
    nb = notebook(repo, SCORE)
    view = sweep(nb, grid=["x=0..9"], until="rmse <= 80", max_parallel=1)
    assert view.status == 0
    assert [job["status"] for job in view.data["jobs"]] == ["finished"] * 3 + ["queued"] * 7
    assert view.data["why"] == f"run {view.data['jobs'][2]['name']} met the aim; 7 jobs were not started"
    assert view.data["why"] in view.parts[0].foot
    assert values(rows()) == [0, 1, 2]
    view = sweep(nb, grid=["x=0,1"], until="rmsle < 2")
    assert view.status == 0
    assert "--until was never asked: no run here has 'rmsle'" in view.data["why"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"grid": ["x=1"], "until": "rmse <"}, "query"),
        ({"grid": ["x=1"], "seed": 3}, "nothing to draw"),
        ({"grid": ["x=1"], "from_": "jobs.csv"}, "not both"),
        ({"random": 3}, "needs an axis"),
        ({"grid": ["x=1..2"], "random": 0}, "cannot be drawn"),
        ({"grid": ["x=1..9"], "random": 3, "params": ["x=2"]}, "both fixed and an axis"),
        ({"grid": ["x=1"], "notebook_timeout": -1.0}, "cannot have -1 seconds"),
        ({"from_": "none.csv"}, "there is no file"),
        ({"grid": ["x=1"], "threads": 0}, "cannot compute with 0 threads"),
    ],
)
def test_a_wrong_sweep_is_refused_before_anything_is_made(repo, options, words):
    with pytest.raises(UsageError, match=words):
        sweep(notebook(repo, SCORE), **options)
    assert folder.listing(workspace.find().home) == []


def test_a_sweep_says_how_many_threads_its_jobs_have(repo, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    nb = notebook(repo, "import os; print(os.environ['OMP_NUM_THREADS'], os.environ['OPENBLAS_NUM_THREADS'])")
    spec = sweeps.prepare(nb, ["x=1,2,3"], threads=launch.cores())[1]
    assert (spec.threads, spec.parallel) == (launch.cores(), 1)
    view = sweep(nb, grid=["x=1,2"], threads=3)
    logs = verbs.job_logs(Context(), view.data["id"][:8]).data["log"]
    assert logs == (
        f"== x=1  succeeded  {view.data['jobs'][0]['name']}\n3 3\n"
        f"== x=2  succeeded  {view.data['jobs'][1]['name']}\n3 3"
    )
    one = verbs.job_run(Context(), str(nb), threads=3)
    assert verbs.job_logs(Context(), one.data["id"]).data["log"] == "3 3"
    document = index.document(workspace.find(), one.data["commit"])
    assert document["job"]["threads"] == 3


def test_each_notebook_of_a_sweep_has_its_time(repo):
    nb = notebook(repo, "import time; time.sleep(60 if x else 0)")
    view = sweep(nb, grid=["x=0,1"], notebook_timeout=10.0)
    assert view.status == 1
    assert [job["state"] for job in view.data["jobs"]] == ["succeeded", "timed_out"]
    slow = next(row for row in rows() if row.params["x"])
    assert (slow.status, slow.reason) == ("failed", "timed_out")
    ended = index.document(workspace.find(), slow.commit or "")["extra"]["ended"]
    assert ended["reason"] == "cell 2: 10 s for the whole notebook"
