"""Whether the cells of a notebook ran in the order in which they stand: a pure verdict and its evidence.

- An *execution* is one cell run by the kernel; a *document* is the notebook as it was known at a moment.
- Executions that ran nothing, and cells of only our reading verbs, do not count.
- Each execution that counts is placed at a cell of the document: by its id, or by its source when the client
  has ids of its own (VS Code) or sends none, and only where one cell alone has that source.
- What an older document does not say about a later execution is not known: its silence counts only when it
  was seen after that execution began.
- The evidence holds all that the verdict was made from, so that `recompute` gives the same verdict again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from provenote.model import SCHEMA, Linearity

Origin = Literal["labextension", "job", "file"]
_NBFORMAT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Execution:
    """One cell run by the kernel.

    Parameters
    ----------
    number : int
        Its prompt number, ``In[number]``; 0 where the shell counts none.
    cell : str or None
        The cell's id as the client sent it.
    source : str
        `digest` of the source that ran.
    at : float
        When it began, in seconds since 1970; of a cell run before the extension was loaded, when that was.
    ok : bool or None
        Whether it succeeded; None while it runs, or when nobody knows.
    counts : bool
        False when it ran nothing (a syntax error, a refused cell) or only read.
    before_load : bool
        Whether it ran before the extension was loaded, so that only its source and order are known.
    """

    number: int
    cell: str | None
    source: str
    at: float
    ok: bool | None = None
    counts: bool = True
    before_load: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """The code cells of a notebook, in their order, as they were known at a moment.

    Parameters
    ----------
    cells : tuple of (str or None, str)
        Id (None where the format has none) and `digest` of the source of each code cell.
    at : float
        When the document was like this, in seconds since 1970: when it was saved, or told.
    origin : {'labextension', 'job', 'file'}
        Who told it.
    """

    cells: tuple[tuple[str | None, str], ...]
    at: float
    origin: Origin = "file"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the cells ran in order, and why.

    Parameters
    ----------
    verdict : {'linear', 'rerun', 'out-of-order', 'unknown'}
    why : tuple of str
        The reasons, one sentence each; empty for ``linear``.
    skipped : tuple of str
        Cells of the document that did not run though a later one did.
    """

    verdict: Linearity
    why: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Step:
    """An execution that counts, and its cell: the place in the document, else a name of its own."""

    cell: int | str
    execution: Execution
    tracked: bool
    ambiguous: str = ""
    """Why nobody can say where the cell stands although the document may hold it."""

    @property
    def place(self) -> int | None:
        return self.cell if isinstance(self.cell, int) else None

    @property
    def title(self) -> str:
        execution = self.execution
        cell = "" if execution.cell is None else f" (cell {execution.cell})"
        return f"In[{execution.number}]{cell}"


def digest(source: str) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a source without its trailing white space."""
    return hashlib.sha256(source.rstrip().encode("utf-8", "surrogatepass")).hexdigest()[:16]


def judge(
    executions: Sequence[Execution],
    document: Document | None,
    deleted: Mapping[str, float] | None = None,
    tracked: int | None = None,
    *,
    absent: str = "no document is known",
) -> Verdict:
    """Judge whether the cells ran in the order in which they stand.

    Parameters
    ----------
    executions : sequence of Execution
        Everything the kernel ran since it started, in order.
    document : Document or None
        The best knowledge of the notebook.
    deleted : mapping of str to float, optional
        Ids of cells that the client reported as deleted, and when it did.
    tracked : int, optional
        Index in ``executions`` of the one that the run belongs to: this cell may be edited and run again.
    absent : str
        Why there is no document.

    Returns
    -------
    Verdict
        ``out-of-order`` as soon as one thing proves it; else ``unknown`` when something could hide it; else
        ``rerun`` when a cell ran more than once; else ``linear``.
    """
    if not any(execution.counts for execution in executions):
        return Verdict("unknown", ("no cell that counts has run",))
    if document is None:
        return Verdict("unknown", (absent,))
    gone = _gone(executions, document, deleted or {})
    steps = _place(executions, document, tracked)
    if not any(step.place is not None or step.ambiguous or step.execution.cell in gone for step in steps):
        return Verdict("unknown", (_unrelated(steps, document),))
    last = {step.cell: step for step in steps}
    wrong, doubts = _two_sources(steps, last), []
    for step in last.values():
        proven, doubt = _changed(step, document, gone)
        wrong += [proven] if proven else []
        doubts += [doubt] if doubt else []
    ordered = [step for step in steps if last[step.cell] is step and step.place is not None]
    for before, after in zip(ordered, ordered[1:], strict=False):
        if (before.place or 0) > (after.place or 0):
            wrong.append(f"{after.title} ran after {before.title}, which it precedes in the document")
    skipped = _skipped(ordered, document)
    if wrong:
        return Verdict("out-of-order", tuple(wrong), skipped)
    if doubts:
        return Verdict("unknown", tuple(doubts), skipped)
    if len(steps) > len(last):
        return Verdict("rerun", _again(steps, last), skipped)
    return Verdict("linear", (), skipped)


def _gone(executions: Sequence[Execution], document: Document, deleted: Mapping[str, float]) -> set[str]:
    """Return the deleted cells, but those that came back: run again, or in a document seen later."""
    there = {cell for cell, _ in document.cells}
    ran = {execution.cell: execution.at for execution in executions}
    return {
        cell
        for cell, when in deleted.items()
        if not (cell in there and document.at > when) and ran.get(cell, when) <= when
    }


def _place(executions: Sequence[Execution], document: Document, tracked: int | None) -> list[_Step]:
    """Find the cell of each execution that counts."""
    places = {cell: index for index, (cell, _) in enumerate(document.cells) if cell is not None}
    holders: dict[str, list[int]] = {}
    for index, (_, source) in enumerate(document.cells):
        holders.setdefault(source, []).append(index)
    counting = [(index, execution) for index, execution in enumerate(executions) if execution.counts]
    shared = any(execution.cell in places for _, execution in counting)
    # Ids of the client's own still tell one cell from another; its last source finds the place.
    foreign = {
        execution.cell: execution.source
        for _, execution in counting
        if execution.cell is not None and not (shared and _NBFORMAT_ID.fullmatch(execution.cell))
    }
    claims: dict[int, int] = {}
    for source in foreign.values():
        for place in holders.get(source, ()):
            claims[place] = claims.get(place, 0) + 1
    steps = []
    for index, execution in counting:
        cell: int | str = execution.cell or f"#{index}"
        ambiguous = ""
        if execution.cell is not None and execution.cell not in foreign:
            cell = places.get(execution.cell, cell)
        else:
            found = holders.get(foreign.get(execution.cell or "", execution.source), [])
            if len(found) > 1:
                ambiguous = f"{len(found)} cells of the document have its source"
            elif len(found) == 1 and execution.cell is not None and claims[found[0]] > 1:
                ambiguous = "another cell that ran has its source, which stands once in the document"
            elif found:
                cell = found[0]
        steps.append(_Step(cell, execution, index == tracked, ambiguous))
    return steps


def _changed(step: _Step, document: Document, gone: set[str]) -> tuple[str, str]:
    """Tell what became of a cell after it ran for the last time: what is proven, and what is doubtful."""
    execution = step.execution
    if execution.cell in gone:
        return f"{step.title} was deleted after it ran", ""
    if step.ambiguous:
        return "", f"{step.title} has no sure place: {step.ambiguous}"
    seen_later = document.at > execution.at
    if step.place is None:
        if not seen_later:
            return "", f"{step.title} is not in the document, which was not saved since it ran"
        if execution.cell is None and (step.tracked or execution.ok is False):
            # Without an id nobody can tell whether this cell was mended and run again, as these two may be.
            return "", f"{step.title} is no longer in the document with the source that ran"
        return f"{step.title} was edited or deleted after it ran", ""
    if document.cells[step.place][1] == execution.source or step.tracked:
        return "", ""
    if seen_later:
        return f"{step.title} was edited after it ran", ""
    return "", f"{step.title} ran with another source than the document holds, which was not saved since"


def _two_sources(steps: Sequence[_Step], last: Mapping[int | str, _Step]) -> list[str]:
    found = []
    for step in steps:
        final = last[step.cell]
        other = step.execution.source != final.execution.source
        if other and step.execution.ok is not False and not final.tracked:
            found.append(f"{final.title} ran with another source before, as In[{step.execution.number}]")
    return found


def _again(steps: Sequence[_Step], last: Mapping[int | str, _Step]) -> tuple[str, ...]:
    found = []
    for step in steps:
        final = last[step.cell]
        if step is not final:
            mended = step.execution.ok is False and step.execution.source != final.execution.source
            how = "failed, was mended and ran again" if mended else "ran again"
            found.append(f"In[{step.execution.number}] {how} as In[{final.execution.number}]")
    return tuple(found)


def _skipped(ordered: Sequence[_Step], document: Document) -> tuple[str, ...]:
    ran = {step.place for step in ordered}
    furthest = max((place for place in ran if place is not None), default=0)
    empty = digest("")
    return tuple(
        cell or f"#{index}"
        for index, (cell, source) in enumerate(document.cells[:furthest])
        if index not in ran and source != empty
    )


def _unrelated(steps: Sequence[_Step], document: Document) -> str:
    if any(step.execution.at > document.at for step in steps):
        return "the notebook was not saved since these cells ran"
    return "none of the cells that ran is in the document"


# ---------------------------------------------------------------------- evidence


def evidence(
    executions: Sequence[Execution],
    document: Document | None,
    deleted: Mapping[str, float],
    tracked: int | None,
    verdict: Verdict,
    *,
    absent: str = "no document is known",
) -> dict[str, Any]:
    """Return the plain data that a verdict was made from, with its reasons; `recompute` reads it."""
    made: dict[str, Any] = {
        "schema": SCHEMA,
        "why": list(verdict.why),
        "skipped": list(verdict.skipped),
        "executions": [_execution_data(execution) for execution in executions],
        "document": None,
        "deleted": dict(deleted),
        "tracked": tracked,
    }
    if document is None:
        made["absent"] = absent
    else:
        made["document"] = {
            "from": document.origin,
            "at": document.at,
            "cells": [[cell, source] for cell, source in document.cells],
        }
    return made


def _execution_data(execution: Execution) -> dict[str, Any]:
    data: dict[str, Any] = {
        "n": execution.number,
        "cell": execution.cell,
        "source": execution.source,
        "at": execution.at,
        "ok": execution.ok,
    }
    if not execution.counts:
        data["counts"] = False
    if execution.before_load:
        data["before_load"] = True
    return data


def recompute(evidence: Mapping[str, Any]) -> Verdict:
    """Make the verdict again from the ``evidence`` of a ``run.json``.

    Raises
    ------
    KeyError, TypeError
        If it is not evidence of schema 1.
    """
    if "script" in evidence:
        return Verdict("linear")
    told = evidence["document"]
    document = None
    if told is not None:
        document = Document(tuple((cell, source) for cell, source in told["cells"]), told["at"], told["from"])
    executions = [
        Execution(
            one["n"],
            one["cell"],
            one["source"],
            one["at"],
            one["ok"],
            one.get("counts", True),
            one.get("before_load", False),
        )
        for one in evidence["executions"]
    ]
    absent = evidence.get("absent", "no document is known")
    return judge(executions, document, evidence["deleted"], evidence["tracked"], absent=absent)
