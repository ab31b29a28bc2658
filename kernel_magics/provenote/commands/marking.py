"""What the verbs that say something about runs share: which runs are named, and the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from provenote.commands.tree import Context
from provenote.errors import UsageError
from provenote.view import Line, View

if TYPE_CHECKING:
    from provenote.model import Row
    from provenote.stores.annotation import Word

_SHOWN = 3
_FINISHED_ONLY = ("archive", "pin")


def mark(context: Context, word: Word, names: Sequence[str], done: str) -> View:
    """Annotate the named runs with one word."""
    from provenote.stores import annotating

    rows = named(context, word, names)
    annotating.say(context.workspace, word, [row.id for row in rows])
    return noted(word, rows, done)


def named(context: Context, word: str, names: Sequence[str]) -> list[Row]:
    """Return the runs that are named; all of them, or none is annotated.

    Raises
    ------
    UsageError
        If none is named, one is not here, or one still runs and the word is about finished ones.
    """
    from provenote.stores import index

    if not names:
        raise UsageError("no run is named", f"As: `provenote {word} RUN`; all runs: `provenote runs`")
    everything = index.rows(context.workspace, everything=True)[0]
    rows = [index.choose(everything, name) for name in names]
    going = [row.name for row in rows if row.commit is None]
    if going and word in _FINISHED_ONLY:
        raise UsageError(f"{going[0]} is still running", f"When it has ended: `provenote {word} {going[0]}`")
    return rows


def noted(word: str, rows: Sequence[Row], done: str) -> View:
    """Answer what was said about runs, and how it is taken back."""
    names = [row.name for row in rows]
    line = Line(f"{few(rows)} {done}", "ok", aside="`provenote undo`")
    return View([line], {"said": word, "runs": names})


def few(rows: Sequence[Row]) -> str:
    """Return the names of a few runs, and how many more there are."""
    names = list(dict.fromkeys(row.name for row in rows))
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
