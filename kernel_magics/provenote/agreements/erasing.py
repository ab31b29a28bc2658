"""Delete data whose agreement has ended, and certify what was deleted where and what others must delete.

The versions go from the cache, from what this repository holds against ``dvc gc``, from copies of past
versions, from the work tree where it still has them, and from the remotes that are named. Bytes that other
data need stay, and the certificate says so. A legal hold wins: nothing goes then.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.agreements.affected import Affected, affected
from provenote.data import tracked, travel
from provenote.errors import ProvenoteError, Refused, UsageError
from provenote.events import Tell, silent
from provenote.git.command import identity
from provenote.keeping import garbage, reachable
from provenote.stores import agreements, cache, dvc_config, held, remotes
from provenote.stores.agreements import Agreement
from provenote.stores.layout import object_path
from provenote.stores.live import HOST

if TYPE_CHECKING:
    from provenote.workspace import Workspace

CERTIFICATE = ".erased-{}.json"


@dataclass(slots=True)
class Erased:
    """What was done.

    Parameters
    ----------
    path : str
    gone : dict of str to list of str
        MD5 -> where it was deleted.
    kept : dict of str to str
        MD5 -> why it stays.
    elsewhere : dict of str to str
        Remotes that were not named -> what they may still have.
    sizes : dict of str to int
    certificate : Path or None
    """

    path: str
    gone: dict[str, list[str]] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    elsewhere: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    certificate: Path | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """Data whose agreement has ended.

    Parameters
    ----------
    path : str
    agreement : Agreement
    concerns : Affected
    objects : tuple of str
        MD5s that go, files of folders among them.
    shared : tuple of str
        MD5s that other data need.
    """

    path: str
    agreement: Agreement
    concerns: Affected
    objects: tuple[str, ...]
    shared: tuple[str, ...]


def plan(workspace: Workspace, path: str, today: datetime.date | None = None) -> Ending:
    """Find out what the end of an agreement deletes; nothing is changed.

    Parameters
    ----------
    workspace : Workspace
    path : str
        From the DVC root.
    today : datetime.date, optional

    Raises
    ------
    UsageError
        If there is no agreement, or it has not ended.
    Refused
        If a legal hold wins.
    """
    agreement = agreements.read(agreements.file_of(workspace.dvc_root / path))
    if agreement is None:
        raise UsageError(
            f"there is no agreement about {path}", f"Write one: `provenote data agreement {path}`"
        )
    if agreement.hold is not None:
        hold = agreement.hold
        raise Refused(
            f"{path} is under a legal hold since {hold.since}: {hold.why}",
            f"Nothing of it is deleted until it is lifted: `provenote data agreement {path} --lift`",
        )
    if not agreement.ended(today or datetime.date.today()):
        when = f"ends on {agreement.ends}" if agreement.ends else "does not end"
        raise UsageError(f"the agreement about {path} {when}: nothing is to be deleted")
    concerns = affected(workspace, path, agreement)
    wanted = _whole(workspace, concerns.versions)
    others = _others(workspace, path)
    shared = tuple(md5 for md5 in wanted if md5 in others)
    return Ending(path, agreement, concerns, tuple(md5 for md5 in wanted if md5 not in others), shared)


def _whole(workspace: Workspace, md5s: Sequence[str]) -> list[str]:
    """Return objects and, of folders, their files, as far as their lists are here."""
    found: dict[str, None] = {}
    for md5 in md5s:
        found[md5] = None
        if md5.endswith(".dir") and cache.locate(workspace.cache_dir, md5) is not None:
            found |= dict.fromkeys(entry.md5 for entry in cache.entries(workspace.cache_dir, md5))
    return list(found)


def _others(workspace: Workspace, path: str) -> set[str]:
    """Return the bytes that other data of the work tree need, and all that a legal hold keeps."""
    found: list[str] = []
    for one in tracked.everything(workspace):
        if one.path != path and one.stored is not None:
            found.append(one.stored.md5)
    return {*_whole(workspace, found), *held_by_law(workspace)}


def held_by_law(workspace: Workspace) -> set[str]:
    """Return the bytes that a legal hold keeps, whatever else asks for their end."""
    from provenote.agreements.affected import versions

    found: list[str] = []
    for path, file in agreements.listing(workspace):
        try:
            agreement = agreements.read(file)
        except agreements.BadAgreement:
            agreement = Agreement(hold=agreements.Hold("unreadable", "", datetime.date.min))
        if agreement is not None and agreement.hold is not None:
            found += agreement.versions or versions(workspace, path)
    return set(_whole(workspace, found))


def erase(
    workspace: Workspace, ending: Ending, why: str, named: Sequence[str] = (), *, tell: Tell = silent
) -> Erased:
    """Delete what `plan` found, and write the certificate.

    Parameters
    ----------
    workspace : Workspace
    ending : Ending
    why : str
    named : sequence of str
        DVC remotes that it is deleted from, too.
    tell : Tell
        Where progress goes.

    Raises
    ------
    UsageError
        If there is no such remote.
    WorldError
        If a remote or the disk fails; what went until then is in the certificate.
    """
    known = dvc_config.remotes(workspace)
    for name in named:
        if name not in known:
            raise UsageError(f"there is no DVC remote {name!r}", f"There are: {', '.join(known) or 'none'}")
    done = Erased(ending.path)
    done.kept = dict.fromkeys(ending.shared, "other data need these bytes, or a legal hold keeps them")
    try:
        for name in named:
            gone = remotes.erase(workspace, ending.objects, remote=name, tell=tell)
            for md5 in gone:
                done.gone.setdefault(md5, []).append(f"remote {name}")
        _here(workspace, ending, done)
    finally:
        for name in known:
            if name not in named:
                many = len(remotes.known_there(workspace, ending.objects, remote=name))
                said = f"{many} of {len(ending.objects)} were pushed there" if many else "not known from here"
                done.elsewhere[name] = said
        done.certificate = _certify(workspace, ending, done, why)
    return done


def _here(workspace: Workspace, ending: Ending, done: Erased) -> None:
    with garbage.alone(workspace):
        held.release(held.place(workspace.cache_dir, workspace.common_dir), ending.objects)
        for md5 in ending.objects:
            for target in (object_path(workspace.cache_dir, md5), workspace.cache_dir / md5[:2] / md5[2:]):
                if target.is_file():
                    done.sizes[md5] = target.stat().st_size
                    target.unlink()
                    done.gone.setdefault(md5, []).append(f"cache on {HOST}")
            copies = workspace.home / "versions" / md5
            if copies.exists():
                _remove(copies)
                done.gone.setdefault(md5, []).append(f"copies on {HOST}")
    for top in reachable.worktrees(workspace):
        own = top / workspace.prefix / ending.path
        if not os.path.lexists(own):
            continue
        same = own.is_symlink() or _measured(workspace, own) in ending.concerns.versions
        if same:
            _remove(own)
            done.gone.setdefault(ending.concerns.versions[0], []).append(f"{own} on {HOST}")


def _measured(workspace: Workspace, own: Path) -> str:
    try:
        return travel.measure(workspace, str(own.relative_to(workspace.dvc_root))).md5
    except (ProvenoteError, ValueError):
        return ""


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for folder, _, _ in os.walk(path):
            os.chmod(folder, 0o700)
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _certify(workspace: Workspace, ending: Ending, done: Erased, why: str) -> Path:
    """Write what was deleted where, and what others must delete, beside the pointer."""
    file = agreements.file_of(workspace.dvc_root / ending.path)
    name, mail = identity(workspace.common_dir)
    told: dict[str, Any] = {
        "schema": 1,
        "certificate": "deletion",
        "path": ending.path,
        "why": why,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "by": f"{name or ''} <{mail or ''}>",
        "host": HOST,
        "agreement": {
            "owner": ending.agreement.owner,
            "ended": str(ending.agreement.ends),
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        },
        "deleted": [
            {"md5": md5, "bytes": done.sizes.get(md5), "where": where}
            for md5, where in sorted(done.gone.items())
        ],
        "not_here": sorted(md5 for md5 in ending.objects if md5 not in done.gone),
        "kept": done.kept,
        "others_must_delete": {
            "remotes": done.elsewhere,
            "clones": "every clone that pulled the data: `provenote gc --ended` there",
            "models": [f"{model}@{version}" for model, version, _ in ending.concerns.models],
            "stages": [f"{model} {stage} {version}" for model, stage, version in ending.concerns.stages],
            "consumers": {name: list(models) for name, models in ending.concerns.consumers.items()},
        },
    }
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    target = workspace.dvc_root / f"{ending.path}{CERTIFICATE.format(stamp)}"
    target.write_text(json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    return target
