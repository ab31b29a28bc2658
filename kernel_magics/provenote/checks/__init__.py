"""Verdicts on data, models and runs, and the tests that give them.

`examine` begins the tests of a model in a notebook; cells with ``%%test`` go on with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provenote.checks.checker import Checker


def examine(
    model: str,
    *,
    on: str | None = None,
    answer: str | None = None,
    time: str | None = None,
    since: str | None = None,
    until: str | None = None,
    newest: int | None = None,
    block: str | None = None,
    trusted: Sequence[str] = (),
) -> Checker:
    """Load a model and the rows that it is tested on; cells with a bare ``%%test`` ask about these.

    Parameters
    ----------
    model : str
        ``NAME`` (what the newest run kept), ``NAME@v1.2.0``, ``NAME@production``, ``NAME@RUN``.
    on : str, optional
        The table, ``PATH`` or ``PATH@REV``; default: the one that the model's run read last. Here and below
        an empty text means the default, too.
    answer : str, optional
        The column that it predicts; default: as it was logged.
    time : str, optional
        The column of the time; default: the first that holds dates. ``none``: rows are independent.
    since, until : str, optional
        First and last day that is taken.
    newest : int, optional
        Take so many of the newest rows at most.
    block : str, optional
        Rows that a bootstrap draws together, as ``7d``.
    trusted : sequence of str
        Full names of types that the model's file may hold.

    Raises
    ------
    ProvenoteError
        If there is no such model or table, or something behind the model does not hold.
    """
    from provenote import workspace
    from provenote.checks import session
    from provenote.checks.contest import Choice

    choice = Choice(
        on=on or None,
        answer=answer or None,
        time=time or None,
        since=since or None,
        until=until or None,
        newest=newest or None,
        block=block or None,
    )
    request = session.Request(model, choice, trusted=tuple(trusted))
    return session.current().subject(workspace.find(), request)
