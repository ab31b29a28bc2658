"""Which parameters and metrics a table shows, and how one run reads in it. Pure, on rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from provenote.compare import numbers
from provenote.compare.clauses import Field
from provenote.model import Row, is_sweep
from provenote.tracking import costs
from provenote.view import Cell, Column, Mark

_ABSENT = object()
_REPRODUCED = {
    "identical": "reproduced",
    "within tolerance": "reproduced within tolerance",
    "different": "not reproduced",
}


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested maps as one, keys joined by dots."""
    if not prefix and not any(value.__class__ is dict for value in values.values()):
        return dict(values)  # the usual case, for tables of thousands of runs
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            found.update(flat(value, f"{prefix}{key}."))
        else:
            found[f"{prefix}{key}"] = value
    return found


def changed(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the keys whose value is not the same in all ``rows`` (already flat), in their first order.

    Rows without any key say nothing. With one row every key counts. A key of an inner estimator
    (``boost__max_depth``), of which autolog brings dozens, counts only where two rows differ in it.
    """
    having = [row for row in rows if row]
    keys = dict.fromkeys(key for row in having for key in row)
    if len(having) < 2:
        own = [key for key in keys if "__" not in key]
        return own or list(keys)
    return [key for key in keys if _differs([row for row in having if "__" not in key or key in row], key)]


def _differs(rows: Sequence[Mapping[str, Any]], key: str) -> bool:
    first = rows[0].get(key, _ABSENT)
    return any(
        type(value) is not type(first) or value != first
        for value in (row.get(key, _ABSENT) for row in rows[1:])
    )


def shared(rows: Sequence[Mapping[str, Any]], first: str = "") -> list[str]:
    """Return the metrics that at least half of the rows with any metric have, ``first`` before the others.

    Those whose name tells which way is better come before the rest, since they are what runs are judged by.
    Lists and maps are no columns. Where runs have nothing in common, all their metrics are shown.
    """
    counts: dict[str, int] = {}
    having = 0
    for row in rows:
        plain = [key for key, value in row.items() if not isinstance(value, (list, Mapping))]
        having += bool(plain)
        for key in plain:
            counts[key] = counts.get(key, 0) + 1
    common = [key for key, count in counts.items() if count * 2 >= having] or list(counts)
    common.sort(key=lambda key: ("lower", "higher", "zero", "").index(numbers.direction(key)) // 2)
    return [first, *(key for key in common if key != first)] if first in counts else common


def heading(key: str) -> str:
    """Return a metric's heading: its key and which way is better, where the name tells."""
    arrow = numbers.ARROWS[numbers.direction(key)]
    return f"{key} {arrow}" if arrow else key


def values_column(name: str, values: Sequence[Any], *, grouped: bool = False) -> tuple[Column, list[Cell]]:
    """Return a column of parameters or metrics: numbers to the right with one count of decimals.

    Parameters
    ----------
    name : str
        The heading.
    values : sequence
        One value a run; None where it has none.
    grouped : bool
        Whether thousands are parted (counts, not seeds or years).
    """
    numeric = all(value is None or numbers.number(value) is not None for value in values)
    texts = numbers.column(values, grouped=grouped) if numeric else [numbers.text(value) for value in values]
    cells = [
        Cell(text, "muted") if value is None else Cell(text, title=_full(value, text))
        for value, text in zip(values, texts, strict=True)
    ]
    return Column(name, "right" if numeric else "left"), cells


def _full(value: Any, text: str) -> str:
    full = numbers.text(value) if not isinstance(value, float) else repr(value)
    return "" if full == text else full


def mark(row: Row) -> Mark:
    """Return the mark of a run's state."""
    if row.status == "running":
        return "silent" if row.reason else "running"
    known: dict[str, Mark] = {"finished": "ok", "failed": "failed", "killed": "killed", "queued": "queued"}
    return known[row.status]


def cost_cell(row: Row) -> Cell:
    """Return what a run cost, with its currency; empty for one without a price."""
    return Cell("" if row.cost is None else costs.text(row.cost, row.currency))


def state_cell(row: Row) -> Cell:
    """Return the state in words, with the reason as title."""
    roles = {"failed": "error", "killed": "warn", "running": "run"}
    word = "silent" if mark(row) == "silent" else row.status
    return Cell(word, roles.get(row.status, "plain"), row.reason or "")  # type: ignore[arg-type]


def age_cell(row: Row, now: float) -> Cell:
    """Return how long ago a run ended, or for how long it has been running."""
    full = numbers.full_time(row.started)
    if row.ended is None:
        return Cell(numbers.clock(now - row.started), "plain", f"started {full}")
    took = numbers.duration(row.ended - row.started)
    return Cell(numbers.age(now - row.ended), "muted", f"started {full}, took {took}")


def name_cell(row: Row) -> Cell:
    """Return a run's name, with all its names as title."""
    commit = f", commit {row.commit}" if row.commit else ""
    return Cell(row.name, "code", f"{row.label}, id {row.id}{commit}")


ORDER_WORDS = {"out-of-order": "out of order", "rerun": "rerun", "unknown": "order unknown"}


def flags_cell(row: Row, children: int = 0) -> Cell:
    """Return what is worth a look: order of cells, verdicts, star, tags, notes, children, reason."""
    words: list[str] = []
    role = "muted"
    if row.status in ("failed", "killed") and row.reason:
        words.append(row.reason)
        role = "error" if row.status == "failed" else "warn"
    if row.linearity != "linear" and row.status != "running":
        words.append(ORDER_WORDS[row.linearity])
        role = "warn" if row.linearity == "out-of-order" and role == "muted" else role
    if row.reproduced:
        words.append(_REPRODUCED.get(row.reproduced, row.reproduced))
        role = "warn" if row.reproduced == "different" and role == "muted" else role
    if children:
        one = f"{numbers.counted(children, 'job')} of {row.label}"
        words.append(one if is_sweep(row.id) else numbers.counted(children, "child", "children"))
    words += row.tags
    if row.notes:
        words.append(numbers.counted(len(row.notes), "note"))
    if row.archived:
        words.append("archived")
    if row.starred:
        words.append("★")
    return Cell(", ".join(words).replace(", ★", " ★"), role, "; ".join(row.notes))  # type: ignore[arg-type]


def sorted_metric(key: Field | None) -> str:
    """Return the flat key of the metric that a table is sorted by, empty if it is none."""
    return ".".join(key.path[1:]) if key is not None and key.path[0] == "metrics" else ""
