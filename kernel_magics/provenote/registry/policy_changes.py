"""What one policy changes of another, in words for the owner who signs it. Pure.

Computed from the two policies alone, never from what a proposer says of them. Whatever differs is named: a
field that this page does not know would be a right that slips in unseen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from provenote.registry.policy import Policy, Rule
from provenote.stores.signatures import PublicKey

_SHOWN = frozenset({"owners", "threshold", "people", "roles", "rules", "distrust"})
_CHAIN = frozenset({"id", "version", "project", "previous", "closes"})
LARGEST = 400
"""Characters of one value that are shown."""


def changes(last: Policy, new: Policy) -> list[str]:
    """Return what ``new`` changes of ``last``, a line each; empty when it says the same."""
    lines = [*_people(last, new), *_roles(last, new), *_owners(last, new), *_rules(last, new)]
    for row in new.distrust:
        if row not in last.distrust:
            lines.append(f"no longer trusts the key {row.key} after ledger commit {row.log}")
    for field in fields(Policy):
        if field.name not in _SHOWN | _CHAIN:
            before, after = getattr(last, field.name), getattr(new, field.name)
            if before != after:
                lines.append(f"{field.name}: {_value(before)} becomes {_value(after)}")
    return lines


def unfilled(policy: Policy) -> list[str]:
    """Return the roles that a rule asks for and nobody has, with what cannot be done until somebody does."""
    asked: dict[str, list[str]] = {}
    for rule in policy.rules:
        for what, roles in (
            ("ask", rule.request),
            ("approve", tuple(need.role for need in rule.approvals)),
            ("release", rule.release),
        ):
            if roles and (what == "approve" or not policy.in_role(roles)):
                for role in roles:
                    if not policy.in_role([role]):
                        asked.setdefault(role, []).append(f"{what} {rule.model} in {rule.stage}")
    return [f"nobody has the role {role}: {', '.join(dict.fromkeys(what))}" for role, what in asked.items()]


def _people(last: Policy, new: Policy) -> list[str]:
    lines = []
    for name, person in new.people.items():
        before = last.people.get(name)
        if before is None:
            who = " ".join(
                part for part in (person.shown, f"<{person.email}>" if person.email else "") if part
            )
            lines.append(f"{name} is admitted{f' ({who})' if who else ''} with {_keys(person.keys)}")
            continue
        lines += [f"{name} gets the key {key.fingerprint}" for key in person.keys if key not in before.keys]
        lines += [f"{name} loses the key {key.fingerprint}" for key in before.keys if key not in person.keys]
        for what, old, now in (
            ("name", before.shown, person.shown),
            ("mail", before.email, person.email),
        ):
            if old != now:
                lines.append(f"{name}: {what} {_value(old)} becomes {_value(now)}")
    return lines + [f"{name} is removed" for name in last.people if name not in new.people]


def _keys(keys: Iterable[PublicKey]) -> str:
    return ", ".join(f"{key.kind} {key.fingerprint}" for key in keys) or "no key"


def _roles(last: Policy, new: Policy) -> list[str]:
    lines = []
    for role, members in new.roles.items():
        before = last.roles.get(role)
        if before is None:
            lines.append(f"new role {role}: {', '.join(members) or 'nobody'}")
            continue
        lines += [f"{name} gets the role {role}" for name in members if name not in before]
        lines += [f"{name} loses the role {role}" for name in before if name not in members]
    return lines + [f"the role {role} ends" for role in last.roles if role not in new.roles]


def _owners(last: Policy, new: Policy) -> list[str]:
    def named(policy: Policy, key: PublicKey) -> str:
        person = policy.person(key)
        return f"{person.name if person else 'nobody by name'} ({key.fingerprint})"

    lines = [f"{named(new, key)} becomes an owner" for key in new.owners if key not in last.owners]
    lines += [f"{named(last, key)} is an owner no more" for key in last.owners if key not in new.owners]
    if last.threshold != new.threshold:
        lines.append(f"owners who must sign a policy: {last.threshold} becomes {new.threshold}")
    return lines


def _rules(last: Policy, new: Policy) -> list[str]:
    """Tell rules apart by what they are about; of several about the same, by their place."""
    before, after = _named(last.rules), _named(new.rules)
    lines = [f"the rule about {name} ends" for name in before if name not in after]
    for name, rule in after.items():
        if name not in before:
            lines.append(f"new rule about {name}: {_whole(rule)}")
            continue
        for field in fields(Rule):
            old, now = getattr(before[name], field.name), getattr(rule, field.name)
            if old != now:
                lines.append(f"the rule about {name}: {field.name}: {_difference(old, now)}")
    kept = [name for name in before if name in after]
    if kept != [name for name in after if name in before]:
        lines.append(f"the rules are tried in another order: {', '.join(after)}")
    elif list(after)[: len(kept)] != kept and len(after) > len(kept):
        lines.append(f"the rules are tried in this order: {', '.join(after)}")
    return lines


def _named(rules: Iterable[Rule]) -> dict[str, Rule]:
    named: dict[str, Rule] = {}
    for rule in rules:
        about = f"{rule.model} in {rule.stage}" + (f" below {rule.path}" if rule.path != "*" else "")
        name, number = about, 2
        while name in named:
            name, number = f"{about} ({number})", number + 1
        named[name] = rule
    return named


def _whole(rule: Rule) -> str:
    about = ("model", "path", "stage")
    return "; ".join(
        f"{field.name} {_value(getattr(rule, field.name))}"
        for field in fields(Rule)
        if field.name not in about
    )


def _difference(old: Any, now: Any) -> str:
    """Say how one field differs; of long lists only what comes and goes."""
    if isinstance(old, dict) and isinstance(now, dict):
        told = []
        for name in dict.fromkeys((*old, *now)):
            if name not in now:
                told.append(f"without {name}")
            elif name not in old:
                told.append(f"also {name} with {_value(now[name])}")
            elif old[name] != now[name]:
                told.append(f"{name} {_difference(old[name], now[name])}")
        return "; ".join(told)
    if isinstance(old, tuple) and isinstance(now, tuple) and all(isinstance(one, str) for one in old + now):
        come = [f"+{name}" for name in now if name not in old]
        gone = [f"-{name}" for name in old if name not in now]
        if come or gone:
            return " ".join([*come, *gone])
    return f"{_value(old)} becomes {_value(now)}"


def _value(value: Any) -> str:
    if value is None or value == "" or value == ():
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(_value(one) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} ({_value(inner)})" for name, inner in value.items()) or "none"
    if hasattr(value, "__dataclass_fields__"):
        return " ".join(f"{field.name} {_value(getattr(value, field.name))}" for field in fields(value))
    text = str(value)
    return text if len(text) <= LARGEST else f"{text[:LARGEST]}... ({len(text)} characters)"
