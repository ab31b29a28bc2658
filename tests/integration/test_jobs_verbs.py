"""The verbs that look at jobs and stop them, with real kernels."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tests.integration.test_jobs import cell, job_processes, wait_for, write

from provenote import workspace
from provenote.commands import jobs as verbs
from provenote.commands.tree import Context
from provenote.errors import UsageError
from provenote.jobs import executor, folder, launch


def begun(path: Path, label: str = "t", **given: Any) -> str:
    """Start a job and return its id."""
    request = launch.check(path)
    spec = request.spec(given, str(time.time()), label=label, commit=launch.commit(request))
    return executor.get(request.workspace).submit(spec)


WAITS = """
import os, time
print('up', flush=True)
while not os.path.exists('go'):
    time.sleep(0.05)
print('down')
"""


def test_a_job_is_watched_and_its_log_followed(repo):
    nb = write(repo / "t.ipynb", cell("1", "c1"), cell(WAITS, "c2"), cell("2", "c3"))
    job = begun(nb)
    views: list[Any] = []
    said: list[str] = []
    ends: list[Any] = []

    def watched() -> None:
        ends.append(verbs.jobs(Context(draw=views.append), watch=True))

    def followed() -> None:
        ends.append(verbs.job_logs(Context(write=said.append), job[:8], follow=True))

    threads = [threading.Thread(target=watched), threading.Thread(target=followed)]
    for thread in threads:
        thread.start()
    wait_for(lambda: "up\n" in "".join(said) and any(v.data["jobs"][0]["cell"] == 2 for v in views))
    (repo / "go").touch()
    for thread in threads:
        thread.join()
    assert "".join(said).endswith("up\ndown\n")
    last = next(end for end in ends if "jobs" in end.data).data["jobs"][0]
    assert (last["state"], last["cell"], last["cells"], last["left"]) == ("succeeded", 3, 3, None)
    logged = next(end for end in ends if "log" in end.data)
    assert logged.data == {"id": job, "log": "".join(said)}
    # Without a face that takes text, the whole log is the answer once the job is over.
    assert verbs.job_logs(Context(), job[:8], follow=True).data["log"].endswith("up\ndown")


def test_all_jobs_are_stopped(repo):
    nb = write(repo / "t.ipynb", cell("import time; print('up', flush=True); time.sleep(300)", "c1"))
    with pytest.raises(UsageError, match="which job"):
        verbs.job_cancel(Context())
    assert verbs.job_cancel(Context(), all=True).data["asked"] == 0
    jobs = [begun(nb), begun(nb)]
    with pytest.raises(UsageError, match="which job"):
        verbs.job_cancel(Context(), jobs[0][:8], all=True)
    there = executor.get(workspace.find())
    wait_for(lambda: all("up" in there.logs(job) for job in jobs))
    assert verbs.job_cancel(Context(), all=True).data["asked"] == 2
    wait_for(lambda: all(there.status(job).over for job in jobs))
    assert [there.status(job).state for job in jobs] == ["cancelled"] * 2
    assert not [process for job in jobs for process in job_processes(job)]
    assert len(folder.listing(workspace.find().home)) == 2
