"""A sweep on two Dask workers of this machine, beside papermill on the same, and beside no cluster."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks import Row, env, interleaved, process, project
from tests.benchmarks.bench_jobs import CELLS, lingering, notebook


def rows(quick: bool) -> Iterator[Row]:
    """Measure a sweep on Dask."""
    count, repeats = (4, 1) if quick else (40, 2)
    with project() as folder, lingering(folder), cluster(folder / ".dvc" / "tmp" / "dask") as address:
        notebook(folder / "small.ipynb", *CELLS)
        remote = folder / ".dvc" / "tmp" / "origin.git"
        subprocess.run(["git", "init", "--quiet", "--bare", str(remote)], check=True)
        subprocess.run(["git", "remote", "add", "origin", str(remote)], cwd=folder, check=True)

        def sweep(on: str) -> float:
            return process(SWEEP.format(count=count, on=on), cwd=folder)

        ours, papermill = interleaved(
            lambda: sweep(f"dask://{address}"),
            lambda: process(PAPERMILL.format(count=count, address=address), cwd=folder),
            repeats,
        )
        name = f"sweep of {count} jobs on 2 Dask workers"
        yield Row(name, ours, papermill, "papermill's API as Dask's tasks", 1 / 5)
        ours, here = interleaved(lambda: sweep(f"dask://{address}"), lambda: sweep("local"), repeats)
        more = 2 * (ours - here) / count
        note = "seconds of one of two workers, beside the same sweep without Dask"
        yield Row("  what a job costs more there than here", max(more, 0.0), most=0.5, note=note)


@contextmanager
def cluster(place: Path) -> Iterator[str]:
    """Run a scheduler and two workers, and yield the scheduler's ``host:port``."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listening.getsockname()[1]}"
    place.mkdir()
    started: list[subprocess.Popen[bytes]] = []

    def start(module: str, *words: str) -> None:
        command = [sys.executable, "-m", f"distributed.cli.{module}", *words, "--no-dashboard"]
        kept = env(PROVENOTE_WORKER_FOLDER=str(place / "kept"))
        with (place / "log").open("ab") as log:
            started.append(
                subprocess.Popen(command, cwd=place, env=kept, stdout=log, stderr=log, start_new_session=True)
            )

    try:
        start("dask_scheduler", "--host", "127.0.0.1", "--port", address.rsplit(":", 1)[1])
        for _ in range(2):
            start("dask_worker", f"tcp://{address}", "--nworkers", "1", "--nthreads", "1")
        until = time.monotonic() + 60
        while workers(address) < 2 and time.monotonic() < until:
            time.sleep(0.2)
        yield address
    finally:
        for one in started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(one.pid, signal.SIGKILL)
            one.wait()


def workers(address: str) -> int:
    """Return how many workers the scheduler has."""
    from distributed import Client

    with Client(f"tcp://{address}", set_as_default=False, timeout=60) as client:  # type: ignore[no-untyped-call]
        return len(client.nthreads())  # type: ignore[no-untyped-call]


SWEEP = """
from provenote.jobs.sweeps import sweep
assert sweep("small.ipynb", {{"seed": range({count})}}, on="{on}").sweep.exit_status == 0
"""
PAPERMILL = """
import pathlib
from distributed import Client
place = pathlib.Path.cwd()
def one(seed):
    import papermill
    source, target = str(place / "small.ipynb"), str(place / f"out{{seed}}.ipynb")
    papermill.execute_notebook(source, target, parameters={{"seed": seed}}, progress_bar=False)
with Client("tcp://{address}") as client:
    client.gather(client.map(one, range({count}), pure=False))
"""
