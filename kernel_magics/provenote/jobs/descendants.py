"""What a job's code has started: found below its kernel and by the run's id in its environment, and ended.

- Whoever ends a kernel looks below it first. What has left it (a daemon, init's child) bears the run's id in
  its environment.
- A forked kernel has its zygote's environment in ``/proc``, and so has what it forks; so its mark is written
  where the system reads it.
- It is a subreaper, too (Linux, prctl(2)): what leaves it falls to it, not to init, and is found below it
  without any mark. A kernel that was started cold is none: what leaves it *and* empties its environment is
  not found. ipykernel waits at its end for orphans of its group that nobody collects; where we start the
  kernel, we can tell it not to.

Other systems tell neither; there a kernel's process group is ended, and nothing else.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

MARK = "PROVENOTE_RUN"
ROOM = "PROVENOTE_ROOM"
"""Variable of a zygote whose place in memory its children write their mark to."""
_ROOM = 64  # bytes
_LOOKS = 20  # what is killed may have started something just before
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of linux/prctl.h


def room() -> dict[str, str]:
    """Return what a zygote's environment needs, so that `brand` finds a place."""
    return {ROOM: "-" * _ROOM}


def adopt() -> None:
    """Let this process, where it can, adopt the orphans below it."""
    if sys.platform.startswith("linux"):
        one, zero = ctypes.c_ulong(1), ctypes.c_ulong(0)
        ctypes.CDLL(None).prctl(_SUBREAPER, one, zero, zero, zero)


def brand(run: str) -> None:
    """Let ``/proc`` tell the run's id of this forked process, and of all that it forks."""
    mark = f"{MARK}={run}".encode()
    if not run or len(mark) > len(ROOM) + 1 + _ROOM:
        return
    with contextlib.suppress(OSError, ValueError):
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        start, end = int(fields[47]), int(fields[48])  # env_start and env_end of proc_pid_stat(5)
        place = (b"\0" + ctypes.string_at(start, end - start)).find(b"\0" + f"{ROOM}={'-' * _ROOM}".encode())
        if place >= 0:
            ctypes.memmove(start + place, mark + b"\0", len(mark) + 1)


def below(pid: int) -> set[int]:
    """Return the processes below one: its children, their children, and so on."""
    found: set[int] = set()
    ahead = [pid]
    while ahead:
        children = _children(ahead.pop()) - found
        found |= children
        ahead += children
    return found


def end_tree(leader: int) -> int:
    """Kill a kernel, its process group, and all that descends from it; return how many were below it.

    A kernel that ends itself is the last to go.
    """
    if leader != os.getpid():
        _signal_group(leader, signal.SIGSTOP)  # it must start nothing while we look
    ended: set[int] = set()
    for _ in range(_LOOKS):
        found = below(leader) - ended
        for pid in found:
            _kill(pid)
        if not found:
            break
        ended |= found
    _signal_group(leader, signal.SIGKILL)
    return len(ended)


def end_group(group: int) -> None:
    """Kill every process of a group; none left is no error."""
    _signal_group(group, signal.SIGKILL)


def end_marked(run: str | None, kernel: int | None) -> int:
    """Kill what a job's code has started and left, its kernel's own group apart; return how many there were.

    Another attempt at the same job, by a worker on this host, is another run and not touched.
    """
    ended: set[int] = set()
    if run is None:
        return 0
    for _ in range(_LOOKS):
        found = _marked(run, kernel) - ended
        for pid in found:
            _kill(pid)
        if not found:
            break
        ended |= found
    return len(ended)


class Left:
    """What is below a kernel that is about to end, to be ended after it.

    Parameters
    ----------
    kernel : int
    """

    def __init__(self, kernel: int) -> None:
        self._handles: list[int] = []
        for pid in below(kernel):
            with contextlib.suppress(OSError):
                self._handles.append(os.pidfd_open(pid))  # its number may come back for a stranger

    def end(self) -> None:
        """Kill those that still live."""
        for handle in self._handles:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            os.close(handle)
        self._handles = []


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _children(pid: int) -> set[int]:
    found: set[int] = set()
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found.update(map(int, file.read().split()))
        except FileNotFoundError:
            if not os.path.exists("/proc/thread-self/children"):  # a system that was built without the list
                return _children_of_all(pid)
        except OSError:
            continue
    return found


def _children_of_all(pid: int) -> set[int]:
    found: set[int] = set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
            if int(file.read().rpartition(b")")[2].split()[1]) == pid:
                found.add(int(name))
    return found


def _marked(run: str, kernel: int | None) -> set[int]:
    mark = f"{MARK}={run}".encode()
    found: set[int] = set()
    try:
        names = os.listdir("/proc")
    except OSError:
        return found
    for name in names:
        if not name.isdigit() or int(name) in (os.getpid(), os.getppid()):
            continue
        with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
            if mark in file.read().split(b"\0") and os.getpgid(int(name)) != kernel:
                found.add(int(name))
    return found
