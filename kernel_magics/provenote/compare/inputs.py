"""Which data the runs read, and how their versions differ: schema, rows, files.

What is known of a version comes from its profile in the run's commit, in another run's or in the work tree
(whichever names the same bytes), and from the bytes where they are in the cache. Nothing is fetched.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provenote.compare.code import CodeChanges
from provenote.compare.sides import Side
from provenote.data.differing import FolderDifference, folder_difference
from provenote.errors import ProvenoteError
from provenote.events import Progress, Tell, silent

if TYPE_CHECKING:
    from provenote.data.tablediff import TableDifference
    from provenote.workspace import Workspace

BYTES = 64_000_000
"""Bytes of a table up to which its rows are compared; `data diff` compares any."""

TOLD = 5_000_000
"""Bytes of two tables from which progress is told: less takes no time."""


@dataclass(frozen=True, slots=True)
class DataSeen:
    """One version of data as a run had it.

    Parameters
    ----------
    md5 : str
    size : int or None
        Bytes.
    nfiles : int or None
        Files of a folder.
    rev : str
        What the run asked for, empty for the work tree's.
    read : bool
        Whether the run told that it read it; else it was merely tracked in the run's commit.
    rows : int or None
    columns : dict of str to str, optional
        Column -> type; None where no profile is known.
    sampled : bool
        Whether the profile read only the beginning.
    here : bool
        Whether the bytes are in the cache.
    """

    md5: str
    size: int | None = None
    nfiles: int | None = None
    rev: str = ""
    read: bool = True
    rows: int | None = None
    columns: Mapping[str, str] | None = None
    sampled: bool = False
    here: bool = False


@dataclass(frozen=True, slots=True)
class DataChange:
    """How a version differs from the baseline's.

    Parameters
    ----------
    columns_added, columns_removed : tuple of str
    columns_retyped : tuple of (str, str, str)
        Column, old type, new type.
    table : TableDifference or None
        Row by row, where the bytes of both are here.
    folder : FolderDifference or None
        File by file, where both lists are here.
    unknown : str
        What could not be told and why; empty when all is known.
    """

    columns_added: tuple[str, ...] = ()
    columns_removed: tuple[str, ...] = ()
    columns_retyped: tuple[tuple[str, str, str], ...] = ()
    table: TableDifference | None = None
    folder: FolderDifference | None = None
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class DataItem:
    """One path with the version of each run, the baseline's first; None where a run has none.

    ``changes`` stand beside ``versions``; None where the version is the baseline's or one of them is missing.
    """

    path: str
    versions: tuple[DataSeen | None, ...]
    changes: tuple[DataChange | None, ...]

    @property
    def same(self) -> bool:
        """Whether all runs had the same bytes."""
        return len({version.md5 if version else None for version in self.versions}) == 1


def inputs(
    workspace: Workspace, sides: Sequence[Side], code: Sequence[CodeChanges], tell: Tell = silent
) -> tuple[DataItem, ...]:
    """Compare the data of runs.

    Parameters
    ----------
    workspace : Workspace
    sides : sequence of Side
    code : sequence of CodeChanges
        How the files of each other run differ from the baseline's: which pointers do.
    tell : Tell
        Where progress goes.
    """
    profiles = _Profiles(workspace, sides)
    reads = [_reads(side.document) for side in sides]
    moved = [path for each in code for path in each.pointers]
    tracked = [_tracked(workspace, side, moved) for side in sides]
    found = []
    for path in dict.fromkeys(path for each in (*reads, *tracked) for path in sorted(each)):
        versions = tuple(
            profiles.seen(path, read.get(path) or also.get(path))
            for read, also in zip(reads, tracked, strict=True)
        )
        base = versions[0]
        changes = tuple(
            _change(workspace, path, base, version, tell)
            if base is not None and version is not None and version.md5 != base.md5
            else None
            for version in versions
        )
        found.append(DataItem(path, versions, changes))
    return tuple(found)


def _reads(document: Mapping[str, Any]) -> dict[str, DataSeen]:
    """Return what a run read, by path; of several versions of one path the last."""
    found = {}
    for read in document.get("reads") or ():
        if isinstance(read, Mapping) and read.get("path") and read.get("md5"):
            size, nfiles = read.get("size"), read.get("nfiles")
            found[str(read["path"])] = DataSeen(
                str(read["md5"]),
                size if isinstance(size, int) else None,
                nfiles if isinstance(nfiles, int) else None,
                str(read.get("rev") or ""),
            )
    return found


def _tracked(workspace: Workspace, side: Side, pointers: Sequence[str]) -> dict[str, DataSeen]:
    """Return what pointers in a run's tree name, by path from the DVC root."""
    from provenote.stores import pointers as form

    found = {}
    for name in dict.fromkeys(pointers):
        content = _file(workspace, side.tree, name)
        try:
            pointer = form.read((content or b"").decode("utf-8"))
        except (ProvenoteError, UnicodeDecodeError):
            continue
        if pointer.stored is not None:
            inside = os.path.relpath(name, workspace.prefix or ".")
            path = os.path.normpath(os.path.join(os.path.dirname(inside), pointer.path))
            one = pointer.stored
            found[path] = DataSeen(one.md5, one.size, one.nfiles, read=False)
    return found


def _file(workspace: Workspace, tree: str, path: str) -> bytes | None:
    from provenote.git import trees

    repo = trees.repository(workspace.common_dir)
    try:
        return trees.content(repo, trees.tree(repo, tree), path)
    except (KeyError, ValueError):
        return None


class _Profiles:
    """The profiles that can be found, by the MD5 of what they describe."""

    def __init__(self, workspace: Workspace, sides: Sequence[Side]) -> None:
        self.workspace, self.sides = workspace, sides
        self._known: dict[str, dict[str, dict[str, Any]]] = {}

    def seen(self, path: str, version: DataSeen | None) -> DataSeen | None:
        """Return a version with all that is known of it."""
        from provenote.stores import cache

        if version is None:
            return None
        facts = self._of(path).get(version.md5, {})
        columns = facts.get("columns")
        rows = facts.get("rows")
        return DataSeen(
            version.md5,
            version.size,
            version.nfiles,
            version.rev,
            version.read,
            rows if isinstance(rows, int) else None,
            {str(one.get("name")): str(one.get("dtype")) for one in columns if isinstance(one, dict)}
            if isinstance(columns, list)
            else None,
            bool(facts.get("sampled")),
            cache.locate(self.workspace.cache_dir, version.md5) is not None,
        )

    def _of(self, path: str) -> dict[str, dict[str, Any]]:
        from provenote.data import profiles

        if path not in self._known:
            name = f"{self.workspace.prefix}/{path}".lstrip("/") + profiles.ENDING
            texts = [_file(self.workspace, side.tree, name) for side in self.sides]
            if ".." not in path.split("/") and not os.path.isabs(path):
                with contextlib.suppress(OSError, ValueError):
                    texts.append(profiles.file_of(self.workspace.dvc_root / path).read_bytes())
            found = [profiles.from_text(text) for text in texts if text]
            self._known[path] = {str(facts["md5"]): facts for facts in found if facts is not None}
        return self._known[path]


def _change(workspace: Workspace, path: str, base: DataSeen, version: DataSeen, tell: Tell) -> DataChange:
    """Tell how a version differs from the baseline's, as far as that is known here."""
    added, removed, retyped = _columns(base.columns, version.columns)
    if (base.nfiles is None) != (version.nfiles is None):
        return DataChange(unknown="one is a folder, the other a file")
    absent = [one.md5[:12] for one in (base, version) if not one.here]
    why = ""
    table, folder = None, None
    if base.nfiles is not None:
        folder, why = _folders(workspace, base, version)
    elif not absent:
        table, why = _tables(workspace, path, base, version, tell)
    if table is not None and (base.columns is None or version.columns is None):
        added = tuple(one.name for one in table.columns if one.old is None)
        removed = tuple(one.name for one in table.columns if one.new is None)
        retyped = tuple((c.name, c.old, c.new) for c in table.columns if c.old and c.new)
    if absent:
        parts = "files" if base.nfiles is not None else "rows"
        why = f"which {parts} differ is not known: the bytes of {' and '.join(absent)} are not here"
    return DataChange(added, removed, retyped, table, folder, why)


def _columns(
    old: Mapping[str, str] | None, new: Mapping[str, str] | None
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[tuple[str, str, str], ...]]:
    if old is None or new is None:
        return (), (), ()
    both = [name for name in new if name in old]
    return (
        tuple(name for name in new if name not in old),
        tuple(name for name in old if name not in new),
        tuple((name, old[name], new[name]) for name in both if old[name] != new[name]),
    )


def _tables(
    workspace: Workspace, path: str, base: DataSeen, version: DataSeen, tell: Tell
) -> tuple[TableDifference | None, str]:
    from provenote.data import tables
    from provenote.data.tablediff import compare
    from provenote.stores import cache

    if tables.kind(path) is None:
        return None, ""
    found = [cache.locate(workspace.cache_dir, one.md5) for one in (base, version)]
    if any(place is None or place.stat().st_size > BYTES for place in found):
        return None, f"too large to compare row by row here: `provenote data diff {path}@OLD NEW`"
    old, new = (tables.Source(place, path) for place in found if place is not None)
    label = f"compare {path}"
    tell = tell if old.path.stat().st_size + new.path.stat().st_size > TOLD else silent
    tell(Progress(label))
    try:
        return compare(old, new), ""
    except tables.NotReadable as error:
        return None, f"not readable as tables: {error.what}"
    except ProvenoteError as error:
        return None, error.what
    finally:
        tell(Progress(label, state="done"))


def _folders(workspace: Workspace, base: DataSeen, version: DataSeen) -> tuple[FolderDifference | None, str]:
    from provenote.stores import cache

    try:
        lists = [
            {entry.path: entry.md5 for entry in cache.entries(workspace.cache_dir, one.md5)}
            for one in (base, version)
        ]
    except ProvenoteError as error:
        return None, error.what
    return folder_difference(*lists), ""
