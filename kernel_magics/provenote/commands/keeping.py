"""Verbs that keep a repository small and its runs safe: archive, pin, gc, storage."""

from __future__ import annotations

import time

from provenote.commands.marking import few, mark, named, noted
from provenote.commands.tree import Context, verb
from provenote.errors import UsageError
from provenote.view import Line, View


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

    before = time.time() - seconds(older_than)
    moved = archiving.archive(context.workspace, before=before, dry_run=dry_run, tell=context.tell)
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
    from provenote.stores import annotating, index

    rows = named(context, "unarchive", runs)
    archiving.unarchive(context.workspace, rows)
    said = index.annotated(context.workspace).runs
    marked = [row.id for row in rows if row.id in said and said[row.id].archived]
    if marked:
        annotating.say(context.workspace, "unarchive", marked)
    return noted("unarchive", rows, "no longer archived")


@verb("pin")
def pin(context: Context, *runs: str) -> View:
    """Pin runs: their artifacts are kept when space is made.

    Parameters
    ----------
    runs : str
        Names, labels or ids, or starts of ids or commits.
    """
    return mark(context, "pin", runs, "pinned")


@verb("unpin")
def unpin(context: Context, *runs: str) -> View:
    """Let go of pinned runs.

    Parameters
    ----------
    runs : str
        Names, labels or ids, or starts of ids or commits.
    """
    return mark(context, "unpin", runs, "no longer pinned")


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
