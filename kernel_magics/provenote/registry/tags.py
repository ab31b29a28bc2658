"""Tags in GTO's format: how plain `gto show` and `dvc artifacts get --stage` see what the ledger decided.

The ledger is the truth, tags are its projection. A tag is made from its event alone (name, time, text,
commit), so every clone makes the same tag object, and no two clones disagree about one. `check` finds tags
that were moved, forged or lost; loading needs none of them.

- ``<path>=<model>@v1.2.3`` on the run's commit: a request gave this run that version;
- ``<path>=<model>#<stage>#<n>`` on it: release n brought it to the stage.

Format: https://github.com/iterative/gto (constants.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from provenote.git import command
from provenote.registry.releases import Key
from provenote.registry.state import State

_VERSION = re.compile(r"(?P<path>[^=#@]+)=(?P<model>[^=#@]+)@v\d+\.\d+\.\d+")
_STAGE = re.compile(r"(?P<path>[^=#@]+)=(?P<model>[^=#@]+)#(?P<stage>[^=#@]+)#\d+")
_TAGGER = "provenote <provenote@localhost>"


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag as the ledger wants it.

    Parameters
    ----------
    name : str
    commit : str
        The run's commit.
    at : int
        Time of the tag: GTO and DVC take the newest tag of a stage, so it grows with each release.
    text : str
        Its message.
    """

    name: str
    commit: str
    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """A tag as a repository has it.

    Parameters
    ----------
    commit : str
        What it points to.
    annotated : bool
        Whether it is an object of its own.
    text : str or None
        That object's content, None where nobody has read it.
    """

    commit: str
    annotated: bool
    text: str | None = None


def version_name(path: str, model: str, version: str) -> str:
    """Return the name of a version's tag."""
    return f"{path}={model}@{version}"


def stage_name(key: Key, seq: int) -> str:
    """Return the name of the tag of release number ``seq`` of a model in a stage."""
    path, model, stage = key
    return f"{path}={model}#{stage}#{seq}"


def wanted(state: State) -> dict[str, Tag]:
    """Return the tags that the ledger backs, by name. Pure.

    A version that two requests give to different runs, and releases that contest a stage, have no tag.
    """
    tags: dict[str, Tag] = {}
    dropped: set[str] = set()
    for promotion in state.promotions:
        if not state.rightly_asked(promotion):
            continue
        subject, request = promotion.subject, promotion.request
        name = version_name(subject.path, subject.model, subject.version)
        if name in tags and tags[name].commit != subject.commit:
            if not promotion.verdict.has("version"):  # both at once: neither is the first
                dropped.add(name)
            continue
        text = f"{subject.reference}, asked for by {request.by} in event {request.id[:12]}"
        tags.setdefault(name, Tag(name, subject.commit, request.at, text))
    for key in sorted({one.key for one in state.releases.good()}):
        contested = {one.event.id for one in state.releases.holders(key)}
        if len(contested) < 2:
            contested = set()
        at = 0
        for one in state.releases.good(key):
            version = tags.get(version_name(*one.subject.key, one.subject.version))
            at = max(at + 1, one.event.at, version.at + 1 if version else 0)
            name = stage_name(key, one.seq)
            if name in tags or one.event.id in contested:
                dropped.add(name)
                continue
            who = f"released by {one.event.by} in event {one.event.id[:12]}"
            text = f"{one.subject.reference} to {one.stage}, {who}"
            tags[name] = Tag(name, one.subject.commit, at, text)
    return {name: tag for name, tag in tags.items() if name not in dropped}


def existing(folder: Path) -> dict[str, Found]:
    """Return the repository's version and stage tags of our form, by name."""
    return {
        name: found
        for name, (found, _) in _listed(folder).items()
        if _VERSION.fullmatch(name) or _STAGE.fullmatch(name)
    }


def below(folder: Path, path: str) -> dict[str, Found]:
    """Return all tags below an overlay path, of whatever form, each with its content."""
    there = {name: pair for name, pair in _listed(folder).items() if name.startswith(f"{path}=")}
    annotated = [name for name, (found, _) in there.items() if found.annotated]
    contents = command.blobs(folder, [there[name][1] for name in annotated])
    texts = {
        name: (content or b"").decode("utf-8", "replace")
        for name, content in zip(annotated, contents, strict=True)
    }
    return {name: Found(found.commit, found.annotated, texts.get(name)) for name, (found, _) in there.items()}


def _listed(folder: Path) -> dict[str, tuple[Found, str]]:
    """Return every tag with its object's id, by name."""
    form = "%(refname:strip=2)%00%(objecttype)%00%(objectname)%00%(*objectname)"
    out = command.git(folder, "for-each-ref", f"--format={form}", "refs/tags").decode(errors="replace")
    rows = (line.split("\0") for line in out.splitlines())
    return {name: (Found(peeled or oid, kind == "tag"), oid) for name, kind, oid, peeled in rows}


def project(folder: Path, tags: Mapping[str, Tag]) -> list[str]:
    """Make the tags that are missing and return their names; tags that exist are never touched.

    A tag whose run's commit is not in this clone is left for later.
    """
    there = existing(folder)
    missing = [tag for name, tag in tags.items() if name not in there]
    commits = list(command.blobs(folder, [f"{tag.commit}^{{commit}}" for tag in missing]))
    made = []
    for tag, commit in zip(missing, commits, strict=True):
        if commit is not None:
            _make(folder, tag)
            made.append(tag.name)
    return made


def check(path: str, tags: Mapping[str, Tag], there: Mapping[str, Found]) -> dict[str, str]:
    """Return what is wrong with the tags below ``path``: ``{name: why}``. Pure.

    Parameters
    ----------
    path : str
        Overlay path; tags of other tools and projects are not our matter.
    tags : mapping of str to Tag
        What the ledger wants.
    there : mapping of str to Found
        What the repository has; below ``path`` every tag counts, as GTO reads more forms than we write.
    """
    wrong = {}
    for name, found in there.items():
        if not name.startswith(f"{path}="):
            continue
        if name not in tags:
            wrong[name] = "forged: nothing in the ledger backs it"
        elif found.commit != tags[name].commit:
            wrong[name] = f"moved: it points to {found.commit[:12]}, the ledger says {tags[name].commit[:12]}"
        elif not found.annotated:
            wrong[name] = "replaced: it is no annotated tag, so GTO and DVC overlook it"
        elif found.text is not None and (how := differs(found.text, tags[name])):
            wrong[name] = f"replaced: {how}"
    for name in tags:
        if name not in there and name.startswith(f"{path}="):
            wrong[name] = "missing"
    return wrong


def differs(content: str, tag: Tag) -> str | None:
    """Return how the text of a tag object differs from what the ledger wants, None if it does not. Pure.

    The commit and the name count, and of a stage's tag the time, since GTO and DVC take the newest one.
    """
    lines = content.partition("\n\n")[0].split("\n")
    names = ("object", "type", "tag", "tagger")  # in this order, as Git reads them
    if len(lines) < len(names) or any(not lines[at].startswith(f"{name} ") for at, name in enumerate(names)):
        return "it is no tag that Git would make"
    commit, kind, name, tagger = (line.partition(" ")[2] for line in lines[:4])
    if kind != "commit" or commit != tag.commit:
        return f"it points to {commit[:12]}, the ledger says {tag.commit[:12]}"
    if name != tag.name:
        return f"it calls itself {ascii(name)}"
    if _STAGE.fullmatch(tag.name) and tagger.split(" ")[-2:-1] != [str(tag.at)]:
        return "its time is not that of its release, so GTO and DVC could take it for a newer one"
    return None


def _make(folder: Path, tag: Tag) -> None:
    head = (
        f"object {tag.commit}\ntype commit\ntag {tag.name}\ntagger {_TAGGER} {tag.at} +0000\n\n{tag.text}\n"
    )
    oid = command.git(folder, "mktag", given=head.encode()).decode().strip()
    answer = command.run(folder, "update-ref", f"refs/tags/{tag.name}", oid, "0" * len(oid))
    if answer.returncode and tag.name not in existing(folder):
        raise command.failure(["update-ref"], answer.stderr)
