"""What must survive a plain ``dvc gc``: the bytes of pinned runs, of model versions, and of archived runs.

DVC keeps what the work tree, branches or tags name, as its flags say, and knows neither pins nor archives.
The bytes get a second name in the cache (`provenote.stores.held`); whoever needs them finds them there.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provenote.errors import WorldError
from provenote.keeping.archive import named
from provenote.stores import cache, held, index
from provenote.stores.layout import is_md5

if TYPE_CHECKING:
    from provenote.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Held:
    """What is held.

    Parameters
    ----------
    objects : frozenset of str
        MD5s that must stay, with the files of folders.
    new, left : int
        How many were not held before, and how many are held no more.
    lacking : tuple of str
        Those whose bytes are not here.
    """

    objects: frozenset[str]
    new: int = 0
    left: int = 0
    lacking: tuple[str, ...] = ()


def wanted(workspace: Workspace) -> frozenset[str]:
    """Return the MD5s of what pinned, named and archived runs made and read, with the files of folders."""
    own = index.of(workspace)
    refs = own.refresh()
    rows = own.finished(refs)
    marks = own.annotations().runs
    commits = {row.commit for row in rows if row.id in marks and marks[row.id].pinned}
    commits |= named(workspace) | own.archived().keys()
    found = {each.md5 for each in own.stored() if each.commit in commits and is_md5(each.md5)}
    return frozenset(found | inside(workspace, found))


def inside(workspace: Workspace, md5s: frozenset[str] | set[str]) -> set[str]:
    """Return the files of those folders whose lists are here."""
    files: set[str] = set()
    for md5 in md5s:
        if md5.endswith(".dir") and cache.locate(workspace.cache_dir, md5) is not None:
            with suppress(WorldError):  # a damaged list holds nothing
                files |= {entry.md5 for entry in cache.entries(workspace.cache_dir, md5)}
    return files


def settle(workspace: Workspace) -> Held:
    """Hold what must stay and is here, bring back what is held and the cache lost, let go of the rest.

    Raises
    ------
    WorldError
        If the disk refuses; what was held before is held.
    """
    place = held.place(workspace.cache_dir, workspace.common_dir)
    must, there = wanted(workspace), held.listing(place)
    for md5 in must & there.keys():
        cache.locate(workspace.cache_dir, md5)
    lacking = held.hold(workspace.cache_dir, place, sorted(must - there.keys()))
    left = sorted(there.keys() - must)
    held.release(place, left)
    return Held(must, len(must - there.keys()) - len(lacking), len(left), tuple(lacking))
