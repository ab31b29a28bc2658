"""Alerts: what many windows together call a person for. Made from records and decisions alone.

One alert for each cause, with a counter. It ends when its windows are accepted, when their rows were mended,
or after four windows without it; a snoozed one calls nobody until its day.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from provenote.monitor.causes import Cause
from provenote.monitor.definition import Monitor, spelled
from provenote.monitor.record import Level, Record

QUIET = 4
"""Windows without a cause after which its alert is over."""
SILENT = 2
"""Intervals without a look after which a monitor is itself an alert."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One cause over the windows that show it.

    Parameters
    ----------
    id : str
    level : {'act', 'look'}
    cause : Cause
        As the newest of its windows tells it.
    windows : tuple of str
        Those that show it, the oldest first.
    state : {'open', 'snoozed', 'over'}
    snoozed_until : str
    run : str
        Run of the newest of its windows.
    """

    id: str
    level: Literal["act", "look"]
    cause: Cause
    windows: tuple[str, ...]
    state: Literal["open", "snoozed", "over"]
    snoozed_until: str = ""
    run: str = ""

    def plain(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "id": self.id,
            "level": self.level,
            "state": self.state,
            "title": self.cause.title,
            "why": self.cause.why,
            "mend": self.cause.mend,
            "windows": list(self.windows),
            "count": len(self.windows),
            "snoozed_until": self.snoozed_until,
            "run": self.run,
        }


@dataclass(frozen=True, slots=True)
class Standing:
    """How a monitor stands.

    Parameters
    ----------
    monitor : Monitor
    level : {'healthy', 'look', 'act', 'not judged'}
    alerts : tuple of Alert
        Open ones first.
    data, performance : tuple of Record
        The newest judgement of each window, in the order of time.
    last : float or None
        When somebody looked last; seconds since 1970.
    silent : str
        Why the monitor itself is an alert: nobody looked; empty otherwise.
    """

    monitor: Monitor
    level: Level
    alerts: tuple[Alert, ...]
    data: tuple[Record, ...]
    performance: tuple[Record, ...]
    last: float | None
    silent: str = ""

    @property
    def status(self) -> int:
        """Exit status: 0 healthy or look, 1 act, 3 could not judge."""
        return {"act": 1, "not judged": 3}.get(self.level, 0)

    @property
    def open(self) -> list[Alert]:
        """Alerts that call somebody now."""
        return [one for one in self.alerts if one.state == "open"]


def fold(
    monitor: Monitor, records: Iterable[Record], last: float | None, now: float, *, here: bool = True
) -> Standing:
    """Return how a monitor stands.

    Parameters
    ----------
    monitor : Monitor
        With what people decided.
    records : iterable of Record
        In any order, also several of one window: the newest counts.
    last : float or None
        When somebody looked last.
    now : float
        Seconds since 1970.
    here : bool
        Whether looks of this clone are known; else only windows of others are, and silence takes longer.
    """
    newest: dict[tuple[str, int], Record] = {}
    for one in sorted(records, key=lambda one: one.at):
        if one.monitor == monitor.name:
            newest[one.part, one.begin] = one
    ordered = sorted(newest.values(), key=lambda one: one.begin)
    data = tuple(one for one in ordered if one.part == "data")
    performance = tuple(one for one in ordered if one.part == "performance")
    today = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")
    alerts = [*_alerts(monitor, data, today), *_alerts(monitor, performance, today)]
    rank = {"open": 0, "snoozed": 1, "over": 2}
    alerts.sort(key=lambda one: (rank[one.state], one.level != "act", -len(one.windows)))
    silent = _silent(monitor, last, now, here)
    open_ = [one for one in alerts if one.state == "open"]
    level: Level = "healthy"
    if silent or any(one.level == "act" for one in open_):
        level = "act"
    elif not data or data[-1].level == "not judged":
        level = "not judged"
    elif open_:
        level = "look"
    return Standing(monitor, level, tuple(alerts), data, performance, last, silent)


def _alerts(monitor: Monitor, records: Sequence[Record], today: str) -> Iterable[Alert]:
    accepted = {one.window for one in monitor.accepted}
    judged = [one for one in records if one.level != "not judged"]
    recent = {one.window for one in judged[-QUIET:]}
    shown: dict[str, list[tuple[Record, Cause]]] = {}
    for record in judged:
        if record.window not in accepted:
            for cause in record.causes:
                shown.setdefault(cause.id, []).append((record, cause))
    for id_, pairs in shown.items():
        windows = tuple(record.window for record, _ in pairs)
        until = max((one.until for one in monitor.snoozed if one.alert == id_), default="")
        state: Literal["open", "snoozed", "over"] = "open"
        if not recent & set(windows):
            state = "over"
        elif until > today:
            state = "snoozed"
        level: Literal["act", "look"] = "look"
        if any(cause.level == "act" for record, cause in pairs if record.window in recent or state == "over"):
            level = "act"
        record, cause = pairs[-1]
        yield Alert(id_, level, cause, windows, state, until if state == "snoozed" else "", record.run)


def _silent(monitor: Monitor, last: float | None, now: float, here: bool) -> str:
    """Return why nobody's silence is itself an alert; empty where somebody looked in time."""
    allowed = SILENT * (monitor.every if here else monitor.every + monitor.window)
    since = last
    if since is None and monitor.added:
        try:
            since = datetime.fromisoformat(monitor.added).timestamp()
        except ValueError:
            return ""
    if since is None or now - since <= allowed:
        return ""
    days = (now - since) / 86_400
    told = f"{days:.0f} days" if days >= 2 else f"{(now - since) / 3600:.0f} hours"
    what = "no look" if last is not None else "no look ever"
    return f"{what} for {told}; it should look every {spelled(monitor.every)}"
