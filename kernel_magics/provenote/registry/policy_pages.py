"""The policy as views: who is who and may what, what waits for owners, what a signature did."""

from __future__ import annotations

from typing import Any

from provenote.registry import joining, proposing
from provenote.registry.chain import Proposal
from provenote.registry.event import timestamp
from provenote.registry.joining import Join
from provenote.registry.names import visible
from provenote.registry.pages import kind
from provenote.registry.policy import Policy, Rule, Threshold
from provenote.registry.policy_changes import changes, unfilled
from provenote.registry.proposing import Amended
from provenote.registry.reading import Registry
from provenote.view import Cell, Column, Facts, Line, Part, Table, Text, View

NEXT = "Share it: `provenote sync`"


def shown(registry: Registry, text: str, whole: bool) -> View:
    """Show the policy in force: people, owners, rules; with ``whole`` also its text as it was signed."""
    found = registry.log.policy
    owners = {proposing.who(found, key) for key in found.owners}
    many = f"{found.threshold} of {len(owners)} owner{'' if len(owners) == 1 else 's'}"
    parts: list[Part] = [
        Line(f"policy {found.version}, sha256:{found.id}, signed by {many}", "ok"),
        _people(found, owners),
        *(_rule(rule, found) for rule in found.rules),
        *(Line(line, "warn") for line in unfilled(found)),
        *(_waits(registry, one) for one in registry.proposals),
    ]
    if whole:
        parts.append(Text("\n".join(visible(line) for line in text.splitlines())))
    data = {
        "version": found.version,
        "id": found.id,
        "root": f"sha256:{registry.root}",
        "threshold": found.threshold,
        "owners": sorted(owners),
        "people": {
            name: {
                "name": person.shown,
                "email": person.email,
                "keys": [key.fingerprint for key in person.keys],
                "roles": [role for role, members in found.roles.items() if name in members],
            }
            for name, person in found.people.items()
        },
        "roles": {role: list(members) for role, members in found.roles.items()},
        "text": text,
    }
    return View([*parts, *kind(registry)], data)


def amended(done: Amended) -> View:
    """Show what an owner's signature did."""
    mark = "ok" if done.in_force else "queued"
    parts: list[Part] = [Line(visible(line), mark) for line in done.changes]  # type: ignore[arg-type]
    number, missing = done.policy.version, done.needed - len(done.signed_by)
    if done.in_force:
        parts.append(Line(f"policy {number} is in force, signed by {', '.join(done.signed_by)}. {NEXT}"))
        if done.again:
            parts.append(Line(f"To be approved again: {', '.join(done.again)}", "warn"))
    else:
        more = f"{missing} more owner{'' if missing == 1 else 's'}"
        parts.append(
            Line(
                f"policy {number} waits for {more}. {NEXT}; then they: "
                f"`provenote policy sign {done.policy.id[:12]}`"
            )
        )
    parts += [Line(line, "warn") for line in unfilled(done.policy)]
    data = {
        "version": number,
        "id": done.policy.id,
        "in_force": done.in_force,
        "changes": list(done.changes),
        "signed_by": list(done.signed_by),
        "needed": done.needed,
        "again": list(done.again),
    }
    return View(parts, data)


def pending(registry: Registry) -> View:
    """Show the policies that wait for owners, and the people who ask to be let in."""
    parts, data = waiting(registry)
    if not parts:
        parts = [Line("No policy waits for an owner, and nobody asks to be let in.")]
    return View([*parts, *kind(registry)], data)


def waiting(registry: Registry) -> tuple[list[Part], dict[str, Any]]:
    """Return the same as parts and data, to be shown with what else waits; nothing if nothing does."""
    last, mine = registry.log.policy, proposing.owner_key(registry)
    me = proposing.who(last, mine.public) if mine else None
    parts: list[Part] = []
    for one in registry.proposals:
        parts += [_waits(registry, one), Facts(_facts(registry, one))]
        if me and me not in proposing.signed_by(last, one):
            parts.append(Line(f"Your turn: `provenote policy sign {one.policy.id[:12]}`", role="run"))
    asking = joining.waiting(registry)
    parts += [part for one in asking for part in _asks(one, last, me is not None)]
    data = {
        "policies": [
            {
                "id": one.policy.id,
                "version": one.policy.version,
                "changes": changes(last, one.policy),
                "signed_by": list(proposing.signed_by(last, one)),
                "needed": last.threshold,
                "mine": me is not None and me not in proposing.signed_by(last, one),
            }
            for one in registry.proposals
        ],
        "joins": [
            {
                "id": one.id,
                "person": one.person,
                "name": one.name,
                "email": one.email,
                "key": one.key.fingerprint,
                "at": timestamp(one.at),
            }
            for one in asking
        ],
    }
    return parts, data


def _people(policy: Policy, owners: set[str]) -> Table:
    rows = [
        [
            Cell(name, "strong"),
            Cell(visible(person.shown) or "–"),
            Cell(visible(person.email) or "–"),
            Cell(", ".join(role for role, members in policy.roles.items() if name in members) or "–"),
            Cell("owner" if name in owners else "–"),
            Cell(", ".join(key.fingerprint for key in person.keys) or "–", "code"),
        ]
        for name, person in policy.people.items()
    ]
    rows += [
        [Cell("–"), Cell("–"), Cell("–"), Cell("–"), Cell("owner"), Cell(name, "code")]
        for name in sorted(owners - set(policy.people))
    ]
    headings = ("person", "name", "mail", "roles", "owner", "keys")
    return Table([Column(heading) for heading in headings], rows, empty="The policy knows nobody.")


def _rule(rule: Rule, policy: Policy) -> Facts:
    def who(*roles: str) -> str:
        return (
            "; ".join(f"{role} ({', '.join(policy.in_role([role])) or 'nobody'})" for role in roles)
            or "nobody"
        )

    eyes = ", not who asked or made the run" if rule.four_eyes else ""
    needs = "; ".join(f"{need.min} of {who(need.role)}" for need in rule.approvals)
    pairs = [
        ("asks", who(*rule.request)),
        ("approves", f"{needs}{eyes}" if needs else "nobody has to"),
        ("checks", ", ".join(rule.verdicts)),
        ("metrics", "; ".join(_threshold(one) for one in rule.metrics)),
        ("reviews", _reviews(rule, policy)),
        ("comes from", " or ".join(rule.promotes_from)),
        ("releases", who(*rule.release)),
        ("rolls back", who(*rule.rollback)),
        ("recalls", who(*rule.recall)),
        ("overrides", f"{who(rule.override.role)}, for {rule.override.hours} h" if rule.override else ""),
        ("formats", ", ".join(rule.formats) or "none"),
        ("lasts", f"an approval {rule.approval_days} days" if rule.approval_days else ""),
    ]
    about = f"{rule.model} in {rule.stage}" + (f" below {rule.path}" if rule.path != "*" else "")
    return Facts([(name, Cell(visible(value))) for name, value in pairs if value], caption=visible(about))


def _reviews(rule: Rule, policy: Policy) -> str:
    """Say how the run's notebook must have been reviewed."""
    asked = rule.reviews
    if asked is None:
        return ""
    who = ", ".join(policy.in_role([asked.role])) or "nobody"
    threads = ", no open thread" if asked.no_open_threads else ""
    return f"{asked.notebooks} of {asked.role} ({who}) approve the run's notebook{threads}"


def _threshold(one: Threshold) -> str:
    """Say what a rule asks of a metric."""
    asked = [f"at most {one.max:g}"] if one.max is not None else []
    asked += [f"at least {one.min:g}"] if one.min is not None else []
    if (share := one.not_worse_than_holder) is not None:
        room = f" by more than {share:.3g} of it" if share else ""
        asked.append(f"not worse than the holder's{room}, {one.better} is better")
    return f"{one.metric} {' and '.join(asked)}"


def _waits(registry: Registry, one: Proposal) -> Line:
    last = registry.log.policy
    names = proposing.signed_by(last, one)
    return Line(
        f"policy {one.policy.version} ({one.policy.id[:12]}) waits: signed by {', '.join(names)}, "
        f"{len(names)} of {last.threshold}",
        "queued",
    )


def _facts(registry: Registry, one: Proposal) -> list[tuple[str, Cell]]:
    told = [("changes", line) for line in changes(registry.log.policy, one.policy)]
    told += [("then", line) for line in unfilled(one.policy)]
    late = len(proposing.lost(registry, one.policy))
    if late:
        told.append(("falls", f"{late} event{'' if late == 1 else 's'} signed after it was proposed"))
    return [(name, Cell(visible(line))) for name, line in told]


def _asks(one: Join, policy: Policy, owner: bool) -> list[Part]:
    mail = f" <{visible(one.email)}>" if one.email else ""
    head = f"{one.person} asks to be let in"
    pairs = [
        ("says", Cell(f"{visible(one.name)}{mail}".strip() or "–")),
        ("key", Cell(f"{one.key.kind} {one.key.fingerprint}", "code")),
    ]
    if one.person in policy.people:
        pairs.append(("beware", Cell(f"{one.person} is in the policy with another key", "warn")))
    mend = f"`provenote admit {one.person} --key {one.key.fingerprint} --role ROLE`"
    turn = f"Compare the key with the person, then: {mend}" if owner else "It waits for an owner."
    return [
        Line(head, "queued", "strong", timestamp(one.at)),
        Facts(pairs),
        Line(turn, role="run" if owner else "muted"),
    ]
