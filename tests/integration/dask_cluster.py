"""What the tests of jobs on Dask share: a scheduler and two workers, any of which may be killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from tests.integration.job_desk import wait_for

from provenote.jobs.folder import JobFolder


class Cluster:
    """A scheduler and two workers, each in a folder and with a cache of its own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.port = free_port()
        self.scheduler: subprocess.Popen[bytes] | None = None
        self.workers: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def on(self) -> str:
        return f"dask://127.0.0.1:{self.port}"

    def ensure(self) -> None:
        """Start what does not run, and wait until both workers are known."""
        if self.scheduler is None or self.scheduler.poll() is not None:
            words = ["--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard"]
            self.scheduler = self._start("distributed.cli.dask_scheduler", words, "scheduler")
            for worker in self.workers.values():
                kill_group(worker)
            wait_for(self._open)
        self.revive()
        from distributed import Client

        with Client(f"tcp://127.0.0.1:{self.port}", set_as_default=False) as client:
            wait_for(lambda: len(client.nthreads()) == 2)

    def revive(self) -> None:
        """Start each worker whose nanny does not run; a nanny starts its worker anew by itself."""
        for number in (1, 2):
            nanny = self.workers.get(number)
            if nanny is None or nanny.poll() is not None:
                words = [f"tcp://127.0.0.1:{self.port}", "--nworkers", "1", "--nthreads", "1"]
                words.append("--no-dashboard")
                self.workers[number] = self._start("distributed.cli.dask_worker", words, f"worker{number}")

    def _open(self) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        return False

    def _start(self, module: str, words: list[str], name: str) -> subprocess.Popen[bytes]:
        place = self.place / name
        place.mkdir(exist_ok=True)
        home = {"HOME": str(place), "XDG_RUNTIME_DIR": str(place)}
        env = {
            **os.environ,
            **home,
            "GIT_CONFIG_NOSYSTEM": "1",
            "PROVENOTE_WORKER_FOLDER": str(place / "kept"),
        }
        with (place / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", module, *words],
                cwd=place,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def of(self, address: str) -> subprocess.Popen[bytes]:
        """Return the nanny of the worker with this address."""
        port = int(address.rsplit(":", 1)[1])
        for worker in self.workers.values():
            with contextlib.suppress(psutil.Error):
                nanny = psutil.Process(worker.pid)
                for process in [nanny, *nanny.children(recursive=True)]:
                    with contextlib.suppress(psutil.Error):
                        if any(
                            one.laddr.port == port
                            for one in process.net_connections()
                            if one.status == "LISTEN"
                        ):
                            return worker
        raise AssertionError(f"no worker at {address}")

    def below_nannies(self) -> list[int]:
        """Return the processes of the workers themselves."""
        found: list[int] = []
        for nanny in list(self.workers.values()):
            with contextlib.suppress(psutil.Error):
                children = psutil.Process(nanny.pid).children()
                found += [one.pid for one in children if "spawn_main" in " ".join(one.cmdline())]
        return found

    def events(self) -> Iterator[list[dict[str, Any]]]:
        """Yield what each attempt at work has written into its job's folder."""
        for path in self.place.glob("worker*/kept/*/attempts/*/.git/provenote/jobs/*/events.jsonl"):
            with contextlib.suppress(OSError):
                yield list(JobFolder(path.parent).events())

    def attempts(self) -> list[Path]:
        """Return what attempts left in the workers' folders."""
        return [one for one in self.place.glob("worker*/kept/*/attempts/*") if not one.name.endswith(".lock")]

    def close(self) -> None:
        for process in (self.scheduler, *self.workers.values()):
            if process is not None:
                kill_group(process)
        from provenote.jobs import warm

        for lingering in self.place.glob("worker*/provenote-warm-*"):
            for one in warm.lingering(lingering):
                one.end()


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
