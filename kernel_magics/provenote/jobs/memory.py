"""Tell a process that ran out of memory from one that was killed otherwise."""

from __future__ import annotations

from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
MACHINE = Path("/proc/vmstat")


def oom_kills(groups: list[str] | None = None, root: Path = CGROUPS, machine: Path = MACHINE) -> int:
    """Return how many processes the system has killed for memory so far, in our control group.

    Both versions of control groups are read. Where ours does not tell, the whole machine's count is taken; 0
    where that is not told either.

    Parameters
    ----------
    groups : list of str, optional
        Lines as of ``/proc/self/cgroup`` (default), which cgroups(7) describes.
    root : Path
        Where control groups are mounted.
    machine : Path
        Where the whole machine's count is.
    """
    if groups is None:
        try:
            groups = Path("/proc/self/cgroup").read_text().splitlines()
        except OSError:
            groups = []
    for place in (*_places(groups, root), machine):
        try:
            counts = dict(line.split()[:2] for line in place.read_text().splitlines() if " " in line)
            return int(counts["oom_kill"])
        except (OSError, ValueError, KeyError):
            continue
    return 0


def _places(groups: list[str], root: Path) -> list[Path]:
    """Return the files that may tell it, the nearest first: a container sees its own group as the root."""
    first: list[Path] = []
    second: list[Path] = []
    for line in groups:
        _, controllers, path = line.split(":", 2)
        own = path.lstrip("/")
        if "memory" in controllers.split(","):
            first += [root / "memory" / own / "memory.oom_control", root / "memory" / "memory.oom_control"]
        elif controllers == "":
            second += [root / own / "memory.events", root / "memory.events"]
    return first + second
