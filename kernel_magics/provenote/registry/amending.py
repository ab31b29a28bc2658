"""The next version of the policy: what an owner changes, signed, closing the one before.

Only owners sign policies. What is changed here needs one owner; a policy that asks for more signatures is
left to them. Approvals that were given under the policy before must be given again, and the owner is told so
before signing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from provenote.errors import Refused, UsageError
from provenote.registry import chain, policy_file, reading, strict_yaml
from provenote.registry.names import visible
from provenote.registry.policy import Policy
from provenote.registry.reading import Registry
from provenote.registry.signing import Confirm, NoPerson
from provenote.stores.keys import Signer, candidates
from provenote.workspace import Workspace

WORD = "policy"
_TYPE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\.([A-Za-z_]\w*|\*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Amended:
    """A policy that was published.

    Parameters
    ----------
    policy : Policy
    text : str
        What it says.
    again : tuple of str
        Requests whose approvals must be given again.
    """

    policy: Policy
    text: str
    again: tuple[str, ...]


def text(registry: Registry) -> str:
    """Return the policy in force as it was signed."""
    return _content(registry).decode()


def allow(
    workspace: Workspace,
    type_name: str,
    *,
    confirm: Confirm | None,
    signers: Iterable[Signer] | None = None,
) -> Amended:
    """Let skops models of every stage trust one more type.

    Parameters
    ----------
    workspace : Workspace
    type_name : str
        Full name, as ``mypackage.models.Scaler``; ``mypackage.*`` for all of a package.
    confirm : Confirm or None
        How to ask the owner.
    signers : iterable of Signer, optional
        Keys to try.

    Raises
    ------
    UsageError
        If it is no such name, or allowed already.
    Refused
        If nobody here may sign the policy alone.
    """
    if not _TYPE.fullmatch(type_name):
        raise UsageError(
            f"{visible(type_name)!r} is no full name of a type", "Write it as `package.module.Class`"
        )
    registry = reading.read(workspace)
    document = strict_yaml.read(_content(registry))
    stages = []
    for rule in document["rules"]:
        listed = rule["formats"].get("skops")
        if listed is not None and type_name not in listed:
            rule["formats"]["skops"] = [*listed, type_name]
            stages.append(f"{rule['model']} in {rule['stage']}")
    if not stages:
        raise UsageError(
            f"{type_name} is allowed already, or no rule takes skops models", "See: `provenote policy show`"
        )
    told = f"models of format skops may trust {type_name} ({', '.join(stages)})"
    return _publish(registry, document, told, confirm, signers)


def _publish(
    registry: Registry,
    document: dict[str, Any],
    told: str,
    confirm: Confirm | None,
    signers: Iterable[Signer] | None,
) -> Amended:
    import yaml

    last = registry.log.policy
    signer = _owner(registry, signers)
    document |= {"version": last.version + 1, "previous": last.id, "closes": registry.commit}
    content = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000).encode()
    made = policy_file.parse(content)
    again = tuple(
        one.subject.reference for one in registry.state.promotions if one.verdict.approvers and one.waiting
    )
    lines = [
        "You sign exactly this:",
        f"  policy    {made.version} ({made.id}), after {last.version} ({last.id})",
        f"  changes   {told}",
        f"  again     approvals of {', '.join(again)} must be given again"
        if again
        else "  again     nothing",
        f"  key       {signer.label}",
    ]
    if confirm is None:
        raise NoPerson("a policy takes a signature, and nobody is here to be asked", "Do it in a terminal")
    if confirm("\n".join(lines), WORD).strip() != WORD:
        raise UsageError(f"that is not {WORD!r}, so nothing was signed")
    files = chain.signed(content, made.version, [signer])
    registry.ledger.append(files, f"policy {made.version}: {told}", onto=registry.commit)
    after = reading.read(registry.workspace, registry.root)
    return Amended(after.log.policy, content.decode(), again)


def _owner(registry: Registry, signers: Iterable[Signer] | None) -> Signer:
    policy = registry.log.policy
    if policy.threshold > 1:
        raise Refused(
            f"policy {policy.version} asks for {policy.threshold} owners' signatures, and this gives one"
        )
    place = registry.workspace
    for signer in candidates(place.top, place.home) if signers is None else signers:
        if signer.public in policy.owners:
            return signer
    owners = ", ".join(key.fingerprint for key in policy.owners)
    raise Refused(f"none of your keys owns policy {policy.version}; these do: {owners}")


def _content(registry: Registry) -> bytes:
    policy = registry.log.policy
    path = f"policy/{policy.version}-{policy.id[:12]}.yaml"
    return registry.ledger.read(registry.commit).files[path]
