"""How a zygote's child becomes a kernel like any that was started cold, and how it ends.

What the zygote's imports set up (`provenote.jobs.imprint`) is put where a kernel that imports by itself has
it.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import io
import os
import signal
import sys
import threading
import warnings
from typing import Any

from provenote.jobs import asking, descendants
from provenote.jobs.imprint import prepare as prepare
from provenote.jobs.imprint import state
from provenote.jobs.ready import readable

_LAST_FLUSH = 1.0  # seconds


def main_forked(request: dict[str, Any], connection: Any, descriptors: list[int]) -> None:
    """Become a kernel and serve until it is shut down.

    Parameters
    ----------
    request : dict
        ``argv``: arguments of the kernel; ``launcher``: what `sys.argv` begins with.
    connection : socket
        Who waits for the kernel to be ready.
    descriptors : list of int
        Not used.
    """
    shadow = shadowed(request["cwd"])
    if shadow:
        asking.send(
            connection, {"refused": f"{shadow} in the notebook's folder goes before the installed package"}
        )
        return
    descendants.adopt()
    descendants.brand(request["env"].get(descendants.MARK, ""))
    for name in [name for name in sys.modules if name.partition(".")[0] == "provenote"]:
        del sys.modules[name]
    state.farewells.restore()
    _reseed()
    for variable, value in state.environment.items():
        os.environ.setdefault(variable, value)
    sys.argv = [request["launcher"], *request["argv"]]
    from ipykernel.kernelapp import IPKernelApp

    app = IPKernelApp.instance(parent_handle=1)  # 1: somebody looks after it, and not by its parent's number
    app.initialize(request["argv"])  # type: ignore[no-untyped-call]
    app.poller = _Owner(asking.peer(connection)[0])
    _forget_the_dead(app.kernel)
    _replay()
    asking.send(connection, {"ready": True})
    connection.close()
    app.start()  # type: ignore[no-untyped-call]
    if getattr(app.kernel, "_shutdown_message", None) is not None:
        # Asked to leave over the control channel, whose thread still flushes the outputs. Were the outputs'
        # own thread stopped now, it would wait for ten seconds.
        app.control_thread.join(_LAST_FLUSH)
    _depart(app)


def _forget_the_dead(kernel: Any) -> None:
    """Let the kernel wait at its end for living children only.

    It has adopted what its code put into the background (`provenote.jobs.descendants`). What of that has
    ended is collected by nobody, and the kernel would wait seconds for it to go.
    """
    all_of = kernel._process_children

    def living() -> list[Any]:
        return [child for child in all_of() if not _dead(child)]

    kernel._process_children = living


def _dead(child: Any) -> bool:
    try:
        return bool(child.status() == "zombie")
    except Exception:  # psutil's errors: it has just gone
        return True


def _depart(app: Any) -> None:
    """End the process as an interpreter does, without taking apart what the zygote had imported.

    That would copy all its pages only to free them: a third of a small job's time. What a user can notice is
    done: threads are joined, calls at the end are made, objects of the notebook are freed and files flushed;
    the C library ends the process, so that its own calls at the end are made too.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.last_type = sys.last_value = sys.last_traceback = None
    app.shell.user_ns.clear()
    gc.collect()
    for name in [name for name in sys.modules if name not in state.imported]:
        file = getattr(sys.modules[name], "__file__", None)
        if file and not os.path.realpath(file).startswith(state.roots):
            vars(sys.modules[name]).clear()  # a module of the user's own
    gc.collect()
    for held in gc.get_objects():
        if issubclass(type(held), io.IOBase):
            with contextlib.suppress(Exception):
                held.flush()
    ctypes.PyDLL(None).exit(0)


class _Owner(threading.Thread):
    """Ends this kernel and all its children when whoever asked for it is gone."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        try:
            self._owner = os.pidfd_open(pid)
        except ProcessLookupError:
            os.killpg(0, signal.SIGKILL)

    def run(self) -> None:
        """Wait for the owner's end."""
        readable([self._owner])
        descendants.end_tree(os.getpid())


def shadowed(folder: str) -> str:
    """Return a name in ``folder`` that a kernel there would import instead of a package imported here."""
    tops = {name.partition(".")[0] for name in sys.modules if name not in state.base}
    tops -= {name.partition(".")[0] for name in state.base}
    try:
        entries = os.listdir(folder)
    except OSError:
        return ""
    for entry in entries:
        name, dot, suffix = entry.partition(".")
        if name in tops and (not dot or suffix.endswith(("py", "pyc", "so"))):
            return entry
    return ""


def _reseed() -> None:
    """Give the generators of random numbers a state of their own; `random` does so by itself."""
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()


def _replay() -> None:
    """Put what the imports set up where a kernel that imports by itself has it."""
    kept = [one for one in warnings.filters if one not in state.filters]
    warnings.filters[:] = [*state.filters, *kept]  # type: ignore[index] # theirs came last, so they go first
    with warnings.catch_warnings():
        pass  # what was decided by the filters so far is forgotten
    state.farewells.register()
    for handler, stream in state.handlers:
        handler.setStream(getattr(sys, stream))
    process = sys.modules.get("multiprocessing.process")
    if process is not None and "multiprocessing.process" not in state.base:
        sys.modules["__mp_main__"] = sys.modules["__main__"]
        process.ORIGINAL_DIR = os.getcwd()  # type: ignore[attr-defined]
        process.current_process().authkey = os.urandom(32)
    inline = sys.modules.get("matplotlib_inline.backend_inline")
    if inline is not None:
        inline._enable_matplotlib_integration()  # it looks for the shell while it is imported
