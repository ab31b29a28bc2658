"""What a zygote of kernels imports, and what the imports leave behind that its children must put in place.

Some packages look around while they are imported: at the shell, the environment, the standard streams. In a
kernel they find a shell of IPython, so the zygote shows them the same.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import importlib
import importlib.util
import json
import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

INLINE = "module://matplotlib_inline.backend_inline"

# What a kernel imports before its first cell and during it, beside what `ipykernel.kernelapp` brings along.
_OF_KERNELS = (
    "ipykernel.ipkernel",
    "ipykernel.zmqshell",
    "ipykernel.eventloops",
    "ipykernel.debugger",
    "IPython.core.completerlib",
    "IPython.core.logger",
    "IPython.core.oinspect",
    "IPython.core.magics",
    "IPython.core.completer",
    "IPython.core.pylabtools",
    "IPython.core.debugger",
    "IPython.extensions.storemagic",
    "comm.base_comm",
    "asyncio.selector_events",
    "encodings.idna",
    "tornado.platform.asyncio",
    "tornado.queues",
    "sqlite3",
    "pdb",
)


def prepare(options: dict[str, Any]) -> dict[str, Any]:
    """Import what kernels need and what their notebooks import; run in the zygote, once.

    A package that says something while it is imported (a warning, a printed line) would not be heard in the
    notebook that imports it: the zygote starts anew without it. So it does when the user's own code came in.

    Returns
    -------
    dict
        ``preloaded``: what was imported; ``left``: what was not, and why.
    """
    environment = dict(os.environ)
    atexit.register, atexit.unregister = state.farewells.note, state.farewells.drop
    import ipykernel.kernelapp  # noqa: F401 # reads JPY_PARENT_PID, which is not set here

    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # the debugger's advice is for who debugs
    for name in _OF_KERNELS:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    del os.environ["PYDEVD_DISABLE_FILE_VALIDATION"]
    base = frozenset(sys.modules)
    filters = list(warnings.filters)
    left: dict[str, str] = dict(options["left"])
    done = []
    with _as_in_a_kernel():
        for name in options["preload"]:
            if name in left:
                continue
            why = _import(name, options["roots"])
            if why:
                _again(options, {**left, name: why})
            done.append(name)
    state.base, state.imported = base, frozenset(sys.modules) - {"__main__"}
    state.roots = tuple(options["roots"])
    state.filters = [one for one in warnings.filters if one not in filters]
    state.environment = {
        name: value
        for name, value in os.environ.items()
        if environment.get(name) != value and name != "MPLBACKEND"
    }
    state.handlers = list(_handlers_of({sys.stdout: "stdout", sys.stderr: "stderr"}))
    return {"preloaded": done, "left": left}


class Farewells:
    """What packages want to be called at the end of the process: after a kernel was made, as in a cold one.

    The last registered is called first: a kernel that imports by itself closes its sockets after them.
    """

    def __init__(self) -> None:
        self._noted: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = []
        self._true = atexit.register, atexit.unregister

    def note(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        """Stand in for `atexit.register` in the zygote."""
        self._noted.append((function, args, kwargs))
        return function

    def drop(self, function: Callable[..., Any], /) -> None:
        """Stand in for `atexit.unregister` in the zygote."""
        self._noted = [one for one in self._noted if one[0] != function]

    def restore(self) -> None:
        """Give the true functions back."""
        atexit.register, atexit.unregister = self._true

    def register(self) -> None:
        """Register what was noted."""
        for function, args, kwargs in self._noted:
            atexit.register(function, *args, **kwargs)


class State:
    """What the imports of this process left behind, for its children."""

    base: frozenset[str] = frozenset()
    imported: frozenset[str] = frozenset()
    roots: tuple[str, ...] = ()
    filters: list[Any] = []
    environment: dict[str, str] = {}
    handlers: list[tuple[logging.StreamHandler[Any], str]] = []
    farewells = Farewells()


state = State()
"""Of this process."""


@contextlib.contextmanager
def _as_in_a_kernel() -> Iterator[None]:
    """Show to packages that look around what they see in a kernel."""
    shell = SimpleNamespace(kernel=True, config={})
    builtins.get_ipython = lambda: shell  # type: ignore[attr-defined]
    set_here = "MPLBACKEND" not in os.environ
    if set_here:
        os.environ["MPLBACKEND"] = INLINE
    try:
        yield
    finally:
        del builtins.get_ipython  # type: ignore[attr-defined]
        if set_here:
            os.environ.pop("MPLBACKEND", None)


def _handlers_of(streams: dict[Any, str]) -> Iterator[tuple[logging.StreamHandler[Any], str]]:
    """Yield the handlers of logs that write to the streams of this process."""
    for reference in list(logging._handlerList):  # type: ignore[attr-defined]
        handler = reference()
        if isinstance(handler, logging.StreamHandler) and handler.stream in streams:
            yield handler, streams[handler.stream]


def _import(name: str, roots: list[str]) -> str:
    """Import a module; return why children must not have it imported, or nothing."""
    name, optional, _ = name.partition("?")
    if optional and not _is_module(name):
        return ""
    before = set(sys.modules)
    threads = threading.active_count()
    said: list[str] = []
    show = warnings.showwarning
    warnings.showwarning = lambda message, category, *_, **__: said.append(f"{category.__name__}: {message}")
    try:
        with _overheard() as words:
            try:
                importlib.import_module(name)
            except ImportError:
                return "it cannot be imported"
            except BaseException as error:  # the notebook will hear of it, in its own cell
                return f"{type(error).__name__} while it was imported"
    finally:
        warnings.showwarning = show
    said += words
    if said:
        return f"it said something while it was imported: {said[0][:100]}"
    if threading.active_count() != threads:
        return "it starts threads while it is imported"
    for new in set(sys.modules) - before:
        file = getattr(sys.modules[new], "__file__", None)
        if new != "__mp_main__" and file and not os.path.realpath(file).startswith(tuple(roots)):
            return f"it imports {new}, which is no installed package"
    return ""


def _is_module(name: str) -> bool:
    """Whether a name that is imported from a package is a module of it, rather than a thing in it."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


@contextlib.contextmanager
def _overheard() -> Iterator[list[str]]:
    """Collect what is written to the standard streams, at the level of the system."""
    words: list[str] = []
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as file:
        kept = os.dup(1), os.dup(2)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            yield words
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, descriptor in enumerate(kept, 1):
                os.dup2(descriptor, number)
                os.close(descriptor)
            file.seek(0)
            words += file.read().decode("utf-8", "replace").split("\n")[:-1]


def _again(options: dict[str, Any], left: dict[str, str]) -> None:
    """Start this process anew, without what must not be imported here."""
    os.set_inheritable(options["socket"], True)
    again = json.dumps({**options, "left": left, "again": True})
    os.execv(sys.executable, [*sys.orig_argv[:-1], again])
