"""Compare the figures that a check ``metrics`` was signed with with those in the runs' records.

Readers hold the signed figures to the policy's thresholds (`provenote.registry.evidence`), which needs no
run. Where the runs are here, their records tell whether who signed told the truth.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provenote.errors import WorldError
from provenote.registry import model_bytes
from provenote.registry.evidence import number, text
from provenote.registry.names import visible
from provenote.registry.policy import METRICS
from provenote.registry.rules import last_checks

if TYPE_CHECKING:
    from provenote.registry.event import Event
    from provenote.registry.fold import Log
    from provenote.registry.releases import Release
    from provenote.workspace import Workspace

_OID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Compared:
    """Signed figures beside those that runs logged.

    Parameters
    ----------
    wrong : tuple of str
        Each that differs, in words.
    absent : tuple of str
        Commits of runs that this clone lacks, so that nothing can be said of their figures.
    same : tuple of str
        Metrics of the released version whose figure is what its run logged.
    """

    wrong: tuple[str, ...]
    absent: tuple[str, ...]
    same: tuple[str, ...]


def logged(workspace: Workspace, commit: str, path: str) -> Mapping[str, Any]:
    """Return the metrics that a run's commit records, by dotted names; none if they are no map."""
    from provenote.compare.columns import flat

    found = model_bytes.document(workspace, commit, path).get("metrics")
    return flat(found) if isinstance(found, dict) else {}


def signed(log: Log, release: Release) -> list[Event]:
    """Return the checks ``metrics`` that a release rests on: the last that its author had seen."""
    policy, subject, stage = log.policy_of(release.event), release.subject, release.stage
    about = log.about(str(release.event.promotion))
    seen = [one for one in about if log.before(one.id, release.event.id)]
    same = [one for one in seen if (one.subject, one.stage) == (subject, stage)]
    return last_checks(log, policy, METRICS, same)


def compared(workspace: Workspace, log: Log, release: Release) -> Compared | None:
    """Compare the signed figures of a release with the records of its run and of the holder's run before.

    Returns
    -------
    Compared or None
        None where the release rests on no such check, as one by override may.

    Raises
    ------
    Refused
        If a commit that is here holds no run.
    """
    checks = signed(log, release)
    if not checks:
        return None
    wrong: list[str] = []
    absent: list[str] = []
    same: list[str] = []
    for check in checks:
        evidence = _table(check.body.get("evidence"))
        if evidence.get("commit") != release.subject.commit:
            wrong.append(f"{check.by} signed the figures of another run than the one that was released")
            continue
        for side in ("value", "holder"):
            commit = evidence["commit"] if side == "value" else evidence.get("holder")
            if commit is None:
                continue  # nothing held the stage
            if not isinstance(commit, str) or not _OID.fullmatch(commit):
                wrong.append(f"{check.by} compared with {ascii(commit)[:60]}, which names no run")
                continue
            try:
                true = logged(workspace, commit, release.subject.path)
            except WorldError:
                absent.append(commit)
                continue
            for metric, told, found in _rows(evidence, side, true):
                if told == found:
                    same += [metric] if side == "value" else []
                else:
                    run = "the run" if side == "value" else f"the holder's run {commit[:12]}"
                    what = f"{visible(metric)} {_shown(told)} was signed by {check.by}"
                    wrong.append(f"{what}, and {run} logged {_shown(found)}")
    return Compared(tuple(wrong), tuple(dict.fromkeys(absent)), tuple(dict.fromkeys(same)))


def _rows(
    evidence: Mapping[str, Any], side: str, true: Mapping[str, Any]
) -> Iterator[tuple[str, float | None, float | None]]:
    """Yield each metric of a check, the figure that was signed, and the one that was logged."""
    for metric, row in _table(evidence.get("metrics")).items():
        yield metric, number(_table(row).get(side)), number(text(true.get(metric)))


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _shown(value: float | None) -> str:
    return "no finite value" if value is None else repr(value)
