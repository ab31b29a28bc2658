"""Where every stage and every request stands: the state of the registry, computed from a `Log`. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from provenote.errors import Refused
from provenote.registry.event import Event
from provenote.registry.fold import Log
from provenote.registry.policy import CI, Rule
from provenote.registry.releases import HOUR, Key, Release, Releases
from provenote.registry.rules import Problem, Verdict, evaluate, format_problems, no_rule
from provenote.registry.subject import Subject

Status = Literal[
    "open", "approved", "rejected", "withdrawn", "expired", "released", "replaced", "recalled", "void"
]
_ENDS: tuple[tuple[str, Status], ...] = (
    ("rejected", "rejected"),
    ("expired", "expired"),
    ("withdrawn", "withdrawn"),
    ("request", "void"),
    ("version", "void"),
)
"""Problems that end a request, the later ones more finally."""


class NotReleased(Refused):
    """Nothing rightly holds the stage."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """A request and where it stands.

    Parameters
    ----------
    request : Event
    status : Status
    verdict : Verdict
        By the policy that counts now.
    release : Release or None
        The last release of it that counts.
    """

    request: Event
    status: Status
    verdict: Verdict
    release: Release | None = None

    @property
    def subject(self) -> Subject:
        """What is asked for."""
        assert self.request.subject is not None
        return self.request.subject

    @property
    def stage(self) -> str:
        """Where it shall go."""
        return str(self.request.stage)

    @property
    def waiting(self) -> bool:
        """Whether it still waits for somebody."""
        return self.status in ("open", "approved", "rejected")


class State:
    """The registry as one log tells it.

    Parameters
    ----------
    log : Log
    """

    def __init__(self, log: Log) -> None:
        self.log = log
        self.releases = Releases(log)

    def current(self, key: Key) -> Release:
        """Return the release that rightly holds the stage now.

        Raises
        ------
        NotReleased
            If none does: the message says why and what mends it.
        """
        path, model, stage = key
        holders = self.releases.holders(key)
        if len(holders) > 1:
            versions = " and ".join(one.subject.version for one in holders)
            raise NotReleased(
                f"{model} in {stage} is contested: {versions} were released at once",
                f"Decide: `provenote promote {model} --to {stage}` or `provenote rollback`",
            )
        if not holders:
            raise self._nothing(key)
        found = holders[0]
        if recall := self.releases.recalled.get(found.event.id):
            raise NotReleased(
                f"{found.subject.reference} was recalled from {stage} by {recall.by}: {recall.why}"
            )
        if clash := self._clash(found):
            two = f"{found.subject.commit[:12]} and {clash}"
            raise NotReleased(f"{found.subject.reference} is the name of two different models: {two}")
        rule = self.log.policy.rule(path, model, stage)
        if rule is None:
            problems = [no_rule(self.log.policy, found.subject, stage)]
        else:
            problems = [*format_problems(rule, found.subject), *self._stale(rule)]
        if problems:
            raise NotReleased(
                f"{found.subject.reference} may not be used from {stage} any more: {problems[0].text}"
            )
        return found

    @cached_property
    def promotions(self) -> list[Promotion]:
        """Every request and where it stands, oldest first."""
        return [self._promotion(item) for item in self.log.of_type("request")]

    def promotion(self, request: str) -> Promotion | None:
        """Return the promotion of a request's id."""
        return next((one for one in self.promotions if one.request.id == request), None)

    def rightly_asked(self, promotion: Promotion) -> bool:
        """Whether a request counts by the policy that now is, or did by the one that its author went by.

        Who leaves has asked rightly while they were there: the versions they named stay named.
        """
        if not (promotion.status == "void" and promotion.verdict.has("request")):
            return True
        subject, request = promotion.subject, promotion.request
        policy = self.log.policy_of(request)
        rule = policy.rule(subject.path, subject.model, promotion.stage)
        return rule is not None and policy.may(request.by, request.key, rule.request)

    def _promotion(self, request: Event) -> Promotion:
        subject = request.subject
        assert subject is not None
        held = self.releases.held(subject, None)
        released = self.releases.good_of(request.id)
        holder = self._compared(request, released)
        verdict = evaluate(
            self.log,
            request,
            self.log.policy,
            lambda item: True,
            self.log.now,
            held,
            live=True,
            holder=holder,
        )
        status: Status = "approved" if verdict.ok else "open"
        if released:
            last = released[-1]
            holding = last in self.releases.holders(last.key)
            status = "released" if holding else "replaced"
            if last.event.id in self.releases.recalled:
                status = "recalled"
            return Promotion(request, status, verdict, last)
        for code, word in _ENDS:
            if verdict.has(code):
                status = word
        return Promotion(request, status, verdict)

    def _compared(self, request: Event, released: list[Release]) -> Subject | None:
        """Return what the metrics of a request are compared with, where its rule has thresholds."""
        subject = request.subject
        assert subject is not None
        rule = self.log.policy.rule(subject.path, subject.model, str(request.stage))
        if rule is None or not rule.metrics:
            return None
        if released:
            return self.releases.before(released[-1].event)
        now = self.releases.holder((*subject.key, str(request.stage)))
        return now.subject if now else None

    def _clash(self, found: Release) -> str | None:
        """Return another commit that was rightly released under the same version, or None."""
        subject = found.subject
        for one in self.releases.good():
            other = one.subject
            if other.key == subject.key and other.version == subject.version and other != subject:
                return other.commit[:12]
        return None

    def _stale(self, rule: Rule) -> list[Problem]:
        """Return whether the ledger's newest checkpoint is older than the rule allows."""
        if rule.freshness_hours is None:
            return []
        points = [one for one in self.log.of_type("checkpoint") if self.log.policy.may(one.by, one.key, [CI])]
        age = self.log.now - max((one.at for one in points), default=0)
        if age <= rule.freshness_hours * HOUR:
            return []
        return [Problem("stale", f"the ledger's newest checkpoint is older than {rule.freshness_hours} h")]

    def _nothing(self, key: Key) -> NotReleased:
        """Say why nothing holds a stage."""
        path, model, stage = key
        refused = [one for one in self.releases.all.values() if one.key == key and one.problems]
        if refused:
            last = refused[-1]
            return NotReleased(
                f"no release of {model} in {stage} holds: {last.subject.version} of {last.event.by} "
                f"is refused, because {last.problems[0].text}",
                f"See more: `provenote verify {model} --stage {stage}`",
            )
        asked = [one for one in self.promotions if (*one.subject.key, one.stage) == key and one.waiting]
        if asked:
            return NotReleased(
                f"{asked[-1].subject.reference} is asked for in {stage}, but not released",
                "See it: `provenote inbox`",
            )
        mend = f'Ask for it: `provenote promote {model} --to {stage} --why "..."`'
        return NotReleased(f"no version of {model} is in {stage}", mend)
