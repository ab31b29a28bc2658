"""A hundred jobs while supervisors, kernels and zygotes are killed at random: every one is accounted for."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import psutil

from provenote import workspace
from provenote.jobs import folder, launch, sweeps, warm
from provenote.stores import index, live

JOBS = 100
CELLS = (
    ("n = 0", ["parameters"]),
    ("import time\nimport provenote\ntime.sleep(0.1)", []),
    ("provenote.current_run().log(score=2 * n)\ntime.sleep(0.05)\nprint('done', n)", []),
)


def notebook(path: Path) -> Path:
    cells = [
        {
            "cell_type": "code",
            "id": f"c{number}",
            "metadata": {"tags": tags},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }
        for number, (source, tags) in enumerate(CELLS)
    ]
    spec = {"name": "python3", "display_name": "Python", "language": "python"}
    path.write_text(
        json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": spec}, "cells": cells})
    )
    return path


class Killer(threading.Thread):
    """Kills one process of a job at a time, now and then; ``killed`` counts them by what they were."""

    def __init__(self, home: Path, seed: int) -> None:
        super().__init__(daemon=True)
        self.home = home
        self.dice = random.Random(seed)
        self.over = threading.Event()
        self.killed: Counter[str] = Counter()

    def run(self) -> None:
        while not self.over.wait(self.dice.uniform(0.05, 0.3)):
            kind = self.dice.choice(("supervisor", "kernel", "zygote"))
            victims = self.zygotes() if kind == "zygote" else self.at_work(kind)
            if victims:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.dice.choice(victims), signal.SIGKILL)
                    self.killed[kind] += 1

    def zygotes(self) -> list[int]:
        return [one.facts["pid"] for one in warm.lingering()]

    def at_work(self, kind: str) -> list[int]:
        """Return the processes of jobs that go on; that a job goes on is what its own events say."""
        found = []
        for job in folder.listing(self.home):
            events = list(job.events())
            if job.spec.kind == "sweep" or not events or events[-1].get("state") in _OVER:
                continue
            name = "pid" if kind == "supervisor" else "kernel"
            found += [event[name] for event in events if event.get(name)][-1:]
        return found


_OVER = ("succeeded", "failed", "killed", "cancelled", "lost", "timed_out", "oom_killed")


def left_over(jobs: list[str]) -> list[str]:
    """Return what still runs of these jobs."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get("PROVENOTE_JOB") in jobs:
                found.append(" ".join(process.cmdline())[:200])
    return found


def test_a_hundred_jobs_while_all_is_killed_at_random(repo: Path) -> None:
    place = workspace.find()
    killer = Killer(place.home, seed=1)
    killer.start()
    first = sweeps.sweep(notebook(repo / "t.ipynb"), {"n": list(range(JOBS))}, max_parallel=4)
    killer.over.set()
    killer.join()
    assert min(killer.killed[kind] for kind in ("supervisor", "kernel", "zygote")) >= 3, killer.killed

    ended = Counter(job.state.state for job in first.jobs)
    assert sum(ended.values()) == JOBS and all(job.state.over for job in first.jobs), ended
    for job in first.jobs:
        if job.state.state != "succeeded":
            assert job.state.reason, f"job {job.id[:8]} ended {job.state.state} without a reason"

    whole = folder.find(place.home, first.sweep.id)
    for _ in range(5):  # nobody kills any more
        if whole.state().state == "succeeded":
            break
        launch.retry(place, whole)
    last = sweeps.result(place, launch.JobResult(whole.id, whole.state(), whole.spec))
    assert [job.state.state for job in last.jobs] == ["succeeded"] * JOBS

    rows, _ = index.rows(place, everything=True)
    finished = [row for row in rows if row.status == "finished"]
    assert sorted(row.params["n"] for row in finished) == list(range(JOBS)), "each once"
    assert all(row.metrics == {"score": 2 * row.params["n"]} for row in finished)
    others = [row for row in rows if row.status != "finished"]
    assert all(row.status in ("killed", "failed") and row.reason for row in others)
    assert list(live.listing(place.home)) == []
    deadline = time.monotonic() + 5
    jobs = [job.id for job in last.jobs]
    while (still := left_over(jobs)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert still == []
