"""What this process may use: processors and memory, by the machine, its affinity and its control group.

In a container the machine's memory says nothing: what counts is the limit of the group, or of one above it.

Files: cgroups(7) and "Control Group v2" of the Linux kernel's documentation; version 1 and 2.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
_NONE = 1 << 60
"""Bytes beyond which a limit is none: version 1 writes the greatest number for it."""


def memory(root: Path = GROUPS, groups: list[str] | None = None) -> tuple[int, str] | None:
    """Return how many bytes may be used, and what says so; None where nothing tells it.

    Parameters
    ----------
    root : Path
        Where control groups are mounted.
    groups : list of str, optional
        Lines as of ``/proc/self/cgroup``, the default.

    Returns
    -------
    tuple of (int, str) or None
        The second is ``control group`` or ``machine``.
    """
    found = [
        value
        for folder, version in _folders("memory", root, groups)
        if (value := _number(folder / ("memory.limit_in_bytes" if version == 1 else "memory.max")))
        and value < _NONE
    ]
    machine = _machine()
    least = min(found, default=None)
    if least is not None and (machine is None or least < machine):
        return least, "control group"
    return (machine, "machine") if machine else None


def processors(root: Path = GROUPS, groups: list[str] | None = None) -> float:
    """Return how many processors may be used: affinity and the quota of the control group."""
    count = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    for folder, version in _folders("cpu", root, groups):
        try:
            if version == 1:
                quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
            else:
                quota, period = (folder / "cpu.max").read_text().split()
            if int(quota) > 0 and int(period) > 0:
                count = min(count, int(quota) / int(period))
        except (OSError, ValueError):  # "max", or no such file
            continue
    return count


def cores() -> int:
    """Return how many whole processors may be used, at least one."""
    return max(1, math.floor(processors()))


def _folders(controller: str, root: Path, groups: list[str] | None) -> list[tuple[Path, int]]:
    """Return the folders of our control group and those above it, with the version of each."""
    if groups is None:
        try:
            groups = Path("/proc/self/cgroup").read_text().splitlines()
        except OSError:
            groups = []
    found: list[tuple[Path, int]] = []
    for line in groups:
        _, names, path = (line.split(":", 2) + ["", ""])[:3]
        if controller in names.split(","):
            places, version = [root / controller, root / names], 1
        elif not names:
            places, version = [root], 2
        else:
            continue
        for place in dict.fromkeys(places):
            own = place / path.lstrip("/")
            found += [(folder, version) for folder in (own, *own.parents) if folder.is_relative_to(place)]
    return found


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _machine() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None
