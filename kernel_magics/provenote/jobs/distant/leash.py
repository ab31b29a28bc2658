"""No attempt outlives its worker: a tiny forked process kills it when the pipe from the worker closes."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from pathlib import Path

_SETTLE = 0.3  # seconds that the warden needs to end the kernels of a killed supervisor


class Leash:
    """Watches the pipe from the worker for its end. Made before any thread runs.

    Parameters
    ----------
    folder : Path
        What is removed when the attempt was killed so.
    pipe : int
        Its reading end.
    """

    def __init__(self, folder: Path, pipe: int) -> None:
        owner = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                _watch(owner, folder, pipe)
            finally:
                os._exit(0)

    def close(self) -> None:
        """Stop watching: the attempt is at its end."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


def _watch(owner: int, folder: Path, pipe: int) -> None:
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.dup2(pipe, 0)
    os.closerange(1, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 65536 else 65536)
    while os.read(0, 4096):
        pass
    if os.getppid() == owner:  # else it has ended, and its number may be a stranger's
        with contextlib.suppress(ProcessLookupError):
            os.kill(owner, signal.SIGKILL)
    time.sleep(_SETTLE)
    shutil.rmtree(folder, ignore_errors=True)
