"""Begin a notebook from one of the templates that come with the package."""

from __future__ import annotations

import difflib
from importlib.resources import files
from pathlib import Path

from provenote.errors import UsageError, WorldError

_PACKAGE = "provenote_templates"


def names() -> list[str]:
    """Return the names of the templates."""
    found = (entry.name for entry in files(_PACKAGE).iterdir())
    return sorted(name.removesuffix(".ipynb") for name in found if name.endswith(".ipynb"))


def create(path: Path, template: str = "train") -> Path:
    """Write a new notebook from a template and return its path; nothing is overwritten.

    Parameters
    ----------
    path : Path
        The notebook to write; ``.ipynb`` is added when it has no suffix.
    template : str
        Name of the template.

    Raises
    ------
    UsageError
        If there is no such template, or the file exists.
    WorldError
        If it cannot be written.
    """
    known = names()
    if template not in known:
        near = difflib.get_close_matches(template, known, n=1)
        mend = f"Did you mean `--from {near[0]}`" if near else f"Known: {', '.join(known)}"
        raise UsageError(f"there is no template {template!r}", mend)
    path = path if path.suffix else path.with_suffix(".ipynb")
    content = (files(_PACKAGE) / f"{template}.ipynb").read_bytes()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise UsageError(f"{path} exists and is left as it is", "Choose another name") from None
    except OSError as error:
        raise WorldError(f"{path} cannot be written ({error.strerror})", "Check its folder") from error
    return path
