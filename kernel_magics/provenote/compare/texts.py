"""How one text differs from another, line by line. Pure.

Lines are matched as in a unified diff (GNU diffutils manual, "Unified Format"):
those that are the same at both ends cost nothing, and a text too long to be matched in a blink is
shown as replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from provenote.view import Stroke

CONTEXT = 3
"""Lines shown around a difference."""
LINES = 200
"""Lines shown of one text; the rest is counted."""
WIDTH = 400
"""Characters shown of one line."""
WORK = 4_000_000
"""Lines of the one times lines of the other that are matched; beyond, the middle counts as replaced."""


def opcodes(old: Sequence[str], new: Sequence[str]) -> list[tuple[str, int, int, int, int]]:
    """Return how ``old`` becomes ``new``: ``(tag, i1, i2, j1, j2)`` as `difflib.SequenceMatcher` does."""
    shorter = min(len(old), len(new))
    head = 0
    while head < shorter and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < shorter - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    ends = len(old) - tail, len(new) - tail
    found = [("equal", 0, head, 0, head)] if head else []
    one, other = old[head : ends[0]], new[head : ends[1]]
    if len(one) * len(other) > WORK:
        found.append(("replace", head, ends[0], head, ends[1]))
    elif one or other:
        for tag, i1, i2, j1, j2 in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
            found.append((tag, head + i1, head + i2, head + j1, head + j2))
    if tail:
        found.append(("equal", ends[0], len(old), ends[1], len(new)))
    return found


def strokes(old: str, new: str, *, context: int | None = CONTEXT, most: int = LINES) -> list[Stroke]:
    """Return the lines that differ, with some around them; empty where the texts are the same.

    Parameters
    ----------
    old, new : str
        The texts. A newline at the end makes no difference.
    context : int, optional
        Lines shown around a difference; None for all.
    most : int
        Lines returned; where there are more, the last one says how many.
    """
    before, after = old.splitlines(), new.splitlines()
    if before == after:
        return []
    found = list(_strokes(before, after, context))
    if len(found) > most:
        left = len(found) - most
        found = [*found[:most], Stroke("@", f"{left:,} more lines")]
    return found


def _strokes(old: list[str], new: list[str], context: int | None) -> Iterator[Stroke]:
    codes = opcodes(old, new)
    for place, (tag, i1, i2, j1, j2) in enumerate(codes):
        if tag != "equal":
            yield from (Stroke("-", shortened(line)) for line in old[i1:i2])
            yield from (Stroke("+", shortened(line)) for line in new[j1:j2])
            continue
        before = 0 if not place or context is None else context  # of what was shown above
        after = 0 if place == len(codes) - 1 or context is None else context
        if context is None or i2 - i1 <= before + after + 1:
            yield from (Stroke(" ", shortened(line)) for line in old[i1:i2])
            continue
        yield from (Stroke(" ", shortened(line)) for line in old[i1 : i1 + before])
        same = i2 - i1 - before - after
        yield Stroke("@", f"{same:,} lines the same")
        yield from (Stroke(" ", shortened(line)) for line in old[i2 - after : i2])


def shortened(line: str) -> str:
    """Return a line with its tabs as spaces, cut where it is very long."""
    line = line.expandtabs(4)
    return line if len(line) <= WIDTH else f"{line[:WIDTH]}… ({len(line):,} characters)"


def unified(found: Sequence[Stroke]) -> str:
    """Return strokes as text, a sign before each line."""
    return "".join(f"{stroke.sign}{stroke.text}\n" for stroke in found)


def counts(found: Sequence[Stroke]) -> str:
    """Say how many lines are new and gone: ``+3 −1``."""
    new, gone = (sum(stroke.sign == sign for stroke in found) for sign in "+-")
    return " ".join(filter(None, (f"+{new}" if new else "", f"−{gone}" if gone else "")))
