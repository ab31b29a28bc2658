"""What a person does, from start to end: read the registry, know the person, plan, ask, sign, append, tag.

Every function takes ``confirm``, which asks the person, and ``signers``, the keys to try instead of those on
this machine: a demonstration passes its own throw-away key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from provenote.errors import UsageError
from provenote.events import Tell, silent
from provenote.registry import candidate, names, promotion, reading, releasing, tags
from provenote.registry.promotion import Asked
from provenote.registry.reading import Registry
from provenote.registry.releases import Key
from provenote.registry.signing import Confirm, Planner, Signed, carry_out, find_me
from provenote.registry.state import Promotion
from provenote.stores.keys import Signer
from provenote.workspace import Workspace

_ID = re.compile(r"[0-9a-f]{8,64}")


def promote(
    workspace: Workspace,
    model: str,
    *,
    to: str,
    why: str,
    confirm: Confirm | None,
    run: str | None = None,
    bump: str | None = None,
    reason: str | None = None,
    release: bool = False,
    signers: Iterable[Signer] | None = None,
    tell: Tell = silent,
) -> Signed:
    """Ask for a run's model in a stage; with ``release`` also approve and release it, where one person may.

    Parameters
    ----------
    workspace : Workspace
    model : str
        Name of the model and of the run's artifact.
    to : str
        The stage.
    why : str
        The reason, kept with the request.
    confirm : Confirm or None
        How to ask the person.
    run : str, optional
        The run; by default the newest finished one with such an artifact.
    bump : {'major', 'minor', 'patch'}, optional
        Which part of the version grows; minor by default.
    reason : str, optional
        One of the seven reasons of change; by default the run's own.
    release : bool
        Approve and release in the same confirmation.
    signers : iterable of Signer, optional
        Keys to try.
    tell : Tell
        Where progress goes.
    """
    registry = reading.read(workspace)
    found = candidate.find(workspace, names.model(model), run, tell)
    recorded = found.document.get("why")
    asked = Asked(
        candidate=found,
        stage=names.stage(to),
        why=why,
        reason=reason or (recorded if isinstance(recorded, str) else None),
        bump=bump,
        release=release,
        versions=promotion.versions(tags.existing(workspace.top), found.path, model),
    )
    return _act(registry, lambda now, me: promotion.ask(asked, now, me), confirm, signers)


def vote(
    workspace: Workspace,
    reference: str,
    decision: str,
    why: str,
    *,
    confirm: Confirm | None,
    stage: str | None = None,
    signers: Iterable[Signer] | None = None,
) -> Signed:
    """Approve or reject a request, named by ``NAME@v1.2.3``, ``NAME`` or the start of its event's id."""
    registry = reading.read(workspace)
    found = request(registry, reference, stage)
    return _act(registry, lambda now, me: promotion.vote(found, decision, why, now, me), confirm, signers)


def withdraw(
    workspace: Workspace,
    reference: str,
    why: str,
    *,
    confirm: Confirm | None,
    stage: str | None = None,
    signers: Iterable[Signer] | None = None,
) -> Signed:
    """Take one's own request back."""
    registry = reading.read(workspace)
    found = request(registry, reference, stage)
    return _act(registry, lambda now, me: promotion.withdraw(found, why, now, me), confirm, signers)


def comment(
    workspace: Workspace,
    reference: str,
    text: str,
    *,
    confirm: Confirm | None,
    stage: str | None = None,
    signers: Iterable[Signer] | None = None,
) -> Signed:
    """Say something about a request."""
    registry = reading.read(workspace)
    found = request(registry, reference, stage)
    return _act(registry, lambda now, me: promotion.comment(found, text, now, me), confirm, signers)


def release(
    workspace: Workspace,
    reference: str,
    why: str,
    *,
    confirm: Confirm | None,
    stage: str | None = None,
    override: bool = False,
    signers: Iterable[Signer] | None = None,
) -> Signed:
    """Bring an approved request into its stage; with ``override`` one that is not, in an emergency."""
    registry = reading.read(workspace)
    found = request(registry, reference, stage)
    return _act(
        registry, lambda now, me: releasing.release(found, why, now, me, override=override), confirm, signers
    )


def rollback(
    workspace: Workspace,
    reference: str,
    why: str,
    *,
    stage: str,
    confirm: Confirm | None,
    signers: Iterable[Signer] | None = None,
) -> Signed:
    """Bring the version ``NAME@v1.2.3`` back into a stage that it held before."""
    model, version = names.split(reference)
    if version is None:
        raise UsageError(
            "which version shall come back?", f"Name it: `provenote rollback {model}@v1.0.0 ...`"
        )
    registry = reading.read(workspace)
    key: Key = (registry.path, model, names.stage(stage))
    return _act(
        registry, lambda now, me: releasing.rollback(key, str(version), why, now, me), confirm, signers
    )


def recall(
    workspace: Workspace,
    model: str,
    why: str,
    *,
    stage: str,
    confirm: Confirm | None,
    signers: Iterable[Signer] | None = None,
) -> Signed:
    """Take what holds a stage out of use."""
    registry = reading.read(workspace)
    key: Key = (registry.path, names.model(model), names.stage(stage))
    return _act(registry, lambda now, me: releasing.recall(key, why, now, me), confirm, signers)


def request(registry: Registry, reference: str, stage: str | None = None) -> Promotion:
    """Return the request that a person means.

    Parameters
    ----------
    registry : Registry
    reference : str
        ``NAME@v1.2.3``, ``NAME`` (when only one of its requests waits), or 8 or more digits of its id.
    stage : str, optional
        The stage, when one version is asked for in several.

    Raises
    ------
    UsageError
        If there is none, or more than one; the message lists them.
    """
    everything = registry.state.promotions
    if _ID.fullmatch(reference):
        found = [one for one in everything if one.request.id.startswith(reference)]
    else:
        model, version = names.split(reference)
        found = [one for one in everything if one.subject.key == (registry.path, model)]
        found = [one for one in found if version is None or one.subject.version == str(version)]
    found = [one for one in found if stage in (None, one.stage)]
    waiting = [one for one in found if one.waiting]
    if len(waiting) == 1:
        return waiting[0]
    shown = names.visible(reference) + (f" in {stage}" if stage else "")
    if waiting:
        listed = ", ".join(
            f"{one.subject.reference} in {one.stage} ({one.request.id[:8]})" for one in waiting
        )
        raise UsageError(
            f"{shown} is asked for {len(waiting)} times: {listed}", "Name the version, or add --stage"
        )
    if found:
        return found[-1]
    raise UsageError(f"nobody has asked for {shown}", "See what is asked for: `provenote inbox`")


def _act(
    registry: Registry, planner: Planner, confirm: Confirm | None, signers: Iterable[Signer] | None
) -> Signed:
    return carry_out(registry, find_me(registry, signers), planner, confirm)
