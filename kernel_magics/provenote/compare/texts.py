"""How one text differs from another, line by line. Pure.

Lines are matched as in a unified diff (GNU diffutils manual, "Unified Format"):
those that are the same at both ends cost nothing, and a text too long to be matched in a blink is
shown as replaced.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import accumulate

from provenote.view import Stroke

CONTEXT = 3
"""Lines shown around a difference."""
LINES = 200
"""Lines shown of one text; the rest is counted."""
WIDTH = 400
"""Characters shown of one line."""
WORK = 4_000_000
"""Pairs of equal lines times lines that are matched; beyond, the middle counts as replaced."""


BESIDE = 60
"""Lines of a text up to which it is set whole beside the other."""
LIKE = 0.4
"""The share of words that two lines must have in common to be forms of one line."""
WORDS = 100_000
"""The same for the words of two lines."""
_WORD = re.compile(r"\w+|\s+|.", re.S)
DEPTH = 100
"""Stretches within stretches in which unique lines are looked for."""
Opcode = tuple[str, int, int, int, int]


def opcodes(old: Sequence[str], new: Sequence[str]) -> list[Opcode]:
    """Return how ``old`` becomes ``new``: ``(tag, i1, i2, j1, j2)`` as `difflib.SequenceMatcher` does.

    Lines that are unique in both texts are matched first, as in a patience diff (Bram Cohen), then what
    stands between them. It reads better than the longest match first, and takes time in proportion.
    """
    equal: list[tuple[int, int]] = []
    _match(old, new, 0, len(old), 0, len(new), equal)
    return _opcodes(equal, len(old), len(new))


def _match(
    old: Sequence[str],
    new: Sequence[str],
    i1: int,
    i2: int,
    j1: int,
    j2: int,
    equal: list[tuple[int, int]],
    depth: int = 0,
) -> None:
    """Add the pairs of equal lines between two stretches, in order."""
    while i1 < i2 and j1 < j2 and old[i1] == new[j1]:
        equal.append((i1, j1))
        i1, j1 = i1 + 1, j1 + 1
    tail = 0
    while i1 < i2 and j1 < j2 and old[i2 - 1] == new[j2 - 1]:
        i2, j2, tail = i2 - 1, j2 - 1, tail + 1
    if i1 < i2 and j1 < j2 and not set(old[i1:i2]).isdisjoint(new[j1:j2]):  # else nothing is to be matched
        anchors = _anchors(old, new, i1, i2, j1, j2) if depth < DEPTH else []
        if anchors:
            for i, j in anchors:
                _match(old, new, i1, i, j1, j, equal, depth + 1)
                equal.append((i, j))
                i1, j1 = i + 1, j + 1
            _match(old, new, i1, i2, j1, j2, equal, depth + 1)
        elif _work(old[i1:i2], new[j1:j2]) <= WORK:
            matcher = SequenceMatcher(None, old[i1:i2], new[j1:j2], autojunk=False)
            for block in matcher.get_matching_blocks():
                equal += [(i1 + block.a + k, j1 + block.b + k) for k in range(block.size)]
    equal += [(i2 + k, j2 + k) for k in range(tail)]


def _work(old: Sequence[str], new: Sequence[str]) -> int:
    """Estimate what matching takes: each stretch found goes over all pairs of equal lines again."""
    left, right = Counter(old), Counter(new)
    return sum(count * right[line] for line, count in left.items()) * min(len(old), len(new))


def _anchors(
    old: Sequence[str], new: Sequence[str], i1: int, i2: int, j1: int, j2: int
) -> list[tuple[int, int]]:
    """Return the most lines that are unique on both sides and stand in the same order on both."""
    left, right = Counter(old[i1:i2]), Counter(new[j1:j2])
    place = {line: j for j, line in enumerate(new[j1:j2], j1) if right[line] == 1 == left[line]}
    pairs = [(i, place[line]) for i, line in enumerate(old[i1:i2], i1) if line in place]
    kept = rising([j for _, j in pairs])
    return [(i, j) for i, j in pairs if j in kept]


def _opcodes(equal: list[tuple[int, int]], many_old: int, many_new: int) -> list[Opcode]:
    found: list[Opcode] = []
    i, j = 0, 0
    for a, b in [*equal, (many_old, many_new)]:
        if a > i or b > j:
            tag = "replace" if a > i and b > j else "delete" if a > i else "insert"
            found.append((tag, i, a, j, b))
        if a == many_old and b == many_new:
            break
        if found and found[-1][0] == "equal":
            found[-1] = ("equal", found[-1][1], a + 1, found[-1][3], b + 1)
        else:
            found.append(("equal", a, a + 1, b, b + 1))
        i, j = a + 1, b + 1
    return found


def rising(values: Sequence[int]) -> set[int]:
    """Return a longest rising part of distinct numbers: what kept its order."""
    tails: list[int] = []
    ends: list[int] = []  # place of the last value of the best part of each length
    before: list[int] = []
    for place, value in enumerate(values):
        length = bisect_left(tails, value)
        if length == len(tails):
            tails.append(value)
            ends.append(place)
        else:
            tails[length], ends[length] = value, place
        before.append(ends[length - 1] if length else -1)
    kept = set()
    place = ends[-1] if ends else -1
    while place >= 0:
        kept.add(values[place])
        place = before[place]
    return kept


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
            yield from edited(old[i1:i2], new[j1:j2])
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


def folded(found: Sequence[Stroke], context: int = CONTEXT) -> list[Stroke]:
    """Leave out the lines that are the same and far from any that differs."""
    near = [place for place, stroke in enumerate(found) if stroke.sign != " "]
    made: list[Stroke] = []
    left = 0
    for place, stroke in enumerate(found):
        at = bisect_left(near, place)
        close = any(abs(place - other) <= context for other in near[max(0, at - 1) : at + 1])
        if close and left:
            made += [found[place - 1]] if left == 1 else [Stroke("@", f"{left:,} lines the same")]
        left = 0 if close else left + 1
        if close:
            made.append(stroke)
    if left:
        made += [found[-1]] if left == 1 else [Stroke("@", f"{left:,} lines the same")]
    return made


def based(text: str, others: Sequence[Sequence[Stroke]]) -> list[Stroke]:
    """Return a whole text, marking the lines that another one lacks or has in another form.

    Parameters
    ----------
    text : str
    others : sequence of sequence of Stroke
        How others differ from it, with all lines.
    """
    marked: dict[int, Stroke] = {}
    for found in others:
        at = 0
        for stroke in found:
            if stroke.sign == "-":
                marked.setdefault(at, stroke)
            at += stroke.sign != "+"
    return [marked.get(at, Stroke(" ", shortened(line))) for at, line in enumerate(text.splitlines())]


def edited(old: Sequence[str], new: Sequence[str]) -> list[Stroke]:
    """Return lines that replace others; where they are as many, each says what of it is another."""
    gone, come = [shortened(line) for line in old], [shortened(line) for line in new]
    paired = (
        [spans(a, b) for a, b in zip(gone, come, strict=False)] if len(gone) == len(come) <= LINES else []
    )
    return [
        *(Stroke("-", line, paired[k][0] if paired else ()) for k, line in enumerate(gone)),
        *(Stroke("+", line, paired[k][1] if paired else ()) for k, line in enumerate(come)),
    ]


def spans(old: str, new: str) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
    """Return the stretches of each line that the other lacks; none where they have too little in common.

    Parameters
    ----------
    old, new : str
        Lines as they are shown.
    """
    words = [_WORD.findall(old), _WORD.findall(new)]
    head, tail = _same_ends(*words)
    inner = [side[head : len(side) - tail] for side in words]
    codes = [("replace", 0, len(inner[0]), 0, len(inner[1]))]
    told = [[word for word in side if not word.isspace()] for side in inner]
    if len(inner[0]) * len(inner[1]) > 1 and _work(*told) <= WORDS:  # else there is nothing, or far too much
        matcher = SequenceMatcher(str.isspace, inner[0], inner[1], autojunk=False)
        codes = [code for code in matcher.get_opcodes() if code[0] != "equal"]
    gone = sum(i2 - i1 + j2 - j1 for _, i1, i2, j1, j2 in codes)
    many = len(words[0]) + len(words[1])
    if not many or (many - gone) / many < LIKE:
        return (), ()
    ends = [[0, *accumulate(map(len, side))][head:] for side in words]
    return (
        tuple((ends[0][i1], ends[0][i2]) for _, i1, i2, _, _ in codes if i2 > i1),
        tuple((ends[1][j1], ends[1][j2]) for _, _, _, j1, j2 in codes if j2 > j1),
    )


def _same_ends(old: Sequence[str], new: Sequence[str]) -> tuple[int, int]:
    """Count the words that are the same at the begin and at the end: most of a line, and quickly found."""
    most = min(len(old), len(new))
    head = next((k for k in range(most) if old[k] != new[k]), most)
    tail = next((k for k in range(most - head) if old[-1 - k] != new[-1 - k]), most - head)
    return head, tail


def shortened(line: str, width: int = WIDTH) -> str:
    """Return a line with its tabs as spaces, cut where it is very long."""
    line = line.expandtabs(4)
    return line if len(line) <= width else f"{line[:width]}… ({len(line):,} characters)"


def unified(found: Sequence[Stroke]) -> str:
    """Return strokes as text, a sign before each line."""
    return "".join(f"{stroke.sign}{stroke.text}\n" for stroke in found)


def counts(found: Sequence[Stroke]) -> str:
    """Say how many lines are new and gone: ``+3 −1``."""
    new, gone = (sum(stroke.sign == sign for stroke in found) for sign in "+-")
    return " ".join(filter(None, (f"+{new}" if new else "", f"−{gone}" if gone else "")))
