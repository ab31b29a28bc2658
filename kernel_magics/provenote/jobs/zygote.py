"""A zygote: a process that has imported what others are about to import, and forks them on request.

Started by `provenote.jobs.warm` as ``python -m provenote.jobs.zygote OPTIONS`` with a listening socket. It
imports and forks, and does nothing else: it runs no user code and holds no data.

- One thread. Requests are JSON lines over the socket; only processes of the same user are answered.
- A forked child leaves this module's loop and becomes a kernel (`provenote.jobs.forked`) or a supervisor.
- Whoever asked for a child hears on the same connection how it ended. If the asker of an ``owned`` child goes
  away, the child is killed with all that it started.
- It leaves when it was idle for a while, when its environment has changed, or when it is asked to, but not
  before its children have ended.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import sys
import time
from typing import Any, NoReturn

from provenote.jobs import asking, descendants
from provenote.jobs.asking import Asker, send
from provenote.jobs.ready import readable
from provenote.tracking import counters

_LOOK_EVERY = 5.0  # seconds between two looks at the environment while nothing happens
_GRACE = 5.0  # seconds for a request to follow its connection, when the zygote wants to leave


class Child(Exception):
    """Raised in a forked child, to leave the zygote's loop.

    Parameters
    ----------
    request : dict
        What it is to become.
    connection : socket
        To tell whoever asked.
    descriptors : list of int
        What came with the request: standard output and error first.
    """

    def __init__(self, request: dict[str, Any], connection: socket.socket, descriptors: list[int]) -> None:
        super().__init__()
        self.request = request
        self.connection = connection
        self.descriptors = descriptors


class Zygote:
    """The loop of the zygote.

    Parameters
    ----------
    listener : socket
        Where requests come in.
    address : str
        Path of the listener.
    inode : int
        Which file that is: a successor may take the path.
    watched : dict of str to int
        Folders with the time of their last change in ns: another time means another environment.
    idle : float
        Seconds without a child after which it leaves.
    facts : dict
        What it tells about itself.
    """

    def __init__(
        self,
        listener: socket.socket,
        address: str,
        inode: int,
        watched: dict[str, int],
        idle: float,
        facts: dict[str, Any],
    ) -> None:
        self._listener = listener
        self._address = address
        self._inode = inode
        self._watched = watched
        self._idle = idle
        self._facts = facts
        self._askers: dict[int, Asker] = {}
        self._children: dict[int, Asker | None] = {}
        self._leaving, self._left = False, 0.0
        self._own: list[int] = []
        self._forked = 0
        self._last = time.monotonic()

    def serve(self) -> None:
        """Answer requests until it is time to leave.

        Raises
        ------
        Child
            In each forked child, which must go its own way then.
        """
        wake, signalled = os.pipe()
        for end in (wake, signalled):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(signalled, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._own = [wake, signalled]
        while not self._over():
            sources = [wake, *self._askers]
            if not self._leaving:
                sources.append(self._listener.fileno())
            ready = readable(sources, min(_LOOK_EVERY, self._idle))
            if wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake, 4096)
            self._reap()
            if not self._leaving and self._listener.fileno() in ready:
                self._accept()
            for number in ready:
                asker = self._askers.get(number)
                if asker is not None:
                    self._hear(number, asker)
            if self._useless():
                self._leave()

    def _useless(self) -> bool:
        """Whether nobody will ask any more, or must not: idle, another environment, nobody can find it."""
        if any(_changed(folder) != when for folder, when in self._watched.items()):
            return True
        if _inode(self._address) != self._inode:
            return True
        return not self._children and time.monotonic() - self._last > self._idle

    def _over(self) -> bool:
        patient = time.monotonic() - self._left < _GRACE  # a request may be on its way
        return self._leaving and not self._children and not (self._askers and patient)

    def _leave(self) -> None:
        """Take no more connections; those that came already are answered."""
        if self._leaving:
            return
        if _inode(self._address) == self._inode:  # a successor may have taken the place
            with contextlib.suppress(OSError):
                os.unlink(self._address)
                if not os.fstat(1).st_size:  # nothing was said that somebody may want to read
                    os.unlink(f"{self._address}.log")
        self._listener.setblocking(False)
        while self._accept():
            pass
        self._leaving, self._left = True, time.monotonic()
        self._listener.close()

    def _accept(self) -> bool:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return False
        if asking.peer(connection)[1] != os.getuid():
            connection.close()
        else:
            self._askers[connection.fileno()] = Asker(connection)
        return True

    def _hear(self, number: int, asker: Asker) -> None:
        try:
            request = asker.read()
        except EOFError:
            if asker.child is not None and asker.owned:
                descendants.end_tree(asker.child)
            if asker.child in self._children:
                self._children[asker.child] = None
            del self._askers[number]
            asker.close()
            return
        if request is None:
            return
        what = request.get("do")
        if what == "tell":
            send(asker.connection, {**self._facts, "children": len(self._children), "forked": self._forked})
        elif what == "end":
            self._leave()
            send(asker.connection, {"leaving": True, "children": len(self._children)})
        elif what == "fork" and asker.child is None:
            self._fork(request, asker)

    def _fork(self, request: dict[str, Any], asker: Asker) -> None:
        self._last = time.monotonic()
        self._forked += 1
        with contextlib.suppress(OSError):
            os.utime(self._address)  # who was used last is told by this
        pid = os.fork()
        if pid == 0:
            for other in self._askers.values():
                if other is not asker:
                    other.close()
            if not self._leaving:
                self._listener.close()
            signal.set_wakeup_fd(-1)
            for descriptor in self._own:
                os.close(descriptor)
            raise Child(request, asker.connection, asker.descriptors)
        asker.child, asker.owned = pid, bool(request.get("owned"))
        self._children[pid] = asker
        asker.drop()
        send(asker.connection, {"pid": pid})

    def _reap(self) -> None:
        while self._children:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if ended is None:
                    return
                moved = counters.disk(ended.si_pid) or (0, 0)  # nobody tells it once it is waited for
                pid, status, usage = os.wait4(ended.si_pid, 0)
            except ChildProcessError:
                return
            asker = self._children.pop(pid, None)
            self._last = time.monotonic()
            if asker is not None:
                used = {"cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss * 1024}
                used |= {"read": moved[0], "written": moved[1]}
                send(asker.connection, {"exit": os.waitstatus_to_exitcode(status), **used})
                del self._askers[asker.connection.fileno()]
                asker.close()


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None


def _changed(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return 0


def become(child: Child) -> NoReturn:
    """Make a forked child the process that was asked for; ends in `SystemExit`.

    What a new process gets from whoever starts it comes from the request here: working directory,
    environment, standard streams, umask; the session is its own, and signals are as Python sets them.
    """
    request = child.request
    os.setsid()
    os.umask(request["umask"])
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    empty, closed = os.pipe()  # read to its end at once, as `jupyter_client` leaves it
    os.close(closed)
    for source, target in ((empty, 0), (child.descriptors[0], 1), (child.descriptors[1], 2)):
        os.dup2(source, target)
        os.close(source)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    importlib.invalidate_caches()
    tempfile = sys.modules.get("tempfile")
    if tempfile is not None:
        tempfile.tempdir = None  # type: ignore[attr-defined] # found anew, from this environment
    module = importlib.import_module(request["module"])
    module.main_forked(request, child.connection, child.descriptors[2:])
    sys.exit(0)


def main(options: dict[str, Any]) -> None:
    """Serve as a zygote.

    Parameters
    ----------
    options : dict
        ``socket`` (descriptor), ``address``, ``inode``, ``module`` (what prepares it and its children),
        ``preload``, ``watched``, ``idle``, ``facts``.
    """
    if (
        not options.get("again") and os.fork()
    ):  # adopted by init: it must outlive, and be no child of, whoever needed it first
        os._exit(0)
    if not options.get("again"):
        os.setsid()
    module = importlib.import_module(options["module"])
    state = module.prepare(options)
    gc.collect()
    gc.freeze()  # the collector must not write into pages that children share
    listener = socket.socket(fileno=options["socket"])
    facts = {**options["facts"], "pid": os.getpid(), "started": time.time(), **state}
    zygote = Zygote(
        listener, options["address"], options["inode"], options["watched"], options["idle"], facts
    )
    try:
        zygote.serve()
    except Child as forked:
        child = forked
    else:
        return
    del zygote, listener
    become(child)


if __name__ == "__main__":
    sys.path = [folder for folder in sys.path if folder not in ("", os.getcwd())]
    from provenote.jobs import zygote as module  # under its true name: children raise its Child

    module.main(json.loads(sys.argv[1]))
