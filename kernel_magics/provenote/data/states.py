"""How each tracked path stands: against its pointer, the cache and the remote."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from provenote.data import profiles, tracked, travel
from provenote.data.tracked import Tracked
from provenote.errors import ProvenoteError, UsageError
from provenote.events import Tell, silent
from provenote.stores import cache, dvc_config, remotes
from provenote.stores.pointers import Stored
from provenote.workspace import Workspace, find

Word = Literal["unchanged", "changed", "missing", "not downloaded", "not readable"]


@dataclass(frozen=True, slots=True)
class State:
    """How one tracked path stands.

    Parameters
    ----------
    path : str
        POSIX path from the DVC root.
    state : Word
        ``unchanged`` and ``changed`` against the pointer; ``missing``: not in the work tree but in the
        cache; ``not downloaded``: in neither; ``not readable``: pointer or data.
    pushed : bool or None
        Whether the remote has it; None when there is no remote.
    cached : bool
        Whether the cache holds the pointer's version whole.
    stored : Stored or None
        What the pointer names.
    rows : int or None
        Rows, from the profile of this very version.
    detail : str
        Why, where there is something to say.
    """

    path: str
    state: Word
    pushed: bool | None
    cached: bool
    stored: Stored | None
    rows: int | None = None
    detail: str = ""


def status(*paths: str, ask_remote: bool = False, tell: Tell = silent) -> list[State]:
    """Tell how tracked paths stand.

    Parameters
    ----------
    *paths : str
        Data, or folders that hold some; everything tracked when none is given.
    ask_remote : bool
        Ask the remote itself what it has. Otherwise a remote elsewhere is judged by what this clone
        carried there, which can miss what others pushed.
    tell : Tell
        Where progress goes.

    Raises
    ------
    UsageError
        If a path is not tracked, or there is no project.
    WorldError
        If the remote was asked and does not answer.
    """
    workspace = tracked.locate(paths[0])[0] if paths else find()
    chosen = tracked.choose(workspace, paths)
    md5s = [one.stored.md5 for one in chosen if one.stored]
    there = _there(workspace, md5s, ask_remote)
    return [_state(workspace, one, there, tell) for one in chosen]


def _there(workspace: Workspace, md5s: list[str], ask_remote: bool) -> set[str] | None:
    try:
        dvc_config.remote(workspace)
    except UsageError:
        return None
    if ask_remote:
        return set(md5s) - remotes.absent(workspace, md5s)
    return remotes.known_there(workspace, md5s)


def _state(workspace: Workspace, one: Tracked, there: set[str] | None, tell: Tell) -> State:
    if one.pointer is None:
        return State(one.path, "not readable", None, False, None, detail=one.problem)
    stored = one.stored
    if stored is None:
        return State(one.path, "changed", None, False, None, detail="the pointer names no version yet")
    try:
        cached = not cache.missing(workspace.cache_dir, stored.md5)
    except ProvenoteError:
        cached = False
    pushed = None if there is None or not one.pointer.pushed else stored.md5 in there
    word, detail = _against_pointer(workspace, one, stored, cached, tell)
    rows = None
    about = profiles.read(profiles.file_of(workspace.dvc_root / one.path))
    if about and about["md5"] == stored.md5 and not about.get("sampled"):
        rows = about.get("rows")
    return State(one.path, word, pushed, cached, stored, rows, detail)


def _against_pointer(
    workspace: Workspace, one: Tracked, stored: Stored, cached: bool, tell: Tell
) -> tuple[Word, str]:
    absolute = workspace.dvc_root / one.path
    if not os.path.lexists(absolute):
        return ("missing" if cached else "not downloaded"), ""
    try:
        now = travel.measure(workspace, one.path, tell)
    except ProvenoteError as error:
        return "not readable", error.what
    if now.md5 == stored.md5:
        return "unchanged", ""
    if one.pointer is not None and one.pointer.legacy:
        return "changed", "or the same: DVC 2 hashed texts in another way; adding it renews the pointer"
    return "changed", f"now {now.size} bytes" if now.nfiles is None else f"now {now.nfiles} files"
