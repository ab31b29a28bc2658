"""Hashes of files seen before, by path, inode, size and times: an unchanged file is not read again.

Disposable: a lost or damaged memory costs time, never truth.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

# A file may change twice within one tick of the disk's clock. What was written less than that ago
# is hashed again next time, as Git does with its racily clean entries.
FINE_TICK, COARSE_TICK = 50_000_000, 2_000_000_000
_TABLE = "create table if not exists hash(path text primary key, identity text, md5 text) without rowid"


class Hashes:
    """The memory of one repository; use it as a context, what it learned is kept at the end.

    Parameters
    ----------
    home : Path
        Our folder outside the work tree.
    """

    def __init__(self, home: Path) -> None:
        self.file = home / "hashes.sqlite"
        self._learned: dict[str, tuple[str, str]] = {}
        self._database: sqlite3.Connection | None = None

    def __enter__(self) -> Hashes:
        for _ in range(2):
            try:
                self.file.parent.mkdir(parents=True, exist_ok=True)
                self._database = sqlite3.connect(self.file, timeout=5)
                self._database.execute("pragma synchronous=off")
                self._database.execute(_TABLE)
                return self
            except sqlite3.OperationalError:
                break  # a repository that cannot be written, or a busy disk: go on without
            except sqlite3.DatabaseError:
                self._close()
                with suppress(OSError):
                    self.file.unlink()
            except OSError:
                break
        self._close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._database is not None and self._learned:
            rows = [(path, identity, md5) for path, (identity, md5) in self._learned.items()]
            with suppress(sqlite3.Error):
                self._database.executemany("insert or replace into hash values(?,?,?)", rows)
                self._database.commit()
        self._close()

    def get(self, path: str, status: os.stat_result) -> str | None:
        """Return the MD5 of the file as ``status`` describes it, or None."""
        if self._database is None:
            return None
        try:
            row = self._database.execute(
                "select identity, md5 from hash where path=?", (_key(path),)
            ).fetchone()
        except sqlite3.Error:
            return None
        return str(row[1]) if row and row[0] == _identity(status) else None

    def put(self, path: str, status: os.stat_result, md5: str) -> None:
        """Remember the MD5 of the file as ``status`` describes it."""
        tick = FINE_TICK if status.st_mtime_ns % 1_000_000_000 else COARSE_TICK
        if time.time_ns() - status.st_mtime_ns > tick:
            self._learned[_key(path)] = (_identity(status), md5)

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None


def _key(path: str) -> str:
    return os.path.abspath(path).encode(errors="surrogateescape").decode("latin-1")


def _identity(status: os.stat_result) -> str:
    return f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
