"""The Dask cluster as the dispatcher sees it: give a task, hear of it, stop it, see who is there.

What comes in is put into the dispatcher's mail: ``event`` (what a worker told), ``ended`` (a verdict),
``failed`` (an error of Dask's), ``lost`` (the task or its answer is gone).
"""

from __future__ import annotations

import queue
import sys
import threading
from typing import Any

from provenote.jobs.distant import task
from provenote.jobs.distant.work import Work

Mail = queue.Queue[tuple[str, Any]]


class Cluster:
    """A scheduler and its workers.

    Parameters
    ----------
    client : distributed.Client
    mail : queue.Queue
        Where everything goes that comes in.
    by : str
        The dispatcher's id.
    """

    def __init__(self, client: Any, mail: Mail, by: str) -> None:
        self._client = client
        self._mail = mail
        self._by = by
        self.topic = f"provenote-{by}"
        self.listen()

    def listen(self) -> None:
        """Hear what workers tell; again, when there is another scheduler at the address."""
        self._client.subscribe_topic(self.topic, self._heard)

    async def _heard(self, event: tuple[float, Any]) -> None:
        self._mail.put(("event", event[1]))

    @property
    def there(self) -> bool:
        """Whether the scheduler is connected."""
        return bool(self._client.status == "running")

    def workers(self) -> dict[str, int]:
        """Return the workers that there are now, with their threads."""
        try:
            return dict(self._client.nthreads())
        except Exception:  # the scheduler is being lost, and that is told elsewhere
            return {}

    def give(self, work: Work, order: dict[str, Any]) -> None:
        """Give out the present attempt at a job."""
        job, attempt = work.id, work.attempt
        key = f"provenote-{job}-{attempt}-{self._by}"
        try:
            work.future = self._client.submit(task.work, order, key=key, pure=False, retries=0)
            # Each in a thread: an answer that was lost with its worker is made anew, and takes its time.
            work.future.add_done_callback(
                lambda future: threading.Thread(
                    target=self._ended, args=[future, job, attempt], daemon=True
                ).start()
            )
        except Exception as error:  # the client has given up its scheduler
            print(repr(error), file=sys.stderr, flush=True)
            self._mail.put(("lost", (job, attempt)))

    def _ended(self, future: Any, job: str, attempt: int) -> None:
        try:
            status = future.status
            if status == "finished":
                self._mail.put(("ended", (job, attempt, future.result())))
                return
            if status == "error":
                self._mail.put(("failed", (job, attempt, future.exception())))
                return
        except BaseException as error:  # the answer was lost
            print(repr(error), file=sys.stderr, flush=True)
        self._mail.put(("lost", (job, attempt)))

    def stop(self, job: str, worker: str) -> None:
        """Have a worker stop a job; returns at once, so that a worker that hangs does not keep us."""
        threading.Thread(target=self._stop, args=[job, worker], daemon=True).start()

    def _stop(self, job: str, worker: str) -> None:
        try:
            self._client.run(task.cancel, job, self._by, workers=[worker])
        except Exception as error:  # the worker is gone: that is told elsewhere
            print(repr(error), file=sys.stderr, flush=True)
