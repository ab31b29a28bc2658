"""The papermill engine of our jobs: it tells the kernel which cell runs, and tells the truth about each cell.

- Each request carries the cell's id and tags, so that the kernel's capture knows the document.
- A cell is ``completed`` only if it ran to its end. After a dead kernel, a timeout or a cancel, the cell at
  work is ``failed`` and those behind it stay ``pending``; papermill calls them all completed.
- No times are written into the notebook: equal runs give equal notebooks.
- Sockets are files of the user's, not ports: nothing to collide with, nothing others can connect to.

Also usable alone: ``papermill --engine provenote in.ipynb out.ipynb``.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import tempfile
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines

from provenote.jobs.client import Client, EarlyEnd

NAME = "provenote"
_IOPUB_PATIENCE = 30  # seconds for the last outputs of a cell that has ended


class Recorder(Protocol):
    """What wants to know how a notebook is getting on."""

    def kernel_started(self, process: Any, group: int | None) -> None:
        """Tell that the kernel's process runs; it leads ``group``."""

    def cell_started(self, index: int, cell: Any) -> None:
        """Tell that a cell is about to run. May raise `provenote.jobs.control.Stopped`."""

    def cell_ended(self, index: int, cell: Any, status: str) -> None:
        """Tell how a cell ended: ``completed``, ``failed`` or ``skipped``."""

    def output(self, text: str) -> None:
        """Take text that a cell printed."""

    def save(self, nb: Any, final: bool = False) -> None:
        """Keep the notebook as it is now; not every call needs to write."""


class Manager(NotebookExecutionManager):  # type: ignore[misc]
    """Papermill's keeper of cell states, without its optimism and its clocks."""

    def __init__(self, nb: Any, output_path: str | None, recorder: Recorder | None, **options: Any) -> None:
        super().__init__(nb, output_path=output_path, **options)
        self.recorder = recorder

    def save(self, final: bool = False, **kwargs: Any) -> None:
        """Keep the notebook: through the recorder, else as papermill does."""
        if self.recorder is None:
            super().save(**kwargs)
        else:
            self.recorder.save(self.nb, final)
            self.last_save_time = self.now()

    def notebook_start(self, **kwargs: Any) -> None:
        """Clear what an earlier execution left."""
        self.nb.metadata.papermill["exception"] = None
        for key in ("start_time", "end_time", "duration", "output_path"):
            self.nb.metadata.papermill.pop(key, None)
        for cell in self.nb.cells:
            cell.metadata.papermill = {"exception": None, "status": self.PENDING}
            if cell.get("cell_type") == "code":
                cell.execution_count, cell.outputs = None, []
        self.save()

    def cell_start(self, cell: Any, cell_index: int | None = None, **kwargs: Any) -> None:
        """Note that a cell is at work."""
        if self.recorder is not None and cell_index is not None:
            self.recorder.cell_started(cell_index, cell)
        cell.metadata.papermill = {"exception": False, "status": self.RUNNING}
        self.save()

    def cell_exception(self, cell: Any, cell_index: int | None = None, **kwargs: Any) -> None:
        """Note that a cell did not reach its end."""
        cell.metadata.papermill = {"exception": True, "status": self.FAILED}
        self.nb.metadata.papermill["exception"] = True

    def cell_complete(self, cell: Any, cell_index: int | None = None, **kwargs: Any) -> None:
        """Note how a cell ended."""
        if cell.metadata.papermill["status"] == self.RUNNING:
            cell.metadata.papermill["status"] = self.COMPLETED
        if self.recorder is not None and cell_index is not None:
            self.recorder.cell_ended(cell_index, cell, cell.metadata.papermill["status"])
        self.save()
        if self.pbar:
            self.pbar.update(1)

    def notebook_complete(self, **kwargs: Any) -> None:
        """Keep the notebook once more; a cell that never ran stays pending."""
        self.cleanup_pbar()
        self.save(final=True)


class ProvenoteEngine(NBClientEngine):  # type: ignore[misc]
    """The engine that papermill knows as ``provenote``."""

    client: type[Client] = Client

    @classmethod
    def execute_notebook(
        cls,
        nb: Any,
        kernel_name: str,
        output_path: str | None = None,
        progress_bar: bool | dict[str, Any] = True,
        log_output: bool = False,
        autosave_cell_every: int = 30,
        recorder: Recorder | None = None,
        **kwargs: Any,
    ) -> Any:
        """Execute a notebook; see papermill's ``Engine.execute_notebook``.

        Parameters
        ----------
        recorder : Recorder, optional
            Who keeps the notebook and hears how it is getting on.
        **kwargs : object
            ``source``: name of the notebook for its metadata; ``document``: path of the notebook as it runs;
            ``folder``: the kernel's working directory; ``env``: its environment; ``cell_timeout``: seconds;
            ``output_limit``: bytes of text that a cell may print into the notebook; ``warm``: whether the
            kernel may be forked, having imported what the notebook imports.
        """
        source = kwargs.pop("source", None)
        if source is not None:
            nb.metadata.papermill["input_path"] = source
        manager = Manager(
            nb,
            output_path,
            recorder,
            progress_bar=progress_bar,
            log_output=log_output,
            autosave_cell_every=autosave_cell_every,
        )
        manager.notebook_start()
        try:
            cls.execute_managed_notebook(manager, kernel_name, log_output=log_output, **kwargs)
        finally:
            manager.notebook_complete()
        return manager.nb

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Manager,
        kernel_name: str,
        log_output: bool = False,
        stdout_file: Any = None,
        stderr_file: Any = None,
        start_timeout: int = 60,
        execution_timeout: float | None = None,
        **kwargs: Any,
    ) -> Any:
        """Execute with a kernel of its own, which is gone with all its children when this returns."""
        for name in ("input_path", "timeout", "startup_timeout"):
            kwargs.pop(name, None)
        document = kwargs.pop("document", None)
        limit = kwargs.pop("cell_timeout", None) or execution_timeout
        folder = kwargs.pop("folder", None)
        env = dict(kwargs.pop("env", None) or os.environ)
        env.pop("JPY_SESSION_NAME", None)  # the notebook that we may have been called from is not this one
        with tempfile.TemporaryDirectory(prefix="provenote-") as scratch:
            if document is None:
                document = os.path.join(scratch, "source.ipynb")
                with open(document, "w", encoding="utf-8") as file:
                    json.dump(nb_man.nb, file)
            client = cls.client(
                nb_man,
                kernel_name=kernel_name,
                startup_timeout=start_timeout,
                timeout_func=_constant(limit),
                iopub_timeout=_IOPUB_PATIENCE,
                record_timing=False,
                log_output=log_output,
                stdout_file=stdout_file,
                stderr_file=stderr_file,
                resources={"metadata": {"path": folder}} if folder else {},
                **kwargs,
            )
            try:
                return client.execute(env={**env, "PROVENOTE_DOC": str(document)})
            except EarlyEnd:
                if nb_man.recorder is not None:
                    raise
                return nb_man.nb  # plain papermill judges the SystemExit in the outputs itself


def _constant(seconds: float | None) -> Callable[[Any], Any] | None:
    return (lambda cell: seconds) if seconds else None


def exit_signal(code: int | None) -> str:
    """Return how a process ended, in words, from its return code."""
    if code is None or code >= 0:
        return f"exit status {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def run(data: Mapping[str, Any], kernel: str, recorder: Recorder, options: Mapping[str, Any]) -> None:
    """Run a notebook through papermill with this engine.

    Parameters
    ----------
    data : mapping
        The notebook as JSON, with its parameters already injected.
    kernel : str
        Name of the kernel specification.
    recorder : Recorder
    options : mapping
        See `ProvenoteEngine.execute_notebook`.
    """
    import logging

    import nbformat
    import papermill

    logging.getLogger("papermill").setLevel(logging.WARNING)
    papermill_engines.register(NAME, ProvenoteEngine)
    # Papermill fails on any error output, also of a cell tagged raises-exception; the recorder knows better.
    nb = nbformat.from_dict(data)  # type: ignore[no-untyped-call]
    with contextlib.suppress(papermill.PapermillExecutionError):
        papermill.execute_notebook(
            nb, None, engine_name=NAME, kernel_name=kernel, progress_bar=False, recorder=recorder, **options
        )
