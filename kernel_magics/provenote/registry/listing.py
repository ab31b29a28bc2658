"""What the registry shows: which versions hold which stages, and what waits for whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from provenote.errors import ProvenoteError, Refused
from provenote.registry import event, model_bytes
from provenote.registry.against import Against, against
from provenote.registry.plan import Me
from provenote.registry.reading import Registry
from provenote.registry.releases import Release
from provenote.registry.state import NotReleased, Promotion
from provenote.registry.subject import Subject

COMPARED = 5
"""Requests of which it is shown how they differ from the holder; those of this person's turn come first."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A version in a stage.

    Parameters
    ----------
    path, model, stage, version : str
    commit, run : str
        The run's commit and name.
    since : str
        When it was released, as the event says.
    by : str
        Who released it.
    verified : bool or None
        Whether ledger, record and bytes agree; None when the bytes are not in this clone's cache.
    problem : str
        Why it may not be used.
    """

    path: str
    model: str
    stage: str
    version: str
    commit: str
    run: str
    since: str
    by: str
    verified: bool | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that waits for somebody.

    Parameters
    ----------
    promotion : Promotion
    mine : {'vote', 'release', 'withdraw', ''}
        What the person at this machine can do next.
    lacking : tuple of str
        What stands in the way of the release.
    holder : Subject or None
        What holds the stage now.
    metrics : tuple of (name, before, after)
        Metrics of the holder's run and of the asked one; None where a run has none.
    comments : tuple of (who, text)
    ends : int or None
        Until when an override counts that others must ratify; seconds since 1970.
    against : Against or None
        How it differs from the holder; None where there is none, or very many wait.
    """

    promotion: Promotion
    mine: Literal["vote", "release", "withdraw", ""]
    lacking: tuple[str, ...]
    holder: Subject | None
    metrics: tuple[tuple[str, Any, Any], ...]
    comments: tuple[tuple[str, str], ...] = ()
    ends: int | None = None
    against: Against | None = None


def models(registry: Registry) -> list[Holding]:
    """Return what holds each stage; contested and refused ones with their problem."""
    names = _run_names(registry)
    found = []
    releases = registry.state.releases
    for key in sorted({one.key for one in releases.all.values()}):
        candidates = releases.holders(key) or [one for one in releases.all.values() if one.key == key][-1:]
        problem = ""
        try:
            registry.state.current(key)
        except NotReleased as error:
            problem = error.what
        found += [_holding(registry, one, problem, names) for one in candidates]
    return found


def inbox(registry: Registry, me: Me | None) -> list[Waiting]:
    """Return the requests that wait for somebody, oldest first."""
    found = [_waiting(registry, one, me) for one in open_ones(registry)]
    first = sorted(found, key=lambda one: one.mine not in ("vote", "release"))[:COMPARED]
    return [
        replace(one, against=against(registry, one.promotion.subject, one.holder))
        if one.holder and any(one is other for other in first)
        else one
        for one in found
    ]


def open_ones(registry: Registry) -> list[Promotion]:
    """Return the promotions that wait for somebody, an override that must be ratified among them."""
    return [one for one in registry.state.promotions if one.waiting or _ends(registry, one) is not None]


def _ends(registry: Registry, one: Promotion) -> int | None:
    return registry.state.releases.ends(one.release) if one.release and one.status == "released" else None


def turn(
    registry: Registry, promotion: Promotion, me: Me | None
) -> Literal["vote", "release", "withdraw", ""]:
    """Return what a person can do next about a promotion that waits."""
    policy, subject, ends = registry.log.policy, promotion.subject, _ends(registry, promotion)
    rule = policy.rule(subject.path, subject.model, promotion.stage)
    if me is None or rule is None:
        return ""
    could = {name for need in promotion.verdict.needs if len(need.got) < need.min for name in need.could}
    if promotion.status == "approved" and policy.may(me.name, me.signer.public, rule.release):
        return "release"
    if me.name in could and not (ends and promotion.release and me.name == promotion.release.event.by):
        return "vote"
    return "withdraw" if me.name == promotion.request.by and not ends else ""


def _holding(registry: Registry, release: Release, problem: str, names: Mapping[str, str]) -> Holding:
    subject = release.subject
    verified: bool | None = False
    if not problem:
        verified, problem = _checked(registry, subject)
    return Holding(
        path=subject.path,
        model=subject.model,
        stage=release.stage,
        version=subject.version,
        commit=subject.commit,
        run=names.get(subject.commit, subject.commit[:12]),
        since=event.timestamp(release.event.at),
        by=release.event.by,
        verified=verified,
        problem=problem,
    )


def _checked(registry: Registry, subject: Subject) -> tuple[bool | None, str]:
    from provenote.stores import cache

    try:
        artifact = model_bytes.approved(registry.workspace, subject)
        if cache.missing(registry.workspace.cache_dir, artifact.md5):
            return None, ""
        model_bytes.check(registry.workspace, artifact)
    except Refused as error:
        return False, error.what
    except ProvenoteError:
        return None, ""
    return True, ""


def _waiting(registry: Registry, promotion: Promotion, me: Me | None) -> Waiting:
    subject, releases = promotion.subject, registry.state.releases
    mine, ends = turn(registry, promotion, me), _ends(registry, promotion)
    holder = releases.holder((*subject.key, promotion.stage))
    if holder and holder == promotion.release:  # an override holds it: what it replaced is of interest
        replaced = [releases.all[name] for name in holder.event.body["supersedes"] if name in releases.all]
        holder = next((one for one in replaced if not one.problems), None)
    before = _metrics(registry, holder.subject) if holder else {}
    after = _metrics(registry, subject)
    names = [name for name in after if _plain(after[name]) and (name not in before or _plain(before[name]))]
    metrics = tuple((name, before.get(name), after[name]) for name in names)
    lacking = tuple(problem.text for problem in promotion.verdict.problems)
    about = registry.log.about(promotion.request.id)
    comments = tuple((item.by, item.text("text")) for item in about if item.type == "comment")
    return Waiting(promotion, mine, lacking, holder.subject if holder else None, metrics, comments, ends)


def _plain(value: Any) -> bool:
    return isinstance(value, (int, float, str)) and not isinstance(value, bool)


def _metrics(registry: Registry, subject: Subject) -> dict[str, Any]:
    try:
        found = model_bytes.document(registry.workspace, subject.commit, subject.path).get("metrics")
    except ProvenoteError:
        return {}
    return found if isinstance(found, dict) else {}


def _run_names(registry: Registry) -> dict[str, str]:
    """Return the names of the runs by commit, as their refs have them now."""
    from provenote.git import command
    from provenote.stores import runs

    out = command.git(registry.workspace.top, "for-each-ref", "--format=%(objectname) %(refname)", runs.REFS)
    pairs = (line.split(" ", 1) for line in out.decode(errors="replace").splitlines())
    return {commit: ref.rpartition("/")[2] for commit, ref in pairs}
