"""Verbs about finished runs (star, tag, note, undo), and the exchange with colleagues."""

from __future__ import annotations

import time

from provenote.commands.marking import few, mark, named, noted
from provenote.commands.tree import Context, verb
from provenote.errors import UsageError
from provenote.view import Cell, Column, Line, Table, View


@verb("star")
def star(context: Context, *runs: str) -> View:
    """Star runs: `provenote runs starred` lists them.

    Parameters
    ----------
    runs : str
        Names, labels or ids, or starts of ids or commits.
    """
    return mark(context, "star", runs, "starred")


@verb("unstar")
def unstar(context: Context, *runs: str) -> View:
    """Take the star from runs.

    Parameters
    ----------
    runs : str
        Names, labels or ids, or starts of ids or commits.
    """
    return mark(context, "unstar", runs, "no longer starred")


@verb("tag")
def tag(context: Context, run: str, *tags: str) -> View:
    """Add tags to a run: `provenote runs "tags ~ best"` lists those that have one.

    Parameters
    ----------
    run : str
        Its name, label or id, or the start of its id or commit.
    tags : str
        Words.
    """
    from provenote.stores import annotating

    row = named(context, "tag", [run])[0]
    annotating.say(context.workspace, "tag", [row.id], tags=tags)
    return noted("tag", [row], f"tagged {', '.join(tags)}")


@verb("untag")
def untag(context: Context, run: str, *tags: str) -> View:
    """Take tags from a run.

    Parameters
    ----------
    run : str
        Its name, label or id, or the start of its id or commit.
    tags : str
        Tags that it has.
    """
    from provenote.stores import annotating

    row = named(context, "untag", [run])[0]
    unknown = [each for each in tags if each not in row.tags]
    if unknown:
        there = f"It has {', '.join(row.tags)}" if row.tags else f"Add one: `provenote tag {row.name} TAG`"
        raise UsageError(f"{row.name} has no tag {', '.join(map(repr, unknown))}", there)
    annotating.say(context.workspace, "untag", [row.id], tags=tags)
    return noted("untag", [row], f"no longer tagged {', '.join(tags)}")


@verb("note")
def note(context: Context, run: str, *text: str) -> View:
    """Add a note to a run.

    Parameters
    ----------
    run : str
        Its name, label or id, or the start of its id or commit.
    text : str
        What is to be remembered; several words are joined.
    """
    from provenote.stores import annotating

    row = named(context, "note", [run])[0]
    annotating.say(context.workspace, "note", [row.id], text=" ".join(text))
    return noted("note", [row], "noted")


@verb("undo")
def undo(context: Context) -> View:
    """Take back the last thing you said about runs: a star, tag, note, archive or pin.

    Said again, it takes back the one before. What others said stays.
    """
    from provenote.stores import annotating, index

    back = annotating.undo(context.workspace)
    about = {run for event in back for run in event.runs}
    rows = [row for row in index.rows(context.workspace, everything=True)[0] if row.id in about]
    data = {"undone": back[-1].type, "runs": [row.name for row in rows]}
    return View([Line(f"{back[-1].type} taken back: {few(rows) or 'runs that are not here'}", "ok")], data)


@verb("sync")
def sync(
    context: Context,
    remote: str | None = None,
    *,
    data: bool = False,
    status: bool = False,
    removals: bool = False,
) -> View:
    """Exchange runs, annotations, governance and reviews with a Git remote, so that both sides hold the same.

    Nothing of a colleague's is overwritten. A run that was removed or renamed here since the last sync is
    removed or renamed for everyone; no branch of yours and no file is touched. Stopped at any moment, the
    next sync goes on.

    Parameters
    ----------
    remote : str
        Name or address of the Git remote; default: the branch's upstream, else origin, else the only one.
    data : bool
        Also carry the bytes of data and artifacts, with the DVC remote.
    status : bool
        Exchange nothing: show what was where at the last sync.
    removals : bool
        Many runs that are gone from here were removed on purpose.
    """
    if status:
        return _status(context)
    from provenote import sharing
    from provenote.keeping import pins

    ask = context.face == "terminal" and context.confirm is not None
    account = sharing.sync(
        context.workspace, remote, data=data, removals=removals, ask=ask, tell=context.tell
    )
    pins.settle(context.workspace)  # a colleague may have pinned a run whose bytes are here
    first, *more = account.lines()
    parts = [Line(first, "ok"), *(Line(text) for text in more)]
    parts += [Line(text, "failed") for text in account.refusals()]
    return View(parts, account.to_json(), status=0 if account.whole else 3)


def _status(context: Context) -> View:
    """Show each remote as it was last seen, beside what is here."""
    from provenote.sharing import memory, refs
    from provenote.stores import index, runs

    place = context.workspace
    refs_here = refs.read(place.top).runs
    here = {commit for ref, commit in refs_here.items() if ref.startswith(f"{runs.REFS}/")}
    here |= index.archived(place).keys()
    rows, data = [], []
    for remote in memory.remotes(place):
        there = memory.commits(place, remote)
        both, wait, more = len(here & there), len(here - there), len(there - here)
        hours = max(0.0, time.time() - remote.at) / 3600
        rows.append(
            [
                Cell(remote.name, "code", remote.url),
                Cell(f"{both:,}"),
                Cell(f"{wait:,}", "warn" if wait else "muted"),
                Cell(f"{more:,}", "muted"),
                Cell(f"{hours:.1f}", "muted"),
            ]
        )
        data.append(
            {
                "remote": remote.name,
                "url": remote.url,
                "at": remote.at,
                "both": both,
                "waiting": wait,
                "only_there": more,
            }
        )
    columns = [
        Column("remote"),
        Column("runs on both sides", "right"),
        Column("wait here", "right"),
        Column("only there", "right"),
        Column("hours ago", "right"),
    ]
    empty = "Nothing was exchanged yet. Do it: `provenote sync`"
    return View([Table(columns, rows, empty=empty)], {"runs": len(here), "remotes": data})
