"""What a signed check must rest on to count: figures within thresholds, this run's reproduction. Pure.

Most checks count as their signer says. Two are held to their evidence by every reader:

- ``metrics`` repeats the figures of the version that is asked for and of the one that holds the stage, and
  the thresholds of the policy are applied to them again here;
- ``reproduced`` names the run, the verdict, and the SHA-256 of the report.

Figures stand in events as text, since the canonical line of an event knows no fractions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from provenote.registry.policy import METRICS, REPRODUCED, Rule, Threshold
from provenote.registry.subject import Subject

GOOD = ("identical", "within tolerance")
"""Verdicts of a reproduction with which a version may be released."""

_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?(e[+-]?[0-9]{1,3})?", re.ASCII)
_HEX = re.compile(r"[0-9a-f]{64}")


def text(value: object) -> str | None:
    """Return a finite number as it stands in an event, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value - value != 0:
        return None
    return repr(float(value))


def number(value: object) -> float | None:
    """Read what `text` wrote, None if it is anything else."""
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        return None
    found = float(value)
    return found if found - found == 0 else None


def figures(
    thresholds: Sequence[Threshold],
    subject: Subject,
    metrics: Mapping[str, object],
    holder: Subject | None,
    before: Mapping[str, object],
) -> dict[str, Any]:
    """Return the evidence of the check ``metrics``.

    Parameters
    ----------
    thresholds : sequence of Threshold
        What the rule asks.
    subject : Subject
        What is asked for.
    metrics : mapping
        What its run logged.
    holder : Subject or None
        What holds the stage.
    before : mapping
        What the holder's run logged.
    """
    rows: dict[str, dict[str, str]] = {}
    for one in thresholds:
        pairs = {"value": text(metrics.get(one.metric)), "holder": text(before.get(one.metric))}
        rows[one.metric] = {name: value for name, value in pairs.items() if value is not None}
    found: dict[str, Any] = {"commit": subject.commit, "metrics": rows}
    if holder is not None:
        found["holder"] = holder.commit
    return found


def wrong(name: str, evidence: object, rule: Rule, subject: Subject, holder: Subject | None) -> list[str]:
    """Return why the evidence of a check does not let it pass; empty: it does, or the check needs none.

    Parameters
    ----------
    name : str
        Of the check.
    evidence : object
        As the signed event has it: anything that JSON can hold.
    rule : Rule
    subject : Subject
        What is asked for.
    holder : Subject or None
        What holds the stage.
    """
    if name == REPRODUCED:
        return _reproduction(_table(evidence), subject)
    if name == METRICS and rule.metrics:
        return _figures(_table(evidence), rule.metrics, subject, holder)
    return []


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _reproduction(evidence: Mapping[str, Any], subject: Subject) -> list[str]:
    verdict, report = evidence.get("verdict"), evidence.get("report")
    if evidence.get("run") != subject.commit:
        return ["it is about another run than the one asked for"]
    if verdict not in GOOD:
        return [f"the reproduction was {ascii(verdict)}"]
    if not isinstance(report, str) or not _HEX.fullmatch(report):
        return ["it names no report of the reproduction"]
    return []


def _figures(
    evidence: Mapping[str, Any], thresholds: Sequence[Threshold], subject: Subject, holder: Subject | None
) -> list[str]:
    if evidence.get("commit") != subject.commit:
        return ["its figures are those of another run"]
    if evidence.get("holder") != (holder.commit if holder else None):
        now = holder.version if holder else "nothing"
        return [f"it compares with another version than what holds the stage now ({now})"]
    rows = _table(evidence.get("metrics"))
    return [said for one in thresholds for said in _threshold(one, _table(rows.get(one.metric)), holder)]


def _threshold(one: Threshold, row: Mapping[str, Any], holder: Subject | None) -> list[str]:
    value, before = number(row.get("value")), number(row.get("holder"))
    if value is None:
        return [f"{one.metric} has no finite value"]
    found = []
    if one.max is not None and value > one.max:
        found.append(f"{one.metric} {value:g} is above {one.max:g}")
    if one.min is not None and value < one.min:
        found.append(f"{one.metric} {value:g} is below {one.min:g}")
    if one.not_worse_than_holder is not None and holder is not None:
        if before is None:
            return [*found, f"{holder.version} has no finite {one.metric} to compare with"]
        room = one.not_worse_than_holder * abs(before)
        worse = value - before if one.better == "lower" else before - value
        if worse > room:
            share = f", more than {one.not_worse_than_holder:.3g} of it" if one.not_worse_than_holder else ""
            found.append(f"{one.metric} {value:g} is worse than the {before:g} of {holder.version}{share}")
    return found
