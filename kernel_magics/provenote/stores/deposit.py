"""Put files and folders into the DVC cache: each is read once, hashed and copied in that one pass.

- The bytes go to a waiting file, which gets its final name only when it is complete. A killed
  process leaves a waiting file, never a broken object; a later writer sweeps it.
- Where the disk can share blocks, the waiting file is a clone: one instant of the file.
- Elsewhere a file that changes while it is read is refused: no version of it may be a mixture.
- The list of a folder is written after the files that it names.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from provenote.errors import UsageError
from provenote.events import Tell, silent
from provenote.stores.disk import clone, read_all, shown, unreadable, write_all, writing
from provenote.stores.gauge import Gauge
from provenote.stores.layout import object_path, waiting_room
from provenote.stores.pointers import Stored

CHUNK = 1 << 16
SMALL = 1 << 20
"""Bytes of a file that is read whole."""
DAY = 86_400
FRESH = 1_800
"""Seconds that an object counts as just written: `provenote gc` leaves it for longer."""
ENDING = ".provenote.tmp"
"""Of a file that waits to become an object."""

Keep = Callable[[str, list[str], list[str]], tuple[list[str], list[str]]]
"""Tells what of a folder counts: ``(folder, folders, files) -> (folders, files)``."""


class Known(Protocol):
    """Hashes known by a file's identity, so that an unchanged file is not read again."""

    def get(self, path: str, status: os.stat_result) -> str | None:
        """Return the MD5 of the file as ``status`` describes it, or None."""

    def put(self, path: str, status: os.stat_result, md5: str) -> None:
        """Remember the MD5 of the file as ``status`` describes it."""


def put(
    path: str | os.PathLike[str],
    cache_dir: Path,
    tell: Tell = silent,
    *,
    keep: Keep | None = None,
    known: Known | None = None,
) -> Stored:
    """Store a file or a folder in the cache; the original is only read.

    Parameters
    ----------
    path : path
        The file or folder.
    cache_dir : Path
        The cache, `Workspace.cache_dir`.
    tell : Tell
        Where progress goes, in bytes.
    keep : Keep, optional
        What of a folder counts; everything by default.
    known : Known, optional
        Hashes of files that need not be read again.

    Returns
    -------
    Stored
        MD5 (ends with ``.dir`` for a folder), size in bytes, number of files of a folder.

    Raises
    ------
    UsageError
        If something cannot be read, is no plain file, or changes while it is read.
    WorldError
        If the cache cannot be written. Nothing that was stored before is harmed.
    """
    source = os.fspath(path).rstrip("/") or "/"
    gauge = Gauge(tell, f"store {shown(os.path.basename(source))}")
    _sweep(cache_dir)
    try:
        if os.path.isdir(source):
            stored = _put_folder(source, cache_dir, gauge, keep, known)
        else:
            status = plain(source)
            gauge.total = status.st_size
            md5, size = _put_file(source, status, cache_dir, gauge, known)
            stored = Stored(md5, size, executable=bool(status.st_mode & stat.S_IEXEC))
    except BaseException:
        gauge.end("failed")
        raise
    gauge.end()
    return stored


def put_bytes(content: bytes, cache_dir: Path, *, folder: bool = False) -> str:
    """Store ``content`` and return its MD5; ``folder`` says that it is the list of a folder's files."""
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest() + (".dir" if folder else "")
    with writing(cache_dir):
        _write(cache_dir, md5, content)
    return md5


def walk(folder: str, keep: Keep | None = None) -> Iterator[tuple[str, str]]:
    """Yield ``(path, POSIX path inside the folder)`` of every file that counts.

    Links to files are followed; links to folders are left out, as DVC does.

    Raises
    ------
    UsageError
        If a folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise unreadable(str(error.filename), error) from error

    for root, folders, files in os.walk(folder, onerror=refuse):
        if keep is not None:
            folders[:], files = keep(root, folders, files)
        inside = root[len(folder) :].lstrip("/")
        for name in files:
            yield os.path.join(root, name), f"{inside}/{name}" if inside else name


def listing(files: list[tuple[str, str]]) -> bytes:
    """Return the list of a folder's files, given as ``(POSIX path, MD5)``, as DVC stores it."""
    listed = [{"md5": md5, "relpath": path} for path, md5 in sorted(files)]
    return json.dumps(listed, sort_keys=True).encode()


def plain(path: str) -> os.stat_result:
    """Return a plain file's status.

    Raises
    ------
    UsageError
        If it cannot be read, or is a pipe, a socket or a device.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        raise unreadable(path, error) from error
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"{shown(path)} is no plain file", "Leave it out: name it in .dvcignore")
    return status


def _put_folder(source: str, cache_dir: Path, gauge: Gauge, keep: Keep | None, known: Known | None) -> Stored:
    found = [(path, inside, plain(path)) for path, inside in walk(source, keep)]
    gauge.total = sum(status.st_size for _, _, status in found)
    files, size = [], 0
    for path, inside, status in found:
        md5, length = _put_file(path, status, cache_dir, gauge, known)
        files.append((inside, md5))
        size += length
    return Stored(put_bytes(listing(files), cache_dir, folder=True), size, nfiles=len(files))


def _put_file(
    source: str, seen: os.stat_result, cache_dir: Path, gauge: Gauge, known: Known | None
) -> tuple[str, int]:
    """Store one file; return its MD5 and size."""
    if known is not None:
        md5 = known.get(source, seen)
        if md5 is not None and _holds(object_path(cache_dir, md5), seen.st_size):
            gauge.add(seen.st_size)
            return md5, seen.st_size
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise unreadable(source, error) from error
    try:
        before = os.fstat(descriptor)
        with writing(cache_dir):
            if before.st_size <= SMALL:
                content = read_all(descriptor)
                md5, size = hashlib.md5(content, usedforsecurity=False).hexdigest(), len(content)
                _write(cache_dir, md5, content)
                gauge.add(size)
            else:
                md5, size = _stream(descriptor, cache_dir, gauge)
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or size != after.st_size:
        mend = "Wait until its writer has finished, then try again"
        raise UsageError(f"{shown(source)} changed while it was being read; nothing was recorded", mend)
    if known is not None:
        known.put(source, before, md5)
    return md5, size


def _stream(descriptor: int, cache_dir: Path, gauge: Gauge) -> tuple[str, int]:
    """Hash and copy a large file in one read; return its MD5 and size."""
    room = waiting_room(cache_dir)
    _folder(room)
    waiting = room / f"{os.getpid()}-{time.monotonic_ns():x}{ENDING}"
    output = os.open(waiting, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(output, fcntl.LOCK_SH)  # tells a sweeper that the writer lives
        cloned = clone(descriptor, output)
        reading = output if cloned else descriptor
        digest, size, buffer = hashlib.md5(usedforsecurity=False), 0, memoryview(bytearray(CHUNK))
        while length := os.readv(reading, [buffer]):
            digest.update(buffer[:length])
            if not cloned:
                write_all(output, buffer[:length])
            size += length
            gauge.add(length)
        md5 = digest.hexdigest()
        target = object_path(cache_dir, md5)
        if _holds(target, size):
            waiting.unlink()
        else:
            os.fchmod(output, 0o444)
            _folder(target.parent)
            os.rename(waiting, target)
    except BaseException:
        with suppress(OSError):
            waiting.unlink()
        raise
    finally:
        os.close(output)
    return md5, size


def _write(cache_dir: Path, md5: str, content: bytes) -> None:
    """Write one small object, unless it is there."""
    target = object_path(cache_dir, md5)
    if _holds(target, len(content)):
        return
    # In the object's own folder: ten thousand new files in one folder are slow on ext4.
    waiting = f"{target.parent}/.{os.getpid()}-{time.monotonic_ns():x}{ENDING}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        output = os.open(waiting, flags, 0o444)
    except FileNotFoundError:
        _folder(target.parent)
        output = os.open(waiting, flags, 0o444)
    try:
        try:
            write_all(output, content)
            os.fchmod(output, 0o444)  # whatever the umask
        finally:
            os.close(output)
        os.rename(waiting, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(waiting)
        raise


def _holds(path: Path, size: int) -> bool:
    """Tell whether the object is there and whole: a damaged one of another size is replaced."""
    try:
        status = os.stat(path)
        if status.st_size != size or not stat.S_ISREG(status.st_mode):
            return False
        if time.time() - max(status.st_mtime, status.st_ctime) > FRESH:
            with suppress(PermissionError):  # another user's, in a shared cache
                os.utime(path)  # whoever removes what nothing needs sees that it is needed again
    except OSError:
        return False
    return True


def _folder(path: Path) -> None:
    """Make a folder of the cache as widely shared as the one above it (DVC's ``cache.shared = group``)."""
    if path.is_dir():
        return
    _folder(path.parent)
    path.mkdir(exist_ok=True)
    above = stat.S_IMODE(path.parent.stat().st_mode)
    if above & stat.S_ISGID:
        with suppress(OSError):
            path.chmod(above)


def _sweep(cache_dir: Path) -> None:
    """Remove what killed writers left: large ones at once, small ones in the objects' folders once a day."""
    room = waiting_room(cache_dir)
    _remove_dead(room)
    marker = room / "swept"
    with suppress(OSError):
        if time.time() - marker.stat().st_mtime < DAY:
            return
    with suppress(OSError):
        _folder(room)
        marker.touch()
        for folder in os.scandir(object_path(cache_dir, "xx" * 16).parent.parent):
            _remove_dead(Path(folder.path))


def _remove_dead(folder: Path) -> None:
    """Remove the waiting files of a folder that are older than a minute and held by nobody."""
    try:
        left = [entry for entry in os.scandir(folder) if entry.name.endswith(ENDING)]
    except OSError:
        return
    for entry in left:
        with suppress(OSError):
            if time.time() - entry.stat().st_mtime < 60:
                continue
            descriptor = os.open(entry.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(entry.path)
            finally:
                os.close(descriptor)
