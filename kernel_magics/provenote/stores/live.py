"""A run while it runs: one folder outside the work tree, appended to, owned by a lease.

- The folder ``<home>/live/<id>`` is made under another name with the lease held, then renamed in.
- Each acknowledged line of ``events.jsonl`` is one ``write(2)``: a killed process loses nothing it was told.
- Every process that appends holds ``lease`` flock-SHARED. Who can take it EXCLUSIVE on the host that wrote
  it knows that nobody writes any more, and closes the run (`provenote.stores.runs.close_dead`).
- A forked child drops the inherited lease and takes its own when it logs first.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from provenote import masking
from provenote.errors import UsageError, WorldError

HOST = os.uname().nodename
EVENTS, META, LEASE, CAPTURE, JOINED = "events.jsonl", "meta.json", "lease", "capture.json", "joined"
END_SIZE = 2048  # bytes of the lease kept for the last words of a run: a full disk cannot take them


class Appender:
    """Append events to a live run; one for each process that writes.

    Parameters
    ----------
    folder : Path
        The live folder.
    lease : int, optional
        An open descriptor that already holds the lease shared.
    """

    def __init__(self, folder: Path, lease: int | None = None) -> None:
        self.folder = folder
        self._lease = lease
        self._fd = os.open(folder / EVENTS, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._torn = False
        self._mask = masking.of_process()
        _appenders.add(self)

    def write(self, line: bytes) -> None:
        """Append one line that ends with a line break; it is safe from ``kill -9`` when this returns.

        Raises
        ------
        WorldError
            If the line could not be written whole.
        UsageError
            If the run was closed meanwhile.
        """
        if self._lease is None:
            self._take_lease()
        if self._mask is not None:
            line = self._mask.content(line)
        if self._torn:  # the start of a line that did not fit: end it, readers skip it
            line = b"\n" + line
        try:
            written = os.write(self._fd, line)
        except OSError as error:
            if error.errno == errno.EBADF:
                raise UsageError(
                    "the run has ended", "Start another: `with provenote.track(name) as run:`"
                ) from None
            raise _disk(error, self.folder) from error
        if written == len(line):
            self._torn = False
            return
        self._torn = True
        raise _disk(OSError(errno.ENOSPC, "no space left"), self.folder)

    def _take_lease(self) -> None:
        try:
            lease = os.open(self.folder / LEASE, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            raise UsageError(
                "the run has ended", "Start another: `with provenote.track(name) as run:`"
            ) from None
        fcntl.flock(lease, fcntl.LOCK_SH)
        if not (self.folder / META).exists():  # closed while we waited
            os.close(lease)
            raise UsageError("the run has ended", "Start another: `with provenote.track(name) as run:`")
        self._lease = lease

    def hold(self) -> int:
        """Take the lease if it is not held yet, and return its descriptor."""
        if self._lease is None:
            self._take_lease()
        assert self._lease is not None
        return self._lease

    def close(self) -> None:
        """Stop appending and let go of the lease."""
        _appenders.discard(self)
        for descriptor in (self._fd, self._lease):
            if descriptor is not None:
                os.close(descriptor)
        self._fd, self._lease = -1, None

    def forked(self) -> None:
        """Drop the inherited lease in a forked child: it must not keep its parent's run alive."""
        if self._lease is not None:
            os.close(self._lease)
            self._lease = None


_appenders: weakref.WeakSet[Appender] = weakref.WeakSet()


def _in_child() -> None:
    for appender in list(_appenders):
        appender.forked()


os.register_at_fork(after_in_child=_in_child)


def create(home: Path, meta: dict[str, Any]) -> Appender:
    """Make the live folder of a new run and return its appender.

    Parameters
    ----------
    home : Path
        `Workspace.home`.
    meta : dict
        What is known at the start; ``id`` names the folder. Host, boot, process are added.

    Raises
    ------
    WorldError
        If the folder cannot be written.
    """
    folder = home / "live" / meta["id"]
    nascent = home / "live" / f".new-{meta['id']}"
    try:
        nascent.mkdir(parents=True)
        lease = os.open(nascent / LEASE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(lease, fcntl.LOCK_SH)
        full = {**meta, "host": HOST, "boot": _boot(), "pid": os.getpid()}
        (nascent / META).write_text(json.dumps(full), encoding="utf-8")
        os.write(lease, b" " * END_SIZE)
        nascent.rename(folder)
    except OSError as error:
        raise _disk(error, home) from error
    return Appender(folder, lease)


def attend(home: Path, run_id: str) -> tuple[Appender, dict[str, Any]]:
    """Append to a live run that another process opened.

    Raises
    ------
    UsageError
        If that run is not live.
    """
    folder = home / "live" / run_id
    appender = None
    try:
        appender = Appender(folder)
        appender.hold()
        return appender, json.loads((folder / META).read_text(encoding="utf-8"))
    except (OSError, ValueError, UsageError) as error:
        if appender is not None:
            appender.close()
        raise UsageError(
            f"the run {run_id} named by PROVENOTE_RUN is not live here",
            "Its job has ended; start the notebook again, or `unset PROVENOTE_RUN`",
        ) from error


def join(home: Path, run_id: str) -> tuple[Appender, dict[str, Any], bool]:
    """Take part in a live run that another process opened.

    Returns
    -------
    appender : Appender
    meta : dict
    first : bool
        Whether nobody joined before (decided by a file made with O_EXCL): the first one *is* the run,
        later ones make runs of their own below it.

    Raises
    ------
    UsageError
        If that run is not live.
    """
    appender, meta = attend(home, run_id)
    try:
        os.close(os.open(appender.folder / JOINED, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
    except FileExistsError:
        return appender, meta, False
    return appender, meta, True


def write_capture(folder: Path, evidence: dict[str, Any]) -> None:
    """Keep what ran so far; replaces the earlier one whole."""
    temporary = folder / f".{CAPTURE}-{os.getpid()}"
    try:
        text = json.dumps(evidence, default=str)
        mask = masking.of_process()
        temporary.write_text(mask.text(text) if mask else text, encoding="utf-8")
        temporary.replace(folder / CAPTURE)
    except OSError as error:
        raise _disk(error, folder) from error


def write_end(folder: Path, end: dict[str, Any]) -> None:
    """Write how the run ended over the place kept for it: it needs no new space on the disk."""
    mask = masking.of_process()
    if mask is not None:
        end = {**end, "reason": mask.text(str(end["reason"]))} if end.get("reason") else end
    text = json.dumps(end)
    if len(text) > END_SIZE:
        text = json.dumps({**end, "reason": str(end.get("reason"))[: END_SIZE // 16]})
    with (folder / LEASE).open("r+b") as file:
        file.write(text.encode().ljust(END_SIZE))


def read_end(folder: Path) -> dict[str, Any] | None:
    """Return how the run ended, or None when nobody wrote it."""
    try:
        end = json.loads((folder / LEASE).read_bytes())
    except (OSError, ValueError):
        return None
    return end if isinstance(end, dict) else None


@dataclass(slots=True)
class Events:
    """What a live run logged, folded from its lines.

    Parameters
    ----------
    params, metrics : dict
        Parameters, and the last value of each metric.
    series : dict of str to list of (step, value)
        Every point of each metric, in the order it was logged; a point without a step gets its ordinal.
    """

    params: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    series: dict[str, list[tuple[Any, Any]]] = field(default_factory=dict)
    stepped: set[str] = field(default_factory=set)
    artifacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    reads: list[dict[str, Any]] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    resources: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    last: float | None = None


def read_events(folder: Path) -> Events:
    """Fold the events of a live run; torn and foreign lines are skipped."""
    try:
        raw = (folder / EVENTS).read_bytes()
    except FileNotFoundError:
        return Events()
    return fold(raw)


def fold(raw: bytes) -> Events:
    """Fold the lines of ``events.jsonl``. Pure."""
    events, automatic = Events(), Events()
    counts: dict[tuple[bool, str], int] = {}
    for event in _parsed(raw):
        if not isinstance(event, dict):
            continue
        time = event.get("t")
        auto = "auto" in event
        into = automatic if auto else events
        if "m" in event:
            step = event.get("s")
            for key, value in event["m"].items():
                into.metrics[key] = value
                count = counts[auto, key] = counts.get((auto, key), -1) + 1
                into.series.setdefault(key, []).append((count if step is None else step, value))
                if step is not None:
                    into.stepped.add(key)
        elif "p" in event:
            _merge(into.params, event["p"])
        elif "artifact" in event:
            into.artifacts[event["artifact"]["name"]] = event["artifact"]
        elif "read" in event:
            if event["read"] not in events.reads:
                events.reads.append(event["read"])
        elif "tag" in event:
            if event["tag"] not in events.tags:
                events.tags.append(event["tag"])
        elif "note" in event:
            events.notes.append(event["note"])
        elif "resources" in event:
            events.resources.update(event["resources"])
        elif "extra" in event:
            events.extra.update(event["extra"])
        if isinstance(time, (int, float)):
            events.last = time
    _fill(events, automatic)
    return events


def _parsed(raw: bytes) -> Iterator[Any]:
    """Yield the values of the lines; those that are torn or no JSON are skipped.

    All at once, a third of the time of one by one, unless there is such a line: whatever it leaves open
    makes the whole unreadable.
    """
    lines = [line for line in raw.split(b"\n") if line]
    try:
        yield from json.loads(b"[" + b",".join(lines) + b"]")
        return
    except ValueError:
        pass
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            continue


def _fill(events: Events, automatic: Events) -> None:
    """Add what was found out without asking (``"auto": true``) where the user logged nothing of that name."""
    for key, value in automatic.params.items():
        events.params.setdefault(key, value)
    marks = events.extra.get("marks")
    for key, value in automatic.metrics.items():
        if key in events.metrics:
            if isinstance(marks, dict):
                marks.pop(key, None)  # what was said of our number is not true of the user's
        else:
            events.metrics[key] = value
            events.series[key] = automatic.series[key]
    for name, artifact in automatic.artifacts.items():
        events.artifacts.setdefault(name, artifact)


def _merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


@dataclass(frozen=True, slots=True)
class LiveRun:
    """A live folder as a reader sees it.

    Parameters
    ----------
    folder : Path
    meta : dict
    state : {'running', 'silent', 'dead', 'closing'}
        ``running``: somebody holds the lease; ``silent``: another host wrote it, which alone may close it;
        ``dead``: nobody holds it.
    """

    folder: Path
    meta: dict[str, Any]
    state: Literal["running", "silent", "dead", "closing"]


def listing(home: Path) -> Iterator[LiveRun]:
    """Yield the live runs; a folder that cannot be read is skipped, never in the way of the others."""
    try:
        folders = sorted(entry.path for entry in os.scandir(home / "live") if not entry.name.startswith("."))
    except OSError:
        return
    for path in folders:
        folder = Path(path)
        try:
            meta = json.loads((folder / META).read_text(encoding="utf-8"))
            if meta["host"] != HOST:
                yield LiveRun(folder, meta, "silent")
                continue
            with Exclusive(folder) as held:
                state: Any = held.state
        except (OSError, ValueError, KeyError, TypeError):
            continue
        yield LiveRun(folder, meta, state)


class Exclusive:
    """Try to take the lease exclusively: ``state`` is ``dead`` when held, else ``running`` or ``closing``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state: Literal["running", "dead", "closing"] = "running"
        self._fd = -1

    def __enter__(self) -> Exclusive:
        try:
            self._fd = os.open(self.folder / LEASE, os.O_RDWR | os.O_CLOEXEC)
        except PermissionError:  # a reader without write right can still tell whether somebody holds it
            self._fd = os.open(self.folder / LEASE, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.state = "dead"
        except BlockingIOError:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
                fcntl.flock(self._fd, fcntl.LOCK_UN)
            except BlockingIOError:
                self.state = "closing"
        return self

    def wait(self) -> None:
        """Wait for who is closing the run to be done."""
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _disk(error: OSError, where: Path) -> WorldError:
    """Say what a failed write means."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return WorldError(
            "the disk is full: this was not recorded, all before it is kept",
            f"Free some space on the disk of {where}, then log again",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return WorldError(
            f"{where} cannot be written ({error.strerror})", "Check who owns the repository's .git folder"
        )
    return WorldError(f"{where} cannot be written: {error.strerror or error}")
