"""No kernel outlives its supervisor: a tiny forked process kills the kernel's process group when it dies.

- The supervisor forks its warden first of all, before it opens anything, and keeps the writing end of a pipe.
- It tells the warden each process group that it starts, and each that it has ended itself.
- The pipe closes when the supervisor ends, however it ends: the warden then kills the groups that are left.
"""

from __future__ import annotations

import contextlib
import os
import signal


class Warden:
    """Watches over the process groups of this process' kernels."""

    def __init__(self) -> None:
        read, write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                _watch(read)
            finally:
                os._exit(0)
        os.close(read)
        self._pipe = write

    def guard(self, group: int) -> None:
        """Kill this group when we die."""
        self._tell(f"+{group}\n")

    def release(self, group: int) -> None:
        """Forget a group that has ended: its number may come back for a stranger."""
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """Let the warden do its work and go."""
        os.close(self._pipe)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def _tell(self, line: str) -> None:
        with contextlib.suppress(
            BrokenPipeError
        ):  # somebody killed the warden: the kernel watches its parent too
            os.write(self._pipe, line.encode())


def kill_group(group: int) -> None:
    """Kill every process of a group; none left is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _watch(pipe: int) -> None:
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.dup2(pipe, 0)
    os.closerange(1, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 65536 else 65536)
    groups: set[int] = set()
    rest = b""
    while chunk := os.read(0, 4096):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            (groups.add if line[:1] == b"+" else groups.discard)(int(line[1:]))
    for group in groups:
        kill_group(group)
