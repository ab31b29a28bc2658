"""What a reproduction stands on: its data in place, the files its snapshot left out, its environment."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.errors import Refused, UsageError, WorldError
from provenote.events import Progress, Tell
from provenote.reproducing.execution import Wish
from provenote.reproducing.reproduction import Surroundings
from provenote.stores import remotes
from provenote.tracking import environment
from provenote.travel import contents

if TYPE_CHECKING:
    from provenote.model import Row
    from provenote.reproducing.scratch import Scratch
    from provenote.reproducing.source import Source
    from provenote.workspace import Workspace

OURS = "provenote"
"""Our own distribution: an environment that was built without it is lent ours."""
_BROUGHT = ("data", "size", "count", "total")
"""Why a snapshot may have left out a file that can be brought from the work tree, if it is still the same."""


def prepare(
    workspace: Workspace,
    row: Row,
    document: Mapping[str, Any],
    source: Source,
    place: Scratch,
    build: bool,
    label: str,
    tell: Tell,
) -> tuple[Wish, Surroundings]:
    """Put data in place and look at the environment.

    Raises
    ------
    WorldError
        If data that the run read are nowhere.
    """
    tell(Progress(label, detail="its data"))
    overlay = f"{str(document['overlay']).removeprefix(f'{workspace.prefix}/')}/"
    wanted = contents.wanted(workspace, str(row.commit), document)
    wanted = {path: stored for path, stored in wanted.items() if not path.startswith(overlay)}
    there, absent = contents.put(workspace, place.place.dvc_root, wanted, tell)
    omitted = _omitted(workspace, document, place)
    brought, lacking = _read(workspace, document, place, tell)
    if lacking:
        raise WorldError(
            f"{row.name} cannot be reproduced: data it read are neither here nor on a remote: {few(lacking)}",
            "Ask who made them to run: `provenote data push`",
        )
    absent = tuple(path for path in dict.fromkeys((*absent, *omitted)) if path not in brought)
    interpreter, missing = (None, False) if not build else _built(workspace, row, document, tell)
    changes, imported = ((), 0) if build else _environment(workspace, row, document, source)
    compared = (
        "built" if build else "differs" if changes else "same" if document.get("environment") else "unknown"
    )
    wish = Wish(
        row.label, document["params"], f"provenote reproduce {row.name}", document, interpreter, missing
    )
    return wish, Surroundings(there, absent, changes, imported, compared)


def _read(
    workspace: Workspace, document: Mapping[str, Any], place: Scratch, tell: Tell
) -> tuple[list[str], list[str]]:
    """Bring what the run read and no cache or remote holds from the work tree, where it is still the same.

    Returns
    -------
    brought, lacking : list of str
        Paths from the DVC root.
    """
    from provenote.data import travel

    brought, lacking = [], []
    for read in document.get("reads") or ():
        path, md5 = os.path.normpath(str(read["path"])), str(read["md5"])
        target, own = place.place.dvc_root / path, workspace.dvc_root / path
        if not contents.inside(path):
            lacking.append(path)
        elif read.get("rev"):  # a past version: it is written where it is asked for, from the cache
            try:
                remotes.require(workspace, md5, tell)
            except (UsageError, WorldError):
                lacking.append(f"{path}@{read['rev']}")
        elif not target.exists():
            if not own.exists() or travel.measure(workspace, path, tell).md5 != md5:
                lacking.append(path)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(own, target) if own.is_dir() else shutil.copyfile(own, target)
            brought.append(path)
    return brought, lacking


def _omitted(workspace: Workspace, document: Mapping[str, Any], place: Scratch) -> tuple[str, ...]:
    """Bring files that the snapshot left out, where the work tree still has them; return the others."""
    absent = []
    for one in document.get("omitted") or ():
        path, wanted = str(one.get("path", "")), one.get("sha256")
        if one.get("why") not in (*_BROUGHT, "secret") or not contents.inside(path):
            continue
        target, own = place.top / path, workspace.top / path
        if target.exists():
            continue
        same = one["why"] in _BROUGHT and wanted and own.is_file() and not own.is_symlink()
        if same and own.stat().st_size == one.get("size") and _sha256(own) == wanted:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(own, target)
        else:
            absent.append(path)
    return tuple(absent)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _environment(
    workspace: Workspace, row: Row, document: Mapping[str, Any], source: Source
) -> tuple[tuple[str, ...], int]:
    """Return what is different where it will run, and how much of it the run imported, or Python itself."""
    from provenote.jobs import interpreters
    from provenote.stores import environments

    here = None if source.kind == "script" else interpreters.lock_of(source.kernel)
    changes = contents.environment_changes(workspace, row, document, here)
    own = set(environments.imported(document))
    return changes, sum(change.split(" ", 1)[0] in (own | {"python", "implementation"}) for change in changes)


def _built(workspace: Workspace, row: Row, document: Mapping[str, Any], tell: Tell) -> tuple[Path, bool]:
    """Build the run's own environment; return its Python, and whether our package is to be lent to it.

    Raises
    ------
    Refused
        If a package that the run imported cannot be installed any more.
    """
    from provenote.environments import create, known
    from provenote.stores import environments

    found = known.of_run(workspace, row.id)
    built = create.create(workspace, found, skip_missing=True, tell=tell)
    skipped = {name.split("==")[0]: why for name, why in built.skipped.items()}
    needed = [*environments.imported(document), *([] if document.get("kind") == "script" else ["ipykernel"])]
    gone = [name for name in needed if name in skipped and name != OURS]
    if gone:  # unless somebody has put them there by hand
        there = environment.lock(built.interpreter).packages
        gone = [name for name in gone if there.get(name) != found.environment.packages[name].version]
    if gone:
        where = os.path.relpath(built.folder)
        named = few([f"{name} {found.environment.packages[name].version} ({skipped[name]})" for name in gone])
        raise Refused(
            f"the environment of {row.name} cannot be built whole: {named}",
            f"Add what lacks by hand and try again: `uv pip install --python {where} FILE`; or reproduce it "
            f"in the environment that is here: `provenote reproduce {row.name}`",
        )
    return built.interpreter, OURS in skipped or OURS not in found.environment.packages


def folders(workspace: Workspace) -> list[str]:
    """Return where the project stands here: a run that printed the place has printed one of these."""
    found = {str(workspace.top), str(workspace.dvc_root), str(workspace.main_root)}
    return [*found, *(os.path.realpath(folder) for folder in found)]


def few(names: Sequence[str], many: int = 4) -> str:
    """Return some names and how many more there are."""
    return ", ".join(names[:many]) + (f" and {len(names) - many} more" if len(names) > many else "")
