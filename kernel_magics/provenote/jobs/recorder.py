"""What a supervisor writes down while its notebook runs: events, the log, and the notebook as executed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from provenote import masking
from provenote.errors import WorldError
from provenote.jobs.control import Control, Stopped
from provenote.jobs.folder import JobFolder
from provenote.jobs.notebook import INJECTED, dump

_SAVE_EVERY = 2.0  # seconds between two saves of the notebook, and at most a twentieth of the time
_LINE_EVERY = 1.0  # seconds between two events that carry a line of output
LOG_LIMIT = 20_000_000  # bytes of log.txt
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


class JobRecorder:
    """The engine's listener for one attempt.

    Parameters
    ----------
    folder : JobFolder
    attempt : Path
        Folder of the attempt.
    control : Control
        Who may stop it.
    """

    def __init__(self, folder: JobFolder, attempt: Path, control: Control) -> None:
        self._folder = folder
        self._path = attempt / "out.ipynb"
        self._control = control
        self._log: BinaryIO = (attempt / "log.txt").open("ab")
        self._logged = 0
        self._mask = masking.of_process()
        self._saved, self._cost = 0.0, 0.0
        self._told, self._begun = 0.0, 0.0
        self.process: Any = None
        self.cells: list[dict[str, Any]] = []
        self.failed_cell: dict[str, Any] | None = None
        self.executed: dict[str, Any] | None = None
        self.number = 0  # the code cell at work, and all of them: the user's own, without the injected one
        self.total = 0

    def kernel_started(self, process: Any, group: int | None) -> None:
        """Let the control stop this kernel."""
        self.process = process
        self._control.watch(group)
        warm = getattr(process, "forked", False)
        self._folder.append({"state": "running", "cells": self.total, "kernel": group, "warm": warm})

    def cell_started(self, index: int, cell: Any) -> None:
        """Tell which cell runs.

        Raises
        ------
        Stopped
            If the job was asked to stop.
        """
        if self._control.verdict is not None:
            raise Stopped
        self._begun = time.monotonic()
        if cell["cell_type"] == "code" and INJECTED not in cell["metadata"].get("tags", []):
            self.number += 1
            self._folder.append({"cell": self.number, "id": cell["id"]})

    def cell_ended(self, index: int, cell: Any, status: str) -> None:
        """Keep how the cell ended and how long it took."""
        if cell["cell_type"] != "code":
            return
        seconds = round(time.monotonic() - self._begun, 3)
        self.cells.append({"id": cell["id"], "status": status, "seconds": seconds})
        if status == "failed" and self.failed_cell is None:  # of a test's cases the first that failed is told
            error: dict[str, Any] = next(
                (out for out in reversed(cell["outputs"]) if out["output_type"] == "error"), {}
            )
            evalue = _ANSI.sub("", str(error.get("evalue") or "")) or asserted(error)
            self.failed_cell = {
                "number": self.number,
                "index": index,
                "id": cell["id"],
                "ename": error.get("ename"),
                "evalue": evalue[:300],
            }

    def output(self, text: str) -> None:
        """Append text to the log, and tell its last line now and then."""
        plain = _ANSI.sub("", text)
        if self._mask is not None:
            plain = self._mask.text(plain)
        if self._logged < LOG_LIMIT:
            content = plain.encode("utf-8", "replace")[: LOG_LIMIT - self._logged]
            self._logged += len(content)
            if self._logged >= LOG_LIMIT:
                content += b"\n[the log ends here: it has reached its limit]\n"
            with contextlib.suppress(OSError):  # a full disk ends the job elsewhere, with its reason
                self._log.write(content)
                self._log.flush()
        line = last_line(plain)
        now = time.monotonic()
        if line and now - self._told >= _LINE_EVERY:
            self._told = now
            self._folder.append({"line": line})

    def save(self, nb: Any, final: bool = False) -> None:
        """Write the notebook, whole or not at all; not more often than its size allows."""
        now = time.monotonic()
        if not final and now - self._saved < max(_SAVE_EVERY, 20 * self._cost):
            return
        content = dump(nb)
        if self._mask is not None:
            content = self._mask.content(content)
        if final:
            self.executed = json.loads(content)
        write_whole(self._path, content)
        self._saved = time.monotonic()
        self._cost = self._saved - now

    def close(self) -> None:
        """Close the log; what reached it past the kernel's messages is looked through for secrets."""
        self._log.close()
        if self._mask is not None:
            path = self._path.with_name("log.txt")
            with contextlib.suppress(OSError):
                said = path.read_bytes()
                clean = self._mask.content(said)
                if clean != said:
                    path.write_bytes(clean)


def asserted(error: Mapping[str, Any]) -> str:
    """Return the assert that failed without a message, as its traceback points at it; else empty."""
    if error.get("ename") != "AssertionError":
        return ""
    lines = _ANSI.sub("", "\n".join(error.get("traceback") or ())).split("\n")
    found = [line for line in lines if line.startswith("---") and " assert " in f"{line} "]
    return found[-1].lstrip("->").strip().partition(" ")[2].strip() if found else ""


def last_line(text: str) -> str:
    """Return the last line of ``text`` as a terminal shows it: behind the last carriage return."""
    for line in reversed(text.split("\n")):
        shown = next((part for part in reversed(line.split("\r")) if part.strip()), "")
        if shown:
            return " ".join(shown.split())[:200]
    return ""


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash, finds the old or the new content, never a part.

    Raises
    ------
    WorldError
        If it cannot be written.
    """
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise WorldError(
            f"{path} cannot be written ({error.strerror})", "Check the disk and its rights"
        ) from error
