"""What a magic shows: one display with HTML for a notebook and text for everything else."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from provenote.commands.tree import Context
    from provenote.render.live import Live
    from provenote.tracking.active import ActiveRun
    from provenote.view import View
    from provenote.workspace import Workspace


def in_job() -> bool:
    """Whether this kernel runs a job's notebook: no person is there, and no widget would live."""
    return bool(os.environ.get("PROVENOTE_RUN") or os.environ.get("PROVENOTE_DOC"))


def is_kernel(shell: InteractiveShell) -> bool:
    """Whether the shell belongs to a kernel, so that a notebook shows what is displayed."""
    return getattr(shell, "kernel", None) is not None


def view(shown: View, *, kernel: bool) -> None:
    """Show the answer of a verb."""
    from provenote.render import terminal

    if not kernel:
        terminal.write(shown)
        return
    from provenote.render import html

    drawn = shown.more.get("html")  # a verb may have a richer form for a notebook
    bundle(
        {
            "text/html": drawn() if drawn else html.render(shown),
            "text/plain": terminal.render(shown, width=100, color=False),
        }
    )


def live(context: Context, *, kernel: bool) -> Live | None:
    """Let a verb write text as it comes, and draw a view again and again where there is a place for it."""
    from provenote.render import live

    context.write = _write
    if not kernel and not sys.stdout.isatty():
        return None
    found: Live = live.NotebookLive() if kernel else live.TerminalLive()
    context.draw = found.draw
    return found


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def runs(shown: View, workspace: Workspace, compare: Callable[[list[str]], View]) -> None:
    """Show runs in a notebook: what a saved notebook keeps, and beside it the widget where one can live."""
    from provenote.widgets import present

    if "listed" in shown.more:
        present.runs(shown, workspace, compare)
    else:
        present.comparison(shown, workspace, compare)


def review(shown: View, workspace: Workspace) -> None:
    """Show a review in a notebook: its page, and beside it the widget to speak where one can live."""
    from provenote.widgets import present

    present.review(shown, workspace)


def contract(shown: View) -> None:
    """Show a contract in a notebook: its table, and beside it the one to edit where a widget can live."""
    from provenote.widgets import present

    present.contract(shown)


def verdicts(shown: View, also: dict[str, Any] | None = None) -> None:
    """Show verdicts in a notebook: their table, and in its place the widget where one can live.

    Parameters
    ----------
    shown : View
    also : dict, optional
        Other MIME types of what a saved notebook keeps.
    """
    from provenote.widgets import present

    present.verdicts(shown, also or {})


def run_block(run: ActiveRun, *, kernel: bool) -> None:
    """Show a run that has ended, in the static form which a saved notebook keeps."""
    from provenote.widgets import live, static

    row, series, document = live.ended(run)
    # A job draws no picture: importing matplotlib costs more than the rest of ours; `show` draws them.
    bundle(static.run_block(row, series, document, pictures=kernel and not in_job()))


def bundle(data: dict[str, Any]) -> None:
    """Show a MIME bundle."""
    from IPython.display import display

    display(data, raw=True)  # type: ignore[no-untyped-call]


def line(text: str) -> None:
    """Say one line beside the cell's outputs."""
    sys.stderr.write(f"provenote: {text}\n")
