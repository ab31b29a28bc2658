"""A review as it is shown: its threads, where each stands in the notebook, its votes. Plain data.

`provenote.reviews.fold` makes them from signed events; `provenote.reviews.anchors` finds the places.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Certainty = Literal["exact", "moved", "guessed", "outdated", "orphan"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a thread stands in one version of the notebook.

    Parameters
    ----------
    cell : int or None
        Index of the cell, from 0; None when it stands nowhere any more.
    cell_id : str or None
        Id of that cell, where it has one.
    target : {'source', 'output'}
        What of the cell it is about.
    line : int or None
        Line of the source or of the output's text, from 0; None: the whole.
    output : int or None
        Index of the output, from 0.
    certainty : {'exact', 'moved', 'guessed', 'outdated', 'orphan'}
        ``exact``: as it was written; ``moved``: the same line or output, elsewhere or in an edited cell;
        ``guessed``: the likeliest place, which a person has to look at; ``outdated``: the cell is there, the
        line or output is not; ``orphan``: nothing like it is there.
    """

    cell: int | None
    cell_id: str | None
    target: Literal["source", "output"]
    line: int | None
    output: int | None
    certainty: Certainty


@dataclass(frozen=True, slots=True)
class Comment:
    """One thing that somebody said.

    Parameters
    ----------
    id : str
        Id of its event.
    by : str
        The person; for a key that nobody here knows those very words, with what it says of itself.
    at : int
        When, as its author says; seconds since 1970.
    text : str
        The text in force; empty if it was deleted.
    edited, deleted : bool
        Whether its author changed it, or took it back.
    known : bool
        Whether the key that signed it is known here to be this person's.
    """

    id: str
    by: str
    at: int
    text: str
    edited: bool
    deleted: bool
    known: bool = True


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Another source for the thread's cell.

    Parameters
    ----------
    id : str
        Id of its event.
    cell_id : str
        Id of the cell.
    old : str
        SHA-256 of the source that it replaces, in UTF-8.
    source : str
        The source to put there.
    fits : bool
        Whether the notebook under review still has that source in that cell.
    by : str
    known : bool
        As of a comment.
    """

    id: str
    cell_id: str
    old: str
    source: str
    fits: bool
    by: str = ""
    known: bool = True


@dataclass(frozen=True, slots=True)
class Thread:
    """Comments about one place.

    Parameters
    ----------
    id : str
        Id of the event that opened it.
    anchor : mapping
        The place as it was when it was opened: see `provenote.reviews.anchors`. Empty: the whole notebook.
    place : Place
        Where that is in the notebook under review now.
    state : {'open', 'resolved'}
    comments : tuple of Comment
        The first one opened it.
    suggestion : Suggestion or None
        The last one made in it.
    marked_by : str or None
        Who resolved it, or opened it again.
    known : bool
        Whether a known person opened it: only then it holds anything up.
    """

    id: str
    anchor: Mapping[str, Any]
    place: Place
    state: Literal["open", "resolved"]
    comments: tuple[Comment, ...]
    suggestion: Suggestion | None
    marked_by: str | None = None
    known: bool = True


@dataclass(frozen=True, slots=True)
class Vote:
    """What one person says of the whole notebook: their last word.

    Parameters
    ----------
    by : str
    decision : {'approve', 'request-changes'}
    at : int
    why : str
    stale : bool
        Whether it was about another version of the notebook than the one under review now.
    known : bool
        Whether the key is known here to be this person's: only then it counts.
    id : str
        Id of its event.
    """

    by: str
    decision: Literal["approve", "request-changes"]
    at: int
    why: str
    stale: bool
    known: bool = True
    id: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a notebook: a file in a commit.

    Parameters
    ----------
    path : str
        POSIX path of the file from the Git root.
    commit : str
        The commit that holds it.
    blob : str
        Git's id of its bytes.
    sha256 : str
        SHA-256 of its bytes.
    run : str or None
        Id of the run, when it is what a run captured of the executed cells.
    label : str
        How to call it: the run's name, a branch, the start of the commit.
    """

    path: str
    commit: str
    blob: str
    sha256: str
    run: str | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """A review and where it stands.

    Parameters
    ----------
    id : str
        Id of the event that started it.
    title : str
    path : str
        The notebook's path as people call it.
    base : Version or None
        What the notebook is compared with; None: with nothing.
    head : Version
        The version under review now.
    started_by : str
    threads : tuple of Thread
        In the order of the notebook; those that stand nowhere last.
    votes : tuple of Vote
    state : {'open', 'approved', 'changes-requested'}
        ``approved``: somebody known approves this very version, nobody asks for changes, no thread is open.
    known : bool
        Whether a known person started it.
    at : int
        When it was started, as the event says; seconds since 1970.
    """

    id: str
    title: str
    path: str
    base: Version | None
    head: Version
    started_by: str
    threads: tuple[Thread, ...]
    votes: tuple[Vote, ...]
    state: Literal["open", "approved", "changes-requested"]
    known: bool = True
    at: int = 0

    @property
    def open_threads(self) -> tuple[Thread, ...]:
        """The threads that somebody known opened and nobody has resolved."""
        return tuple(one for one in self.threads if one.state == "open" and one.known)
