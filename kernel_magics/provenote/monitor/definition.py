"""The monitors of a project: what each reads, how often, against which reference. One file, in Git.

``provenote.monitors.yaml`` in the DVC root::

    monitors:
      bike-demand:
        model: bike-demand
        data: [data/live/*.csv]
        every: 1d
        window: 7d
        time: [dteday, hr]
        label: cnt
        labels_after: 7d
        reference: {path: data/hour.csv, md5: 1f5d..., until: "2012-01-01"}
        accepted:
          - {window: "2012-10-29", path: monitors/bike-demand/2012-10-29.parquet, why: storm, by: Ann}
        snoozed:
          - {alert: "growth:cnt", until: "2012-12-01", why: known, by: Ann}
        measured: {...}                       # for readers; nothing is read from it

What a person decides (accept, snooze) is an entry here: reviewed, signed and undone as all else in Git.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provenote.errors import UsageError, WorldError
from provenote.stores.strict_yaml import NotStrict, Table
from provenote.stores.strict_yaml import read as read_strict

FILE = "provenote.monitors.yaml"
HEAD = "Monitors of models in use. Edit it as you like; `provenote monitor` shows how they stand.\n"
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,60}[A-Za-z0-9])?")
_SPAN = re.compile(r"([1-9][0-9]{0,4})([mhdw])")
_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


@dataclass(frozen=True, slots=True)
class Accepted:
    """A window that counts as normal from now on.

    Parameters
    ----------
    window : str
        Name of the window.
    path : str
        Its rows as data of their own, from the DVC root.
    md5, why, by, at : str
    """

    window: str
    path: str
    md5: str = ""
    why: str = ""
    by: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class Snoozed:
    """An alert that calls nobody until a day.

    Parameters
    ----------
    alert : str
    until : str
        The first day on which it calls again.
    why, by, at : str
    """

    alert: str
    until: str
    why: str = ""
    by: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class Monitor:
    """One monitor.

    Parameters
    ----------
    name, model : str
    data : tuple of str
        Patterns of files, from the DVC root.
    reference : str
        Path of the reference, from the DVC root.
    md5 : str
        Which version of it.
    until : str
        The reference ends here; empty: all of it.
    every, window : int
        Seconds between two looks, and of a window.
    time : tuple of str
        One column, or a date and an hour.
    label, prediction : str
        Columns; empty where there are none.
    labels_after : int or None
        Seconds after a window's end at which its labels are there.
    stage : str
        Whose holder predicts where there is no column of predictions.
    contract : str
        Data whose contract the files must keep; empty: none.
    added : str
        When it was made.
    accepted : tuple of Accepted
    snoozed : tuple of Snoozed
    """

    name: str
    model: str
    data: tuple[str, ...]
    reference: str
    md5: str
    until: str = ""
    every: int = 86_400
    window: int = 7 * 86_400
    time: tuple[str, ...] = ()
    label: str = ""
    prediction: str = ""
    labels_after: int | None = None
    stage: str = "production"
    contract: str = ""
    added: str = ""
    accepted: tuple[Accepted, ...] = ()
    snoozed: tuple[Snoozed, ...] = ()
    measured: Mapping[str, Any] = field(default_factory=dict)

    @property
    def apart(self) -> tuple[str, ...]:
        """Columns that the relations leave out."""
        return tuple(name for name in (self.label, self.prediction) if name)


def span(text: str) -> int:
    """Return the seconds of ``90m``, ``12h``, ``7d`` or ``2w``.

    Raises
    ------
    UsageError
        If it is no such text.
    """
    found = _SPAN.fullmatch(text.strip())
    if not found:
        raise UsageError(f"{text!r} is no span of time", "Give one as `12h`, `7d` or `2w`")
    return int(found[1]) * _UNITS[found[2]]


def spelled(seconds: int) -> str:
    """Return a span as it is written."""
    for unit in ("d", "h", "m"):
        if seconds % _UNITS[unit] == 0:
            return f"{seconds // _UNITS[unit]}{unit}"
    return f"{seconds}s"


def read(root: Path) -> dict[str, Monitor]:
    """Return the monitors of a project, by name; none where there is no file.

    Raises
    ------
    UsageError
        If the file cannot be read; the message says where.
    """
    path = root / FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"{FILE} cannot be read: {error.strerror}", "Check who owns it") from error
    try:
        table = Table(read_strict(content), FILE)
        found = {name: _monitor(name, one) for name, one in table.tables("monitors").items()}
        return table.done(found)
    except NotStrict as error:
        raise UsageError(f"{FILE}: {error.what}", error.mend or "Mend the file by hand") from error


def _monitor(name: str, table: Table) -> Monitor:
    if not _NAME.fullmatch(name):
        raise NotStrict(f"the monitor {ascii(name[:80])} has no plain name: letters, digits, - and _")
    reference = table.table("reference")
    after = table.text("labels_after", _SPAN) if table.has("labels_after") else ""
    made = Monitor(
        name=name,
        model=table.text("model", default=name),
        data=table.texts("data"),
        reference=reference.text("path"),
        md5=reference.text("md5", re.compile(r"[0-9a-f]{32}(\.dir)?")),
        until=reference.text("until", default=""),
        every=span(table.text("every", _SPAN, default="1d")),
        window=span(table.text("window", _SPAN, default="7d")),
        time=table.texts("time", ()),
        label=table.text("label", default=""),
        prediction=table.text("prediction", default=""),
        labels_after=span(after) if after else None,
        stage=table.text("stage", default="production"),
        contract=table.text("contract", default=""),
        added=table.text("added", default=""),
        accepted=tuple(_accepted(one) for one in table.rows("accepted", ())),
        snoozed=tuple(_snoozed(one) for one in table.rows("snoozed", ())),
        measured=table.free("measured"),
    )
    reference.done(None)
    for inside in (made.reference, *made.data, *(one.path for one in made.accepted)):
        if inside.startswith("/") or ".." in inside.split("/"):
            raise NotStrict(f"{ascii(inside[:80])} of the monitor {name} leads out of the project")
    return table.done(made)


def _accepted(table: Table) -> Accepted:
    texts = {name: table.text(name, default="") for name in ("md5", "why", "by", "at")}
    return table.done(Accepted(table.text("window"), table.text("path"), **texts))


def _snoozed(table: Table) -> Snoozed:
    texts = {name: table.text(name, default="") for name in ("why", "by", "at")}
    return table.done(Snoozed(table.text("alert"), table.text("until"), **texts))


def pick(root: Path, name: str | None) -> Monitor:
    """Return one monitor: by name, or the only one.

    Raises
    ------
    UsageError
        If there is none, or no such one, or more than one and no name.
    """
    known = read(root)
    if not known:
        raise UsageError("this project has no monitor", "Make one: `provenote monitor add MODEL --data GLOB`")
    if name is None:
        if len(known) == 1:
            return next(iter(known.values()))
        raise UsageError(f"there are {len(known)} monitors", f"Name one: {', '.join(sorted(known))}")
    if name not in known:
        raise UsageError(f"there is no monitor {name!r}", f"There are: {', '.join(sorted(known))}")
    return known[name]


def check_name(name: str) -> None:
    """Refuse a name that the file would not take.

    Raises
    ------
    UsageError
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name of a monitor: letters, digits, - and _", "Give one: `--name demand`"
        )


def add(root: Path, monitor: Monitor) -> Path:
    """Write a new monitor, or a new form of one; comments and all else in the file stay.

    Raises
    ------
    WorldError
        If the file cannot be written.
    """
    return _edit(root, lambda monitors: monitors.__setitem__(monitor.name, _plain(monitor)))


def append(root: Path, name: str, what: str, entry: Mapping[str, str]) -> Path:
    """Add an entry to a monitor's list of accepted windows or of snoozed alerts.

    Parameters
    ----------
    root : Path
    name : str
    what : {'accepted', 'snoozed'}
    entry : mapping of str to str
    """

    def change(monitors: Any) -> None:
        if not monitors[name].get(what):
            monitors[name][what] = []
        monitors[name][what].append(dict(entry))

    return _edit(root, change)


def _plain(monitor: Monitor) -> dict[str, Any]:
    reference = {"path": monitor.reference, "md5": monitor.md5, "until": monitor.until}
    made: dict[str, Any] = {
        "model": monitor.model,
        "data": list(monitor.data),
        "every": spelled(monitor.every),
        "window": spelled(monitor.window),
        "time": list(monitor.time),
        "label": monitor.label,
        "prediction": monitor.prediction,
        "labels_after": spelled(monitor.labels_after) if monitor.labels_after is not None else "",
        "stage": monitor.stage if monitor.stage != "production" else "",
        "contract": monitor.contract,
        "reference": {key: value for key, value in reference.items() if value},
        "added": monitor.added,
        "measured": dict(monitor.measured),
    }
    return {key: value for key, value in made.items() if value}


def _edit(root: Path, change: Any) -> Path:
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap

    from provenote.data.storing import replace

    path = root / FILE
    yaml = YAML()
    yaml.width = 110
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.preserve_quotes = True
    document: Any
    if path.exists():
        read(root)  # what is there must hold before anything is written into it
        document = yaml.load(path.read_text(encoding="utf-8"))
    else:
        document = CommentedMap({"monitors": CommentedMap()})
        document.yaml_set_start_comment(HEAD)
    change(document["monitors"])
    stream = io.StringIO()
    yaml.dump(document, stream)
    try:
        replace(path, stream.getvalue())
    except OSError as error:
        raise WorldError(f"{FILE} cannot be written: {error.strerror}", "Check who owns it") from error
    return path
