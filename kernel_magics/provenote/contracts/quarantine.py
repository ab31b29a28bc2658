"""Leave a file out: its bytes stay, in the cache; the file leaves the work tree; who, when and why is in Git.

``<data>.quarantine.json`` beside the pointer, schema 1::

    {"schema": 1, "of": "live", "left_out": [{"file": "2012-09.csv", "md5": "...", "size": 4711,
     "why": "temp in percent", "who": "A. Petrova", "when": "2026-11-25T18:00:00Z", "by": "person",
     "touches_test": false}]}

``file`` is empty for a single file. ``touches_test`` is null where the contract names no test split. The
order is the promise: bytes in the cache, then the entry, then the file goes.
"""

from __future__ import annotations

import fcntl
import fnmatch
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from provenote.contracts import contract_file, evaluating
from provenote.contracts.contract import Contract
from provenote.data import guards, tables, tracked
from provenote.data.hashes import Hashes
from provenote.errors import ProvenoteError, Refused, UsageError
from provenote.git.command import git
from provenote.stores import cache, remotes
from provenote.stores.disk import shown, writing
from provenote.workspace import Workspace

ENDING = guards.QUARANTINE
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One file that is left out; see the head of this module."""

    file: str
    md5: str
    size: int
    why: str
    who: str
    when: str
    by: str = "person"
    touches_test: bool | None = None


def file_of(data: Path) -> Path:
    """Return where the entries of ``data`` are kept."""
    return data.with_name(data.name + ENDING)


def listed(workspace: Workspace, inside: str) -> tuple[LeftOut, ...]:
    """Return what is left out of a tracked path.

    Raises
    ------
    Refused
        If the file with the entries is damaged: what is left out is then not known.
    """
    file = file_of(workspace.dvc_root / inside)
    try:
        content = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return ()
    try:
        found = json.loads(content)
        if found["schema"] != SCHEMA:
            raise ValueError(f"it is of version {found['schema']}")
        return tuple(LeftOut(**one) for one in found["left_out"])
    except (ValueError, KeyError, TypeError) as error:
        mend = f"Take it back: `git checkout -- {shown(file.name)}`"
        raise Refused(f"{shown(file.name)} cannot be read: {' '.join(str(error).split())}", mend) from error


def everything(workspace: Workspace) -> dict[str, tuple[LeftOut, ...]]:
    """Return what is left out, by tracked path."""
    query = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", f":(glob)**/*{ENDING}"]
    names = (os.fsdecode(name) for name in git(workspace.dvc_root, *query).split(b"\0") if name)
    paths = sorted(name.removesuffix(ENDING) for name in names if (workspace.dvc_root / name).exists())
    return {path: entries for path in paths if (entries := listed(workspace, path))}


def put(path: str | os.PathLike[str], why: str, *, by: str = "person") -> tuple[str, LeftOut]:
    """Leave a file out.

    Parameters
    ----------
    path : path
        A tracked file, or a file in a tracked folder.
    why : str
        The reason, which stays in Git.
    by : {'person', 'gate'}

    Returns
    -------
    tuple
        The tracked path and the entry.

    Raises
    ------
    UsageError
        If it is not tracked, is no file, or no reason is given.
    WorldError
        If its bytes cannot be stored; the file is then where it was.
    """
    if not why.strip():
        raise UsageError("nobody could tell later why it was left out", 'Say why: `--why "temp in percent"`')
    workspace, inside = tracked.locate(path)
    owner, name = _owner(workspace, inside)
    absolute = workspace.dvc_root / inside
    if absolute.is_dir():
        raise UsageError(f"{shown(inside)} is a folder", "Name the file in it that is to be left out")
    with _alone(workspace):
        entries = listed(workspace, owner)
        there = next((one for one in entries if one.file == name), None)
        if not os.path.lexists(absolute):
            if there is not None:
                return owner, there
            raise UsageError(f"{shown(inside)} is not there", "Check its name: `provenote data status`")
        with Hashes(workspace.home) as known:
            stored = cache.put(absolute, workspace.cache_dir, known=known)
        contract = contract_file.read(contract_file.file_of(workspace.dvc_root / owner))
        touches = touches_test(contract, name or absolute.name, absolute)
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        entry = LeftOut(
            name, stored.md5, stored.size, " ".join(why.split()), _me(workspace), when, by, touches
        )
        _store(workspace, owner, [*(one for one in entries if one.file != name), entry])
        with writing(absolute):
            absolute.unlink()
    return owner, entry


def lift(path: str | os.PathLike[str]) -> tuple[str, LeftOut]:
    """Take a file back in: it is again where it was, with the bytes that it had.

    Raises
    ------
    UsageError
        If it is not left out, or another file has its place now.
    WorldError
        If its bytes are neither here nor on the remote.
    """
    workspace, inside = tracked.locate(path)
    owner, name = _owner(workspace, inside)
    absolute = workspace.dvc_root / inside
    with _alone(workspace):
        entries = listed(workspace, owner)
        entry = next((one for one in entries if one.file == name), None)
        if entry is None:
            raise UsageError(f"{shown(inside)} is not left out", "See what is: `provenote data quarantine`")
        if os.path.lexists(absolute):
            mend = f"Move it away first: `mv {shown(inside)} {shown(inside)}.new`"
            raise UsageError(f"another file is at {shown(inside)} now", mend)
        remotes.require(workspace, entry.md5)
        absolute.parent.mkdir(parents=True, exist_ok=True)
        cache.materialize(workspace.cache_dir, entry.md5, absolute)
        _store(workspace, owner, [one for one in entries if one is not entry])
    return owner, entry


def touches_test(contract: Contract | None, name: str, path: Path) -> bool | None:
    """Whether a file belongs to the test split; None where the contract names none.

    A file that cannot be read, or whose rows cannot be told, may belong to it: then the answer is yes.
    """
    if contract is None or contract.test is None:
        return None
    split = contract.test
    if split.files and (
        fnmatch.fnmatchcase(name, split.files) or fnmatch.fnmatchcase(os.path.basename(name), split.files)
    ):
        return True
    if split.rows is None:
        return False
    from pyarrow import compute

    found = {"touches": False}

    def begin(schema: Any) -> list[str]:
        return list(schema.names)

    def feed(names: list[str], batch: Any) -> bool:
        assert split.rows is not None
        cells_ = {one: batch.column(at) for at, one in enumerate(names)}
        held = evaluating.evaluate(split.rows.tree, cells_.__getitem__)
        found["touches"] = bool(compute.any(compute.fill_null(held, True)).as_py())
        return not found["touches"]

    try:
        tables.scan(tables.Source(path, name), begin, feed)
    except (ProvenoteError, KeyError):
        return True
    return found["touches"]


def _owner(workspace: Workspace, inside: str) -> tuple[str, str]:
    """Return the tracked path that holds a file, and the file's name in it."""
    for one in tracked.everything(workspace):
        if one.path == inside:
            return one.path, ""
        if inside.startswith(one.path + "/"):
            return one.path, inside[len(one.path) + 1 :]
    raise UsageError(f"{shown(inside)} is not tracked", f"Track it: `provenote data add {shown(inside)}`")


def _store(workspace: Workspace, owner: str, entries: list[LeftOut]) -> None:
    file = file_of(workspace.dvc_root / owner)
    with writing(file):
        if not entries:
            file.unlink(missing_ok=True)
            return
        lines = ",\n".join(
            "    " + json.dumps(asdict(one), ensure_ascii=False)
            for one in sorted(entries, key=lambda one: one.file)
        )
        head = f'{{\n  "schema": {SCHEMA},\n  "of": {json.dumps(owner.rsplit("/", 1)[-1])},\n'
        content = head + f'  "left_out": [\n{lines}\n  ]\n}}\n'
        waiting = file.with_name(f".{file.name}.{os.getpid()}")
        waiting.write_text(content, encoding="utf-8", errors="surrogateescape")
        os.replace(waiting, file)


def _me(workspace: Workspace) -> str:
    try:
        return git(workspace.top, "config", "user.name").decode(errors="replace").strip()
    except Exception:  # noqa: BLE001  # no identity is set
        return ""


@contextmanager
def _alone(workspace: Workspace) -> Iterator[None]:
    """Let one process at a time change what is left out: jobs of a sweep may meet the same file."""
    workspace.home.mkdir(parents=True, exist_ok=True)
    with (workspace.home / "quarantine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
