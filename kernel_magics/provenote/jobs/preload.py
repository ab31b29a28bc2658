"""Which installed packages the code of a notebook imports, of those that may be imported before a fork.

Only packages of which it is known that a kernel behaves the same when they were imported before it was made
(`KNOWN`). The project's own modules are read for what they import, and never imported: they change.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

KNOWN = frozenset({
    "PIL", "joblib", "matplotlib", "numpy", "pandas", "pyarrow", "scipy", "sklearn", "threadpoolctl", "yaml",
})  # fmt: skip
"""Packages whose import leaves nothing behind that a kernel would notice: no thread, no output, no look at
the shell that is not shown to them. Each is in the notebooks of ``tests/integration/test_warm_equal.py``."""

_FILES = 200  # modules of the project that are read at most
_BYTES = 1_000_000  # of one of them
_IMPORT = re.compile(r"^\s*(?:import|from)\s.*$", re.M)


def wanted(notebook: Mapping[str, Any], folder: Path) -> list[str]:
    """Return what a kernel for this notebook may have imported beforehand, in the order of the notebook.

    Parameters
    ----------
    notebook : mapping
        As JSON has it.
    folder : Path
        Its working directory: modules in it are the project's own.

    Returns
    -------
    list of str
        Names of modules. One that ends in ``?`` may be a module or something in a module.
    """
    found: dict[str, None] = {}
    seen: set[Path] = set()
    waiting = [_source(cell) for cell in notebook.get("cells", ()) if cell.get("cell_type") == "code"]
    while waiting:
        for name in imports(waiting.pop(0)):
            if name.partition(".")[0] in KNOWN:
                found[name] = None
                continue
            for path in _files(name.rstrip("?"), folder):
                if path not in seen and len(seen) < _FILES:
                    seen.add(path)
                    waiting.append(_read(path))
    return list(found)


def imports(source: str) -> list[str]:
    """Return the modules that Python code imports by name. Pure.

    Lines of magics and of the shell are left out; of what is no Python, the lines that are imports count.
    """
    kept = "\n".join(line for line in source.split("\n") if not line.lstrip().startswith(("%", "!", "?")))
    try:
        trees: Iterable[ast.AST] = [ast.parse(kept)]
    except (SyntaxError, ValueError, RecursionError):
        trees = _parsed(match.group() for match in _IMPORT.finditer(kept))
    found: dict[str, None] = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found.update((alias.name, None) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found[node.module] = None
                found.update((f"{node.module}.{alias.name}?", None) for alias in node.names)
    return [name for name in found if not name.endswith(".*?")]


def _parsed(lines: Iterable[str]) -> Iterator[ast.AST]:
    for line in lines:
        try:
            yield ast.parse(line.strip())
        except (SyntaxError, ValueError):
            continue


def _source(cell: Mapping[str, Any]) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def _files(name: str, folder: Path) -> Iterator[Path]:
    """Yield the files of the project that importing ``name`` would run."""
    place = folder
    for part in name.split("."):
        for path in (place / f"{part}.py", place / part / "__init__.py"):
            if os.path.isfile(path):
                yield path
        place = place / part
        if not os.path.isdir(place):
            return


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
