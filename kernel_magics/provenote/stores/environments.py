"""The environments of runs as they are stored: one reader of a lock, and where the lock of a run lies.

A lock is the text that `provenote.tracking.environment` makes: a heading with Python and platform, then
``name==version`` of each distribution, with a comment where no index gave it. A run's commit holds it as
``environment.txt``; Git keeps equal ones once. A lock may be a colleague's: nothing in it is believed
beyond the form read here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from provenote.model import Row
    from provenote.workspace import Workspace

FILE = "environment.txt"
"""Name of the lock among the files of a run."""

_HEADING = re.compile(r"python \d+(?:\.\d+)+[a-z0-9.+]*(?: [a-z]+)?|platform [A-Za-z0-9._-]+")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")
_HASH = re.compile(r"local, sha256 ([0-9a-f]{64})")
_FETCHED = re.compile(r"(?:git\+(?:https|ssh)|https)://[^\s#]+")


@dataclass(frozen=True, slots=True)
class Package:
    """One distribution of an environment.

    Parameters
    ----------
    name : str
        Normalized name (PEP 503).
    version : str
    origin : str
        Where it came from if no index gave it: ``editable``, ``local``, ``local, sha256 <digest>``, or an
        address (``git+https://...@<commit>``); else empty.
    """

    name: str
    version: str
    origin: str = ""

    @property
    def address(self) -> str:
        """The address it can be fetched from again, or nothing."""
        return self.origin if _FETCHED.fullmatch(self.origin) else ""

    @property
    def digest(self) -> str:
        """The SHA-256 of the local file that it was installed from, where that is known."""
        found = _HASH.fullmatch(self.origin)
        return found[1] if found else ""

    def __str__(self) -> str:
        """Write it as a person reads it: the version, and where it came from."""
        short = re.sub(r"(?<=sha256 )([0-9a-f]{12})[0-9a-f]+", r"\1", self.origin)
        return f"{self.version} ({short})" if short else self.version


@dataclass(frozen=True, slots=True)
class Environment:
    """A lock that was read.

    Parameters
    ----------
    sha256 : str
        SHA-256 of its text, which names the environment.
    python : str
        Version of Python, as ``3.11.7``; empty where the heading does not say.
    implementation : str
        As ``cpython``.
    platform : str
        As ``linux-x86_64``.
    packages : mapping of str to Package
        By normalized name, sorted.
    """

    sha256: str
    python: str = ""
    implementation: str = ""
    platform: str = ""
    packages: Mapping[str, Package] = field(default_factory=dict)


def normalized(name: str) -> str:
    """Return the name of a distribution in its one normalized form (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read(text: str) -> Environment:
    """Read a lock, or any requirements file whose lines read ``name==version``. Pure.

    Lines of another form are passed over: options, paths and what could command an installer.
    """
    heading = {"python": ("", ""), "platform": ("", "")}
    found: dict[str, Package] = {}
    for line in text.splitlines():
        if line.startswith("# "):
            words = line[2:].split()
            if words and words[0] in heading and _HEADING.fullmatch(line[2:]):
                heading[words[0]] = (words[1], words[2] if len(words) == 3 else "")
            continue
        requirement, _, comment = line.partition("#") if " #" in line else (line, "", "")
        name, separator, version = (part.strip() for part in requirement.partition("=="))
        if separator and _NAME.fullmatch(name) and _VERSION.fullmatch(version):
            found[normalized(name)] = Package(normalized(name), version, comment.strip())
    python, implementation = heading["python"]
    ordered = {name: found[name] for name in sorted(found)}
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
    return Environment(digest, python, implementation, heading["platform"][0], ordered)


def packages(text: str) -> dict[str, str]:
    """Read a lock: the version of each distribution by its normalized name.

    Parameters
    ----------
    text : str
        A lock, or any requirements file whose lines read ``name==version``.

    Returns
    -------
    dict of str to str
        Where a distribution came from, which stands in a comment, is no part of its version.
    """
    return {name: package.version for name, package in read(text).packages.items()}


def text_of(workspace: Workspace, row: Row) -> str | None:
    """Return the lock of a run as it is stored, or None if the run kept none."""
    if row.commit is None:
        return _of_running(workspace, row)
    from provenote.git import trees
    from provenote.stores import runs

    content = runs.file(trees.repository(workspace.common_dir), row.commit, FILE)
    return None if content is None else content.decode("utf-8", "replace")


def _of_running(workspace: Workspace, row: Row) -> str | None:
    from provenote.stores import live

    try:
        meta = json.loads((workspace.home / "live" / row.id / live.META).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    lock = meta.get("lock") if isinstance(meta, dict) else None
    return lock if isinstance(lock, str) else None


def of_run(workspace: Workspace, row: Row) -> Environment | None:
    """Return the environment of a run, or None if the run kept none."""
    text = text_of(workspace, row)
    return None if text is None else read(text)


def imported(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the normalized names of the packages that a run imported, from its ``run.json``."""
    extra = document.get("extra")
    names = extra.get("imported") if isinstance(extra, Mapping) else None
    return tuple(normalized(str(name)) for name in names) if isinstance(names, list) else ()
