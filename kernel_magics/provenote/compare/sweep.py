"""One sweep in full: its line, then the run of each job. Read from the runs alone, as any clone has them."""

from __future__ import annotations

from collections.abc import Sequence

from provenote.compare import columns, families, numbers
from provenote.compare.selection import select
from provenote.compare.table import data_of, table_of
from provenote.model import SCHEMA, Row
from provenote.view import Cell, Facts, Line, Part, View


def one_sweep(id: str, rows: Sequence[Row], now: float) -> View:
    """Show one sweep.

    Parameters
    ----------
    id : str
    rows : sequence of Row
        All runs, those of the sweep among them.
    now : float
        Seconds since 1970.

    Returns
    -------
    View
        ``data`` is ``{"schema", "sweep": {id, name, label, status, reason, started, ended, params,
        jobs, best}, "rows"}``.
    """
    members = [row for row in rows if row.parent == id]
    whole = families.line(id, members)
    jobs = families.latest(members)
    leading = families.best(jobs)
    ended = "" if whole.ended is None else numbers.duration(whole.ended - whole.started)
    words = [whole.name, whole.status, *([whole.reason] if whole.reason else [])]
    facts = [
        ("label", Cell(whole.label)),
        ("jobs", Cell(str(len(jobs)))),
        ("started", Cell(numbers.moment(whole.started, now), title=numbers.full_time(whole.started))),
        ("id", Cell(id, "code")),
    ]
    if leading:
        facts.insert(-1, (f"best {leading[0]}", Cell(leading[1].name, "code")))
    parts: list[Part] = [Line("  ".join(words), columns.mark(whole), aside=ended), Facts(facts)]
    shown_params = [key for key in whole.params if "__" not in key] or list(
        whole.params
    )  # autolog's inner ones
    if shown_params:
        pairs = [(key, Cell(numbers.text(whole.params[key]))) for key in shown_params]
        parts.append(Facts(pairs, "Parameters of all"))
    parts.append(table_of(members, select(members, archived=True, now=now), now, of=len(members)))
    shown = ("id", "name", "label", "status", "reason", "started", "ended", "params")
    about = {name: getattr(whole, name) for name in shown}
    about |= {"jobs": len(jobs), "best": leading[1].name if leading else None}
    return View(parts, {"schema": SCHEMA, "sweep": about, "rows": [data_of(row) for row in members]})
