"""What came of each try, and who let a stopped rule go on: annotations, so every clone that syncs knows them.

Tries are counted from these and from nothing else: there is no counter that could be lost. Two timers that
judge one try say the same, and it counts once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from provenote.retraining.definition import YEAR, Retrain
from provenote.stores import annotating
from provenote.stores.annotation import Annotation
from provenote.stores.values import plain

if TYPE_CHECKING:
    from provenote.workspace import Workspace

KIND = "retraining"
RUNNING = 2
"""Tries without a better model, one after the other, after which a person is asked."""
_MOST_FINDINGS = 60
_LONGEST = 300
_LARGEST = 40_000  # of the 64 KiB of an event

Outcome = Literal["prepared", "rejected", "failed"]
"""``failed``: there was no challenger to judge."""


@dataclass(frozen=True, slots=True)
class Try:
    """One try and what came of it.

    Parameters
    ----------
    id : str
        Of the sweep.
    rule, model, stage : str
    outcome : Outcome
    why : str
        One line.
    to : str
        The stage that a request would ask for; empty: ``stage``.
    due : str
        What it was made for.
    champion, champion_sha256 : str
        Who held the stage when it was judged.
    run, run_id, commit, sha256 : str
        The challenger: name and id of its run, its commit, the model's bytes; empty where there is none.
    data, md5, since : str
        The version of the data, and the first day that was held out.
    spent : float
        Of the year's chance of a fluke.
    jobs : int
        Runs of the sweep that finished.
    tests : tuple of str
        Names of the runs of tests.
    findings : tuple of mapping
        As `provenote.checks.verdict.Verdict.plain` gives them; the evidence of the paired test alone is kept.
    at : float
        Seconds since 1970.
    """

    id: str
    rule: str
    model: str
    stage: str
    outcome: Outcome
    why: str
    to: str = ""
    due: str = ""
    champion: str = ""
    champion_sha256: str = ""
    run: str = ""
    run_id: str = ""
    commit: str = ""
    sha256: str = ""
    data: str = ""
    md5: str = ""
    since: str = ""
    spent: float = 0.0
    jobs: int = 0
    tests: tuple[str, ...] = ()
    findings: tuple[Mapping[str, Any], ...] = ()
    at: float = 0.0

    @property
    def short(self) -> str:
        """What a person calls it by."""
        return self.id[:8]

    @property
    def asks(self) -> str:
        """The stage that a request would ask for."""
        return self.to or self.stage

    def plain(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Resumed:
    """A person let a stopped rule go on."""

    rule: str
    why: str
    by: str
    at: float


@dataclass(frozen=True, slots=True)
class History:
    """All that is recorded of one rule, the newest first.

    Parameters
    ----------
    tries : tuple of Try
    resumed : tuple of Resumed
    """

    tries: tuple[Try, ...] = ()
    resumed: tuple[Resumed, ...] = field(default=())

    def year(self, now: float) -> int:
        """Return how many challengers were judged in the last 365 days."""
        return sum(1 for one in self.tries if one.spent and now - one.at < YEAR)

    def stopped(self) -> str:
        """Return why the rule stands still until a person lets it go on; empty where it does not."""
        since = max((one.at for one in self.resumed), default=0.0)
        last = [one for one in self.tries if one.at > since][:RUNNING]
        if len(last) < RUNNING or any(one.outcome == "prepared" for one in last):
            return ""
        words = "; ".join(f"{one.short}: {one.why}" for one in last)
        return f"{RUNNING} tries running gave no better model ({words})"


def fold(events: Iterable[Annotation], rule: Retrain) -> History:
    """Return the history of a rule. Pure.

    Tries of the same model for the same stage count whatever the rule was called then.

    Parameters
    ----------
    events : iterable of Annotation
        In any order; what has not the form of ours is overlooked.
    rule : Retrain
    """
    tries: dict[str, Try] = {}
    resumed = []
    for event in sorted(events, key=lambda one: (one.at, one.id)):
        if event.type != KIND:
            continue
        if event.body.get("what") == "resumed" and event.body.get("rule") == rule.name:
            resumed.append(Resumed(rule.name, str(event.body.get("why") or ""), event.by, event.at))
        made = _try(event) if event.body.get("what") == "tried" else None
        if made is not None and (made.model, made.stage) == (rule.model, rule.stage):
            tries.setdefault(made.id, made)
    newest = sorted(tries.values(), key=lambda one: (one.at, one.id), reverse=True)
    return History(tuple(newest), tuple(reversed(resumed)))


def _try(event: Annotation) -> Try | None:
    try:
        told = json.loads(str(event.body.get("try")))
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, Mapping):
        return None
    kinds = {"spent": float, "jobs": int, "tests": list, "findings": list}
    values: dict[str, Any] = {}
    value: Any
    for name in Try.__slots__:
        value = told.get(name)
        if name == "at" or value is None:
            continue
        wanted = kinds.get(name, str)
        if isinstance(value, bool) or not isinstance(value, (int, float) if wanted is float else wanted):
            return None
        values[name] = tuple(told[name]) if wanted is list else value
    if values.get("outcome") not in ("prepared", "rejected", "failed") or not values.get("id"):
        return None
    values["findings"] = tuple(one for one in values.get("findings", ()) if isinstance(one, Mapping))
    values["tests"] = tuple(str(one) for one in values.get("tests", ()))
    try:
        return Try(**values, at=float(event.at))
    except TypeError:
        return None


def history(workspace: Workspace, rule: Retrain) -> History:
    """Return what is recorded of a rule in this clone."""
    return fold(annotating.history(workspace), rule)


def keep(workspace: Workspace, made: Try, champion: str) -> None:
    """Record a try on its challenger's run, or on the champion's where there is none.

    Parameters
    ----------
    workspace : Workspace
    made : Try
    champion : str
        Id of the champion's run.
    """
    told = {name: value for name, value in made.plain().items() if name != "at" and value not in ("", ())}
    told["why"] = made.why[:_LONGEST]
    told["findings"] = [_short(one) for one in made.findings[:_MOST_FINDINGS]]
    told["tests"] = list(made.tests)
    subject = [one for one in (made.run_id or champion,) if one]
    text = json.dumps(plain(told), ensure_ascii=True, allow_nan=False)
    if len(text) > _LARGEST:  # hundreds of slices: their figures stay with who asks `compare --against`
        told["findings"] = [{**one, "evidence": {}} for one in told["findings"]]
        text = json.dumps(plain(told), ensure_ascii=True, allow_nan=False)
    # As a text: an event has no floats.
    annotating.retrained(workspace, subject, made.rule, what="tried", **{"try": text})


def resume(workspace: Workspace, rule: Retrain, why: str) -> None:
    """Record that a person lets a rule go on."""
    annotating.retrained(workspace, [], rule.name, what="resumed", why=plain(why)[:2000])


def _short(finding: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: finding.get(name) for name in ("name", "outcome", "value", "limit", "interval")}
    kept["why"] = str(finding.get("why") or "")[:_LONGEST]
    if finding.get("of") == "contest":
        kept["evidence"] = finding.get("evidence") or {}
    if finding.get("of"):
        kept["of"] = finding["of"]
    return {name: value for name, value in kept.items() if value not in (None, "", {})}
