"""The Check: what a test of data, of a model or of a run found. Plain nouns, no input.

Every test answers in this form: contracts of data, tests of models, comparisons with the stage holder,
monitors and screens. What is not judged is never passed: too little data is a finding of its own, and a gate
holds on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["passed", "failed", "not judged", "error", "skipped"]
"""`not judged`: too little to tell. `error`: the test itself broke. `skipped`: it did not run, and why."""

WORST_FIRST: tuple[Outcome, ...] = ("error", "failed", "not judged", "skipped", "passed")

EXIT: Mapping[Outcome, int] = {"passed": 0, "failed": 1, "not judged": 3, "error": 3, "skipped": 3}
"""Exit status of the command line: yes, no, could not judge."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One test's answer.

    Parameters
    ----------
    name : str
        Of the test: unique within its verdict and the same from run to run, so that a policy can name it.
    outcome : Outcome
    why : str
        One line: what was found, where, against which limit.
    value, limit : float or None
        The figure that was judged and what it was held against, in the unit that ``why`` names.
    interval : tuple of float, optional
        Lower and upper bound of the value.
    mend : str
        The command or act that helps; empty where nothing has to be mended.
    evidence : mapping
        Plain JSON: rows, counts, digests, the share of false alarms, the smallest difference to be seen.
    """

    name: str
    outcome: Outcome
    why: str = ""
    value: float | None = None
    limit: float | None = None
    interval: tuple[float, float] | None = None
    mend: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the tests of one subject found together.

    Parameters
    ----------
    name : str
        Of the check as a policy asks for it, as ``data-tests`` or ``model-tests``.
    subject : mapping of str to str
        What was tested: path and hash of data, name, version and SHA-256 of a model, commit of a run.
    findings : tuple of Finding
    """

    name: str
    subject: Mapping[str, str]
    findings: tuple[Finding, ...]

    @property
    def outcome(self) -> Outcome:
        """The worst of the findings; a verdict without findings is not judged.

        What was skipped counts only where nothing else was said.
        """
        outcomes = {finding.outcome for finding in self.findings}
        told = outcomes - {"skipped"} if len(outcomes) > 1 else outcomes
        return worst(told)

    def plain(self) -> dict[str, Any]:
        """Return the verdict as JSON: ``{schema, name, outcome, subject, findings: [...]}``."""
        return {
            "schema": 1,
            "name": self.name,
            "outcome": self.outcome,
            "subject": dict(self.subject),
            "findings": [
                {
                    "name": one.name,
                    "outcome": one.outcome,
                    "why": one.why,
                    "value": one.value,
                    "limit": one.limit,
                    "interval": list(one.interval) if one.interval else None,
                    "mend": one.mend,
                    "evidence": dict(one.evidence),
                }
                for one in self.findings
            ],
        }


def read(plain: Mapping[str, Any]) -> Verdict:
    """Read what `Verdict.plain` wrote.

    Raises
    ------
    ValueError
        If it is something else, or from a later release.
    """
    if plain.get("schema") != 1 or not isinstance(plain.get("findings"), list):
        raise ValueError("this is no verdict that this release knows")
    findings = []
    for one in plain["findings"]:
        outcome: Outcome = one["outcome"] if one.get("outcome") in WORST_FIRST else "error"
        around = one.get("interval")
        findings.append(
            Finding(
                str(one["name"]),
                outcome,
                str(one.get("why") or ""),
                one.get("value"),
                one.get("limit"),
                (around[0], around[1]) if around else None,
                str(one.get("mend") or ""),
                dict(one.get("evidence") or {}),
            )
        )
    subject = {str(key): str(value) for key, value in (plain.get("subject") or {}).items()}
    return Verdict(str(plain.get("name") or ""), subject, tuple(findings))


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the outcome that decides; of none: not judged."""
    found = set(outcomes)
    return next((outcome for outcome in WORST_FIRST if outcome in found), "not judged")
