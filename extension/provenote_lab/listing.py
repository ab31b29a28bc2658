"""One listing of runs and its history, so that a client that knows an earlier state gets the changes only.

10,000 runs with 30 values are some megabytes of JSON; a live run changes one row once a second.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from provenote.model import Row

_FIELDS = [entry.name for entry in dataclasses.fields(Row)]


@dataclass(frozen=True, slots=True)
class Changes:
    """What a client lacks.

    Parameters
    ----------
    rows : list of dict
        New and changed rows, or all of them.
    removed : list of str
        Ids of rows that are gone.
    whole : bool
        Whether ``rows`` are all rows, to be taken instead of those that the client knows.
    version : str
        Names the state that the client then has.
    """

    rows: list[dict[str, Any]]
    removed: list[str]
    whole: bool
    version: str


@dataclass(slots=True)
class Listing:
    """The last known rows of one project, each with the number of the reading that changed it last."""

    _epoch: str = field(default_factory=lambda: secrets.token_hex(4))
    _reading: int = 0
    _rows: dict[str, Row] = field(default_factory=dict)
    _changed: dict[str, int] = field(default_factory=dict)
    _removed: dict[str, int] = field(default_factory=dict)

    def update(self, rows: Sequence[Row]) -> None:
        """Take ``rows`` as the present state."""
        reading = self._reading + 1
        present = {row.id: row for row in rows}
        removed = self._rows.keys() - present.keys()
        changed = [run for run, row in present.items() if self._rows.get(run) != row]
        if not removed and not changed and self._reading:
            return
        self._reading = reading
        self._rows = present
        for run in removed:
            del self._changed[run]
            self._removed[run] = reading
        for run in changed:
            self._changed[run] = reading
            self._removed.pop(run, None)

    def since(self, version: str | None) -> Changes:
        """Return what a client that knows ``version`` lacks; everything, when that state is unknown here."""
        epoch, _, number = (version or "").partition(".")
        now = f"{self._epoch}.{self._reading}"
        if epoch != self._epoch or not number.isdecimal() or int(number) > self._reading:
            return Changes([_plain(row) for row in self._rows.values()], [], True, now)
        known = int(number)
        rows = [_plain(self._rows[run]) for run, reading in self._changed.items() if reading > known]
        return Changes(rows, [run for run, reading in self._removed.items() if reading > known], False, now)


def _plain(row: Row) -> dict[str, Any]:
    """Return a row as plain data without copying its values (`Row.to_json` copies deeply)."""
    return {name: getattr(row, name) for name in _FIELDS}
