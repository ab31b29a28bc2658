"""Show runs, comparisons, reviews, contracts, verdicts: the static form, the widget where one can live.

JupyterLab prefers the view of a widget to everything else in its bundle, and shows an error in its place when
the kernel is gone. So the two are outputs of their own: while the widget lives, the style sheet hides the
static form before it; in a notebook that is opened without its kernel it hides what is left of the widget.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from provenote.widgets import kept, live

if TYPE_CHECKING:
    from provenote.contracts.contract import Contract
    from provenote.view import View
    from provenote.workspace import Workspace

VIEW = "application/vnd.jupyter.widget-view+json"
_CHILD = ".jp-OutputArea-child"
STYLE = (
    f"<style>{_CHILD}:has(.pn-kept):has(+{_CHILD} .pn-shown),"
    f"{_CHILD}:has(.pn-kept)+{_CHILD}:has(>.jp-OutputArea-output.lm-Panel):not(:has(.pn-shown))"
    "{display:none}</style>"
)

_open: dict[str, tuple[str, list[Any]]] = {}
"""Cell -> its last execution and the widgets that it made; another execution closes them."""


def runs(shown: View, workspace: Workspace, compare: Callable[[list[str]], View]) -> None:
    """Show a listing.

    Parameters
    ----------
    shown : View
        What the verb answered; ``more["listed"]`` says what was asked.
    workspace : Workspace
    compare : callable
        Returns the comparison of runs by their names.
    """
    if not live.interactive():
        _display(kept.bundle(shown, workspace))
        return
    from provenote.widgets import follow
    from provenote.widgets.board import Board

    handle = _keep(shown, workspace)
    board = Board(shown.more["listed"], workspace, compare)
    _own(board)
    _display(_bundle(board.box))
    follow.start(board, _picture(handle, shown, workspace))


def comparison(shown: View, workspace: Workspace, compare: Callable[[list[str]], View]) -> None:
    """Show a comparison; parameters as for `runs`."""
    whole = kept.bundle(shown, workspace)
    if not live.interactive():
        _display(whole)
        return
    from provenote.widgets import follow
    from provenote.widgets.beside import Beside

    _display(_static(whole))
    widget = Beside(shown, workspace, compare)
    _own(widget)
    _display(_bundle(widget.box))
    follow.draw(widget.drawn, widget.draw)


def review(shown: View, workspace: Workspace) -> None:
    """Show a review, and what can be said of it.

    Parameters
    ----------
    shown : View
        What the verb answered; ``more["review"]`` is the review's id, ``more["html"]`` draws its page.
    workspace : Workspace
    """
    from provenote.render import terminal

    drawn = shown.more["html"]()
    whole = {"text/html": drawn, "text/plain": terminal.render(shown, width=100, color=False)}
    if not live.interactive():
        _display(whole)
        return
    from provenote.widgets.review import Reviewing

    handle = _display(_static(whole), display_id=True)
    widget = Reviewing(
        workspace,
        shown.more["review"],
        lambda block: handle.update(_static({**whole, "text/html": block}), raw=True),
    )
    _own(widget)
    _display(_bundle(widget.box))


def contract(shown: View) -> None:
    """Show a contract, as a table to edit where one can live.

    Parameters
    ----------
    shown : View
        What the verb answered; ``more["contract"]`` is what was made.
    """
    from provenote.render import html, terminal
    from provenote.view import View
    from provenote.widgets.contract import Editing, table

    made = shown.more["contract"]

    def whole(rules: Contract) -> dict[str, str]:
        view = View([*shown.parts, table(rules)])
        return {"text/html": html.render(view), "text/plain": terminal.render(view, width=100, color=False)}

    if not live.interactive():
        _display(whole(made.contract))
        return
    handle = _display(_static(whole(made.contract)), display_id=True)
    widget = Editing(made.file, lambda rules: handle.update(_static(whole(rules)), raw=True))
    _own(widget)
    _display(_bundle(widget.box))


def verdicts(shown: View, also: dict[str, Any]) -> None:
    """Show verdicts.

    Parameters
    ----------
    shown : View
        What the verb answered; ``more["verdicts"]`` are name and plain form of each, ``more["above"]`` and
        ``more["below"]`` the parts that the widget does not stand in for.
    also : dict
        Other MIME types of what a saved notebook keeps.
    """
    from provenote.render import html, terminal
    from provenote.view import View

    words = terminal.render(shown, width=100, color=False)
    whole = {"text/html": html.render(shown), "text/plain": words, **also}
    if not live.interactive():
        _display(whole)
        return
    from provenote.widgets.verdict import Verdicts

    _display(_static(whole))
    around = [shown.more.get(place) for place in ("above", "below")]
    widget = Verdicts(
        shown.more["verdicts"], *(html.render(View(parts)) if parts else "" for parts in around)
    )
    _own(widget)
    _display(_bundle(widget.box))


def _keep(shown: View, workspace: Workspace) -> Any:
    """Show the static form without its pictures, which a thread draws; return how to replace it."""
    return _display(_static(kept.bundle(shown, workspace, pictures=False)), display_id=True)


def _static(bundle: dict[str, Any]) -> dict[str, Any]:
    return bundle | {"text/html": f'<div class="pn-kept">{STYLE}{bundle["text/html"]}</div>'}


def _picture(handle: Any, shown: View, workspace: Workspace) -> Callable[[], None]:
    """Return what draws the pictures of the static form: matplotlib's import would hold up the cell."""

    def draw() -> None:
        handle.update(_static(kept.bundle(shown, workspace)), raw=True)

    return draw


def _own(widget: Any) -> None:
    """Close what an earlier execution of this cell made: nobody can see it any more."""
    from IPython.core.getipython import get_ipython

    parent = getattr(get_ipython(), "kernel").get_parent()  # noqa: B009 - a kernel is no part of the shell's type
    cell, execution = parent["metadata"]["cellId"], parent["header"]["msg_id"]
    before, widgets = _open.get(cell, ("", []))
    if before != execution:
        for each in widgets:
            each.close()
        widgets = []
    _open[cell] = execution, [*widgets, widget]


def _bundle(widget: Any) -> dict[str, Any]:
    return {"text/plain": "", VIEW: {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}}


def _display(bundle: dict[str, Any], **more: Any) -> Any:
    from IPython.display import display

    return display(bundle, raw=True, **more)  # type: ignore[no-untyped-call]
