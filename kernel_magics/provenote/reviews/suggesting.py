"""Suggest another source for a cell, and put one into the notebook file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provenote.errors import Refused, UsageError
from provenote.reviews import anchors, desk, event, notebook_file
from provenote.reviews.anchors import Notebook
from provenote.reviews.speaking import Done, cell_of, notebook_of, said, words_of
from provenote.reviews.threads import Suggestion
from provenote.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Edited:
    """A file that holds a cell's new source: as its text, or a notebook with the same cell."""

    path: Path

    def source(self, notebook: Notebook, index: int) -> str:
        """Return the source that it has for a cell of the notebook under review.

        Raises
        ------
        UsageError
            If it cannot be read, or has no such cell.
        """
        try:
            content = self.path.read_bytes()
            if self.path.suffix != ".ipynb":
                return content.decode().replace("\r\n", "\n").removesuffix("\n")
            edited = anchors.read(content)
        except OSError as error:
            raise UsageError(f"{self.path} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise UsageError(f"{self.path} cannot be read: {error}") from None
        if named := edited.places.get(notebook.ids[index], ()):
            return edited.cells[named[-1]].source
        if index < len(edited.cells) and not edited.ids[index]:
            return edited.cells[index].source
        raise UsageError(f"{self.path} has no cell with the id of cell {index + 1}", "Give it as --source")


def suggest(
    workspace: Workspace,
    reference: str | None,
    source: str | Edited,
    *,
    cell: str | None = None,
    thread: str | None = None,
    text: str | None = None,
) -> Done:
    """Suggest another source for a cell, in a new thread or in one that stands at a cell.

    Parameters
    ----------
    workspace : Workspace
    reference : str or None
        The review; not needed with a thread.
    source : str or Edited
        The whole new source of the cell, or the file that has it.
    cell : str, optional
        Number from 1, or id.
    thread : str, optional
        Start of a thread's id.
    text : str, optional
        Why.
    """
    here = desk.read(workspace)
    if thread is not None:
        name, opened = here.thread(thread)
        notebook = notebook_of(here, name)
        place = here.shown_thread(name, opened).place.cell
        if cell is None and place is None:
            raise UsageError(f"thread {opened[:8]} stands at no cell", "Name the cell: `--cell 3`")
        index = cell_of(notebook, cell) if cell is not None else int(place or 0)
        body: dict[str, Any] = {"thread": opened}
    elif cell is not None:
        name = here.find(reference)
        notebook = notebook_of(here, name)
        index = cell_of(notebook, cell)
        body = {"anchor": anchors.make(notebook, index)}
    else:
        raise UsageError("a suggestion for which cell?", "Name it: `--cell 3`, or `--thread ID`")
    old = notebook.cells[index].source
    source = source if isinstance(source, str) else source.source(notebook, index)
    if source == old:
        raise UsageError(f"cell {index + 1} has that very source already")
    if len(source) > event.SOURCE:
        raise UsageError(f"the source has {len(source):,} characters; {event.SOURCE:,} are taken")
    body |= {"cell": notebook.ids[index], "old": anchors.digest(old), "source": source}
    if text:
        body["text"] = words_of(text)
    words = f"suggest another source for cell {index + 1}"
    return said(here, "suggestion", name, words, lambda now: body)


def apply(workspace: Workspace, thread: str) -> tuple[str, int, Suggestion]:
    """Write a thread's suggestion into the notebook file, if that cell's source is still the one it replaces.

    Returns
    -------
    (path, cell, suggestion)
        The file from the Git root and the cell's index that were written.

    Raises
    ------
    Refused
        If the cell was edited, the file is reached through a link, or nobody here knows who suggests it.
    """
    here = desk.read(workspace)
    name, found = here.thread(thread)
    suggestion = here.shown_thread(name, found).suggestion
    if suggestion is None:
        raise UsageError(f"thread {found[:8]} has no suggestion")
    if not suggestion.known:
        raise Refused(
            f"this suggestion is by an {suggestion.by}, and only those of known people are applied",
            "Read it: `provenote review show`, and type it yourself",
        )
    path = event.check_path(here.book.events[name].text("path"))
    target = notebook_file.plain(workspace.top, path)
    before = target.read_bytes()
    after, cell = notebook_file.replaced(before, suggestion.cell_id, suggestion.old, suggestion.source)
    notebook_file.write(workspace.top, path, before, after)
    return path, cell, suggestion
