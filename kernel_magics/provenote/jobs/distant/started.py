"""An attempt's process as its worker holds it: forked from one that has its imports behind it, else cold.

Two pipes lead to it. The order goes through the first, which stays open as long as the worker lives: when it
closes, the attempt is killed (`provenote.jobs.distant.leash`). Its answers come through the second.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Protocol

from provenote.jobs import warm
from provenote.jobs.asking import Line, NotWarm
from provenote.jobs.ready import readable
from provenote.jobs.spec import THREAD_VARIABLES
from provenote.jobs.wish import Wish

_MODULE = "provenote.jobs.distant.attempt"
_LAST_WORD = 1.0  # seconds for the zygote to tell how its child ended


class Process(Protocol):
    """A process that was started, either way."""

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; one that has ended is no error."""

    def wait(self, seconds: float) -> bool:
        """Wait for its end; False if it goes on."""

    def code(self) -> int | None:
        """Return how it ended, once it has; None where nobody knows."""


class Started:
    """A process that makes an attempt.

    Parameters
    ----------
    env : mapping
        Its environment.
    errors : int
        Descriptor that takes what it prints.
    warmly : bool
        Whether it may be forked from a process that lingers.

    Raises
    ------
    OSError
        If the system refuses a process.
    """

    def __init__(self, env: Mapping[str, str], errors: int, warmly: bool) -> None:
        hears, self._gives = os.pipe()
        self.answers, says = os.pipe()
        try:
            self._process = _begin(env, hears, says, errors, warmly and warm.possible())
        except BaseException:
            os.close(self._gives)
            os.close(self.answers)
            raise
        finally:
            os.close(hears)
            os.close(says)

    def tell(self, line: bytes) -> None:
        """Give it its order; one that has ended already is noticed by its answers."""
        with contextlib.suppress(BrokenPipeError):
            while line:
                line = line[os.write(self._gives, line) :]

    def cancel(self) -> None:
        """Ask it to stop."""
        self._process.send(signal.SIGTERM)

    def over(self) -> bool:
        """Whether it has ended."""
        return self._process.wait(0)

    def end(self, patience: float) -> int | None:
        """Leave nothing running, and return how it ended: one that has given its verdict ends by itself."""
        os.close(self._gives)
        if not self._process.wait(patience):
            self._process.send(signal.SIGKILL)
            self._process.wait(patience)
        os.close(self.answers)
        return self._process.code()


def _begin(env: Mapping[str, str], hears: int, says: int, errors: int, warmly: bool) -> Process:
    if warmly:
        try:
            return _Forked(env, hears, says, errors)
        except NotWarm as error:
            print(f"This attempt was started cold: {error}.", file=sys.stderr, flush=True)
    return _Cold(env, hears, says, errors)


class _Forked:
    """A child of the zygote of supervisors."""

    def __init__(self, env: Mapping[str, str], hears: int, says: int, errors: int) -> None:
        of_zygote = {name: value for name, value in env.items() if name not in THREAD_VARIABLES}
        wish = Wish("supervisor", (sys.executable, "-P"), of_zygote)
        # Not owned: the zygote would kill the leash too, which ends the attempt and tidies up behind it.
        request = {"module": _MODULE, "cwd": "/", "env": dict(env), "owned": False}
        self._line: Line
        self._line, pid = warm.fork(wish, request, [errors, errors, hears, says])
        try:
            self._pid: int | None = os.pidfd_open(pid)
        except ProcessLookupError:
            self._pid = None

    def send(self, number: signal.Signals) -> None:
        if self._pid is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pid, number)

    def wait(self, seconds: float) -> bool:
        return self._pid is None or bool(readable([self._pid], seconds))

    def code(self) -> int | None:
        if self._pid is not None:
            os.close(self._pid)
            self._pid = None
        try:
            return int(self._line.hear(_LAST_WORD)["exit"])
        except (NotWarm, KeyError):  # the zygote was killed too
            return None
        finally:
            self._line.close()


class _Cold:
    """A process of its own."""

    def __init__(self, env: Mapping[str, str], hears: int, says: int, errors: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", _MODULE],
            stdin=hears,
            stdout=says,
            stderr=errors,
            env=env,
            start_new_session=True,
        )

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def wait(self, seconds: float) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def code(self) -> int | None:
        return self._process.returncode
