"""What a Dask worker does for a job: start its attempt as a process, and tell how it is getting on.

Everything here runs inside the worker, beside whatever else it does: nothing heavy is imported, and no user
code comes near it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

from provenote import config
from provenote.jobs.distant.checkout import root
from provenote.jobs.distant.started import Started
from provenote.jobs.ready import readable
from provenote.jobs.spec import THREAD_VARIABLES

_LOOK_EVERY = 0.2  # seconds between two looks at the job's files
_CHUNK = 8_000  # characters of log told at once: the scheduler keeps a thousand events in memory

_NANNYS_SEED = "6640"  # distributed/nanny.py
_PATIENCE = 5.0  # seconds for an attempt to end that has given its verdict

_running: dict[tuple[str, str], Started] = {}


def work(order: Mapping[str, Any]) -> dict[str, Any]:
    """Make one attempt at a job and return its verdict; see `provenote.jobs.distant.attempt`.

    Parameters
    ----------
    order : mapping
        What `provenote.jobs.distant.dispatcher` wrote, plain data.
    """
    from distributed import get_worker

    worker = get_worker()
    wrong, note = skew(order)
    if wrong is not None:
        return {"verdict": "broken", "error": wrong}

    def tell(**facts: Any) -> None:
        worker.log_event(order["topic"], {"job": order["job"], "attempt": order["attempt"], **facts})

    full = {**order, "worker": worker.address, "threads": _threads(order, worker), "note": note}
    with tempfile.TemporaryFile() as errors:
        started = Started(_environment(), errors.fileno(), order["warm"] and config.load(root()).warm_kernels)
        name = order["job"], order["by"]  # two dispatchers may have given out the same job
        _running[name] = started
        tell(worker=worker.address)  # from now on it can be told to stop
        try:
            verdict = _follow(started, full, worker, tell)
        finally:
            _running.pop(name, None)
            code = started.end(_PATIENCE)
        if verdict is None:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip().splitlines()
            verdict = {"verdict": "died", "code": code, "said": said[-1:]}
    return {**verdict, "host": os.uname().nodename, "worker": worker.address}


def cancel(job: str, by: str) -> bool:
    """Ask this worker's attempt at a job to stop; False if there is none. Called by the dispatcher."""
    started = _running.get((job, by))
    if started is None:
        return False
    started.cancel()
    return True


def skew(order: Mapping[str, Any]) -> tuple[dict[str, Any] | None, str | None]:
    """Compare this installation with the user's.

    Returns
    -------
    error : dict or None
        Why nothing can run here: another version of ours.
    note : str or None
        What is said with the result: another Python.
    """
    from importlib.metadata import PackageNotFoundError, version

    try:
        here = version("provenote")
    except PackageNotFoundError:  # from a checkout
        here = None
    host = os.uname().nodename
    if order["provenote"] and here and order["provenote"] != here:
        what = f"the worker on {host} has provenote {here}, and this is {order['provenote']}"
        mend = f"Install the same there: `pip install provenote=={order['provenote']}`"
        return {"kind": "WorldError", "what": what, "mend": mend}, None
    python = ".".join(map(str, sys.version_info[:2]))
    if order["python"] != python:
        return None, f"it ran with Python {python} on {host}, here is {order['python']}"
    return None, None


def _threads(order: Mapping[str, Any], worker: Any) -> int:
    """Return this host's cores for each of its workers' threads: so many jobs may run on it at once."""
    from provenote.jobs.local import cores

    host = worker.address.rsplit(":", 1)[0]
    beside: int = order["crowd"].get(host) or worker.state.nthreads
    return max(1, cores() // max(1, beside))


def _environment() -> dict[str, str]:
    """Return our environment without what is this worker's own, and with the hash seed that jobs have.

    Its own is what Dask's nanny gives to its workers: a single thread for BLAS and OpenMP, an allocator that
    returns memory early and is slow, a hash seed, and the nanny's number. With them a job would not be what
    it is here, and could not share warm processes.
    """
    import dask.config

    given = dask.config.get("distributed.nanny.pre-spawn-environ", {})
    nannys = {**dict.fromkeys(THREAD_VARIABLES, "1"), **{name: str(value) for name, value in given.items()}}
    nannys["PYTHONHASHSEED"] = _NANNYS_SEED
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("__DASK") and nannys.get(name) != value
    }
    return {"PYTHONHASHSEED": "0", **kept}


def _follow(started: Started, order: Mapping[str, Any], worker: Any, tell: Any) -> dict[str, Any] | None:
    """Tell what happens until the attempt gives its verdict; None if it ends without one."""
    started.tell(json.dumps(order).encode() + b"\n")
    rest = b""
    files: _Files | None = None
    ended = False
    while True:
        ready = readable([started.answers], _LOOK_EVERY)
        chunk = os.read(started.answers, 65536) if ready else b""
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            said = json.loads(line)
            if "verdict" in said:
                return said  # type: ignore[no-any-return]
            if "folder" in said:
                files = _Files(said["folder"], order["attempt"])
            else:
                tell(**said)
        if files is not None:
            files.tell(tell)
        if worker.status.name not in ("running", "paused", "init", "created"):
            return {"verdict": "left"}  # the worker is leaving, and the job is somebody else's already
        if ready and not chunk:
            return None
        if not ready and started.over():
            if ended:
                return None
            ended = True


class _Files:
    """Tells what is new in a job's events and its log.

    Parameters
    ----------
    folder : str
    attempt : int
    """

    def __init__(self, folder: str, attempt: int) -> None:
        self._events = f"{folder}/events.jsonl"
        self._log = f"{folder}/a{attempt}/log.txt"
        self._places = {self._events: 0, self._log: 0}

    def tell(self, tell: Any) -> None:
        """Tell it."""
        events = []
        for line in self._new(self._events, lines=True).split(b"\n"):
            with contextlib.suppress(ValueError):
                if line:
                    events.append(json.loads(line))
        if events:
            tell(events=events)
        text = self._new(self._log, lines=False, most=_CHUNK).decode("utf-8", "replace")
        if text:
            tell(log=text)

    def _new(self, path: str, lines: bool, most: int = -1) -> bytes:
        try:
            with open(path, "rb") as file:
                file.seek(self._places[path])
                content = file.read(most)
        except OSError:
            return b""
        if lines:
            content = content[: content.rfind(b"\n") + 1]
        self._places[path] += len(content)
        return content
