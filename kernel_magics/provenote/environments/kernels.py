"""Register an environment as a kernel that Jupyter offers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from provenote.errors import UsageError, WorldError

if TYPE_CHECKING:
    from provenote.environments.known import Known


def check(kernel: str, known: Known) -> None:
    """Check that an environment can be a kernel of this name, before it is built.

    Raises
    ------
    UsageError
        If the name is none for a kernel, or the environment has no ipykernel.
    """
    if not re.fullmatch(r"[A-Za-z0-9._-]+", kernel):
        raise UsageError(
            f"{kernel!r} is no name of a kernel", "Use letters, digits, dots and dashes: `--kernel past`"
        )
    if "ipykernel" not in known.environment.packages:
        raise UsageError(
            f"{known.name} had no ipykernel, so its environment cannot be a kernel",
            f"Build it without: `provenote env create {known.name}`",
        )


def register(interpreter: Path, kernel: str, name: str) -> None:
    """Register an environment as a kernel of this user.

    Parameters
    ----------
    interpreter : Path
        Its Python.
    kernel : str
        Name of the kernel.
    name : str
        Name of the run, for the name that Jupyter shows.

    Raises
    ------
    WorldError
        If ipykernel fails.
    """
    words = [str(interpreter), "-m", "ipykernel", "install", "--user", "--name", kernel]
    shown = ["--display-name", f"{kernel} (environment of {name})"]
    try:
        answer = subprocess.run(
            [*words, *shown], capture_output=True, encoding="utf-8", errors="replace", timeout=120
        )
    except (OSError, subprocess.SubprocessError) as error:
        why = str(error)
    else:
        if answer.returncode == 0:
            return
        why = (answer.stderr.strip().splitlines() or ["no reason given"])[-1]
    raise WorldError(
        f"the environment stands, but its kernel cannot be registered ({why})",
        f"Try by hand: `{' '.join(words)}`",
    )
