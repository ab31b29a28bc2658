"""Gives jobs to a Dask scheduler, and writes down what becomes of them.

What Dask says about a task is news, not truth. The truth is where the job's ref on the Git remote is: a
result is taken over from there, and before a job is told lost or cancelled its ref is moved: nobody can
publish it any more.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from provenote.errors import ProvenoteError, WorldError
from provenote.jobs import folder as folders
from provenote.jobs.distant import accept, orders, verdicts
from provenote.jobs.distant.cluster import Cluster, Mail
from provenote.jobs.distant.left import Notes
from provenote.jobs.distant.truth import Truth
from provenote.jobs.distant.work import Work
from provenote.jobs.folder import JobFolder
from provenote.jobs.outcome import as_error
from provenote.sharing import transport
from provenote.workspace import find

_LOOK_EVERY = 0.1  # seconds
_PATIENCE = 20.0  # seconds that a worker may take to stop a job
_GRACE = 1.5  # seconds for what is just being published, when the scheduler is lost
_FOREIGN_EVERY = 2.0  # seconds between two looks at a job that somebody else has claimed
_NEW_TRY = 2.0  # seconds until what the remote did not answer is tried again
_TRIES = 30

Answer = Callable[[dict[str, Any]], None]


class Dispatcher:
    """Gives out jobs until all are over and no more can come.

    Parameters
    ----------
    facts : dict
        What the executor said at first.
    client : distributed.Client
    """

    def __init__(self, facts: dict[str, Any], client: Any) -> None:
        self.id = os.urandom(8).hex()
        self.mail: Mail = queue.Queue()
        self._facts = facts
        self._cluster = Cluster(client, self.mail, self.id)
        place, top = find(facts["root"]), Path(facts["top"])
        self._truth = Truth(place.common_dir, transport.choose(top, facts["remote"]))
        self._notes = Notes(place.home, self.id)
        self._url = orders.address(self._truth.remote)
        self._works: dict[str, Work] = {}
        self._later: list[tuple[float, int, str, Any]] = []
        self._ours: dict[str, str] = {}  # refs on the remote that we take away in the end, and where they are
        self._gone = False  # the scheduler
        self._closed = False  # the executor
        self._alone = time.monotonic()  # when we last saw a worker, or told that there is none

    # ------------------------------------------------------------------ the loop

    def run(self) -> None:
        """Work until the executor is gone and all jobs are over."""
        while self._works or not self._closed:
            self._read()
            for work in list(self._works.values()):
                try:
                    self._stop_if_asked(work)
                    self._look_abroad(work)
                except ProvenoteError as error:  # the remote is away: the next round tries again
                    print(error.line, file=sys.stderr, flush=True)
                    time.sleep(1)
            self._tell_if_alone()
        self._tidy()

    def _read(self) -> None:
        """Do what has come in; wait a moment if there is nothing."""
        now = time.monotonic()
        due = [one for one in self._later if one[0] <= now]
        self._later = [one for one in self._later if one[0] > now]
        news = [(word, what, tries) for _, tries, word, what in due]
        with contextlib.suppress(queue.Empty):
            news.append((*self.mail.get(timeout=_LOOK_EVERY), 0))
            while True:
                news.append((*self.mail.get_nowait(), 0))
        published: list[tuple[Work, str]] = []
        for word, what, tries in news:
            try:
                if word == "published" or (word == "ended" and what[2]["verdict"] == "published"):
                    job, at = what if word == "published" else (what[0], what[2]["at"])
                    if job in self._works:
                        published.append((self._works[job], at))
                else:
                    self._handle(word, what)
            except ProvenoteError as error:
                self._defer(word, what, tries, error)
        if published:
            try:
                self._accept(published)
            except ProvenoteError as error:
                tries = max((tries for word, _, tries in news if word == "published"), default=0)
                for work, at in published:
                    self._defer("published", (work.id, at), tries, error)

    def _handle(self, word: str, what: Any) -> None:
        if word == "job":
            self._take(*what)
        elif word == "room":
            what({"room": sum(self._cluster.workers().values())})
        elif word == "event":
            self._note(what)
        elif word == "ended":
            self._ended(*what)
        elif word == "failed":
            self._task_failed(*what)
        elif word == "lost":
            work = self._works.get(what[0])
            if work is not None and work.attempt == what[1]:  # else it is a task that we let go of ourselves
                self._answer_lost(work)
        elif word == "closed":
            self._closed = True
        elif word == "stop":
            for work in self._works.values():
                work.folder.ask_cancel()

    def _defer(self, word: str, what: Any, tries: int, error: ProvenoteError) -> None:
        """Try again later what the remote did not answer; in the end the job is told lost."""
        print(error.line, file=sys.stderr, flush=True)
        if tries < _TRIES:
            self._later.append((time.monotonic() + _NEW_TRY, tries + 1, word, what))
            return
        work = self._works.get(what[0]) if isinstance(what, tuple) else None
        if work is not None:
            self._over(work, {"state": "lost", "reason": error.what, "error": as_error(error)}, known=False)

    # ------------------------------------------------------------------ give out

    def _take(self, path: str, code: dict[str, str], lease: int, reply: Answer) -> None:
        """Take a job from the executor."""
        if self._gone:
            os.close(lease)
            mend = "Start one, then go on: `provenote job retry JOB`"
            reply(as_error(WorldError(self._farewell, mend)))
            return
        folder = JobFolder(Path(path))
        state = folders.Tail(folder).state_as_written()
        spec = replace(folder.spec, on=state.on, parent=state.parent)
        work = Work(folder, lease, spec, code, state.attempt)
        if code["ref"] not in self._ours:
            self._notes.add(code["ref"], code["commit"])
            self._ours[code["ref"]] = code["commit"]
        self._works[work.id] = work
        reply({"ok": True})
        if state.attempt > 1 and self._left_behind(work):
            return
        self._give(work)

    def _left_behind(self, work: Work) -> bool:
        """Take over the result that an earlier attempt left; False if there is none, so that it must run."""
        try:
            at = self._truth.result(work)
            if at is not None:
                self._accept([(work, at)])
            return at is not None
        except ProvenoteError as error:
            self._over(work, {"state": "failed", "reason": error.what, "error": as_error(error)}, known=False)
            return True

    def _give(self, work: Work) -> None:
        """Give a job to the scheduler."""
        work.worker, work.foreign = None, None
        workers = self._cluster.workers()
        order = orders.order(work, self._facts, self._url, self.id, self._cluster.topic, workers)
        self._cluster.give(work, order)

    def _tell_if_alone(self) -> None:
        """Say in the jobs that wait when there has been no worker for a while."""
        now = time.monotonic()
        waiting = [work for work in self._works.values() if work.worker is None]
        if self._gone or not waiting:
            self._alone = now
        elif now - self._alone > 5:
            self._alone = now
            if not self._cluster.workers():
                for work in waiting:
                    work.folder.append({"line": f"no worker at {self._facts['scheduler']} yet"})

    # ------------------------------------------------------------------ hear

    def _note(self, said: dict[str, Any]) -> None:
        """Write down what a worker tells about an attempt that is still the present one."""
        work = self._works.get(said["job"])
        if work is None or work.attempt != said["attempt"]:
            return
        work.worker = said.get("worker", work.worker)
        if "claim" in said:
            work.at = said["claim"]
            work.folder.append({"state": "claimed", "worker": work.worker})
            work.folder.append({"state": "preparing"})
        for event in said.get("events", ()):
            if event.get("state") in ("starting", "running", "publishing") or "state" not in event:
                work.folder.append({key: value for key, value in event.items() if key != "t"})
        if "log" in said:
            log = work.folder.attempt(work.attempt) / "log.txt"
            with contextlib.suppress(OSError), log.open("a", encoding="utf-8") as file:
                file.write(said["log"])

    def _ended(self, job: str, attempt: int, answer: dict[str, Any]) -> None:
        """Decide what the verdict of an attempt means that published nothing."""
        work = self._works.get(job)
        if work is None or work.attempt != attempt:
            return
        if answer["verdict"] == "taken":
            self._taken(work, answer["at"])
            return
        event = verdicts.event(answer, work.asked is not None)
        if event is not None:
            self._finish(work, event)
        else:
            self._again(work, verdicts.why_lost(answer))

    def _task_failed(self, job: str, attempt: int, error: BaseException) -> None:
        """Decide what it means that a task broke off with an error of Dask's."""
        work = self._works.get(job)
        if work is None or work.attempt != attempt:
            return
        if type(error).__name__ == "KilledWorker":
            self._again(work, "its workers were killed")
        else:
            self._finish(work, verdicts.of_error(error, self._facts["scheduler"], orders.installed()))

    def _taken(self, work: Work, at: str | None) -> None:
        """Decide about a job that is claimed: by a start of ours that Dask takes for dead, or by others."""
        if at is None:
            self._again(work, "its ref on the remote was moved")
            return
        said = self._truth.said(work, at)
        work.at = at
        if said.get("kind") == "result":
            self._accept([(work, at)])
        elif said.get("by") == self.id or said.get("worker") not in self._cluster.workers():
            self._again(work, f"the worker {said.get('worker')} was lost")
        else:
            work.folder.append({"line": f"somebody else has it run on {said.get('host')}"})
            work.foreign = time.monotonic() + _FOREIGN_EVERY

    def _look_abroad(self, work: Work) -> None:
        """See what became of a job that somebody else had claimed."""
        if work.foreign is not None and time.monotonic() >= work.foreign and work.id in self._works:
            at = self._truth.look(work)
            work.foreign = None
            self._taken(work, at)

    def _again(self, work: Work, why: str) -> None:
        """Give a job out again whose attempt was lost, unless that was the last."""
        work.lost.append(why)
        if work.asked is not None:
            self._finish(work, {"state": "cancelled", "reason": why})
        elif self._gone or work.left == 0:
            times = f"{len(work.lost)} times, at last: " if len(work.lost) > 1 else ""
            self._finish(work, {"state": "lost", "reason": f"{times}{why}"})
        else:
            self._truth.look(work)
            folders.queue(work.folder, work.spec, work.attempt + 1)
            work.left -= 1
            work.attempt += 1
            work.folder.append({"line": f"attempt {work.attempt}: {why}"})
            self._give(work)

    # ------------------------------------------------------------------ stop

    def _stop_if_asked(self, work: Work) -> None:
        if work.id not in self._works or not work.folder.cancel_asked():
            return
        now = time.monotonic()
        work.asked = work.asked or now
        if work.worker is None or work.foreign is not None:  # not begun, as far as we know
            self._finish(work, {"state": "cancelled", "reason": "before it began"})
        elif not work.told:
            work.told = True
            self._cluster.stop(work.id, work.worker)
        elif now - work.asked > _PATIENCE:
            reason = f"its worker {work.worker} does not answer; what it does comes to nothing"
            self._finish(work, {"state": "cancelled", "reason": reason})

    def _finish(self, work: Work, event: dict[str, Any]) -> None:
        """End a job without a result, once nobody can publish one any more."""
        while (said := self._truth.stop(work)) is not None:
            if said["kind"] == "result":  # it has just been published
                self._accept([(work, str(work.at))])
                return
            if event["state"] == "cancelled" and work.worker is None and said.get("by") == self.id:
                work.worker = said.get("worker")  # it has just begun, and can be told
                return
        self._over(work, event)

    def _answer_lost(self, work: Work) -> None:
        """Decide about a job whose task Dask has lost: alone, or with the scheduler."""
        if self._gone or not self._cluster.there:
            self._scheduler_lost()
        else:  # there is one, perhaps another one, which does not know us yet
            self._cluster.listen()
            self._taken(work, self._truth.look(work))

    @property
    def _farewell(self) -> str:
        return f"the Dask scheduler at {self._facts['scheduler']} is gone"

    def _scheduler_lost(self) -> None:
        """All tasks are gone with the scheduler: take over what is published, and end the others."""
        if self._gone:
            return
        self._gone = True
        time.sleep(_GRACE)
        for work in list(self._works.values()):
            state = "lost" if work.asked is None else "cancelled"
            try:
                self._finish(work, {"state": state, "reason": self._farewell})
            except ProvenoteError as error:
                reason = f"{self._farewell}; {error.what}"
                self._over(work, {"state": "lost", "reason": reason}, known=False)

    # ------------------------------------------------------------------ end

    def _accept(self, published: Iterable[tuple[Work, str]]) -> None:
        """Take over results: the runs, and the jobs' files."""
        listed = list(published)
        common = self._truth.common_dir
        accept.fetch_all(common, self._truth.remote, {work.ref: at for work, at in listed})
        for work, at in listed:
            work.at = at
            try:
                event = accept.take(common, work.folder, work.attempt, work.spec.output, at)
            except ProvenoteError as error:
                event = {"state": "failed", "reason": error.what, "error": as_error(error)}
            self._over(work, event)

    def _over(self, work: Work, event: dict[str, Any], known: bool = True) -> None:
        """Tell how a job ended, and let go of it.

        Parameters
        ----------
        work : Work
        event : dict
            The last one.
        known : bool
            Whether we know where its ref is: it goes in the end then.
        """
        if self._works.pop(work.id, None) is None:
            return
        if known and work.at is not None:
            self._ours[work.ref] = work.at
        try:
            work.folder.append(event)
        finally:
            os.close(work.lease)
        if work.future is not None and not self._gone:
            with contextlib.suppress(Exception):
                work.future.release()

    def _tidy(self) -> None:
        """Take our refs off the remote; one that does not go does no harm."""
        try:
            self._truth.take_away({**self._notes.others(), **self._ours})
            self._notes.close()
        except ProvenoteError as error:  # the next dispatcher finds our notes
            print(error.line, file=sys.stderr, flush=True)
