"""Stop a running notebook: on a cancel, on SIGTERM, and when its time is up.

First its kernel's process group is interrupted, so that user code can tidy up; after a grace it is killed.
What its code has started in sessions of its own goes with it (`provenote.jobs.descendants`).
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from types import FrameType

from provenote.errors import WorldError
from provenote.jobs import descendants
from provenote.jobs.folder import JobFolder, Tail
from provenote.jobs.warden import Warden
from provenote.tracking import counters

GRACE = 3.0  # seconds between the interrupt and the kill
_LOOK_EVERY = 0.1  # seconds
_TELL_EVERY = 5.0  # seconds between two words on what the job uses, in the first hour


class Stopped(Exception):
    """The job was asked to stop, and no cell was at work."""


class Control:
    """Watches one job in a thread of its own.

    Parameters
    ----------
    folder : JobFolder
    timeout : float
        Seconds the whole notebook may take; 0 means no limit.
    warden : Warden
        Who kills the kernel if this process dies.

    Attributes
    ----------
    verdict : str or None
        ``cancelled`` or ``timed_out`` once the job has been stopped.
    """

    def __init__(self, folder: JobFolder, timeout: float, warden: Warden) -> None:
        self.verdict: str | None = None
        self._folder = folder
        self._deadline = time.monotonic() + timeout if timeout else None
        self._warden = warden
        self._group: int | None = None
        self._over = threading.Event()
        self._began = time.monotonic()
        self._first = counters.read()
        self._peak = 0
        self._thread = threading.Thread(target=self._look, daemon=True)

    def start(self) -> None:
        """Begin to watch, and take SIGTERM and SIGINT as a cancel."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._signalled)
        self._thread.start()

    def watch(self, group: int | None) -> None:
        """Guard the process group of a kernel."""
        self._group = group
        if group:
            self._warden.guard(group, Tail(self._folder).state_as_written().run)

    def stop(self) -> None:
        """End watching: the notebook has ended, and its kernel with it."""
        self._over.set()
        self._thread.join()
        self._tell()
        if self._group:
            self._warden.release(self._group)
        descendants.end_marked(Tail(self._folder).state_as_written().run, self._group)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        self._folder.ask_cancel()

    def _look(self) -> None:
        told = self._began
        while not self._over.wait(_LOOK_EVERY):
            if time.monotonic() - told > max(_TELL_EVERY, (time.monotonic() - self._began) / 720):
                told = time.monotonic()
                self._tell()
            if self._folder.cancel_asked():
                self.verdict = "cancelled"
            elif self._deadline is not None and time.monotonic() > self._deadline:
                self.verdict = "timed_out"
            if self.verdict is not None:
                self._end()
                return

    def _tell(self) -> None:
        """Tell what the job has used so far, for the table of jobs."""
        now = counters.read()
        waited = now.waited_peak or 0
        if waited <= (self._first.waited_peak or 0):
            waited = 0
        self._peak = max(self._peak, (now.rss or 0) + (now.children_rss or 0), waited)
        used = {"cpu_s": round(now.cpu - self._first.cpu, 2), "rss_mb": round(self._peak / 1e6, 1)}
        with contextlib.suppress(WorldError):  # a full disk is told where it stops something
            self._folder.append({"used": used})

    def _end(self) -> None:
        until = time.monotonic() + GRACE
        interrupted = None
        while not self._over.wait(_LOOK_EVERY):
            group = self._group
            if group and interrupted != group:
                interrupted = group
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(group, signal.SIGINT)
            if group and time.monotonic() > until:
                descendants.end_tree(group)
