"""What a verb answers: plain data that any face can show.

A verb returns one `View`. The terminal, the notebook and ``--json`` render it (`provenote.render`);
none of them computes anything. Roles are meanings, not colours: see `Role`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["plain", "muted", "strong", "code", "ok", "warn", "error", "run", "better", "worse"]
Mark = Literal["", "ok", "failed", "killed", "warn", "running", "queued", "silent"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One text with its role and, where it was cut, its full form as ``title``."""

    text: str
    role: Role = "plain"
    title: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading (with the unit, not in the cells) and how it is aligned.

    ``keep``: it stays where a narrow terminal drops columns from the right; the first one always does.
    """

    heading: str
    align: Literal["left", "right"] = "left"
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table; ``marks`` give each row its state, ``foot`` are the lines below it."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    marks: Sequence[Mark] = ()
    caption: str = ""
    foot: Sequence[str] = ()
    empty: str = "Nothing here yet."


@dataclass(frozen=True, slots=True)
class Line:
    """One line: a mark, its text, and an aside at the right end."""

    text: str
    mark: Mark = ""
    role: Role = "plain"
    aside: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values, one pair a line."""

    pairs: Sequence[tuple[str, Cell]]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG with its words for who cannot see it."""

    png: bytes
    alt: str


@dataclass(frozen=True, slots=True)
class Text:
    """Several lines of our own, set as they are: help, source code. Never a name or note of a run."""

    text: str


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line of a text that differs: new (``+``), gone (``-``), in both, or lines left out here (``@``).

    ``spans`` are the stretches of a changed line that are not in the other form of it, as begin and end.
    """

    sign: Literal["+", "-", " ", "@"]
    text: str
    spans: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True, slots=True)
class Changes:
    """How a text differs from the first one's: for each other that differs, its heading and its lines.

    ``base`` is the first one's heading and whole text, for a face that has room to set them side by side.
    """

    columns: Sequence[tuple[str, Sequence[Stroke]]]
    caption: str = ""
    base: tuple[str, Sequence[Stroke]] | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """A picture that a run put out: its bytes (empty: none), MIME type, whose it is, its words."""

    data: bytes
    mime: str
    heading: str
    alt: str


@dataclass(frozen=True, slots=True)
class Beside:
    """Pictures of several runs beside each other."""

    images: Sequence[Image]
    caption: str = ""


Part = Table | Line | Facts | Picture | Text | Changes | Beside


@dataclass(frozen=True, slots=True)
class View:
    """The answer of a verb.

    Parameters
    ----------
    parts : sequence of Part
        What is shown, from top to bottom.
    data : object
        The same as plain JSON data, for ``--json`` and for Python.
    status : int
        Exit status of the command line: 0 yes, 1 the verdict is no.
    """

    parts: Sequence[Part] = ()
    data: Any = None
    status: int = 0
    more: dict[str, Any] = field(default_factory=dict)
    """Live objects for a richer face (e.g. rows for a widget); never needed by a plain one."""


def said(text: str, mark: Mark = "ok", **data: Any) -> View:
    """Answer with one line; ``data`` is its JSON form."""
    return View([Line(text, mark)], data or {"message": text})
