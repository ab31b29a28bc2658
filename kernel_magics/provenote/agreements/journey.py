"""Write an agreement about data, say how it stands, and tell what changed in it."""

from __future__ import annotations

import dataclasses
import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from provenote.agreements.affected import Affected, affected
from provenote.data import tracked
from provenote.errors import UsageError
from provenote.git.command import blobs, identity, run
from provenote.stores import agreements
from provenote.stores.agreements import Agreement, Hold

if TYPE_CHECKING:
    import os

    from provenote.workspace import Workspace

SOON = 30
"""Days before the end from which on it is told."""
State = Literal["in force", "ends soon", "ended", "on hold"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How an agreement stands.

    Parameters
    ----------
    path : str
        Of the data, from the DVC root.
    agreement : Agreement
    state : {'in force', 'ends soon', 'ended', 'on hold'}
        On hold: nothing of it may be deleted; it may have ended, too.
    """

    path: str
    agreement: Agreement
    state: State


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an agreement in Git.

    Parameters
    ----------
    commit, author, day : str
    what : tuple of (str, str, str)
        Key, value before, value after.
    """

    commit: str
    author: str
    day: str
    what: tuple[tuple[str, str, str], ...]


def change(
    path: str | os.PathLike[str],
    *,
    owner: str | None = None,
    licence: str | None = None,
    terms: str | None = None,
    source: str | None = None,
    ends: str | None = None,
    this_version: bool = False,
    hold: str | None = None,
    lift: bool = False,
    today: datetime.date | None = None,
) -> tuple[Workspace, str, Agreement]:
    """Write an agreement, or change what is given of it.

    Parameters
    ----------
    path : path
        The data.
    owner, licence, terms, source : str, optional
        An empty text takes it away.
    ends : str, optional
        The last day of use, ``2027-01-31``; ``never`` takes it away.
    this_version : bool
        Whether it is about the present version alone.
    hold : str, optional
        Why nothing of it may be deleted.
    lift : bool
        Whether the hold is lifted.

    Raises
    ------
    UsageError
        If the path is no data under version control, or a day is none.
    """
    workspace, inside = tracked.locate(path)
    one = tracked.at(workspace, inside)
    file = agreements.file_of(workspace.dvc_root / inside)
    old = agreements.read(file)
    if one is None and old is None:
        raise UsageError(f"{inside} is not under version control", f"Track it: `provenote data add {inside}`")
    if hold is not None and lift:
        raise UsageError("a hold is put or lifted, not both at once")
    if lift and (old is None or old.hold is None):
        raise UsageError(f"{inside} is under no hold")
    made = old or Agreement()
    made = dataclasses.replace(
        made,
        owner=made.owner if owner is None else owner.strip(),
        licence=made.licence if licence is None else licence.strip(),
        terms=made.terms if terms is None else terms.strip(),
        source=made.source if source is None else source.strip(),
    )
    if ends is not None:
        made = dataclasses.replace(made, ends=_day(ends))
    if this_version:
        if one is None or one.stored is None:
            raise UsageError(
                f"the version of {inside} is not known", f"Add it: `provenote data add {inside}`"
            )
        made = dataclasses.replace(made, versions=tuple(dict.fromkeys((*made.versions, one.stored.md5))))
    if hold is not None:
        name, mail = identity(workspace.common_dir)
        by = f"{name or ''} <{mail or ''}>".strip()
        made = dataclasses.replace(made, hold=Hold(hold.strip(), by, today or datetime.date.today()))
    if lift:
        made = dataclasses.replace(made, hold=None)
    if made != old:
        agreements.write(file, made)
    return workspace, inside, made


def _day(text: str) -> datetime.date | None:
    if text.strip().lower() in ("never", ""):
        return None
    try:
        return datetime.date.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"{text!r} is no day", "Write it as 2027-01-31, or never") from None


def standing(path: str, agreement: Agreement, today: datetime.date | None = None) -> Standing:
    """Say how an agreement stands. Pure but for the day."""
    today = today or datetime.date.today()
    state: State = "in force"
    if agreement.hold is not None:
        state = "on hold"
    elif agreement.ended(today):
        state = "ended"
    elif agreement.ends is not None and (agreement.ends - today).days <= SOON:
        state = "ends soon"
    return Standing(path, agreement, state)


def everything(workspace: Workspace, today: datetime.date | None = None) -> tuple[list[Standing], list[str]]:
    """Return how all agreements of a project stand, those that ended first; and what is no agreement."""
    found, broken = [], []
    for path, file in agreements.listing(workspace):
        try:
            one = agreements.read(file)
        except agreements.BadAgreement as error:
            broken.append(error.line)
            continue
        if one is not None:
            found.append(standing(path, one, today))
    order = ("ended", "ends soon", "on hold", "in force")
    return sorted(found, key=lambda each: (order.index(each.state), each.path)), broken


def show(path: str | os.PathLike[str]) -> tuple[Standing, Affected, list[Change]]:
    """Return how one agreement stands, whom it concerns, and how it changed.

    Raises
    ------
    UsageError
        If there is none.
    """
    workspace, inside = tracked.locate(path)
    one = agreements.read(agreements.file_of(workspace.dvc_root / inside))
    if one is None:
        mend = f'Write one: `provenote data agreement {inside} --owner "..." --ends 2027-01-31`'
        raise UsageError(f"there is no agreement about {inside}", mend)
    return standing(inside, one), affected(workspace, inside, one), changes(workspace, inside)


def changes(workspace: Workspace, path: str, limit: int = 100) -> list[Change]:
    """Return how an agreement changed in the history of HEAD, the newest first."""
    prefix = f"{workspace.prefix}/" if workspace.prefix else ""
    name = f"{prefix}{path}{agreements.ENDING}"
    form = "--format=%H%x1f%an%x1f%as"
    said = run(workspace.top, "log", f"--max-count={limit}", form, "--", name).stdout
    lines = [line.split("\x1f") for line in said.decode("utf-8", "replace").splitlines() if line]
    contents = list(blobs(workspace.top, [f"{line[0]}:{name}" for line in lines])) if lines else []
    found = []
    for place, (commit, author, day) in enumerate(lines):
        older = contents[place + 1] if place + 1 < len(contents) else None
        what = tuple(_differing(older, contents[place]))
        if what:
            found.append(Change(commit, author, day, what))
    return found


def _differing(old: bytes | None, new: bytes | None) -> list[tuple[str, str, str]]:
    before, after = _fields(old), _fields(new)
    return [
        (key, before.get(key, ""), after.get(key, ""))
        for key in dict.fromkeys((*before, *after))
        if before.get(key, "") != after.get(key, "")
    ]


def _fields(content: bytes | None) -> dict[str, str]:
    if content is None:
        return {}
    try:
        one = agreements.parse(content)
    except agreements.BadAgreement:
        return {"": "no agreement"}
    hold = f"{one.hold.why} ({one.hold.since})" if one.hold else ""
    plain = {"ends": str(one.ends or ""), "versions": ", ".join(one.versions), "hold": hold}
    return {key: getattr(one, key) for key in ("owner", "licence", "terms", "source")} | plain
