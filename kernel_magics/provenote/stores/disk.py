"""The disk under the cache: whole writes, clones, and a failure said in one line."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

from provenote.errors import ProvenoteError, UsageError, WorldError

FICLONE = 0x40049409
"""Linux's ioctl that clones a file's blocks on a disk that can share them (linux/fs.h)."""


def clone(source: int, target: int) -> bool:
    """Share the blocks of ``source`` with ``target`` where the disk can; False where it cannot."""
    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError:
        return False
    return True


def write_all(descriptor: int, content: bytes | memoryview) -> None:
    """Write everything: one `os.write` may take less."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def read_all(descriptor: int) -> bytes:
    """Read to the end, however large the file was said to be."""
    parts = []
    while part := os.read(descriptor, 1 << 20):
        parts.append(part)
    return b"".join(parts)


def shown(path: str) -> str:
    """Return ``path`` fit for one line of a message: odd bytes and line ends escaped."""
    plain = path.encode(errors="surrogateescape").decode(errors="backslashreplace")
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in plain)


def unreadable(path: str, error: OSError) -> UsageError:
    """Say why ``path`` cannot be read, and what mends it."""
    name = shown(path)
    if os.path.islink(path) and not os.path.exists(path):
        there = f"to {shown(os.readlink(path))}, which is not there"
        kind = "that runs in circles" if error.errno == errno.ELOOP else there
        mend = f"Remove it (`rm {name}`), or leave it out: name it in .dvcignore"
        return UsageError(f"{name} is a link {kind}", mend)
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return UsageError(f"{name} is not there", "Check its name: `ls`")
    if error.errno in (errno.EACCES, errno.EPERM):
        mend = f"Let yourself read it: `chmod u+r {name}`"
        return UsageError(f"{name} cannot be read: permission denied", mend)
    return UsageError(f"{name} cannot be read: {error.strerror or error}", "Check its disk, then try again")


class writing:  # noqa: N801  # used as `with writing(place):`
    """Turn a failing disk into one clear error.

    Parameters
    ----------
    place : Path
        What is written, as the message names it.
    """

    def __init__(self, place: Path) -> None:
        self.place = place

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, OSError) or isinstance(error, ProvenoteError):
            return
        where = shown(str(self.place))
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            what = f"the disk is full at {where}; what was there before is whole"
            raise WorldError(what, "Free some space, then try again") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            mend = f"Check who owns it: `ls -ld {where}`"
            raise WorldError(f"{where} cannot be written: {error.strerror}", mend) from error
        mend = f"Check that its folder is there: `ls -ld {os.path.dirname(where) or '.'}`"
        raise WorldError(f"{where} cannot be written: {error.strerror or error}", mend) from error
