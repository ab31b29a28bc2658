"""Read a policy from strict YAML. One that we don't fully understand is refused.

Every key is known and of its type: a rule that an older reader would overlook must stop it instead.
The format with an example is on the page ``docs/reference/formats-ledger.md``.
"""

from __future__ import annotations

import re
from typing import Literal

from provenote.errors import UsageError
from provenote.registry import names
from provenote.registry.policy import (
    METRICS,
    Approval,
    BadPolicy,
    Distrust,
    Override,
    Person,
    Policy,
    Reviews,
    Rule,
    Threshold,
)
from provenote.stores import strict_yaml
from provenote.stores.digest import sha256_bytes
from provenote.stores.signatures import PublicKey
from provenote.stores.strict_yaml import Table

_OID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_HEX = re.compile(r"[0-9a-f]{64}")
_BETTER = re.compile(r"lower|higher|")
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")


def parse(content: bytes) -> Policy:
    """Read a policy. Its signature must have been checked before: what is unsigned is never parsed.

    Raises
    ------
    BadPolicy
        If it is not strict YAML, or has a key or a value that we don't know.
    """
    try:
        return _policy(Table(strict_yaml.read(content, numbers=True), "the policy"), sha256_bytes(content))
    except strict_yaml.NotStrict as error:
        raise BadPolicy(f"the policy cannot be enforced: {error.what}", error.mend) from error


def _policy(table: Table, id: str) -> Policy:
    version: int = table.whole("version", 1)
    people = {name: _person(name, inner) for name, inner in table.tables("people").items()}
    owners = table.table("owners")
    made = Policy(
        id=id,
        version=version,
        project=table.text("project", re.compile(r"[0-9a-f]{32}")),
        owners=tuple(_key(line) for line in owners.texts("keys")),
        threshold=owners.whole("threshold", 1),
        people=people,
        roles={role: members for role, members in table.lists("roles").items()},
        rules=tuple(_rule(inner) for inner in table.rows("rules")),
        previous=table.text("previous", _HEX) if version > 1 else None,
        closes=table.text("closes", _OID) if version > 1 else None,
        distrust=tuple(
            row.done(Distrust(row.text("key", _FINGERPRINT), row.text("log", _OID)))
            for row in table.rows("distrust", ())
        ),
        touched_roles=table.texts("touched_roles", ()),
        consumers=table.free("consumers"),
        solo=table.flag("solo", False),
        demo=table.flag("demo", False),
    )
    owners.done(None)
    return _checked(table.done(made))


def _checked(policy: Policy) -> Policy:
    keys = [key for person in policy.people.values() for key in person.keys]
    if len(set(keys)) < len(keys):
        raise BadPolicy("the policy gives one key to two people")
    if len(set(policy.owners)) < len(policy.owners):
        raise BadPolicy("the policy names one owner's key twice")
    if policy.owner_count(policy.owners) < policy.threshold:
        raise BadPolicy(
            f"the policy asks for {policy.threshold} owners and names {policy.owner_count(policy.owners)}"
        )
    for role, members in policy.roles.items():
        unknown = [name for name in members if name not in policy.people]
        if unknown:
            raise BadPolicy(f"the role {role!r} names {unknown[0]!r}, who is not among the people")
    named = {role for rule in policy.rules for role in _roles_of(rule)} | set(policy.touched_roles)
    if unknown := sorted(named - set(policy.roles)):
        raise BadPolicy(f"a rule of the policy asks for the role {unknown[0]!r}, which nobody has")
    return policy


def _roles_of(rule: Rule) -> list[str]:
    found = [
        *rule.request,
        *rule.release,
        *rule.rollback,
        *rule.recall,
        *(need.role for need in rule.approvals),
    ]
    found += [rule.override.role] if rule.override else []
    return found + ([rule.reviews.role] if rule.reviews else [])


def _person(name: str, table: Table) -> Person:
    if not names.PERSON.fullmatch(name):
        raise BadPolicy(
            f"{names.visible(name)!r} is no person's name", "Use lower-case letters, digits, '.', '-' and '_'"
        )
    keys = tuple(row.done(_key(row.text("key"))) for row in table.rows("keys"))
    return table.done(Person(name, keys, table.text("name", default=""), table.text("email", default="")))


def _rule(table: Table) -> Rule:
    reviews, override = table.maybe("reviews"), table.maybe("override")
    made = Rule(
        model=table.text("model"),
        path=table.text("path", default="*"),
        stage=table.text("stage", names.STAGE),
        request=table.texts("request"),
        approvals=tuple(
            row.done(Approval(row.text("role"), row.whole("min", 1))) for row in table.rows("approvals")
        ),
        release=table.texts("release"),
        rollback=table.texts("rollback", ()),
        recall=table.texts("recall", ()),
        four_eyes=table.flag("four_eyes", True),
        checks=table.texts("checks", ()),
        promotes_from=table.texts("promotes_from", ()),
        formats=table.lists("formats"),
        approval_days=table.whole("approval_days", 1, default=30),
        request_days=table.whole("request_days", 1, default=None),
        freshness_hours=table.whole("freshness_hours", 1, default=None),
        reviews=_reviews(reviews) if reviews else None,
        override=_override(override) if override else None,
        metrics=tuple(_threshold(name, inner) for name, inner in table.tables("metrics").items())
        if table.has("metrics")
        else (),
    )
    if METRICS in made.checks and not made.metrics:
        raise BadPolicy(
            "a rule asks for the check 'metrics' and has no thresholds", "Add `metrics: {...}` to it"
        )
    return table.done(made)


def _threshold(metric: str, table: Table) -> Threshold:
    """Read what a rule asks of a metric; which way is better follows from a single bound."""
    shown = names.visible(metric)
    most, least = _number(table, "max"), _number(table, "min")
    share = _number(table, "not_worse_than_holder")
    better = table.text("better", _BETTER, default="")
    if not metric.strip() or len(metric) > names.LONGEST or shown != metric:
        raise BadPolicy(f"{shown[: names.LONGEST]!r} can be no metric of a rule")
    if most is None and least is None and share is None:
        raise BadPolicy(f"the rule asks nothing of {metric}", "Give max, min or not_worse_than_holder")
    if most is not None and least is not None and least > most:
        raise BadPolicy(f"no {metric} is at least {least:g} and at most {most:g}")
    if share is not None and share < 0:
        raise BadPolicy(f"not_worse_than_holder of {metric} is a share of the holder's value, so not below 0")
    if not better and share is not None and (most is None) == (least is None):
        raise BadPolicy(
            f"the rule does not say which {metric} is better", "Add `better: lower` or `better: higher`"
        )
    way: Literal["lower", "higher"] = (
        "higher" if better == "higher" or (not better and most is None) else "lower"
    )
    return table.done(Threshold(metric, way, most, least, share))


def _number(table: Table, name: str) -> float | None:
    value = table.any(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadPolicy(f"{name} of a metric must be a number, and is {ascii(value)[:60]}")
    return float(value)


def _reviews(table: Table) -> Reviews:
    threads = table.flag("no_open_threads", True)
    return table.done(Reviews(table.whole("notebooks", 1), table.text("role"), threads))


def _override(table: Table) -> Override:
    return table.done(Override(table.text("role"), table.whole("hours", 1)))


def _key(line: str) -> PublicKey:
    try:
        return PublicKey.parse(line)
    except UsageError as error:
        raise BadPolicy(f"the policy holds a key that does not count: {error.what}") from error
