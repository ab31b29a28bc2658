"""The client of our engine: it starts one kernel for a notebook, warm or cold, sends the cells, and ends it.

- Sockets are files of the user's, not ports: nothing to collide with, nothing others can connect to.
- The kernel is ready when it has answered; its end is noticed at once. Nothing waits for a fixed time.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
import uuid
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Any

from nbclient.exceptions import CellExecutionError
from nbclient.util import ensure_async, run_sync
from papermill.clientwrap import PapermillNotebookClient

from provenote.jobs import descendants
from provenote.jobs.notebook import is_case, is_test

if TYPE_CHECKING:
    from jupyter_client.manager import KernelManager
    from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase

    from provenote.jobs.engine import Manager

_SOCKET_LIMIT = 90  # characters of a socket's path; the system refuses 108 and more
_ANSWER = 1.0  # seconds for an answer, before we look whether the kernel lives
_ECHO = 0.2  # seconds for the answer's trace among the outputs, before we ask again
_FAREWELL = 2.5  # seconds that a kernel may take to end by itself
_LOOK_EVERY = 0.005  # seconds between two looks whether it has ended


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


class Client(PapermillNotebookClient):  # type: ignore[misc]
    """Executes the cells in one kernel.

    Parameters
    ----------
    manager : Manager
    output_limit : int
        Bytes of text that one cell may print into the notebook; what is more is dropped with a notice.
    warm : bool
        Whether the kernel may be forked, having imported what the notebook imports.
    """

    def __init__(
        self, manager: Manager, *, output_limit: int = 0, warm: bool = False, **options: Any
    ) -> None:
        super().__init__(manager, **options)
        self._limit = output_limit
        self._warm = warm
        self._info: dict[str, Any] = {}
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
                self.nb.metadata["language_info"] = self._info["language_info"]
                self.papermill_execute_cells()
                self.set_widgets_metadata()
        finally:
            if self._group:
                descendants.end_group(self._group)
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
        manager.kernel_id = str(uuid.uuid4())
        manager.provisioner = self._provisioner(manager)
        return manager  # type: ignore[no-any-return]

    def _provisioner(self, manager: KernelManager, warm: bool = True) -> KernelProvisionerBase | None:
        """Return who starts the kernel; None where its specification or the user names somebody else.

        Looking in all installed packages for who is named takes longer than the rest of a small job.
        """
        from jupyter_client.provisioning.local_provisioner import LocalProvisioner

        spec = manager.kernel_spec
        assert spec is not None
        if "kernel_provisioner" in spec.metadata or os.environ.get("JUPYTER_DEFAULT_PROVISIONER_NAME"):
            return None
        about = {"kernel_id": manager.kernel_id, "kernel_spec": spec, "parent": manager}
        from provenote.jobs.warm import possible

        if not (warm and self._warm and possible()) or spec.language != "python":
            return LocalProvisioner(**about)
        from provenote.jobs import preload
        from provenote.jobs.provisioner import WarmProvisioner

        folder = Path(self.resources.get("metadata", {}).get("path") or os.getcwd())
        try:
            wanted = preload.wanted(self.nb, folder)
        except Exception:  # whatever the notebook holds: it can import by itself
            wanted = []
        return WarmProvisioner(preload=wanted, **about)

    # nbclient binds its synchronous names to its own coroutine functions, so ours need a binding too.

    async def async_start_new_kernel(self, **kwargs: Any) -> None:
        """Start the kernel and tell who it is."""
        self._started_with = kwargs
        await super().async_start_new_kernel(**kwargs)
        provisioner = self.km.provisioner
        self._group = getattr(provisioner, "pgid", None)
        if self.nb_man.recorder is not None:
            self.nb_man.recorder.kernel_started(getattr(provisioner, "process", None), self._group)

    def start_new_kernel(self, **kwargs: Any) -> None:
        """Start the kernel and tell who it is."""
        run_sync(self.async_start_new_kernel)(**kwargs)

    async def async_start_new_kernel_client(self) -> Any:
        """Connect to the kernel and wait until it answers; a forked one that does not is replaced."""
        try:
            await self._connect()
        except RuntimeError as error:
            if not getattr(self.km.provisioner, "forked", False):
                await self._async_cleanup_kernel()
                raise
            print(f"This kernel was started cold: {error}.", file=sys.stderr, flush=True)
            self.kc.stop_channels()
            await ensure_async(self.km.shutdown_kernel(now=True))
            self.km.provisioner = self._provisioner(self.km, warm=False)
            await self.async_start_new_kernel(**self._started_with)
            await self._connect()
        return self.kc

    def start_new_kernel_client(self) -> Any:
        """Connect to the kernel and wait until it answers."""
        return run_sync(self.async_start_new_kernel_client)()

    async def _connect(self) -> None:
        """Open the channels; ready is a kernel whose answer came, and whose trace came among the outputs.

        Raises
        ------
        RuntimeError
            If it died or did not answer in time.
        """
        self.kc = self.km.client()
        self.kc.start_channels(hb=False)
        until = time.monotonic() + self.startup_timeout
        while time.monotonic() < until:
            asked = self.kc.kernel_info()
            try:
                reply = await ensure_async(self.kc.shell_channel.get_msg(timeout=_ANSWER))
            except Empty:
                if not await ensure_async(self.km.is_alive()):
                    raise RuntimeError("the kernel died before it answered") from None
                continue
            if reply["msg_type"] == "kernel_info_reply" and await self._echoed(asked):
                self.kc._handle_kernel_info_reply(reply)
                self.kc.allow_stdin = False
                self._info = reply["content"]
                return
        raise RuntimeError(f"the kernel did not answer within {self.startup_timeout} s")

    async def _echoed(self, asked: str) -> bool:
        """Whether the outputs tell that a request was served: they reach us then, and none will be missed."""
        until = time.monotonic() + _ECHO
        while time.monotonic() < until:
            try:
                message = await ensure_async(self.kc.iopub_channel.get_msg(timeout=_ECHO / 4))
            except Empty:
                continue
            idle = message["msg_type"] == "status" and message["content"]["execution_state"] == "idle"
            if idle and message["parent_header"].get("msg_id") == asked:
                return True
        return False

    async def _async_cleanup_kernel(self) -> None:
        """Let the kernel end by itself, as far as it does so soon, and tidy up."""
        process = getattr(self.km.provisioner, "process", None)
        left = descendants.Left(self._group) if self._group else None
        if self.shutdown_kernel == "graceful" and process is not None and process.poll() is None:
            await ensure_async(self.km.request_shutdown())
            until = time.monotonic() + _FAREWELL
            while process.poll() is None and time.monotonic() < until:
                await asyncio.sleep(_LOOK_EVERY)
        try:
            await super()._async_cleanup_kernel()
        finally:
            if left is not None:
                left.end()

    def _cleanup_kernel(self) -> None:
        """End the kernel."""
        run_sync(self._async_cleanup_kernel)()

    def papermill_execute_cells(self) -> None:
        """Run cell after cell, and leave each with the status it earned; one that fails is the last.

        Raises
        ------
        EarlyEnd
            If a cell ended the notebook on purpose.
        """
        testing = is_test(self.nb)
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
                if not (testing and is_case(cell)):
                    return  # of a test the other cases still run: one that fails says nothing of them
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
