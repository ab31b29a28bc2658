"""Bytes held against a plain ``dvc gc``: second names of objects, which DVC does not know of.

Nothing in a repository stops ``dvc gc --workspace``: it looks at the work tree and deletes the rest from
``files/md5``. So what must stay gets a hard link beside it, ``<cache>/provenote-held/<repository>/<2>/<30>``,
which costs no room while the object is there. When DVC has deleted the object, `mend` links it back.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from provenote.stores.disk import clone, writing
from provenote.stores.layout import is_md5, object_path

FOLDER = "provenote-held"


def place(cache_dir: Path, common_dir: Path) -> Path:
    """Return where one repository holds its objects: a cache may serve several."""
    name = hashlib.sha256(os.fsencode(os.path.realpath(common_dir))).hexdigest()[:16]
    return cache_dir / FOLDER / name


def listing(place: Path) -> dict[str, int]:
    """Return what a repository holds: sizes by MD5."""
    return {md5: status.st_size for md5, status in objects(place)}


def objects(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the MD5 and the status of every object below a folder that is laid out as ``files/md5``."""
    with suppress(FileNotFoundError, NotADirectoryError):
        for outer in sorted(os.scandir(folder), key=lambda entry: entry.name):
            if len(outer.name) != 2 or not outer.is_dir(follow_symlinks=False):
                continue
            for inner in os.scandir(outer.path):
                md5 = outer.name + inner.name
                if is_md5(md5) and inner.is_file(follow_symlinks=False):
                    with suppress(FileNotFoundError):
                        yield md5, inner.stat(follow_symlinks=False)


def hold(cache_dir: Path, place: Path, md5s: Iterable[str]) -> list[str]:
    """Hold objects, and return those that the cache lacks.

    Raises
    ------
    WorldError
        If the disk refuses.
    """
    lacking = []
    for md5 in md5s:
        target = place / md5[:2] / md5[2:]
        if target.exists():
            continue
        source = object_path(cache_dir, md5)
        with writing(place):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                _link(source, target)
            except FileNotFoundError:
                lacking.append(md5)
    return lacking


def release(place: Path, md5s: Iterable[str]) -> None:
    """Let go of objects; what the cache holds stays there."""
    for md5 in md5s:
        with suppress(FileNotFoundError):
            (place / md5[:2] / md5[2:]).unlink()


def mend(cache_dir: Path, md5: str) -> Path | None:
    """Bring back an object that the cache lost and some repository holds; None where none does.

    Its bytes are read before: a name under which others lie is let go of.
    """
    try:
        places = [entry.path for entry in os.scandir(cache_dir / FOLDER)] if is_md5(md5) else []
    except (FileNotFoundError, NotADirectoryError):
        return None
    for folder in places:
        source, target = Path(folder, md5[:2], md5[2:]), object_path(cache_dir, md5)
        try:
            with open(source, "rb") as file:
                whole = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        except OSError:
            continue
        if whole != md5.removesuffix(".dir"):
            release(Path(folder), [md5])
            continue
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _link(source, target)
        except OSError:  # a cache that is full or cannot be written can still be read
            return source
        return target
    return None


def _link(source: Path, target: Path) -> None:
    """Give a file a second name; where the disk has none, copy it, whole or not at all."""
    try:
        os.link(source, target)
        return
    except FileExistsError:
        return
    except FileNotFoundError:
        raise
    except OSError:
        waiting = target.with_name(f".{os.getpid()}-{time.monotonic_ns():x}.tmp")
    try:
        with open(source, "rb") as read, open(waiting, "xb") as write:
            if not clone(read.fileno(), write.fileno()):
                shutil.copyfileobj(read, write, 1 << 20)
        waiting.chmod(0o444)
        os.rename(waiting, target)
    except BaseException:
        with suppress(OSError):
            waiting.unlink()
        raise
