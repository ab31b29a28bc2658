"""Which build of a package is installed, and whether its files are still what was installed.

- A wheel's ``RECORD`` lists its files with their SHA-256. The digest of these lines names the build: the same
  version from another wheel, or one built here, has another. Scripts, compiled files and what an installer
  adds are left out: they differ between equal installations.
- A file that was edited afterwards no longer has the digest of its line. All files are hashed on request;
  else only those that changed in size or since the package was installed.

Format: the specification "Recording installed projects" of the Python Packaging User Guide.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from provenote.tracking.environment import Lock, write

SLACK = 10_000_000_000
"""Nanoseconds after its ``RECORD`` within which a file counts as installed with it."""
_MOST = 20_000_000  # bytes of a RECORD that is read


@dataclass(frozen=True, slots=True)
class File:
    """A line of a ``RECORD`` that tells what a file holds.

    Parameters
    ----------
    path : str
        From the folder of packages.
    digest : str
        SHA-256 as the line has it: URL-safe base64 without padding.
    size : int or None
        Bytes.
    """

    path: str
    digest: str
    size: int | None


def of(names: Iterable[str], locked: Lock, home: Path | None = None) -> dict[str, str]:
    """Return which builds of packages are installed: a short digest by normalized name.

    Parameters
    ----------
    names : iterable of str
        Normalized names.
    locked : Lock
        The lock of this process.
    home : Path, optional
        `Workspace.home`: what was read is kept there, beside the lock.

    Returns
    -------
    dict of str to str
        A package without a ``RECORD`` that tells files, as an editable one, is absent.
    """
    kept = home / "environments" / f"{locked.sha256}.builds.json" if home else None
    known: dict[str, list[int | str]] = {}
    if kept is not None:
        with contextlib.suppress(OSError, ValueError, TypeError):
            known = dict(json.loads(kept.read_text(encoding="utf-8")))
    found, new = {}, False
    for name in names:
        folder = locked.places.get(name)
        if folder is None:
            continue
        try:
            facts = os.stat(os.path.join(folder, "RECORD"))
        except OSError:
            continue
        entry = known.get(name)
        if not (isinstance(entry, list) and entry[:2] == [facts.st_mtime_ns, facts.st_size]):
            entry = known[name] = [facts.st_mtime_ns, facts.st_size, digest(files(folder))]
            new = True
        if entry[2]:
            found[name] = str(entry[2])
    if new and kept is not None:
        write(kept, json.dumps(known, sort_keys=True))
    return found


def files(folder: str) -> list[File]:
    """Return what a ``RECORD`` tells of a distribution's own files; nothing where there is none to read.

    Parameters
    ----------
    folder : str
        The distribution's ``.dist-info``.
    """
    path = os.path.join(folder, "RECORD")
    own = os.path.basename(folder) + "/"
    try:
        if os.path.getsize(path) > _MOST:
            return []
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            text = file.read()
    except OSError:
        return []
    return sorted(_told(text, own), key=lambda one: one.path)


def _told(text: str, own: str) -> Iterator[File]:
    for line in text.splitlines():
        if ",sha256=" not in line:
            continue
        # A quoted name holds a comma: rare, and the reader of such lines is slow.
        words = next(csv.reader([line]), []) if '"' in line else line.rsplit(",", 2)
        if len(words) != 3 or not words[1].startswith("sha256="):
            continue
        path = words[0].replace("\\", "/")
        if path.startswith((own, "/", "../")) or "/../" in path or path.endswith((".pyc", ".pyo")):
            continue
        size = int(words[2]) if words[2].isdecimal() else None
        yield File(path, words[1][7:].rstrip("="), size)


def digest(told: Iterable[File]) -> str:
    """Return the short name of a build: 16 hexadecimal digits, nothing for a build without files."""
    text = "".join(f"{one.path} {one.digest}\n" for one in told)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16] if text else ""


def edited(folder: str, *, everything: bool = False) -> list[str]:
    """Return the files of a distribution that are not what was installed, or are gone.

    Parameters
    ----------
    folder : str
        The distribution's ``.dist-info``.
    everything : bool
        Hash all files. Else only those whose size is another or that were written after the ``RECORD``: what
        somebody edits and then gives its old time is not found so.
    """
    told = files(folder)
    if not told:
        return []
    root = os.path.dirname(folder)
    since = os.stat(os.path.join(folder, "RECORD")).st_mtime_ns + SLACK
    found = []
    for one in told:
        path = os.path.join(root, one.path)
        try:
            facts = os.stat(path)
            same = one.size in (None, facts.st_size)
            if same and (everything or facts.st_mtime_ns > since):
                same = _sha256(path) == one.digest
        except OSError:
            same = False
        if not same:
            found.append(one.path)
    return found


def edited_since(locked: Lock, modules: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the files of loaded modules that were edited after their package was installed, by package.

    Looks at these files only, so it takes some milliseconds; see `edited` for what it cannot find.

    Parameters
    ----------
    locked : Lock
        The lock of this process.
    modules : mapping of str to str
        Files of loaded modules, with the normalized name of the package that each belongs to.
    """
    since: dict[str, int] = {}
    suspects: dict[str, set[str]] = {}
    for path, name in modules.items():
        folder = locked.places.get(name)
        if folder is None:
            continue
        try:
            if name not in since:
                since[name] = os.stat(os.path.join(folder, "RECORD")).st_mtime_ns + SLACK
            if os.stat(path).st_mtime_ns > since[name]:
                suspects.setdefault(name, set()).add(os.path.relpath(path, os.path.dirname(folder)))
        except OSError:
            continue
    found = {}
    for name, paths in suspects.items():
        told = {one.path: one for one in files(locked.places[name])}
        root = os.path.dirname(locked.places[name])
        wrong = [
            path for path in sorted(paths & told.keys())
            if _sha256(os.path.join(root, path)) != told[path].digest
        ]  # fmt: skip
        if wrong:
            found[name] = wrong
    return found


def _sha256(path: str) -> str:
    with open(path, "rb") as file:
        raw = hashlib.file_digest(file, "sha256").digest()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
