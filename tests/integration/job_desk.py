"""What the tests of jobs share: notebooks, a job that runs beside the test, and what is alive of it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import psutil

from provenote import workspace
from provenote.jobs import executor, folder, launch


def cell(source: str, id: str, *tags: str) -> dict[str, Any]:
    metadata = {"tags": list(tags)} if tags else {}
    return {
        "cell_type": "code",
        "id": id,
        "metadata": metadata,
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def write(path: Path, *cells: dict[str, Any], kernel: str = "python3") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    spec = {"name": kernel, "display_name": kernel, "language": "python"}
    book = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": spec}, "cells": list(cells)}
    path.write_text(json.dumps(book))
    return path


def wait_for(condition: Any, seconds: float = 90.0) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come")


def job_processes(job: str) -> list[psutil.Process]:
    """Return the living kernels, and children of kernels, of a job."""
    found = []
    events = folder.JobFolder(workspace.find().home / "jobs" / job).events()
    groups = {event["kernel"] for event in events if event.get("kernel")}
    for process in psutil.process_iter():
        try:
            ours = process.environ().get("PROVENOTE_JOB") == job or os.getpgid(process.pid) in groups
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, ProcessLookupError):
            continue
    return found


def submit(path: Path) -> str:
    """Start a job, and return its id without waiting for it."""
    request = launch.check(path)
    spec = request.spec({}, os.urandom(4).hex(), label=path.stem, commit=launch.commit(request))
    return executor.get(request.workspace).submit(spec)
