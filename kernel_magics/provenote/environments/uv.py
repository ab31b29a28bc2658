"""Call uv: make a virtual environment, install pinned packages, and read from its words what is wrong.

- uv is a program, found beside this Python or on the PATH; its own settings (index, proxy, cache: ``UV_*``,
  ``uv.toml``) stay in force.
- Its words are for people and differ between versions. Only two things are read from them: which of the
  packages that we asked for a complaint is about, and whether the disk or the network is to blame.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from provenote.environments import pins
from provenote.errors import UsageError, WorldError
from provenote.events import Progress, Tell

_FULL = ("no space left on device", "disk quota exceeded", "os error 28", "os error 122")
_OFFLINE = (
    "error sending request", "client error (connect)", "dns error", "network was disabled",
    "network connectivity is disabled", "could not resolve host", "failed to connect",
)  # fmt: skip
_WHY = (
    ("hash mismatch", "its file is another one there"),
    ("git operation failed", "its repository does not give it any more"),
    ("failed to build", "it cannot be built here"),
    ("failed to download and build", "it cannot be built here"),
    ("no wheels with a matching", "there is none for this Python or platform"),
    ("no solution found", "the index does not have it"),
)


class Failed(Exception):
    """A call of uv that did not do what was asked.

    Parameters
    ----------
    said : str
        What it wrote.
    """

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


def find() -> str:
    """Return the path of uv.

    Raises
    ------
    UsageError
        If it is not installed.
    """
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if found is None:
        raise UsageError(
            "building an environment needs uv, which is not installed", "Get it: `pip install uv`"
        )
    return found


def call(words: Sequence[str], label: str, tell: Tell, keep: int | None = None) -> str:
    """Run uv and return what it wrote.

    Parameters
    ----------
    words : sequence of str
    label : str
        What the progress is called.
    tell : Tell
    keep : int, optional
        A file descriptor that it holds open as long as it lives: the lock outlives a caller that was killed.

    Raises
    ------
    Failed
        If it leaves with another status than 0.
    WorldError
        If it cannot be started, or the disk is full.
    """
    environment = {
        name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "FORCE_COLOR")
    }
    try:
        process = subprocess.Popen(
            [find(), *words, "--color", "never"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            pass_fds=() if keep is None else (keep,),
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise WorldError(
            f"uv cannot be started ({error.strerror})", "Install it anew: `pip install uv`"
        ) from error
    said = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if line.strip() and not line.startswith((" + ", " - ")):
                tell(Progress(label, detail=line.strip()[:100]))
        status = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    finally:
        if process.stdout is not None:
            process.stdout.close()
    text = "".join(said)
    if status == 0:
        return text
    if any(word in text.lower() for word in _FULL):
        raise WorldError(
            "the disk is full, so the environment is not built", "Free some space, then try again"
        )
    raise Failed(text)


def blamed(said: str, requirements: Sequence[str]) -> dict[str, str]:
    """Return which of the packages that were asked for a complaint is about, and why. Pure.

    Parameters
    ----------
    said : str
        What uv wrote.
    requirements : sequence of str
        What was asked for, ``name==version`` or ``name @ address``, a line each.
    """
    if offline(said):
        return {}
    text = " ".join(said[said.find("error:") if "error:" in said else 0 :].split())
    lower = text.lower()
    why = next((reason for word, reason in _WHY if word in lower), "uv cannot install it")
    names = set(re.findall(r"you require ([A-Za-z0-9][A-Za-z0-9._-]*?)(?=[=<>!~@ ,]|$)", text))
    found = {}
    for requirement in requirements:
        name, wanted = pins.name_of(requirement), pins.shown(requirement)
        if name in names or (not names and f"`{wanted}`" in text):
            found[name] = why
    return found


def offline(said: str) -> bool:
    """Tell whether the network is what failed. Pure."""
    lower = said.lower()
    return any(word in lower for word in _OFFLINE)


def last_words(said: str) -> str:
    """Return what uv complained of as one line, without credentials. Pure."""
    start = said.find("error:")
    lines = [line.strip() for line in said[start if start >= 0 else 0 :].splitlines() if line.strip()]
    text = " ".join(lines[:3]).removeprefix("error:").strip()
    return re.sub(r"//[^/@\s]*@", "//", text)[:300] or "it does not say why"
