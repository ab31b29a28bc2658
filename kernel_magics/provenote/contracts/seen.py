"""Reports of files checked before, by the hashes of bytes and contract: an unchanged file costs a look.

Disposable: a lost or damaged memory costs time, never truth.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

from provenote.contracts.faults import FileReport, from_plain

ENGINE = 1
"""Raised when a check finds more or other things than before: older reports count no more."""
_TABLE = (
    "create table if not exists report(contract text, md5 text, format text, body text,"
    " primary key(contract, md5, format)) without rowid"
)


class Reports:
    """The memory of one repository.

    Parameters
    ----------
    home : Path
        Our folder outside the work tree.
    contract : str
        Hash of the contract's bytes.
    """

    def __init__(self, home: Path, contract: str) -> None:
        self.file, self._contract = home / "contracts.sqlite", f"{ENGINE} {contract}"

    def get(self, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], FileReport]:
        """Return the reports there are, by MD5 and format."""
        asked = list(wanted)
        found: dict[tuple[str, str], FileReport] = {}
        if not self.file.exists():
            return found
        with suppress(sqlite3.Error, ValueError, KeyError, TypeError), closing(self._open()) as database:
            for md5, kind in asked:
                row = database.execute(
                    "select body from report where contract=? and md5=? and format=?",
                    (self._contract, md5, kind),
                ).fetchone()
                if row:
                    found[md5, kind] = from_plain(json.loads(row[0]))
        return found

    def put(self, reports: Iterable[tuple[str, FileReport]]) -> None:
        """Remember reports, each with its format."""
        rows = [
            (self._contract, one.md5, kind, json.dumps({**one.plain(), "file": ""}, ensure_ascii=True))
            for kind, one in reports
            if one.md5
        ]
        with suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
        with suppress(sqlite3.Error, OSError), closing(self._open()) as database, database:
            database.executemany("insert or replace into report values(?,?,?,?)", rows)

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.file, timeout=5)
        try:
            database.execute("pragma synchronous=off")
            database.execute(_TABLE)
        except sqlite3.DatabaseError as error:
            database.close()
            if not isinstance(error, sqlite3.OperationalError):
                with suppress(OSError):
                    self.file.unlink()
            raise
        return database
