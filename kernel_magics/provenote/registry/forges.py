"""Templates for GitHub and GitLab: the check that runs there, and the settings to switch on.

Hosted forges take no hook of ours. There the ledger's branch is protected against rewinding, a bot checks it
every quarter of an hour against what it verified before (`provenote.registry.bot`), and it alone may tag.
"""

from __future__ import annotations

import importlib.metadata
import re
from importlib.resources import files
from pathlib import Path
from typing import Literal

from provenote.errors import Refused, WorldError

Forge = Literal["github", "gitlab"]
PLACES: dict[Forge, str] = {
    "github": ".github/workflows/provenote.yml",
    "gitlab": "provenote.gitlab-ci.yml",
}
"""Where the file of the check belongs, from the top of the repository."""


def check_file(forge: Forge, root: str) -> str:
    """Return the workflow or CI file for a root.

    Parameters
    ----------
    forge : {'github', 'gitlab'}
    root : str
        SHA-256 of the first policy, 64 hexadecimal digits.
    """
    text = _read(f"{forge}.yml")
    return text.replace("@ROOT@", root).replace("@REQUIREMENT@", _requirement())


def settings(forge: Forge) -> str:
    """Return the commands that switch on what the forge itself has to hold."""
    return _read(f"{forge}.txt")


def write(top: Path, forge: Forge, root: str) -> tuple[Path, bool]:
    """Write the file of the check into a work tree; return its path, and whether it was new.

    Raises
    ------
    Refused
        If another file is in its place.
    WorldError
        If it cannot be written.
    """
    path, text = top / PLACES[forge], check_file(forge, root)
    if path.exists() or path.is_symlink():
        if path.read_bytes() == text.encode():
            return path, False
        raise Refused(
            f"{PLACES[forge]} is there and says something else", f"Move it away: `git rm {PLACES[forge]}`"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise WorldError(f"{path} cannot be written: {error.strerror}") from error
    return path, True


def _requirement() -> str:
    try:
        version = importlib.metadata.version("provenote")
    except importlib.metadata.PackageNotFoundError:
        return "provenote"
    return f"provenote=={version}" if re.fullmatch(r"[0-9.]+", version) else "provenote"


def _read(name: str) -> str:
    return files("provenote.registry").joinpath("forge_files", name).read_text(encoding="utf-8")
