"""The user's DVC settings, read as DVC layers them: local over project over user over system."""

from __future__ import annotations

import configparser
import os
import re
from dataclasses import dataclass
from pathlib import Path

from provenote.errors import UsageError
from provenote.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Remote:
    """A remote of the project.

    Parameters
    ----------
    name : str
        Its name.
    url : str
        Its address, as the configuration has it.
    folder : Path or None
        Where it is, if it is a folder of this machine.
    """

    name: str
    url: str
    folder: Path | None


def option(workspace: Workspace, section: str, name: str) -> str | None:
    """Return a setting, e.g. ``option(workspace, "cache", "type")``, or None."""
    for _, parser in _layers(workspace):
        if parser.has_option(section, name):
            return parser.get(section, name)
    return None


def flag(workspace: Workspace, section: str, name: str) -> bool:
    """Return a yes-or-no setting; no when it is not set."""
    return (option(workspace, section, name) or "").lower() in ("true", "yes", "on", "1")


def link_types(workspace: Workspace) -> list[str]:
    """Return how data is linked from the cache to the work tree, best first (``cache.type``)."""
    given = option(workspace, "cache", "type")
    return [word.strip() for word in given.split(",")] if given else ["reflink", "copy"]


def remotes(workspace: Workspace) -> dict[str, Remote]:
    """Return the project's remotes by name."""
    found: dict[str, Remote] = {}
    for where, parser in reversed(_layers(workspace)):
        for section in parser.sections():
            named = re.fullmatch(r"'?remote \"(.+)\"'?", section)
            url = parser.get(section, "url", fallback=None)
            if named and url:
                local = "://" not in url or url.startswith("file://")
                folder = Path(os.path.normpath(where / url.removeprefix("file://"))) if local else None
                found[named[1]] = Remote(named[1], url, folder)
    return found


def remote(workspace: Workspace, name: str | None = None) -> Remote:
    """Return the remote ``name``, or the default one.

    Raises
    ------
    UsageError
        If there is none; the message names the command that adds one.
    """
    known = remotes(workspace)
    wanted = name or option(workspace, "core", "remote")
    if wanted in known:
        return known[str(wanted)]
    if wanted:
        others = f" (known: {', '.join(sorted(known))})" if known else ""
        what = f"the remote {wanted!r} is not set up{others}"
        raise UsageError(what, f"Add it: `dvc remote add {wanted} URL`")
    if known:
        mend = f"Choose one: `dvc remote default {min(known)}`"
        raise UsageError(f"no remote is the default one (known: {', '.join(sorted(known))})", mend)
    raise UsageError("this project has no remote for its data", "Add one: `dvc remote add -d storage URL`")


def _layers(workspace: Workspace) -> list[tuple[Path, configparser.ConfigParser]]:
    """Return ``(folder that relative paths start from, settings)``, the strongest first."""
    user = Path(os.environ.get("DVC_GLOBAL_CONFIG_DIR") or _under("XDG_CONFIG_HOME", ".config") / "dvc")
    system = Path(os.environ.get("DVC_SYSTEM_CONFIG_DIR") or "/etc/xdg/dvc")
    project = workspace.dvc_root / ".dvc"
    layers = []
    for path in (project / "config.local", project / "config", user / "config", system / "config"):
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            mend = "Mend it by hand, or take it back: `git checkout .dvc/config`"
            raise UsageError(f"{path} is not readable: {error}", mend) from error
        layers.append((path.parent, parser))
    return layers


def _under(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / default)
