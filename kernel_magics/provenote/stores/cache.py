"""The DVC cache: bytes by their MD5, in the layout that DVC itself reads and writes.

- An object is ``files/md5/<first 2>/<other 30>``, read-only (0444): DVC trusts that mode unhashed.
- A folder is an object too: ``<md5>.dir``, the JSON list of its files, sorted by path.
- `put` fills it (`provenote.stores.deposit`); here is its layout and the way back out.

The layout is that of DVC 3 (https://dvc.org/doc/user-guide/project-structure/internal-files).
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from provenote.errors import UsageError, WorldError
from provenote.events import Tell, silent
from provenote.stores import held
from provenote.stores.deposit import put as put
from provenote.stores.deposit import put_bytes as put_bytes
from provenote.stores.disk import clone, writing
from provenote.stores.gauge import Gauge
from provenote.stores.layout import object_path as object_path
from provenote.stores.pointers import Stored as Stored
from provenote.stores.pointers import pointer as pointer


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a stored folder: its POSIX path inside it and its MD5."""

    path: str
    md5: str


def locate(cache_dir: Path, md5: str) -> Path | None:
    """Return the object's file, also where DVC 2 kept it, or None when it is not in the cache.

    One that is held for a pin, and that a plain ``dvc gc`` deleted, is brought back (`stores.held`).
    """
    for path in (object_path(cache_dir, md5), cache_dir / md5[:2] / md5[2:]):
        if path.is_file():
            return path
    return held.mend(cache_dir, md5)


def entries(cache_dir: Path, md5: str) -> list[Entry]:
    """Return the files of the stored folder ``md5``.

    Raises
    ------
    WorldError
        If the list is not in the cache, is damaged, or names a path outside the folder.
    """
    found = locate(cache_dir, md5)
    if found is None:
        raise not_here([md5])
    try:
        listed = [Entry(str(item["relpath"]), str(item["md5"])) for item in json.loads(found.read_bytes())]
    except (ValueError, TypeError, KeyError) as error:
        mend = f"Remove it and fetch it anew: `rm -f {found}`, then `provenote data pull`"
        raise WorldError(f"the list of files {md5} in the cache is damaged", mend) from error
    for entry in listed:
        if "\0" in entry.path or any(part in ("", ".", "..") for part in entry.path.split("/")):
            raise WorldError(f"the stored folder {md5} names {entry.path!r}, which lies outside it")
    return listed


def missing(cache_dir: Path, md5: str) -> list[str]:
    """Return the MD5s that the object needs and the cache lacks: itself and, for a folder, its files."""
    if locate(cache_dir, md5) is None:
        return [md5]
    if not md5.endswith(".dir"):
        return []
    wanted = dict.fromkeys(entry.md5 for entry in entries(cache_dir, md5))
    return [one for one in wanted if locate(cache_dir, one) is None]


def materialize(
    cache_dir: Path, md5: str, target: Path, *, executable: bool = False, tell: Tell = silent
) -> None:
    """Write a copy of the object to ``target``, whole or not at all.

    Parameters
    ----------
    cache_dir : Path
        The cache.
    md5 : str
        The object; with ``.dir`` at its end ``target`` becomes a folder.
    target : Path
        A file there is replaced; a folder there must be empty.
    executable : bool
        Whether the file gets its executable bit.
    tell : Tell
        Where progress goes, in files.

    Raises
    ------
    WorldError
        If bytes are not in the cache (`provenote data pull` fetches them) or cannot be written.
    UsageError
        If ``target`` is a folder that holds something.
    """
    lacking = missing(cache_dir, md5)
    if lacking:
        raise not_here(lacking)
    waiting = target.with_name(f".{os.getpid()}-{time.monotonic_ns():x}.tmp")
    gauge = Gauge(tell, f"write {target.name}", unit="files")
    try:
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            if md5.endswith(".dir"):
                _copy_folder(cache_dir, md5, waiting, gauge)
            else:
                _copy(cache_dir, md5, waiting)
                if executable:
                    waiting.chmod(waiting.stat().st_mode | stat.S_IEXEC)
            _rename(waiting, target)
    except BaseException:
        gauge.end("failed")
        with suppress(OSError):
            shutil.rmtree(waiting) if waiting.is_dir() else waiting.unlink()
        raise
    gauge.end()


def not_here(md5s: list[str]) -> WorldError:
    """Return the error for objects that the cache lacks."""
    what = f"{md5s[0]} is not in the cache"
    if len(md5s) > 1:
        what = f"{len(md5s)} objects are not in the cache, {md5s[0]} among them"
    return WorldError(what, "Fetch what is missing: `provenote data pull`")


def _copy_folder(cache_dir: Path, md5: str, target: Path, gauge: Gauge) -> None:
    listed = entries(cache_dir, md5)
    gauge.total = len(listed)
    target.mkdir()
    for entry in listed:
        inner = target / entry.path
        if "/" in entry.path:
            inner.parent.mkdir(parents=True, exist_ok=True)
        _copy(cache_dir, entry.md5, inner)
        gauge.add(1)


def _copy(cache_dir: Path, md5: str, target: Path) -> None:
    """Copy an object to a new, writable file."""
    source = locate(cache_dir, md5)
    if source is None:
        raise not_here([md5])
    with open(source, "rb") as read, open(target, "xb") as write:
        if not clone(read.fileno(), write.fileno()):
            shutil.copyfileobj(read, write, 1 << 20)


def _rename(waiting: Path, target: Path) -> None:
    try:
        os.rename(waiting, target)  # POSIX replaces a file, and an empty folder by a folder
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EISDIR):
            raise UsageError(f"{target} is already there", "Choose another name, or move it away") from error
        raise
