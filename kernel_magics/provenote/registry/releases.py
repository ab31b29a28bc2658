"""Which releases count, and which of them hold their stages: computed from a `Log`. Pure.

A release counts when its author may release, its number follows, everything it replaces is there, and the
request satisfies the policy that the release names: with what the releaser had seen, and with all that is not
later. Two releases of one stage of which neither replaces the other contest it: then nothing holds it.
"""

from __future__ import annotations

from dataclasses import dataclass

from provenote.registry.event import Event
from provenote.registry.fold import Log
from provenote.registry.policy import Policy, Rule
from provenote.registry.rules import DECISIONS, WAIVED, Problem, Verdict, evaluate, no_rule
from provenote.registry.subject import Subject

HOUR = 3600
Key = tuple[str, str, str]
"""Path, model and stage."""


@dataclass(frozen=True, slots=True)
class Release:
    """A release event and what was found about it.

    Parameters
    ----------
    event : Event
    problems : tuple of Problem
        Empty: it counts.
    verdict : Verdict
        Of its request, with what the releaser had seen.
    """

    event: Event
    problems: tuple[Problem, ...]
    verdict: Verdict

    @property
    def subject(self) -> Subject:
        """What was released."""
        assert self.event.subject is not None
        return self.event.subject

    @property
    def stage(self) -> str:
        """Where it was brought to."""
        return str(self.event.stage)

    @property
    def seq(self) -> int:
        """Its number among the releases of that model and stage."""
        return int(self.event.body["seq"])

    @property
    def key(self) -> Key:
        """Path, model and stage."""
        return self.subject.path, self.subject.model, self.stage


class Releases:
    """The releases of one log, judged.

    Parameters
    ----------
    log : Log
    """

    def __init__(self, log: Log) -> None:
        self.log = log
        self.recalled: dict[str, Event] = {}
        self.all: dict[str, Release] = {}
        self._counted: dict[Key, list[Event]] = {}
        self._good: dict[Key, list[Release]] = {}
        self._good_of: dict[str, list[Release]] = {}
        self._good_versions: dict[Subject, list[Release]] = {}
        for item in log.of_type("recall"):
            self._recall(item)
        for item in log.of_type("release"):  # in order: each after those that its author had seen
            self._keep(self._judge(item))

    def good(self, key: Key | None = None) -> list[Release]:
        """Return the releases that count, oldest first; of one model and stage if ``key`` is given."""
        if key is not None:
            return list(self._good.get(key, ()))
        return [one for one in self.all.values() if not one.problems]

    def good_of(self, request: str) -> list[Release]:
        """Return the releases of one request that count, oldest first."""
        return list(self._good_of.get(request, ()))

    def _keep(self, one: Release) -> None:
        self.all[one.event.id] = one
        if not one.problems:
            self._good.setdefault(one.key, []).append(one)
            self._good_of.setdefault(str(one.event.promotion), []).append(one)
            self._good_versions.setdefault(one.subject, []).append(one)

    def holders(self, key: Key) -> list[Release]:
        """Return the releases that none of the others replaces: one, none, or several when contested."""
        good = self.good(key)
        replaced = {name for one in good for name in one.event.body["supersedes"]}
        return [one for one in good if one.event.id not in replaced]

    def holder(self, key: Key) -> Release | None:
        """Return the one release that holds the stage and is not recalled, or None."""
        holders = self.holders(key)
        return holders[0] if len(holders) == 1 and holders[0].event.id not in self.recalled else None

    def before(self, item: Event) -> Subject | None:
        """Return what held the stage as the author of a release had seen it; None: nothing, or contested."""
        seen = [one for one in self.good(_key(item)) if self.log.before(one.event.id, item.id)]
        replaced = {name for one in seen for name in one.event.body["supersedes"]}
        holders = [one for one in seen if one.event.id not in replaced]
        if len(holders) != 1:
            return None
        recall = self.recalled.get(holders[0].event.id)
        return None if recall and self.log.before(recall.id, item.id) else holders[0].subject

    def next_seq(self, key: Key) -> int:
        """Return the number of the next release of a model in a stage."""
        return 1 + max((int(one.body["seq"]) for one in self._counted.get(key, ())), default=0)

    def held(self, subject: Subject, by: Event | None) -> frozenset[str]:
        """Return the stages that this very version rightly held, as far as the author of ``by`` had seen."""
        return frozenset(
            one.stage
            for one in self._good_versions.get(subject, ())
            if (by is None or self.log.before(one.event.id, by.id)) and not self._recalled(one, by)
        )

    def ends(self, one: Release) -> int | None:
        """Return until when an override counts that nobody has ratified yet; None for any other release.

        Seconds since 1970.
        """
        rule = self.log.policy_of(one.event).rule(*one.key)
        request = self.log.events.get(str(one.event.promotion))
        if (
            one.problems
            or not one.event.body.get("override")
            or rule is None
            or not rule.override
            or not request
        ):
            return None
        if self._ratified(one.event, request, self.held(one.subject, one.event)):
            return None
        return one.event.at + rule.override.hours * HOUR

    def _recalled(self, one: Release, by: Event | None) -> bool:
        """Whether a release was recalled, unless by somebody who had seen the event ``by``."""
        recall = self.recalled.get(one.event.id)
        return recall is not None and (by is None or not self.log.before(by.id, recall.id))

    # ------------------------------------------------------------------ judging

    def _judge(self, item: Event) -> Release:
        log, policy = self.log, self.log.policy_of(item)
        subject, stage = item.subject, item.stage
        assert subject is not None and stage is not None
        request = log.events.get(str(item.promotion))
        rule = policy.rule(subject.path, subject.model, stage)
        if rule is None:
            return Release(item, (no_rule(policy, subject, stage),), Verdict(()))
        problems = self._right(item, policy, rule)
        if not problems or all(problem.code == "why" for problem in problems):
            problems += self._number(item)
        if request is None or request.type != "request" or not log.before(request.id, item.id):
            return Release(item, (*problems, Problem("promotion", "it releases no request")), Verdict(()))
        if request.subject != subject or request.stage != stage:
            problems.append(Problem("subject", "it releases something else than what was asked for"))
        rollback = item.body.get("rollback") is True
        verdict, found = self._request(item, request, policy, rule)
        problems += self._again(item, request) if rollback else [*found, *self._once(item, request)]
        return Release(item, tuple(problems), verdict)

    def _right(self, item: Event, policy: Policy, rule: Rule) -> list[Problem]:
        """Return whether the author may do this at all, and has said why where that is asked."""
        word, roles = "release", rule.release
        if item.body.get("rollback"):
            word, roles = "roll back", rule.rollback
        elif item.body.get("override"):
            word, roles = "override", (rule.override.role,) if rule.override else ()
        problems = []
        if not policy.may(item.by, item.key, roles):
            problems.append(
                Problem("role", f"{item.by} may not {word} there: {policy.takes(item.by, roles)}")
            )
        if word != "release" and not item.why.strip():
            problems.append(Problem("why", f"to {word} takes a reason"))
        return problems

    def _number(self, item: Event) -> list[Problem]:
        """Return whether its number follows those that its author had seen, and remember it if so."""
        key = _key(item)
        counted = self._counted.setdefault(key, [])
        seen = [one for one in counted if self.log.before(one.id, item.id)]
        follows = 1 + max((int(one.body["seq"]) for one in seen), default=0)
        if item.body["seq"] != follows:
            return [Problem("seq", f"it is number {item.body['seq']}, but {follows} is next")]
        counted.append(item)
        for name in item.body["supersedes"]:
            other = self.log.events.get(name)
            if (
                other is None
                or other.type != "release"
                or _key(other) != key
                or not self.log.before(name, item.id)
            ):
                return [
                    Problem("supersedes", "it replaces something that is no release of this model and stage")
                ]
        return []

    def _request(
        self, item: Event, request: Event, policy: Policy, rule: Rule
    ) -> tuple[Verdict, list[Problem]]:
        """Judge the request with what the releaser had seen, and with all that is not later."""
        log, subject = self.log, item.subject
        assert subject is not None
        held = self.held(subject, item)
        before = self.before(item) if rule.metrics else None  # costs a look at all releases of the stage
        verdict = evaluate(
            log, request, policy, lambda one: log.before(one.id, item.id), item.at, held, own=item,
            holder=before,
        )  # fmt: skip
        wider = evaluate(
            log,
            request,
            policy,
            lambda one: one.id != item.id and not log.before(item.id, one.id),
            item.at,
            held,
            own=item,
            holder=before,
        )
        problems = list(verdict.problems)
        problems += [
            Problem(one.code, f"{one.text} (not seen by the releaser)")
            for one in wider.problems
            if one.code in DECISIONS and not verdict.has(one.code)
        ]
        if item.body.get("override") and rule.override:
            problems = [one for one in problems if one.code not in WAIVED]
            over = item.at + rule.override.hours * HOUR < log.now
            if over and not self._ratified(item, request, held):
                problems.append(
                    Problem("override", f"the override of {item.by} has ended and was not ratified")
                )
        return verdict, problems

    def _ratified(self, item: Event, request: Event, held: frozenset[str]) -> bool:
        """Whether others have approved an override since, under its policy or a later one."""
        start = self.log.policies.index(self.log.policy_of(item))
        return any(
            evaluate(
                self.log, request, policy, lambda one: True, self.log.now, held,
                barred=frozenset({item.by}), for_ever=True, holder=self.before(item),
            ).ok
            for policy in self.log.policies[start:]
        )  # fmt: skip

    def _once(self, item: Event, request: Event) -> list[Problem]:
        """Refuse a second release of one request: to bring it back is a rollback, with its reason."""
        earlier = self.good_of(request.id)
        if any(self.log.before(one.event.id, item.id) for one in earlier):
            return [Problem("again", "this request was released before; a rollback brings it back")]
        return []

    def _again(self, item: Event, request: Event) -> list[Problem]:
        """Refuse to bring back what was never released, or what somebody has recalled."""
        earlier = [one for one in self.good_of(request.id) if self.log.before(one.event.id, item.id)]
        if not earlier:
            return [Problem("rollback", "it brings back what was never released")]
        recalls = [self.recalled[one.event.id] for one in earlier if one.event.id in self.recalled]
        if any(not self.log.before(item.id, recall.id) for recall in recalls):
            return [Problem("recalled", "it brings back what was recalled")]
        return []

    def _recall(self, item: Event) -> None:
        """Remember a recall by somebody who may."""
        target = self.log.events.get(str(item.body["target"]))
        if (
            target is None
            or target.type != "release"
            or target.subject != item.subject
            or not item.why.strip()
        ):
            return
        path, model, stage = _key(target)
        policy = self.log.policy_of(item)
        rule = policy.rule(path, model, stage)
        if rule and policy.may(item.by, item.key, rule.recall):
            self.recalled.setdefault(target.id, item)


def _key(item: Event) -> Key:
    assert item.subject is not None and item.stage is not None  # `event.parse` asks for both
    return item.subject.path, item.subject.model, item.stage
