"""Part a magic's line into words, as a shell would, but with Python values kept whole.

``--why "text of it"`` gives the text without its quotes; ``-p name="a b"`` and ``-p sizes=[1, 2]`` keep the
value as the Python expression that it is.
"""

from __future__ import annotations

import re
import shlex

from provenote.errors import UsageError

_VALUE = re.compile(r"[A-Za-z_][\w.]*=(?!=)")
_OPEN, _CLOSE = "([{", ")]}"


def split(line: str) -> list[str]:
    """Return the words of a line. Pure.

    Raises
    ------
    UsageError
        If a quote or bracket is not closed.
    """
    words: list[str] = []
    rest = line.strip()
    while rest:
        value = _VALUE.match(rest)
        length = _expression(rest, value.end(), line) if value else _plain(rest, line)
        word = rest[:length]
        words.append(word if value else shlex.split(word)[0])
        rest = rest[length:].lstrip()
    return words


def _expression(text: str, start: int, line: str) -> int:
    """Return where the word ends whose value, a Python expression, begins at ``start``."""
    depth, quote = 0, ""
    index = start
    while index < len(text):
        character = text[index]
        if quote:
            if character == "\\":
                index += 1
            elif character == quote:
                quote = ""
        elif character in "\"'":
            quote = character
        elif character in _OPEN:
            depth += 1
        elif character in _CLOSE:
            depth -= 1
        elif character.isspace() and depth <= 0:
            return index
        index += 1
    if quote or depth > 0:
        raise _open(line)
    return len(text)


def _plain(text: str, line: str) -> int:
    """Return where a word ends that a shell would read."""
    quote = ""
    index = 0
    while index < len(text):
        character = text[index]
        if quote:
            if character == "\\" and quote == '"':
                index += 1
            elif character == quote:
                quote = ""
        elif character in "\"'":
            quote = character
        elif character == "\\":
            index += 1
        elif character.isspace():
            return index
        index += 1
    if quote:
        raise _open(line)
    return len(text)


def _open(line: str) -> UsageError:
    return UsageError(f"a quote or bracket is not closed: {line.strip()}", "Close it, and run the cell again")
