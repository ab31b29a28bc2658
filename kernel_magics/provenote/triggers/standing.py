"""How things stand for a rule's condition: a key that changes exactly when the rule is due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from provenote.errors import UsageError
from provenote.triggers.rules import Clock, Data, Promoted, Upstream, When

if TYPE_CHECKING:
    from provenote.model import Row
    from provenote.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand.

    Parameters
    ----------
    key : str or None
        What fires the rule when it differs from what was seen last; None while there is nothing to fire for.
    says : str
        The same in words.
    missed : str
        Why this key is passed over: it came too long ago. Empty when it is not.
    next : str
        When it will change, where that is known.
    """

    key: str | None
    says: str
    missed: str = ""
    next: str = ""


def of(workspace: Workspace, when: When, now: datetime) -> Standing:
    """Look how things stand now.

    Parameters
    ----------
    workspace : Workspace
    when : When
    now : datetime
        With a time zone.

    Raises
    ------
    ProvenoteError
        If it cannot be known: data that is not tracked, a ledger that does not hold.
    """
    if isinstance(when, Clock):
        return clock(when, now)
    if isinstance(when, Data):
        return _data(workspace, when)
    if isinstance(when, Upstream):
        return _upstream(workspace, when)
    return _promoted(workspace, when)


def clock(when: Clock, now: datetime) -> Standing:
    """Return the last time that was due, and the next. Pure.

    Times that a change to summer time skips come at its end, those that come twice come once (as Debian's
    cron does it).
    """
    from zoneinfo import ZoneInfo

    from cronsim import CronSim

    there = now.astimezone(ZoneInfo(when.timezone))
    coming = next(CronSim(when.cron, there), None)
    following = f"{coming:%Y-%m-%d %H:%M %Z}" if coming else ""
    # From the end of this minute, so that a time that is now is the last one.
    last = next(
        CronSim(when.cron, there.replace(second=0, microsecond=0) + timedelta(minutes=1), reverse=True), None
    )
    if last is None:
        return Standing(None, "no time has come yet", next=following)
    says = f"{last:%Y-%m-%d %H:%M %Z}"
    late = now - last
    missed = f"{says} was {_ago(late)} ago, more than catch_up allows" if late > when.catch_up else ""
    return Standing(last.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ"), says, missed, following)


def _ago(late: timedelta) -> str:
    hours = late.total_seconds() / 3600
    return (
        f"{hours / 24:.0f} days"
        if hours >= 48
        else f"{hours:.0f} h"
        if hours >= 2
        else f"{hours * 60:.0f} min"
    )


def _data(workspace: Workspace, when: Data) -> Standing:
    from provenote.data import tracked

    versions = []
    for path in when.paths:
        one = tracked.at(workspace, path)
        if one is None:
            raise UsageError(f"{path} is not tracked", f"Track it: `provenote data add {path}`")
        if one.stored is None:
            raise UsageError(f"the pointer of {path} cannot be read: {one.problem}", "Mend it by hand")
        versions.append(f"{path}@{one.stored.md5[:12]}")
    return Standing(" ".join(versions), ", ".join(versions))


def _upstream(workspace: Workspace, when: Upstream) -> Standing:
    from pathlib import PurePosixPath

    from provenote.compare import selection
    from provenote.stores import index

    rows, _ = index.rows(workspace, everything=True)
    name = PurePosixPath(when.job)
    labels = {when.job, name.stem if name.suffix == ".ipynb" else when.job}
    found = [row for row in rows if row.label in labels and row.status == "finished" and row.ended]
    chosen = selection.select(found, when.where, archived=True).rows
    for row in sorted(chosen, key=_ended, reverse=True):
        if row.commit and index.document(workspace, row.commit).get("kind") == "job":
            return Standing(row.id, f"run {row.name}")
    return Standing(None, f"no job {when.job} has finished" + (f" with {when.where}" if when.where else ""))


def _ended(row: Row) -> float:
    return row.ended or 0.0


def _promoted(workspace: Workspace, when: Promoted) -> Standing:
    from provenote.registry import event, reading
    from provenote.registry.state import NotReleased

    registry = reading.read(workspace)
    try:
        release = registry.state.current((registry.path, when.model, when.stage))
    except NotReleased as error:
        return Standing(None, error.what)
    since = event.timestamp(release.event.at)
    return Standing(release.event.id, f"{release.subject.reference} since {since}")
