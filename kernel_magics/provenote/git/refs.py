"""Create and delete single refs as files, under Git's own lock: no process, and no libgit2 to import.

Source: gitrepository-layout and "git help pack-refs". Repositories that keep refs otherwise (reftable) are
refused when the workspace is found.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from provenote.errors import WorldError
from provenote.git import command


class Locked(WorldError):
    """Somebody holds the ref's lock for longer than any Git command does; a killed one holds it for ever."""


PATIENCE = 2.0  # seconds that we wait for who has a ref locked
_PAUSE = 0.01


def create(common_dir: Path, name: str, target: str) -> bool:
    """Create a ref that must not exist yet (old value zero); False if it does.

    Raises
    ------
    WorldError
        If it cannot be written.
    Locked
        If somebody keeps it locked.
    """
    path = f"{common_dir}/{name}"
    try:
        with _locked(path) as lock:
            if _exists(common_dir, name):
                return False
            os.write(lock, target.encode() + b"\n")
            os.rename(f"{path}.lock", path)
    except FileExistsError as error:
        mend = f"If no Git command is running, remove it: `rm {path}.lock`"
        raise Locked(f"the ref {name} is locked by {path}.lock", mend) from error
    except OSError as error:
        raise WorldError(
            f"the ref {name} cannot be written: {error}", "Try again: nothing is lost"
        ) from error
    return True


def read(common_dir: Path, name: str) -> str | None:
    """Return the object that a ref names, or None; symbolic refs are not followed."""
    try:
        with open(f"{common_dir}/{name}", "rb") as file:
            return file.read().decode().strip() or None
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return _packed(common_dir, name)


def delete(common_dir: Path, name: str) -> None:
    """Delete a ref, wherever Git keeps it; one that is gone already is no error."""
    if _packed(common_dir, name) is not None:
        command.git(common_dir, "update-ref", "-d", name)
        return
    path = f"{common_dir}/{name}"
    with contextlib.suppress(FileNotFoundError), _locked(path):
        os.unlink(path)


def _exists(common_dir: Path, name: str) -> bool:
    # The loose ref first: `git pack-refs` writes the packed one before it removes the loose one.
    return os.path.exists(f"{common_dir}/{name}") or _packed(common_dir, name) is not None


def _packed(common_dir: Path, name: str) -> str | None:
    try:
        with open(f"{common_dir}/packed-refs", "rb") as file:
            content = file.read()
    except FileNotFoundError:
        return None
    end = content.find(b" " + name.encode() + b"\n")
    return content[end - 40 : end].decode() if end >= 0 else None


@contextlib.contextmanager
def _locked(path: str) -> Iterator[int]:
    """Hold ``<path>.lock``, as every Git does that changes this ref; yield it, open for writing."""
    lock = f"{path}.lock"
    until = time.monotonic() + PATIENCE
    while True:
        try:
            file = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            break
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
        except FileExistsError:
            if time.monotonic() > until:
                raise
            time.sleep(_PAUSE)
    try:
        yield file
    finally:
        os.close(file)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(lock)
