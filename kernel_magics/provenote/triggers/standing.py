"""How things stand for a rule's condition: a key that changes exactly when the rule is due."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from provenote.errors import UsageError
from provenote.triggers.rules import Clock, Data, Promoted, Requested, Trained, Upstream, Versioned, When

if TYPE_CHECKING:
    from provenote.model import Row
    from provenote.workspace import Workspace

LOOKED_AT = 500
"""How many of the newest runs are searched for one that kept a model."""


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
    names : mapping of str to str
        What a job's parameters may say of it: ``model`` (as ``bike-demand@v1.2.0``), ``stage``, ``run``.
    """

    key: str | None
    says: str
    missed: str = ""
    next: str = ""
    names: Mapping[str, str] = field(default_factory=dict)

    def filled(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return parameters with what they say of the condition filled in. Pure.

        Raises
        ------
        UsageError
            If one asks for what this condition does not know.
        """
        found = {}
        for key, value in params.items():
            if isinstance(value, str) and value.startswith("{") and value.endswith("}"):
                if value[1:-1] not in self.names:
                    known = ", ".join(f"{{{name}}}" for name in self.names) or "nothing"
                    raise UsageError(
                        f"the parameter {key} wants {value}, and this condition knows {known}",
                        "Mend the rule",
                    )
                value = self.names[value[1:-1]]
            found[key] = value
        return found


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
    if isinstance(when, Trained):
        return _trained(workspace, when)
    if isinstance(when, Versioned | Requested):
        return _asked(workspace, when)
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
            return Standing(row.id, f"run {row.name}", names={"run": row.name})
    return Standing(None, f"no job {when.job} has finished" + (f" with {when.where}" if when.where else ""))


def _ended(row: Row) -> float:
    return row.ended or 0.0


def _promoted(workspace: Workspace, when: Promoted) -> Standing:
    from provenote.registry import event, reading
    from provenote.registry.state import NotReleased

    registry = reading.read(workspace)
    names = {"model": f"{when.model}@{when.stage}", "stage": when.stage}
    try:
        release = registry.state.current((registry.path, when.model, when.stage))
    except NotReleased as error:
        return Standing(None, error.what, names=names)
    since = event.timestamp(release.event.at)
    reference = release.subject.reference
    return Standing(release.event.id, f"{reference} since {since}", names={**names, "model": reference})


def _trained(workspace: Workspace, when: Trained) -> Standing:
    from provenote.stores import index

    rows, _ = index.rows(workspace, everything=True)
    finished = [row for row in rows if row.status == "finished" and row.commit and row.ended]
    for row in sorted(finished, key=_ended, reverse=True)[:LOOKED_AT]:
        kept = index.document(workspace, str(row.commit)).get("artifacts") or {}
        if isinstance(kept.get(when.model), dict) and kept[when.model].get("type") == "model":
            names = {"model": f"{when.model}@{row.name}", "run": row.name}
            return Standing(row.id, f"run {row.name} kept {when.model}", names=names)
    return Standing(
        None, f"no finished run has kept a model {when.model}", names={"model": when.model, "run": ""}
    )


def _asked(workspace: Workspace, when: Versioned | Requested) -> Standing:
    """Return the newest request: any that gave a version, or one for a stage that still waits."""
    from provenote.registry import event, reading

    registry = reading.read(workspace)
    stage = when.stage if isinstance(when, Requested) else None
    found = [
        one
        for one in registry.state.promotions
        if (one.subject.path, one.subject.model) == (registry.path, when.model)
        and registry.state.rightly_asked(one)
        and (stage is None or (one.stage == stage and one.waiting))
    ]
    names = {"model": when.model, "stage": stage or "", "run": ""}
    if not found:
        what = f"nobody asks for {when.model} in {stage}" if stage else f"{when.model} has no version"
        return Standing(None, what, names=names)
    last = found[-1]  # each stands after those that its author had seen
    reference = last.subject.reference
    since = event.timestamp(last.request.at)
    says = f"{reference} is asked for in {stage} since {since}" if stage else f"{reference} since {since}"
    key = last.request.id if stage else f"{reference} {last.subject.commit}"
    return Standing(key, says, names={**names, "model": reference, "stage": last.stage})
