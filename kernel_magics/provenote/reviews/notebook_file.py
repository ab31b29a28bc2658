"""Put another source into one cell of a notebook file and leave every other byte as it is.

The JSON text is scanned for where the cell's ``source`` stands, and only that stretch is replaced, in the
form (a text, or a list of lines) and with the line ends and indentation that it had.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from provenote.errors import Refused, UsageError, WorldError
from provenote.reviews import anchors

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


def replaced(content: bytes, cell: str, old: str, source: str) -> tuple[bytes, int]:
    """Return the notebook with another source in one cell, and the cell's index.

    Parameters
    ----------
    content : bytes
        The notebook file.
    cell : str
        Id of the cell; without a cell of this id the one cell with the old source is meant.
    old : str
        SHA-256 of the source that must stand there.
    source : str
        What shall stand there.

    Raises
    ------
    Refused
        If no cell, or not exactly one, still has that source.
    """
    try:
        notebook = anchors.read(content)
        text = content.decode()
    except ValueError as error:
        raise Refused(f"the file is no notebook that can be changed: {error}") from None
    if text.startswith("\ufeff"):
        raise Refused("the file begins with a byte order mark, which no notebook has")
    fits = [place for place, one in enumerate(notebook.cells) if anchors.digest(one.source) == old]
    named = notebook.places.get(cell, ())
    chosen = [place for place in fits if place in named] if named else fits
    if not chosen:
        raise Refused(
            "the cell's source is not the one that the suggestion replaces: it was edited since",
            "Look at both: `provenote review show`",
        )
    if len(chosen) > 1:
        raise Refused(f"{len(chosen)} cells have that source, and nothing tells which is meant")
    begin, end = _place(text, chosen[0])
    return (text[:begin] + _written(text, begin, end, source) + text[end:]).encode(), chosen[0]


def write(root: Path, path: str, before: bytes, after: bytes) -> None:
    """Replace a notebook file below ``root`` by another content, at once or not at all.

    Parameters
    ----------
    root : Path
        The Git root: nothing outside it is written.
    path : str
        POSIX path below it.
    before, after : bytes
        What must stand there, and what shall.

    Raises
    ------
    Refused
        If the file is another one meanwhile, or it or a folder on the way is a link.
    """
    target = plain(root, path)
    mode = target.stat().st_mode & 0o777
    handle, name = tempfile.mkstemp(prefix=".provenote-", suffix=".ipynb", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(after)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, mode)
        if plain(root, path).read_bytes() != before:
            raise Refused(f"{path} was changed meanwhile, so nothing was written", "Try again")
        os.replace(name, target)
    except OSError as error:
        raise WorldError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        if os.path.exists(name):
            os.unlink(name)


def plain(root: Path, path: str) -> Path:
    """Return the file at a path below ``root`` when neither it nor a folder on the way is a link.

    Raises
    ------
    Refused, UsageError
        If one is, or there is no such plain file.
    """
    target = root
    for part in path.split("/"):
        target = target / part
        if target.is_symlink():
            raise Refused(f"{path} leads through a link, and what it points to is not written")
    if not target.is_file():
        raise UsageError(f"there is no file {path} here", "Check the branch out that has it")
    return target


def _place(text: str, cell: int) -> tuple[int, int]:
    """Return where the source of a cell stands: begin and end of its JSON value."""
    cells = [begin for name, begin, _ in _members(text, _skip(text, 0)) if name == "cells"]
    if len(cells) != 1:
        raise Refused("the file keeps its cells in an older form, or twice", "Save it in JupyterLab first")
    elements = [begin for begin, _ in _items(text, cells[0]) if text[begin] == "{"]
    sources = [span for name, *span in _members(text, elements[cell]) if name == "source"]
    if len(sources) != 1:
        raise Refused("the cell has no source of its own, or two")
    return sources[0][0], sources[0][1]


def _members(text: str, at: int) -> Iterator[tuple[str, int, int]]:
    """Yield name, begin and end of each value of the JSON object that begins at ``at``."""
    at = _skip(text, at + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        begin = _skip(text, _skip(text, at) + 1)
        _, end = _DECODER.raw_decode(text, begin)
        yield name, begin, end
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)


def _items(text: str, at: int) -> Iterator[tuple[int, int]]:
    """Yield begin and end of each element of the JSON array that begins at ``at``."""
    at = _skip(text, at + 1)
    while text[at] != "]":
        _, end = _DECODER.raw_decode(text, at)
        yield at, end
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None
    return found.end()


def _written(text: str, begin: int, end: int, source: str) -> str:
    """Write a source in the form that the old one had."""
    was = text[begin:end]
    ascii_only = was.isascii() and "\\u" in was
    if not was.startswith("["):
        return json.dumps(source, ensure_ascii=ascii_only)
    if not source:
        return "[]"
    feed = "\r\n" if "\r\n" in was or (was == "[]" and "\r\n" in text) else "\n"
    lines = [json.dumps(line, ensure_ascii=ascii_only) for line in source.splitlines(keepends=True)]
    if "\n" not in was and was != "[]":
        return f"[{', '.join(lines)}]"
    start = text.rfind("\n", 0, begin) + 1
    outer = re.match(r"[ \t]*", text[start:begin])
    indent = outer.group() if outer else ""
    inner = re.match(r"\[\r?\n([ \t]*)", was)
    deeper = inner.group(1) if inner else indent + " "
    return f"[{feed}{deeper}{f',{feed}{deeper}'.join(lines)}{feed}{indent}]"
