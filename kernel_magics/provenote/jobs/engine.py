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
import shutil
import signal
import tempfile
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from nbclient.exceptions import CellExecutionError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines

if TYPE_CHECKING:
    from jupyter_client.manager import KernelManager

NAME = "provenote"
_SOCKET_LIMIT = 90  # characters of a socket's path; the system refuses 108 and more
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


class EarlyEnd(Exception):
    """A cell ended the notebook on purpose: ``sys.exit()`` or ``exit()``.

    Parameters
    ----------
    code : int or str or None
        What it exited with.
    """

    def __init__(self, code: Any) -> None:
        super().__init__(code)
        self.code = code


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


class Client(PapermillNotebookClient):  # type: ignore[misc]
    """Executes the cells in one kernel.

    Parameters
    ----------
    manager : Manager
    output_limit : int
        Bytes of text that one cell may print into the notebook; what is more is dropped with a notice.
    """

    def __init__(self, manager: Manager, *, output_limit: int = 0, **options: Any) -> None:
        super().__init__(manager, **options)
        self._limit = output_limit
        self._printed = 0
        self._folder = ""
        self._group: int | None = None
        self._exit_asked = False
        self.on_cell_execute = self._announce
        self.on_cell_executed = self._answered

    def execute(self, **kwargs: Any) -> Any:
        """Start the kernel, run the cells, end the kernel and all that it left in its process group."""
        self.reset_execution_trackers()
        try:
            with self.setup_kernel(**kwargs):
                reply = self.wait_for_reply(self.kc.kernel_info())
                if reply is not None:
                    self.nb.metadata["language_info"] = reply["content"]["language_info"]
                self.papermill_execute_cells()
                self.set_widgets_metadata()
        finally:
            if self._group:
                from provenote.jobs.warden import kill_group

                kill_group(self._group)
            shutil.rmtree(self._folder, ignore_errors=True)
        return self.nb

    def create_kernel_manager(self) -> KernelManager:
        """Create a manager that talks over socket files in a private folder, unless its path is too long."""
        manager = super().create_kernel_manager()
        base = os.environ.get("XDG_RUNTIME_DIR") or None
        for where in dict.fromkeys((base, None, "/tmp")):
            try:
                self._folder = tempfile.mkdtemp(prefix="provenote-", dir=where)
            except OSError:
                continue
            if len(self._folder) < _SOCKET_LIMIT:
                manager.connection_file = os.path.join(self._folder, "k.json")
                manager.transport = "ipc"
                manager.ip = os.path.join(self._folder, "k-ipc")
                break
            shutil.rmtree(self._folder, ignore_errors=True)
        return manager  # type: ignore[no-any-return]

    async def async_start_new_kernel(self, **kwargs: Any) -> None:
        """Start the kernel and tell who it is."""
        await super().async_start_new_kernel(**kwargs)
        provisioner = self.km.provisioner
        self._group = getattr(provisioner, "pgid", None)
        if self.nb_man.recorder is not None:
            self.nb_man.recorder.kernel_started(getattr(provisioner, "process", None), self._group)

    # nbclient binds its synchronous names to its own coroutine functions, so ours need a binding too.
    def start_new_kernel(self, **kwargs: Any) -> None:
        """Start the kernel and tell who it is."""
        from nbclient.util import run_sync

        run_sync(self.async_start_new_kernel)(**kwargs)

    def papermill_execute_cells(self) -> None:
        """Run cell after cell, and leave each with the status it earned.

        Raises
        ------
        EarlyEnd
            If a cell ended the notebook on purpose.
        """
        for index, cell in enumerate(self.nb.cells):
            self.nb_man.cell_start(cell, index)
            try:
                self.execute_cell(cell, index)
            except CellExecutionError as error:
                if error.ename == "SystemExit" and error.evalue in ("", "0", "None"):
                    self.nb_man.cell_complete(cell, cell_index=index)
                    raise EarlyEnd(0) from None
                self.nb_man.cell_exception(cell, cell_index=index, exception=error)
                self.nb_man.cell_complete(cell, cell_index=index)
                if error.ename == "SystemExit":
                    raise EarlyEnd(error.evalue) from None
                return
            except BaseException as error:
                self.shutdown_kernel = "immediate"
                self.nb_man.cell_exception(cell, cell_index=index, exception=error)
                self.nb_man.cell_complete(cell, cell_index=index)
                raise
            self.nb_man.cell_complete(cell, cell_index=index)
            if self._exit_asked:
                raise EarlyEnd(0)

    def _announce(self, cell: Any, cell_index: int) -> None:
        """Put the cell's id and tags on the request that is about to be sent."""
        self._printed = 0
        self.kc.session.metadata = {"cellId": cell.get("id"), "tags": list(cell.metadata.get("tags", []))}

    def _answered(self, cell: Any, cell_index: int, execute_reply: Any) -> None:
        """Notice that the cell called ``exit()``: the kernel ends after it, by the user's will."""
        self.kc.session.metadata = {}
        payload = execute_reply["content"].get("payload", []) if execute_reply else []
        self._exit_asked = any(part.get("source") == "ask_exit" for part in payload)

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        """Take one message of the kernel; text goes to the recorder too, and is limited in the notebook."""
        if msg["msg_type"] == "stream":
            if self.nb_man.recorder is not None:
                self.nb_man.recorder.output(msg["content"]["text"])
            if not self._admit(msg["content"]):
                return None
        elif msg["msg_type"] == "error" and self.nb_man.recorder is not None:
            self.nb_man.recorder.output("\n".join(msg["content"].get("traceback", [])) + "\n")
        return super().process_message(msg, cell, cell_index)

    def _admit(self, content: dict[str, str]) -> bool:
        """Whether this text goes into the notebook; the text that crosses the limit is cut."""
        before, self._printed = self._printed, self._printed + len(content["text"])
        if not self._limit or self._printed <= self._limit:
            return True
        if before >= self._limit:
            return False
        content["text"] = (
            content["text"][: self._limit - before] + "\n[more output is in the job's log only]\n"
        )
        return True


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
            ``output_limit``: bytes of text that a cell may print into the notebook.
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
