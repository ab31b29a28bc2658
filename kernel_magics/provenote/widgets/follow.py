"""Follow the runs of a repository while a widget shows them: a thread that looks about once a second.

A look costs some calls of ``stat`` (`provenote.stores.watch`); only when something changed are the runs read.
Reading takes at most a twentieth of the time on average, whatever the number of runs, and never holds up a
cell: what fails ends the following with one line of a warning.
"""

from __future__ import annotations

import contextvars
import functools
import logging
import threading
import time
from collections.abc import Callable, Sequence

from provenote.widgets.board import Board

EVERY = 1.0
SHARE = 0.05
"""The most of its time that reading may take on average."""

TRIES = 5
_log = logging.getLogger("provenote")
_drawing: list[threading.Event] = []


def start(board: Board, *before: Callable[[], None]) -> None:
    """Draw the plots of a board, do what else is to be drawn, then follow its runs until it is closed.

    Parameters
    ----------
    board : Board
    *before : callable
        What is drawn after the plots.
    """
    draw(board.drawn, board.draw, *before, then=functools.partial(_watch, board))


def draw(
    drawn: threading.Event, *drawing: Callable[[], None], then: Callable[[], None] | None = None
) -> None:
    """Draw in a thread what takes a second or two, set ``drawn``, and do ``then`` what goes on."""
    context = contextvars.copy_context()  # its messages belong to this cell, whatever runs later
    # One thread for all of it: two would import the same libraries at once.
    whole = functools.partial(context.run, _work, drawn, drawing, then)
    thread = threading.Thread(target=whole, name="provenote-runs", daemon=True)
    _drawing[:] = [each for each in _drawing if not each.is_set()] + [drawn]
    thread.start()


def settle(seconds: float = 10.0) -> None:
    """Wait until what is drawn is in place (tests, and the shutdown of a kernel)."""
    for drawn in _drawing:
        drawn.wait(seconds)


def _work(
    drawn: threading.Event, drawing: Sequence[Callable[[], None]], then: Callable[[], None] | None
) -> None:
    try:
        for each in drawing:
            _patiently(each)
    except Exception as error:
        _warn("the plots of the runs are not drawn", error)
    finally:
        drawn.set()
    try:
        if then is not None:
            then()
    except Exception as error:
        _warn("the table of runs is not followed any more", error)


def _patiently(draw: Callable[[], None]) -> None:
    """Draw; again if a library that the next cell is importing was not whole yet."""
    import numpy  # noqa: F401 - plotly takes it from those already loaded, even half

    for left in range(TRIES, -1, -1):
        try:
            return draw()
        except (AttributeError, ImportError):
            if not left:
                raise
            time.sleep(1)


def _watch(board: Board) -> None:
    from provenote.stores import index, watch

    seen: watch.Signature | None = None
    wait = 0.0  # what changed while the plots were drawn is looked for at once
    while not board.closed.wait(wait):
        wait = EVERY
        if not board.shown:
            continue
        now = watch.signature(board.workspace)
        if now == seen:
            continue
        seen = now
        begun = time.thread_time()
        listed = board.listed
        rows, _ = index.rows(board.workspace, everything=listed.everything, branch=listed.branch)
        board.refresh(rows)
        wait = max(EVERY, (time.thread_time() - begun) / SHARE)


def _warn(what: str, error: Exception) -> None:
    _log.warning("%s: %s: %s", what, type(error).__name__, error)
