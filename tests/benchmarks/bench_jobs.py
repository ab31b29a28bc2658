"""Jobs beside papermill and plain scripts, warm and cold, and what is left of a killed one.

Warm: the processes linger from the round that does not count. Each measured job is a process of its own.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
from tests.benchmarks import Row, interleaved, process, project, took

CELLS = (
    "import pandas as pd\nfrom sklearn.datasets import make_classification\n"
    "from sklearn.linear_model import LogisticRegression\nfrom sklearn.metrics import roc_auc_score",
    "seed: int = 0",
    "X, y = make_classification(4000, 20, random_state=seed)\ntable = pd.DataFrame(X)\ntable.describe()",
    "model = LogisticRegression(max_iter=500).fit(X[:3000], y[:3000])",
    "roc_auc_score(y[3000:], model.predict_proba(X[3000:])[:, 1])",
)
SLEEPER = "import subprocess, time\nchild = subprocess.Popen(['sleep', '300'])\ntime.sleep(300)"


def notebook(path: Path, *sources: str) -> Path:
    """Write a notebook of code cells; the second one holds the parameters."""
    cells = [
        {
            "cell_type": "code",
            "id": f"c{number}",
            "metadata": {"tags": ["parameters"]} if number == 1 else {},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }
        for number, source in enumerate(sources)
    ]
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    book = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": spec}, "cells": cells}
    path.write_text(json.dumps(book))
    return path


def rows(quick: bool) -> Iterator[Row]:
    """Measure one job, a sweep, and the end of a killed job."""
    times, count = (2, 4) if quick else (5, 40)
    with project() as folder, lingering(folder):
        notebook(folder / "small.ipynb", *CELLS)
        script = "\n".join(CELLS)

        def job(**environment: str) -> float:
            return process(JOB, cwd=folder, **environment)

        ours, plain = interleaved(job, lambda: process(script, cwd=folder), times)
        yield Row("one small notebook job, whole process", ours, plain, "its cells as a plain script", 0.35)
        ours, papermill = interleaved(job, lambda: process(PAPERMILL, cwd=folder), times)
        yield Row("  the same", ours, papermill, "papermill's API, whole process", 0.2)
        cold, papermill = interleaved(
            lambda: job(PROVENOTE_WARM_KERNELS="false"), lambda: process(PAPERMILL, cwd=folder), times
        )
        yield Row("  the same, cold", cold, papermill, "papermill's API, whole process")
        repeats = 1 if quick else 2

        def sweep() -> float:
            return process(SWEEP.format(count=count), cwd=folder, OMP_NUM_THREADS="1")

        ours, pool = interleaved(
            sweep, lambda: process(POOL.format(count=count), cwd=folder, OMP_NUM_THREADS="1"), repeats
        )
        yield Row(f"sweep of {count} jobs, 2 at once", ours, pool, "papermill's API in 2 processes", 1 / 5)
        ours, scripts = interleaved(sweep, lambda: at_once(script, count, folder), repeats)
        yield Row("  the same", ours, scripts, "plain scripts, 2 at once", 1 / 3.5)
        notebook(folder / "sleeper.ipynb", SLEEPER)
        gone = [orphans(folder / "sleeper.ipynb") for _ in range(times)]
        yield Row("kill -9 of a job until no process is left", statistics.median(gone), most=0.5)


@contextmanager
def lingering(folder: Path) -> Iterator[None]:
    """Keep the processes that linger to this benchmark, and end them after it."""
    from provenote.jobs import warm

    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(folder / ".dvc" / "tmp")
    try:
        yield
    finally:
        warm.stop()
        del os.environ["XDG_RUNTIME_DIR"]
        if before is not None:
            os.environ["XDG_RUNTIME_DIR"] = before


def at_once(script: str, count: int, folder: Path) -> float:
    """Return the seconds of ``count`` processes that run ``script``, two at a time."""

    def all_of() -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _: process(script, cwd=folder, OMP_NUM_THREADS="1"), range(count)))

    return took(all_of)


def orphans(path: Path) -> float:
    """Kill a job's supervisor and return the seconds until its kernel and the kernel's child are gone."""
    from provenote.jobs import executor, folder, launch

    request = launch.check(path)
    there = executor.get(request.workspace)
    job = there.submit(request.spec({}, os.urandom(8).hex(), label="sleeper", commit=launch.commit(request)))
    told: dict[str, int] = {}
    family: list[psutil.Process] = []
    while not any(process.name() == "sleep" for process in family):
        time.sleep(0.05)
        for event in folder.JobFolder(request.workspace.home / "jobs" / job).events():
            told.update({name: event[name] for name in ("pid", "kernel") if name in event})
        if "kernel" in told:
            family = [one for one in psutil.process_iter() if group(one) == told["kernel"]]
    began = time.perf_counter()
    os.kill(told["pid"], signal.SIGKILL)
    while any(alive(process) for process in family):
        time.sleep(0.002)
    return time.perf_counter() - began


def group(process: psutil.Process) -> int | None:
    """Return the process group, or None of a process that has just ended."""
    try:
        return os.getpgid(process.pid)
    except ProcessLookupError:
        return None


def alive(process: psutil.Process) -> bool:
    """Whether a process still runs; one that only waits to be collected does not."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


JOB = """
from provenote.jobs.launch import run_job
assert run_job("small.ipynb", ["seed=1"]).exit_status == 0
"""
PAPERMILL = """
import papermill
papermill.execute_notebook("small.ipynb", "out.ipynb", parameters={"seed": 1}, progress_bar=False)
"""
SWEEP = """
from provenote.jobs.sweeps import sweep
assert sweep("small.ipynb", {{"seed": range({count})}}, max_parallel=2).sweep.exit_status == 0
"""
POOL = """
from multiprocessing import get_context
def one(seed):
    import papermill
    parameters = {{"seed": seed}}
    papermill.execute_notebook("small.ipynb", f"out{{seed}}.ipynb", parameters=parameters, progress_bar=False)
if __name__ == "__main__":
    with get_context("fork").Pool(2) as pool:
        pool.map(one, range({count}), chunksize=1)
"""
