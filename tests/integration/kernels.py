"""A real kernel, fed as a notebook's front end feeds it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from jupyter_client.manager import KernelManager

from provenote import workspace
from provenote.git import trees
from provenote.model import Row
from provenote.stores import index, runs


class Kernel:
    """A kernel and its client: requests carry what the front end sends, outputs come back with the reply.

    Parameters
    ----------
    notebook : path, optional
        Told to the kernel as Jupyter Server does.
    env : str
        More of its environment.
    """

    def __init__(self, notebook: Path | None = None, **env: str) -> None:
        import os

        given = {**os.environ, **env}
        if notebook is not None:
            given["JPY_SESSION_NAME"] = str(notebook)
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(env=given)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def __enter__(self) -> Kernel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown(now=kind is not None)

    def shutdown(self, *, now: bool = False) -> None:
        """End the kernel as a front end does, or kill it."""
        self.client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel(now=now)

    def send(
        self,
        code: str,
        cell: str | None = None,
        deleted: Sequence[str] = (),
        *,
        silent: bool = False,
        stdin: bool = False,
    ) -> str:
        """Send a request, and return its id."""
        content = {
            "code": code,
            "silent": silent,
            "store_history": not silent,
            "user_expressions": {},
            "allow_stdin": stdin,
            "stop_on_error": False,
        }
        message = self.client.session.msg("execute_request", content)
        if cell is not None:
            message["metadata"] = {"cellId": cell, "tags": [], "deletedCells": list(deleted)}
        self.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def wait(self, request: str, timeout: float = 60) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return the reply to a request, and its outputs."""
        outputs: list[dict[str, Any]] = []
        while True:
            message = self.client.get_iopub_msg(timeout=timeout)
            if message["parent_header"].get("msg_id") != request:
                continue
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
            outputs.append({"type": message["msg_type"], **message["content"]})
        while True:
            reply = self.client.get_shell_msg(timeout=timeout)
            if reply["parent_header"].get("msg_id") == request:
                return reply["content"], outputs

    def run(
        self, code: str, cell: str | None = None, deleted: Sequence[str] = (), **more: bool
    ) -> dict[str, Any]:
        """Run a cell and return the reply; its outputs are under ``outputs``."""
        reply, outputs = self.wait(self.send(code, cell, deleted, **more))
        return {**reply, "outputs": outputs}

    def tell(self, target: str, data: dict[str, Any]) -> None:
        """Open a comm, as an extension of the front end does."""
        content = {"comm_id": f"comm-{time.time_ns()}", "target_name": target, "data": data}
        self.client.shell_channel.send(self.client.session.msg("comm_open", content))


def notebook(path: Path, *sources: str, ids: bool = True, **metadata: Any) -> Path:
    """Write a notebook with cells ``c0``, ``c1`` and so on."""
    cells = [
        {
            "cell_type": "code",
            "id": f"c{n}",
            "source": source,
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }
        for n, source in enumerate(sources)
    ]
    if not ids:
        for cell in cells:
            del cell["id"]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    minor = 5 if ids else 4
    path.write_text(
        json.dumps(
            {"cells": cells, "metadata": {**kernel, **metadata}, "nbformat": 4, "nbformat_minor": minor}
        )
    )
    return path


def finished(label: str) -> list[Row]:
    """Return the runs of a label, oldest first."""
    rows, _ = index.rows(workspace.find(), everything=True)
    return sorted((row for row in rows if row.label == label), key=lambda row: row.started)


def whole(row: Row) -> dict[str, Any]:
    """Return the whole ``run.json`` of a run."""
    assert row.commit is not None
    return index.document(workspace.find(), row.commit)


def executed(row: Row) -> list[dict[str, Any]]:
    """Return the cells of a run's executed notebook, sources joined."""
    assert row.commit is not None
    content = runs.file(trees.repository(workspace.find().common_dir), row.commit, "executed.ipynb")
    assert content is not None
    cells: list[dict[str, Any]] = json.loads(content)["cells"]
    return [{**cell, "source": "".join(cell["source"])} for cell in cells]
