"""The first policy of a team: roles and rules from a small commented file, and its first owner. Pure."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from provenote.errors import UsageError
from provenote.registry import names, policy_file
from provenote.registry.policy import BadPolicy
from provenote.stores import strict_yaml
from provenote.stores.signatures import PublicKey

ME = "me"
HEAD = "# Who may bring which model where. Changed only by a next version, signed by the owners.\n"
_OURS = ("version", "project", "previous", "closes", "owners", "people", "solo", "demo", "distrust")
_CHAIN = re.compile(r"^(version|previous|closes)[ \t]*:[^\n]*\n?", re.M)


def example(stages: Sequence[str]) -> str:
    """Return the commented file that a team starts from, with a rule for each stage, the last one first.

    Parameters
    ----------
    stages : sequence of str
        In the order in which a version goes through them.
    """
    for stage in stages:
        names.stage(stage)
    if len(set(stages)) < len(stages) or not stages:
        raise UsageError("name each stage once, in the order in which a version goes through them")
    rules = [_rule(stage, stages[at - 1] if at else None) for at, stage in enumerate(stages)]
    return _ROLES + "".join(reversed(rules))


def first(
    text: bytes, person: str, shown: str, email: str, key: PublicKey, formats: Mapping[str, Any]
) -> bytes:
    """Return policy 1: what a start file says, with this person as first owner and in the roles of ``me``.

    Parameters
    ----------
    text : bytes
        The start file.
    person, shown, email : str
        Name in the policy, name in full, mail address.
    key : PublicKey
        The person's.
    formats : mapping
        Model formats of a rule that names none.

    Raises
    ------
    BadPolicy
        If it is not strict YAML, says what a start file may not say, or could not be enforced.
    """
    try:
        said = strict_yaml.read(text, numbers=True)
    except strict_yaml.NotStrict as error:
        raise BadPolicy(f"the start file cannot be used: {error.what}", error.mend) from error
    if ours := sorted(set(said) & set(_OURS)):
        raise BadPolicy(f"the start file holds {ours[0]!r}, which is written for you", "Leave it out")
    roles, rules = said.get("roles"), said.get("rules")
    if not isinstance(roles, dict) or not isinstance(rules, list):
        raise BadPolicy(
            "the start file lacks its roles or its rules", "See one: `provenote policy start --write FILE`"
        )
    for role, members in roles.items():
        if not isinstance(members, list) or set(map(str, members)) - {ME, person}:
            raise BadPolicy(
                f"the role {names.visible(role)!r} names others than {ME!r}: they come by `provenote admit`"
            )
        roles[role] = [person] if members else []
    for rule in rules:
        if isinstance(rule, dict):
            rule.setdefault("formats", {name: list(trusted) for name, trusted in formats.items()})
    who = {"name": shown, "email": email}
    document = {
        "version": 1,
        "project": secrets.token_hex(16),
        "owners": {"threshold": 1, "keys": [key.line]},
        "people": {person: {**{n: v for n, v in who.items() if v}, "keys": [{"key": key.line}]}},
        **said,
    }
    content = HEAD.encode() + written(document)
    policy_file.parse(content)  # what we write, we can read
    return content


def written(document: Mapping[str, Any]) -> bytes:
    """Return a policy as strict YAML."""
    import yaml

    text: str = yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=1000)
    return text.encode()


def edited(text: bytes, version: int, previous: str, closes: str) -> bytes:
    """Return a policy that a person edited, as the one after ``previous``; its comments stay.

    Raises
    ------
    UsageError
        If it is no UTF-8.
    """
    try:
        plain = text.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise UsageError("the edited policy is no UTF-8 text") from None
    comments = re.match(r"(?:#[^\n]*\n|[ \t]*\n)*", plain)
    at = comments.end() if comments else 0
    chain = f"version: {version}\nprevious: {previous}\ncloses: {closes}\n"
    return (plain[:at] + chain + _CHAIN.sub("", plain[at:])).encode()


_ROLES = """\
# Start of a policy: who may bring which model where. `provenote policy start --from FILE` makes it policy 1.
# `me` is whoever starts. Others ask by `provenote join`; an owner lets them in by `provenote admit`.
roles:
  scientist: [me]   # asks
  lead: [me]        # approves, or rejects
  releaser: [me]    # brings what was approved into its stage; rolls back
  ci: []            # the key of the continuous integration: its checks count
# The first rule that matches counts; where none matches the answer is no.
rules:
"""


def _rule(stage: str, before: str | None) -> str:
    lines = [
        '- model: "*"                                # * and ? as in a shell',
        f"  stage: {stage}",
        "  request: scientist",
        "  approvals: [{role: lead, min: 1}]         # several: [{role: lead, min: 2}, {role: risk, min: 1}]",
        "  four_eyes: true                           # who asks, and who made the run, cannot approve",
    ]
    if before:
        lines.append(f"  # promotes_from: [{before}]                # a version must have been there before")
    lines += [
        "  # checks: [model-tests]                   # verdicts signed by a key with the role ci",
        "  approval_days: 30",
        "  release: releaser",
        "  rollback: [releaser]",
        "  recall: [lead, releaser]",
        "  # override: {role: lead, hours: 24}       # an emergency; the approvals must follow",
    ]
    return "\n".join(lines) + "\n"
