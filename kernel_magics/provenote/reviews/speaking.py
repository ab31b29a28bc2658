"""What every act of a review shares: its outcome, the event that it signs, and what it is about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from provenote.errors import UsageError
from provenote.registry.names import visible
from provenote.reviews import anchors, event
from provenote.reviews.anchors import Notebook
from provenote.reviews.desk import Desk
from provenote.reviews.threads import Version


@dataclass(frozen=True, slots=True)
class Done:
    """What was signed.

    Parameters
    ----------
    desk : Desk
        The reviews after it.
    review, event : str
        Ids of the review and of the new event.
    words : str
        What it does.
    notes : tuple of str
        What the person should know about it.
    """

    desk: Desk
    review: str
    event: str
    words: str
    notes: tuple[str, ...] = ()


def said(
    here: Desk,
    kind: str,
    review: str,
    words: str,
    compose: Callable[[Desk], dict[str, Any]],
    beside: tuple[str, ...] = (),
) -> Done:
    """Sign something about a review; it names as seen the heads of that review and of those beside it."""

    def composer(now: Desk) -> tuple[dict[str, Any], list[str]]:
        return {"review": review, **compose(now)}, now.book.heads(*{review, *beside})

    after, name = here.add(kind, words, composer)
    return Done(after, review, name, words)


def version_of(here: Desk, name: str) -> Version:
    """Return the version under review now."""
    version = here.book.current(name).version
    assert version is not None  # `event.parse` asks for it
    return version


def notebook_of(here: Desk, name: str) -> Notebook:
    """Return the notebook under review now.

    Raises
    ------
    UsageError
        If this clone has not its commit.
    """
    found = here.notebook(name)
    if found is None:
        version = version_of(here, name)
        raise UsageError(
            f"commit {version.commit[:12]}, which holds the notebook under review, is not in this clone",
            "Take it: `provenote sync`, or `git fetch` for a branch",
        )
    return found


def words_of(text: str) -> str:
    """Return what somebody says, or refuse what says nothing or too much."""
    told = text.strip()
    if not told:
        raise UsageError("a comment without words says nothing")
    if len(told) > event.TEXT:
        raise UsageError(f"the text has {len(told):,} characters; {event.TEXT:,} are taken", "Shorten it")
    return told


def cell_of(notebook: Notebook, given: str) -> int:
    """Return the index of the cell that a person names by its number from 1, or by its id."""
    if given.isdecimal() and 1 <= int(given) <= len(notebook.cells):
        return int(given) - 1
    named = notebook.places.get(given, ())
    if not named:
        count = len(notebook.cells)
        raise UsageError(
            f"there is no cell {visible(given)!r}: cells are 1 to {count}, or their ids",
            "See them: `provenote review show`",
        )
    return named[-1]  # a captured notebook holds each execution: the last one


def anchor_at(notebook: Notebook, cell: str, line: int | None, output: int | None) -> dict[str, Any]:
    """Return the anchor of what a person points at, by numbers from 1.

    Raises
    ------
    UsageError
        If there is no such cell, line or output; the message says which there are.
    """
    index = cell_of(notebook, cell)
    found = notebook.cells[index]
    if output is not None and not 1 <= output <= len(found.outputs):
        many = len(found.outputs)
        has = f"{many} output{'' if many == 1 else 's'}, counted from 1" if many else "no output"
        raise UsageError(f"cell {index + 1} has {has}: there is no output {output}")
    lines = notebook.lines[index] if output is None else found.outputs[output - 1].text.split("\n")
    if line is not None and not 1 <= line <= len(lines):
        raise UsageError(f"lines are 1 to {len(lines)} there: there is no line {line}")
    return anchors.make(
        notebook,
        index,
        line=None if line is None else line - 1,
        output=None if output is None else output - 1,
    )


def where(cell: str | None, line: int | None, output: int | None) -> str:
    """Say what a person points at."""
    if cell is None:
        return "the notebook"
    words = f"cell {visible(cell)}"
    words += f", output {output}" if output is not None else ""
    return words + (f", line {line}" if line is not None else "")
