"""No kernel outlives its supervisor: a tiny forked process kills the kernel and all it started when it dies.

- The supervisor forks its warden first of all, before it opens anything, and keeps the writing end of a pipe.
- It tells the warden each process group that it starts, and each that it has ended itself.
- The pipe closes when the supervisor ends, however it ends: the warden then kills the groups that are left,
  and what their code has put into sessions of its own (`provenote.jobs.descendants`).
"""

from __future__ import annotations

import contextlib
import os
import signal

from provenote.jobs import descendants


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

    def guard(self, group: int, run: str | None) -> None:
        """Kill this group, and what bears the mark of this run, when we die."""
        self._tell(f"+{group} {run or ''}\n")

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


def _watch(pipe: int) -> None:
    os.setsid()
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    os.dup2(pipe, 0)
    os.closerange(1, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 65536 else 65536)
    groups: dict[int, str] = {}
    rest = b""
    while chunk := os.read(0, 4096):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            number, _, run = line[1:].decode().partition(" ")
            if line[:1] == b"+":
                groups[int(number)] = run
            else:
                groups.pop(int(number), None)
    for group in groups:
        descendants.end_tree(group)
    for run in set(groups.values()) - {""}:
        descendants.end_marked(run, None)
