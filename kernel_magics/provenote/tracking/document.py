"""The notebook that the kernel's cells belong to: where it is, and what is known of its cells.

Best first: what our JupyterLab extension told through the comm target ``provenote.document``, the file that
the job engine names in ``PROVENOTE_DOC``, the notebook file as last saved.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from provenote.tracking.linearity import Document, Origin

COMM_TARGET = "provenote.document"
JOB_VARIABLE = "PROVENOTE_DOC"
SESSION_VARIABLE = "JPY_SESSION_NAME"
VSCODE_NAME = "__vsc_ipynb_file__"


class Known(NamedTuple):
    """What is known of the notebook.

    Parameters
    ----------
    path : str or None
        Absolute path of the notebook.
    document : Document or None
        The best knowledge of its cells.
    saved : Document or None
        Its cells as the file holds them.
    absent : str
        Why there is no document.
    name : str or None
        The notebook's path as a run tells it: of a job, that of the notebook which the job was made from.
    """

    path: str | None
    document: Document | None
    saved: Document | None
    absent: str
    name: str | None = None


class Documents:
    """Everything that tells about the notebook of one kernel.

    Parameters
    ----------
    names : mapping
        The user's namespace, where VS Code and IPython leave the file's name.
    kernel : bool
        Whether the shell belongs to a kernel; a terminal has no document.
    """

    def __init__(self, names: Mapping[str, Any], *, kernel: bool) -> None:
        self._names = names
        self._kernel = kernel
        self._told: Document | None = None
        self._told_path: str | None = None
        self._folder = os.getcwd()
        self._read: tuple[str, int, int, Document | str] | None = None
        job = os.environ.get(JOB_VARIABLE)
        # Made absolute now: the notebook may change its working folder later.
        self._job = os.path.abspath(job) if job else None
        self._job_name: str | None = None
        session = os.environ.get(SESSION_VARIABLE)
        self._session = os.path.abspath(session) if session else None

    def tell(self, data: Mapping[str, Any]) -> None:
        """Take what the JupyterLab extension tells, before each cell: the notebook's path and its code cells.

        Parameters
        ----------
        data : mapping
            ``{"path": ..., "cells": [[id, digest], ...]}``. What has another form is ignored, for a comm is
            open to everybody. The client's clock may differ from ours, so the moment of arrival counts.
        """
        from provenote.tracking.linearity import Document

        cells = data.get("cells")
        if not isinstance(cells, list):
            return
        made = []
        for entry in cells:
            match entry:
                case [str(cell), str(source)]:
                    made.append((cell, source))
                case _:
                    return
        self._told = Document(tuple(made), round(time.time(), 3), "labextension")
        if isinstance(data.get("path"), str):
            self._told_path = self._absolute(data["path"])

    def _absolute(self, path: str) -> str | None:
        """Find the file that a path from the server's root names: the root is above the kernel's folder."""
        path = path.rsplit(":", 1)[-1].lstrip("/")  # a drive stands before the colon
        folder = os.path.dirname(self._session) if self._session else self._folder
        while True:
            candidate = os.path.join(folder, *path.split("/"))
            if os.path.isfile(candidate):
                return candidate
            if os.path.dirname(folder) == folder:
                return None
            folder = os.path.dirname(folder)

    @property
    def path(self) -> str | None:
        """Where the notebook is, or None when nobody told."""
        if self._job:
            return self._job
        if self._told_path and os.path.isfile(self._told_path):  # it follows a notebook that was renamed
            return self._told_path
        named = self._names.get(VSCODE_NAME)
        if isinstance(named, str) and named:
            return os.path.abspath(named)
        file = self._names.get("__file__")
        if not self._kernel and isinstance(file, (str, os.PathLike)):
            return os.path.abspath(file)
        return self._session if self._kernel else None

    def known(self) -> Known:
        """Return the best knowledge of the notebook at this moment."""
        path = self.path
        if path is None:
            if self._told is not None:
                return Known(None, self._told, None, "")
            if self._kernel:
                return Known(None, None, None, "the client tells neither the notebook's path nor its cells")
            return Known(None, None, None, "a terminal session has no document")
        saved = self._file(path)
        name = self._job_name if path == self._job else path
        if isinstance(saved, str):
            return Known(path, self._told, None, saved, name)
        return Known(path, self._told or saved, saved, "", name)

    def _file(self, path: str) -> Document | str:
        """Read the saved notebook, or say why it cannot be read; unchanged files are read once."""
        from provenote.tracking.linearity import Document, digest

        name = os.path.basename(path)
        try:
            stat = os.stat(path)
        except OSError:
            return f"{name} is not there: it was not saved yet, or has another name now"
        stamp = (path, stat.st_mtime_ns, stat.st_size)
        if self._read is None or self._read[:3] != stamp:
            origin: Origin = "job" if path == self._job else "file"
            try:
                notebook = _load(path)
                cells = code_cells(notebook)
                if path == self._job:
                    self._job_name = _made_from(notebook)
            except (OSError, ValueError, TypeError, KeyError, AttributeError):
                self._read = (*stamp, f"{name} is no notebook that can be read")
            else:
                hashed = tuple((cell, digest(source)) for cell, source in cells)
                at = round(stat.st_mtime_ns / 1e9, 3)
                self._read = (*stamp, Document(hashed, at, origin))
        return self._read[3]


def _load(path: str) -> Any:
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def _made_from(notebook: Mapping[str, Any]) -> str | None:
    """Return the path of the notebook that papermill was given."""
    told = (notebook.get("metadata") or {}).get("papermill") or {}
    path = told.get("input_path")
    return path if isinstance(path, str) and path else None


def read_cells(path: str) -> list[tuple[str | None, str]]:
    """Return id and source of each code cell of a file; none when it is no notebook."""
    try:
        return code_cells(_load(path))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return []


def shown_path(path: str | None, root: str | None) -> str | None:
    """Return a notebook's path as a run names it: from the DVC root if it is inside, else its name."""
    if path is None:
        return None
    real = os.path.realpath(path)
    if root is not None:
        relative = os.path.relpath(real, os.path.realpath(root))
        if not relative.startswith(".."):
            return relative.replace(os.sep, "/")
    return os.path.basename(path)


def code_cells(notebook: Mapping[str, Any]) -> list[tuple[str | None, str]]:
    """Return id and source of each code cell of a notebook of any format version.

    Raises
    ------
    KeyError, TypeError, AttributeError
        If it is no notebook.
    """
    cells = notebook["cells"] if "cells" in notebook else notebook["worksheets"][0]["cells"]
    made = []
    for cell in cells:
        if cell["cell_type"] == "code":
            source = cell["source"] if "source" in cell else cell["input"]
            made.append((cell.get("id"), source if isinstance(source, str) else "".join(source)))
    return made


def saved_as_it_ran(saved: Document | None, ran: Sequence[tuple[str | None, str]]) -> str:
    """Say whether the saved file holds the sources that ran: ``same``, ``differs`` or ``unknown``. Pure.

    Parameters
    ----------
    saved : Document or None
        The notebook as the file holds it.
    ran : sequence of (str or None, str)
        Id and `linearity.digest` of the source of each execution, in order; the last one of a cell counts.
    """
    if saved is None or not ran:
        return "unknown"
    by_id: dict[str | None, str] = {cell: source for cell, source in saved.cells if cell is not None}
    held = {source for _, source in saved.cells}
    last = {cell: source for cell, source in ran if cell is not None}
    shared = any(cell in by_id for cell in last)
    same = [by_id.get(cell) == source if shared else source in held for cell, source in last.items()]
    same += [source in held for cell, source in ran if cell is None]
    return "same" if all(same) else "differs"
