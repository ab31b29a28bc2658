"""Packages that a notebook imports and its kernel does not have: told before the kernel starts.

Only what is certain counts: imports that stand by themselves in a cell, up to the first cell that may change
what can be imported (``%pip install``, ``sys.path``, ``%%writefile``, ...). Others fail in their cell.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from provenote.errors import UsageError
from provenote.jobs.notebook import Notebook, text

_CHANGES = re.compile(
    r"^\s*[%!]|\bsys\.(?:path|modules|meta_path)|\bimportlib|\bsubprocess|\bsystem\(|\bchdir\(|\bexec\(|"
    r"\bopen\(|\bwrite_text|\bsite\.|\bget_ipython\(",
    re.M,
)
_HARMLESS = re.compile(r"^\s*%(?:matplotlib|config|time|timeit|precision|env|who|whos|xmode)\b.*$", re.M)
_ASK = """
import importlib.util, json, sys
print(json.dumps([name for name in sys.argv[1:] if not importlib.util.find_spec(name)]))
"""
_PATIENCE = 10.0  # seconds that another Python may take to say what it has


def check(notebook: Notebook, kernel: str) -> None:
    """Refuse a notebook that imports what its kernel does not have.

    Parameters
    ----------
    notebook : Notebook
        In Python; of others nothing is known.
    kernel : str
        Name of the kernel specification that will run it.

    Raises
    ------
    UsageError
        If a package is missing: the first one is named.
    """
    if notebook.language not in ("python", "ipython"):
        return
    folder = notebook.path.parent
    wanted = [name for name in imported(notebook) if not _own(folder, name)]
    missing = _missing(wanted, _python(kernel)) if wanted else []
    if missing:
        raise UsageError(
            f"{notebook.path.name} imports {missing[0]}, which the kernel {kernel!r} does not have",
            "Install it where that kernel runs, or choose another: `--kernel NAME`",
        )


def imported(notebook: Notebook) -> list[str]:
    """Return the packages that a notebook certainly imports: the first parts of their names. Pure."""
    found: dict[str, None] = {}
    for cell in notebook.data["cells"]:
        if cell["cell_type"] != "code":
            continue
        metadata = cell.get("metadata")
        tags = metadata.get("tags") if isinstance(metadata, dict) else None
        if isinstance(tags, list) and "raises-exception" in tags:
            continue
        source = _HARMLESS.sub("", text(cell))
        if _CHANGES.search(source):
            break
        try:
            body = ast.parse(source).body
        except (SyntaxError, ValueError, RecursionError):
            break
        for statement in body:
            if isinstance(statement, ast.Import):
                found.update((alias.name.partition(".")[0], None) for alias in statement.names)
            elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
                found[statement.module.partition(".")[0]] = None
    return list(found)


def _own(folder: Path, name: str) -> bool:
    """Whether a module of this name lies beside the notebook, or needs no package."""
    known = name in sys.stdlib_module_names or name == "provenote"
    return known or any(folder.glob(f"{name}.*")) or (folder / name).is_dir()


def _python(kernel: str) -> str | None:
    """Return the Python of a kernel; None where it is ours, or cannot be told."""
    from jupyter_core.paths import jupyter_path

    for folder in jupyter_path("kernels"):
        try:
            first = json.loads(Path(folder, kernel, "kernel.json").read_bytes())["argv"][0]
        except (OSError, ValueError, LookupError, TypeError):
            continue
        absolute = isinstance(first, str) and Path(first).is_absolute()
        return first if absolute and not _same(first) else None
    return None


def _same(python: str) -> bool:
    # Not resolved: the Python of a virtual environment is a link to the one it was made from.
    ours = Path(sys.executable).parent
    return Path(python).parent == ours


def _missing(names: Iterable[str], python: str | None) -> list[str]:
    if python is None:
        return [name for name in names if not _here(name)]
    try:
        answer = subprocess.run(
            [python, "-c", _ASK, *names], capture_output=True, timeout=_PATIENCE, check=True, text=True
        )
        found = json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):  # then its kernel tells what is wrong
        return []
    return [str(name) for name in found] if isinstance(found, list) else []


def _here(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError, AttributeError):
        return True  # it is there, and odd
