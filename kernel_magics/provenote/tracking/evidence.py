"""What ran in this process, told by the kernel's capture, the job engine, or as far as a script can tell."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from provenote.workspace import Workspace

_evidence: Callable[[], dict[str, Any]] | None = None


def set_source(source: Callable[[], dict[str, Any]] | None) -> None:
    """Name the function that tells what ran in this process; the kernel's capture registers itself here."""
    global _evidence
    _evidence = source


def _shell() -> Any:
    """Return the IPython shell of this process, or None."""
    return sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None


def is_script() -> bool:
    """Whether nobody but the program itself can tell what ran here."""
    return _evidence is None and _shell() is None


def gather(place: Workspace) -> dict[str, Any] | None:
    """Return what ran in this process: from the kernel's capture, else as far as a script can tell."""
    if _evidence is not None:
        return _evidence()
    shell = _shell()
    if shell is not None:
        from provenote.tracking import capture

        return capture.evidence(shell, place)
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    if script is None:
        return {"linearity": "unknown", "evidence": {"why": ["an interactive session has no document"]}}
    return {"linearity": "linear", "evidence": _of_script(script, place), "notebook": None}


def _of_script(script: str, place: Workspace) -> dict[str, Any]:
    """Return what it takes to start a script again: its name, and from the Git root its path and folder."""
    found: dict[str, Any] = {"script": os.path.basename(script), "arguments": len(sys.argv) - 1}
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is not None and spec.name:
        found["module"] = spec.name
    top = os.path.realpath(place.top)
    try:
        named = {"path": os.path.realpath(script), "folder": os.path.realpath(os.getcwd())}
    except OSError:  # the folder is gone
        return found
    for key, path in named.items():
        if path == top or path.startswith(top + os.sep):
            found[key] = os.path.relpath(path, top).replace(os.sep, "/")
    return found
