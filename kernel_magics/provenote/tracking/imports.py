"""Which distributions a process has imported: those of its environment that a reader asks for first.

The name of a module is not the name of its distribution (``sklearn``, ``yaml``). Most are told by their
equal name; for the others a table from modules to distributions is made once for each environment and
kept beside its lock.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from provenote.tracking import builds
from provenote.tracking.environment import Lock, blas, distributions, lock, normalized, this, write

_tables: dict[str, dict[str, str]] = {}
_seen: dict[tuple[int, str], tuple[str, ...]] = {}


def imported(locked: Lock, home: Path | None = None) -> tuple[str, ...]:
    """Name the distributions that this process has imported so far.

    Parameters
    ----------
    locked : Lock
        The lock of this process.
    home : Path, optional
        `Workspace.home`; the table from modules to distributions is kept there, once for each environment.

    Returns
    -------
    tuple of str
        Normalized names, sorted; each is a key of ``locked.packages``. Namespace packages are left out.
    """
    key = (len(sys.modules), locked.sha256)  # modules come, they hardly ever go
    if key in _seen:
        return _seen[key]
    library = os.path.dirname(os.__file__) + os.sep
    found, unknown = set(), []
    for module in [name for name in list(sys.modules) if "." not in name]:
        file = getattr(sys.modules.get(module), "__file__", None)
        if not file or module in sys.stdlib_module_names or _is_library(file, library):
            continue
        name = normalized(module)
        if name in locked.packages:
            found.add(name)
        else:
            unknown.append(module)
    if unknown:
        table = _providers(locked, home)
        found.update(table[module] for module in unknown if table.get(module) in locked.packages)
    _seen.clear()
    _seen[key] = tuple(sorted(found))
    return _seen[key]


def told(locked: Lock, home: Path | None = None) -> dict[str, Any]:
    """Return what a run keeps of its imports: the ``imported`` packages, their ``builds``, and ``blas``."""
    names = imported(locked, home)
    found = {"imported": list(names), "builds": builds.of(names, locked, home)}
    pools = blas()
    return {**found, "blas": pools} if pools else found


def loaded(locked: Lock, home: Path | None = None) -> dict[str, str]:
    """Return the files of all loaded modules that belong to an installed package: its name by file."""
    table: dict[str, str] = {}
    found = {}
    for module in list(sys.modules):
        file = getattr(sys.modules.get(module), "__file__", None)
        top = module.partition(".")[0]
        if not file or top in sys.stdlib_module_names:
            continue
        name = normalized(top)
        if name not in locked.packages:
            table = table or _providers(locked, home)
            name = table.get(top, "")
        if name in locked.packages:
            found[file] = name
    return found


def named(sources: Iterable[str], locked: Lock, home: Path | None = None) -> tuple[str, ...]:
    """Name the distributions that code imports by name; what these import in turn is not among them.

    Parameters
    ----------
    sources : iterable of str
        Cells of a notebook that ran in another process. Magics are passed over, and what is no Python.
    locked : Lock
    home : Path, optional
        As for `imported`.

    Returns
    -------
    tuple of str
        Normalized names, sorted; each is a key of ``locked.packages``.
    """
    modules: set[str] = set()
    for source in sources:
        code = re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.MULTILINE)
        with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            for node in ast.walk(ast.parse(code)):
                if isinstance(node, ast.Import):
                    modules.update(alias.name.partition(".")[0] for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    modules.add(node.module.partition(".")[0])
    modules -= sys.stdlib_module_names
    found = {name for module in modules if (name := normalized(module)) in locked.packages}
    unknown = [module for module in modules if normalized(module) not in locked.packages]
    if unknown:
        table = _providers(lock(), home)  # of this Python: which distribution has a module hardly differs
        found.update(table[module] for module in unknown if table.get(module) in locked.packages)
    return tuple(sorted(found))


def _is_library(file: str, library: str) -> bool:
    return file.startswith(library) and f"{os.sep}site-packages{os.sep}" not in file


def _providers(locked: Lock, home: Path | None) -> dict[str, str]:
    """Return which distribution gives each top-level module; kept on disk, for it costs some 50 ms."""
    if locked.sha256 in _tables:
        return _tables[locked.sha256]
    kept = home / "environments" / f"{locked.sha256}.modules.json" if home else None
    table: dict[str, str] | None = None
    if kept is not None:
        try:
            table = json.loads(kept.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            table = None
    if not isinstance(table, dict):
        table = {}
        for folder in this().path:
            for name, _, path in distributions(folder):
                for module in _modules(path):
                    table.setdefault(module, name)
        if kept is not None:
            write(kept, json.dumps(table, sort_keys=True))
    _tables[locked.sha256] = table
    return table


def _modules(path: str) -> set[str]:
    """Return the top-level modules that a distribution installs."""
    for name in ("top_level.txt", "RECORD"):
        try:
            with open(os.path.join(path, name), encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        if name == "top_level.txt":
            return set(text.split())
        packages = re.findall(r"^(\w+)/__init__\.py,", text, re.MULTILINE)
        return {*packages, *re.findall(r"^(\w+)(?:\.[\w-]+)*\.(?:py|so|pyd),", text, re.MULTILINE)}
    return set()
