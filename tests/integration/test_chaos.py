"""A hundred jobs, here and on Dask, while all that works for them is killed at random: each ends once."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.integration.dask_cluster import Cluster
from tests.integration.job_desk import cell, wait_for, write

from provenote import workspace
from provenote.jobs import folder, launch, sweeps, warm
from provenote.stores import index, live

pytest.importorskip("distributed")

HERE, THERE = 60, 40
CELLS = (
    cell("n = 0", "c0", "parameters"),
    cell("import time\nimport provenote\ntime.sleep(0.1)", "c1"),
    cell("provenote.current_run().log(score=2 * n)\ntime.sleep(0.05)\nprint('done', n)", "c2"),
)
# How often each kind is chosen, and how often killed at most: each new worker and zygote takes its seconds.
KINDS = {
    "supervisor": (4, 100),
    "kernel": (4, 100),
    "attempt": (1, 6),
    "zygote": (3, 8),
    "worker": (2, 5),
    "nanny": (1, 2),
}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    found = Cluster(tmp_path / "dask")
    found.place.mkdir()
    found.ensure()
    yield found
    found.close()


class Killer(threading.Thread):
    """Kills one process at a time, now and then; ``killed`` counts them by what they were."""

    def __init__(self, home: Path, cluster: Cluster, seed: int) -> None:
        super().__init__(daemon=True)
        self.home = home
        self.cluster = cluster
        self.dice = random.Random(seed)
        self.over = threading.Event()
        self.killed: Counter[str] = Counter()

    def run(self) -> None:
        while not self.over.wait(self.dice.uniform(0.05, 0.3)):
            left = {kind: often for kind, (often, most) in KINDS.items() if self.killed[kind] < most}
            kind = self.dice.choices(list(left), list(left.values()))[0]
            victims = self.victims(kind)
            if victims:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.dice.choice(victims), signal.SIGKILL)
                    self.killed[kind] += 1
            self.cluster.revive()

    def victims(self, kind: str) -> list[int]:
        if kind == "nanny":
            return [one.pid for one in self.cluster.workers.values() if one.poll() is None]
        if kind == "worker":
            return self.cluster.below_nannies()
        if kind == "attempt":
            return [int(one.name.rsplit("-", 1)[1]) for one in self.cluster.attempts()]
        if kind == "zygote":
            folders = [None, *self.cluster.place.glob("worker*/provenote-warm-*")]
            lingering = [one for place in folders for one in warm.lingering(place)]
            return [one.facts["pid"] for one in lingering if "pid" in one.facts]
        return [*self.at_work(kind), *self.at_work_there(kind)]

    def at_work(self, kind: str) -> list[int]:
        """Return the processes of jobs that go on here; that a job goes on is what its own events say."""
        found = []
        for job in folder.listing(self.home):
            if job.spec.kind != "sweep" and job.state().on == "local":
                found += last(list(job.events()), kind)
        return found

    def at_work_there(self, kind: str) -> list[int]:
        """Return those of jobs that go on beside the workers."""
        return [pid for events in self.cluster.events() for pid in last(events, kind)]


_OVER = ("succeeded", "failed", "killed", "cancelled", "lost", "timed_out", "oom_killed")


def last(events: list[dict[str, object]], kind: str) -> list[int]:
    """Return the supervisor or the kernel that these events named last, unless the job is over."""
    if not events or events[-1].get("state") in _OVER:
        return []
    name = "pid" if kind == "supervisor" else "kernel"
    return [event[name] for event in events if event.get(name)][-1:]  # type: ignore[misc]


def left_over(jobs: list[str]) -> list[str]:
    """Return what still runs of these jobs."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get("PROVENOTE_JOB") in jobs:
                found.append(" ".join(process.cmdline())[:200])
    return found


def git(place: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=place, check=True, capture_output=True, text=True).stdout


def retried(place: workspace.Workspace, sweep: folder.JobFolder) -> sweeps.SweepResult:
    """Take a sweep up again until all its jobs have succeeded; nobody kills any more."""
    for _ in range(5):
        if sweep.state().state == "succeeded":
            break
        launch.retry(place, sweep)
    return sweeps.result(place, launch.JobResult(sweep.id, sweep.state(), sweep.spec))


def test_a_hundred_jobs_while_all_is_killed_at_random(repo: Path, tmp_path: Path, cluster: Cluster) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "origin.git")
    git(repo, "remote", "add", "origin", str(tmp_path / "origin.git"))
    place = workspace.find()
    book = write(repo / "t.ipynb", *CELLS)
    killer = Killer(place.home, cluster, seed=1)
    there: list[sweeps.SweepResult] = []
    numbers = list(range(HERE + THERE))
    beside = threading.Thread(
        target=lambda: there.append(sweeps.sweep(book, {"n": numbers[HERE:]}, on=cluster.on)), daemon=True
    )
    killer.start()
    beside.start()
    here = sweeps.sweep(book, {"n": numbers[:HERE]}, max_parallel=3)
    beside.join(300)
    killer.over.set()
    killer.join()
    assert there, "the sweep on Dask did not end"
    least = {"supervisor": 3, "kernel": 3, "zygote": 3, "attempt": 1, "worker": 2, "nanny": 1}
    assert all(killer.killed[kind] >= count for kind, count in least.items()), killer.killed

    for job in [*here.jobs, *there[0].jobs]:
        assert job.state.over, f"job {job.id[:8]} is {job.state.state}"
        if job.state.state != "succeeded":
            assert job.state.reason, f"job {job.id[:8]} ended {job.state.state} without a reason"
    cluster.ensure()
    done = [retried(place, folder.find(place.home, one.sweep.id)) for one in (here, there[0])]
    jobs = [job for sweep in done for job in sweep.jobs]
    assert [job.state.state for job in jobs] == ["succeeded"] * len(numbers)

    rows, _ = index.rows(place, everything=True)
    finished = [row for row in rows if row.status == "finished"]
    assert sorted(row.params["n"] for row in finished) == numbers, "each once"
    assert all(row.metrics == {"score": 2 * row.params["n"]} for row in finished)
    others = [row for row in rows if row.status != "finished"]
    assert all(row.status in ("killed", "failed") and row.reason for row in others)
    assert list(live.listing(place.home)) == []
    wait_for(lambda: not left_over([job.id for job in jobs]), 5)

    # What came over the remote is here, whole, and nothing else is left there or with the workers.
    wait_for(lambda: not git(repo, "ls-remote", "origin", "refs/provenote/*") and not cluster.attempts())
    runs_here = dict(reversed(line.split()) for line in git(repo, "show-ref").splitlines())
    runs_there = dict(reversed(line.split()) for line in git(repo, "ls-remote", "origin").splitlines())
    assert len(runs_there) >= THERE and runs_there.items() <= runs_here.items()
    git(tmp_path / "origin.git", "fsck", "--connectivity-only")
