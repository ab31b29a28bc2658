"""Put the guard into a bare repository and take it out: one ``pre-receive`` hook, the one before behind it.

The hook is a shell script, so that an ordinary push costs no Python: only refs that the guard speaks about
start it. A hook that is there is kept as it is, under another name, and is run after ours has agreed.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from provenote.errors import Refused, UsageError, WorldError
from provenote.git import command
from provenote.registry import chain, root
from provenote.stores.digest import sha256_bytes
from provenote.stores.ledger import Ledger

NAME = "pre-receive"
BEHIND = "pre-receive.before-provenote"
"""The hook that was there before."""

_MARK = "# Written by `provenote guard install`; `provenote guard remove` takes it out."
_MODULE = "provenote.registry.hook_entry"

_SCRIPT = """#!/bin/sh
{mark}
# Refuses pushes against the governance ledger, its tags, runs and annotations. The rest passes right here.
python={python}
pushed=$(cat)
guarded=' refs/(heads/provenote-|tags/[^ ]*=|provenote/|replace/)'
moved='^0*[1-9a-f][0-9a-f]* [0-9a-f]+ refs/exps/'
printf '%s\\n' "$pushed" | LC_ALL=C grep -Eiq -e "$guarded" -e "$moved"
if [ $? -ne 1 ]; then
    if [ ! -x "$python" ]; then
        echo "provenote: REFUSED: $python is gone, so nobody can check this" >&2
        exit 1
    fi
    printf '%s\\n' "$pushed" | "$python" -I -m {module} || exit 1
fi
behind=${{0%/*}}/{behind}
if [ -x "$behind" ]; then
    printf '%s\\n' "$pushed" | "$behind" "$@"
fi
"""


@dataclass(frozen=True, slots=True)
class Guard:
    """How a repository is guarded.

    Parameters
    ----------
    folder : Path
        The bare repository.
    hook : Path
        Where its hook is.
    state : {'installed', 'other version', 'not installed', 'switched off'}
        ``other version``: a hook of ours that this Python would write differently.
    behind : bool
        Whether a hook that was there before is run after ours.
    root : str or None
        The root that it trusts.
    pinned : bool
        Whether the root was pinned; else it is that of the first push.
    ledger : str or None
        Commit of the ledger.
    """

    folder: Path
    hook: Path
    state: str
    behind: bool
    root: str | None
    pinned: bool
    ledger: str | None

    @property
    def works(self) -> bool:
        """Whether pushes are guarded."""
        return self.state == "installed"


def script(python: str) -> str:
    """Return the hook's text for a Python. Pure."""
    return _SCRIPT.format(mark=_MARK, python=shlex.quote(python), module=_MODULE, behind=BEHIND)


def install(place: str, given: str | None = None) -> Guard:
    """Guard a bare repository from now on; again changes nothing but our own script.

    Parameters
    ----------
    place : str
        The bare repository.
    given : str, optional
        The root to pin, ``sha256:...``.

    Raises
    ------
    UsageError
        If it is no bare repository.
    Refused
        If another root is pinned, the ledger there does not hold under it, its hooks are not its own, or the
        hook could not run.
    WorldError
        If it cannot be written.
    """
    folder, hook = _place(place)
    trusted = root.parse(given) if given else None
    pinned = _pinned(folder)
    if trusted and pinned and trusted != pinned:
        raise Refused(
            f"this repository trusts another root already, sha256:{pinned}",
            f"If you mean it: `git -C {shlex.quote(place)} config {root.SETTING} sha256:{trusted}`",
        )
    _check_python()
    _check_ledger(folder, trusted or pinned)
    behind = hook.with_name(BEHIND)
    try:
        hook.parent.mkdir(exist_ok=True)
        if os.path.lexists(hook) and not _ours(hook):
            if os.path.lexists(behind):
                raise Refused(
                    f"{hook} is not ours, and {behind.name} is there too", "Join the two, then install again"
                )
            os.rename(hook, behind)
        new = hook.with_name(f"{NAME}.{os.getpid()}.new")
        new.write_text(script(sys.executable))
        new.chmod(0o755)
        os.replace(new, hook)
        if trusted and not pinned:
            root.pin(folder, trusted)
    except OSError as error:
        raise WorldError(f"{hook} cannot be written: {error.strerror}") from error
    return status(place)


def remove(place: str) -> Guard:
    """Take the guard out and put the hook that was there before back in its place.

    Raises
    ------
    UsageError
        If it is no bare repository.
    Refused
        If the hook there is not ours.
    WorldError
        If it cannot be written.
    """
    folder, hook = _place(place)
    if os.path.lexists(hook) and not _ours(hook):
        raise Refused(f"{hook} is not ours, so it stays")
    behind = hook.with_name(BEHIND)
    try:
        if os.path.lexists(behind):
            os.replace(behind, hook)
        else:
            hook.unlink(missing_ok=True)
    except OSError as error:
        raise WorldError(f"{hook} cannot be written: {error.strerror}") from error
    return status(place)


def status(place: str) -> Guard:
    """Tell how a bare repository is guarded.

    Raises
    ------
    UsageError
        If it is no bare repository.
    """
    folder, hook = _place(place)
    state = "not installed"
    if _ours(hook):
        state = "installed" if hook.read_text() == script(sys.executable) else "other version"
        state = state if os.access(hook, os.X_OK) else "switched off"
    pinned, ledger = _pinned(folder), Ledger(folder).tip()
    trusted = pinned or (claimed(folder) if ledger else None)
    behind = os.path.lexists(hook.with_name(BEHIND)) and state != "not installed"
    return Guard(folder, hook, state, behind, trusted, pinned is not None, ledger)


def claimed(folder: Path) -> str | None:
    """Return the root that the ledger of a repository began with, None if that is not plain."""
    ledger = Ledger(folder)
    tip = ledger.tip()
    first = [oid for path, oid in ledger.paths(tip).items() if chain.number(path) == 1] if tip else []
    content = next(command.blobs(folder, first), None) if len(first) == 1 else None
    return sha256_bytes(content) if content is not None else None


def _place(place: str) -> tuple[Path, Path]:
    """Return a bare repository's folder, and where its hook belongs."""
    folder = Path(place).expanduser().absolute()
    if not folder.is_dir():
        raise UsageError(
            f"{place} is no folder here", "Install the guard on the machine that holds the remote"
        )
    asked = command.run(folder, "rev-parse", "--is-bare-repository", "--absolute-git-dir")
    words = os.fsdecode(asked.stdout).split("\n")
    if asked.returncode or words[0] != "true":
        raise UsageError(
            f"{place} is no bare repository", "The guard belongs where others push to, as `/srv/git/team.git`"
        )
    top = Path(words[1]).resolve()
    hooks = os.fsdecode(command.git(folder, "rev-parse", "--git-path", "hooks")).rstrip("\n")
    found = (folder / hooks).resolve()
    if not found.is_relative_to(top):
        raise Refused(
            f"the hooks of this repository are in {found}, which others use too",
            f"Give it its own: `git -C {shlex.quote(place)} config core.hooksPath hooks`",
        )
    return top, found / NAME


def _ours(hook: Path) -> bool:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return not hook.is_symlink() and _MARK in hook.read_text().split("\n", 3)[:3]
    return False


def _pinned(folder: Path) -> str | None:
    answer = command.run(folder, "config", "--local", "--get", root.SETTING)
    text = answer.stdout.decode(errors="replace").strip()
    return root.parse(text) if text else None


def _check_python() -> None:
    """Refuse to write a hook that could not run: what guards must not fail at the first push."""
    words = [sys.executable, "-I", "-c", f"import {_MODULE}, cryptography"]
    done = subprocess.run(words, cwd="/", stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode:
        raise Refused(
            f"a hook that runs {sys.executable} would not find Provenote",
            "Install it into an environment on this machine, not for one user alone, and call it there",
        )


def _check_ledger(folder: Path, trusted: str | None) -> None:
    """Refuse to guard a ledger that doesn't hold under the root that shall be trusted."""
    from provenote.registry import hook_ledger
    from provenote.registry.hook_push import Push

    hook_ledger.judge(Push(folder, ()), trusted)
