"""Which data code names: texts in its source and values of its parameters, held against tracked paths.

A path that is put together while the code runs cannot be seen before; `provenote.data.path` checks when it
reads. Rather too many than too few: data that is merely named is checked too.
"""

from __future__ import annotations

import ast
import fnmatch
import os
import posixpath
from collections.abc import Iterable, Sequence
from typing import Any

from provenote.data import tables

LONGEST = 1_000


def texts(sources: Iterable[str], values: Iterable[Any] = ()) -> set[str]:
    """Return the texts in code cells, and those among parameters.

    Parameters
    ----------
    sources : iterable of str
        Code; lines of magics are read as words.
    values : iterable
        Values of parameters, nested or not.
    """
    found: set[str] = set()
    for source in sources:
        lines = source.splitlines()
        magic = [line for line in lines if line.lstrip().startswith(("%", "!"))]
        found.update(word.strip("'\"") for line in magic for word in line.split())
        plain = "\n".join("pass" if line in magic else line for line in lines)
        try:
            tree = ast.parse(plain)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            found.update(word.strip("'\"(),") for word in source.split())
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else "*" for part in node.values)
                found.add("".join(map(str, parts)))
    stack = list(values)
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            found.add(value)
        elif isinstance(value, dict):
            stack += value.values()
        elif isinstance(value, list | tuple):
            stack += value
    return {text for text in found if 0 < len(text) <= LONGEST and "\n" not in text}


def may_name_data(texts: Iterable[str]) -> bool:
    """Whether any of the texts looks like data: most cells name none, and Git need not be asked. Pure."""
    return any("/" in text or tables.kind(text.rstrip("*?]")) or "*" in text for text in texts)


def named(texts: Iterable[str], paths: Sequence[str], folder: str) -> list[str]:
    """Return the paths that are named by one of the texts. Pure.

    A text names a path if it is the path, something in it, a pattern that meets either, or the last name
    of the path: ``Path("data") / "hour.csv"`` is two texts.

    Parameters
    ----------
    texts : iterable of str
    paths : sequence of str
        POSIX paths from the DVC root.
    folder : str
        Where the code runs, from the DVC root.
    """
    found = set()
    plain = {text.rstrip("/") or text for text in texts}
    for text in plain:
        wanted = {posixpath.normpath(posixpath.join(folder, text)), posixpath.normpath(text)}
        pattern = any(sign in text for sign in "*?[")
        for path in paths:
            if path in found:
                continue
            leaf = posixpath.basename(path)
            if (
                text == leaf
                or (os.path.isabs(text) and text.endswith("/" + path))
                or any(one == path or one.startswith(path + "/") for one in wanted)
                or pattern
                and any(fnmatch.fnmatch(path, one) or one.startswith(path + "/") for one in wanted)
            ):
                found.add(path)
    return sorted(found)
