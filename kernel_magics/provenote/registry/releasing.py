"""Bring an approved version into its stage, an earlier one back, or take one out of use."""

from __future__ import annotations

from provenote.errors import Refused, UsageError
from provenote.registry.plan import Act, Me, Plan, about, facts, raise_if, reason_given, renewed, succession
from provenote.registry.reading import Registry
from provenote.registry.releases import Key
from provenote.registry.signing import trial
from provenote.registry.state import Promotion
from provenote.registry.subject import Subject


def release(promotion: Promotion, why: str, registry: Registry, me: Me, *, override: bool = False) -> Plan:
    """Plan the release of an approved request; with ``override`` of any, where the policy allows that.

    Raises
    ------
    Refused
        If the rules say no; the message lists what is lacking.
    """
    found = renewed(promotion, registry)
    subject, stage = found.subject, found.stage
    if found.status in ("released", "replaced", "recalled"):
        raise UsageError(
            f"{subject.reference} was released to {stage} already",
            f'To bring it back: `provenote rollback {subject.reference} --stage {stage} --why "..."`',
        )
    told = reason_given(why, "to override") if override else why.strip()
    body = {**about(found), **succession(registry, (*subject.key, stage)), "why": told or None}
    words = f"release {subject.reference} to {stage}"
    if override:
        body["override"], words = True, f"{words} WITHOUT the approvals that the policy asks for"
    return _try_release(registry, me, subject, stage, Act("release", words, body), told)


def rollback(key: Key, version: str, why: str, registry: Registry, me: Me) -> Plan:
    """Plan to bring an earlier release of a stage back.

    Raises
    ------
    UsageError
        If that version never held the stage, or holds it now.
    """
    _, model, stage = key
    earlier = [one for one in registry.state.releases.good(key) if one.subject.version == version]
    holder = registry.state.releases.holder(key)
    if not earlier:
        held = sorted({one.subject.version for one in registry.state.releases.good(key)})
        raise UsageError(f"{model} {version} never held {stage}", f"These did: {', '.join(held) or 'none'}")
    if holder and holder.subject.version == version:
        raise UsageError(f"{model} {version} holds {stage} now")
    found = registry.state.promotion(str(earlier[-1].event.promotion))
    assert found is not None
    told = reason_given(why, "to roll back")
    body = {**about(found), **succession(registry, key), "rollback": True, "why": told}
    act = Act("release", f"roll {stage} back to {found.subject.reference}", body)
    return _try_release(registry, me, found.subject, stage, act, told)


def recall(key: Key, why: str, registry: Registry, me: Me) -> Plan:
    """Plan to recall what holds a stage: nothing can load it from there any more."""
    _, model, stage = key
    holder = registry.state.releases.holder(key)
    if holder is None:
        raise UsageError(f"nothing holds {stage} of {model}", "See: `provenote models`")
    told = reason_given(why, "to recall")
    body = {"subject": holder.subject, "stage": stage, "target": holder.event.id, "why": told}
    acts = (Act("recall", f"recall {holder.subject.reference} from {stage}", body),)
    tried, made = trial(registry, me, acts)
    if tried.releases.recalled.get(holder.event.id) is not made[0]:
        rule = registry.log.policy.rule(*key)
        roles = rule.recall if rule else ()
        takes = registry.log.policy.takes(me.name, roles)
        raise Refused(f"you ({me.name}) may not recall {model} from {stage}: {takes}")
    return Plan(acts, facts(holder.subject, stage, holder, told), model)


def _try_release(registry: Registry, me: Me, subject: Subject, stage: str, act: Act, why: str) -> Plan:
    tried, made = trial(registry, me, [act])
    raise_if(tried.releases.all[made[0].id].problems, f"{subject.reference} cannot be released to {stage}")
    holder = registry.state.releases.holder((*subject.key, stage))
    return Plan((act,), facts(subject, stage, holder, why), subject.model)
