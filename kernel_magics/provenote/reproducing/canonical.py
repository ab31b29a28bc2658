"""Outputs without what no two executions have in common, so that equal ones are equal. Pure.

Beyond what `provenote.compare.notebooks` settles (addresses, random ids, overwritten progress): the folder of
the project, the file names that IPython gives to cells, what ``%time`` and its like print, and durations.
What a cell wrote to its standard error is left out: progress bars and warnings say how, not what.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence

from provenote.compare.notebooks import NotebookCell, Output, settled
from provenote.reproducing.tolerance import Tolerance

_CELL_FILE = re.compile(r"(?:/[\w.+-]+)*/ipykernel_\d+/\d+\.py|<ipython-input-\d+-[0-9a-f]+>")
_TIMED = re.compile(
    r"^CPU times: .*$|^Wall time: .*$|^(?:Compiler|Parser)\s*: .*$|^.* per loop \(mean ± std\. dev\. .*$"
    r"|^The slowest run took .*$",
    re.M,
)
_DURATION = re.compile(
    r"(?<![\w.])\d+(?:\.\d+)?(?:e[+-]?\d+)?[ \u202f]?"
    r"(?:ns|[u\u00b5\u03bc]s|ms|s|secs?|seconds?|minutes?)\b(?!/)"
)
_NUMBER = re.compile(r"(?<![\w.])[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w])")
_PICTURES = ("image/png", "image/jpeg", "image/gif", "application/pdf")


def cell(found: NotebookCell, folders: Sequence[str]) -> NotebookCell:
    """Return a cell with its outputs in canonical form.

    Parameters
    ----------
    found : NotebookCell
    folders : sequence of str
        Where the project may have stood.
    """
    kept = [one for one in found.outputs if not (one.kind == "stream" and one.name == "stderr")]
    return dataclasses.replace(found, outputs=tuple(_output(one, folders) for one in kept))


def _output(found: Output, folders: Sequence[str]) -> Output:
    data = {
        mime: body if mime in _PICTURES else text(body, folders) for mime, body in sorted(found.data.items())
    }
    if found.kind == "error":  # how a traceback is drawn depends on where it ran
        data = {"text/plain": data.get("text/plain", "").strip().rpartition("\n")[2]}
    return dataclasses.replace(found, data=data)


def text(words: str, folders: Iterable[str]) -> str:
    """Return a text in canonical form."""
    words = settled(words)
    for folder in sorted(folders, key=len, reverse=True):
        words = words.replace(folder, "…")
    return _DURATION.sub("…", _TIMED.sub("…", _CELL_FILE.sub("…", words)))


def near(then: NotebookCell, now: NotebookCell, tolerance: Tolerance) -> bool:
    """Tell whether the outputs of two canonical cells differ in numbers alone, each within the tolerance."""
    if not tolerance.size or len(then.outputs) != len(now.outputs):
        return False
    return all(_near(old, new, tolerance) for old, new in zip(then.outputs, now.outputs, strict=True))


def _near(old: Output, new: Output, tolerance: Tolerance) -> bool:
    if (old.kind, old.name, old.data.keys()) != (new.kind, new.name, new.data.keys()):
        return False
    for mime, body in old.data.items():
        other = new.data[mime]
        if body == other:
            continue
        if mime in _PICTURES or _NUMBER.sub("#", body) != _NUMBER.sub("#", other):
            return False
        pairs = zip(_NUMBER.findall(body), _NUMBER.findall(other), strict=True)
        if not all(tolerance.holds(float(a), float(b)) for a, b in pairs):
            return False
    return True
