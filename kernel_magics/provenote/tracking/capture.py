"""What ran since the kernel started: the record behind linearity and ``executed.ipynb``.

- IPython's events tell of each execution. They nest (``%%capture``, ``%run nb.ipynb``, ``run_cell``), so
  executions are a stack, one a thread, by the identity of their `ExecutionInfo`; only the first is a cell.
- ``ipython x.ipy`` and ``ipython x.ipynb`` run their cells silently: these are seen through ``pre_execute``.
  Other silent executions are a client's probes and are no cells.
- What ran before the extension was loaded is known from ``In``; the cell that loads it, from the frames.
- Observers (``%%track``) learn of every execution when it begins and when it ends.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from provenote.tracking import document, modules
from provenote.tracking.outputs import HistoryOutputs, KernelOutputs, Outputs
from provenote.tracking.record import Ran, Record

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionInfo, ExecutionResult, InteractiveShell

    from provenote.workspace import Workspace


class Observer(Protocol):
    """Who wants to know of every execution, nested ones too; it must not raise."""

    def entered(self, info: ExecutionInfo) -> None:
        """Take note that an execution begins."""

    def left(self, info: ExecutionInfo, error: BaseException | None) -> None:
        """Take note that an execution ended, with its error."""


class _Entry:
    """An execution that is going on; the first of a stack is a cell, those above it run inside it."""

    __slots__ = ("history", "info", "ran", "result", "silent")

    def __init__(self, info: Any, silent: bool, result: Any) -> None:
        self.info = info
        self.silent = silent
        self.result = result
        self.ran: Ran | None = None
        self.history: HistoryOutputs | None = None


class Capture:
    """The record of one shell.

    Parameters
    ----------
    shell : InteractiveShell
        The shell whose executions are recorded.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell: Any = shell
        self.kernel: Any = getattr(shell, "kernel", None)
        self.record = Record(
            document.Documents(shell.user_ns, kernel=self.kernel is not None),
            modules.Modules(modules.work_tree(os.getcwd()), self._patched),
        )
        self.observers: list[Observer] = []
        self._stacks: dict[int, list[_Entry]] = {}
        self._requests: dict[str, Outputs] = {}
        self._outputs: KernelOutputs | None = None
        self._is_open = False
        self._file_cells: list[tuple[str | None, str]] | None = None
        self._file_position = 0

    # ------------------------------------------------------------------ beginning and end

    def open(self) -> None:
        """Begin to record, and take over what ran before; nothing when it records already."""
        if self._is_open:
            return
        self._is_open = True
        self.record.modules.note()
        self._adopt_history()
        if self.kernel is not None:
            self._outputs = KernelOutputs(self.shell, (sys.stdout, sys.stderr), self._requests.get)
            self.kernel.comm_manager.register_target(document.COMM_TARGET, self._comm)
        self._adopt_running()
        for name, callback in self._callbacks():
            self.shell.events.register(name, callback)

    def close(self) -> None:
        """Stop recording; the record stays, and `open` goes on with it."""
        if not self._is_open:
            return
        self._is_open = False
        for name, callback in self._callbacks():
            self.shell.events.unregister(name, callback)
        if self._outputs is not None:
            self._outputs.close()
            self.kernel.comm_manager.unregister_target(document.COMM_TARGET, self._comm)

    def _callbacks(self) -> list[tuple[str, Any]]:
        return [
            ("pre_execute", self._pre_execute),
            ("pre_run_cell", self._pre_run_cell),
            ("post_execute", self._post_execute),
            ("post_run_cell", self._post_run_cell),
        ]

    def _comm(self, comm: Any, message: dict[str, Any]) -> None:
        def take(message: dict[str, Any]) -> None:
            data = message["content"].get("data")
            if isinstance(data, dict):
                self.record.documents.tell(data)

        comm.on_msg(take)
        take(message)

    def _adopt_history(self) -> None:
        """Take the sources that ``In`` holds of cells that nobody recorded."""
        history = self.shell.history_manager
        if history is None:
            return
        failed = getattr(history, "exceptions", None)
        recorded = {one.number for one in self.record.executions}
        now = time.time()
        running = {entry[0].execution_count for entry in _running() if entry[0] is not None}
        for number, source in enumerate(list(history.input_hist_raw)):
            if number == 0 or number in recorded or number in running or not source.strip():
                continue
            one = Ran(number, None, source, now)
            one.before_load = True
            if failed is not None:
                one.ok = number not in failed
                if not one.ok and failed[number].get("ename") in ("SyntaxError", "IndentationError"):
                    one.nothing = True
            self.record.executions.append(one)

    def _adopt_running(self) -> None:
        """Take over the executions that are going on: the cell that loads the extension, or reloads it."""
        running = _running()
        going = [result.info for result, _ in running]
        for stack in self._stacks.values():
            stack[:] = [entry for entry in stack if entry.info in going]
        known = [entry.info for stack in self._stacks.values() for entry in stack]
        for index, (result, silent) in enumerate(running):
            if result.info in known:
                continue
            if index == 0 and silent and self._named_file():  # its file gives the cells that ran before it
                self._adopt_file(result.info)
            self._enter(result.info, silent=silent, result=result)

    def _adopt_file(self, info: Any) -> None:
        """Take the cells that ``ipython nb.ipynb`` ran before this one: all, in order, or it had stopped."""
        cells = self._cells_of_file()
        here = next((index for index, (_, source) in enumerate(cells) if source == info.raw_cell), 0)
        now = time.time()
        for cell, source in cells[:here]:
            if source.strip():
                one = Ran(0, cell, source, now)
                one.before_load, one.ok = True, True
                self.record.executions.append(one)
        self._file_position = here

    # ------------------------------------------------------------------ events

    def _pre_run_cell(self, info: ExecutionInfo) -> None:
        frame = sys._getframe(2)
        result = frame.f_locals.get("result") if frame.f_code.co_name == "run_cell_async" else None
        self._enter(info, silent=False, result=result)

    def _pre_execute(self) -> None:
        # The event tells nothing: what is executed stands in the frame that triggers it, if it is no comm.
        frame = sys._getframe(2)
        if frame.f_code.co_name == "run_cell_async" and frame.f_locals.get("silent"):
            self._enter(frame.f_locals["info"], silent=True, result=frame.f_locals["result"])

    def _post_run_cell(self, result: ExecutionResult | None) -> None:
        stack = self._stacks.get(threading.get_ident(), [])
        if result is None:  # an interrupted await: the kernel has no result to give
            if stack:
                self._leave(stack, 0, KeyboardInterrupt(), nothing=False)
            return
        info: Any = result.info
        error = result.error_before_exec if result.error_before_exec is not None else result.error_in_exec
        nothing = result.error_before_exec is not None
        for index, entry in enumerate(stack):
            if entry.info is info:
                self._leave(stack, index, error, nothing)
                return
        if not (info.raw_cell or "").strip():
            return  # an empty cell: IPython tells only of its end
        if stack and stack[-1].info.raw_cell == info.raw_cell:  # IPython made a new one after an interrupt
            self._leave(stack, len(stack) - 1, error, nothing)
        elif not stack:
            self._enter(info, silent=False, result=result)
            self._leave(self._stacks[threading.get_ident()], 0, error, nothing)

    def _post_execute(self) -> None:
        stack = self._stacks.get(threading.get_ident(), [])
        if not stack or not stack[-1].silent:
            return
        local = sys._getframe(2).f_locals
        if local.get("raw_cell", local.get("code")) != stack[-1].info.raw_cell:
            return  # the end of a comm message, or of an empty cell inside
        result = stack[-1].result
        error = result.error_before_exec if result.error_before_exec is not None else result.error_in_exec
        self._leave(stack, len(stack) - 1, error, nothing=result.error_before_exec is not None)

    def _enter(self, info: Any, *, silent: bool, result: Any) -> None:
        stack = self._stacks.setdefault(threading.get_ident(), [])
        entry = _Entry(info, silent, result)
        if not stack and self._is_cell(info, silent):
            entry.ran = self._begin(info, silent, result)
            if self._outputs is None or not self._outputs.has_results:
                entry.history = HistoryOutputs(self.shell, entry.ran.number)
        stack.append(entry)
        if stack[0].ran is not None:
            for observer in self.observers:
                observer.entered(info)

    def _leave(self, stack: list[_Entry], index: int, error: BaseException | None, nothing: bool) -> None:
        within_cell = stack[0].ran is not None
        ended = stack[index:]
        del stack[index:]
        if ended[0].ran is not None:
            self._finish(ended[0], error, nothing)
        if within_cell:
            for entry in reversed(ended):
                for observer in self.observers:
                    observer.left(entry.info, error)

    # ------------------------------------------------------------------ cells

    def _is_cell(self, info: Any, silent: bool) -> bool:
        if silent:
            return self._named_file()
        # What a user's thread runs belongs to the cell that started it; requests of subshells have metadata.
        main = threading.current_thread() is threading.main_thread()
        return main or getattr(info, "cell_meta", None) is not None

    def _named_file(self) -> bool:
        path = self.record.documents.path
        return self.kernel is None and path is not None and path.endswith((".ipy", ".ipynb"))

    def _begin(self, info: Any, silent: bool, result: Any) -> Ran:
        now = time.time()
        self.record.delete(self._metadata(info).get("deletedCells") or (), now)
        self.record.modules.note()
        # Older shells count on after the cell, newer ones before it: the result knows its number.
        number = int(getattr(result, "execution_count", None) or 0) if info.store_history else 0
        cell = self._next_of_file(info.raw_cell) if silent else getattr(info, "cell_id", None)
        ran = Ran(number, cell, info.raw_cell, now)
        self.record.executions.append(ran)
        request = getattr(self.shell.display_pub, "parent_header", None) or {}
        if request.get("msg_id"):
            self._requests[request["msg_id"]] = ran.outputs
        return ran

    def _metadata(self, info: Any) -> dict[str, Any]:
        """Return what the client sent beside the code."""
        meta = getattr(info, "cell_meta", None)
        if meta is None and self.kernel is not None:
            meta = self.kernel.get_parent("shell").get("metadata")
        return meta or {}

    def _finish(self, entry: _Entry, error: BaseException | None, nothing: bool) -> None:
        ran = entry.ran
        assert ran is not None
        if self._outputs is not None:
            self._outputs.flush()
        if entry.history is not None:
            entry.history.read(ran.outputs, results_only=self._outputs is not None)
        ran.ok = error is None
        ran.nothing = nothing
        if error is not None:
            ran.outputs.error(type(error).__name__, str(error), self._traceback(error))
        self.record.modules.note()

    def _traceback(self, error: BaseException) -> list[str]:
        shown = getattr(self.shell, "_last_traceback", None)  # of a kernel's shell
        if shown:
            return [str(line) for line in shown]
        return [f"{type(error).__name__}: {error}"]

    def _patched(self, name: str, file: str) -> float | None:
        """Return the modification time of a module's file that ``%autoreload`` has brought it to."""
        reloader = getattr(self.shell.magics_manager.registry.get("AutoreloadMagics"), "_reloader", None)
        time: float | None = getattr(reloader, "modules_mtimes", {}).get(name)
        return None if getattr(reloader, "failed", {}).get(file) == time else time

    # ------------------------------------------------------------------ a notebook given to `ipython`

    def _cells_of_file(self) -> list[tuple[str | None, str]]:
        if self._file_cells is None:
            self._file_cells = document.read_cells(self.record.documents.path or "")
        return self._file_cells

    def _next_of_file(self, source: str) -> str | None:
        """Return the id of the cell that runs: the next one of the file with this source."""
        cells = self._cells_of_file()
        for index in range(self._file_position, len(cells)):
            if cells[index][1] == source:
                self._file_position = index + 1
                return cells[index][0]
        return None

    @contextlib.contextmanager
    def unrecorded(self) -> Iterator[None]:
        """Let displays of ours pass: a block of ours is no output of the cell, and would say it runs."""
        if self._outputs is None:
            yield
            return
        self._outputs.unrecorded = True
        try:
            yield
        finally:
            self._outputs.unrecorded = False

    # ------------------------------------------------------------------ evidence

    def evidence(self, place: Workspace | None = None) -> dict[str, Any]:
        """Return what ran so far, with its verdict: see `Record.evidence`."""
        if self._outputs is not None:
            self._outputs.flush()
        return self.record.evidence(self._current(), place, kernel=self.kernel is not None)

    def _current(self) -> Ran | None:
        """Return the cell that is running: in this thread, else in the main one."""
        for thread in (threading.get_ident(), threading.main_thread().ident or 0):
            stack = self._stacks.get(thread)
            if stack and stack[0].ran is not None:
                return stack[0].ran
        return None


def _running() -> list[tuple[Any, bool]]:
    """Return the results of the executions that are going on, the outermost first, and if each is silent."""
    found = []
    frame = sys._getframe(1).f_back
    while frame is not None:
        if frame.f_code.co_name == "run_cell_async" and "result" in frame.f_locals:
            result = frame.f_locals["result"]
            if getattr(result, "info", None) is not None:
                found.append((result, bool(frame.f_locals.get("silent"))))
        frame = frame.f_back
    return found[::-1]


_capture: Capture | None = None


def install(shell: InteractiveShell) -> Capture:
    """Record what ``shell`` runs from now on; there is one record a shell, which is never begun anew."""
    global _capture
    if _capture is None or _capture.shell is not shell:
        _capture = Capture(shell)
    _capture.open()
    return _capture


def evidence(shell: InteractiveShell, place: Workspace | None = None) -> dict[str, Any]:
    """Return what ran in ``shell``; recording begins now if it does not go on already.

    Parameters
    ----------
    shell : InteractiveShell
    place : Workspace, optional
        The project of the run that asks: its settings say how outputs are stored.
    """
    return install(shell).evidence(place)
