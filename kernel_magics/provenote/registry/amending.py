"""The next version of the policy: what an owner changes of the present one, as text or in its document.

Only owners sign policies, and how many must is the present policy's word: `provenote.registry.proposing`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from provenote.errors import UsageError
from provenote.registry import reading, team_policy
from provenote.registry.names import visible
from provenote.registry.proposing import Amended, owner, propose
from provenote.registry.reading import Registry
from provenote.registry.signing import Confirm
from provenote.stores import strict_yaml
from provenote.stores.keys import Signer
from provenote.workspace import Workspace

_TYPE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\.([A-Za-z_]\w*|\*)", re.ASCII)

Change = Callable[[dict[str, Any]], None]
"""Changes the document of a policy in place; raises when that cannot be."""


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
        If nobody here may sign the policy.
    """
    if not _TYPE.fullmatch(type_name):
        raise UsageError(
            f"{visible(type_name)!r} is no full name of a type", "Write it as `package.module.Class`"
        )

    def change(document: dict[str, Any]) -> None:
        found = False
        for rule in document["rules"]:
            listed = rule["formats"].get("skops")
            if listed is not None and type_name not in listed:
                rule["formats"]["skops"] = [*listed, type_name]
                found = True
        if not found:
            raise UsageError(
                f"{type_name} is allowed already, or no rule takes skops models",
                "See: `provenote policy show`",
            )

    return change_policy(workspace, change, confirm=confirm, signers=signers)


def change_policy(
    workspace: Workspace,
    change: Change,
    *,
    confirm: Confirm | None,
    signers: Iterable[Signer] | None = None,
) -> Amended:
    """Propose the next policy: the present one with a change.

    Parameters
    ----------
    workspace : Workspace
    change : Change
    confirm : Confirm or None
        How to ask the owner.
    signers : iterable of Signer, optional
        Keys to try.
    """
    registry = reading.read(workspace)
    last = registry.log.policy
    signer = owner(registry, signers)
    document = strict_yaml.read(_content(registry), numbers=True)
    change(document)
    document |= {"version": last.version + 1, "previous": last.id, "closes": registry.commit}
    return propose(registry, signer, team_policy.written(document), confirm)


def edit(
    workspace: Workspace,
    content: bytes,
    *,
    confirm: Confirm | None,
    signers: Iterable[Signer] | None = None,
) -> Amended:
    """Propose the next policy: a text that a person edited. Its comments stay.

    Parameters
    ----------
    workspace : Workspace
    content : bytes
        A whole policy; its version, what it follows and what it closes are written anew.
    confirm : Confirm or None
        How to ask the owner.
    signers : iterable of Signer, optional
        Keys to try.
    """
    registry = reading.read(workspace)
    last = registry.log.policy
    signer = owner(registry, signers)
    return propose(
        registry, signer, team_policy.edited(content, last.version + 1, last.id, registry.commit), confirm
    )


def _content(registry: Registry) -> bytes:
    policy = registry.log.policy
    return registry.files[f"policy/{policy.version}-{policy.id[:12]}.yaml"]
