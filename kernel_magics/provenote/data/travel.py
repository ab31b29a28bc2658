"""Go back in time: a copy of a past version, without touching any other file."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

from provenote.data import guards, history, tracked
from provenote.data.hashes import Hashes
from provenote.data.history import Change, Version
from provenote.data.ignoring import keep
from provenote.errors import UsageError
from provenote.events import Tell, silent
from provenote.stores import agreements, cache, remotes
from provenote.stores.deposit import listing, plain, walk
from provenote.stores.disk import shown, unreadable
from provenote.stores.gauge import Gauge
from provenote.stores.pointers import Stored
from provenote.workspace import Workspace


def get(
    spec: str,
    rev: str | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    tell: Tell = silent,
) -> Path:
    """Write a copy of a version and return where it is.

    Parameters
    ----------
    spec : str
        ``PATH@REV``, or the path alone with ``rev``. A path in a tracked folder is welcome too.
    rev : str, optional
        A Git revision, a run, or digits of a content hash; without any, what the pointer names.
    out : path, optional
        Where to: a name, or a folder that exists. Default: ``<name>@<rev>`` in the current folder.
    force : bool
        Replace what is there.
    tell : Tell
        Where progress goes.

    Raises
    ------
    UsageError
        If there is no such version, or something stands at ``out``.
    WorldError
        If the bytes are neither here nor on the remote, or the disk is full.
    """
    name, in_spec = history.split(spec) if rev is None else (spec, None)
    workspace, inside = tracked.locate(name)
    version = wanted(workspace, inside, rev or in_spec)
    leaf = inside.rsplit("/", 1)[-1]
    target = Path(out) if out is not None else Path(_beside(leaf, version.rev or version.stored.md5[:7]))
    if out is not None and target.is_dir() and not target.is_symlink():
        target = target / leaf
    target = Path(os.path.abspath(target))
    if os.path.lexists(target) and not force:
        mend = "Choose another name with --out, or replace it with --force"
        raise UsageError(f"{shown(os.path.relpath(target))} is already there", mend)
    remotes.require(workspace, version.stored.md5, tell)
    executable = version.stored.executable
    aside = None
    if target.is_dir() and not target.is_symlink():
        aside = target.with_name(f".{os.getpid()}.{target.name}.old")
        os.rename(target, aside)
    try:
        cache.materialize(workspace.cache_dir, version.stored.md5, target, executable=executable, tell=tell)
    except BaseException:
        if aside is not None:
            os.rename(aside, target)
        raise
    if aside is not None:
        shutil.rmtree(aside, ignore_errors=True)
    return target


def profile(path: str | os.PathLike[str], rev: str | None = None, *, tell: Tell = silent) -> dict[str, Any]:
    """Return the profile of a version: what `provenote.data.profiles` says of it.

    Parameters
    ----------
    path : path
        What is tracked.
    rev : str, optional
        As for `path`; without any, what the pointer names.
    tell : Tell
        Where progress goes.

    Raises
    ------
    UsageError
        If there is no such version.
    WorldError
        If it was never profiled and its bytes are neither here nor on the remote.
    """
    from provenote.data import profiles

    workspace, inside = tracked.locate(path)
    version = wanted(workspace, inside, rev)
    beside = profiles.read(profiles.file_of(workspace.dvc_root / inside))
    if beside is not None and beside["md5"] == version.stored.md5:
        return beside
    remotes.require(workspace, version.stored.md5, tell)
    return profiles.of_object(workspace.cache_dir, version.stored, inside.rsplit("/", 1)[-1], tell=tell)


def path(
    path: str | os.PathLike[str],
    rev: str | None = None,
    *,
    root: str | os.PathLike[str] | None = None,
    tell: Tell = silent,
) -> Path:
    """Return a local path of a version, and record the read on the running run, if there is one.

    Parameters
    ----------
    path : path
        The data. Relative to ``root``, or to the current folder.
    rev : str, optional
        A Git revision, a run, or digits of a content hash. Without it, the file in the work tree as
        it is: the run records its true hash, whether or not it was added.
    root : path, optional
        A folder of the project, where the current folder is elsewhere.
    tell : Tell
        Where progress goes.

    Returns
    -------
    pathlib.Path
        The file or folder. For a past version a read-only copy outside the work tree.

    Raises
    ------
    UsageError
        If there is no such file or version.
    WorldError
        If its bytes are neither here nor on the remote.

    Examples
    --------
    >>> import pandas, provenote
    >>> frame = pandas.read_csv(provenote.data.path("data/hour.csv", rev="v1.0"))  # doctest: +SKIP
    """
    where = os.path.join(root, path) if root is not None else os.fspath(path)
    workspace, inside = tracked.locate(where)
    if rev is None:
        absolute = workspace.dvc_root / inside
        checked = _gated(workspace, inside)
        if not absolute.exists():
            raise _absent(workspace, inside)
        stored = measure(workspace, inside)
        agreements.require(workspace, inside, stored.md5)
        _record_read(Version(inside, stored, ""), checked)
        return absolute
    version = wanted(workspace, inside, rev)
    agreements.require(workspace, inside, version.stored.md5)
    folder = workspace.home / "versions" / version.stored.md5
    target = folder / inside.rsplit("/", 1)[-1]
    if not target.exists():
        remotes.require(workspace, version.stored.md5, tell)
        executable = version.stored.executable
        waiting = folder / f".{os.getpid()}"
        cache.materialize(workspace.cache_dir, version.stored.md5, waiting, executable=executable, tell=tell)
        _read_only(waiting)
        with suppress(OSError):  # another process was faster, with the same bytes
            os.rename(waiting, target)
    _record_read(version)
    return target


def log(path: str | os.PathLike[str]) -> list[Change]:
    """Return the versions of a path in the history of HEAD, the newest first.

    Raises
    ------
    UsageError
        If no commit tracks it.
    """
    workspace, inside = tracked.locate(path)
    return history.changes(workspace, inside)


def wanted(workspace: Workspace, inside: str, rev: str | None) -> Version:
    """Return the version at ``rev``, or the one that the pointer names.

    Raises
    ------
    UsageError
        If there is none.
    """
    if rev is not None:
        return history.version(workspace, inside, rev)
    version = history.present(workspace, inside)
    if version is None:
        name = shown(inside)
        raise UsageError(f"{name} is not tracked", f"Track it: `provenote data add {name}`")
    return version


def measure(workspace: Workspace, inside: str, tell: Tell = silent) -> Stored:
    """Hash a path of the work tree as it is, without storing it; an unchanged file is not read again.

    Raises
    ------
    UsageError
        If it cannot be read.
    """
    absolute = str(workspace.dvc_root / inside)
    if not os.path.isdir(absolute):
        status = plain(absolute)
        gauge = Gauge(tell, f"hash {shown(inside)}", total=status.st_size)
        with Hashes(workspace.home) as known:
            md5 = _hash(absolute, status, known, gauge)
        gauge.end()
        return Stored(md5, status.st_size, executable=bool(status.st_mode & stat.S_IEXEC))
    found = files(workspace, inside, tell)
    md5 = (
        hashlib.md5(listing([(name, md5) for name, md5, _ in found]), usedforsecurity=False).hexdigest()
        + ".dir"
    )
    return Stored(md5, sum(size for _, _, size in found), len(found))


def files(workspace: Workspace, inside: str, tell: Tell = silent) -> list[tuple[str, str, int]]:
    """Hash the files of a folder of the work tree; return ``(POSIX path in it, MD5, bytes)`` of each.

    Raises
    ------
    UsageError
        If one cannot be read.
    """
    absolute = str(workspace.dvc_root / inside)
    found = [(one, name, plain(one)) for one, name in walk(absolute, keep(workspace, []))]
    gauge = Gauge(tell, f"hash {shown(inside)}", total=sum(status.st_size for _, _, status in found))
    with Hashes(workspace.home) as known:
        hashed = [(name, _hash(one, status, known, gauge), status.st_size) for one, name, status in found]
    gauge.end()
    return hashed


def _hash(path: str, status: os.stat_result, known: Hashes, gauge: Gauge) -> str:
    md5 = known.get(path, status)
    if md5 is None:
        digest = hashlib.md5(usedforsecurity=False)
        try:
            with open(path, "rb", buffering=0) as stream:
                while part := stream.read(1 << 18):
                    digest.update(part)
                after = os.fstat(stream.fileno())
        except OSError as error:
            raise unreadable(path, error) from error
        md5 = digest.hexdigest()
        if (after.st_size, after.st_mtime_ns) == (status.st_size, status.st_mtime_ns):
            known.put(path, status, md5)
    gauge.add(status.st_size)
    return md5


def _beside(leaf: str, rev: str) -> str:
    """Return ``<name>@<rev>`` as a file name: ``hour@v1.0.csv`` keeps its ending, so that tools know it."""
    stem, dot, ending = leaf.partition(".") if not leaf.startswith(".") else (leaf, "", "")
    plain_rev = re.sub(r"[^\w.+~^-]", "_", rev)
    return f"{stem}@{plain_rev}{dot}{ending}"


def _absent(workspace: Workspace, inside: str) -> UsageError:
    name = shown(inside)
    if history.present(workspace, inside) is not None:
        return UsageError(f"{name} is tracked but not here", f"Fetch it: `provenote data pull {name}`")
    return UsageError(f"{name} is not there", "Check its name: `provenote data status`")


def _read_only(target: Path) -> None:
    files = [target] if target.is_file() else [one for one in target.rglob("*") if one.is_file()]
    for one in files:
        one.chmod(one.stat().st_mode & ~0o222)


def _gated(workspace: Workspace, inside: str) -> dict[str, Any]:
    """Check a path that has a contract; return what a run records of it.

    The gate stands above us, so it is looked for only where there is something to check.
    """
    folder = inside
    while folder not in ("", "."):
        data = workspace.dvc_root / folder
        if any(data.with_name(data.name + ending).exists() for ending in guards.ENDINGS):
            import importlib

            found: dict[str, Any] = importlib.import_module("provenote.contracts.gate").passed(
                workspace, folder
            )
            return {
                key: found[key] for key in ("contract", "outcome", "alerts", "left_out") if found.get(key)
            }
        folder = os.path.dirname(folder)
    return {}


def _record_read(version: Version, more: dict[str, Any] | None = None) -> None:
    """Tell the running run (and those that this process starts later) what is read."""
    from provenote.tracking.active import note_read

    rev = version.commit or version.rev or None
    facts = {"path": version.path, "md5": version.stored.md5, "size": version.stored.size, "rev": rev}
    if version.stored.nfiles is not None:
        facts["nfiles"] = version.stored.nfiles
    note_read(facts | (more or {}))
