"""What a zygote must be like for what is wanted of it, and the name that this gives it.

Same Python, same installed packages, same imports, same environment at the start, same limits: whatever could
make a difference is in the name, so that any change finds another zygote.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import site
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

# Variables that differ from shell to shell and from job to job, and that nobody reads while it is imported.
_PASSING = re.compile(
    r"PROVENOTE_.*|JPY_.*|PYTEST_CURRENT_TEST|(OLD)?PWD|SHLVL|_|COLUMNS|LINES|LS_COLORS|WINDOWID|TMUX.*|STY"
    r"|SSH_(TTY|CLIENT|CONNECTION)|GPG_TTY|VTE_.*|.*TERM_SESSION_ID|XDG_(SESSION_ID|VTNR|SEAT)"
    r"|GIT_(AUTHOR|COMMITTER)_.*|INVOCATION_ID|JOURNAL_STREAM"
)

Role = Literal["kernel", "supervisor"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a zygote must be like.

    Parameters
    ----------
    role : {'kernel', 'supervisor'}
    command : tuple of str
        The Python, with its flags.
    env : mapping
        Environment of the process that is wanted.
    preload : tuple of str
        Modules that it has imported.
    """

    role: Role
    command: tuple[str, ...]
    env: Mapping[str, str]
    preload: tuple[str, ...] = ()

    def key(self) -> str:
        """Return what names the zygote: equal exactly if its children are as wanted."""
        env = sorted((k, v) for k, v in self.env.items() if not _PASSING.fullmatch(k))
        told: list[Any] = [self.role, self.command, env, self.preload, installed(), os.getgroups()]
        told.append(_own_code(self.role))
        told += [sorted(os.sched_getaffinity(0)), os.getpriority(os.PRIO_PROCESS, 0)]
        told += [_of_system("limits"), _of_system("cgroup")]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:20]


def roots() -> list[str]:
    """Return the folders of installed packages of this Python."""
    folders = site.getsitepackages()
    if site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())
    return [folder for folder in folders if os.path.isdir(folder)]


def installed() -> list[Any]:
    """Return what changes whenever a package is installed, removed or replaced."""
    found: list[Any] = [sys.version, sys.prefix]
    for folder in roots():
        found.append((folder, os.stat(folder).st_mtime_ns))
        with os.scandir(folder) as entries:
            found += sorted(
                (entry.name, entry.stat().st_mtime_ns)
                for entry in entries
                if entry.name.endswith((".dist-info", ".egg-info"))
            )
    return found


def _own_code(role: Role) -> int:
    """Return when our code that such a zygote has imported changed last, in a checkout too."""
    here = Path(__file__).parent
    if role == "supervisor":
        return max(_ages(here.parent))
    names = ("zygote", "asking", "descendants", "imprint", "forked")
    return max(os.stat(here / f"{name}.py").st_mtime_ns for name in names)


def _ages(folder: Path) -> Iterator[int]:
    for place, _, names in os.walk(folder):
        yield os.stat(place).st_mtime_ns
        yield from (os.stat(os.path.join(place, name)).st_mtime_ns for name in names if name.endswith(".py"))


def _of_system(name: str) -> str:
    try:
        return Path("/proc/self", name).read_text()
    except OSError:
        return ""


def places() -> list[str]:
    """Return the folders whose modules are no user's own."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return [*roots(), *(sysconfig.get_path(name) for name in names)]
