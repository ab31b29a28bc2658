"""What people decide about monitors: make one, take a window as normal, let an alert rest."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from provenote.errors import UsageError
from provenote.events import Progress, Tell, silent
from provenote.git.command import identity
from provenote.monitor import definition, measuring, reading, references, watching
from provenote.monitor.definition import Monitor
from provenote.monitor.measuring import Measured
from provenote.monitor.record import Record
from provenote.monitor.references import Taught
from provenote.statistics import limits
from provenote.statistics.frame import Frame

if TYPE_CHECKING:
    from provenote.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Made:
    """A monitor that was written.

    Parameters
    ----------
    monitor : Monitor
    taught : Taught
    measured : Measured
    path : Path
        The file that holds it.
    files : tuple of str
        What its patterns name now.
    replaced : bool
        Whether it stood there before.
    """

    monitor: Monitor
    taught: Taught
    measured: Measured
    path: Path
    files: tuple[str, ...]
    replaced: bool


def add(
    workspace: Workspace,
    model: str,
    patterns: Sequence[str],
    *,
    name: str = "",
    every: str = "1d",
    window: str = "7d",
    time_columns: Sequence[str] = (),
    reference: str | None = None,
    until: str = "",
    label: str = "",
    prediction: str = "",
    labels_after: str = "",
    contract: str = "",
    force: bool = False,
    tell: Tell = silent,
) -> Made:
    """Make a monitor: learn from its reference, measure what it can see, and write it down.

    Parameters are those of the verb `monitor add`.

    Raises
    ------
    UsageError
        If something is not there or makes no sense; the message says what to give.
    """
    if not patterns:
        raise UsageError("no data are named", "Name them: `--data 'data/live/*.csv'`")
    plain = name or model
    definition.check_name(plain)
    known = definition.read(workspace.dvc_root)
    if plain in known and not force:
        raise UsageError(
            f"there is a monitor {plain!r} already",
            "Give another name: `--name NAME`, or make it anew: `--force`",
        )
    inside = tuple(_pattern(workspace, one) for one in patterns)
    path, md5 = references.choose(workspace, reference, inside, model)
    spans = definition.span(every), definition.span(window)
    after = definition.span(labels_after) if labels_after else None
    if labels_after and not label:
        raise UsageError("labels come later, but no label is named", "Name its column: `--label COLUMN`")
    tell(Progress(f"monitor {plain}", detail="learn from the reference"))
    whole = references.until(references.read(workspace, path, md5, time_columns, tell), until)
    if label and label not in whole.columns:
        raise UsageError(f"the reference {path} has no column {label!r}", f"It has: {_few(whole.columns)}")
    if whole.times is None or not len(whole):
        raise UsageError(f"the reference {path} has no row with a time", "Name the column: `--time COLUMN`")
    kept = accepted_of(known.get(plain))
    monitor = Monitor(
        plain,
        model,
        inside,
        path,
        md5,
        until,
        *spans,
        tuple(time_columns) or _clock(workspace, path, md5),
        label,
        prediction,
        after,
        "production",
        _contract(workspace, contract, path),
        watching.stamp(),
        kept,
    )
    taught = references.learn(workspace, monitor, tell)
    if len(taught.reference.own) < 2:
        raise UsageError(
            f"the reference has {len(taught.reference.own)} windows of {definition.spelled(spans[1])} "
            f"with 100 rows and more; limits need {limits.LEAST}",
            "Give shorter windows: `--window 1d`, or a longer reference",
        )
    tell(Progress(f"monitor {plain}", detail="measure what it can see"))
    measured = measuring.measure(taught.reference)
    monitor = replace(monitor, measured=_written(measured, taught))
    place = definition.add(workspace.dvc_root, monitor)
    for one in kept:
        definition.append(workspace.dvc_root, plain, "accepted", _entry(one))
    tell(Progress(f"monitor {plain}", state="done"))
    found = tuple(reading.matching(workspace, inside))
    return Made(monitor, taught, measured, place, found, plain in known)


def accepted_of(monitor: Monitor | None) -> tuple[definition.Accepted, ...]:
    """Return what was accepted of a monitor that is made anew."""
    return monitor.accepted if monitor is not None else ()


def _entry(one: definition.Accepted) -> dict[str, str]:
    return {name: getattr(one, name) for name in one.__slots__ if getattr(one, name)}


def _few(names: Sequence[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _pattern(workspace: Workspace, text: str) -> str:
    """Return a pattern from the DVC root; a relative one is meant from the current folder."""
    absolute = os.path.abspath(text)
    return workspace.relative(absolute)


def _clock(workspace: Workspace, path: str, md5: str) -> tuple[str, ...]:
    from provenote.data import tables
    from provenote.stores import cache

    if md5.endswith(".dir"):
        for entry in cache.entries(workspace.cache_dir, md5):
            place = cache.locate(workspace.cache_dir, entry.md5)
            if place is not None and tables.kind(entry.path):
                return reading.clock(place, entry.path)
        return ()
    place = cache.locate(workspace.cache_dir, md5)
    return reading.clock(place, path.rsplit("/", 1)[-1]) if place is not None else ()


def _contract(workspace: Workspace, asked: str, reference: str) -> str:
    """Return whose contract holds: what was asked for, else the reference's own where it has one."""
    from provenote.contracts import contract_file

    path = _pattern(workspace, asked) if asked else reference
    if contract_file.file_of(workspace.dvc_root / path).exists():
        return path
    if asked:
        raise UsageError(f"{asked} has no contract", f"Infer one: `provenote data contract {asked}`")
    return ""


def _written(measured: Measured, taught: Taught) -> dict[str, str | list[str]]:
    """Return what was measured as people read it in the file."""
    words = {"fact": "facts", "relation": "relations", "clock": "clock", "marginal": "distributions"}
    alarms = {
        words[kind]: f"{count} of {measured.windows} clean windows"
        for kind, count in measured.false_alarms.items()
        if kind in words
    }
    sees = [f"{one.column}: {change(one)}" for one in measured.smallest]
    unwatched = [f"{name}: {why}" for name, why in taught.reference.unwatched.items()]
    made: dict[str, str | list[str]] = {
        "false_alarms": f"{measured.false_alarms['any']} of {measured.windows} clean windows",
        **{f"false_alarms_of_{name}": text for name, text in alarms.items()},
        "smallest_change_seen": sees,
        "not_watched": unwatched,
    }
    return {name: value for name, value in made.items() if value}


def change(one: measuring.Smallest) -> str:
    """Say the smallest change of a column that is seen."""
    if one.amount is None:
        return "a moved level is not seen, only what breaks its range or a fact"
    size = one.amount / one.deviation
    return f"moved by {one.amount:.3g} ({size:.0%} of its deviation), {one.share:.0%} of windows"


def accept(
    workspace: Workspace, monitor: Monitor, windows: Sequence[str], why: str, tell: Tell = silent
) -> list[Path]:
    """Take windows as normal: their rows become data of their own, and teach from now on.

    The first reference stays, so that many small steps stay visible as one long way.

    Returns
    -------
    list of Path
        What belongs into Git.

    Raises
    ------
    UsageError
        If there is no such window, or no reason; then none is taken.
    """
    if not why.strip():
        raise UsageError("no reason is given", 'Give one: `--why "..."`')
    judged = {one.window: one for one in watching.standing(workspace, monitor).data}
    some = {window: _rows(workspace, monitor, window, judged) for window in windows}
    if not some:
        raise UsageError("no window is named", f"There are: {_few(list(judged)[-12:])}")
    files: dict[Path, None] = {}
    for window, rows in some.items():
        files |= dict.fromkeys(_taken(workspace, monitor, window, rows, why, tell))
    return list(files)


def _rows(workspace: Workspace, monitor: Monitor, window: str, judged: Mapping[str, Record]) -> Frame:
    found = judged.get(window)
    if found is None:
        raise UsageError(f"no window {window!r} was judged", f"There are: {_few(list(judged)[-12:])}")
    if any(one.window == window for one in monitor.accepted):
        raise UsageError(f"the window {window} is accepted already")
    frame, _ = reading.files(workspace, monitor.data, monitor.time, found.begin)
    times = frame.times
    rows = frame if times is None else frame.take(np.asarray(times < np.datetime64(found.end, "s")))
    if not len(rows):
        raise UsageError(f"the rows of the window {window} are not here any more", "Bring the files back")
    return rows


def _taken(
    workspace: Workspace, monitor: Monitor, window: str, rows: Frame, why: str, tell: Tell
) -> list[Path]:
    from provenote.data import storing

    place = workspace.dvc_root / "monitors" / monitor.name / f"{window.replace(':', '')}.parquet"
    _write(rows, monitor, place)
    added = storing.add(place, profile="none", tell=tell)
    entry = {
        "window": window,
        "path": added.path,
        "md5": added.stored.md5,
        "why": " ".join(why.split()),
        **_signed(workspace),
    }
    return [definition.append(workspace.dvc_root, monitor.name, "accepted", entry), *added.files]


def _write(rows: Frame, monitor: Monitor, place: Path) -> None:
    """Write a window's rows; one column of time, as the monitor names its first."""
    import pyarrow
    from pyarrow import parquet

    columns = {monitor.time[0] if monitor.time else "time": pyarrow.array(_stamps(rows, monitor))}
    for name, values in rows.numbers.items():
        columns[name] = pyarrow.array(values, from_pandas=True)
    for name, kinds in rows.words.items():
        columns[name] = pyarrow.array(kinds.tolist(), pyarrow.string())
    place.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.table(columns), place)


def _stamps(rows: Frame, monitor: Monitor) -> object:
    assert rows.times is not None
    if len(monitor.time) > 1:  # the hour is a column of its own
        return rows.times.astype("datetime64[D]").astype("datetime64[s]")
    return rows.times


def snooze(workspace: Workspace, monitor: Monitor, alert: str, until: str, why: str) -> Path:
    """Let an alert call nobody until a day.

    Raises
    ------
    UsageError
        If there is no such alert, the day is none or past, or no reason is given.
    """
    if not why.strip():
        raise UsageError("no reason is given", 'Give one: `--why "..."`')
    known = [one.id for one in watching.standing(workspace, monitor).alerts]
    if alert not in known:
        raise UsageError(
            f"there is no alert {alert!r}", f"There are: {_few(known)}" if known else "There is none"
        )
    try:
        day = date.fromisoformat(until)
    except ValueError:
        raise UsageError(f"{until!r} is no day", "Give one as `--until 2027-01-31`") from None
    if day <= datetime.fromtimestamp(time.time(), UTC).date():
        raise UsageError(f"{until} is not after today", "A snooze has an end that is still to come")
    entry = {"alert": alert, "until": until, "why": " ".join(why.split()), **_signed(workspace)}
    return definition.append(workspace.dvc_root, monitor.name, "snoozed", entry)


def _signed(workspace: Workspace) -> dict[str, str]:
    name, mail = identity(workspace.top)
    return {"by": name or mail or "unknown", "at": watching.stamp()}
