"""What a run used: processor, memory, disk, network and GPU.

- Figures are taken at the start and at the end (`provenote.tracking.counters`). One daemon thread sleeps
  for `PATIENCE` seconds; a run that lasts longer is sampled by it, every `INTERVAL` seconds or less often.
- The GPU is asked through NVML by the thread alone, so a short run carries no GPU figures.
- Names carry their unit. What cannot be known is absent, never 0.
- A forked child owns neither the thread nor the figures: its `Sampler.stop` gives nothing.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provenote.tracking.counters import Reading, read

MB = 1_000_000
PATIENCE = 2.0
"""Seconds before the thread takes its first sample."""
INTERVAL = 5.0
"""Seconds between two samples in the first hour; later a 720th of the time that has passed."""


@dataclass(slots=True)
class _Gpu:
    """What the samples said of one GPU; memory in bytes, use in percent."""

    name: str
    memory_total: int
    use: list[float] = field(default_factory=list)
    memory_peak: int = 0


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
        self._samples = 0
        self._gpus: list[_Gpu] = []
        self._driver: str | None = None
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
            peak or the highest sample) and ``children_rss_peak_mb``, the highest sample of its descendants
            together; ``disk_read_mb`` and ``disk_written_mb`` of this process; ``disk_free_mb`` and
            ``disk_free_change_mb`` of the disk that holds the project, whoever used it;
            ``network_received_mb`` and ``network_sent_mb`` of the whole machine (``network_scope``);
            ``samples``; ``gpu_driver`` and ``gpus``, a list of ``name, percent_mean, percent_max,
            memory_peak_mb, memory_total_mb`` of each whole device. MB are 10^6 bytes.
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
            if self._children_rss:
                found["children_rss_peak_mb"] = _mb(self._children_rss)
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
            if self._gpus:
                found.update(gpu_driver=self._driver, gpus=[_gpu_figures(gpu) for gpu in self._gpus])
        return found

    def _note(self, reading: Reading) -> None:
        self._rss = max(self._rss, reading.rss or 0)
        self._children_rss = max(self._children_rss, reading.children_rss or 0)

    def _watch(self) -> None:
        try:
            self._sample()
        finally:
            self.watching = False

    def _sample(self) -> None:
        wait = PATIENCE
        nvml: Any = None
        while not self._enough.wait(wait):
            if not self._samples:
                nvml = self._find_gpus()
            reading = read()
            with self._lock:
                self._samples += 1
                self._note(reading)
                if nvml is not None:
                    self._sample_gpus(nvml)
            if self._emit is not None:
                try:
                    self._emit(self.figures())
                except Exception:  # the run may have been closed under us; nobody could hear of it here
                    return
            wait = max(INTERVAL, (time.monotonic() - self._began) / 720)

    def _find_gpus(self) -> Any:
        """Open NVML where a device is there, and list the devices."""
        if "pynvml" not in sys.modules and not any(map(os.path.exists, ("/dev/nvidiactl", "/dev/dxg"))):
            return None
        try:
            import pynvml  # 30 ms, and only in this thread

            pynvml.nvmlInit()
            self._driver = _text(pynvml.nvmlSystemGetDriverVersion())
            for index in range(pynvml.nvmlDeviceGetCount()):
                handle = pynvml.nvmlDeviceGetHandleByIndex(index)
                memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
                self._gpus.append(_Gpu(_text(pynvml.nvmlDeviceGetName(handle)), int(memory.total)))
        except Exception:  # no such package, no driver, no right: this run has no GPU figures
            self._gpus = []
            return None
        return pynvml

    def _sample_gpus(self, nvml: Any) -> None:
        for index, gpu in enumerate(self._gpus):
            with contextlib.suppress(Exception):  # a device that was lost, or one that cannot tell (MIG)
                handle = nvml.nvmlDeviceGetHandleByIndex(index)
                gpu.memory_peak = max(gpu.memory_peak, int(nvml.nvmlDeviceGetMemoryInfo(handle).used))
                gpu.use.append(float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu))


def _gpu_figures(gpu: _Gpu) -> dict[str, Any]:
    found: dict[str, Any] = {"name": gpu.name, "memory_total_mb": _mb(gpu.memory_total)}
    if gpu.memory_peak:
        found["memory_peak_mb"] = _mb(gpu.memory_peak)
    if gpu.use:
        found.update(percent_mean=round(sum(gpu.use) / len(gpu.use), 1), percent_max=max(gpu.use))
    return found


def _mb(size: float) -> float:
    return round(size / MB, 3)


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _free(folder: Path) -> int | None:
    """Return the bytes that a user may still write on the disk of ``folder``."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return None
    return disk.f_bavail * disk.f_frsize
