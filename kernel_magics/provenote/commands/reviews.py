"""Verbs of reviews: put a notebook under review, say something about a line of it, decide."""

from __future__ import annotations

from pathlib import Path

from provenote.commands.tree import Context, verb
from provenote.errors import UsageError
from provenote.view import Line, View


@verb("review start")
def review_start(
    context: Context,
    notebook: str | None = None,
    *,
    branch: str | None = None,
    run: str | None = None,
    base: str | None = None,
    title: str | None = None,
) -> View:
    """Put a notebook under review: as a commit holds it, or as a run captured it.

    Parameters
    ----------
    notebook : str
        Path of the notebook; not needed with a run.
    branch : str
        The branch, tag or commit that holds it; default: HEAD.
    run : str
        A run: what it captured of the cells that ran is reviewed.
    base : str
        The run or revision to compare with, or none. Default: of a branch, where it left the main one; of a
        run, the run that holds a stage of its model, else the notebook that it started from.
    title : str
        What to call the review.
    """
    from provenote.reviews import acting, show

    return show.said(
        acting.start(context.workspace, notebook, branch=branch, run=run, base=base, title=title)
    )


@verb("review update")
def review_update(
    context: Context, review: str | None = None, *, branch: str | None = None, run: str | None = None
) -> View:
    """Put the next version of the notebook under a review: threads stay, votes were about the old one.

    Parameters
    ----------
    review : str
        Start of its id, its title, or the notebook's name; not needed when one is open.
    branch : str
        The branch, tag or commit that holds the new version; default: HEAD.
    run : str
        The run that captured it.
    """
    from provenote.reviews import acting, show

    return show.said(acting.update(context.workspace, review, branch=branch, run=run))


@verb("review list", all="-A")
def review_list(context: Context, *, all: bool = False) -> View:
    """List reviews that are not finished, newest first.

    Parameters
    ----------
    all : bool
        Also those that are approved.
    """
    from provenote.reviews import desk, show, turns

    here = desk.read(context.workspace)
    found = turns.reviews(here, everything=all)
    return show.listed(here, found, turns.remember(here, found))


@verb("review show")
def review_show(
    context: Context, review: str | None = None, *, html: str | None = None, force: bool = False
) -> View:
    """Show a review: versions, votes, and each thread at its place in the notebook.

    In a notebook, both versions are shown beside each other with the threads in the margin.

    Parameters
    ----------
    review : str
        Start of its id, its title, or the notebook's name; not needed when one is open.
    html : str
        Write that page to this file: it opens offline.
    force : bool
        Replace a file that is no page of ours.
    """
    from provenote.reviews import desk, page_file, show

    here = desk.read(context.workspace)
    found = here.review(here.find(review))
    head, base = show.contents(here, found)
    if html is not None:
        path = page_file.write(Path(html), found, base, head, force=force)
        return View([Line(f"{path} written", "ok")], {"file": str(path), "review": found.id})
    return show.one(here, found, head, base)


@verb("review comment")
def review_comment(
    context: Context,
    review: str,
    text: str,
    *,
    cell: str | None = None,
    line: int | None = None,
    output: int | None = None,
) -> View:
    """Open a thread at a line, a cell or an output of the notebook; without a cell, about all of it.

    Parameters
    ----------
    review : str
        Start of its id, its title, or the notebook's name.
    text : str
        What you say.
    cell : str
        Number of the cell, from 1 as the page shows it, or its id.
    line : int
        Line of the cell's source, from 1; with --output, of the output's text.
    output : int
        Number of the cell's output, from 1.
    """
    from provenote.reviews import acting, show

    return show.said(acting.comment(context.workspace, review, text, cell=cell, line=line, output=output))


@verb("review reply")
def review_reply(context: Context, thread: str, text: str) -> View:
    """Answer in a thread.

    Parameters
    ----------
    thread : str
        Start of the thread's id.
    text : str
        What you say.
    """
    from provenote.reviews import acting, show

    return show.said(acting.reply(context.workspace, thread, text))


@verb("review resolve")
def review_resolve(context: Context, thread: str) -> View:
    """Resolve a thread.

    Parameters
    ----------
    thread : str
        Start of the thread's id.
    """
    from provenote.reviews import acting, show

    return show.said(acting.mark(context.workspace, thread, "resolve"))


@verb("review unresolve")
def review_unresolve(context: Context, thread: str) -> View:
    """Open a resolved thread again.

    Parameters
    ----------
    thread : str
        Start of the thread's id.
    """
    from provenote.reviews import acting, show

    return show.said(acting.mark(context.workspace, thread, "unresolve"))


@verb("review edit")
def review_edit(context: Context, comment: str, text: str) -> View:
    """Change what you said; the words before stay in the branch, and it is shown as edited.

    Parameters
    ----------
    comment : str
        Start of the comment's id.
    text : str
        What it shall say.
    """
    from provenote.reviews import acting, show

    return show.said(acting.edit(context.workspace, comment, text))


@verb("review delete")
def review_delete(context: Context, comment: str) -> View:
    """Take back what you said; its words stay in the branch, which never forgets.

    Parameters
    ----------
    comment : str
        Start of the comment's id.
    """
    from provenote.reviews import acting, show

    return show.said(acting.delete(context.workspace, comment))


@verb("review suggest", file="--from")
def review_suggest(
    context: Context,
    review: str | None = None,
    *,
    cell: str | None = None,
    thread: str | None = None,
    source: str | None = None,
    file: str | None = None,
    text: str | None = None,
) -> View:
    """Suggest another source for a cell; `review apply` puts it there.

    Parameters
    ----------
    review : str
        Start of its id, its title, or the notebook's name; not needed with --thread.
    cell : str
        Number of the cell, from 1, or its id.
    thread : str
        Start of the id of a thread: the suggestion is made there, for its cell.
    source : str
        The whole new source of the cell.
    file : str
        A file to take it from: its text, or of a notebook the cell with the same id, or else number.
    text : str
        Why.
    """
    from provenote.reviews import show, suggesting

    if (source is None) == (file is None):
        raise UsageError("the new source stands where?", 'Give it: `--source "x = 2"`, or `--from FILE`')
    new = source if source is not None else suggesting.Edited(Path(str(file)))
    return show.said(suggesting.suggest(context.workspace, review, new, cell=cell, thread=thread, text=text))


@verb("review apply")
def review_apply(context: Context, thread: str) -> View:
    """Write a thread's suggestion into the notebook file, if that cell was not edited since.

    Parameters
    ----------
    thread : str
        Start of the thread's id.
    """
    from provenote.reviews import suggesting

    path, cell, suggestion = suggesting.apply(context.workspace, thread)
    parts = [
        Line(f"cell {cell + 1} of {path} has the source that {suggestion.by} suggests", "ok"),
        Line("If it is open in JupyterLab, reload it there: File > Reload Notebook from Disk", "warn"),
        Line(f"Then: `provenote review resolve {thread}`", role="muted"),
    ]
    return View(parts, {"file": path, "cell": cell, "suggestion": suggestion.id, "source": suggestion.source})


@verb("review approve")
def review_approve(context: Context, review: str | None = None, *, why: str = "") -> View:
    """Approve the version under review, which you sign by typing the notebook's name.

    Parameters
    ----------
    review : str
        Start of its id, its title, or the notebook's name; not needed when one is open.
    why : str
        Why; kept with your vote.
    """
    from provenote.reviews import show, voting

    return show.said(voting.vote(context.workspace, review, "approve", why, confirm=context.confirm))


@verb("review request-changes")
def review_request_changes(context: Context, review: str | None = None, *, why: str) -> View:
    """Ask for changes before the version under review may count as approved.

    Parameters
    ----------
    review : str
        Start of its id, its title, or the notebook's name; not needed when one is open.
    why : str
        What has to change.
    """
    from provenote.reviews import show, voting

    return show.said(voting.vote(context.workspace, review, "request-changes", why, confirm=context.confirm))
