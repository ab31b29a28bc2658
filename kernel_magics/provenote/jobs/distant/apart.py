"""Do a part of an attempt in a forked child, which ends with it: what it imports and starts stays there."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Child:
    """A forked child that does one thing. Made while no other thread runs.

    Parameters
    ----------
    work : callable
        Returns the exit status; what it raises is printed and counts as 1.
    """

    def __init__(self, work: Callable[[], int]) -> None:
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                _die_with(parent)
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                status = work()
            except BaseException:
                traceback.print_exc()
            finally:
                with contextlib.suppress(Exception):
                    sys.stdout.flush()
                    sys.stderr.flush()
                os._exit(status)

    def send(self, number: int) -> None:
        """Send it a signal; safe until `wait` has returned."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait(self) -> int:
        """Wait for its end, and return how it ended: negative for a signal."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def said(work: Callable[[], str | None]) -> str | None:
    """Return what a child says that does ``work``.

    Raises
    ------
    ChildProcessError
        If it ended without an answer.
    """
    hears, says = os.pipe()

    def answer() -> int:
        os.close(hears)
        with open(says, "wb") as pipe:
            pipe.write(json.dumps(work()).encode())
        return 0

    child = Child(answer)
    os.close(says)
    try:
        with open(hears, "rb") as pipe:
            text = pipe.read()
    except BaseException:  # this attempt is told to stop
        child.send(signal.SIGKILL)
        raise
    finally:
        status = child.wait()
    if not text:
        raise ChildProcessError(f"the process that did it ended with status {status}")
    answered: str | None = json.loads(text)
    return answered


def _die_with(parent: int) -> None:
    """Have the system kill this process when its parent ends."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
