"""Verbs of data: version it, look at it, travel back, share it."""

from __future__ import annotations

import dataclasses
import os
import shlex
import time
from typing import TYPE_CHECKING

from provenote.commands.data_words import (
    added_json,
    described,
    folder_parts,
    plain_json,
    side,
    size_words,
    table_parts,
)
from provenote.commands.tree import Context, verb
from provenote.errors import ProvenoteError, UsageError
from provenote.view import Cell, Column, Facts, Line, Mark, Part, Table, View

if TYPE_CHECKING:
    from provenote.data.storing import Added


@verb("data add")
def add(context: Context, *paths: str, profile: str = "sampled") -> View:
    """Record the present state of files or folders as versions.

    The bytes go to the DVC cache, a small pointer to the work tree, exactly as `dvc add` does it. The
    data itself is only read. Committing the pointer is left to you: the last line says how.

    Parameters
    ----------
    paths : str
        Files or folders: tables, images, anything.
    profile : str
        How much is read for the profile: sampled (64 MB or 1,000,000 rows), full, or none.
    """
    from provenote.data import storing

    if not paths:
        raise UsageError("no path is named", "Name one: `provenote data add data/hour.csv`")
    done: list[Added] = []
    for path in paths:
        try:
            done.append(storing.add(path, profile=profile, tell=context.tell))  # type: ignore[arg-type]
        except ProvenoteError as error:
            if done:
                error.what += f" (added before it: {', '.join(one.path for one in done)})"
                error.args = (error.line,)
            raise
    parts: list[Part] = []
    for one in done:
        words = {"new": "added", "changed": "added a new version", "unchanged": "unchanged"}[one.state]
        parts.append(Line(f"{one.path}: {words}, {described(one)}", "ok", aside=f"md5 {one.stored.md5[:7]}"))
        parts += [Line(note, "warn") for note in one.notes]
    files = list(dict.fromkeys(os.path.relpath(file) for one in done for file in one.files))
    if any(one.state != "unchanged" for one in done):
        parts.append(
            Line(f"Next: `git add {shlex.join(files)}` and `git commit`; `provenote data push` shares it")
        )
    data = [added_json(one) for one in done]
    return View(parts, {"added": data})


@verb("data status")
def status(context: Context, *paths: str, remote: bool = False) -> View:
    """Show how tracked data stands: unchanged, changed, missing, not downloaded; pushed or not.

    Parameters
    ----------
    paths : str
        Data, or folders that hold some; default: everything tracked.
    remote : bool
        Ask the remote itself what it has, over the network.
    """
    from provenote.data import states

    found = states.status(*paths, ask_remote=remote, tell=context.tell)
    marks: dict[str, Mark] = {
        "unchanged": "ok",
        "changed": "warn",
        "missing": "warn",
        "not readable": "failed",
    }
    pushed = {True: Cell("yes"), False: Cell("no", "warn"), None: Cell("no remote", "muted")}
    rows = [
        [
            Cell(one.path, "code"),
            Cell(one.state, "plain" if one.state == "unchanged" else "warn", one.detail),
            Cell("" if one.rows is None else f"{one.rows:,}"),
            Cell(size_words(one.stored.size) if one.stored else ""),
            pushed[one.pushed],
            Cell(one.detail, "muted"),
        ]
        for one in found
    ]
    columns = [Column("path"), Column("state"), Column("rows", "right"), Column("size", "right")]
    columns += [Column("pushed"), Column("")]
    foot = []
    if any(one.state == "changed" for one in found):
        foot.append(
            "Record a changed one: `provenote data add PATH`. See what changed: `provenote data diff PATH`"
        )
    if any(one.state in ("missing", "not downloaded") for one in found):
        foot.append("Bring back what is not here: `provenote data pull`")
    if any(one.pushed is False and one.cached for one in found):
        foot.append("Share what is not pushed: `provenote data push`")
    table = Table(
        columns,
        rows,
        [marks.get(one.state, "warn") for one in found],
        foot=foot,
        empty="No data is tracked yet. Begin: `provenote data add PATH`",
    )
    return View([table], {"data": [dataclasses.asdict(one) for one in found]})


@verb("data log")
def log(context: Context, path: str, *, runs: bool = False) -> View:
    """Show the versions of a path in the history of HEAD.

    Parameters
    ----------
    path : str
        The data.
    runs : bool
        Also name the runs that read each version.
    """
    from provenote.data import history, tracked

    workspace, inside = tracked.locate(path)
    found = history.changes(workspace, inside)
    readers = history.readers(workspace, inside) if runs else {}
    now = history.present(workspace, inside)
    rows = []
    for change in found:
        version = change.version
        row = [
            Cell(version.rev, "code", version.commit or ""),
            Cell(time.strftime("%Y-%m-%d %H:%M", time.localtime(change.when))),
            Cell(change.author, "muted"),
            Cell(version.stored.md5[:7], "code", version.stored.md5),
            Cell("" if change.rows is None else f"{change.rows:,}"),
            Cell(size_words(version.stored.size)),
            Cell(change.subject),
        ]
        if runs:
            row.append(Cell(", ".join(readers.get(version.stored.md5, [])), "run"))
        rows.append(row)
    columns = [Column("commit"), Column("when"), Column("who"), Column("content")]
    columns += [Column("rows", "right"), Column("size", "right"), Column("message")]
    columns += [Column("runs that read it")] if runs else []
    foot = []
    if now is not None and (not found or now.stored != found[0].version.stored):
        foot.append(f"The pointer names {now.stored.md5[:7]}, which is not committed yet")
    if found:
        example = shlex.quote(f"{path}@{found[-1].version.rev}")
        foot.append(f"A copy of a version: `provenote data get {example}`")
    data = [{**dataclasses.asdict(one), "runs": readers.get(one.version.stored.md5, [])} for one in found]
    return View([Table(columns, rows, foot=foot, empty="No commit names a version yet.")], {"versions": data})


@verb("data diff")
def diff(context: Context, old: str, new: str | None = None, *, key: str | None = None) -> View:
    """Compare two versions: schema and rows of tables, files of folders, bytes of the rest; contracts.

    Parameters
    ----------
    old : str
        PATH@REV; a path alone is its version at HEAD.
    new : str
        [PATH@]REV, or another path; default: the file in the work tree.
    key : str
        Columns that name a row of a table, with commas between; found if not given.
    """
    from provenote.commands.contracts import change_parts
    from provenote.contracts import versions
    from provenote.data import differing

    names = [name.strip() for name in key.split(",") if name.strip()] if key else []
    found = differing.diff(old, new, key=names, tell=context.tell)
    sides = Facts([("old", side(found.old)), ("new", side(found.new))])
    parts: list[Part] = [sides]
    if found.kind == "same":
        parts.append(Line("The bytes are the same", "ok"))
    elif found.table is not None:
        parts += table_parts(found.table)
    elif found.folder is not None:
        parts += folder_parts(found)
    else:
        step = found.new.stored.size - found.old.stored.size
        parts.append(
            Line(f"The bytes differ; {abs(step):,} bytes {'more' if step >= 0 else 'fewer'}", "warn")
        )
        if found.note:
            parts.append(Line(found.note, "", "muted"))
    changes = versions.between(found)
    parts += change_parts(changes, "Contract")
    data = plain_json(dataclasses.asdict(found))
    return View(parts, {**data, "contract": [dataclasses.asdict(one) for one in changes]})


@verb("data get")
def get(context: Context, version: str, *, out: str | None = None, force: bool = False) -> View:
    """Write a copy of a version; no other file is touched.

    Parameters
    ----------
    version : str
        PATH@REV: a Git revision, a run, or digits of a content hash. A path alone is what its pointer names.
    out : str
        File or folder to write; default: NAME@REV here.
    force : bool
        Replace what is there.
    """
    from provenote.data import travel

    target = travel.get(version, out=out, force=force, tell=context.tell)
    name = os.path.relpath(target)
    return View([Line(f"{version} is now in {name}", "ok")], {"path": str(target)})


@verb("data push")
def push(context: Context, *paths: str, remote: str | None = None) -> View:
    """Copy the present versions to the remote.

    Parameters
    ----------
    paths : str
        Data, or folders that hold some; default: everything tracked.
    remote : str
        Name of the remote; default: the project's.
    """
    from provenote.data import exchange

    done = exchange.push(*paths, remote=remote, tell=context.tell)
    where = ", ".join(done.remotes)
    carried = f"{done.files} file{'s' if done.files != 1 else ''} copied to {where}"
    parts: list[Part] = []
    if done.files:
        parts.append(Line(carried, "ok", aside=size_words(done.size) if done.size else ""))
    elif done.paths:
        parts.append(Line(f"{where} has everything already", "ok"))
    elif not done.lacking:
        parts.append(Line("No data is tracked yet. Begin: `provenote data add PATH`"))
    for path in done.lacking:
        parts.append(Line(f"{path}: its bytes are not here, so they were not pushed", "warn"))
    return View(parts, dataclasses.asdict(done), status=1 if done.lacking else 0)


@verb("data pull")
def pull(context: Context, *paths: str, remote: str | None = None, force: bool = False) -> View:
    """Fetch the versions that the pointers name and put them into the work tree.

    A file that you changed and did not add is left as it is.

    Parameters
    ----------
    paths : str
        Data, or folders that hold some; default: everything tracked.
    remote : str
        Name of the remote; default: the project's.
    force : bool
        Replace files that were changed here.
    """
    from provenote.data import exchange

    done = exchange.pull(*paths, remote=remote, force=force, tell=context.tell)
    parts: list[Part] = []
    if done.files:
        carried = f"{done.files} file{'s' if done.files != 1 else ''} fetched from {done.remote}"
        parts.append(Line(carried, "ok", aside=size_words(done.size) if done.size else ""))
    parts += [Line(f"{path}: as its pointer says", "ok") for path in done.written]
    if done.unchanged:
        parts.append(Line(f"{len(done.unchanged)} were up to date", "ok"))
    for path in done.kept:
        parts.append(
            Line(
                f"{path}: kept, it was changed here and is stored nowhere else. "
                f"Record it: `provenote data add {shlex.quote(path)}`, or replace it: `--force`",
                "warn",
            )
        )
    for path in done.lacking:
        parts.append(Line(f"{path}: its bytes are neither here nor on the remote", "failed"))
    if not parts:
        parts.append(Line("No data is tracked yet. Begin: `provenote data add PATH`"))
    return View(parts, dataclasses.asdict(done), status=1 if done.lacking else 0)
