"""What a zygote of supervisors prepares, and how its child becomes the supervisor of a job.

A supervisor imports papermill, a client of kernels and Git: longer than a small notebook takes. The zygote
has imported them; it opens no run and reads no job.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from typing import Any

# What `supervisor.run_notebook` uses, whatever the notebook; it imports them late.
_USED = (
    "IPython.paths",
    "asyncio.selector_events",
    "encodings.idna",
    "jupyter_client.manager",
    "jupyter_client.provisioning.local_provisioner",
    "papermill.execute",
    "provenote.data.exchange",
    "provenote.jobs.control",
    "provenote.jobs.distant.attempt",
    "provenote.jobs.distant.publish",
    "provenote.jobs.engine",
    "provenote.jobs.evidence",
    "provenote.jobs.outcome",
    "provenote.jobs.preload",
    "provenote.jobs.provisioner",
    "provenote.jobs.recorder",
    "provenote.jobs.supervisor",
    "provenote.stores.runs",
    "provenote.tracking.starting",
    "provenote.tracking.autolog",
    "provenote.tracking.environment",
    "provenote.tracking.imports",
    "provenote.tracking.outputs",
    "provenote.tracking.resources",
    "pygit2",
    "zmq.asyncio",
)


def prepare(options: dict[str, Any]) -> dict[str, Any]:
    """Import what supervisors need; run in the zygote, once.

    Raises
    ------
    RuntimeError
        If that starts a thread: a process of many threads must not be forked.
    """
    from provenote.jobs import kernels

    kernels.quick_imports()
    for name in _USED:
        importlib.import_module(name)
    _made_once()
    if threading.active_count() > 1:
        raise RuntimeError("something has started a thread")
    return {}


def _made_once() -> None:
    """Let libraries make what they would make at their first use, from the installed packages alone.

    The checker of notebooks is compiled from its schema; who can start kernels is looked up in all packages.
    """
    import nbformat
    from jupyter_client.provisioning.factory import KernelProvisionerFactory

    empty = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}
    nbformat.validate(nbformat.from_dict(empty))  # type: ignore[no-untyped-call]
    KernelProvisionerFactory.instance()


def main_forked(request: dict[str, Any], connection: Any, descriptors: list[int]) -> None:
    """Work for a job until it is over.

    Parameters
    ----------
    request : dict
        ``folder``: the job's.
    connection : socket
        Closed: whoever asked may leave.
    descriptors : list of int
        The job's lease, and a pipe whose byte bids it to begin.
    """
    from provenote.jobs import supervisor

    connection.close()
    lease, hears = descriptors
    if not os.read(hears, 1):
        return  # another one has the job, or whoever asked has taken another way
    os.close(hears)
    arguments = [request["folder"], "--lease", str(lease)]
    sys.argv = [supervisor.__file__, *arguments]
    sys.exit(supervisor.main(arguments))
