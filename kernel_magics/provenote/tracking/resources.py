"""What a run used: processor, memory, disk, network and GPU.

- Figures are taken at the start and at the end (`provenote.tracking.counters`). One daemon thread sleeps
  for `PATIENCE` seconds; a run that lasts longer is sampled by it, every `INTERVAL` seconds or less often.
- The GPU is asked by the thread alone (`provenote.tracking.gpus`), so a short run carries no GPU figures.
- Names carry their unit. What cannot be known is absent, never 0.
- A forked child owns neither the thread nor the figures: its `Sampler.stop` gives nothing.
"""

from __future__ import annotations

import _thread
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from provenote import config
from provenote.errors import ProvenoteError
from provenote.tracking import costs, gpus, limits
from provenote.tracking.counters import Reading, below, read

MB = 1_000_000
PATIENCE = 2.0
"""Seconds before the thread takes its first sample."""
INTERVAL = 5.0
"""Seconds between two samples in the first hour; later a 720th of the time that has passed."""


class Sampler:
    """Measure what this process uses from `start` to `stop`.

    Parameters
    ----------
    folder : Path
        A folder on the disk of the project.
    emit : callable, optional
        Called by the thread after each sample with the same figures as `stop` gives, so that a run that is
        killed keeps the last ones. An exception of it ends the thread.

    Attributes
    ----------
    watching : bool
        Whether the thread is there.
    """

    def __init__(self, folder: Path, emit: Callable[[dict[str, Any]], None] | None = None) -> None:
        self.watching = False
        self._folder = folder
        self._emit = emit
        self._pid = 0
        self._began = 0.0
        self._first = Reading(0.0)
        self._free = 0
        self._rss = 0
        self._children_rss = 0
        self._tree_rss = 0
        self._may: tuple[tuple[int, str] | None, float] | None = None
        self._samples = 0
        self._gpus: gpus.Gpus | None = None
        self._prices: config.Prices | None = None
        self._enough = threading.Event()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Take the first figures, and start the thread that waits for the run to become a long one."""
        self._pid = os.getpid()
        self.watching = True
        self._began = time.monotonic()
        self._first = read()
        self._free = _free(self._folder) or 0
        self._note(self._first)
        # `Thread.start` would wait until the thread runs: on a busy machine longer than all else in here.
        _thread.start_new_thread(self._watch, ())

    def stop(self) -> dict[str, Any]:
        """Take the last figures and end the thread.

        Returns
        -------
        dict
            See `figures`; empty in a forked child and when nothing was started.
        """
        if self._pid != os.getpid():
            return {}
        self._enough.set()
        result = self.figures()
        self._pid = 0
        return result

    def figures(self) -> dict[str, Any]:
        """Return what was used so far.

        Returns
        -------
        dict
            ``wall_s``; ``cpu_s`` and ``cpu_percent`` (100 is one processor all the time) of this process and
            its descendants; ``rss_peak_mb`` of this process (``rss_peak_exact`` says whether it is the true
            peak or the highest sample); ``children_rss_peak_mb``, the highest sample of its descendants
            together or the peak of the largest that has ended, and ``tree_rss_peak_mb`` of all of them;
            ``memory_limit_mb`` and by what (``memory_limit_by``), ``memory_share`` of it that the tree had at
            its peak, and ``processors`` that may be used; ``disk_read_mb`` and ``disk_written_mb`` of this
            process and its descendants; ``disk_free_mb`` and ``disk_free_change_mb`` of the disk that holds
            the project, whoever used it; ``network_received_mb`` and ``network_sent_mb`` of the whole machine
            (``network_scope``); ``samples``; ``gpu_driver``, ``gpu_s`` and ``gpus``, see
            `provenote.tracking.gpus`, or ``gpu``: ``none seen`` where one was looked for; ``cost``, see
            `provenote.tracking.costs`, where the project has prices. MB are 10^6 bytes.
        """
        last = read()
        wall = max(time.monotonic() - self._began, 1e-6)
        with self._lock:
            self._note(last)
            first = self._first
            used = max(last.cpu - first.cpu, 0.0)
            found: dict[str, Any] = {
                "wall_s": round(wall, 3),
                "cpu_s": round(used, 3),
                "cpu_percent": round(100 * used / wall, 1),
            }
            if last.rss_peak is not None and first.rss_peak is not None and last.rss_peak > first.rss_peak:
                found.update(rss_peak_mb=_mb(max(last.rss_peak, self._rss)), rss_peak_exact=True)
            elif self._rss:
                found.update(rss_peak_mb=_mb(self._rss), rss_peak_exact=False)
            waited = _more(last.waited_peak, first.waited_peak)
            children = max(self._children_rss, waited)
            if children:
                found["children_rss_peak_mb"] = _mb(children)
            tree = max(self._tree_rss, children, int(found.get("rss_peak_mb", 0) * MB))
            if tree:
                found["tree_rss_peak_mb"] = _mb(tree)
            found.update(self._limits(tree))
            for name in ("read", "written"):
                before, after = getattr(first, name), getattr(last, name)
                if before is not None and after is not None:
                    found[f"disk_{name}_mb"] = _mb(after - before)
            free = _free(self._folder)
            if free is not None:
                found.update(disk_free_mb=_mb(free), disk_free_change_mb=_mb(free - self._free))
            for name in ("received", "sent"):
                before, after = getattr(first, name), getattr(last, name)
                if before is not None and after is not None:
                    found[f"network_{name}_mb"] = _mb(after - before)
                    found["network_scope"] = "whole machine"
            found["samples"] = self._samples
            if self._gpus is not None:
                found.update(self._gpus.figures())
            elif self._samples:
                found["gpu"] = "none seen"
            if self._prices is None:
                self._prices = _prices(self._folder)
            cost = costs.of(found, self._prices)
            if cost is not None:
                found["cost"] = cost
        return found

    def _limits(self, tree: int) -> dict[str, Any]:
        """Return what may be used: it says whether a peak of memory was near the end."""
        if self._may is None:
            self._may = limits.memory(), limits.processors()
        memory, processors = self._may
        found: dict[str, Any] = {"processors": round(processors, 2)}
        if memory is not None:
            found.update(memory_limit_mb=_mb(memory[0]), memory_limit_by=memory[1])
            if tree:
                found["memory_share"] = round(tree / memory[0], 4)
        return found

    def _note(self, reading: Reading) -> None:
        self._rss = max(self._rss, reading.rss or 0)
        self._children_rss = max(self._children_rss, reading.children_rss or 0)
        self._tree_rss = max(self._tree_rss, (reading.rss or 0) + (reading.children_rss or 0))

    def _watch(self) -> None:
        try:
            self._sample()
        finally:
            if self._gpus is not None:
                self._gpus.close()
            self.watching = False

    def _sample(self) -> None:
        wait = PATIENCE
        looked = self._began
        while not self._enough.wait(wait):
            found = self._gpus
            if not self._samples:
                found = gpus.find()
            reading = read()
            pids = {os.getpid(), *below()} if found is not None else ()
            now = time.monotonic()
            with self._lock:
                self._gpus = found
                self._samples += 1
                self._note(reading)
                if found is not None:
                    found.sample(now - looked, pids)
            looked = now
            if self._emit is not None:
                try:
                    self._emit(self.figures())
                except Exception:  # the run may have been closed under us; nobody could hear of it here
                    return
            wait = max(INTERVAL, (time.monotonic() - self._began) / 720)


def _prices(folder: Path) -> config.Prices:
    """Return the prices as the project has them now; none where its settings are broken, as others tell."""
    try:
        return config.load(folder).prices
    except ProvenoteError:
        return config.Prices()


def _more(last: int | None, first: int | None) -> int:
    """Return a peak that only grows, where it has grown since: else it may be older than the run."""
    return last if last is not None and first is not None and last > first else 0


def _mb(size: float) -> float:
    return round(size / MB, 3)


def _free(folder: Path) -> int | None:
    """Return the bytes that a user may still write on the disk of ``folder``."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return None
    return disk.f_bavail * disk.f_frsize
