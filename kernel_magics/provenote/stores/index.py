"""The index: every finished run as a row of SQLite, keyed by commit sha. Disposable: rebuilt from Git.

Refreshing costs one ``git for-each-ref`` and the reading of commits not seen before. What lives (running
runs, annotations, names of refs) is laid over the stored rows when they are listed. What the annotations say
is folded once for each state of their ref.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.errors import UsageError
from provenote.git import trees
from provenote.git.command import git
from provenote.git.command import run as git_run
from provenote.model import Row, is_sweep
from provenote.stores import archives, fields, live, noted, notes, runs
from provenote.stores.annotation import Annotation
from provenote.stores.marks import Annotations, Marks

if TYPE_CHECKING:
    from provenote.workspace import Workspace

PATIENCE = 20.0
"""Seconds that one process waits for another that writes the index."""
FORMAT = 4  # of this file; another one is thrown away and built anew
_SCHEMA = (
    """
create table if not exists run(
  sha text primary key, id text, baseline text, started real, row text) without rowid;
create table if not exists value(key text, number real, sha text, primary key(key, sha)) without rowid;
create index if not exists by_number on value(key, number);
create index if not exists by_id on run(id);
create table if not exists ancestor(
  head text, baseline text, inside int, primary key(head, baseline)) without rowid;
create table if not exists stored(
  sha text, md5 text, name text, size int, kind text, owner text, primary key(sha, md5, name)) without rowid;
create table if not exists archive(sha text primary key, members text) without rowid;
"""
    + noted.SCHEMA
)


class Index:
    """The runs of one repository.

    Parameters
    ----------
    workspace : Workspace
        Where the repository is. A repository that cannot be written gets an index in memory.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._path = workspace.home / "index.sqlite"
        self._database = self._open()
        self._notes_tip: str | None = None
        self._annotations: tuple[str | None, Annotations] = (None, Annotations())
        self._archives: dict[str, str] = {}
        self._archived: tuple[object, dict[str, list[str]]] = (None, {})

    # ------------------------------------------------------------------ keeping it fresh

    def _open(self) -> sqlite3.Connection:
        """Open the file; one that is damaged, of another format or not writable is replaced."""
        for attempt in ("as it is", "anew"):
            try:
                self.workspace.home.mkdir(parents=True, exist_ok=True)
                database = sqlite3.connect(self._path, timeout=PATIENCE, isolation_level=None)
                _share(database)
                database.execute("pragma synchronous=off")  # disposable: a crash costs a rebuild, not data
                version = database.execute("pragma user_version").fetchone()[0]
                if version not in (0, FORMAT):
                    raise sqlite3.DatabaseError("another format")
                database.executescript(_SCHEMA)
                database.execute(f"pragma user_version={FORMAT}")
                database.execute("select count(*) from (select sha from run limit 1)").fetchone()
                return database
            except sqlite3.OperationalError as error:
                if "locked" in str(error):
                    raise
                break
            except sqlite3.DatabaseError:
                if attempt == "anew":
                    break
                self._remove()
            except OSError:
                break
        database = sqlite3.connect(":memory:", isolation_level=None)
        database.executescript(_SCHEMA)
        return database

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)

    def refresh(self) -> dict[str, str]:
        """Read the commits not seen before; return ``{ref: sha}`` of every run's ref.

        Runs in archives have none; they are read too, and `finished` lists them.
        """
        refs = self._refs()
        try:
            self._add([*refs.values(), *self.archived()])
        except sqlite3.DatabaseError:
            self._renew()
            self._add([*refs.values(), *self.archived()])
        return refs

    def _renew(self) -> None:
        """Build a file anew that is damaged below its header."""
        self._database.close()
        self._remove()
        self._database = self._open()

    def _refs(self) -> dict[str, str]:
        """Return every run's ref, and note where annotations and archives are: one call of Git for all."""
        form = "--format=%(objectname) %(refname)"
        out = git(self.workspace.top, "for-each-ref", form, runs.REFS, notes.REF, archives.REF)
        found = {ref: sha for sha, ref in (line.split(" ", 1) for line in os.fsdecode(out).splitlines())}
        self._notes_tip = found.pop(notes.REF, None)
        self._archives = {ref: found.pop(ref) for ref in list(found) if ref.startswith(f"{archives.REF}/")}
        return {ref: sha for ref, sha in found.items() if runs.parse_ref(ref)}

    def _add(self, commits: Iterable[str]) -> None:
        known = {sha for (sha,) in self._database.execute("select sha from run")}
        new = set(commits) - known
        if not new:
            return
        repo = trees.repository(self.workspace.common_dir)
        rows: list[tuple[str, Any, Any, Any, Any]] = []
        values: list[tuple[str, float, str]] = []
        stored: list[fields.Stored] = []
        for sha in new:
            document = runs.read(repo, sha)
            if document is None:
                rows.append((sha, None, None, None, None))
                continue
            rows.append(
                (
                    sha,
                    document["id"],
                    document["baseline"],
                    document["started"],
                    json.dumps(fields.unchanging(document)),
                )
            )
            for group in ("params", "metrics"):
                values += [(key, number, sha) for key, number in fields.numbers(group, document[group])]
            stored += fields.objects(sha, document)
        self._database.execute("begin immediate")
        try:
            self._database.executemany("insert or ignore into run values(?,?,?,?,?)", rows)
            self._database.executemany("insert or ignore into value values(?,?,?)", values)
            self._database.executemany("insert or ignore into stored values(?,?,?,?,?,?)", stored)
        except BaseException:
            self._database.execute("rollback")
            raise
        self._database.execute("commit")

    # ------------------------------------------------------------------ reading it

    def annotations(self) -> Annotations:
        """Return what the annotations say, as of the last `refresh`."""
        if self._annotations[0] != self._notes_tip:
            try:
                said = noted.load(self._database, self.workspace.common_dir, self._notes_tip)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                    raise
                self._renew()
                said = noted.load(self._database, self.workspace.common_dir, self._notes_tip)
            self._annotations = self._notes_tip, said
        return self._annotations[1]

    def archived(self) -> dict[str, list[str]]:
        """Return the runs that archives keep, as of the last `refresh`: their refs by commit."""
        if not self._archives:
            return {}
        now = (dict(self._archives), self._notes_tip)
        if self._archived[0] != now:
            members = self._members(set(self._archives.values()))
            held = {ref: members[sha] for ref, sha in self._archives.items()}
            self._archived = now, archives.kept(held, self.annotations().gone)
        return self._archived[1]

    def _members(self, wanted: set[str]) -> dict[str, archives.Members]:
        """Return what archives hold, by their commit; each is read once."""
        stored = self._database.execute("select sha, members from archive")
        known = {sha: tuple(map(tuple, json.loads(text))) for sha, text in stored if sha in wanted}
        new = sorted(wanted - set(known))
        if new:
            read = archives.read(self.workspace.top, new)
            with contextlib.suppress(sqlite3.OperationalError):  # another process writes
                rows = [(sha, json.dumps(members, ensure_ascii=True)) for sha, members in read.items()]
                self._database.executemany("insert or ignore into archive values(?,?)", rows)
            known |= read
        return known

    def annotation_events(self) -> list[Annotation]:
        """Return every event of the annotations, as of the last `refresh`."""
        tip = self._notes_tip
        return noted.events(self._database, self.workspace.common_dir, tip) if tip else []

    def finished(self, refs: Mapping[str, str], commits: Iterable[str] | None = None) -> list[Row]:
        """Return the rows of the runs that ``refs`` or archives name: one each, whatever the number of refs.

        Parameters
        ----------
        refs : mapping of ref to sha
        commits : iterable of str, optional
            Only these.
        """
        archived = self.archived()
        named = {sha: names[0].rsplit("/", 1)[1] for sha, names in archived.items()}
        for ref, sha in sorted(refs.items()):
            named[sha] = ref.rsplit("/", 1)[1]
        if commits is None:
            found = self._database.execute("select sha, row from run where id is not null")
        else:
            wanted = list(commits)
            marks = ",".join("?" * len(wanted))
            found = self._database.execute(
                f"select sha, row from run where id is not null and sha in ({marks})", wanted
            )
        said = self.annotations().runs
        by_id: dict[str, Row] = {}
        for sha, text in found:
            if sha in named:
                row = json.loads(text)
                about = said.get(row["id"])
                if about is not None:
                    row |= _marked(about, row["tags"], row["notes"])
                if sha in archived:
                    row["archived"] = True
                by_id[row["id"]] = Row(**row, name=named[sha], commit=sha)
        return list(by_id.values())

    def stored(self) -> list[fields.Stored]:
        """Return the objects that runs made and read, as of the last `refresh`."""
        found = self._database.execute("select sha, md5, name, size, kind, owner from stored")
        return [fields.Stored(*each) for each in found]

    def top(self, key: str, *, limit: int, descending: bool = False) -> list[str]:
        """Return the commits with the least (or greatest) number under ``metrics.x`` or ``params.x``."""
        order = "desc" if descending else "asc"
        query = f"select sha from value where key=? order by number {order} limit ?"
        return [sha for (sha,) in self._database.execute(query, (key, limit))]

    def inside(self, head: str, baselines: set[str]) -> set[str]:
        """Return those baselines that are in the history of ``head``."""
        asked = self._database.execute("select baseline, inside from ancestor where head=?", (head,))
        known = dict(asked.fetchall())
        new = baselines - set(known)
        if new:
            history = self._history(head, new)
            known.update({baseline: int(baseline in history) for baseline in new})
            with contextlib.suppress(sqlite3.OperationalError):  # another process writes: not kept, no harm
                self._database.executemany(
                    "insert or replace into ancestor values(?,?,?)", [(head, b, known[b]) for b in new]
                )
        return {baseline for baseline in baselines if known[baseline]}

    def _history(self, head: str, baselines: set[str]) -> set[str]:
        if len(baselines) > 20:
            return set(git(self.workspace.top, "rev-list", head).decode().split())
        return {
            b
            for b in baselines
            if git_run(self.workspace.top, "merge-base", "--is-ancestor", b, head).returncode == 0
        }


def _marked(marks: Marks, tags: list[str], texts: list[str]) -> dict[str, Any]:
    """Return the fields of a row that annotations lay over what the run holds itself."""
    return {
        "tags": marks.tagged(tags),
        "notes": [*texts, *marks.notes],
        "starred": marks.starred,
        "archived": marks.archived,
        "reproduced": marks.reproduced,
    }


def _share(database: sqlite3.Connection) -> None:
    """Let readers and a writer use the file at once (WAL).

    SQLite does not wait for others in this one step: two processes that open a new index at the same moment
    would stop one of them.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            database.execute("pragma journal_mode=wal")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
        time.sleep(0.01)


_open: dict[tuple[int, int, str], Index] = {}


def of(workspace: Workspace) -> Index:
    """Return the index of a workspace, opened once per process and thread (a live block has its own)."""
    key = (os.getpid(), threading.get_ident(), str(workspace.common_dir))
    if key not in _open:
        _open[key] = Index(workspace)
    index = _open[key]
    index.workspace = workspace
    return index


def rows(
    workspace: Workspace, *, everything: bool = False, branch: str | None = None
) -> tuple[list[Row], int]:
    """Return the runs, newest first, and how many are hidden.

    Archived runs are among them, marked so: a listing that nobody asked for them passes them over and counts
    them (`provenote.compare.selection.select`).

    Parameters
    ----------
    workspace : Workspace
    everything : bool
        All runs of the repository; otherwise those whose baseline is in the history of HEAD.
    branch : str, optional
        Those whose baseline is in the history of this branch or revision.

    Raises
    ------
    UsageError
        If ``branch`` names no commit.
    """
    going = runs.close_dead(workspace.common_dir, workspace.home)
    index = of(workspace)
    refs = index.refresh()
    found = index.finished(refs)
    there = {row.id for row in found}
    said = index.annotations().runs
    found += [_live_row(run, problem, said) for run, problem in going if run.meta["id"] not in there]
    found.sort(key=lambda row: -row.started)
    if everything:
        return found, 0
    head = _commit(workspace, branch)
    inside = index.inside(head, {row.baseline for row in found}) if head else set()
    shown = [row for row in found if row.baseline in inside]
    return shown, len(found) - len(shown)


def _commit(workspace: Workspace, branch: str | None) -> str | None:
    from provenote.git.command import resolve

    commit = resolve(workspace.top, branch or "HEAD")
    if commit is None and branch is not None:
        raise UsageError(
            f"{branch!r} names no commit in this repository", "See the branches: `git branch --all`"
        )
    return commit


def _live_row(run: live.LiveRun, problem: str | None, said: Mapping[str, Marks]) -> Row:
    """Return the row of a run that is not a commit yet."""
    events = live.read_events(run.folder)
    meta = run.meta
    marked = _marked(said.get(meta["id"], Marks()), events.tags, events.notes)
    return Row(
        id=meta["id"],
        name=meta["name"],
        label=meta["label"],
        status="running",
        reason=problem,
        started=meta["started"],
        ended=None,
        params=events.params,
        metrics=events.metrics,
        baseline=meta["baseline"],
        parent=meta.get("parent"),
        **marked,
    )


def find(workspace: Workspace, name: str) -> Row:
    """Return the run called ``name``: its name, label, id, or the start of its id or commit.

    Raises
    ------
    UsageError
        If there is none, or more than one.
    """
    return choose(rows(workspace, everything=True)[0], name)


def choose(everything: list[Row], name: str) -> Row:
    """Return the row called ``name`` as `find` does, among those already read."""
    exact = [row for row in everything if name in (row.name, row.id, row.commit)]
    if not exact:
        labelled = [row for row in everything if row.label == name]
        begun = [
            row
            for row in everything
            if len(name) >= 4 and (row.id.startswith(name) or (row.commit or "").startswith(name))
        ]
        exact = labelled or begun
    if len(exact) == 1:
        return exact[0]
    if not exact and name.startswith("sweep-"):
        jobs = [
            row.name for row in everything if is_sweep(row.parent) and f"sweep-{row.parent}".startswith(name)
        ]
        if jobs:
            raise UsageError(
                f"{name} is a sweep, a group of runs", f"Name one, as {jobs[0]}: `provenote show {name}`"
            )
    if not exact:
        raise UsageError(
            f"run {name!r} is not in this repository",
            "It may live on the remote: `provenote sync`; all that are here: `provenote runs -A`",
        )
    few = ", ".join(row.name for row in exact[:4])
    raise UsageError(
        f"{name!r} names {len(exact)} runs: {few}{' ...' if len(exact) > 4 else ''}",
        "Give the full name of one",
    )


def document(workspace: Workspace, commit: str) -> dict[str, Any]:
    """Return the whole ``run.json`` of a finished run, with the folder of its files as ``overlay``.

    Raises
    ------
    UsageError
        If the commit holds no run of ours.
    """
    found = runs.read(trees.repository(workspace.common_dir), commit)
    if found is None:
        raise UsageError(f"commit {commit[:12]} holds no run of Provenote")
    return found


def annotated(workspace: Workspace) -> Annotations:
    """Return what the annotations of a repository say: of runs by id, and of refs that are gone."""
    index = of(workspace)
    index.refresh()
    return index.annotations()


def archived(workspace: Workspace) -> dict[str, list[str]]:
    """Return the runs of a repository that archives keep: their refs by commit."""
    index = of(workspace)
    index.refresh()
    return index.archived()


def series(workspace: Workspace, row: Row) -> dict[str, list[tuple[Any, Any]]]:
    """Return the points ``(step, value)`` of each metric that has a curve."""
    if row.commit is None:
        folder = workspace.home / "live" / row.id
        return {key: points for key, points in live.read_events(folder).series.items() if len(points) > 1}
    repo = trees.repository(workspace.common_dir)
    found: dict[str, list[tuple[Any, Any]]] = {}
    for key, name in document(workspace, row.commit).get("plots", {}).items():
        content = runs.file(repo, row.commit, f"plots/{name}")
        lines = (content or b"").decode("utf-8", "replace").splitlines()[1:]
        found[key] = [_point(line) for line in lines]
    return found


def _point(line: str) -> tuple[Any, Any]:
    step, _, value = line.partition("\t")
    return _number(step), _number(value)


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
