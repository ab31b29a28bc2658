"""Look into one factor: the new run with one piece of it put back as it was, a run for each piece.

Pieces are: a path of data, the rows that were appended, a column; a cell, a file of code; a parameter.
"""

from __future__ import annotations

import copy
import dataclasses
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provenote.blame.factors import CODE, DATA, PARAMS, SEED, TEST, Differing, is_seed
from provenote.blame.halves import Half
from provenote.blame.states import Patch, State
from provenote.compare import cells as matching
from provenote.compare import notebooks as reading
from provenote.compare import numbers
from provenote.errors import ProvenoteError
from provenote.events import Tell
from provenote.jobs import notebook as notebooks

if TYPE_CHECKING:
    from pathlib import Path

    import pandas

    from provenote.workspace import Workspace

MOST = 5
"""Pieces that are put back; more are counted."""
LARGEST = 64_000_000
"""Bytes of a table up to which its columns are put back."""
_WIDTH = 40


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece that can be put back.

    Parameters
    ----------
    words : str
        What is put back.
    state : State
        The new run with it as it was.
    """

    words: str
    state: State


def pieces(
    workspace: Workspace, factor: str, old: Half, new: Half, found: Differing, whole: State, tell: Tell
) -> list[Piece]:
    """Return the pieces of a factor.

    Parameters
    ----------
    workspace : Workspace
    factor : str
        Or several that could not be told apart, joined with `` + ``.
    old, new : Half
    found : Differing
    whole : State
        The new run.
    tell : Tell
    """
    listed: list[Piece] = []
    for name in factor.split(" + "):
        if name in (DATA, TEST):
            listed += _data(workspace, found, found.paths(name), old, whole, tell)
        elif name == CODE:
            listed += [*_cells(old, new, whole), *_files(found, whole)]
        elif name in (PARAMS, SEED):
            listed += _values(found, old, whole, name == SEED)
    return listed


def _values(found: Differing, old: Half, whole: State, seeds: bool) -> Iterator[Piece]:
    for name in found.values:
        if is_seed(name) == seeds and name in whole.values:
            values = {**whole.values, name: old.values[name]}
            yield Piece(f"{name} {numbers.text(old.values[name])}", dataclasses.replace(whole, values=values))


# ---------------------------------------------------------------------- code


def _files(found: Differing, whole: State) -> Iterator[Piece]:
    for delta in found.deltas:
        changes = {**whole.changes, delta.path: delta.old}
        yield Piece(delta.path, dataclasses.replace(whole, changes=changes))


def _cells(old: Half, new: Half, whole: State) -> Iterator[Piece]:
    before, after = old.source.notebook, new.source.notebook
    if not before or not after:
        return
    was, is_ = (reading.parse(notebooks.dump(one)) for one in (before, after))
    for pair in matching.match(was, is_):
        then = None if pair.old is None else was[pair.old]
        now = None if pair.new is None else is_[pair.new]
        code = then or now
        if code is None or code.kind != "code" or (then and now and then.source == now.source):
            continue
        if then is not None and now is None:
            continue  # where it would stand among the others is not known
        book = copy.deepcopy(dict(after))
        place = int(pair.new or 0)
        cell = book["cells"][place]
        if notebooks.PARAMETERS in notebooks.tags(cell):
            continue  # its values are a factor of their own
        cell["source"] = then.source if then is not None else ""
        words = f"cell {place + 1}" + ("" if then is not None else " left out")
        yield Piece(f"{words}: {_first(code.source if then is None else now.source if now else '')}",
                    dataclasses.replace(whole, cells=book))  # fmt: skip


def _first(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"


# ---------------------------------------------------------------------- data


def _data(
    workspace: Workspace, found: Differing, paths: list[str], old: Half, whole: State, tell: Tell
) -> Iterator[Piece]:
    if len(paths) > 1:
        for path in paths:
            changes = dict(whole.changes)
            changes |= {delta.path: delta.old for delta in found.data[path]}
            reads = [read for read in whole.reads if os.path.normpath(str(read.get("path"))) != path]
            then = [
                r for r in old.document.get("reads") or () if os.path.normpath(str(r.get("path"))) == path
            ]
            yield Piece(path, dataclasses.replace(whole, changes=changes, reads=(*reads, *then)))
        return
    for path in paths:
        frame = _before(workspace, path, old, found, tell)
        if frame is not None:
            yield from _columns(workspace, path, frame, whole, tell, found)


def _before(
    workspace: Workspace, path: str, old: Half, found: Differing, tell: Tell
) -> pandas.DataFrame | None:
    """Return a table as the old run had it, where that is known and not too large."""
    return _table(
        _bytes(workspace, path, old, [(delta.path, delta.old) for delta in found.data[path]], tell), path
    )


def _bytes(
    workspace: Workspace, path: str, half: Half, entries: list[tuple[str, Any]], tell: Tell
) -> Path | bytes | None:
    from provenote.git import objects
    from provenote.stores import cache, pointers, remotes

    md5 = next(
        (str(r["md5"]) for r in half.document.get("reads") or ()
         if os.path.normpath(str(r.get("path"))) == path and not r.get("rev")), None
    )  # fmt: skip
    try:
        for name, entry in entries:
            if entry is None:
                continue
            content = objects.read(workspace.common_dir, entry[0])[1]
            if not name.endswith(".dvc"):
                return content
            stored = pointers.read(content.decode("utf-8")).stored
            md5 = md5 or (stored.md5 if stored else None)
        if md5 is None:
            return None
        remotes.require(workspace, md5, tell)
        return cache.locate(workspace.cache_dir, md5)
    except (ProvenoteError, KeyError, UnicodeDecodeError):
        return None


def _table(content: Path | bytes | None, path: str) -> pandas.DataFrame | None:
    import io

    import pandas

    if content is None:
        return None
    try:
        if not isinstance(content, bytes):
            if not content.is_file() or content.stat().st_size > LARGEST:
                return None
            content = content.read_bytes()
        if path.endswith((".parquet", ".pq")):
            return pandas.read_parquet(io.BytesIO(content))
        if path.endswith((".csv", ".tsv")):
            separator = "\t" if path.endswith(".tsv") else ","
            return pandas.read_csv(io.BytesIO(content), sep=separator, dtype=object, keep_default_na=False)
    except (ValueError, OSError, UnicodeDecodeError):
        return None
    return None


def _columns(
    workspace: Workspace, path: str, then: pandas.DataFrame, whole: State, tell: Tell, found: Differing
) -> Iterator[Piece]:
    """Yield the rows that were appended, and each column whose values changed in the rows that both have."""
    entries = [(delta.path, delta.new) for delta in found.data[path]]
    now = _table(_bytes(workspace, path, whole.half, entries, tell), path)
    if now is None:
        return
    shared = min(len(then), len(now))
    columns = [name for name in now.columns if name in then.columns]
    changed = {
        name: int((then[name].iloc[:shared].astype(str).to_numpy()
                   != now[name].iloc[:shared].astype(str).to_numpy()).sum())
        for name in columns
    }  # fmt: skip
    aligned = shared and min(changed.values(), default=1) * 2 < shared
    if not aligned:
        return  # other rows, or another order: no column can be put back
    if len(now) > len(then):
        words = f"the first {len(then):,} rows alone"
        yield Piece(words, _patched(whole, path, f"rows {len(then)}", _cut(len(then))))
    for name in sorted(changed, key=lambda column: -changed[column]):
        if changed[name]:
            words = f"column {name}, {changed[name]:,} values"
            column = then[name].iloc[:shared]
            yield Piece(words, _patched(whole, path, f"column {name}", _put(str(name), column)))


def _patched(whole: State, path: str, name: str, apply: Any) -> State:
    return dataclasses.replace(whole, patches=(*whole.patches, Patch(name, path, apply)))


def _cut(rows: int) -> Any:
    def apply(path: Path) -> None:
        frame = _table(path.read_bytes(), path.name)
        if frame is not None:
            _write(frame.iloc[:rows], path)

    return apply


def _put(name: str, column: pandas.Series[Any]) -> Any:
    def apply(path: Path) -> None:
        frame = _table(path.read_bytes(), path.name)
        if frame is not None:
            values = frame[name].astype(object).to_list()
            values[: len(column)] = column.to_list()
            frame[name] = values
            _write(frame.astype({name: column.dtype}, errors="ignore"), path)

    return apply


def _write(frame: pandas.DataFrame, path: Path) -> None:
    """Replace a file: what stands there may be a link into the cache, which must not change."""
    temporary = path.with_name(f".{path.name}.new")
    if path.name.endswith((".parquet", ".pq")):
        frame.to_parquet(temporary)
    else:
        frame.to_csv(temporary, index=False, sep="\t" if path.name.endswith(".tsv") else ",")
    temporary.replace(path)
