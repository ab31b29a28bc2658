"""Link data in the work tree to the cache, where the user asked DVC for it (``cache.type``).

By default (``reflink, copy``) a file in the work tree is never touched. With ``hardlink`` or
``symlink`` it is replaced by a link to the object of the same bytes, read-only, as DVC does to
save the disk.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from provenote.stores import cache
from provenote.stores.deposit import Keep, walk
from provenote.stores.dvc_config import link_types
from provenote.stores.pointers import Stored
from provenote.workspace import Workspace


def wanted(workspace: Workspace) -> str | None:
    """Return ``hardlink`` or ``symlink`` when the user prefers it to a plain file, else None."""
    for kind in link_types(workspace):
        if kind in ("hardlink", "symlink"):
            return kind
        if kind == "copy":
            return None
    return None


def link(workspace: Workspace, path: Path, stored: Stored, keep: Keep | None = None) -> None:
    """Replace the file, or each file of the folder, by a link to its object; a changed one is left alone."""
    kind = wanted(workspace)
    if kind is None:
        return
    if stored.nfiles is None:
        _replace(kind, path, cache.object_path(workspace.cache_dir, stored.md5), stored.size)
        return
    objects = {entry.path: entry.md5 for entry in cache.entries(workspace.cache_dir, stored.md5)}
    for file, inside in walk(str(path), keep):
        if inside in objects:
            source = cache.object_path(workspace.cache_dir, objects[inside])
            _replace(kind, Path(file), source, source.stat().st_size)


def _replace(kind: str, path: Path, source: Path, size: int) -> None:
    if size == 0 or path.is_symlink():
        return  # DVC links no empty file; a link of the user's stays his
    before = path.stat()
    if os.path.samestat(before, source.stat()) or before.st_size != size:
        return
    waiting = path.with_name(f".{os.getpid()}-{time.monotonic_ns():x}.tmp")
    try:
        if kind == "hardlink":
            os.link(source, waiting)
        else:
            os.symlink(source, waiting)
        now = path.stat()
        if (now.st_ino, now.st_size, now.st_mtime_ns) == (before.st_ino, before.st_size, before.st_mtime_ns):
            os.replace(waiting, path)
    except OSError:
        pass  # another disk, or one without links: the file stays as it is
    finally:
        with suppress(OSError):
            waiting.unlink()
