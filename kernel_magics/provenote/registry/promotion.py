"""Ask for a promotion, vote on it, comment, take it back: what exactly is signed, or why it cannot be.

Each function decides by looking at the registry what is to be signed (a `Plan`), or raises with the reason
and who could. The rules live in `provenote.registry.rules` and `releases` alone: a plan is tried out on the
log first, and what the rules say about the outcome is what the person reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from provenote.errors import Refused, UsageError
from provenote.model import REASONS
from provenote.registry import tags
from provenote.registry.candidate import Candidate
from provenote.registry.names import Version, visible
from provenote.registry.plan import (
    Act,
    Me,
    Plan,
    about,
    facts,
    raise_if,
    reason_given,
    refusal,
    renewed,
    succession,
)
from provenote.registry.policy import CI
from provenote.registry.reading import Registry
from provenote.registry.rules import format_problems, no_rule
from provenote.registry.signing import trial
from provenote.registry.state import Promotion
from provenote.registry.subject import Subject


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks for.

    Parameters
    ----------
    candidate : Candidate
    stage : str
    why : str
    reason : str or None
        One of the seven reasons of change.
    bump : str or None
        ``major``, ``minor`` or ``patch``; None means minor, and the same version if the run has one.
    release : bool
        Whether to approve and release in the same breath, as far as the policy lets this person.
    versions : mapping
        Versions that Git's tags give to commits: ``{version: commit}``.
    """

    candidate: Candidate
    stage: str
    why: str
    reason: str | None = None
    bump: str | None = None
    release: bool = False
    versions: tuple[tuple[str, str], ...] = ()


def ask(asked: Asked, registry: Registry, me: Me) -> Plan:
    """Plan a request, and with ``asked.release`` the approval and the release too.

    Raises
    ------
    UsageError
        If the same is asked for or there already, or a reason or version does not fit.
    Refused
        If the policy says no.
    """
    candidate, stage, state = asked.candidate, asked.stage, registry.state
    why = reason_given(asked.why, "to ask for a promotion")
    if asked.reason is not None and asked.reason not in REASONS:
        raise UsageError(
            f"{visible(asked.reason)!r} is none of the seven reasons", f"Choose one: {', '.join(REASONS)}"
        )
    version, new = _version(asked, registry)
    subject = candidate.subject(version)
    rule = registry.log.policy.rule(subject.path, subject.model, stage)
    if rule is None:
        raise refusal("", [no_rule(registry.log.policy, subject, stage)], "")
    beyond = rule.untrusted(subject.format, subject.trusted)
    mend = (
        f"An owner can allow it: `provenote policy allow {beyond[0]}`"
        if beyond
        else "See: `provenote policy show`"
    )
    raise_if(format_problems(rule, subject), f"{subject.reference} cannot go to {stage}", mend)
    _not_yet(registry, subject, stage)
    authors = sorted(
        {me.name, *(p.name for p in registry.log.policy.people.values() if p.email == candidate.author)}
    )
    holder = state.releases.holder((*subject.key, stage))
    body = {"subject": subject, "stage": stage, "why": why, "reason": asked.reason, "authors": authors}
    body["replaces"] = holder.event.id if holder else None
    acts = [Act("request", f"ask for {subject.reference} in {stage}", body)]
    tried, made = trial(registry, me, acts)
    promotion = tried.promotion(made[0].id)
    assert promotion is not None
    raise_if(
        [p for p in promotion.verdict.problems if p.code in ("request", "version", "promotes_from")],
        f"{subject.reference} cannot be asked for in {stage}",
    )
    if asked.release:
        acts += _at_once(registry, subject, stage, why, bool(rule.approvals))
        tried, made = trial(registry, me, acts)
        raise_if(
            tried.releases.all[made[-1].id].problems,
            f"you cannot release {subject.reference} at once",
            f'Ask only: `provenote promote {subject.model} --to {stage} --why "..."`',
        )
    return Plan(tuple(acts), facts(subject, stage, holder, why, new, candidate, asked.reason), subject.model)


def vote(promotion: Promotion, decision: str, why: str, registry: Registry, me: Me) -> Plan:
    """Plan an approval or a rejection.

    Raises
    ------
    Refused
        If the vote would not count: the message says who can.
    """
    found = renewed(promotion, registry)
    subject, stage = found.subject, found.stage
    ratifies = _ratifies(found, registry, me)
    if found.status in ("released", "replaced", "recalled") and not ratifies:
        raise UsageError(
            f"{subject.reference} was released to {stage} already",
            f"See it: `provenote verify {subject.model}`",
        )
    if found.status in ("withdrawn", "void", "expired"):
        raise UsageError(
            f"the request for {subject.reference} in {stage} is {found.status}", "See: `provenote inbox`"
        )
    word = "approve" if decision == "approve" else "reject"
    told = reason_given(why, "to reject") if decision == "reject" else why.strip()
    body = about(found, decision=decision, why=told or None)
    words = f"{word} {subject.reference} for {stage}"
    if ratifies:
        words += ", which was released without the approvals"
    acts = (Act("vote", words, body),)
    if me.name in found.verdict.approvers and decision == "approve":
        raise UsageError(f"you ({me.name}) have approved {subject.reference} already", _next(found))
    tried, made = trial(registry, me, acts)
    after = tried.promotion(found.request.id)
    assert after is not None
    counted = me.name in (after.verdict.approvers if decision == "approve" else after.verdict.rejected_by)
    if not counted:
        raise Refused(_no_vote(found, registry, me, word), "See: `provenote inbox`")
    holder = registry.state.releases.holder((*subject.key, stage))
    return Plan(acts, facts(subject, stage, holder, told), subject.model)


def _ratifies(found: Promotion, registry: Registry, me: Me) -> bool:
    """Whether a vote is about an override that others must ratify; refuse the one who overrode."""
    if found.release is None or registry.state.releases.ends(found.release) is None:
        return False
    if me.name == found.release.event.by:
        raise Refused(
            f"you ({me.name}) released {found.subject.reference} without approvals, so others must ratify it",
            "See who: `provenote inbox`",
        )
    return True


def withdraw(promotion: Promotion, why: str, registry: Registry, me: Me) -> Plan:
    """Plan to take a request back: only who asked may."""
    found = renewed(promotion, registry)
    if me.name != found.request.by:
        raise Refused(
            f"{found.request.by} asked for {found.subject.reference}, and only they can withdraw it",
            f'You can reject it: `provenote reject {found.subject.reference} --why "..."`',
        )
    if not found.waiting:
        raise UsageError(
            f"the request for {found.subject.reference} in {found.stage} is {found.status} already"
        )
    body = about(found, why=why.strip() or None)
    acts = (Act("withdraw", f"withdraw the request for {found.subject.reference} in {found.stage}", body),)
    return Plan(acts, facts(found.subject, found.stage, None, why), found.subject.model)


def check(
    promotion: Promotion, name: str, status: str, evidence: Mapping[str, Any], registry: Registry, me: Me
) -> Plan:
    """Plan the verdict of a check; only a key with the role ``ci`` makes it count.

    Parameters
    ----------
    promotion : Promotion
    name : str
        Name of the check, as the rule asks for it.
    status : {'pass', 'fail'}
    evidence : mapping
        What the verdict rests on: a run's commit, the SHA-256 of a report.
    registry : Registry
    me : Me
    """
    found = renewed(promotion, registry)
    subject, stage, policy = found.subject, found.stage, registry.log.policy
    rule = policy.rule(subject.path, subject.model, stage)
    asked = rule.verdicts if rule else ()
    if name not in asked:
        raise UsageError(
            f"no check {visible(name)!r} is asked of {subject.reference} in {stage}",
            f"Asked are: {', '.join(asked) or 'none'}",
        )
    if not policy.may(me.name, me.signer.public, [CI]):
        raise Refused(f"{me.name} signs no checks: {policy.takes(me.name, [CI])}")
    if found.status in ("withdrawn", "void", "expired"):
        raise UsageError(f"the request for {subject.reference} in {stage} is {found.status}")
    body = about(found, name=name, status=status, evidence=dict(evidence) or None)
    acts = (Act("check", f"check {name} of {subject.reference} for {stage}: {status}", body),)
    return Plan(acts, facts(subject, stage, None, ""), subject.model)


def comment(promotion: Promotion, text: str, registry: Registry, me: Me) -> Plan:
    """Plan a comment on a request, for those who decide."""
    found = renewed(promotion, registry)
    said = reason_given(text, "to comment")
    body = {"promotion": found.request.id, "text": said}
    acts = (Act("comment", f"comment on {found.subject.reference} for {found.stage}", body),)
    return Plan(acts, facts(found.subject, found.stage, None, said), found.subject.model)


def _at_once(registry: Registry, subject: Subject, stage: str, why: str, votes: bool) -> list[Act]:
    same = {"promotion": None, "subject": subject, "stage": stage}
    acts = []
    if votes:
        words = f"approve {subject.reference} for {stage}"
        acts.append(Act("vote", words, {**same, "decision": "approve", "why": why}))
    follows = succession(registry, (*subject.key, stage))
    return [
        *acts,
        Act("release", f"release {subject.reference} to {stage}", {**same, **follows, "why": why}),
    ]


def _version(asked: Asked, registry: Registry) -> tuple[str, bool]:
    """Return the version of the asked run, and whether it is a new one: one run commit has one version."""
    candidate = asked.candidate
    known: dict[str, str] = dict(asked.versions)
    for one in registry.state.promotions:
        if one.subject.key == (candidate.path, candidate.model) and registry.state.rightly_asked(one):
            known.setdefault(one.subject.version, one.subject.commit)
    mine = sorted(Version.parse(version) for version, commit in known.items() if commit == candidate.commit)
    if mine:
        if asked.bump:
            raise UsageError(
                f"run {candidate.row.name} is {candidate.model} {mine[-1]} already, and keeps that version",
                "Leave --bump out",
            )
        return str(mine[-1]), False
    latest = max((Version.parse(version) for version in known), default=None)
    if latest is None:
        return Version.FIRST, True
    return str(latest.bump(asked.bump or "minor")), True


def versions(folder_tags: dict[str, tags.Found], path: str, model: str) -> tuple[tuple[str, str], ...]:
    """Return the versions that Git's tags give to commits."""
    start = tags.version_name(path, model, "")
    return tuple(
        (name[len(start) :], found.commit)
        for name, found in sorted(folder_tags.items())
        if name.startswith(start)
    )


def _not_yet(registry: Registry, subject: Subject, stage: str) -> None:
    """Refuse to ask for what is asked for or there already."""
    for one in registry.state.promotions:
        if one.subject != subject or one.stage != stage:
            continue
        if one.status == "released":
            raise UsageError(
                f"{subject.reference} holds {stage} already", f"Check it: `provenote verify {subject.model}`"
            )
        if one.status == "replaced":
            raise UsageError(
                f"{subject.reference} held {stage} before",
                f'Bring it back: `provenote rollback {subject.reference} --stage {stage} --why "..."`',
            )
        if one.waiting:
            raise UsageError(
                f"{subject.reference} is asked for in {stage} already, by {one.request.by}", _next(one)
            )


def _next(promotion: Promotion) -> str:
    reference = promotion.subject.reference
    if promotion.status == "approved":
        return f"Release it: `provenote release {reference}`"
    return f"It waits: `provenote inbox`, `provenote approve {reference}`"


def _no_vote(promotion: Promotion, registry: Registry, me: Me, word: str) -> str:
    """Say why a vote of this person would not count, and whose would."""
    subject = promotion.subject
    rule = registry.log.policy.rule(subject.path, subject.model, promotion.stage)
    needs = promotion.verdict.needs
    who = (
        "; ".join(f"{', '.join(need.could) or 'nobody'} ({need.role})" for need in needs)
        or "nobody: no approval is asked"
    )
    roles = [need.role for need in rule.approvals] if rule else []
    policy = registry.log.policy
    if me.name == promotion.request.by and rule and rule.four_eyes and me.name in policy.in_role(roles):
        return f"you ({me.name}) asked for {subject.version} and cannot {word} it. Who can: {who}"
    if me.name in policy.in_role(roles) and not policy.may(me.name, me.signer.public, roles):
        return (
            f"the role {' or '.join(roles)} counts only with a security key (sk-ed25519), and yours is none"
        )
    if me.name in policy.in_role(roles) and rule and rule.four_eyes:
        return f"you ({me.name}) are an author of {subject.version} and cannot {word} it. Who can: {who}"
    return f"you ({me.name}) may read, not vote: {subject.reference} waits for {who}"
