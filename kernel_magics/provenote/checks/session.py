"""The tests of one kernel: which model and rows are tested, and what each case found so far.

A case begins with `begin` and ends with `end`. Inside a job what was found is told to the job's run as it
comes, so that a kernel that dies leaves what it knew; the job's supervisor makes the verdict of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provenote.checks.checker import Checker
from provenote.checks.contest import Choice
from provenote.checks.verdict import WORST_FIRST, Finding, Outcome, Verdict, worst
from provenote.errors import Refused, UsageError

if TYPE_CHECKING:
    from provenote.workspace import Workspace


class NotPassed(Refused):
    """A case whose questions were not all answered well."""


class TooLong(Refused):
    """A case that took longer than it may."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a case asks for in its first line.

    Parameters
    ----------
    model : str or None
        Reference of the model; None: that of the case before.
    choice : Choice
        Which rows.
    least, most : mapping of str to float
        Bounds of metrics that are asked first.
    slices : sequence of str
        Columns whose slices are asked, with ``worst`` as their bound.
    worst : float or None
    timeout : float or None
        Seconds.
    trusted : sequence of str
    """

    model: str | None = None
    choice: Choice = field(default_factory=Choice)
    least: Mapping[str, float] = field(default_factory=dict)
    most: Mapping[str, float] = field(default_factory=dict)
    slices: Sequence[str] = ()
    worst: float | None = None
    timeout: float | None = None
    trusted: Sequence[str] = ()


class Session:
    """What one kernel tests.

    Attributes
    ----------
    checker : Checker or None
        The questions about the present model and rows.
    """

    def __init__(self) -> None:
        self.checker: Checker | None = None
        self._request: Request | None = None
        self._cases: dict[str, dict[str, Any]] = {}
        self._subjects: list[dict[str, str]] = []

    def subject(self, workspace: Workspace, request: Request) -> Checker:
        """Load the model and rows that a request means, or take those of the one before.

        Raises
        ------
        UsageError
            If neither says which model.
        """
        from provenote.checks import contest, subject

        before = self._request
        if request.model is None:
            if before is None or self.checker is None:
                raise UsageError("which model is tested?", "Name it: `%%test bike-demand --on data/hour.csv`")
            if request.choice == Choice() or request.choice == before.choice:
                return self._anew(self.checker)
            request = dataclasses.replace(request, model=before.model, trusted=before.trusted)
        known = before is not None and (before.model, before.trusted) == (request.model, request.trusted)
        if known and self.checker is not None:
            if before is not None and before.choice == request.choice:
                return self._anew(self.checker)
            examined = self.checker.tested
        else:
            examined = subject.find(workspace, str(request.model), request.trusted)
        asked = contest.labelled(workspace, examined, request.choice)
        self._request = request
        self.checker = Checker(workspace, examined, asked, request.choice.block)
        about = {**examined.subject(), **asked.subject()}
        if about not in self._subjects:
            self._subjects.append(about)
        return self.checker

    def _anew(self, checker: Checker) -> Checker:
        checker.findings = []
        return checker

    def about(self) -> dict[str, str]:
        """Return what was tested: of several models or data only what they share, so that none is bound."""
        if not self._subjects:
            return {}
        first, *others = self._subjects
        return {key: value for key, value in first.items() if all(one.get(key) == value for one in others)}

    def keep(self, case: str, outcome: Outcome, why: str, findings: Sequence[Finding]) -> None:
        """Keep what a case found, and tell the job's run or the active one."""
        verdict = Verdict("", {}, tuple(findings)).plain()
        self._cases[case] = {"outcome": outcome, "why": why, "findings": verdict["findings"]}
        from provenote.tracking import active

        run = active.current()
        if run is not None and not run.ended:
            run.record({"extra": {"verdict": {"subject": self.about(), "cases": self._cases}}})


def asked_first(checker: Checker, request: Request) -> None:
    """Ask what stands in a case's first line.

    Raises
    ------
    UsageError
        If a metric or column does not fit.
    """
    for metric, limit in request.least.items():
        checker.at_least(metric, limit)
    for metric, limit in request.most.items():
        checker.at_most(metric, limit)
    if request.slices:
        worst_of = request.worst
        if worst_of is None:
            first = next(iter(request.least.items()), None)
            if first is None:
                raise UsageError("slices need a bound", "Give it: `--slice season --worst 0.7`")
            worst_of = first[1]
        metric_of = next(iter(request.least), None)
        checker.slices(list(request.slices), worst_of, metric=metric_of)


def conclude(findings: Sequence[Finding]) -> None:
    """Raise what makes a cell fail whose questions were not all answered well.

    Raises
    ------
    NotPassed
        With the worst ones in one line.
    """
    bad = [one for one in findings if one.outcome not in ("passed", "skipped")]
    if not bad:
        return
    bad.sort(key=lambda one: WORST_FIRST.index(one.outcome))
    told = "; ".join(f"{one.name}: {one.outcome}, {one.why}" for one in bad[:3])
    raise NotPassed(f"{len(bad)} of {len(findings)} not passed. {told}")


def judge(error: BaseException | None, findings: Sequence[Finding]) -> tuple[Outcome, str]:
    """Return how a case ended, from its error and what was found. Pure."""
    if error is None:
        return (Verdict("", {}, tuple(findings)).outcome, "") if findings else ("passed", "it ran to its end")
    if isinstance(error, NotPassed):
        return worst(one.outcome for one in findings), ""
    words = " ".join(str(error).split())[:300]
    if isinstance(error, TooLong):
        return "failed", words
    kind = type(error).__name__
    if isinstance(error, AssertionError):
        return "failed", f"AssertionError: {words}" if words else "an assert failed"
    return "error", f"{kind}: {words}" if words else kind


_session = Session()


def current() -> Session:
    """Return the session of this process."""
    return _session
