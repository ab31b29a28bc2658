"""The refs of code that dispatchers put on the remote, noted here, so that those of a killed one go later.

``<home>/dask/<id>``: lines ``<ref> <commit>``, locked by the dispatcher while it lives.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path


class Notes:
    """What this dispatcher put there, and what others left.

    Parameters
    ----------
    home : Path
        `Workspace.home`.
    id : str
        The dispatcher's.
    """

    def __init__(self, home: Path, id: str) -> None:
        self._folder = home / "dask"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._path = self._folder / id
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def add(self, ref: str, commit: str) -> None:
        """Note a ref."""
        os.write(self._file, f"{ref} {commit}\n".encode())

    def others(self) -> dict[str, str]:
        """Return what dispatchers that are gone left, and forget it."""
        found: dict[str, str] = {}
        for path in self._folder.iterdir():
            if path == self._path:
                continue
            with contextlib.suppress(OSError):  # locked: it lives; gone: another one was faster
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    lines = os.read(descriptor, 1 << 20).decode().splitlines()
                    found.update((ref, commit) for ref, _, commit in (one.partition(" ") for one in lines))
                    path.unlink()
                finally:
                    os.close(descriptor)
        return found

    def close(self) -> None:
        """Forget our own: they are off the remote."""
        with contextlib.suppress(OSError):
            self._path.unlink()
        os.close(self._file)
