"""What GPUs did while a run went on, asked from the driver's own library (NVML).

- The package ``nvidia-ml-py`` is imported only where a device is there. No package, no driver or no right: no
  GPU was seen, which is no error.
- A device counts as at work for the run while a process of the run's tree holds memory on it; where the
  driver tells no process that can be found here (as in a container), while it computes for anybody.
- A device that was lost, or that does not tell something (as MIG), leaves out what it does not tell.

Calls: NVML API Reference Manual, NVIDIA; `Nvml` names those that are used.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Protocol

MB = 1_000_000


class Nvml(Protocol):
    """The part of the module ``pynvml`` that is used; memory in bytes, use in percent, power in mW."""

    def nvmlInit(self) -> Any: ...  # noqa: N802, D102
    def nvmlShutdown(self) -> Any: ...  # noqa: N802, D102
    def nvmlSystemGetDriverVersion(self) -> Any: ...  # noqa: N802, D102
    def nvmlDeviceGetCount(self) -> int: ...  # noqa: N802, D102
    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any: ...  # noqa: N802, D102
    def nvmlDeviceGetName(self, handle: Any) -> Any: ...  # noqa: N802, D102
    def nvmlDeviceGetMemoryInfo(self, handle: Any) -> Any: ...  # noqa: N802, D102
    def nvmlDeviceGetUtilizationRates(self, handle: Any) -> Any: ...  # noqa: N802, D102
    def nvmlDeviceGetComputeRunningProcesses(self, handle: Any) -> Any: ...  # noqa: N802, D102
    def nvmlDeviceGetPowerUsage(self, handle: Any) -> int: ...  # noqa: N802, D102
    def nvmlDeviceGetTemperature(self, handle: Any, sensor: int) -> int: ...  # noqa: N802, D102


@dataclass(slots=True)
class Gpu:
    """What the samples said of one device.

    Parameters
    ----------
    name : str
    memory_total : int
        Bytes.
    use : list of float
        Percent, one a sample.
    memory_peak, own_peak : int
        Bytes in use by anybody, and by the run's own processes.
    busy : float
        Seconds at work for the run.
    power : list of float
        Watts, one a sample.
    temperature : int
        The highest, in degrees Celsius.
    told : bool
        Whether the driver told which of its processes are the run's.
    """

    name: str
    memory_total: int
    use: list[float] = field(default_factory=list)
    memory_peak: int = 0
    own_peak: int = 0
    busy: float = 0.0
    power: list[float] = field(default_factory=list)
    temperature: int = 0
    told: bool = False

    def figures(self) -> dict[str, Any]:
        """Return what is known, with the unit in each name."""
        found: dict[str, Any] = {"name": self.name, "memory_total_mb": _mb(self.memory_total)}
        if self.memory_peak:
            found["memory_peak_mb"] = _mb(self.memory_peak)
        if self.told:
            found["own_memory_peak_mb"] = _mb(self.own_peak)
        if self.use:
            found.update(percent_mean=_mean(self.use), percent_max=max(self.use))
        if self.power:
            found.update(power_mean_w=_mean(self.power), power_max_w=round(max(self.power), 1))
        if self.temperature:
            found["temperature_max_c"] = self.temperature
        return {**found, "busy_s": round(self.busy, 1)}


class Gpus:
    """The devices of this machine.

    Parameters
    ----------
    library : Nvml
        Opened; see `find`.
    driver : str
        Version of the driver.
    devices : list of Gpu
    """

    def __init__(self, library: Nvml, driver: str, devices: list[Gpu]) -> None:
        self.driver = driver
        self.devices = devices
        self._library = library

    def sample(self, seconds: float, pids: Collection[int]) -> None:
        """Look at each device once.

        Parameters
        ----------
        seconds : float
            Time since the look before.
        pids : collection of int
            The run's processes.
        """
        library = self._library
        for index, gpu in enumerate(self.devices):
            try:
                handle = library.nvmlDeviceGetHandleByIndex(index)
            except Exception:  # a device that was lost
                continue
            with contextlib.suppress(Exception):
                gpu.memory_peak = max(gpu.memory_peak, int(library.nvmlDeviceGetMemoryInfo(handle).used))
            computes = held = False
            with contextlib.suppress(Exception):
                gpu.use.append(float(library.nvmlDeviceGetUtilizationRates(handle).gpu))
                computes = gpu.use[-1] > 0
            with contextlib.suppress(Exception):
                running = list(library.nvmlDeviceGetComputeRunningProcesses(handle))
                own = [one for one in running if one.pid in pids]
                held = bool(own)
                gpu.told |= held
                gpu.own_peak = max(gpu.own_peak, sum(int(one.usedGpuMemory or 0) for one in own))
                if not own and any(os.path.exists(f"/proc/{one.pid}") for one in running):
                    computes = False  # it computes for others, whom we can see
            if held or computes:
                gpu.busy += seconds
            with contextlib.suppress(Exception):
                gpu.power.append(library.nvmlDeviceGetPowerUsage(handle) / 1000)
            with contextlib.suppress(Exception):
                gpu.temperature = max(gpu.temperature, int(library.nvmlDeviceGetTemperature(handle, 0)))

    def figures(self) -> dict[str, Any]:
        """Return what the devices did: ``gpu_driver``, ``gpu_s`` of all together, and ``gpus``."""
        seconds = sum(gpu.busy for gpu in self.devices)
        return {
            "gpu_driver": self.driver,
            "gpu_s": round(seconds, 1),
            "gpus": [gpu.figures() for gpu in self.devices],
        }

    def close(self) -> None:
        """Let go of the driver."""
        with contextlib.suppress(Exception):
            self._library.nvmlShutdown()


def find() -> Gpus | None:
    """Open NVML and list the devices; None where no GPU is seen."""
    if "pynvml" not in sys.modules and not any(map(os.path.exists, ("/dev/nvidiactl", "/dev/dxg"))):
        return None
    try:
        import pynvml  # 30 ms, and only in the thread that samples

        library: Nvml = pynvml
        library.nvmlInit()
        driver = _text(library.nvmlSystemGetDriverVersion())
        devices = []
        for index in range(library.nvmlDeviceGetCount()):
            handle = library.nvmlDeviceGetHandleByIndex(index)
            total = int(library.nvmlDeviceGetMemoryInfo(handle).total)
            devices.append(Gpu(_text(library.nvmlDeviceGetName(handle)), total))
    except Exception:  # no such package, no driver, no right: no GPU is seen
        return None
    return Gpus(library, driver, devices) if devices else None


def _mb(size: float) -> float:
    return round(size / MB, 3)


def _mean(values: list[float]) -> float:
    return round(sum(values) / len(values), 1)


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
