"""The notebook's face: what ``%load_ext provenote`` brings. It holds no rule: parse, call one journey, show.

Loading costs some milliseconds: everything heavy is imported by the magic that needs it.
"""

from __future__ import annotations

import atexit
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.errors import ProvenoteError
from provenote.magics import lines, shown, testing, tracked, verbs
from provenote.registry import news
from provenote.tracking import capture

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


_PATIENCE = 2.0
"""Seconds that a shutdown waits for the picture of the last run; clients kill a kernel after some more."""


class _Loaded:
    """What one shell got from us, so that it can be taken back."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell: Any = shell
        self.process = os.getpid()
        self.capture = capture.install(shell)
        self.cells = tracked.TrackedCells(shell, self.capture)
        self.tests = testing.install(shell, self.capture)
        self.magics = lines.made(shell)

    def open(self) -> None:
        """Register magics and transformers."""
        taken = self._register()
        if ("cell", "track") not in taken:
            self.cells.open()
        if ("cell", "test") not in taken:
            self.tests.open()
        atexit.register(self.shutdown)

    def close(self) -> None:
        """Take everything back; the record of what ran is kept."""
        atexit.unregister(self.shutdown)
        self.cells.close()
        self.tests.close()
        self.capture.close()
        for (kind, name), function in self.magics.items():
            held = self.shell.magics_manager.magics[kind]
            if held.get(name) is function:
                del held[name]

    def _register(self) -> set[tuple[str, str]]:
        """Register the magics whose names are free; say of each other one where its verb is."""
        taken = set()
        for (kind, name), function in self.magics.items():
            held = self.shell.magics_manager.magics[kind]
            if name in held:
                taken.add((kind, name))
                instead = f"%pv {name}" if name in verbs.SHORT else "with provenote.track(name) as run:"
                mark = "%%" if kind == "cell" else "%"
                shown.line(f"{mark}{name} is taken by another extension and left alone; use `{instead}`")
            else:
                self.shell.register_magic_function(function, kind, name)
        return taken

    def shutdown(self) -> None:
        """End the runs that are open when the kernel shuts down; a forked child leaves them alone."""
        for name in ("live", "follow"):
            drawing = sys.modules.get(f"provenote.widgets.{name}")
            if drawing is not None and os.getpid() == self.process:
                drawing.settle(_PATIENCE)
        if os.getpid() != self.process or "provenote.tracking.active" not in sys.modules:
            return
        from provenote.tracking import active

        for run in active.open_runs():
            try:
                run.end("finished", None, "shutdown")
            except ProvenoteError as error:
                shown.line(error.line)


_loaded: _Loaded | None = None


def load(shell: InteractiveShell) -> None:
    """Bring the magics to a shell and record what it runs; a second time nothing happens."""
    global _loaded
    if _loaded is not None and _loaded.shell is shell:
        return
    _loaded = _Loaded(shell)
    _loaded.open()
    if not shown.in_job() and (waits := news.told(Path.cwd())):
        from provenote.view import Line, View

        shown.view(View([Line(waits)]), kernel=shown.is_kernel(shell))


def unload(shell: InteractiveShell) -> None:
    """Take the magics back."""
    global _loaded
    if _loaded is not None and _loaded.shell is shell:
        _loaded.close()
        _loaded = None
