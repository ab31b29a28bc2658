"""A job's folder ``<home>/jobs/<id>/``: where its truth lies on disk.

- ``spec.json``: what it is to do, never changed.
- ``events.jsonl``: what happened, one line for each ``write(2)``, appended by whoever works for the job.
- ``lease``: flock-EXCLUSIVE while somebody does. The submitter passes its descriptor on to the supervisor, so
  there is no moment without a holder; who can take it of a job that is not over has found a lost job.
- ``cancel``: its presence asks the supervisor to stop.
- ``a<attempt>/``: ``source.ipynb`` (what runs), ``out.ipynb`` (as executed), ``log.txt`` (what it printed).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provenote import masking
from provenote.errors import ProvenoteError, UsageError, WorldError
from provenote.jobs import spec as specs
from provenote.jobs.spec import JobSpec
from provenote.jobs.state import JobState, apply

# A line stays well below 4 kB, so that appends never interleave: texts of users are cut.
TEXT_LIMIT = 500
_TEXTS = ("reason", "line")


@dataclass(frozen=True, slots=True)
class JobFolder:
    """One job on disk."""

    path: Path

    @property
    def id(self) -> str:
        """The job's id."""
        return self.path.name

    @property
    def spec(self) -> JobSpec:
        """What it is to do.

        Raises
        ------
        WorldError
            If ``spec.json`` is missing or damaged.
        """
        try:
            return specs.parse((self.path / "spec.json").read_bytes())
        except OSError as error:
            raise WorldError(f"job {self.id[:8]} has no readable spec.json ({error.strerror})") from error

    def attempt(self, number: int) -> Path:
        """Return the folder of one attempt."""
        return self.path / f"a{number}"

    # ------------------------------------------------------------------ events

    def append(self, event: dict[str, Any]) -> None:
        """Append one event; it is safe from a killed process when this returns.

        Raises
        ------
        WorldError
            If it cannot be written whole.
        """
        cut = {key: value[:TEXT_LIMIT] if key in _TEXTS and value else value for key, value in event.items()}
        line = (json.dumps({"t": round(time.time(), 3), **cut}, separators=(",", ":")) + "\n").encode()
        mask = masking.of_process()
        line = mask.content(line) if mask else line
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        try:
            descriptor = os.open(self.path / "events.jsonl", flags, 0o644)
            try:
                written = os.write(descriptor, line)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise WorldError(
                f"job {self.id[:8]} cannot be written ({error.strerror})", "Check the disk of .git"
            ) from error
        if written != len(line):
            raise WorldError(f"the disk is full: job {self.id[:8]} cannot be written", "Free some space")

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield its events; torn and foreign lines are skipped."""
        yield from Tail(self).new()

    def state(self) -> JobState:
        """Return its state, after `reconcile`."""
        return Tail(self).state()

    # ------------------------------------------------------------------ lease

    def lease(self) -> int | None:
        """Take the lease and return its descriptor, or None while somebody else holds it."""
        try:
            descriptor = os.open(self.path / "lease", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise WorldError(
                f"job {self.id[:8]} cannot be written ({error.strerror})", "Check the disk of .git"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def abandoned(self) -> bool:
        """Whether nobody works for the job."""
        try:
            descriptor = os.open(self.path / "lease", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True

    # ------------------------------------------------------------------ cancel

    def ask_cancel(self) -> None:
        """Ask the supervisor to stop; safe at any time."""
        with contextlib.suppress(FileNotFoundError):
            (self.path / "cancel").touch()

    def cancel_asked(self) -> bool:
        """Whether somebody asked to stop."""
        return os.path.exists(self.path / "cancel")


class Tail:
    """Follow a job's events, reading only what is new.

    Parameters
    ----------
    folder : JobFolder
    """

    def __init__(self, folder: JobFolder) -> None:
        self.folder = folder
        self._offset = 0
        self._state = JobState()

    def new(self) -> list[dict[str, Any]]:
        """Return the events that came since the last call."""
        try:
            with open(self.folder.path / "events.jsonl", "rb") as file:
                file.seek(self._offset)
                raw = file.read()
        except OSError:
            return []
        whole = raw[: raw.rfind(b"\n") + 1]
        self._offset += len(whole)
        found = []
        for line in whole.split(b"\n"):
            try:
                event = json.loads(line) if line else None
            except ValueError:
                continue
            if isinstance(event, dict):
                found.append(event)
                self._state = apply(self._state, event)
        return found

    def state(self) -> JobState:
        """Return the state now; a job that nobody works for is written down as lost."""
        self.new()
        if self._state.over or not self.folder.abandoned():
            return self._state
        self._reconcile()
        return self._state

    def state_as_written(self) -> JobState:
        """Return the state that the events alone tell."""
        self.new()
        return self._state

    def _reconcile(self) -> None:
        try:
            held = self.folder.lease()
        except WorldError:  # a reader without write right only tells
            self.new()
            if not self._state.over:
                self._state = apply(self._state, {"t": time.time(), "state": "lost"})
            return
        if held is None:  # somebody took it up meanwhile
            return
        try:
            self.new()  # it may have ended between the two looks
            if not self._state.over:
                if self._state.on == specs.LOCAL:  # elsewhere only what watched the job from here is gone
                    from provenote.jobs import descendants

                    descendants.end_marked(self._state.run, None)
                lost: dict[str, Any] = {"state": "lost", "reason": "its supervisor is gone"}
                if self._state.state == "publishing":
                    from provenote.jobs.outcome import published

                    with contextlib.suppress(ProvenoteError, OSError, ValueError, KeyError):
                        lost = published(self.folder, self._state) or lost
                with contextlib.suppress(WorldError):
                    self.folder.append(lost)
                self.new()
                if not self._state.over:
                    self._state = apply(self._state, {"t": time.time(), **lost})
        finally:
            os.close(held)


def create(home: Path, spec: JobSpec) -> tuple[JobFolder, int | None]:
    """Make the folder of a job, queued, with its lease held; it appears whole or not at all.

    Returns
    -------
    folder : JobFolder
    lease : int or None
        Descriptor of the held lease, for the supervisor; None if there is nothing to start, because this very
        job runs or has succeeded. One that ended otherwise is queued again as its next attempt.

    Raises
    ------
    WorldError
        If the disk refuses.
    """
    folder = JobFolder(home / "jobs" / spec.id)
    nascent = JobFolder(home / "jobs" / f".new-{spec.id}-{os.getpid()}")
    if not folder.path.exists():
        try:
            nascent.path.mkdir(parents=True)
            (nascent.path / "spec.json").write_bytes(spec.canonical())
            lease = nascent.lease()
            queue(nascent, spec, 1)
            nascent.path.rename(folder.path)
            return folder, lease
        except OSError as error:
            shutil.rmtree(nascent.path, ignore_errors=True)
            if not folder.path.exists():  # else somebody made the same job at the same time
                raise WorldError(
                    f"a job cannot be made in {home} ({error.strerror})", "Check the disk of .git"
                ) from error
    lease = folder.lease()
    for _ in range(5):  # a reader that looks whether the lease is free holds it for a moment
        if lease is None:
            time.sleep(0.01)
            lease = folder.lease()
    if lease is None:
        return folder, None
    state = Tail(folder).state_as_written()
    if state.state == "succeeded":
        os.close(lease)
        return folder, None
    with contextlib.suppress(FileNotFoundError):
        (folder.path / "cancel").unlink()
    queue(folder, spec, state.attempt + 1)
    return folder, lease


def queue(folder: JobFolder, spec: JobSpec, attempt: int) -> None:
    """Begin an attempt: the job is queued, and the attempt's folder is there.

    Raises
    ------
    WorldError, OSError
        If the disk refuses.
    """
    where = {} if spec.on == specs.LOCAL else {"on": spec.on}
    folder.append({"state": "queued", "attempt": attempt, "parent": spec.parent, **where})
    folder.attempt(attempt).mkdir(exist_ok=True)


def listing(home: Path) -> list[JobFolder]:
    """Return all jobs, the newest first."""
    found = []
    try:
        with os.scandir(home / "jobs") as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.is_dir():
                    found.append((_born(Path(entry.path)), JobFolder(Path(entry.path))))
    except OSError:
        return []
    return [folder for _, folder in sorted(found, key=lambda pair: pair[0], reverse=True)]


def _born(path: Path) -> float:
    try:
        return (path / "spec.json").stat().st_mtime
    except OSError:
        return 0.0


def find(home: Path, name: str) -> JobFolder:
    """Return the job whose id begins with ``name``, or whose run has that name or id.

    A sweep may be called ``sweep-`` and the first digits of its id, as tables show it.

    Raises
    ------
    UsageError
        If there is none, or more than one.
    """
    jobs = listing(home)
    start = name.removeprefix("sweep-").lower()
    found = [job for job in jobs if start and job.id.startswith(start)]
    if not found:
        states = [(job, Tail(job).state_as_written()) for job in jobs]
        found = [job for job, state in states if name and name in (state.name, state.run)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(f"no job {name!r} in this repository", "List them: `provenote jobs`")
    raise UsageError(f"{name!r} begins the ids of {len(found)} jobs", "Give more characters of it")
