"""Read tables into frames: which columns tell the time, and the rows after a moment."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from provenote.data import tables
from provenote.data.hashes import Hashes
from provenote.data.tables import NotReadable, Source
from provenote.errors import UsageError
from provenote.statistics.frame import Array, Frame, like, together

if TYPE_CHECKING:
    import pyarrow

    from provenote.workspace import Workspace

_HOURS = ("hr", "hour", "hours", "hh")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")
_OLDEST, _NEWEST = np.datetime64("1900-01-01", "s"), np.datetime64("2262-01-01", "s")


@dataclass(frozen=True, slots=True)
class File:
    """A file that was read.

    Parameters
    ----------
    path : str
        POSIX path from the DVC root.
    md5 : str
    size : int
        In bytes.
    first, last : int
        Seconds since 1970 of its first and last row; equal to 0 where it has none.
    problem : str
        Why it could not be read.
    place : Path
    """

    path: str
    md5: str
    size: int
    first: int
    last: int
    problem: str
    place: Path


def matching(workspace: Workspace, patterns: Sequence[str]) -> list[str]:
    """Return the tables that patterns name, as POSIX paths from the DVC root."""
    found: set[str] = set()
    for pattern in patterns:
        for name in glob.glob(pattern, root_dir=workspace.dvc_root, recursive=True):
            place = workspace.dvc_root / name
            if place.is_dir():
                found.update(
                    (Path(name) / inner.relative_to(place)).as_posix()
                    for inner in place.rglob("*")
                    if inner.is_file() and tables.kind(inner.name)
                )
            elif tables.kind(name):
                found.add(Path(name).as_posix())
    return sorted(found)


def files(
    workspace: Workspace, patterns: Sequence[str], time: Sequence[str], since: int | None = None
) -> tuple[Frame, list[File]]:
    """Read the rows after a moment from the files that patterns name.

    Returns
    -------
    (Frame, list of File)
        The rows in the order of time; a file that cannot be read says why and stops no other.
    """
    parts: list[Frame] = []
    told: list[File] = []
    with Hashes(workspace.home) as known:
        for name in matching(workspace, patterns):
            place = workspace.dvc_root / name
            status = place.stat()
            md5 = known.get(str(place), status) or _md5(place)
            known.put(str(place), status, md5)
            try:
                part = table(place, name, time, since)
            except UsageError as error:
                told.append(File(name, md5, status.st_size, 0, 0, error.what, place))
                continue
            edges = (0, 0)
            if part.times is not None and len(part):
                seconds = part.times.astype("datetime64[s]").astype(np.int64)
                edges = int(seconds.min()), int(seconds.max())
                parts.append(part)
            told.append(File(name, md5, status.st_size, *edges, "", place))
    return (merged(parts).sorted() if parts else Frame()), told


def merged(parts: Sequence[Frame]) -> Frame:
    """Return the rows of frames whose columns may differ: a column is words where one of them has words."""
    words = {name for part in parts for name in part.words}
    names = dict.fromkeys(name for part in parts for name in part.columns)
    shaped = [like(part, [name for name in names if name not in words], words) for part in parts]
    first = Frame(
        {name: np.zeros(0) for name in names if name not in words},
        {name: np.zeros(0, object) for name in names if name in words},
        np.zeros(0, "datetime64[s]"),
    )
    return together([first, *shaped])


def table(place: Path, name: str, time: Sequence[str], since: int | None = None) -> Frame:
    """Read one table.

    Parameters
    ----------
    place : Path
        Where its bytes are.
    name : str
        The name that tells its kind.
    time : sequence of str
        One column, or a date and an hour; empty: found by their look.
    since : int, optional
        Only rows at or after this second.

    Raises
    ------
    UsageError
        If it is no such table, or has no such column.
    """
    source = Source(place, name)
    pieces: list[Frame] = []

    def begin(schema: pyarrow.Schema) -> list[Frame]:
        pieces.clear()
        if len(set(schema.names)) < len(schema.names):
            raise NotReadable(f"{name} has two columns of one name")
        return pieces

    def feed(_: list[Frame], batch: pyarrow.RecordBatch) -> bool:
        nonlocal time
        if not time:
            time = _clock(batch, name)
        pieces.append(_frame(batch, time, name, since))
        return True

    _scan(source, begin, feed)
    return merged(pieces) if pieces else Frame()


def _scan(source: Source, begin: Any, feed: Any) -> None:
    """Read a table; what is wrong with it is told with its name."""
    try:
        tables.scan(source, begin, feed)
    except NotReadable as error:
        if source.name in error.what:
            raise
        raise NotReadable(f"{source.name} cannot be read: {error.what}", error.mend) from error


def clock(place: Path, name: str) -> tuple[str, ...]:
    """Return the columns of a table that tell the time, by their look."""
    found: list[tuple[str, ...]] = []

    def feed(_: None, batch: pyarrow.RecordBatch) -> bool:
        found.append(_clock(batch, name))
        return False

    _scan(Source(place, name, byte_limit=1 << 20), lambda _: None, feed)
    if not found:
        raise UsageError(f"{name} has no rows")
    return found[0]


def _clock(batch: pyarrow.RecordBatch, name: str) -> tuple[str, ...]:
    import pyarrow.types as types

    whole: str | None = None
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if types.is_timestamp(field.type) or types.is_date(field.type):
            whole = field.name
        elif types.is_string(field.type) or types.is_large_string(field.type):
            first = next((one for one in column[:50].to_pylist() if one is not None), "")
            if _DATE.fullmatch(str(first)):
                whole = field.name
        if whole is not None:
            break
    if whole is None:
        raise UsageError(f"no column of {name} looks like a time", "Name it: `--time COLUMN`")
    for hours in batch.schema.names:
        if hours.lower() in _HOURS and types.is_integer(batch.schema.field(hours).type):
            times = _times(batch.column(whole), whole, name)
            if np.all((times == times.astype("datetime64[D]")) | np.isnat(times)):
                return whole, hours
    return (whole,)


def _frame(batch: pyarrow.RecordBatch, time: Sequence[str], name: str, since: int | None) -> Frame:
    import pyarrow.types as types

    lacking = [column for column in time if column not in batch.schema.names]
    if lacking:
        raise UsageError(f"{name} has no column {lacking[0]!r}")
    times = _times(batch.column(time[0]), time[0], name)
    if len(time) > 1:
        hours = _numbers(batch.column(time[1]))
        there = ~np.isnan(hours)
        seconds = np.where(there, np.nan_to_num(hours) * 3600, 0).astype("timedelta64[s]")
        times = np.where(there, times + seconds, np.datetime64("NaT", "s"))
    kept = ~np.isnat(times) & (times > _OLDEST) & (times < _NEWEST)
    if since is not None:
        kept &= times >= np.datetime64(since, "s")
    numbers: dict[str, Array] = {}
    words: dict[str, Array] = {}
    for field, column in zip(batch.schema, batch.columns, strict=True):
        kind = field.type
        if types.is_dictionary(kind):
            column = column.dictionary_decode()
            kind = column.type
        if field.name == time[0]:
            continue
        if (
            types.is_integer(kind)
            or types.is_floating(kind)
            or types.is_boolean(kind)
            or types.is_decimal(kind)
        ):
            numbers[field.name] = _numbers(column)[kept]
        elif types.is_string(kind) or types.is_large_string(kind):
            words[field.name] = np.array(column.to_pylist(), object)[kept]
        elif types.is_null(kind):
            numbers[field.name] = np.full(int(kept.sum()), np.nan)
    return Frame(numbers, words, times[kept])


def _numbers(column: pyarrow.Array) -> Array:
    import pyarrow
    import pyarrow.compute as compute

    if pyarrow.types.is_boolean(column.type):
        column = column.cast(pyarrow.int8())
    filled = compute.fill_null(column.cast(pyarrow.float64(), safe=False), float("nan"))
    return np.asarray(filled.to_numpy(zero_copy_only=False))


def _times(column: pyarrow.Array, field: str, name: str) -> Array:
    """Return a column as seconds, in UTC where it says its zone; what is no time is missing."""
    import pyarrow
    import pyarrow.types as types

    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if types.is_timestamp(column.type) or types.is_date(column.type):
        column = column.cast(pyarrow.timestamp("s"), safe=False) if not _zoned(column) else _plain(column)
        return np.asarray(column.to_numpy(zero_copy_only=False)).astype("datetime64[s]")
    if types.is_integer(column.type):
        seconds = _numbers(column)
        scale = next((k for k in (1, 1e3, 1e6, 1e9) if np.nanmax(np.abs(seconds), initial=0) / k < 9e9), 1e9)
        made = np.full(len(seconds), np.datetime64("NaT", "s"))
        there = ~np.isnan(seconds)
        made[there] = (seconds[there] / scale).astype(np.int64).astype("datetime64[s]")
        return made
    if types.is_string(column.type) or types.is_large_string(column.type):
        return np.array([_moment(one) for one in column.to_pylist()], "datetime64[s]")
    raise UsageError(f"the column {field} of {name} holds no times")


def _zoned(column: pyarrow.Array) -> bool:
    return getattr(column.type, "tz", None) is not None


def _plain(column: pyarrow.Array) -> pyarrow.Array:
    import pyarrow

    return (
        column.cast(pyarrow.timestamp("s", column.type.tz), safe=False)
        .cast(pyarrow.int64())
        .cast(pyarrow.timestamp("s"))
    )


def _moment(text: Any) -> np.datetime64:
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(str(text).strip())
    except ValueError:
        return np.datetime64("NaT", "s")
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(moment, "s")


def _md5(place: Path) -> str:
    import hashlib

    with open(place, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
