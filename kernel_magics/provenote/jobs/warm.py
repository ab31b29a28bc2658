"""Zygotes that linger: find the one that fits, else start it; ask it for a child; list and end them.

A zygote fits if it has the same Python, the same installed packages, the same imports, and was started with
the same environment as the process that is wanted: all of it names the zygote, so any change finds another
one (`provenote.jobs.wish`). They are found through sockets in a folder that only their user can enter.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provenote.errors import WorldError
from provenote.jobs import asking, descendants
from provenote.jobs import wish as wish_of
from provenote.jobs.asking import Line as Line
from provenote.jobs.asking import NotWarm as NotWarm
from provenote.jobs.wish import Role, Wish

IDLE = 600.0  # seconds without a child after which a zygote leaves
_MOST = {"kernel": 2, "supervisor": 2}  # zygotes of each role; the one not used for longest leaves
_PATIENCE = 120.0  # seconds for an answer: a zygote that has just started imports first
_MODULES = {"kernel": "provenote.jobs.forked", "supervisor": "provenote.jobs.nursery"}


def possible() -> bool:
    """Whether this system can fork warm processes: Linux."""
    return sys.platform.startswith("linux") and hasattr(os, "pidfd_open")


# ------------------------------------------------------------------------------------------------- the folder


def runtime_folder() -> Path:
    """Return the folder of the sockets; it is made if it is missing.

    Raises
    ------
    NotWarm
        If it is not ours alone.
    """
    base = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(base or "/tmp") / f"provenote-warm-{os.getuid()}"
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        facts = folder.lstat()
    except OSError as error:
        raise NotWarm(f"{folder} cannot be made ({error.strerror})") from error
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
        raise NotWarm(f"{folder} is not a folder of this user's alone")
    return folder


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


# ------------------------------------------------------------------------------------------------ their use


def fork(
    wish: Wish,
    request: Mapping[str, Any],
    descriptors: Sequence[int],
) -> tuple[Line, int]:
    """Ask a fitting zygote for a child.

    Parameters
    ----------
    wish : Wish
    request : mapping
        What it is to become; see `provenote.jobs.zygote.become`.
    descriptors : sequence of int
        Its standard output and error, then what else it gets.

    Returns
    -------
    line : Line
        On which it is told how the child gets on.
    pid : int

    Raises
    ------
    NotWarm
        If there is no such zygote and none can be started.
    """
    whole = {
        "do": "fork",
        "module": _MODULES[wish.role],
        "umask": _umask(),
        **request,
    }
    while True:
        connection, new = _reach(wish)
        line = Line(connection)
        try:
            line.ask(whole, descriptors)
            answer = line.hear(_PATIENCE)
            return line, int(answer["pid"])
        except (NotWarm, OSError, KeyError) as error:
            line.close()
            if new:  # one that lingered may leave just while we ask it; this one cannot do its work
                raise NotWarm(f"{error}; see {_log(runtime_folder(), wish)}") from error


def _umask() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("Umask:"):
            return int(line.split()[1], 8)
    raise NotWarm("this system does not tell the mask of new files")


def _log(folder: Path, wish: Wish) -> Path:
    return folder / f"{wish.role}-{wish.key()}.log"


def _reach(wish: Wish) -> tuple[socket.socket, bool]:
    """Return a connection to the zygote that fits, and whether it was started just now."""
    if not possible():
        raise NotWarm("this system has no fork that is safe for it")
    folder = runtime_folder()
    key = wish.key()
    address = folder / f"{wish.role}-{key}"
    if len(str(address)) > 100:
        raise NotWarm(f"the path {address} is too long for a socket")
    new = False
    try:
        connection = _connect(address)
        if connection is not None:
            return connection, False
        with _one_at_a_time(folder):
            connection = _connect(address)
            if connection is None:
                _make_room(folder, wish.role)
                _start(wish, address)
                connection, new = _connect(address), True
    except (OSError, subprocess.SubprocessError) as error:
        raise NotWarm(f"a warm process cannot be started ({error})") from error
    if connection is None:
        raise NotWarm(f"a warm process did not start; see {_log(folder, wish)}")
    return connection, new


def _connect(address: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(address))
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    except OSError:
        connection.close()
        raise
    if asking.peer(connection)[1] != os.getuid():
        connection.close()
        raise NotWarm(f"{address} belongs to another user")
    return connection


def _start(wish: Wish, address: Path) -> None:
    """Start a zygote that listens at ``address``; requests wait until it has imported."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.suppress(FileNotFoundError):
        address.unlink()  # a dead one's
    listener.bind(str(address))
    listener.listen(128)
    options = {
        "socket": listener.fileno(),
        "address": str(address),
        "inode": os.stat(address).st_ino,
        "module": _MODULES[wish.role],
        "preload": wish.preload,
        "left": {},
        "watched": {folder: os.stat(folder).st_mtime_ns for folder in wish_of.roots()},
        "roots": sorted({os.path.join(os.path.realpath(place), "") for place in wish_of.places()}),
        "idle": IDLE,
        "facts": {"role": wish.role, "python": wish.command[0], "preload": wish.preload},
    }
    env = {name: value for name, value in wish.env.items() if not name.startswith(("PROVENOTE_", "JPY_"))}
    env.update(descendants.room())
    with open(address.with_suffix(".log"), "wb") as log:
        subprocess.run(
            [*wish.command, "-m", "provenote.jobs.zygote", json.dumps(options)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=env,
            pass_fds=[listener.fileno()],
            check=True,
            timeout=_PATIENCE,
        )
    listener.close()


def _make_room(folder: Path, role: Role) -> None:
    """Let the zygotes leave that were not used for longest."""
    living = [one for one in lingering(folder) if one.role == role]
    for one in sorted(living, key=lambda one: one.used)[: max(0, len(living) - _MOST[role] + 1)]:
        one.end()


# ----------------------------------------------------------------------------------------- looking after them


@dataclass(frozen=True, slots=True)
class Lingering:
    """A zygote that waits for requests.

    Parameters
    ----------
    address : Path
    facts : dict
        What it tells about itself; empty while it imports.
    used : float
        When it was last asked for a child; seconds since 1970.
    """

    address: Path
    facts: Mapping[str, Any]
    used: float

    @property
    def role(self) -> str:
        """``kernel`` or ``supervisor``."""
        return self.address.name.partition("-")[0]

    def end(self) -> None:
        """Let it leave: it takes no more requests, and its children live on."""
        _ask(self.address, {"do": "end"})
        with contextlib.suppress(FileNotFoundError):
            self.address.with_suffix(".log").unlink()


def lingering(folder: Path | None = None) -> list[Lingering]:
    """Return the zygotes of this user, and tidy away what dead ones left.

    Raises
    ------
    WorldError
        If their folder is not ours alone.
    """
    if folder is None:
        try:
            folder = runtime_folder()
        except NotWarm as error:
            raise WorldError(str(error), "Remove it, or set another XDG_RUNTIME_DIR") from error
    found = []
    for address in sorted(folder.iterdir()):
        try:
            facts = address.lstat()
        except FileNotFoundError:
            continue
        if not stat.S_ISSOCK(facts.st_mode):
            continue
        answer = _ask(address, {"do": "tell"})
        if answer is None:
            for left in (address, address.with_suffix(".log")):
                with contextlib.suppress(FileNotFoundError):
                    left.unlink()
            continue
        found.append(Lingering(address, answer, facts.st_mtime))
    return found


def stop() -> int:
    """Let all zygotes of this user leave, and return how many there were."""
    living = lingering()
    for one in living:
        one.end()
    return len(living)


def _ask(address: Path, request: Mapping[str, Any]) -> dict[str, Any] | None:
    """Ask a zygote; None if it is dead, nothing if it has no time now."""
    try:
        connection = _connect(address)
    except (OSError, NotWarm):
        return {}
    if connection is None:
        return None
    line = Line(connection)
    try:
        line.ask(request)
        return line.hear(1.0)
    except (NotWarm, OSError):
        return {}
    finally:
        line.close()
