"""What the annotations say, kept in the index's database: each event read once, each state folded once."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

from provenote.errors import Refused
from provenote.git import command
from provenote.stores import annotation, notes
from provenote.stores.annotation import Annotation
from provenote.stores.eventfile import BadEvent
from provenote.stores.marks import Annotations, fold

SCHEMA = """
create table if not exists note(id text primary key, body text, key text) without rowid;
create table if not exists folded(tip text primary key, state text) without rowid;
"""
"""Tables of the index: events by id (without a body: no event of ours), and the state folded last."""


def load(database: sqlite3.Connection, folder: Path, tip: str | None) -> Annotations:
    """Return what the annotations in the commit ``tip`` say.

    Parameters
    ----------
    database : sqlite3.Connection
        The index, which is disposable.
    folder : Path
        A folder of the repository.
    tip : str or None
        Commit of the annotations; None: there are none.
    """
    if tip is None:
        return Annotations()
    kept = database.execute("select state from folded where tip=?", (tip,)).fetchone()
    if kept is not None:
        return Annotations.from_json(json.loads(kept[0]))
    said = fold(events(database, folder, tip))
    text = json.dumps(said.to_json(), ensure_ascii=True)
    try:
        database.execute("begin immediate")
        database.execute("delete from folded")
        database.execute("insert or replace into folded values(?,?)", (tip, text))
        database.execute("commit")
    except sqlite3.OperationalError:  # another process writes; the answer holds without being kept
        if database.in_transaction:
            database.execute("rollback")
    return said


def events(database: sqlite3.Connection, folder: Path, tip: str) -> list[Annotation]:
    """Return the events in the commit ``tip``; files that are no events of ours are overlooked."""
    there = notes.ids(folder, tip)
    known = {name: (body, key) for name, body, key in database.execute("select id, body, key from note")}
    new = [name for name in there if name not in known]
    rows: list[tuple[str, str | None, str | None]] = []
    for name, content in zip(new, command.blobs(folder, (there[name] for name in new)), strict=True):
        if content is None:
            continue  # not in this clone: perhaps later
        try:
            found = annotation.parse(name, content)
            rows.append((name, content.partition(b"\n")[0].decode(), found.key))
        except Refused:
            rows.append((name, None, None))
    known.update({name: (body, key) for name, body, key in rows})
    if rows:
        with contextlib.suppress(sqlite3.OperationalError):  # another writes: they are read again next time
            database.executemany("insert or ignore into note values(?,?,?)", rows)
    read = []
    for name in there:
        body, key = known.get(name, (None, None))
        if body is not None:
            try:
                read.append(annotation.read(name, json.loads(body), key))
            except (BadEvent, ValueError):
                continue  # written by another version of this program
    return read
