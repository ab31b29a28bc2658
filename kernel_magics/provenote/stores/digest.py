"""What bytes are, in one SHA-256: of a file, of a folder (its manifest), of a value (its canonical line).

A signature binds one of these digests, so each has exactly one way to be written:

- *canonical line*: JSON with sorted keys, no spaces, UTF-8, ended by one line feed; no floats
  (RFC 8785 writes the types that remain in the same way);
- *manifest* of a folder: the canonical line of ``{"resources": [{"digest", "name", "size"}], "v": 1}``,
  sorted by name; names are POSIX paths inside the folder. Symbolic links and special files have no
  digest of their own, so a folder that holds one is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provenote.errors import UsageError

CHUNK = 1 << 20
SAFE_INTEGER = 2**53
"""JSON readers in other languages keep integers exactly only below this bound."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One file of a folder: POSIX path inside it, bytes, SHA-256."""

    name: str
    size: int
    digest: str


def canonical(value: Any) -> bytes:
    """Return the one canonical JSON line of ``value``.

    Raises
    ------
    ValueError
        If it holds a float, an integer beyond 2**53, a key that is no string, or text that is no Unicode.
    """
    _check(value)
    return _ENCODER.encode(value).encode() + b"\n"


def parse_canonical(line: bytes) -> Any:
    """Return the value of a canonical line.

    Raises
    ------
    ValueError
        If the line is not exactly what `canonical` writes: duplicate keys, other spaces or escapes, floats.
    """
    value = _DECODER.decode(line.decode())
    if _ENCODER.encode(value).encode() + b"\n" != line:
        raise ValueError("not written in the one form")
    return value


def _no_float(text: str) -> Any:
    raise ValueError(f"the float {text} has no canonical form")


def _integer(text: str) -> int:
    value = int(text)
    if abs(value) >= SAFE_INTEGER:
        raise ValueError("an integer beyond 2**53 has no canonical form")
    return value


# Made once: each call of json.dumps with options would make an encoder anew.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_DECODER = json.JSONDecoder(parse_float=_no_float, parse_constant=_no_float, parse_int=_integer)


def _check(value: Any) -> None:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            for key, inner in item.items():
                if not isinstance(key, str):
                    raise ValueError(f"the key {key!r} is no string")
                waiting.append(inner)
        elif isinstance(item, (list, tuple)):
            waiting.extend(item)
        elif isinstance(item, float):
            raise ValueError("a float has no canonical form")
        elif isinstance(item, int) and abs(item) >= SAFE_INTEGER:
            raise ValueError("an integer beyond 2**53 has no canonical form")


def sha256(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file, or of the manifest of a folder, as 64 hexadecimal digits.

    Raises
    ------
    UsageError
        If it does not exist or cannot be read, or a folder holds a link or a special file.
    """
    if os.path.isdir(path):
        return sha256_bytes(manifest(path))
    return _file(os.fspath(path))[1]


def sha256_bytes(content: bytes) -> str:
    """Return the SHA-256 of bytes as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def manifest(folder: str | os.PathLike[str]) -> bytes:
    """Return the canonical manifest of a folder.

    Raises
    ------
    UsageError
        If something in it is neither a plain file nor a folder, or cannot be read.
    """
    return manifest_of(_resources(Path(folder), Path(folder)))


def manifest_of(resources: Iterable[Resource]) -> bytes:
    """Return the canonical manifest of these resources.

    Raises
    ------
    UsageError
        If a name leaves the folder or appears twice.
    """
    listed = sorted(resources, key=lambda resource: resource.name)
    for resource in listed:
        check_name(resource.name)
    if len({resource.name for resource in listed}) < len(listed):
        raise UsageError("the folder's list names one file twice")
    rows = [{"name": r.name, "size": r.size, "digest": r.digest} for r in listed]
    return canonical({"v": 1, "resources": rows})


def check_name(name: str) -> str:
    """Return the name of a file in a folder if it stays inside it.

    Raises
    ------
    UsageError
        If it is absolute, has an empty, ``.`` or ``..`` part, a backslash or a control character.
    """
    parts = name.split("/")
    inside = all(part not in ("", ".", "..") for part in parts)
    if not inside or "\\" in name or any(ord(character) < 32 for character in name) or not _unicode(name):
        raise UsageError(f"{ascii(name)} in a folder is not a plain path inside it", "Rename that file")
    return name


def _unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _resources(folder: Path, root: Path) -> Iterator[Resource]:
    try:
        found = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise UsageError(f"{folder} cannot be read: {error.strerror}") from error
    for entry in found:
        path = Path(entry.path)
        if entry.is_symlink():
            raise UsageError(f"{path} is a symbolic link, which has no digest", "Put the file in its place")
        if entry.is_dir(follow_symlinks=False):
            yield from _resources(path, root)
        else:
            size, digest = _file(entry.path, os.O_NOFOLLOW)
            yield Resource(check_name(path.relative_to(root).as_posix()), size, digest)


def _file(path: str, flags: int = 0) -> tuple[int, str]:
    """Read a plain file once: its size and SHA-256. A pipe or device is refused before it can block."""
    sha, size = hashlib.sha256(), 0
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    with os.fdopen(descriptor, "rb", buffering=0) as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UsageError(f"{path} is no plain file", "Only files and folders can be signed")
        buffer = bytearray(CHUNK)
        view = memoryview(buffer)
        try:
            while count := stream.readinto(buffer):
                sha.update(view[:count])
                size += count
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    return size, sha.hexdigest()
