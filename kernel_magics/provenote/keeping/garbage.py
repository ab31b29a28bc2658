"""Remove what nothing needs: objects that nothing names, copies that can be made again, remains of the dead.

An object goes only if all of Git, every worktree and all that goes on name it nowhere (`reachable`), and

- a remote has it and it was not touched for an hour, or it was not touched for as long as was asked for;
- it is still as it was when looked at: writers touch an object that they find there (`stores.deposit`), so
  it is taken aside by a rename, looked at again, and put back if somebody touched it meanwhile. DVC's own
  lock is held, so that no ``dvc add`` finds an object that goes the next moment.

Killed anywhere, one object at most stands aside, and the next `remove` puts it back before it looks.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from provenote.errors import ProvenoteError, WorldError
from provenote.events import Progress, Tell, silent
from provenote.keeping import pins, reachable
from provenote.stores import agreements, cache, dvc_config, held, remotes
from provenote.stores.layout import object_path, waiting_room
from provenote.workspace import Workspace, find

if TYPE_CHECKING:
    from provenote.jobs.folder import JobFolder

HOUR = 3_600.0
DAY = 24 * HOUR
ASIDE = "aside-"
WAIT = 60.0
"""Seconds that we wait for a DVC command to end."""


@dataclass(frozen=True, slots=True)
class Object:
    """An object that nothing names.

    Parameters
    ----------
    md5 : str
    size : int
        Bytes.
    touched : int
        When it was last written, in nanoseconds since 1970.
    elsewhere : bool
        Whether a remote is known to have it.
    """

    md5: str
    size: int
    touched: int
    elsewhere: bool


@dataclass(frozen=True, slots=True)
class Garbage:
    """What would go.

    Parameters
    ----------
    objects : tuple of Object
        Of the DVC cache.
    folders : mapping of str to mapping of Path to int
        Bytes of folders and files of ours, by kind: ``jobs``, ``versions``, ``remains``.
    young : int
        Bytes that nothing names, and that are too young to go.
    reason : str
        Why no object was looked at; empty if they were.
    """

    objects: tuple[Object, ...] = ()
    folders: Mapping[str, Mapping[Path, int]] = field(default_factory=dict)
    young: int = 0
    reason: str = ""

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(each.size for each in self.objects) + sum(
            size for paths in self.folders.values() for size in paths.values()
        )

    @property
    def only_here(self) -> int:
        """Bytes of the objects that no remote is known to have."""
        return sum(each.size for each in self.objects if not each.elsewhere)


def look(
    workspace: Workspace,
    *,
    older_than: float = 30 * DAY,
    projects: Iterable[str] = (),
    now: float | None = None,
) -> Garbage:
    """Return what nothing needs; nothing is changed.

    Parameters
    ----------
    workspace : Workspace
    older_than : float
        Seconds for which an object that is on no remote, and a job that ended, must not have been touched.
    projects : iterable of str
        Folders of all projects that share a cache outside this repository, this one among them.
    now : float, optional
        Seconds since 1970.

    Raises
    ------
    WorldError
        If what is needed cannot be read whole.
    """
    now = time.time() if now is None else now
    folders = {
        "jobs": _jobs(workspace, now - max(older_than, HOUR)),
        "versions": _old(workspace.home / "versions", now - DAY),
        "remains": {
            **_old(workspace.home / "jobs", now - HOUR, beginning=".new-"),
            **_old(workspace.home / "live", now - HOUR, beginning=".new-"),
        },
    }
    sharers = [workspace, *(find(os.path.abspath(path)) for path in projects)]
    if not list(projects) and not _inside(workspace):
        why = f"the cache {workspace.cache_dir} lies outside this repository, and others may use it"
        return Garbage((), folders, 0, f"{why}: name all its projects with --projects")
    there = list(held.objects(_store(workspace)))
    needed: set[str] = set()
    for place in sharers:
        needed |= reachable.needed(place)
        for md5 in agreements.held(place):
            with suppress(ProvenoteError):
                needed.add(md5)
                if md5.endswith(".dir"):
                    needed |= {entry.md5 for entry in cache.entries(place.cache_dir, md5)}
    free = {md5: status for md5, status in there if md5 not in needed}
    elsewhere = on_remotes(workspace, free)
    gone, young = [], 0
    for md5, status in free.items():
        if _age(status, now) > (HOUR if md5 in elsewhere else max(older_than, HOUR)):
            gone.append(Object(md5, status.st_size, status.st_mtime_ns, md5 in elsewhere))
        else:
            young += status.st_size
    return Garbage(tuple(gone), folders, young)


def on_remotes(workspace: Workspace, md5s: Iterable[str]) -> set[str]:
    """Return the objects that some DVC remote is known to have, without asking the network."""
    wanted, found = list(md5s), set[str]()
    for name in dvc_config.remotes(workspace):
        with suppress(ProvenoteError):
            found |= remotes.known_there(workspace, wanted, remote=name)
    return found


def remove(
    workspace: Workspace,
    *,
    older_than: float = 30 * DAY,
    projects: Iterable[str] = (),
    tell: Tell = silent,
) -> Garbage:
    """Remove what `look` finds, and return what went.

    Raises
    ------
    WorldError
        If DVC works on the cache for long, or what is needed cannot be read whole; nothing is removed then.
    """
    label = "free space"
    with alone(workspace):
        put_back(workspace.cache_dir)
        pins.settle(workspace)
        tell(Progress(label, detail="look at what is needed"))
        found = look(workspace, older_than=older_than, projects=projects)
        gone = []
        for number, each in enumerate(found.objects):
            if _take(workspace.cache_dir, each):
                gone.append(each)
            if number % 256 == 0:
                tell(Progress(label, done=number, total=len(found.objects), unit="objects"))
        folders = {
            kind: {path: size for path, size in paths.items() if _drop(path, kind)}
            for kind, paths in found.folders.items()
        }
        tell(Progress(label, done=1, total=1, state="done"))
    return Garbage(tuple(gone), folders, found.young, found.reason)


def put_back(cache_dir: Path) -> None:
    """Put back what a killed one had taken aside."""
    room = waiting_room(cache_dir)
    with suppress(FileNotFoundError):
        for entry in list(os.scandir(room)):
            md5 = entry.name.removeprefix(ASIDE)
            if entry.name.startswith(ASIDE):
                _return(Path(entry.path), object_path(cache_dir, md5))


def _take(cache_dir: Path, each: Object) -> bool:
    """Remove one object unless somebody touched it since it was looked at."""
    target = object_path(cache_dir, each.md5)
    aside = waiting_room(cache_dir) / f"{ASIDE}{each.md5}"
    try:
        aside.parent.mkdir(parents=True, exist_ok=True)
        os.rename(target, aside)
    except FileNotFoundError:
        return False  # another one was faster
    except OSError as error:
        raise WorldError(
            f"{target} cannot be removed: {error.strerror}", "Check who owns the cache"
        ) from error
    if aside.stat().st_mtime_ns != each.touched:
        _return(aside, target)
        return False
    aside.unlink()
    return True


def _return(aside: Path, target: Path) -> None:
    with suppress(FileExistsError, FileNotFoundError):
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(aside, target)  # never over an object that was written anew
    aside.unlink(missing_ok=True)


def _drop(path: Path, kind: str) -> bool:
    """Remove one folder or file of ours; a job only while nobody works for it."""
    if kind == "jobs":
        from provenote.jobs.folder import JobFolder

        lease = JobFolder(path).lease() if path.is_dir() else None
        if lease is None:
            return False
        os.close(lease)
    try:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    except OSError:
        return False
    return True


def _jobs(workspace: Workspace, before: float) -> dict[Path, int]:
    """Return jobs that ended and whose runs are in Git."""
    from provenote.git import command
    from provenote.jobs.folder import Tail, listing

    def over(job: JobFolder) -> bool:
        state = Tail(job).state_as_written()
        if not state.over or not state.commit or (state.ended or state.updated or before) >= before:
            return False
        return job.abandoned() and command.resolve(workspace.top, state.commit) is not None

    return {job.path: size_of(job.path) for job in listing(workspace.home) if over(job)}


def _old(folder: Path, before: float, beginning: str = "") -> dict[Path, int]:
    found = {}
    with suppress(OSError):
        for entry in os.scandir(folder):
            with suppress(OSError):
                if entry.name.startswith(beginning) and entry.stat(follow_symlinks=False).st_mtime < before:
                    found[Path(entry.path)] = size_of(Path(entry.path))
    return found


def size_of(path: Path) -> int:
    """Return the bytes below a folder, or of a file; what vanishes meanwhile counts nothing."""
    try:
        if not path.is_dir() or path.is_symlink():
            return path.lstat().st_size
    except OSError:
        return 0
    total = 0
    for root, _, files in os.walk(path):
        for name in files:
            with suppress(OSError):
                total += os.lstat(os.path.join(root, name)).st_size
    return total


def _store(workspace: Workspace) -> Path:
    return workspace.cache_dir / "files" / "md5"


def _age(status: os.stat_result, now: float) -> float:
    """Return the seconds since an object was written, or got or lost a name."""
    return now - max(status.st_mtime, status.st_ctime)


def _inside(workspace: Workspace) -> bool:
    """Whether the cache lies in a worktree or the Git folder of this repository, so that no other uses it."""
    cache_dir = Path(os.path.realpath(workspace.cache_dir))
    homes = [*reachable.worktrees(workspace), workspace.common_dir]
    return any(Path(os.path.realpath(home)) in cache_dir.parents for home in homes)


@contextmanager
def alone(workspace: Workspace) -> Iterator[None]:
    """Keep DVC, and another one of these, from working on the cache meanwhile.

    DVC locks ``.dvc/tmp/lock`` of the worktree it is called in, with flock (zc.lockfile).
    """
    roots = [top / workspace.prefix for top in reachable.worktrees(workspace)]
    paths = [root / ".dvc" / "tmp" / "lock" for root in roots if (root / ".dvc").is_dir()]
    with ExitStack() as stack:
        for path in sorted({workspace.home / "gc.lock", *paths}):
            stack.enter_context(_locked(path))
        yield


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise WorldError(f"{path} cannot be written: {error.strerror}", "Check who owns it") from error
    try:
        deadline = time.monotonic() + WAIT
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    what = f"another command works on the data: it holds {path}"
                    raise WorldError(what, "Try again when it has ended") from None
                time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)
