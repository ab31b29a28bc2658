"""Name the work tree as it is, without touching index, HEAD, stash or files.

`take` asks ``git status`` what differs from HEAD, lets Git itself hash those files (so that clean
filters, autocrlf, sparse checkouts and split indexes are honoured) and applies them to HEAD's tree.
Untracked files go in unless `omission` says why not; what is left out is listed with size and hash.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from provenote.config import Settings
from provenote.errors import WorldError
from provenote.git import objects, secrets
from provenote.git.command import begun, git, no_commit

_FOLDERS = frozenset({"node_modules", ".ipynb_checkpoints", "__pycache__", ".venv", ".tox", ".mypy_cache"})
_DATA = frozenset(
    [
        ".csv",
        ".tsv",
        ".parquet",
        ".feather",
        ".arrow",
        ".jsonl",
        ".ndjson",
        ".npy",
        ".npz",
        ".h5",
        ".hdf5",
        ".pkl",
        ".pickle",
        ".joblib",
        ".skops",
        ".onnx",
        ".pt",
        ".pth",
        ".safetensors",
        ".ckpt",
        ".zip",
        ".gz",
        ".bz2",
        ".xz",
        ".zst",
        ".7z",
        ".tar",
        ".db",
        ".sqlite",
        ".sqlite3",
        ".xlsx",
        ".xls",
        ".orc",
        ".avro",
        ".png",
        ".jpg",
        ".jpeg",
        ".gif",
        ".tif",
        ".tiff",
        ".bmp",
        ".webp",
        ".wav",
        ".mp3",
        ".flac",
        ".mp4",
        ".avi",
        ".mov",
        ".bin",
        ".rds",
        ".dta",
        ".sas7bdat",
    ]
)
_HASH_LIMIT = 200_000_000  # bytes: a bigger omitted file is listed with its size only


@dataclass(frozen=True, slots=True)
class Omitted:
    """An untracked file that a snapshot leaves out.

    Parameters
    ----------
    path : str
        POSIX path from the Git root; ends with ``/`` for a whole folder.
    size : int
        Bytes.
    why : str
        The reason: ``data``, ``size``, ``secret``, ``environment``, ``cache``, ``count`` or ``total``.
    sha256 : str or None
        Hash of its bytes; None for folders, unreadable and very large files.
    """

    path: str
    size: int
    why: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The work tree at one moment.

    Parameters
    ----------
    baseline : str
        Commit of HEAD.
    tree : str or None
        Tree of the work tree; None when it equals HEAD's.
    omitted : tuple of Omitted
        Untracked files left out.
    """

    baseline: str
    tree: str | None
    omitted: tuple[Omitted, ...]


def look(top: Path) -> AbstractContextManager[Callable[[], bytes]]:
    """Start to ask Git what differs from HEAD: what `take` waits for, while the caller does other things."""
    words = ["status", "--porcelain=v2", "-z", "--branch", "--no-renames", "--ignore-submodules=dirty"]
    return begun(top, *words, "--untracked-files=all")


def take(top: Path, common_dir: Path, settings: Settings, status: Callable[[], bytes]) -> Snapshot:
    """Take a snapshot of the work tree at ``top``.

    Parameters
    ----------
    top : Path
    common_dir : Path
        Where its objects go.
    settings : Settings
    status : callable
        What `look` gave.

    Raises
    ------
    UsageError
        If the repository has no commit yet.
    WorldError
        If objects cannot be written.
    """
    baseline, tracked, untracked = _parted(status())
    changes: dict[bytes, objects.Change] = {}
    regular: list[tuple[bytes, int]] = []
    for path, mode in tracked:
        kind = _kind(top, path)
        if kind is None or (mode == 0 and kind != objects.MODULE):
            changes[path] = None
        elif kind == objects.LINK:
            changes[path] = (_link(top, common_dir, path), objects.LINK)
        elif kind in (objects.FILE, objects.EXECUTABLE) and mode != objects.MODULE:
            regular.append((path, mode))
    kept, omitted = _sort_untracked(top, untracked, settings)
    for path, kind in kept:
        if kind == objects.LINK:
            changes[path] = (_link(top, common_dir, path), objects.LINK)
        else:
            regular.append((path, kind))
    for (path, mode), oid in zip(regular, _hash(top, [path for path, _ in regular]), strict=True):
        changes[path] = (oid, mode)
    if not changes:
        return Snapshot(baseline, None, omitted)
    named = {os.fsdecode(path): change for path, change in changes.items()}
    head_tree = objects.tree_of(common_dir, baseline)
    with _keeping():
        tree = objects.build(common_dir, head_tree, named)
    return Snapshot(baseline, None if tree == head_tree else tree, omitted)


@contextmanager
def _keeping() -> Iterator[None]:
    """Say in one line why an object cannot be written."""
    try:
        yield
    except OSError as error:
        raise WorldError(
            f"the snapshot cannot be kept: {error.strerror or error}", "Free some space, then try again"
        ) from error


def _parted(out: bytes) -> tuple[str, list[tuple[bytes, int]], list[bytes]]:
    """Return HEAD, the tracked paths that differ with their mode in the work tree, and untracked paths."""
    baseline = ""
    tracked: list[tuple[bytes, int]] = []
    untracked: list[bytes] = []
    for entry in out.split(b"\0"):
        mark = entry[:2]
        if mark == b"? ":
            untracked.append(entry[2:])
        elif mark == b"1 ":
            fields = entry.split(b" ", 8)
            tracked.append((fields[8], int(fields[5], 8)))
        elif mark == b"u ":
            fields = entry.split(b" ", 10)
            tracked.append((fields[10], int(fields[6], 8)))
        elif entry.startswith(b"# branch.oid "):
            baseline = entry[13:].decode()
    if baseline in ("", "(initial)"):
        raise no_commit()
    return baseline, tracked, untracked


def _kind(top: Path, path: bytes) -> int | None:
    """Return the Git mode of a path in the work tree, or None when nothing is there."""
    try:
        mode = os.lstat(os.path.join(os.fsencode(top), path)).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(mode):
        return objects.LINK
    if stat.S_ISDIR(mode):
        return objects.MODULE
    return objects.EXECUTABLE if mode & 0o100 else objects.FILE


def _link(top: Path, common_dir: Path, path: bytes) -> str:
    target = os.readlink(os.path.join(os.fsencode(top), path))
    with _keeping():
        return objects.write(common_dir, "blob", target)


def _hash(top: Path, paths: list[bytes]) -> list[str]:
    """Let Git hash and store files, through the filters that their paths ask for."""
    if not paths:
        return []
    given = b"".join(_quoted(path) + b"\n" for path in paths)
    return git(top, "hash-object", "-w", "--stdin-paths", given=given).decode().split()


def _quoted(path: bytes) -> bytes:
    if path.startswith(b'"') or any(mark in path for mark in b'\n"\\'):
        escaped = path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
        return b'"' + escaped + b'"'
    return path


def _sort_untracked(
    top: Path, paths: list[bytes], settings: Settings
) -> tuple[list[tuple[bytes, int]], tuple[Omitted, ...]]:
    """Part the untracked files into those that go into the snapshot and those that are listed."""
    kept: list[tuple[bytes, int]] = []
    omitted: dict[str, Omitted] = {}
    environments: dict[str, bool] = {}
    total = 0
    for path in paths:
        name = os.fsdecode(path)
        if name.endswith("/"):  # a repository inside this one: Git does not look into it, nor do we
            omitted[name] = Omitted(name, 0, "repository")
            continue
        full = os.path.join(str(top), name)
        try:
            status = os.lstat(full)
        except OSError:
            continue
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
            continue  # sockets and pipes have no content
        whole = _folder_omission(top, name, environments)
        if whole is not None:
            folder, why = whole
            known = omitted.get(folder)
            omitted[folder] = Omitted(folder, status.st_size + (known.size if known else 0), why)
            continue
        reason = _omission(full, name, status.st_size, settings)
        if reason is None and len(kept) >= settings.untracked_files_limit:
            reason = "count"
        if reason is None and total + status.st_size > settings.untracked_total_limit:
            reason = "total"
        if reason is not None:
            omitted[name] = Omitted(name, status.st_size, reason, _sha256(full, status.st_size))
            continue
        total += status.st_size
        kind = (
            objects.LINK
            if stat.S_ISLNK(status.st_mode)
            else objects.EXECUTABLE
            if status.st_mode & 0o100
            else objects.FILE
        )
        kept.append((path, kind))
    return kept, tuple(omitted[name] for name in sorted(omitted))


def _folder_omission(top: Path, name: str, environments: dict[str, bool]) -> tuple[str, str] | None:
    """Return ``(folder, why)`` when a whole folder on the way to ``name`` is left out."""
    parts = name.split("/")
    for depth in range(1, len(parts)):
        folder = "/".join(parts[:depth])
        if parts[depth - 1] in _FOLDERS:
            return folder + "/", "cache"
        if folder not in environments:
            environments[folder] = os.path.exists(os.path.join(str(top), folder, "pyvenv.cfg"))
        if environments[folder]:
            return folder + "/", "environment"
    return None


def _omission(full: str, name: str, size: int, settings: Settings) -> str | None:
    """Return why one untracked file is left out, or None when it goes in."""
    base = name.rsplit("/", 1)[-1].lower()
    if base.startswith(".env") or base in secrets.KEY_FILES or base.endswith(secrets.KEY_SUFFIXES):
        return "secret"
    if os.path.splitext(base)[1] in _DATA:
        return "data"
    if size > settings.untracked_file_limit:
        return "size"
    if os.path.islink(full):
        return None
    try:
        with open(full, "rb") as file:
            text = file.read(settings.untracked_file_limit + 1)
    except OSError:
        return "unreadable"
    return "secret" if secrets.certain(text) else None


def _sha256(full: str, size: int) -> str | None:
    if size > _HASH_LIMIT or os.path.islink(full):
        return None
    digest = hashlib.sha256()
    try:
        with open(full, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError:
        return None
    return digest.hexdigest()
