"""Walk from a stage down to the bytes and name the first link that does not hold.

Links: policy, release (with its approvals), checks, the figures they were signed with, notebook reviews, tag,
run (its commit and record), data it read, bytes.
`verify` never raises for a broken link: it reports it, and leaves out what rests on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from provenote.errors import ProvenoteError, Refused
from provenote.events import Progress, Tell, silent
from provenote.registry import event, figures, model_bytes, names, reviewed, tags
from provenote.registry.policy import METRICS
from provenote.registry.reading import Registry
from provenote.registry.releases import Key, Release
from provenote.registry.state import NotReleased


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the chain.

    Parameters
    ----------
    name : str
        ``policy``, ``release``, ``checks``, ``figures``, ``reviews``, ``tag``, ``run``, ``data``,
        ``bytes``.
    state : {'ok', 'unknown', 'broken'}
        ``unknown``: what is needed to look is not here, as data that only the remote holds.
    text : str
        What was found.
    more : tuple of str
        Details of a broken link.
    """

    name: str
    state: Literal["ok", "unknown", "broken"]
    text: str
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What verifying one stage of one model found.

    Parameters
    ----------
    model, stage : str
    version : str or None
        The version that holds the stage, None if none rightly does.
    links : tuple of Link
    events : int
        How many events of the ledger count.
    """

    model: str
    stage: str
    version: str | None
    links: tuple[Link, ...]
    events: int

    @property
    def broken(self) -> Link | None:
        """The first broken link."""
        return next((link for link in self.links if link.state == "broken"), None)


def verify(registry: Registry, key: Key, tell: Tell = silent) -> Report:
    """Verify what holds a stage, down to its bytes.

    Parameters
    ----------
    registry : Registry
        Read under the pinned root: its policies and signatures hold.
    key : Key
        Path, model and stage.
    tell : Tell
        Where progress goes while bytes are fetched and hashed.
    """
    log, count = registry.log, len(registry.log.events)
    _, model, stage = key
    links = [_policy(registry)]
    try:
        release = registry.state.current(key)
    except NotReleased as error:
        return Report(model, stage, None, (*links, Link("release", "broken", error.what)), count)
    links.append(Link("release", "ok", _released(release)))
    policy = log.policy_of(release.event)
    rule = policy.rule(*key)
    if rule and rule.verdicts:
        links.append(Link("checks", "ok", f"{', '.join(rule.verdicts)}: passed"))
    if rule and METRICS in rule.verdicts:
        links.append(_held("figures", lambda: _figures(registry, release)))
    if rule and rule.reviews:
        links.append(_reviews(registry, release))
    links.append(_tag(registry, release))
    steps: list[tuple[str, Callable[[], Link]]] = [
        ("run", lambda: _run(registry, release)),
        ("data", lambda: _data(registry, release, tell)),
        ("bytes", lambda: _bytes(registry, release, tell)),
    ]
    links += [_held(name, step) for name, step in steps]
    return Report(model, stage, release.subject.version, tuple(links), count)


def _held(name: str, step: Callable[[], Link]) -> Link:
    """Return what a step found; what it raises breaks its link."""
    try:
        return step()
    except Refused as error:
        return Link(name, "broken", error.what)
    except ProvenoteError as error:
        return Link(name, "broken", error.line)


def keys(registry: Registry, model: str | None = None, stage: str | None = None) -> list[Key]:
    """Return the models and stages of this project to verify: all with a release, or those named."""
    found = [
        key
        for key in sorted({one.key for one in registry.state.releases.all.values()})
        if key[0] == registry.path and model in (None, key[1]) and stage in (None, key[2])
    ]
    if not found and model is not None:
        return [(registry.path, names.model(model), names.stage(stage or "production"))]
    return found


def check_tags(registry: Registry) -> dict[str, str]:
    """Return what is wrong with this project's tags: ``{name: why}``."""
    there = tags.below(registry.workspace.top, registry.path)
    return tags.check(registry.path, tags.wanted(registry.state), there)


def _policy(registry: Registry) -> Link:
    policy = registry.log.policy
    owners = f"{policy.threshold} of {len(policy.owners)} owner{'' if len(policy.owners) == 1 else 's'}"
    kind = "; DEMO: a throw-away key signed it" if policy.demo else "; solo mode" if policy.solo else ""
    return Link(
        "policy", "ok", f"{policy.version}, signed by {owners}; root sha256:{registry.root[:12]} pinned{kind}"
    )


def _released(release: Release) -> str:
    approvals = [f"{name} ({need.role})" for need in release.verdict.needs for name in need.got]
    word = "rolled back" if release.event.body.get("rollback") else "released"
    if release.event.body.get("override"):
        word = "released by override"
    told = f"{len(approvals)} approval{'' if len(approvals) == 1 else 's'}"
    told += f": {', '.join(approvals)}" if approvals else ""
    at = event.timestamp(release.event.at)
    return f"{word} by {release.event.by}, {at}, event {release.event.id[:12]}; {told}"


def _figures(registry: Registry, release: Release) -> Link:
    found = figures.compared(registry.workspace, registry.log, release)
    if found is None:
        return Link("figures", "ok", "not looked at: no check of metrics was signed for it")
    if found.wrong:
        return Link("figures", "broken", found.wrong[0], found.wrong[1:])
    same = ", ".join(map(names.visible, found.same))
    told = f"{same}: as the run logged" if same else "none was signed"
    if found.absent:
        runs = ", ".join(commit[:12] for commit in found.absent)
        text = f"cannot be compared with runs that are not here: {runs}"
        return Link("figures", "unknown", f"{text}; {told}" if same else text)
    return Link("figures", "ok", told)


def _reviews(registry: Registry, release: Release) -> Link:
    opinion = release.verdict.reviews
    waived = release.event.body.get("rollback") or release.event.body.get("override")
    if opinion is None or (waived and not opinion.approved):
        return Link("reviews", "ok", "not looked at: it was rolled back or released by override")
    try:
        reviewed.check_notebook(registry.workspace.top, release.subject, opinion)
    except Refused as error:
        return Link("reviews", "broken", error.what)
    who = ", ".join(name for name, _ in opinion.approved) or "nobody"
    return Link("reviews", "ok", f"{reviewed.notebook_path(release.subject)} approved by {who}, as it is")


def _tag(registry: Registry, release: Release) -> Link:
    name = tags.stage_name(release.key, release.seq)
    wrong = check_tags(registry)
    version = tags.version_name(*release.subject.key, release.subject.version)
    for tag in (name, version):
        if wrong.get(tag) == "missing":
            return Link("tag", "unknown", f"{tag} is not in this clone; loading does not need it")
        if tag in wrong:
            return Link("tag", "broken", f"{tag} was {wrong[tag]}")
    return Link("tag", "ok", f"{name} → {release.subject.commit[:12]}")


def _run(registry: Registry, release: Release) -> Link:
    subject = release.subject
    document = model_bytes.document(registry.workspace, subject.commit, subject.path)
    model_bytes.approved(registry.workspace, subject)
    label, id = str(document.get("label", "?")), str(document.get("id", "?"))
    return Link(
        "run", "ok", f"{label} ({id[:12]}), {document.get('linearity', 'unknown')}: names these bytes"
    )


def _data(registry: Registry, release: Release, tell: Tell) -> Link:
    document = model_bytes.document(registry.workspace, release.subject.commit, release.subject.path)
    reads = [entry for entry in document.get("reads") or () if isinstance(entry, Mapping)]
    if not reads:
        return Link("data", "ok", "the run recorded no data that it read")
    good, absent = [], []
    for entry in reads:
        path = str(entry.get("path", "?"))
        tell(Progress(f"hash {path}", unit="files"))
        found = _hashed(registry, str(entry.get("md5", "")))
        tell(Progress(f"hash {path}", done=1, total=1, unit="files", state="done"))
        if found is None:
            absent.append(path)
        elif found:
            good.append(path)
        else:
            return Link(
                "data", "broken", f"{path} in the cache is not what the run read (MD5 {entry.get('md5')})"
            )
    if absent:
        told = f"; as recorded: {', '.join(good)}" if good else ""
        return Link("data", "unknown", f"not in the cache here: {', '.join(absent)}{told}")
    return Link("data", "ok", f"{', '.join(good)}: hash as recorded")


def _hashed(registry: Registry, md5: str) -> bool | None:
    """Whether the cache holds exactly these bytes; None if it does not hold them at all."""
    from provenote.stores import cache

    place, cache_dir = md5.removesuffix(".dir"), registry.workspace.cache_dir
    if len(place) != 32 or not place.isalnum() or cache.locate(cache_dir, md5) is None:
        return None
    if md5.endswith(".dir"):
        if cache.missing(cache_dir, md5):
            return None
        if not all(_hashed(registry, entry.md5) for entry in cache.entries(cache_dir, md5)):
            return False
    found = cache.locate(cache_dir, md5)
    if found is None:
        return None
    with open(found, "rb") as stream:
        return hashlib.file_digest(stream, _md5).hexdigest() == place


def _md5() -> Any:
    return hashlib.md5(usedforsecurity=False)


def _bytes(registry: Registry, release: Release, tell: Tell) -> Link:
    artifact = model_bytes.approved(registry.workspace, release.subject)
    try:
        model_bytes.check(registry.workspace, artifact, tell)
    except model_bytes.BadBytes as error:
        who = ", ".join(release.verdict.approvers) or release.event.by
        return Link("bytes", "broken", f"{artifact.file} differs from what {who} approved", (error.what,))
    size = f"{artifact.size / 1e6:.1f} MB" if artifact.size >= 100_000 else f"{artifact.size:,} bytes"
    return Link("bytes", "ok", f"{artifact.file}, {size}: SHA-256 as approved")
