"""Verbs that keep a repository small and its runs safe: archive, pin, gc, storage."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from provenote.commands.marking import few, mark, named, noted
from provenote.commands.tree import Context, verb
from provenote.compare import numbers
from provenote.errors import UsageError
from provenote.view import Cell, Column, Line, Part, Table, View

if TYPE_CHECKING:
    from provenote.keeping.garbage import Garbage


@verb("archive")
def archive(context: Context, *runs: str, older_than: str | None = None, dry_run: bool = False) -> View:
    """Archive runs: listings pass over them unless asked (`-A`); nothing is deleted.

    Named runs are only marked. With --older-than, old runs move into archive refs: plain `dvc exp show` lists
    them no more, and a push or fetch stays fast with a hundred thousand of them. Starred and pinned runs and
    those of model versions stay.

    Parameters
    ----------
    runs : str
        Names, labels or ids, or starts of ids or commits.
    older_than : str
        Instead of named runs: all that ended so long ago, as 90d or 12w.
    dry_run : bool
        With --older-than: only say which.
    """
    if older_than is None:
        if dry_run:
            raise UsageError(
                "--dry-run goes with --older-than", "As: `provenote archive --older-than 90d --dry-run`"
            )
        return mark(context, "archive", runs, "archived")
    if runs:
        raise UsageError(
            "name runs or give --older-than, not both", "As: `provenote archive --older-than 90d`"
        )
    from provenote.keeping import archive as archiving
    from provenote.keeping import pins

    before = time.time() - seconds(older_than)
    moved = archiving.archive(context.workspace, before=before, dry_run=dry_run, tell=context.tell)
    if moved.archives:
        pins.settle(context.workspace)  # `dvc gc --all-experiments` does not see them any more
    rows, spared = moved.choice.rows, moved.choice.spared
    many = f"{len(rows):,} run{'' if len(rows) == 1 else 's'}"
    if not rows:
        first = Line(f"no run older than {older_than} is to be archived")
    elif dry_run:
        first = Line(f"{many} would be archived: {few(rows)}", aside="without --dry-run they are")
    else:
        first = Line(f"{many} archived", "ok", aside="back: `provenote unarchive RUN`")
    parts = [first]
    if spared:
        parts.append(
            Line(f"old too, but they stay: {', '.join(f'{n:,} {why}' for why, n in spared.items())}")
        )
    data = {
        "archived": [] if dry_run else [row.name for row in rows],
        "would_archive": [row.name for row in rows] if dry_run else [],
        "spared": dict(spared),
        "archives": list(moved.archives),
    }
    return View(parts, data)


@verb("unarchive")
def unarchive(context: Context, *runs: str) -> View:
    """Bring archived runs back into listings, and those in archive refs back to plain `dvc exp show`.

    Parameters
    ----------
    runs : str
        Names, labels or ids, or starts of ids or commits.
    """
    from provenote.keeping import archive as archiving
    from provenote.keeping import pins
    from provenote.stores import annotating, index

    rows = named(context, "unarchive", runs)
    if archiving.unarchive(context.workspace, rows):
        pins.settle(context.workspace)
    said = index.annotated(context.workspace).runs
    marked = [row.id for row in rows if row.id in said and said[row.id].archived]
    if marked:
        annotating.say(context.workspace, "unarchive", marked)
    view = noted("unarchive", rows, "no longer archived")
    # A move out of an archive is nothing that was said: `undo` would take back something else.
    return view if marked else replace(view, parts=[Line(f"{few(rows)} no longer archived", "ok")])


@verb("pin")
def pin(context: Context, *runs: str) -> View:
    """Pin runs: the bytes of what they made and read are held, even against a plain `dvc gc`.

    Parameters
    ----------
    runs : str
        Names, labels or ids, or starts of ids or commits.
    """
    from provenote.keeping import pins

    view = mark(context, "pin", runs, "pinned")
    held = pins.settle(context.workspace)
    if not held.lacking:
        return view
    lacking = f"{numbers.counted(len(held.lacking), 'object')} of pinned runs are not here, so not held"
    return replace(
        view, parts=[*view.parts, Line(lacking, "warn", aside="`provenote sync --data`, then again")]
    )


@verb("unpin")
def unpin(context: Context, *runs: str) -> View:
    """Let go of pinned runs.

    Parameters
    ----------
    runs : str
        Names, labels or ids, or starts of ids or commits.
    """
    from provenote.keeping import pins

    view = mark(context, "unpin", runs, "no longer pinned")
    pins.settle(context.workspace)
    return view


@verb("gc")
def gc(
    context: Context,
    *,
    older_than: str = "30d",
    dry_run: bool = False,
    yes: bool = False,
    projects: list[str] | None = None,
    ended: bool = False,
    remote: list[str] | None = None,
    why: str = "the agreement has ended",
) -> View:
    """Free space: remove bytes that no run, pin, version of data, branch, tag, stash or worktree needs.

    First it shows what would go, and asks. Runs may go on meanwhile. Old jobs go too, once their runs are in
    Git, and copies that can be made again. What is held for pins and was lost is brought back.

    Parameters
    ----------
    older_than : str
        How long nobody must have touched what is on no remote, as 30d or 12h; at least an hour.
    dry_run : bool
        Only show what would go.
    yes : bool
        Don't ask.
    projects : list of str
        Where the cache lies outside the repository: a project that uses it, `.` among them. May be repeated.
    ended : bool
        Instead, delete the data whose agreement has ended, needed or not, with a certificate beside each.
    remote : list of str
        With --ended: a DVC remote that they are deleted from, too; may be repeated.
    why : str
        With --ended: what the certificate says.
    """
    if ended:
        from provenote.commands import erasing

        return erasing.erase(context, dry_run=dry_run, yes=yes, remote=remote or (), why=why)
    from provenote.keeping import garbage, pins

    place, age = context.workspace, seconds(older_than)
    if not dry_run:
        pins.settle(place)
    found = garbage.look(place, older_than=age, projects=projects or ())
    table = _garbage(found)
    if not found.size or dry_run:
        return View([table], _counted(found, removed=False))
    if not yes:
        if context.confirm is None:
            line = Line("nothing was removed", aside="Remove it: `provenote gc --yes`")
            return View([table, line], _counted(found, removed=False))
        subject = (
            f"{numbers.size(found.size)} that nothing needs, {numbers.size(found.only_here)} of it only here"
        )
        if context.confirm(subject, "remove").strip() != "remove":
            return View([table, Line("nothing was removed")], _counted(found, removed=False))
    gone = garbage.remove(place, older_than=age, projects=projects or (), tell=context.tell)
    return View(
        [Line(f"{numbers.size(gone.size)} freed", "ok"), _garbage(gone)], _counted(gone, removed=True)
    )


def _garbage(found: Garbage) -> Table:
    """Show what goes, by kind."""
    rows = []
    if found.objects:
        size = sum(each.size for each in found.objects)
        rows.append(_line("data and artifacts that nothing names", len(found.objects), size, found.only_here))
    words = {
        "jobs": "jobs that ended",
        "versions": "copies of data versions",
        "remains": "remains of the killed",
    }
    for kind, paths in found.folders.items():
        if paths:
            rows.append(_line(words[kind], len(paths), sum(paths.values()), 0))
    foot = []
    if found.young:
        foot.append(
            f"{numbers.size(found.young)} more that nothing names are too young to go: `--older-than`."
        )
    if found.reason:
        foot.append(f"{found.reason}.")
    columns = [
        Column("what"),
        Column("count", "right"),
        Column("size", "right"),
        Column("only here", "right"),
    ]
    return Table(columns, rows, foot=foot, empty=" ".join(["Nothing to remove.", *foot]))


def _line(what: str, count: int, size: int, only_here: int) -> list[Cell]:
    here = Cell(numbers.size(only_here), "warn") if only_here else Cell("-", "muted")
    return [Cell(what), Cell(f"{count:,}"), Cell(numbers.size(size)), here]


def _counted(found: Garbage, *, removed: bool) -> dict[str, object]:
    return {
        "removed": removed,
        "bytes": found.size,
        "only_here": found.only_here,
        "too_young": found.young,
        "objects": [
            {"md5": each.md5, "size": each.size, "elsewhere": each.elsewhere} for each in found.objects
        ],
        "folders": {kind: {str(p): n for p, n in paths.items()} for kind, paths in found.folders.items()},
        "reason": found.reason or None,
    }


@verb("storage")
def storage(context: Context) -> View:
    """Show what takes the room: by kind and by owner, each byte counted once, and what is only here."""
    from provenote.keeping import storage as storing

    report = storing.measure(context.workspace)
    heads = [Column("count", "right"), Column("size", "right"), Column("only here", "right")]
    kinds = [_line(*each) for each in report.kinds]
    owners = [_line(*each) for each in report.owners]
    foot = [f"{numbers.size(report.free)} free on this disk."]
    if report.unknown:
        foot.insert(0, f"What nothing needs is not known: {report.unknown}.")
    parts: list[Part] = [Table([Column("kind"), *heads], kinds, foot=foot)]
    if owners:
        parts.append(Table([Column("owner"), *heads], owners))
    return View(parts, report.to_json())


def seconds(text: str) -> float:
    """Return a span of time as it is typed (``90d``, ``12w``, ``36h``) in seconds.

    Raises
    ------
    UsageError
        If it is none.
    """
    from provenote.compare.values import as_span

    span = as_span(text.strip())
    if span is None:
        raise UsageError(f"{text!r} is no span of time", "As 90d, 12w or 36h")
    return span
