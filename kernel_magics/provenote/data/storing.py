"""Add a version of a file or folder: bytes into the cache, a pointer into the work tree, then a profile.

The order is the promise. The bytes are complete in the cache before the pointer names them, and the
pointer appears in one rename: a kill or a full disk at any moment leaves the old version or the new
one. The user's file is only read.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from provenote.data import ignoring, linking, tracked
from provenote.data.hashes import Hashes
from provenote.errors import ProvenoteError, UsageError
from provenote.events import Tell, silent
from provenote.git.command import git
from provenote.stores import cache, dvc_config, pointers
from provenote.stores.disk import shown, unreadable, writing
from provenote.stores.pointers import Stored
from provenote.workspace import Workspace

Depth = Literal["sampled", "full", "none"]


@dataclass(frozen=True, slots=True)
class Added:
    """What `add` did.

    Parameters
    ----------
    path : str
        POSIX path from the DVC root.
    state : {'new', 'changed', 'unchanged'}
        Against the pointer that was there.
    stored : Stored
        MD5, size in bytes and number of files.
    before : Stored or None
        What the pointer named before.
    pointer : Path
        The pointer's file.
    profile : dict or None
        The profile, None when none was asked for.
    files : tuple of Path
        What belongs into Git: pointer, profile, ``.gitignore``.
    notes : tuple of str
        One line for each thing worth knowing.
    """

    path: str
    state: Literal["new", "changed", "unchanged"]
    stored: Stored
    before: Stored | None
    pointer: Path
    profile: dict[str, Any] | None
    files: tuple[Path, ...]
    notes: tuple[str, ...]


def add(path: str | os.PathLike[str], *, profile: Depth = "sampled", tell: Tell = silent) -> Added:
    """Record the present state of a file or folder as a version.

    Parameters
    ----------
    path : path
        The file or folder, of any kind.
    profile : {'sampled', 'full', 'none'}
        How much is read for the profile: at most 64 MB or 1,000,000 rows, everything, or nothing.
    tell : Tell
        Where progress goes.

    Returns
    -------
    Added

    Raises
    ------
    UsageError
        If the path cannot be tracked; the message says why, and what mends it.
    WorldError
        If the disk is full or cannot be written. The version that was there stays whole.
    """
    if profile not in ("sampled", "full", "none"):
        raise UsageError(f"profile {profile!r} is unknown", "Choose one of: sampled, full, none")
    workspace, inside = tracked.locate(path)
    absolute = workspace.dvc_root / inside
    old = _may_be_tracked(workspace, inside, absolute)
    file = old.file if old else absolute.with_name(absolute.name + tracked.SUFFIX)
    notes: list[str] = []
    keep = ignoring.keep(workspace, notes) if absolute.is_dir() else None
    with Hashes(workspace.home) as known:
        stored = cache.put(absolute, workspace.cache_dir, tell, keep=keep, known=known)
    with ignoring.one_at_a_time(workspace):
        ignore, warning = ignoring.hide_from_git(absolute)
        before = _point(file, inside, stored)
    linking.link(workspace, absolute, stored, keep)
    if warning:
        notes.append(warning)
    if stored.size == 0:
        notes.append(f"{inside} is empty")
    state: Literal["new", "changed", "unchanged"] = "new" if before is None else "changed"
    if before == stored:
        state = "unchanged"
    written = _profile(workspace, absolute, stored, profile, tell, notes)
    beside = absolute.parent / ignoring.GITIGNORE
    files = [file, ignore or beside] if ignore or beside.is_file() else [file]
    if written is not None:
        files.append(written[0])
    if dvc_config.flag(workspace, "core", "autostage"):
        git(workspace.top, "add", "--", *map(str, files))
    facts = written[1] if written is not None else None
    return Added(inside, state, stored, before, file, facts, tuple(files), tuple(notes))


def _may_be_tracked(workspace: Workspace, inside: str, absolute: Path) -> tracked.Tracked | None:
    """Return what tracks the path already; refuse a path that DVC or Git would not have."""
    name = shown(inside)
    if not os.path.lexists(absolute):
        raise unreadable(name, FileNotFoundError(2, "No such file or directory"))
    if inside == ".":
        raise UsageError("the project itself cannot be data", "Name a file or folder in it")
    _check_name(inside, name)
    for above in absolute.relative_to(workspace.dvc_root).parents:
        if (workspace.dvc_root / above).is_symlink():
            mend = "Copy it into the project, or add it where it lives"
            raise UsageError(f"{above} is a link to a folder, so {name} lies elsewhere", mend)
    if ignoring.is_ignored(workspace, inside):
        raise UsageError(f"{name} is named in .dvcignore, so DVC does not see it", "Take its line out there")
    known = tracked.everything(workspace)
    for one in known:
        if inside.startswith(one.path + "/"):
            mend = f"Record the whole folder: `provenote data add {one.path}`"
            raise UsageError(f"{name} lies in {one.path}, which is tracked as one folder", mend)
        if one.path.startswith(inside + "/"):
            pointer = os.path.relpath(one.file, workspace.dvc_root)
            mend = f"Stop tracking that first: `dvc remove {pointer}`"
            raise UsageError(f"{name} holds {one.path}, which is tracked on its own", mend)
    for out, stage_file in tracked.stage_outputs(workspace).items():
        if inside == out or inside.startswith(out + "/") or out.startswith(inside + "/"):
            raise UsageError(f"{name} is made by a pipeline ({stage_file})", "Record it there: `dvc commit`")
    _check_git(workspace, inside, absolute, name)
    old = next((one for one in known if one.path == inside), None) or tracked.at(workspace, inside)
    if old is not None and old.path != inside:
        what = f"{name}{tracked.SUFFIX} is there and tracks {old.path}"
        raise UsageError(what, f"Move it away: `git mv {name}{tracked.SUFFIX} {old.path}{tracked.SUFFIX}`")
    if old is not None and old.pointer is None:
        pointer = os.path.relpath(old.file, workspace.dvc_root)
        mend = f"Mend it, or take it back: `git checkout -- {pointer}`"
        raise UsageError(f"{pointer} is no readable pointer: {old.problem}", mend)
    return old


def _check_name(inside: str, name: str) -> None:
    if inside.endswith(tracked.SUFFIX) or inside.rsplit("/", 1)[-1] in ("dvc.yaml", "dvc.lock", ".gitignore"):
        raise UsageError(f"{name} belongs to Git and DVC, it is no data", "Name the data itself")
    leaf = inside.rsplit("/", 1)[-1]
    try:
        leaf.encode("utf-8")
        readable = pointers.read(pointers.pointer(leaf, Stored("0" * 32, 0))).path == leaf
    except (UnicodeEncodeError, ProvenoteError):
        readable = False
    if not readable:
        raise UsageError(f"the name {name} has characters that a pointer cannot keep", "Rename it")


def _check_git(workspace: Workspace, inside: str, absolute: Path, name: str) -> None:
    literal = f":(literal){inside}"
    in_git = [
        os.fsdecode(one)
        for one in git(workspace.dvc_root, "ls-files", "-z", "--", literal).split(b"\0")
        if one
    ]
    if in_git:
        many = f" ({len(in_git)} files)" if len(in_git) > 1 else ""
        recursive = "-r " if absolute.is_dir() else ""
        mend = f"Take it out of Git, the file stays: `git rm {recursive}--cached '{name}'`"
        raise UsageError(f"{name} is kept by Git already{many}, and data is kept by one of the two", mend)
    rule = ignoring.rule_that_hides(absolute.with_name(absolute.name + tracked.SUFFIX))
    if rule is not None:
        mend = f"Let Git see pointers: add the line `!*{tracked.SUFFIX}` there, or narrow the rule"
        raise UsageError(
            f"Git ignores the pointer {name}{tracked.SUFFIX} ({rule}), so nobody would get it", mend
        )


def _point(file: Path, inside: str, stored: Stored) -> Stored | None:
    """Write the pointer, in one rename; return what it named before."""
    name = os.path.basename(inside)
    before, text = None, pointers.pointer(name, stored)
    with suppress(FileNotFoundError):
        old_text = file.read_text(encoding="utf-8")
        before = pointers.read(old_text).stored
        if before == stored:
            return before
        text = pointers.renewed(old_text, name, stored)
    replace(file, text)
    return before


def replace(file: Path, text: str) -> None:
    """Write a small file whole or not at all, with the mode of the one it replaces."""
    waiting = file.with_name(f".{os.getpid()}-{time.monotonic_ns():x}.tmp")
    with writing(file):
        try:
            with open(waiting, "x", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
            with suppress(FileNotFoundError):
                waiting.chmod(file.stat().st_mode & 0o777)
            os.replace(waiting, file)
        except BaseException:
            waiting.unlink(missing_ok=True)
            raise


def _profile(
    workspace: Workspace, absolute: Path, stored: Stored, depth: Depth, tell: Tell, notes: list[str]
) -> tuple[Path, dict[str, Any]] | None:
    """Profile what was stored and write it beside the pointer; a failure is a note, the version is safe."""
    from provenote.data import profiles

    file = profiles.file_of(absolute)
    try:
        old = profiles.read(file)
        if depth == "none":
            if old is not None and old["md5"] != stored.md5:
                file.unlink()
                notes.append(f"{file.name} described another version and is gone")
            return None
        if old is not None and old["md5"] == stored.md5 and (depth != "full" or not old.get("sampled")):
            return file, old
        facts = profiles.of_object(
            workspace.cache_dir, stored, absolute.name, full=depth == "full", tell=tell
        )
        replace(file, profiles.to_text(facts))
        return file, facts
    except Exception as error:  # whatever it is, the version is recorded, and this must not deny it
        what = error.what if isinstance(error, ProvenoteError) else f"{type(error).__name__}: {error}"
        notes.append(" ".join(f"the profile was not written: {what}".split()))
        return None
