"""What a plain ``dvc gc --workspace`` would delete, though something needs it.

DVC keeps what the files of the work tree name; branches, tags and experiments only where its flags say so,
and archived runs never. So this is the least careful command, and the measure of what is in danger.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provenote.keeping import pins, reachable
from provenote.stores import cache, held, index

if TYPE_CHECKING:
    from provenote.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Forecast:
    """What would be deleted from the cache.

    Parameters
    ----------
    objects, size : int
        Of runs: how many objects, and their bytes, that are not held.
    runs : int
        Runs that need them.
    held : int
        Further objects of pinned, archived and promoted runs, which come back.
    unheld : int
        Objects of such runs that are here and not held yet, or held and gone from the cache.
    versions, versions_size : int
        Objects of data that only branches or tags name.
    """

    objects: int = 0
    size: int = 0
    runs: int = 0
    held: int = 0
    unheld: int = 0
    versions: int = 0
    versions_size: int = 0


def forecast(workspace: Workspace) -> Forecast:
    """Compare what is in the cache with what the work tree names."""
    sizes = {md5: status.st_size for md5, status in held.objects(workspace.cache_dir / "files" / "md5")}
    kept = _whole(workspace, reachable.on_disk([workspace.dvc_root]))
    there = held.listing(held.place(workspace.cache_dir, workspace.common_dir))
    must = pins.wanted(workspace)
    own = index.of(workspace)
    alive = {row.commit for row in own.finished(own.refresh())}
    users: dict[str, set[str]] = {}
    for each in own.stored():
        if each.commit in alive:
            for md5 in (each.md5, *pins.inside(workspace, {each.md5})):
                users.setdefault(md5, set()).add(each.commit)
    danger = (users.keys() & sizes.keys()) - kept
    lost = danger - there.keys()
    versions = _whole(workspace, reachable.in_history(workspace.top, ["--branches", "--tags"]))
    older = (versions & sizes.keys()) - kept - users.keys()
    return Forecast(
        objects=len(lost),
        size=sum(sizes[md5] for md5 in lost),
        runs=len(set().union(*(users[md5] for md5 in lost))),
        held=len(danger - lost),
        unheld=len((must & sizes.keys()) - there.keys()) + len((must & there.keys()) - sizes.keys()),
        versions=len(older),
        versions_size=sum(sizes[md5] for md5 in older),
    )


def _whole(workspace: Workspace, named: Iterable[str]) -> set[str]:
    """Return the names with the files of folders; a damaged list names nothing here."""
    found = set(named)
    here = {md5 for md5 in found if md5.endswith(".dir") and cache.locate(workspace.cache_dir, md5)}
    return found | pins.inside(workspace, here)
