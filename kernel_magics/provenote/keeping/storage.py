"""What takes the room: each byte under one kind and one owner, and which of them are on no remote.

An object that several things share counts once: as a model before an artifact, as an artifact before data,
and for whoever's run was the first to make it. The owner of data is who its pointer names (``meta: owner:``),
else who started the first run that read it.
"""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provenote.data import tracked
from provenote.errors import ProvenoteError
from provenote.git import command
from provenote.keeping import pins, reachable
from provenote.keeping.garbage import on_remotes, size_of
from provenote.model import SCHEMA
from provenote.stores import held, index
from provenote.travel import restored

if TYPE_CHECKING:
    from provenote.workspace import Workspace

Line = tuple[str, int, int, int]
"""A kind or an owner: how many, their bytes, and the bytes of those that are only here."""


@dataclass(frozen=True, slots=True)
class Storage:
    """What takes the room.

    Parameters
    ----------
    kinds, owners : tuple of Line
        The largest first.
    free : int
        Bytes that are free on the disk of the cache.
    unknown : str
        Why it could not be told what nothing needs; empty if it could.
    """

    kinds: tuple[Line, ...]
    owners: tuple[Line, ...]
    free: int
    unknown: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""

        def plain(lines: tuple[Line, ...]) -> list[dict[str, Any]]:
            return [
                {"name": name, "count": count, "bytes": size, "only_here": only_here}
                for name, count, size, only_here in lines
            ]

        return {
            "schema": SCHEMA,
            "kinds": plain(self.kinds),
            "owners": plain(self.owners),
            "free": self.free,
            "unknown": self.unknown or None,
        }


def measure(workspace: Workspace) -> Storage:
    """Measure the repository, its cache, and what stands beside them."""
    sizes = {md5: status.st_size for md5, status in held.objects(workspace.cache_dir / "files" / "md5")}
    found = _of_runs(workspace)
    unknown = ""
    try:
        named = reachable.needed(workspace)
    except ProvenoteError as error:
        named, unknown = set(sizes), error.what
    owners: dict[str, str] = {}
    kinds: dict[str, str] = {}
    for md5 in sizes:
        kinds[md5], owners[md5] = found.get(md5, ("data" if md5 in named else "named by nothing", ""))
    for md5, owner in _of_data(workspace).items():
        if kinds.get(md5) == "data":
            owners[md5] = owner
    elsewhere = on_remotes(workspace, sizes)
    lines = _lines(kinds, sizes, elsewhere) + _beside(workspace)
    by_owner = _lines({md5: owner or "nobody known" for md5, owner in owners.items()}, sizes, elsewhere)
    place = workspace.cache_dir if workspace.cache_dir.is_dir() else workspace.dvc_root
    order = sorted(lines, key=lambda line: -line[2])
    return Storage(tuple(order), tuple(by_owner), shutil.disk_usage(place).free, unknown)


def _of_runs(workspace: Workspace) -> dict[str, tuple[str, str]]:
    """Return kind and owner of the objects that runs made and read, with the files of folders."""
    own = index.of(workspace)
    started = {row.commit: row.started for row in own.finished(own.refresh())}
    first: dict[str, tuple[tuple[int, float], str, str]] = {}
    for each in own.stored():
        if each.commit not in started:
            continue
        rank = {"model": 0, "read": 2}.get(each.kind, 1)
        kind = ("models", "artifacts", "data")[rank]
        place = ((rank, started[each.commit]), kind, each.owner)
        for md5 in (each.md5, *pins.inside(workspace, {each.md5})):
            first[md5] = min(place, first.get(md5, place))
    return {md5: (kind, owner) for md5, (_, kind, owner) in first.items()}


def _of_data(workspace: Workspace) -> dict[str, str]:
    """Return the owners that the pointers in the work tree name, with the files of folders."""
    import yaml

    found: dict[str, str] = {}
    for one in tracked.everything(workspace):
        if one.stored is None:
            continue
        try:
            text = one.file.read_text(encoding="utf-8")
            meta = yaml.safe_load(text).get("meta") if "owner" in text else None
        except (OSError, ValueError, AttributeError, yaml.YAMLError):
            continue
        owner = meta.get("owner") if isinstance(meta, dict) else None
        if isinstance(owner, str):
            for md5 in (one.stored.md5, *pins.inside(workspace, {one.stored.md5})):
                found[md5] = owner
    return found


def _lines(groups: Mapping[str, str], sizes: Mapping[str, int], elsewhere: set[str]) -> list[Line]:
    members: dict[str, list[str]] = defaultdict(list)
    for md5, group in groups.items():
        members[group].append(md5)
    lines = [
        (
            group,
            len(md5s),
            sum(sizes[md5] for md5 in md5s),
            sum(sizes[md5] for md5 in md5s if md5 not in elsewhere),
        )
        for group, md5s in members.items()
    ]
    return sorted(lines, key=lambda line: -line[2])


def _beside(workspace: Workspace) -> list[Line]:
    """Return what lies outside the cache: Git's objects, and what is ours."""
    lines: list[Line] = []
    counted = dict(
        line.split(": ", 1)
        for line in command.git(workspace.top, "count-objects", "-v").decode().splitlines()
    )
    git = 1024 * (int(counted.get("size", 0)) + int(counted.get("size-pack", 0)))
    lines.append(("Git: code, runs, annotations", int(counted["count"]) + int(counted["in-pack"]), git, 0))
    folders = [one.folder for one in restored.listing(workspace) if one.folder.is_dir()]
    if folders:
        lines.append(("restored runs", len(folders), sum(map(size_of, folders)), 0))
    names = {"jobs": "jobs", "versions": "copies of data versions", "environments": "environments"}
    with suppress(OSError):
        for entry in os.scandir(workspace.home):
            if entry.name in names and entry.is_dir():
                count = len(os.listdir(entry.path))
                lines.append((names[entry.name], count, size_of(workspace.home / entry.name), 0))
    rest = (
        [path for path in workspace.home.iterdir() if path.name not in names]
        if workspace.home.is_dir()
        else []
    )
    if rest:
        lines.append(("index, hashes and other notes of this clone", len(rest), sum(map(size_of, rest)), 0))
    return lines
