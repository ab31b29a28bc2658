"""Imported modules that are older than their files: the snapshot holds a text that did not run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

_FOREIGN = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


class _Seen:
    """A module's file as it was when the module was imported; no stamp: older than the file already."""

    __slots__ = ("file", "patched", "spec", "stamp")

    def __init__(self, file: str, spec: Any, stamp: tuple[int, int] | None) -> None:
        self.file, self.spec, self.stamp = file, spec, stamp
        self.patched: float | None = None


class Modules:
    """Notes the files of the project's modules as they were when they were imported.

    Parameters
    ----------
    root : str
        The folder whose modules are watched: the work tree.
    patched : callable, optional
        Gives, for a module's name and file, the modification time that ``%autoreload`` has brought it to:
        it patches functions in place, and no import tells of that.
    """

    def __init__(
        self, root: str, patched: Callable[[str, str], float | None] = lambda name, file: None
    ) -> None:
        self._patched = patched
        self._root = os.path.join(os.path.realpath(root), "")
        self._roots = (self._root, os.path.join(root, ""))
        self._count = 0
        self._seen: dict[str, _Seen] = {}

    def note(self) -> None:
        """Look for modules imported or reloaded since the last call."""
        for name, seen in self._seen.items():
            module = sys.modules.get(name)
            spec = getattr(module, "__spec__", None)
            if module is not None and spec is not seen.spec:  # reloaded: the file's present text runs
                seen.spec, seen.stamp = spec, _stamp(seen.file)
            patched = self._patched(name, getattr(module, "__file__", None) or "")
            if patched != seen.patched:
                # The first time it is seen there nothing was patched yet.
                if patched is not None and seen.patched is not None:
                    seen.stamp = _stamp(seen.file) if _time(seen.file) == patched else None
                seen.patched = patched
        if len(sys.modules) == self._count:
            return
        self._count = len(sys.modules)
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if name in self._seen or name == "__main__":
                continue
            if not isinstance(file, str) or not file.endswith(".py") or not file.startswith(self._roots):
                continue
            real = os.path.realpath(file)
            if real.startswith(self._root) and not any(part in real for part in _FOREIGN):
                spec = getattr(module, "__spec__", None)
                self._seen[name] = _Seen(real, spec, _stamp(real) if _compiled_now(spec, real) else None)

    def stale(self) -> list[str]:
        """Return the names of the modules whose file changed since they were imported, sorted."""
        self.note()
        return sorted(
            name
            for name, seen in self._seen.items()
            if name in sys.modules and (seen.stamp is None or _stamp(seen.file) != seen.stamp)
        )


def work_tree(folder: str) -> str:
    """Return the work tree that holds a folder, else the folder; found without asking Git."""
    here = os.path.realpath(folder)
    while not os.path.exists(os.path.join(here, ".git")):
        parent = os.path.dirname(here)
        if parent == here:
            return folder
        here = parent
    return here


def _time(file: str) -> float:
    try:
        return os.stat(file).st_mtime
    except OSError:
        return -1.0


def _stamp(file: str) -> tuple[int, int]:
    try:
        stat = os.stat(file)
    except OSError:
        return (0, -1)
    return (stat.st_mtime_ns, stat.st_size)


def _compiled_now(spec: Any, file: str) -> bool:
    """Whether the compiled file, written at the import, still names the source's present time and size.

    Yes where there is none, or it may not be written, or is checked by hash (layout of ``.pyc``: PEP 552).
    """
    if sys.dont_write_bytecode or not os.access(getattr(spec, "cached", None) or "", os.W_OK):
        return True
    try:
        with open(spec.cached, "rb") as compiled:
            head = compiled.read(16)
        stat = os.stat(file)
    except (OSError, TypeError, AttributeError):
        return True
    if len(head) < 16 or int.from_bytes(head[4:8], "little"):
        return True
    told = (int.from_bytes(head[8:12], "little"), int.from_bytes(head[12:16], "little"))
    return told == (int(stat.st_mtime) & 0xFFFFFFFF, stat.st_size & 0xFFFFFFFF)
