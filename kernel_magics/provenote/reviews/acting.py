"""What a person does in a review: start it, bring the next version, comment, reply, resolve, edit.

What is said is signed at once; it decides nothing. `voting` asks, `suggesting` writes the notebook file.
"""

from __future__ import annotations

from dataclasses import replace

from provenote.errors import Refused, UsageError
from provenote.registry.names import visible
from provenote.reviews import desk, event, sources
from provenote.reviews.desk import Desk
from provenote.reviews.speaking import Done, anchor_at, notebook_of, said, version_of, where, words_of
from provenote.reviews.threads import Version
from provenote.workspace import Workspace


def start(
    workspace: Workspace,
    notebook: str | None,
    *,
    branch: str | None = None,
    run: str | None = None,
    base: str | None = None,
    title: str | None = None,
) -> Done:
    """Put a notebook under review.

    Parameters
    ----------
    workspace : Workspace
    notebook : str or None
        Path of the notebook; not needed with a run.
    branch : str, optional
        A branch, tag or commit that holds it; default: HEAD.
    run : str, optional
        A run: then what it captured is reviewed.
    base : str, optional
        A run or revision to compare with, or ``none``.
    title : str, optional
        Default: the notebook's name and the run, branch or commit.
    """
    here = desk.read(workspace)
    found = sources.of(workspace, notebook, branch, run)
    under = sources.base_of(workspace, found, base, here.people.registry)
    _not_twice(here, found.version)
    named = title or f"{found.path.rpartition('/')[2]}, {found.version.label}"
    body = {"title": _one_line(named), "path": found.path, "version": found.version, "base": under}
    words = f"start the review of {visible(body['title'])}"  # type: ignore[arg-type]
    after, name = here.add("review", words, lambda now: (body, []))
    return Done(after, name, name, words, _notes(workspace, found, branch))


def update(
    workspace: Workspace, reference: str | None, *, branch: str | None = None, run: str | None = None
) -> Done:
    """Put the next version of the notebook under a review: threads stay, votes on the old one are stale."""
    here = desk.read(workspace)
    name = here.find(reference)
    path = here.book.events[name].text("path")
    found = sources.of(workspace, None if run else str(workspace.top / path), branch, run)
    if (
        found.version.sha256 == version_of(here, name).sha256
        and found.version.run == version_of(here, name).run
    ):
        raise UsageError(f"that is the version under review already: {found.version.label}")
    words = f"put {found.version.label} under the review of {path}"
    done = said(here, "update", name, words, lambda now: {"version": found.version})
    return replace(done, notes=_notes(workspace, found, branch))


def comment(
    workspace: Workspace,
    reference: str | None,
    text: str,
    *,
    cell: str | None = None,
    line: int | None = None,
    output: int | None = None,
) -> Done:
    """Open a thread at a cell, a line or an output; without a cell, about the whole notebook.

    Parameters
    ----------
    workspace : Workspace
    reference : str or None
        The review.
    text : str
    cell : str, optional
        Number from 1, or id.
    line, output : int, optional
        Numbers from 1; a line with an output is one of its text.
    """
    here = desk.read(workspace)
    name = here.find(reference)
    anchor = anchor_at(notebook_of(here, name), cell, line, output) if cell is not None else {}
    if cell is None and (line is not None or output is not None):
        raise UsageError("a line or an output of which cell?", "Name it: `--cell 3`")
    words = f"comment on {where(cell, line, output)}"
    body = {"anchor": anchor, "text": words_of(text), "on": version_of(here, name).sha256}
    return said(here, "comment", name, words, lambda now: body)


def reply(workspace: Workspace, thread: str, text: str) -> Done:
    """Answer in a thread."""
    here = desk.read(workspace)
    name, found = here.thread(thread)
    body = {"thread": found, "text": words_of(text)}
    return said(here, "comment", name, f"reply in thread {found[:8]}", lambda now: body)


def mark(workspace: Workspace, thread: str, kind: str) -> Done:
    """Resolve a thread, or open it again; ``kind`` is ``resolve`` or ``unresolve``."""
    here = desk.read(workspace)
    name, found = here.thread(thread)
    state = here.shown_thread(name, found).state
    if (state == "resolved") == (kind == "resolve"):
        raise UsageError(f"thread {found[:8]} is {state} already")
    return said(here, kind, name, f"{kind} thread {found[:8]}", lambda now: {"thread": found})


def edit(workspace: Workspace, reference: str, text: str) -> Done:
    """Change what one said; what was there stays in the branch."""
    here = desk.read(workspace)
    name, target = _mine(here, reference)
    body = {"target": target, "text": words_of(text)}
    return said(here, "edit", name, f"edit comment {target[:8]}", lambda now: body)


def delete(workspace: Workspace, reference: str) -> Done:
    """Take back what one said: it is shown as deleted; its words stay in the branch."""
    here = desk.read(workspace)
    name, target = _mine(here, reference)
    return said(here, "delete", name, f"delete comment {target[:8]}", lambda now: {"target": target})


def _not_twice(here: Desk, version: Version) -> None:
    for name in here.book.reviews:
        other = version_of(here, name)
        if (other.commit, other.path) == (version.commit, version.path) and here.book.known(
            here.book.events[name]
        ):
            raise UsageError(
                f"that very notebook is under review {name[:8]} already",
                f"See it: `provenote review show {name[:8]}`",
            )


def _notes(workspace: Workspace, found: sources.Source, branch: str | None) -> tuple[str, ...]:
    """Say when the file here is not what its commit holds, and when others have not that commit."""
    version, notes = found.version, []
    if version.run is not None:  # a run travels by `sync`
        return ()
    try:
        same = branch is not None or (workspace.top / found.path).read_bytes() == found.content
    except OSError:
        same = True
    if not same:
        told = f"what {version.label} holds is reviewed"
        notes.append(f"{found.path} has changes that are not in a commit: {told}")
    if sources.only_here(workspace, version):
        notes.append(f"no remote has commit {version.commit[:8]} yet, so others cannot read it: `git push`")
    return tuple(notes)


def _mine(here: Desk, reference: str) -> tuple[str, str]:
    name, target = here.comment(reference)
    item, me = here.book.events[target], here.me
    mine = item.key == me.signer.public or (me.known and here.book.people.get(target) == me.name)
    if not mine:
        raise Refused(f"{here.book.author(item)} said that, and only they can change it")
    return name, target


def _one_line(title: str) -> str:
    told = visible(" ".join(title.split()))
    if not told or len(told) > event.TITLE:
        raise UsageError(f"a title has 1 to {event.TITLE} characters")
    return told
