"""Counters of this process and its machine at one moment.

On Linux they are read from ``/proc`` directly (0.1 ms); elsewhere psutil gives what it can.
"""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters at one moment; all of them only grow, but for ``rss`` and ``children_rss``.

    Parameters
    ----------
    cpu : float
        Seconds of processor time of this process, its living descendants and those it has waited for.
    rss, rss_peak, children_rss : int or None
        Bytes of resident memory: of this process now, its peak since it was born, its descendants now.
    read, written : int or None
        Bytes read from and written to disks by this process, its living descendants and those it has waited
        for.
    waited_peak : int or None
        Peak of resident memory, in bytes, of the largest descendant that it has waited for.
    received, sent : int or None
        Bytes on all network interfaces of the machine but loopback.
    """

    cpu: float
    rss: int | None = None
    rss_peak: int | None = None
    children_rss: int | None = None
    read: int | None = None
    written: int | None = None
    received: int | None = None
    sent: int | None = None
    waited_peak: int | None = None


@dataclass(slots=True)
class Spent:
    """What processes used that have ended.

    Parameters
    ----------
    cpu : float
        Seconds of processor time, with those of what they had waited for.
    read, written : int
        Bytes from and to disks.
    peak : int
        Bytes of resident memory of the largest.
    """

    cpu: float = 0.0
    read: int = 0
    written: int = 0
    peak: int = 0


# Processes that work for this one though another one forked them, and what those used that ended.
_adopted: dict[int, None] = {}
_spent = Spent()


def adopt(pid: int) -> None:
    """Count a process, and what descends from it, as a descendant of this one."""
    _adopted[pid] = None


def release(pid: int, used: Spent) -> None:
    """Count an adopted process that has ended as one that was waited for."""
    if pid in _adopted:
        del _adopted[pid]
        _spent.cpu += used.cpu
        _spent.read += used.read
        _spent.written += used.written
        _spent.peak = max(_spent.peak, used.peak)


def read() -> Reading:
    """Read the counters of this process and of the machine."""
    return _read_proc() if sys.platform.startswith("linux") else _read_psutil()


def _read_proc() -> Reading:
    times = os.times()
    children = below()
    cpu = times.user + times.system + times.children_user + times.children_system + _spent.cpu
    rss = peak = None
    for line in _lines("/proc/self/status"):
        if line.startswith(b"VmHWM:"):
            peak = int(line.split()[1]) * 1024
        elif line.startswith(b"VmRSS:"):
            rss = int(line.split()[1]) * 1024
            break
    own = disk("self")
    bytes_read, written = own or (0, 0)
    children_rss = 0
    for child in children:
        child_cpu, child_rss = _child(child)
        cpu += child_cpu
        children_rss += child_rss
        moved = disk(child) or (0, 0)  # one that has just ended, or another user's
        bytes_read, written = bytes_read + moved[0], written + moved[1]
    received, sent = _network()
    return Reading(
        cpu,
        rss,
        peak,
        children_rss,
        bytes_read + _spent.read if own else None,
        written + _spent.written if own else None,
        received,
        sent,
        _waited_peak(),
    )


def below() -> list[int]:
    """Return the living descendants of this process, adopted ones among them; none where none are told."""
    found = _descendants(os.getpid())
    for pid in list(_adopted):
        found += [pid, *_descendants(pid)]
    return found


def disk(pid: int | str) -> tuple[int, int] | None:
    """Return the bytes that a process has read from and written to disks; None where that is not told.

    What it waited for is included (``ioac`` of wait_task_zombie, linux/kernel/exit.c).
    """
    io = dict(line.split(b": ", 1) for line in _lines(f"/proc/{pid}/io") if b": " in line)
    try:
        return int(io[b"read_bytes"]), int(io[b"write_bytes"])
    except (KeyError, ValueError):
        return None


def _waited_peak() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(peak if sys.platform == "darwin" else peak * 1024, _spent.peak)


def _lines(path: str) -> list[bytes]:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read().splitlines()
    except OSError:
        return []


def _descendants(pid: int) -> list[int]:
    """Return the living processes below ``pid`` (Linux tells each thread's own children)."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        above = waiting.pop()
        try:
            tasks = os.listdir(f"/proc/{above}/task")
        except OSError:
            continue
        for task in tasks:
            for line in _lines(f"/proc/{above}/task/{task}/children"):
                below = [int(word) for word in line.split()]
                found += below
                waiting += below
    return found


def _child(pid: int) -> tuple[float, int]:
    """Return processor seconds (with those of what it waited for) and resident bytes of another process."""
    line = b"".join(_lines(f"/proc/{pid}/stat"))
    words = line.rpartition(b")")[2].split()  # its name, in brackets, may hold anything
    if len(words) < 22:
        return 0.0, 0
    ticks = sum(int(word) for word in words[11:15])
    return ticks / os.sysconf("SC_CLK_TCK"), int(words[21]) * os.sysconf("SC_PAGE_SIZE")


def _network() -> tuple[int | None, int | None]:
    received = sent = 0
    rows = _lines("/proc/self/net/dev")[2:]
    for row in rows:
        name, _, numbers = row.partition(b":")
        words = numbers.split()
        if name.strip() != b"lo" and len(words) > 8:
            received += int(words[0])
            sent += int(words[8])
    return (received, sent) if rows else (None, None)


def _read_psutil() -> Reading:
    import psutil

    me = psutil.Process()
    times = os.times()
    cpu = times.user + times.system + times.children_user + times.children_system
    children_rss = 0
    for child in me.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            spent = child.cpu_times()
            cpu += spent.user + spent.system
            children_rss += child.memory_info().rss
    counters = {
        name: c for name, c in psutil.net_io_counters(pernic=True).items() if not name.startswith("lo")
    }
    return Reading(
        cpu,
        me.memory_info().rss,
        _lifetime_peak(),
        children_rss,
        received=sum(counter.bytes_recv for counter in counters.values()),
        sent=sum(counter.bytes_sent for counter in counters.values()),
        waited_peak=_waited_peak(),
    )


def _lifetime_peak() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
