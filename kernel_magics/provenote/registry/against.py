"""How a version that is asked for differs from the one that holds the stage: what an approver must see first.

In words, from the comparison of the two runs: parameters, data, code, cells, environment, and the types that
a reader would have to trust. What cannot be told here says so; nothing is left out as if it were equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provenote.errors import ProvenoteError
from provenote.registry.reading import Registry
from provenote.registry.subject import Subject

if TYPE_CHECKING:
    from provenote.compare.comparison import Comparison
    from provenote.compare.inputs import DataItem
    from provenote.model import Row

FEW = 8
"""Entries of one kind that are named; more are counted."""


@dataclass(frozen=True, slots=True)
class Against:
    """What differs.

    Parameters
    ----------
    version : str
        The version that holds the stage.
    lines : tuple of (kind, words)
        ``params``, ``data``, ``code``, ``cells``, ``environment``, ``trusts``, ``order``: only what differs.
    command : str
        What shows the whole of it; empty where a run is not in this clone.
    unknown : str
        Why the runs could not be compared; empty when they were.
    """

    version: str
    lines: tuple[tuple[str, str], ...]
    command: str = ""
    unknown: str = ""


def against(registry: Registry, subject: Subject, holder: Subject) -> Against:
    """Compare a version that is asked for with the holder of the stage.

    Parameters
    ----------
    registry : Registry
    subject : Subject
        What is asked for.
    holder : Subject
        What holds the stage.
    """
    from provenote.compare import comparison
    from provenote.stores import index

    always = [*_types(holder, subject)]
    if holder.format != subject.format:
        always.append(("format", f"{holder.format} becomes {subject.format}"))
    rows = {row.commit: row for row in index.rows(registry.workspace, everything=True)[0] if row.commit}
    old, new = rows.get(holder.commit), rows.get(subject.commit)
    if old is None or new is None:
        missing = holder.version if old is None else subject.version
        return Against(
            holder.version,
            tuple(always),
            unknown=f"the run of {missing} is not in this clone: `provenote sync`",
        )
    command = f"provenote compare {old.name} {new.name}"
    if old is new:
        return Against(holder.version, tuple(always), command)
    try:
        found = comparison.of_rows(registry.workspace, [old, new])
    except ProvenoteError as error:
        return Against(holder.version, tuple(always), command, error.what)
    return Against(holder.version, (*told(found), *always, *_order(old, new)), command)


def told(found: Comparison) -> list[tuple[str, str]]:
    """Say what differs between two runs, a line for each kind. Pure."""
    params = [f"{one.key} {_text(one.values[0])} → {_text(one.values[1])}" for one in found.params.differing]
    data = [_data(item) for item in found.data if not item.same]
    code = [
        f"{file.path} {file.status}" + (f" (+{file.added} −{file.removed})" if file.kind == "text" else "")
        for file in found.code[0].files
    ]
    packages = [
        f"{one.key} {one.values[0] or 'none'} → {one.values[1] or 'none'}"
        for one in found.environments.differing
    ]
    lines = [("params", params), ("data", data), ("code", code), ("cells", _cells(found))]
    lines.append(("environment", packages))
    if found.code[0].unknown:
        lines.append(("code", [f"not known: {found.code[0].unknown}"]))
    if found.environments.unknown:
        lines.append(("environment", ["not known: a run kept no list of packages"]))
    if not all(found.notebooks.known):
        lines.append(("cells", ["not known: a run kept no notebook"]))
    return [(kind, _listed(entries)) for kind, entries in lines if entries]


def _types(old: Subject, new: Subject) -> list[tuple[str, str]]:
    """Return the types that a reader must trust beyond the holder's, whole: nothing of it is only counted."""
    come = [f"+{name}" for name in new.trusted if name not in old.trusted]
    gone = [f"−{name}" for name in old.trusted if name not in new.trusted]
    return [("trusts", ", ".join([*come, *gone]))] if come or gone else []


def _order(old: Row, new: Row) -> list[tuple[str, str]]:
    return [("order", f"{old.linearity} → {new.linearity}")] if old.linearity != new.linearity else []


def _cells(found: Comparison) -> list[str]:
    counts: dict[str, int] = {}
    for row in found.notebooks.rows:
        status = found.notebooks.status(row, 1)
        if status not in ("same", "absent", "unknown"):
            counts[status] = counts.get(status, 0) + 1
    words = {"outputs": "with other outputs"}
    return [f"{count} {words.get(status, status)}" for status, count in counts.items()]


def _data(item: DataItem) -> str:
    old, new = item.versions
    if old is None or new is None:
        return f"{item.path} {'added' if old is None else 'no longer read'}"
    told = []
    if old.rows is not None and new.rows is not None and old.rows != new.rows:
        told.append(f"{old.rows:,} → {new.rows:,} rows")
    change = item.changes[1]
    if change is not None:
        told += [f"+{name}" for name in change.columns_added]
        told += [f"−{name}" for name in change.columns_removed]
        told += [f"{name} {before} → {after}" for name, before, after in change.columns_retyped]
    return f"{item.path}: {', '.join(told) or 'other bytes'}"


def _text(value: object) -> str:
    from provenote.compare import numbers
    from provenote.compare.differences import ABSENT

    return "none" if value is ABSENT else numbers.text(value)


def _listed(entries: Sequence[str]) -> str:
    more = len(entries) - FEW
    return "; ".join(entries[:FEW]) + (f"; {more} more" if more > 0 else "")
