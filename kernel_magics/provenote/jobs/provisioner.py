"""Kernels that are forked from a zygote, for anybody who starts kernels through `jupyter_client`.

Known there as ``provenote-warm``. If there is no warm way to a kernel, it is started cold, and the reason is
written to standard error: a job's log.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import List, Unicode

from provenote.jobs import warm
from provenote.jobs.ready import readable
from provenote.jobs.warm import Line, NotWarm
from provenote.jobs.wish import Wish
from provenote.tracking import counters

UNKNOWN = 255
"""Exit status of a kernel whose zygote was gone before it ended: nobody can ask for the true one."""
_LAUNCHERS = ("ipykernel_launcher", "ipykernel")
_READY = 60.0  # seconds for a forked kernel to open its sockets
_ENDS_EVERY = 0.005  # seconds between two looks whether it has ended


class ForkedProcess:
    """A forked kernel, with the part of `subprocess.Popen` that `jupyter_client` uses.

    Parameters
    ----------
    pid : int
    line : Line
        The zygote tells on it how the process ends.
    """

    stdin = stdout = stderr = None
    forked = True

    def __init__(self, pid: int, line: Line) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._line: Line | None = line
        counters.adopt(pid)
        try:
            self._handle: int | None = os.pidfd_open(pid)
        except ProcessLookupError:
            self._handle = None

    def poll(self) -> int | None:
        """Return its exit status, negative for a signal; None while it runs."""
        while self.returncode is None and self._line is not None and self._line.speaks():
            try:
                self._told(self._line.hear(1.0))
            except NotWarm:  # the zygote is gone; the kernel lives on, and its handle tells when it ends
                self._line.close()
                self._line = None
        if self.returncode is None and self._line is None and self._gone():
            self._ended(UNKNOWN)
        return self.returncode

    def ready(self, seconds: float) -> None:
        """Wait until the kernel can be spoken to.

        Raises
        ------
        NotWarm
            If it does not come to that, with the reason.
        """
        assert self._line is not None
        message = self._line.hear(seconds)
        if "ready" not in message:
            self._told(message)
            why = message.get("refused") or f"the forked kernel ended with {message.get('exit')}"
            raise NotWarm(str(why))

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises
        ------
        TimeoutError
            If it runs on.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if until is not None and time.monotonic() > until:
                raise TimeoutError
            time.sleep(_ENDS_EVERY)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, while it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def _gone(self) -> bool:
        return self._handle is None or bool(readable([self._handle], 0))

    def _told(self, message: Mapping[str, Any]) -> None:
        if "exit" in message:
            used = counters.Spent(
                float(message.get("cpu", 0)),
                int(message.get("read", 0)),
                int(message.get("written", 0)),
                int(message.get("peak", 0)),
            )
            self._ended(int(message["exit"]), used)

    def _ended(self, code: int, used: counters.Spent | None = None) -> None:
        self.returncode = code
        counters.release(self.pid, used or counters.Spent())
        if self._line is not None:
            self._line.close()
        if self._handle is not None:
            os.close(self._handle)
        self._line = self._handle = None


class WarmProvisioner(LocalProvisioner):
    """Starts a kernel by a fork where it can, else as `jupyter_client` does."""

    preload: Any = List(Unicode(), help="Modules that it has imported before its first cell.").tag(
        config=True
    )
    process: Any = None
    reason: str | None = None

    @property
    def forked(self) -> bool:
        """Whether the kernel that runs was forked."""
        return isinstance(self.process, ForkedProcess)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start the kernel with the command ``cmd``."""
        loop = asyncio.get_running_loop()
        try:
            self.process = await loop.run_in_executor(None, fork_kernel, cmd, kwargs, self.preload)
        except Exception as error:  # whatever it is: the notebook can run without it
            self.reason = str(error) if isinstance(error, NotWarm) else f"{type(error).__name__}: {error}"
            print(f"This kernel was started cold: {self.reason}.", file=sys.stderr, flush=True)
            return await super().launch_kernel(cmd, **kwargs)
        self.pid = self.pgid = self.process.pid
        self.cwd = kwargs.get("cwd", Path.cwd())
        return self.connection_info

    async def wait(self) -> int | None:
        """Wait for the end of the kernel, and notice it at once."""
        if not self.forked:
            return await super().wait()
        process: ForkedProcess = self.process
        while (code := process.poll()) is None:
            await asyncio.sleep(_ENDS_EVERY)
        self.process = None
        return code


def fork_kernel(cmd: Sequence[str], options: Mapping[str, Any], preload: Sequence[str]) -> ForkedProcess:
    """Fork a kernel and wait until it is ready.

    Parameters
    ----------
    cmd : sequence of str
        The command that would start it cold.
    options : mapping
        ``cwd``, ``env``: as for a process that is started.
    preload : sequence of str
        What its zygote has imported.

    Raises
    ------
    NotWarm
        If it cannot be had this way.
    """
    command, arguments = _taken_apart(cmd)
    odd = {name for name, value in options.items() if value is not None} - {"cwd", "env", "independent"}
    if odd or options.get("independent"):
        raise NotWarm("it is to be started in a way of its own")
    env = dict(options.get("env") or os.environ)
    env.pop("PYTHONEXECUTABLE", None)
    env["JPY_PARENT_PID"] = str(os.getpid())
    wish = Wish("kernel", command, env, tuple(preload))
    request = {
        "argv": arguments,
        "launcher": _launcher(),
        "cwd": str(options.get("cwd") or os.getcwd()),
        "env": env,
        "owned": True,
    }
    line, pid = warm.fork(wish, request, _streams())
    process = ForkedProcess(pid, line)
    try:
        process.ready(_READY)
    except NotWarm:
        process.send_signal(9)
        raise
    return process


def _taken_apart(cmd: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """Return the Python with its flags, and the arguments of the kernel.

    Raises
    ------
    NotWarm
        If this starts anything but an IPython kernel with our own Python.
    """
    for place in range(1, len(cmd) - 1):
        if cmd[place] == "-m" and cmd[place + 1] in _LAUNCHERS:
            break
        if not cmd[place].startswith("-"):
            raise NotWarm("it is no plain IPython kernel")
    else:
        raise NotWarm("it is no plain IPython kernel")
    python = shutil.which(cmd[0]) or cmd[0]
    here, there = Path(sys.executable), Path(python)
    if there.parent.resolve() != here.parent.resolve() or there.resolve() != here.resolve():
        raise NotWarm(f"its Python {python} is another than ours")
    return (python, *cmd[1:place]), list(cmd[place + 2 :])


def _launcher() -> str:
    """Return what `sys.argv` begins with in a kernel that was started cold."""
    from importlib.util import find_spec

    found = find_spec("ipykernel_launcher")
    return found.origin or "" if found is not None else ""


def _streams() -> list[int]:
    """Return where the kernel's own standard output and error go: where ours go."""
    sys.stdout.flush()
    sys.stderr.flush()
    return [1, 2]
