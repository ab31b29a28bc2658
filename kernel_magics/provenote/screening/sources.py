"""The rows of a path, and whose they are: of which file, contributor, or value of a column."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from provenote.data import history, tables
from provenote.errors import ProvenoteError, UsageError
from provenote.screens import poison
from provenote.stores import cache

if TYPE_CHECKING:
    import numpy
    import pandas

    from provenote.workspace import Workspace

Kind = Literal["file", "author", "column", "stretch"]
LARGEST = 1_000_000_000
"""Bytes that are read at most."""
AUTHOR = "author"
"""What ``by`` says for contributors."""
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows with their sources.

    Parameters
    ----------
    frame : DataFrame
    sources : array of str
    kind : {'file', 'author', 'column', 'stretch'}
        What a source is.
    files : dict of str to list of str
        Source -> files that are its alone, from the path; empty where a source is part of a file.
    unread : tuple of str
        Files that hold no table that can be read.
    """

    frame: pandas.DataFrame
    sources: numpy.ndarray[Any, Any]
    kind: Kind
    files: dict[str, list[str]]
    unread: tuple[str, ...] = ()


def read(workspace: Workspace, path: str, by: str | None) -> Rows:
    """Read the rows of a file or folder.

    Parameters
    ----------
    workspace : Workspace
    path : str
        From the DVC root.
    by : str or None
        ``author``, or a column that names the source; None: each file of a folder, else stretches of rows.

    Raises
    ------
    UsageError
        If there is no table, or no such column.
    """
    import pandas

    whole = workspace.dvc_root / path
    names = sorted(_tables(whole))
    if not names:
        raise UsageError(
            f"{path} holds no table", "Name a CSV, Parquet or JSON lines file, or a folder of them"
        )
    size = sum((whole / name if name else whole).stat().st_size for name in names)
    if size > LARGEST:
        raise UsageError(
            f"{path} has {size / 1e9:.1f} GB: screens look at {LARGEST / 1e9:.0f} GB at most",
            "Name one of its files",
        )
    frames, known, unread = [], [], []
    for name in names:
        frame = table(whole / name if name else whole)
        if frame is None:
            unread.append(name or path)
        else:
            frames.append(frame)
            known.append(name)
    if not frames:
        raise UsageError(f"no table of {path} can be read: {', '.join(unread[:3])}")
    frame = pandas.concat(frames, ignore_index=True)
    lengths = [len(each) for each in frames]
    if by is None and len(known) == 1:
        return Rows(frame, poison.stretches(len(frame)), "stretch", {}, tuple(unread))
    if by is None:
        return Rows(
            frame, poison.sources_of(known, lengths), "file", {name: [name] for name in known}, tuple(unread)
        )
    if by == AUTHOR and by not in frame.columns:
        who = authors(workspace, path)
        mine = [who.get(name, UNKNOWN) for name in known]
        files: dict[str, list[str]] = {}
        for name, author in zip(known, mine, strict=True):
            files.setdefault(author, []).append(name)
        return Rows(frame, poison.sources_of(mine, lengths), "author", files, tuple(unread))
    if by not in frame.columns:
        few = ", ".join(map(str, frame.columns[:8]))
        raise UsageError(f"{path} has no column {by!r}", f"It has: {few}; or say `--by author`")
    return Rows(frame, frame[by].astype(str).to_numpy(), "column", {}, tuple(unread))


def table(path: Path, name: str | None = None) -> pandas.DataFrame | None:
    """Return a table of a file, or None where it is none that can be read."""
    import pandas

    kind = tables.kind(name or path.name)
    try:
        if kind == "parquet":
            return pandas.read_parquet(path)
        if kind == "csv":
            separator = "\t" if ".tsv" in (name or path.name).lower() else ","
            return pandas.read_csv(path, sep=separator, on_bad_lines="skip", low_memory=False)
        if kind == "jsonl":
            return pandas.read_json(path, lines=True)
        if kind == "arrow":
            return pandas.read_feather(path)
    except (ValueError, OSError, UnicodeDecodeError):
        return None
    return None


def _tables(whole: Path) -> Sequence[str]:
    """Return the tables of a folder, from it; of a file the empty name."""
    if whole.is_file():
        return [""] if tables.kind(whole.name) else []
    found = []
    for folder, inner, files in os.walk(whole):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        found += [os.path.relpath(os.path.join(folder, name), whole) for name in files if tables.kind(name)]
    return found


def authors(workspace: Workspace, path: str) -> dict[str, str]:
    """Return who brought each file of a tracked folder, as the history of its pointer tells.

    Returns
    -------
    dict of str to str
        File, from the folder -> name of the author of the commit that first had these bytes of it; of a
        file by itself, the empty name. What no commit has yet is missing.
    """
    found: dict[str, tuple[str, str]] = {}
    for change in reversed(history.changes(workspace, path)):
        stored = change.version.stored
        if stored is None:
            continue
        if not stored.md5.endswith(".dir"):
            found[""] = (stored.md5, change.author)
            continue
        try:
            listed = cache.entries(workspace.cache_dir, stored.md5)
        except ProvenoteError:
            continue
        before = found
        found = {}
        for entry in listed:
            old = before.get(entry.path)
            found[entry.path] = old if old and old[0] == entry.md5 else (entry.md5, change.author)
    return {name: author for name, (_, author) in found.items()}
