"""The reference of a monitor: from the version of the data that it names to what it teaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from provenote.data import history, tables, tracked
from provenote.errors import UsageError
from provenote.events import Tell, silent
from provenote.monitor import reading
from provenote.monitor.definition import Monitor
from provenote.statistics import reference as learning
from provenote.statistics.frame import Frame
from provenote.statistics.reference import Reference
from provenote.stores import cache, remotes
from provenote.stores.disk import shown

if TYPE_CHECKING:
    from provenote.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Taught:
    """A reference that was read.

    Parameters
    ----------
    whole : Frame
        Its rows with all their columns, in the order of time.
    reference : Reference
        With the accepted windows.
    moved : dict of str to float
        How far the accepted windows have moved each column from the first reference: KS distance or share of
        other kinds; empty without accepted ones.
    """

    whole: Frame
    reference: Reference
    moved: dict[str, float]


def choose(workspace: Workspace, spec: str | None, patterns: Sequence[str], model: str) -> tuple[str, str]:
    """Return path and MD5 of the version that a person means by a reference.

    Parameters
    ----------
    workspace : Workspace
    spec : str or None
        ``PATH``, ``PATH@REV``, or a revision of the one tracked path that the data patterns name; None: the
        data that the model which holds the stage was trained on.
    patterns : sequence of str
    model : str

    Raises
    ------
    UsageError
        If there is no such version; the message says what to name.
    """
    if spec is None:
        return _trained_on(workspace, model)
    name, rev = history.split(spec)
    plain = [one for one in patterns if not set(one) & set("*?[")]
    if rev is None and tracked.at(workspace, _inside(workspace, name)) is None and len(plain) == 1:
        path = _inside(workspace, plain[0])
        if not (workspace.dvc_root / name).exists() and tracked.at(workspace, path) is not None:
            name, rev = plain[0], spec
    inside = _inside(workspace, name)
    version = history.version(workspace, inside, rev) if rev else history.present(workspace, inside)
    if version is None:
        mend = f"Track it, so that it stays what it is: `provenote data add {shown(name)}`"
        raise UsageError(f"the reference {shown(name)} is not under version control", mend)
    return inside, version.stored.md5


def _inside(workspace: Workspace, name: str) -> str:
    return (
        workspace.relative(workspace.dvc_root / name)
        if not Path(name).is_absolute()
        else workspace.relative(name)
    )


def _trained_on(workspace: Workspace, model: str) -> tuple[str, str]:
    """Return the largest table that the run of the model's version read."""
    from provenote.errors import ProvenoteError
    from provenote.registry import reading as registry_reading
    from provenote.stores import index

    mend = "Name it: `--reference PATH` or `--reference PATH@REV`"
    try:
        registry = registry_reading.read(workspace)
        release = registry.state.current((registry.path, model, "production"))
        commit = release.subject.commit
        reads = index.document(workspace, commit).get("reads") or []
    except ProvenoteError as error:
        raise UsageError(f"no reference is named, and {error.what}", mend) from error
    found = [one for one in reads if tables.kind(str(one.get("path"))) and one.get("md5")]
    if not found:
        raise UsageError(f"no reference is named, and the run of {model} read no table", mend)
    best = max(found, key=lambda one: int(one.get("size") or 0))
    return str(best["path"]), str(best["md5"])


def read(workspace: Workspace, path: str, md5: str, time: Sequence[str], tell: Tell = silent) -> Frame:
    """Return the rows of a version of data, in the order of time.

    Raises
    ------
    UsageError
        If it is no table with times.
    WorldError
        If its bytes are neither here nor on the remote.
    """
    remotes.require(workspace, md5, tell)
    name = path.rsplit("/", 1)[-1]
    if md5.endswith(".dir"):
        pieces = []
        for entry in cache.entries(workspace.cache_dir, md5):
            place = cache.locate(workspace.cache_dir, entry.md5)
            if place is not None and tables.kind(entry.path):
                pieces.append(reading.table(place, entry.path, time))
        if not pieces:
            raise UsageError(f"there is no table in {shown(path)}")
        return reading.merged(pieces).sorted()
    place = cache.locate(workspace.cache_dir, md5)
    if place is None:
        raise cache.not_here([md5])
    return reading.table(place, name, time).sorted()


def learn(workspace: Workspace, monitor: Monitor, tell: Tell = silent) -> Taught:
    """Read a monitor's reference and the accepted windows, and learn from them."""
    whole = until(read(workspace, monitor.reference, monitor.md5, monitor.time, tell), monitor.until)
    more = [read(workspace, one.path, one.md5, monitor.time, tell) for one in monitor.accepted if one.md5]
    taught = learning.learn(whole, monitor.window, monitor.apart, more)
    moved: dict[str, float] = {}
    if more:
        first = learning.learn(whole, monitor.window, monitor.apart)
        rows = first.fitted(reading.merged(more))
        moved = {name: first.distance(name, rows) for name in first.drifting}
        moved = {name: value for name, value in moved.items() if value == value}
    return Taught(whole, taught, moved)


def until(whole: Frame, moment: str) -> Frame:
    """Return the rows before a moment; all of them where it is empty.

    Raises
    ------
    UsageError
        If it is no moment, or nothing comes before it.
    """
    if not moment:
        return whole
    try:
        end = np.datetime64(moment, "s")
    except ValueError:
        raise UsageError(f"{moment!r} is no date", "Give one as `--until 2012-01-01`") from None
    if whole.times is None:
        return whole
    kept = whole.take(np.asarray(whole.times < end))
    if not len(kept):
        raise UsageError(f"the reference has no row before {moment}")
    return kept
