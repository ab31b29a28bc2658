"""Which Python a kernel runs: its environment is the run's, not that of the process that starts it."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.errors import UsageError
from provenote.tracking import environment

if TYPE_CHECKING:
    from provenote.tracking.environment import Lock


def of_kernel(kernel: str) -> str | None:
    """Return the Python that a kernel starts, or None where it is this one, no Python, or not known.

    Parameters
    ----------
    kernel : str
        Name of its specification.
    """
    if not re.fullmatch(r"[A-Za-z0-9._-]+", kernel):
        return None
    from jupyter_core.paths import jupyter_path

    for folder in jupyter_path("kernels"):
        try:
            specification = json.loads(Path(folder, kernel, "kernel.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        return other(specification)
    return None


def other(specification: Any) -> str | None:
    """Return the Python of a kernel's specification if it is another one than this."""
    try:
        program = str(specification["argv"][0])
        language = str(specification.get("language", "python")).lower()
    except (KeyError, IndexError, TypeError, AttributeError):
        return None
    # Jupyter itself puts the Python that starts the kernel in the place of these bare names.
    if language != "python" or not os.path.isabs(program):
        return None
    # Not by their resolved paths: the Pythons of two virtual environments may be links to one file.
    folders = {os.path.realpath(os.path.dirname(path)) for path in (program, sys.executable)}
    return program if len(folders) == 2 else None


def lock_of(kernel: str) -> Lock:
    """Return the lock of a kernel's environment; that of this Python where the kernel's cannot be asked."""
    program = of_kernel(kernel)
    if program is not None:
        try:
            return environment.lock(program)
        except UsageError:  # a wrapper, as `conda run`: what it starts cannot be told from here
            pass
    return environment.lock()
