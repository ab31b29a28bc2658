"""What the policy says about one request, given some set of events. Pure.

`evaluate` is asked twice about a release: with what the releaser had seen, and with everything that is not
later, so that a rejection which the releaser left out still stops it. It is asked once about an open request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from provenote.registry.event import Event
from provenote.registry.evidence import wrong
from provenote.registry.fold import Log
from provenote.registry.policy import CI, DAY, METRICS, Policy, Rule
from provenote.registry.reviewed import Opinion
from provenote.registry.subject import Subject

Seen = Callable[[Event], bool]
"""Which events are looked at."""

DECISIONS = frozenset({"rejected", "withdrawn"})
"""Problems that contest a release even when its author had not seen them."""

WAIVED = frozenset({"approvals", "checks", "reviews", "rejected", "promotes_from"})
"""Problems that an emergency override sets aside, for its hours."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why not: a word for programs and a sentence for people."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Need:
    """Approvals that a rule asks for: how many of which role, who gave one, who still could."""

    role: str
    min: int
    got: tuple[str, ...]
    could: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What stands between a request and its release.

    Parameters
    ----------
    problems : tuple of Problem
        Empty: it can be released.
    needs : tuple of Need
    checks : tuple of (name, 'pass' | 'fail' | 'missing')
    rejected_by : tuple of str
    again : tuple of str
        People whose approval was given under another policy: they must vote again.
    reviews : Opinion or None
        What notebook reviews say, where the rule asks for them.
    """

    problems: tuple[Problem, ...]
    needs: tuple[Need, ...] = ()
    checks: tuple[tuple[str, str], ...] = ()
    rejected_by: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    reviews: Opinion | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing stands in the way."""
        return not self.problems

    @property
    def approvers(self) -> tuple[str, ...]:
        """The people whose approval counts."""
        return tuple(sorted({name for need in self.needs for name in need.got}))

    def has(self, code: str) -> bool:
        """Whether there is a problem of this kind."""
        return any(problem.code == code for problem in self.problems)


def evaluate(
    log: Log,
    request: Event,
    policy: Policy,
    seen: Seen,
    when: int,
    held: frozenset[str],
    *,
    barred: frozenset[str] = frozenset(),
    for_ever: bool = False,
    live: bool = False,
    own: Event | None = None,
    holder: Subject | None,
) -> Verdict:
    """Judge a request by a policy.

    Parameters
    ----------
    log : Log
    request : Event
        The request.
    policy : Policy
        The policy to judge by; approvals given under another one don't count.
    seen : Seen
        Which of the events about it are looked at.
    when : int
        The time at which approvals and the request must still be valid; seconds since 1970.
    held : frozenset of str
        Stages that this very version has rightly held before.
    barred : frozenset of str
        People whose approval does not count, whatever the rule says.
    for_ever : bool
        Whether approvals don't expire.
    live : bool
        Whether to look at all notebook reviews that are here, instead of those that the events name.
    own : Event, optional
        The release that is judged.
    holder : Subject or None
        What holds the stage before: what metrics are compared with.
    """
    subject, stage = _asked(request)
    rule = policy.rule(subject.path, subject.model, stage)
    if rule is None:
        return Verdict((no_rule(policy, subject, stage),))
    problems = [*_request_problems(log, request, policy, rule, when), *format_problems(rule, subject)]
    about = [item for item in log.about(request.id) if seen(item)]
    same = [item for item in about if item.subject == subject and item.stage == stage]
    if any(item.type == "withdraw" and item.by == request.by for item in about):
        problems.append(Problem("withdrawn", f"{request.by} has withdrawn it"))
    if rule.promotes_from and not held & set(rule.promotes_from):
        first = " or ".join(rule.promotes_from)
        problems.append(Problem("promotes_from", f"{subject.version} was not in {first} before"))
    votes = _votes(log, same)
    rejected = _rejections(policy, rule, votes)
    problems += [Problem("rejected", f"rejected by {item.by}: {item.why}") for item in rejected]
    four_eyes = {request.by, *_authors(request)} if rule.four_eyes else set()
    needs, again, expired = _approvals(policy, rule, votes, four_eyes | barred, None if for_ever else when)
    problems += [_lacking(need, again, expired) for need in needs if len(need.got) < need.min]
    checked = [(name, *_check(log, policy, rule, name, same, holder)) for name in rule.verdicts]
    problems += [Problem("checks", f"check {name}: {why}") for name, state, why in checked if state != "pass"]
    checks = tuple((name, state) for name, state, _ in checked)
    opinion = None
    if rule.reviews:
        named = [*about, *([own] if own is not None else []), request]
        heads = None if live else {name for item in named for name in item.body.get("reviews", ())}
        out = {request.by, *_authors(request)} | barred
        opinion = log.reviewed.opinion(log, rule.reviews, policy, subject, out, heads, own)
        problems += [Problem("reviews", text) for text in opinion.problems(rule.reviews)]
    return Verdict(tuple(problems), needs, checks, tuple(item.by for item in rejected), again, opinion)


def no_rule(policy: Policy, subject: Subject, stage: str) -> Problem:
    """Return the problem of a stage that no rule speaks about."""
    stages = policy.stages(subject.path, subject.model)
    known = f"; it has rules for {', '.join(stages)}" if stages else ""
    return Problem("rule", f"policy {policy.version} has no rule for {subject.model} in {stage}{known}")


def format_problems(rule: Rule, subject: Subject) -> list[Problem]:
    """Return what the rule has against the model's format and the types to trust."""
    untrusted = rule.untrusted(subject.format, subject.trusted)
    if untrusted is None:
        allowed = ", ".join(sorted(rule.formats)) or "none"
        return [
            Problem("format", f"models of format {subject.format!r} may not be there (allowed: {allowed})")
        ]
    if untrusted:
        return [Problem("trusted", f"the policy does not allow to trust {', '.join(untrusted)}")]
    return []


def _asked(request: Event) -> tuple[Subject, str]:
    assert request.subject is not None and request.stage is not None  # `event.parse` asks for both
    return request.subject, request.stage


def _authors(request: Event) -> list[str]:
    return [str(name) for name in request.body.get("authors", [])]


def _request_problems(log: Log, request: Event, policy: Policy, rule: Rule, when: int) -> list[Problem]:
    subject, stage = _asked(request)
    problems = []
    if not policy.may(request.by, request.key, rule.request):
        problems.append(
            Problem("request", _may_not(policy, request.by, "ask for", subject, stage, rule.request))
        )
    if rule.request_days and when - request.at > rule.request_days * DAY:
        problems.append(Problem("expired", f"the request is older than {rule.request_days} days"))
    for other in log.requests(subject):
        named = other.subject
        if named is None or named == subject or not log.before(other.id, request.id):
            continue
        its_policy = log.policy_of(other)
        its_rule = its_policy.rule(named.path, named.model, str(other.stage))
        if its_rule and its_policy.may(other.by, other.key, its_rule.request):
            taken = f"{subject.version} is the name of run commit {named.commit[:12]} already"
            return [*problems, Problem("version", taken)]
    return problems


def _may_not(policy: Policy, name: str, what: str, subject: Subject, stage: str, roles: Sequence[str]) -> str:
    return f"{name} may not {what} {subject.model} in {stage}: {policy.takes(name, roles)}"


def _votes(log: Log, same: Sequence[Event]) -> dict[str, list[Event]]:
    """Return each person's last votes: those that none of their other votes has seen."""
    by_person: dict[str, list[Event]] = {}
    for item in same:
        if item.type == "vote":
            by_person.setdefault(item.by, []).append(item)
    return {name: log.tips(votes) for name, votes in by_person.items()}


def _rejections(policy: Policy, rule: Rule, votes: Mapping[str, list[Event]]) -> list[Event]:
    """Return the rejections in force; of two votes given at once the rejection counts."""
    voters = set(policy.in_role(need.role for need in rule.approvals))
    last = [item for name, items in votes.items() if name in voters for item in items]
    return [item for item in last if item.body["decision"] == "reject"]


def _approvals(
    policy: Policy,
    rule: Rule,
    votes: Mapping[str, list[Event]],
    barred: set[str] | frozenset[str],
    when: int | None,
) -> tuple[tuple[Need, ...], tuple[str, ...], list[str]]:
    """Return who fills which need, who must vote again, and whose approval has expired."""
    good: dict[str, Event] = {}
    again: list[str] = []
    expired: list[str] = []
    for name, items in votes.items():
        if name in barred or any(item.body["decision"] == "reject" for item in items):
            continue
        current = [item for item in items if item.policy == policy.id]
        if not current:
            again.append(name)
        elif when is not None and rule.approval_days and when - current[-1].at > rule.approval_days * DAY:
            expired.append(name)
        else:
            good[name] = current[-1]
    places = [need.role for need in rule.approvals for _ in range(need.min)]
    filled = _fill(places, {
        name: [place for place, role in enumerate(places) if policy.may(name, vote.key, [role])]
        for name, vote in good.items()
    })  # fmt: skip
    needs, start = [], 0
    for need in rule.approvals:
        got = tuple(sorted(name for place, name in filled.items() if start <= place < start + need.min))
        could = [
            name for name in policy.in_role([need.role]) if name not in barred and name not in filled.values()
        ]
        needs.append(Need(need.role, need.min, got, tuple(could)))
        start += need.min
    return tuple(needs), tuple(sorted(again)), expired


def _fill(places: Sequence[str], fits: Mapping[str, Sequence[int]]) -> dict[int, str]:
    """Give each person at most one place, and fill as many places as possible (augmenting paths)."""
    holder: dict[int, str] = {}

    def seat(name: str, tried: set[int]) -> bool:
        for place in fits[name]:
            if place not in tried:
                tried.add(place)
                if place not in holder or seat(holder[place], tried):
                    holder[place] = name
                    return True
        return False

    for name in sorted(fits):
        if len(holder) < len(places):
            seat(name, set())
    return holder


def _lacking(need: Need, again: Sequence[str], expired: Sequence[str]) -> Problem:
    who = ", ".join(need.could) or "nobody is left who could"
    text = f"{len(need.got)} of {need.min} approvals of the role {need.role} ({who})"
    repeated = [name for name in again if name in need.could]
    if repeated:
        text += f"; the policy changed, so {', '.join(repeated)} must vote again"
    late = [name for name in expired if name in need.could]
    if late:
        text += f"; the approval of {', '.join(late)} has expired"
    return Problem("approvals", text)


def _check(
    log: Log, policy: Policy, rule: Rule, name: str, same: Sequence[Event], holder: Subject | None
) -> tuple[str, str]:
    """Return the state of a check and why: of verdicts given at once a failure counts."""
    last = last_checks(log, policy, name, same)
    if not last:
        return "missing", "not there yet"
    said = []
    for item in last:
        assert item.subject is not None  # `same` has the subject that is asked for
        told = wrong(name, item.body.get("evidence"), rule, item.subject, holder)
        if item.body["status"] != "pass":
            said.append(
                f"failed: {'; '.join(told)}" if told and rule.metrics and name == METRICS else "failed"
            )
        elif told:
            said.append("; ".join(told))
    return ("fail", said[0]) if said else ("pass", "")


def last_checks(log: Log, policy: Policy, name: str, same: Sequence[Event]) -> list[Event]:
    """Return the verdicts of a check that count: a ci's last, among events about one subject and stage."""
    mine = [item for item in same if item.type == "check" and item.body["name"] == name]
    return log.tips([item for item in mine if policy.may(item.by, item.key, [CI])])
