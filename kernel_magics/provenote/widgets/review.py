"""``%review show`` as a widget: the page, and below it what a person says: a thread, a reply, resolved.

Each press calls what the verb of the same name calls, and signs it at once as that does. Votes are no
buttons: a vote is signed by who types the notebook's name, and the code of a notebook could press a button.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from provenote.errors import ProvenoteError, UsageError
from provenote.render import html
from provenote.render.legible import middle, visible
from provenote.reviews import acting, desk, page, page_threads, show, suggesting
from provenote.reviews.threads import Thread

if TYPE_CHECKING:
    from provenote.reviews.desk import Desk
    from provenote.workspace import Workspace

NEW = ""
"""What the list of threads says for one that is not there yet."""
CELLS = 2_000
"""Cells that the list of places names."""


class Reviewing:
    """The widget of one ``%review show``.

    Parameters
    ----------
    workspace : Workspace
    name : str
        Id of the review.
    keep : callable
        Told the page anew whenever something was said: what a saved notebook keeps.

    Attributes
    ----------
    box : ipywidgets.VBox
        What is displayed.
    """

    def __init__(self, workspace: Workspace, name: str, keep: Callable[[str], None]) -> None:
        import ipywidgets

        self._workspace, self._name, self._keep = workspace, name, keep
        self._threads: dict[str, Thread] = {}
        short, label = {"width": "110px"}, {"description_width": "initial"}
        wide = {"width": "auto", "max_width": "480px"}
        self._page = ipywidgets.HTML()
        self.thread = ipywidgets.Dropdown(
            description="Thread", options=[("new", NEW)], layout=wide, style=label
        )
        self.cell = ipywidgets.Dropdown(description="on", options=[("", "")], layout=wide, style=label)
        self.output = ipywidgets.Text(placeholder="output", layout=short)
        self.line = ipywidgets.Text(placeholder="line", layout=short)
        self.text = ipywidgets.Textarea(
            placeholder="What you say; code in `back quotes`", layout={"width": "auto", "height": "72px"}
        )
        self.send = ipywidgets.Button(description="Open thread")
        self.mark = ipywidgets.Button(description="Resolve")
        self.apply = ipywidgets.Button(
            description="Apply to the notebook file", layout={"width": "max-content"}
        )
        self.told = ipywidgets.HTML()
        self.thread.observe(lambda change: self._chosen(), "value")
        for button, act in ((self.send, self._sent), (self.mark, self._marked), (self.apply, self._applied)):
            button.on_click(lambda pressed, act=act: self._try(act))
        self._where = ipywidgets.HBox([self.cell, self.output, self.line])
        bar = ipywidgets.HBox([self.thread, self._where])
        buttons = ipywidgets.HBox([self.send, self.mark, self.apply])
        self.box = ipywidgets.VBox([self._page, bar, self.text, buttons, self.told])
        self.box.add_class("pn-shown")
        self._show(desk.read(workspace), first=True)

    def close(self) -> None:
        """Take the widget away."""
        self.box.close()

    def _show(self, here: Desk, *, first: bool = False) -> None:
        """Draw the page, and list the threads and the cells that can be spoken of."""
        review = here.review(self._name)
        head, base = show.contents(here, review)
        block = page.block(review, base, head)
        self._page.value = block
        if not first:
            self._keep(block)
        notebook = here.notebook(self._name)
        cells = [("the whole notebook", "")]
        for number, cell in enumerate(notebook.cells[:CELLS] if notebook else (), 1):
            begin = next((line.strip() for line in cell.source.splitlines() if line.strip()), "empty")
            cells.append((f"cell {number}: {_plain(begin, 50)}", str(number)))
        chosen = self.cell.value
        self.cell.options = cells
        self.cell.value = chosen if chosen in {value for _, value in cells} else ""
        self._threads = {thread.id: thread for thread in review.threads}
        listed = [("new", NEW)]
        for number, thread in enumerate(review.threads, 1):
            words = f"{number}, {page_threads.place(thread.place)}, {thread.state}: {thread.comments[0].text}"
            listed.append((_plain(words, 70), thread.id))
        kept = self.thread.value
        self.thread.options = listed
        self.thread.value = kept if kept in self._threads else NEW
        self._chosen()

    def _chosen(self) -> None:
        """Offer what can be done with the chosen thread."""
        thread = self._threads.get(self.thread.value)
        self._where.layout.display = "none" if thread else ""
        self.send.description = "Reply" if thread else "Open thread"
        self.mark.layout.display = "" if thread else "none"
        self.mark.description = "Open again" if thread and thread.state == "resolved" else "Resolve"
        fits = thread is not None and thread.suggestion is not None and thread.suggestion.fits
        self.apply.layout.display = "" if fits else "none"

    def _try(self, act: Callable[[], str]) -> None:
        """Do what a button says, and tell how it went; what was written stays where it was refused."""
        try:
            words = act()
        except ProvenoteError as error:
            self.told.value = html.block(f'<div class="pn-f pn-error">{html.prose(error.line)}</div>')
            return
        self.told.value = html.block(f'<div class="pn-f">{html.prose(words)}</div>')
        self._show(desk.read(self._workspace))

    def _sent(self) -> str:
        text = self.text.value.strip()
        if not text:
            raise UsageError("there is nothing to say yet", "Write it in the field above")
        if self.thread.value != NEW:
            done = acting.reply(self._workspace, self.thread.value, text)
        else:
            line, output = _number(self.line.value, "line"), _number(self.output.value, "output")
            cell = self.cell.value or None
            done = acting.comment(self._workspace, self._name, text, cell=cell, line=line, output=output)
        self.text.value = self.line.value = self.output.value = ""
        return f"{done.words}; share it: `provenote sync`"

    def _marked(self) -> str:
        resolved = self._threads[self.thread.value].state == "resolved"
        done = acting.mark(self._workspace, self.thread.value, "unresolve" if resolved else "resolve")
        return f"{done.words}; share it: `provenote sync`"

    def _applied(self) -> str:
        path, cell, suggestion = suggesting.apply(self._workspace, self.thread.value)
        return f"cell {cell + 1} of {path} has the source that {suggestion.by} suggests; reload it from disk"


def _plain(text: str, width: int) -> str:
    return middle(visible(text), width)


def _number(given: str, what: str) -> int | None:
    """Return a number from 1 that a person wrote, None for nothing."""
    if not given.strip():
        return None
    try:
        return int(given)
    except ValueError:
        raise UsageError(f"{visible(given[:40])} is the number of no {what}", "Count from 1") from None
