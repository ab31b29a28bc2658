"""The policy: who may do what to which model. Nouns and their questions, no input.

- Rules are tried in order, the first match counts, no match means no.
- A person is a name with keys; what counts is the person, so one person with two keys is one voice.

`provenote.registry.policy_file` reads a policy, `provenote.registry.chain` tells which ones are in force.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

from provenote.errors import Refused
from provenote.stores.signatures import PublicKey

DAY = 86_400
CI = "ci"
"""The role whose signature makes a check count."""
METRICS, REPRODUCED = "metrics", "reproduced"
"""Names of the checks that every reader holds to their evidence (`provenote.registry.evidence`)."""


class BadPolicy(Refused):
    """The policy is not one that we can enforce."""


@dataclass(frozen=True, slots=True)
class Approval:
    """How many people of a role must approve."""

    role: str
    min: int


@dataclass(frozen=True, slots=True)
class Override:
    """Who may release in an emergency without approvals, and for how many hours until they are there."""

    role: str
    hours: int


@dataclass(frozen=True, slots=True)
class Threshold:
    """What a rule asks of one metric.

    Parameters
    ----------
    metric : str
        As the run logged it.
    better : {'lower', 'higher'}
    max, min : float or None
        Bounds, in the metric's own unit; at a bound is good.
    not_worse_than_holder : float or None
        By which share of the holder's value it may be worse.
    """

    metric: str
    better: Literal["lower", "higher"]
    max: float | None = None
    min: float | None = None
    not_worse_than_holder: float | None = None


@dataclass(frozen=True, slots=True)
class Reviews:
    """How many people of a role must have approved the run's notebook, and whether threads may be open."""

    notebooks: int
    role: str
    no_open_threads: bool = True


@dataclass(frozen=True, slots=True)
class Rule:
    """What it takes to bring a model into a stage.

    Parameters
    ----------
    model, path, stage : str
        Patterns (``*``, ``?``) for the model's name and the path before it in tags; the stage.
    request, release, rollback, recall : tuple of str
        Roles that may.
    approvals : tuple of Approval
        All of them are needed.
    formats : mapping of str to tuple of str
        Allowed model formats, and for each the types that a reader may trust; a name may end in ``.*``.
    four_eyes : bool
        Whether the requester and the run's authors don't count as approvers.
    checks : tuple of str
        Names of checks that must have passed.
    promotes_from : tuple of str
        Stages that the version must have held, one of them, before.
    reviews : Reviews or None
    approval_days, request_days : int or None
        How long an approval, a request lasts; None means for ever.
    override : Override or None
    freshness_hours : int or None
        Oldest checkpoint with which `load` is content.
    metrics : tuple of Threshold
        What the check ``metrics`` must show; it is asked for when there are any.
    """

    model: str
    stage: str
    request: tuple[str, ...]
    approvals: tuple[Approval, ...]
    release: tuple[str, ...]
    formats: Mapping[str, tuple[str, ...]]
    path: str = "*"
    rollback: tuple[str, ...] = ()
    recall: tuple[str, ...] = ()
    four_eyes: bool = True
    checks: tuple[str, ...] = ()
    promotes_from: tuple[str, ...] = ()
    reviews: Reviews | None = None
    approval_days: int | None = 30
    request_days: int | None = None
    override: Override | None = None
    freshness_hours: int | None = None
    metrics: tuple[Threshold, ...] = ()

    @property
    def verdicts(self) -> tuple[str, ...]:
        """Names of all checks that must have passed, ``metrics`` among them where there are thresholds."""
        more = (METRICS,) if self.metrics and METRICS not in self.checks else ()
        return (*self.checks, *more)

    def matches(self, path: str, model: str, stage: str) -> bool:
        """Whether the rule is about this model and stage."""
        return self.stage == stage and fnmatchcase(model, self.model) and fnmatchcase(path, self.path)

    def untrusted(self, format: str, trusted: Iterable[str]) -> list[str] | None:
        """Return the types among ``trusted`` that the rule doesn't allow; None: the format is not allowed."""
        allowed = self.formats.get(format)
        if allowed is None:
            return None
        prefixes = tuple(name[:-1] for name in allowed if name.endswith(".*"))
        return sorted({name for name in trusted if name not in allowed and not name.startswith(prefixes)})


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who signs: a name, how to show and reach them, and their keys."""

    name: str
    keys: tuple[PublicKey, ...]
    shown: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Distrust:
    """A key whose signatures count only as far as the ledger held them at a commit."""

    key: str
    log: str


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of the policy.

    Parameters
    ----------
    id : str
        SHA-256 of its bytes.
    version : int
    project : str
        Random, made with the first policy and repeated in every event: no event fits another project.
    owners : tuple of PublicKey
        Keys that sign the next policy.
    threshold : int
        How many of their holders must.
    people : mapping of str to Person
    roles : mapping of str to tuple of str
    rules : tuple of Rule
    previous : str or None
        SHA-256 of the policy before; None for the first.
    closes : str or None
        Commit of the ledger that ends the time of the policy before: its events count only if they are there.
    distrust : tuple of Distrust
    touched_roles : tuple of str
        Roles that count only with a security key.
    consumers : mapping
        Who uses the models; not a matter of rights.
    solo, demo : bool
        One person with all roles; a demonstration with a throw-away key.
    """

    id: str
    version: int
    project: str
    owners: tuple[PublicKey, ...]
    threshold: int
    people: Mapping[str, Person]
    roles: Mapping[str, tuple[str, ...]]
    rules: tuple[Rule, ...]
    previous: str | None = None
    closes: str | None = None
    distrust: tuple[Distrust, ...] = ()
    touched_roles: tuple[str, ...] = ()
    consumers: Mapping[str, Any] = field(default_factory=dict)
    solo: bool = False
    demo: bool = False

    def rule(self, path: str, model: str, stage: str) -> Rule | None:
        """Return the first rule about this model and stage, or None: then nothing is allowed."""
        return next((rule for rule in self.rules if rule.matches(path, model, stage)), None)

    def stages(self, path: str, model: str) -> list[str]:
        """Return the stages that this model can be brought to."""
        stages = {rule.stage for rule in self.rules if rule.matches(path, model, rule.stage)}
        return sorted(stages)

    def person(self, key: PublicKey) -> Person | None:
        """Return whose key it is, or None."""
        return next((person for person in self.people.values() if key in person.keys), None)

    def in_role(self, roles: Iterable[str]) -> list[str]:
        """Return the names of the people who have one of these roles."""
        return sorted({name for role in roles for name in self.roles.get(role, ())})

    def may(self, name: str, key: PublicKey, roles: Iterable[str]) -> bool:
        """Whether this person has one of these roles, with the kind of key that the role asks for."""
        return any(
            name in self.roles.get(role, ()) and (key.hardware or role not in self.touched_roles)
            for role in roles
        )

    def takes(self, name: str, roles: Sequence[str]) -> str:
        """Say which role something takes and who has it, to somebody who may not do it."""
        if not roles:
            return "nobody may"
        who = ", ".join(self.in_role(roles)) or "nobody"
        touched = any(name in self.roles.get(role, ()) and role in self.touched_roles for role in roles)
        key = ", and a security key (sk-ssh-ed25519) for it" if touched else ""
        return f"it takes the role {' or '.join(roles)} ({who}){key}"

    def owner_count(self, keys: Iterable[PublicKey]) -> int:
        """Count the owners behind these keys: two keys of one person are one."""
        owning = [key for key in keys if key in self.owners]
        return len({person.name if (person := self.person(key)) else key.fingerprint for key in owning})
