"""Jobs on a Dask cluster, as the user sees them: a job's folder is here, like that of any other job."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import asdict, replace
from typing import Any

from provenote import config, errors
from provenote.errors import ProvenoteError, UsageError, WorldError
from provenote.jobs import folder as folders
from provenote.jobs.distant import code as codes
from provenote.jobs.distant import orders
from provenote.jobs.distant.code import Code
from provenote.jobs.local import LocalExecutor
from provenote.jobs.outcome import as_error
from provenote.jobs.spec import JobSpec
from provenote.jobs.state import JobState
from provenote.sharing import transport
from provenote.sharing.transport import Remote
from provenote.stores import dvc_config
from provenote.workspace import Workspace

_PATIENCE = 60.0  # seconds in which the dispatcher must have reached the scheduler
_KNOCK = 10.0  # seconds in which the scheduler's port must open
_ROOM_EVERY = 2.0  # seconds between two looks at how many workers there are


class DaskExecutor:
    """Hand jobs to a dispatcher, a process that outlives this one.

    Parameters
    ----------
    workspace : Workspace
        Whose jobs these are.
    address : str
        The scheduler's, ``host:port``, or with a protocol that Dask knows, ``tls://host:port``.

    Raises
    ------
    UsageError
        If the address is none.
    """

    def __init__(self, workspace: Workspace, address: str) -> None:
        self.address = address if "://" in address else f"tcp://{address}"
        host, _, port = self.address.partition("://")[2].rpartition(":")
        if not host or not port.isdigit():
            raise UsageError(
                f"{address!r} is no address of a Dask scheduler", "Give one: `--on dask://localhost:8786`"
            )
        self._host, self._port = host.strip("[]"), int(port)
        self._on = f"dask://{address}"
        self._workspace = workspace
        self._local = LocalExecutor(workspace)
        self._known: Remote | None = None
        self._dispatcher: socket.socket | None = None
        self._codes: dict[tuple[str, str], Code] = {}
        self._room, self._looked = 0, -_ROOM_EVERY

    def submit(self, spec: JobSpec) -> str:
        """Start the job and return its id; one that runs or has succeeded is not started again.

        Raises
        ------
        UsageError
            If dask.distributed is not installed, or there is no Git remote.
        WorldError
            If the scheduler or the Git remote does not answer, or the remote refuses our refs.
        """
        if spec.kind == "sweep":  # its coordinator computes nothing: it works here, and its jobs there
            self._check()
            return self._local.submit(_at(spec, self._on))
        dispatcher, code = self._ready(spec)
        folder, lease = folders.create(self._workspace.home, _at(spec, self._on))
        if lease is None:
            return folder.id
        try:
            self._say(dispatcher, {"folder": str(folder.path), "code": _plain(code)}, lease)
        except ProvenoteError as error:
            folder.append({"state": "failed", "reason": error.what, "error": as_error(error)})
            raise
        finally:
            os.close(lease)
        return folder.id

    def status(self, job: str) -> JobState:
        """Return how far it is; a job whose dispatcher is gone is ``lost``."""
        return self._local.status(job)

    def cancel(self, job: str) -> None:
        """Ask it to stop: its kernel is interrupted, then killed. Returns at once."""
        self._local.cancel(job)

    def logs(self, job: str, start: int = 0) -> str:
        """Return what it printed, as far as it was told, from character ``start`` on."""
        return self._local.logs(job, start)

    def room(self) -> int:
        """Return how many jobs the cluster can run at once: the threads of its workers.

        Raises
        ------
        UsageError, WorldError
            As `submit`.
        """
        if time.monotonic() - self._looked >= _ROOM_EVERY:
            if self._dispatcher is None:
                self._check()
                self._greet(self._start())
            assert self._dispatcher is not None
            self._room = self._say(self._dispatcher, {"room": True})["room"]
            self._looked = time.monotonic()
        return self._room

    def _ready(self, spec: JobSpec) -> tuple[socket.socket, Code]:
        """Return the dispatcher, and the code on the remote; the one starts while the other is pushed."""
        started = None
        if self._dispatcher is None:
            self._check()
            started = self._start()
        key = spec.notebook, spec.blob
        try:
            if key not in self._codes:
                self._codes[key] = codes.send(self._workspace, self._remote, spec)
        except BaseException:
            if started is not None:
                started.close()
            raise
        if started is not None:
            self._greet(started)
        assert self._dispatcher is not None
        return self._dispatcher, self._codes[key]

    def _greet(self, started: socket.socket) -> None:
        """Tell a dispatcher that has just started what it must know."""
        try:
            self._say(started, self._facts())
        except BaseException:
            started.close()
            raise
        self._dispatcher = started

    @property
    def _remote(self) -> Remote:
        """The Git remote that code and results travel by."""
        if self._known is None:
            try:
                known = transport.choose(self._workspace.top)
            except UsageError as error:
                what = f"code travels to Dask's workers by a Git remote: {error.what}"
                raise UsageError(what, error.mend) from error
            # Git takes a relative address from where it stands, and in a linked worktree that is elsewhere.
            common = self._workspace.common_dir
            local = orders.local(known, common.parent if common.name == ".git" else self._workspace.top)
            self._known = replace(known, name=local, named=False) if local else known
        return self._known

    def _check(self) -> None:
        """Raise what `submit` raises before anything is made."""
        if importlib.util.find_spec("distributed") is None:
            mend = "Install it: `pip install 'provenote[dask]'`"
            raise UsageError("jobs on Dask need dask.distributed", mend)
        _ = self._remote
        try:
            socket.create_connection((self._host, self._port), timeout=_KNOCK).close()
        except OSError as error:
            raise WorldError(
                f"no Dask scheduler answers at {self._host}:{self._port} ({error.strerror or error})",
                "Start one: `dask scheduler`, and workers: `dask worker HOST:PORT`",
            ) from error

    def _start(self) -> socket.socket:
        ours, its = socket.socketpair()
        home = self._workspace.home
        try:
            home.mkdir(parents=True, exist_ok=True)
            with (home / "dask.log").open("ab") as log:
                if log.tell() > 1_000_000:
                    log.truncate(0)
                subprocess.Popen(
                    [sys.executable, "-P", "-m", "provenote.jobs.distant.desk", str(its.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self._workspace.top,
                    pass_fds=[its.fileno()],
                    start_new_session=True,  # Ctrl-C in the terminal reaches us only, and we ask it to stop
                )
        except OSError as error:
            ours.close()
            what = f"the jobs' dispatcher could not start ({error.strerror})"
            raise WorldError(what, "Try again") from error
        finally:
            its.close()
        ours.settimeout(_PATIENCE)
        return ours

    def _facts(self) -> dict[str, Any]:
        """Return what the dispatcher, and through it the workers, must know."""
        from provenote.git import command

        known = dvc_config.remotes(self._workspace)
        return {
            "scheduler": self.address,
            "on": self._on,
            "top": str(self._workspace.top),
            "root": str(self._workspace.dvc_root),
            "remote": self._remote.name,
            "prefix": self._workspace.prefix,
            "dvc": {
                "default": dvc_config.option(self._workspace, "core", "remote"),
                "remotes": {
                    name: str(one.folder) if one.folder else transport.without_password(one.url)
                    for name, one in known.items()
                },
            },
            "who": command.identity(self._workspace.top),
            "warm": config.load(self._workspace.dvc_root).warm_kernels,
        }

    def _say(
        self, dispatcher: socket.socket, message: dict[str, Any], lease: int | None = None
    ) -> dict[str, Any]:
        """Tell the dispatcher something, wait until it has taken it, and return its answer.

        Raises
        ------
        ProvenoteError
            What it answers, or that it is gone.
        """
        try:
            line = json.dumps(message).encode() + b"\n"
            socket.send_fds(dispatcher, [line], [lease] if lease is not None else [])
            answer = b""
            while not answer.endswith(b"\n"):
                chunk = dispatcher.recv(65536)
                if not chunk:
                    raise ConnectionError("it ended")
                answer += chunk
        except OSError as error:
            log = self._workspace.home / "dask.log"
            raise WorldError(f"the jobs' dispatcher does not answer ({error})", f"See `{log}`") from error
        said: dict[str, Any] = json.loads(answer)
        if "kind" in said:
            kind = getattr(errors, said["kind"], WorldError)
            raise kind(said["what"], said["mend"])
        return said


def _at(spec: JobSpec, on: str) -> JobSpec:
    return replace(spec, on=on)


def _plain(code: Code) -> dict[str, str]:
    return asdict(code)
