"""What makes a training due: each condition as a key that changes exactly when it is due."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from provenote.errors import ProvenoteError
from provenote.monitor import definition as monitors
from provenote.monitor import watching
from provenote.retraining.definition import Retrain
from provenote.retraining.present import Champion, Data
from provenote.triggers import standing

if TYPE_CHECKING:
    from provenote.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition.

    Parameters
    ----------
    name : str
        As the rule has it: ``new_rows``.
    key : str
        What is due when it differs from what was acted on last; empty while there is nothing.
    says : str
    next : str
        When it will change, where that is known.
    late : bool
        Whether its time is too long ago to be acted on.
    """

    name: str
    key: str
    says: str
    next: str = ""
    late: bool = False


def look(
    workspace: Workspace, rule: Retrain, champion: Champion, data: Data, before: str, now: datetime
) -> list[Condition]:
    """Return how each condition of a rule stands.

    Parameters
    ----------
    workspace : Workspace
    rule : Retrain
    champion : Champion
    data : Data
    before : str
        MD5 of the data that the last try saw; empty where there was none.
    now : datetime

    Raises
    ------
    ProvenoteError
        If one cannot be known.
    """
    found = []
    when = rule.when
    if when.schedule is not None:
        stands = standing.clock(when.schedule, now)
        says = stands.missed or stands.says
        found.append(Condition("schedule", stands.key or "", says, stands.next, bool(stands.missed)))
    if when.new_rows is not None:
        found.append(_rows(when.new_rows, champion, data, rule.data, before))
    if when.performance:
        found.append(_performance(workspace, when.performance, now))
    if when.resolved:
        found.append(_resolved(workspace, when.resolved))
    if when.advisory:
        found.append(_advisory(workspace, champion))
    return found


def _rows(wanted: int, champion: Champion, data: Data, path: str, before: str) -> Condition:
    try:
        count = data.new(champion.read(path), *([before] if before else []))
    except ProvenoteError as error:  # a broken delivery is due, too: the guards say what is wrong with it
        return Condition("new_rows", data.md5, f"new rows cannot be counted: {error.what}")
    if count is None:
        return Condition(
            "new_rows", "", "not known: the version that the champion's run read is not told, or not here"
        )
    says = f"{count:,} new labelled rows of {wanted:,}"
    return Condition("new_rows", data.md5 if count >= wanted else "", says)


def _performance(workspace: Workspace, name: str, now: datetime) -> Condition:
    monitor = monitors.pick(workspace.dvc_root, name)
    stands = watching.standing(workspace, monitor, now.timestamp())
    known = {cause.id for record in stands.performance for cause in record.causes}
    found = [one for one in stands.open if one.id in known]
    if not found:
        return Condition("performance", "", f"no open alert of {name} about performance")
    key = _digest(*(f"{one.id} {one.windows[0]}" for one in found))
    return Condition("performance", key, f"{name}: {found[0].cause.title}")


def _resolved(workspace: Workspace, name: str) -> Condition:
    accepted = monitors.pick(workspace.dvc_root, name).accepted
    if not accepted:
        return Condition("resolved", "", f"no window of {name} was accepted")
    last = accepted[-1]
    says = f"{name}: {last.window} was accepted as real" + (f" ({last.why})" if last.why else "")
    return Condition("resolved", _digest(*(f"{one.window} {one.md5} {one.at}" for one in accepted)), says)


def _advisory(workspace: Workspace, champion: Champion) -> Condition:
    from provenote.environments import snapshot, watch

    then, imported = watch.recorded(workspace, champion.commit, champion.document)
    here = snapshot.standing(workspace)
    if here.state != "there":
        return Condition("advisory", "", "not checked: no snapshot of advisories is here")
    versions = {name: package.version for name, package in then.environment.packages.items()}
    found, _ = snapshot.ask(workspace, versions)
    ids = sorted(one.id for one in found if imported is None or one.package in imported)
    if not ids:
        return Condition("advisory", "", f"no advisory about the champion's packages, {here.age}")
    return Condition("advisory", _digest(*ids), f"{', '.join(ids[:3])} about the champion's packages")


def _digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(sorted(texts)).encode()).hexdigest()[:16]
