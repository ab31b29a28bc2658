"""Check tracked data against its contract: files of a folder at once, each only once for the same bytes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from provenote.contracts import contract_file, engine, opening, quarantine
from provenote.contracts.contract import Contract
from provenote.contracts.faults import Fault, FileReport, Place, shown_value
from provenote.contracts.seen import Reports
from provenote.data import history, tables, tracked, travel
from provenote.errors import UsageError
from provenote.events import Tell, silent
from provenote.git.command import git
from provenote.stores import cache, remotes
from provenote.stores.deposit import listing
from provenote.stores.disk import shown
from provenote.stores.gauge import Gauge
from provenote.workspace import Workspace

KEEP = 20
"""Faulty places of each kind that are kept."""
AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of one tracked path found.

    Parameters
    ----------
    path : str
        POSIX path from the DVC root.
    folder : bool
    md5 : str
        Of the data as it was checked.
    contract : Contract
    reports : tuple of FileReport
        One for each file; of a folder with a key, one more (without a file) for all of them together.
    known : int
        How many of them were checked before.
    owner : str
        Who committed the pointer last; empty where nobody did.
    unchanged : int
        Files that were passed over, since they are as they were at the revision that was asked for.
    left_out : int
        Files that are in quarantine, and so are not judged.
    """

    path: str
    folder: bool
    md5: str
    contract: Contract
    reports: tuple[FileReport, ...]
    known: int = 0
    owner: str = ""
    unchanged: int = 0
    left_out: int = 0


def contracted(workspace: Workspace) -> list[str]:
    """Return the paths that have a contract, from the DVC root."""
    ending = contract_file.ENDING
    query = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", f":(glob)**/*{ending}"]
    names = (os.fsdecode(name) for name in git(workspace.dvc_root, *query).split(b"\0") if name)
    return sorted(name.removesuffix(ending) for name in names if (workspace.dvc_root / name).exists())


def check(
    workspace: Workspace, inside: str, *, keep: int = KEEP, since: str | None = None, tell: Tell = silent
) -> Checked:
    """Check what is at a path of the work tree; where nothing is there, what its pointer names.

    Parameters
    ----------
    workspace : Workspace
    inside : str
        POSIX path from the DVC root.
    keep : int
        Faulty places of each kind to keep.
    since : str, optional
        A revision: files that are as they were then are left out.
    tell : Tell

    Raises
    ------
    UsageError
        If the path has no contract, or is not there.
    BadContract
        If its contract is none.
    WorldError
        If its bytes are neither here nor on the remote.
    """
    data = workspace.dvc_root / inside
    contract = contract_file.read(contract_file.file_of(data))
    if contract is None:
        mend = f"Infer one from data that is as it should be: `provenote data contract {shown(inside)}`"
        raise UsageError(f"{shown(inside)} has no contract", mend)
    out = {one.file for one in quarantine.listed(workspace, inside)}
    if "" in out and not os.path.lexists(data):
        return Checked(inside, False, "", contract, (), left_out=1)
    md5, folder, files = _files(workspace, inside, tell)
    files = files if os.path.lexists(data) else [one for one in files if one[0] not in out]
    unchanged = 0
    if since is not None:
        before = _at(workspace, inside, since)
        left = [one for one in files if before.get(one[0]) != one[1]]
        unchanged, files = len(files) - len(left), left
    reports, known = check_files(workspace, contract, files, keep=keep, tell=tell, label=inside)
    if folder and contract.key and len(files) > 1 and since is None:
        together, before_ = _across(workspace, contract, files, reports, md5)
        reports, known = [*reports, together], known + before_
    faulty = any(report.faults for report in reports)
    who = owner(workspace, inside) if faulty else ""
    return Checked(inside, folder, md5, contract, tuple(reports), known, who, unchanged, len(out))


def check_files(
    workspace: Workspace,
    contract: Contract,
    files: Sequence[tuple[str, str, Path]],
    *,
    keep: int = KEEP,
    tell: Tell = silent,
    label: str = "data",
) -> tuple[list[FileReport], int]:
    """Check files, those of unknown content on several threads.

    Parameters
    ----------
    workspace : Workspace
    contract : Contract
    files : sequence of (str, str, Path)
        Name, MD5 and place of each.
    keep, tell, label

    Returns
    -------
    tuple
        A report for each, in order, and how many were known.
    """
    memory = Reports(workspace.home, contract.sha256)
    asked = {(md5, str(tables.kind(name or path.name))) for name, md5, path in files}
    found = {
        key: report
        for key, report in memory.get(asked).items()
        if all(len(fault.places) >= min(keep, fault.count) or fault.places == [] for fault in report.faults)
        or keep <= KEEP
    }
    fresh = [one for one in files if (one[1], str(tables.kind(one[0] or one[2].name))) not in found]
    gauge = Gauge(tell, f"check {shown(label)}", total=len(files), unit="files")
    gauge.add(len(files) - len(fresh))

    def one(file: tuple[str, str, Path]) -> tuple[str, FileReport]:
        name, md5, path = file
        named = name or label
        report = engine.check_file(path, named, contract, md5=md5, keep=max(keep, KEEP))
        gauge.add(1)
        return str(tables.kind(named)), report

    if len(fresh) > 1:
        with ThreadPoolExecutor(min(AT_ONCE, os.cpu_count() or 1)) as pool:
            made = list(pool.map(one, fresh))
    else:
        made = [one(file) for file in fresh]
    gauge.end()
    memory.put(made)
    found |= {(report.md5, kind): report for kind, report in made}
    reports = [
        replace(found[md5, str(tables.kind(name or path.name))], file=name) for name, md5, path in files
    ]
    return reports, len(files) - len(fresh)


def unknown(workspace: Workspace, inside: str, contract: Contract) -> list[tuple[str, Path]]:
    """Return the files of a path that were never checked against this contract: name and place."""
    files = _files(workspace, inside, silent)[2]
    kinds = {(md5, str(tables.kind(name or path.name))) for name, md5, path in files}
    seen = Reports(workspace.home, contract.sha256).get(kinds)
    return [
        (name, path) for name, md5, path in files if (md5, str(tables.kind(name or path.name))) not in seen
    ]


def owner(workspace: Workspace, inside: str) -> str:
    """Return who committed the pointer of a path last."""
    pointer = workspace.dvc_root / (inside + tracked.SUFFIX)
    try:
        said = git(workspace.dvc_root, "log", "-1", "--format=%an", "--", str(pointer))
    except Exception:  # noqa: BLE001  # a repository without a commit: nobody owns it yet
        return ""
    return said.decode(errors="replace").strip()


def _files(workspace: Workspace, inside: str, tell: Tell) -> tuple[str, bool, list[tuple[str, str, Path]]]:
    """Return the hash of what is at a path, whether it is a folder, and its tables."""
    data = workspace.dvc_root / inside
    if data.is_dir():
        listed = travel.files(workspace, inside, tell)
        content = listing([(name, md5) for name, md5, _ in listed])
        whole = hashlib.md5(content, usedforsecurity=False).hexdigest() + ".dir"
        return whole, True, [(name, md5, data / name) for name, md5, _ in listed if tables.kind(name)]
    if os.path.lexists(data):
        return (md5 := travel.measure(workspace, inside, tell).md5), False, [("", md5, data)]
    stored = travel.wanted(workspace, inside, None).stored
    remotes.require(workspace, stored.md5, tell)
    if stored.nfiles is None:
        return stored.md5, False, [("", stored.md5, cache.object_path(workspace.cache_dir, stored.md5))]
    entries = cache.entries(workspace.cache_dir, stored.md5)
    return stored.md5, True, [
        (one.path, one.md5, cache.object_path(workspace.cache_dir, one.md5))
        for one in entries
        if tables.kind(one.path)
    ]  # fmt: skip


def _at(workspace: Workspace, inside: str, rev: str) -> dict[str, str]:
    """Return the files of a path at a revision, by name; of a single file, its name is empty."""
    stored = history.version(workspace, inside, rev).stored
    if stored.nfiles is None:
        return {"": stored.md5}
    if cache.locate(workspace.cache_dir, stored.md5) is None:
        remotes.pull(workspace, [stored.md5])
    return {one.path: one.md5 for one in cache.entries(workspace.cache_dir, stored.md5)}


def _across(
    workspace: Workspace,
    contract: Contract,
    files: Sequence[tuple[str, str, Path]],
    reports: Sequence[FileReport],
    md5: str,
) -> tuple[FileReport, int]:
    """Check that no key stands in two files; files whose keys do not overlap are not read for it."""
    memory = Reports(workspace.home, contract.sha256)
    known = memory.get([(md5, "folder")])
    if known:
        return known[md5, "folder"], 1
    made = FileReport("", md5, judged=["key"])
    pairs = [
        (file, report)
        for file, report in zip(files, reports, strict=True)
        if report.rows and "key" in report.judged
    ]
    for group in _overlapping(pairs):
        made.faults += _shared(contract, group)
    memory.put([("folder", made)])
    return made, 0


def _overlapping(
    pairs: Iterable[tuple[tuple[str, str, Path], FileReport]],
) -> list[list[tuple[str, str, Path]]]:
    """Group files whose keys may be the same."""
    pairs = list(pairs)
    unknown = [file for file, report in pairs if report.keys is None]
    ranged = [(report.keys, file) for file, report in pairs if report.keys is not None]
    if unknown:
        return [[file for file, _ in pairs]] if len(pairs) > 1 else []
    try:
        ranged.sort(key=lambda one: one[0])
    except TypeError:
        return [[file for _, file in ranged]]
    groups: list[list[tuple[str, str, Path]]] = []
    high = None
    for keys, file in ranged:
        if high is not None and keys[0] <= high:
            groups[-1].append(file)
            high = max(high, keys[1])
        else:
            groups.append([file])
            high = keys[1]
    return [sorted(group) for group in groups if len(group) > 1]


def _shared(contract: Contract, group: Sequence[tuple[str, str, Path]]) -> list[Fault]:
    """Find keys that stand in two files of a group."""
    import numpy

    from provenote.contracts import keys

    names = list(contract.key)
    with keys.Keys() as store:
        for name, _, path in group:
            for columns in opening.read_columns(tables.Source(path, name), contract, names):
                store.add(keys.hashed(columns))
        hashes, count = store.twice()
    if not count:
        return []
    fault = Fault("key", ", ".join(names), contract.action("key"), count, "stands in more than one file")
    seen: dict[object, str] = {}
    for name, _, path in group:
        start = 0
        for columns in opening.read_columns(tables.Source(path, name), contract, names):
            for row in numpy.flatnonzero(numpy.isin(keys.hashed(columns), hashes)).tolist():
                key = tuple(column[row].as_py() for column in columns)
                first = seen.setdefault(key, name)
                if first != name and len(fault.places) < KEEP:
                    words = f"{', '.join(map(shown_value, key))} in {first} and {name}"
                    fault.places.append(Place(start + row + 1, words))
            start += len(columns[0])
    return [fault] if fault.places else []
