"""Make a contract from data that is as it should be, or widen one.

A file that people edited is never overwritten unasked.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from provenote.contracts import contract_file, contract_text, difference, discovery, expressions, inference
from provenote.contracts.contract import Contract, Determines
from provenote.contracts.difference import Change
from provenote.contracts.reference import look
from provenote.data import history, tables, tracked, travel
from provenote.errors import Refused, UsageError
from provenote.events import Tell, silent
from provenote.git.command import git
from provenote.stores import cache, pointers, remotes
from provenote.stores.disk import shown, writing
from provenote.workspace import Workspace

_LENGTH = re.compile(r"[1-9]\d{0,5}(m|h|d|w)|[1-9]\d{0,8}")


@dataclass(frozen=True, slots=True)
class Made:
    """What became of a contract.

    Parameters
    ----------
    path : str
        The data, POSIX path from the DVC root.
    file : Path
        The contract's file.
    contract : Contract
    changes : tuple of Change
        Against the file that was there.
    written : bool
        Whether the file was written; not where people had edited it.
    new : bool
        Whether there was none before.
    skipped : tuple of str
        Files of a folder that were not part of the reference, and why.
    """

    path: str
    file: Path
    contract: Contract
    changes: tuple[Change, ...]
    written: bool
    new: bool
    skipped: tuple[str, ...] = ()


def make(
    path: str | os.PathLike[str],
    *,
    rev: str | None = None,
    time: Sequence[str] = (),
    key: Sequence[str] = (),
    label: str = "",
    windows: str = "",
    accept_rules: bool = False,
    force: bool = False,
    tell: Tell = silent,
) -> Made:
    """Infer the contract of a file or folder and write it beside its pointer.

    Parameters
    ----------
    path : path
    rev : str, optional
        The version that it is inferred from; default: the work tree as it is.
    time, key : sequence of str
        Columns that say when a row was, and that name a row; found if not given.
    label : str
        The column that a model predicts.
    windows : str
        Length of a monitor's window, as ``7d`` or a number of rows.
    accept_rules : bool
        Whether the rules that were found are to be checked, and not only offered.
    force : bool
        Whether a file that people edited is overwritten.
    tell : Tell

    Raises
    ------
    UsageError
        If there is no such data, it is no table, or an option does not fit it.
    """
    if windows and not _LENGTH.fullmatch(windows):
        raise UsageError(
            f"a window cannot be {shown(windows)} long", "Give days, hours or rows: `--windows 7d`"
        )
    workspace, inside = tracked.locate(path)
    file = place(workspace, inside)
    before = _there(file)
    label = label or (before.label if before else "")
    stored, files = _reference(workspace, inside, rev, tell)
    reference = look(files)
    contract = inference.infer(reference, key=key, time=time, label=label)
    found = discovery.discover(reference, contract, files)
    of: dict[str, object] = {"dvc": f"{inside.rsplit('/', 1)[-1]}{tracked.SUFFIX}", "md5": stored}
    of |= dict(contract.of) | _head(workspace)
    contract = replace(
        contract,
        of=of,
        relations=found.relations,
        windows={"length": windows} if windows else before.windows if before else {},
        test=before.test if before else None,
        extra=before.extra if before else contract.extra,
        on_fail=before.on_fail if before else {},
        rules=tuple(map(expressions.parse, found.rules)) if accept_rules else (),
        determines=found.determines if accept_rules else (),
    )
    offered: Iterable[Determines | str] = () if accept_rules else (*found.rules, *found.determines)
    content = contract_text.to_text(contract, inside, offered).encode()
    contract = contract_file.parse(content, file.name)
    return write(file, inside, contract, content, force, tuple(reference.skipped))


def _there(file: Path) -> Contract | None:
    """Return the contract that is there: what people alone can say is taken over from it."""
    try:
        return contract_file.read(file)
    except Refused:
        return None


def widen(path: str | os.PathLike[str], columns: Sequence[str], *, tell: Tell = silent) -> Made:
    """Widen the rules of some columns so that the data of the work tree fits; all else stays as it is.

    Raises
    ------
    UsageError
        If there is no contract, or no such column in it.
    """
    workspace, inside = tracked.locate(path)
    file = place(workspace, inside)
    old = contract_file.read(file)
    if old is None:
        raise UsageError(
            f"{shown(inside)} has no contract", f"Make one: `provenote data contract {shown(inside)}`"
        )
    reference = look(_reference(workspace, inside, None, tell)[1])
    content = file.read_bytes()
    for name in columns:
        if name not in old.columns or name not in reference.columns:
            near = ", ".join(list(old.columns)[:12])
            raise UsageError(f"the contract has no column {name!r}", f"There are: {near}")
        rule = inference.widened(old.columns[name], reference.columns[name], reference)
        if rule != old.columns[name]:
            content = contract_file.replaced(content, rule)
    return write(file, inside, contract_file.parse(content, file.name), content, True, ())


def store(file: Path, content: bytes) -> None:
    """Write a contract whole, or not at all."""
    waiting = file.with_name(f".{file.name}.{os.getpid()}")
    with writing(file):
        try:
            waiting.write_bytes(content)
            os.replace(waiting, file)
        finally:
            waiting.unlink(missing_ok=True)


def place(workspace: Workspace, inside: str) -> Path:
    """Return where the contract of a path is kept; refuse a place that Git would never see."""
    for one in tracked.everything(workspace):
        if inside.startswith(one.path + "/"):
            mend = f"Make one for the folder: `provenote data contract {shown(one.path)}`"
            raise UsageError(
                f"{shown(inside)} lies in {shown(one.path)}, which is tracked as one folder", mend
            )
    return contract_file.file_of(workspace.dvc_root / inside)


def _reference(
    workspace: Workspace, inside: str, rev: str | None, tell: Tell
) -> tuple[str, list[tuple[str, Path]]]:
    """Return the hash of what the contract is inferred from, and its tables."""
    data = workspace.dvc_root / inside
    if rev is None and os.path.lexists(data):
        stored = travel.measure(workspace, inside, tell)
        if stored.nfiles is None:
            return stored.md5, [(data.name, data)]
        names = (name for name, _, _ in travel.files(workspace, inside, tell))
        return stored.md5, [(name, data / name) for name in names if tables.kind(name)]
    if rev is None and tracked.at(workspace, inside) is None:
        raise UsageError(f"{shown(inside)} is not there", "Check its name: `provenote data status`")
    version = history.version(workspace, inside, rev) if rev else travel.wanted(workspace, inside, None)
    remotes.require(workspace, version.stored.md5, tell)
    return version.stored.md5, _objects(workspace, inside, version.stored)


def _objects(workspace: Workspace, inside: str, stored: pointers.Stored) -> list[tuple[str, Path]]:
    if stored.nfiles is None:
        return [(inside.rsplit("/", 1)[-1], cache.object_path(workspace.cache_dir, stored.md5))]
    entries = cache.entries(workspace.cache_dir, stored.md5)
    return [
        (one.path, cache.object_path(workspace.cache_dir, one.md5))
        for one in entries
        if tables.kind(one.path)
    ]


def _head(workspace: Workspace) -> dict[str, object]:
    try:
        commit = git(workspace.top, "rev-parse", "--short=12", "HEAD").decode().strip()
    except Exception:  # noqa: BLE001  # no commit yet
        return {}
    return {"profiled_at": commit}


def write(
    file: Path, inside: str, contract: Contract, content: bytes, force: bool, skipped: tuple[str, ...]
) -> Made:
    """Write a contract, unless people edited the one that is there; tell what changes."""
    try:
        there: bytes | None = file.read_bytes()
    except FileNotFoundError:
        there = None
    before, edited = None, False
    if there is not None:
        edited = contract_text.by_hand(there)
        try:
            before = contract_file.parse(there, file.name)
        except Refused:
            edited = True
    changes = tuple(difference.compare(before, contract))
    if edited and not force and there != content:
        return Made(inside, file, contract, changes, False, False, skipped)
    if there != content:
        store(file, content)
    return Made(inside, file, contract, changes, True, there is None, skipped)
