"""What a person does in a review: start, comment, reply, suggest, apply, resolve, edit, vote.

What is said is signed at once. A vote is a person's will, so it shows the whole version that it is about and
lets the person type the notebook's name, and it refuses where nobody can be asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from provenote.errors import Refused, UsageError
from provenote.registry.names import visible
from provenote.registry.signing import Confirm, NoPerson
from provenote.reviews import anchors, desk, event, notebook_file, sources
from provenote.reviews.anchors import Notebook
from provenote.reviews.desk import Desk
from provenote.reviews.threads import Suggestion, Version
from provenote.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Done:
    """What was signed.

    Parameters
    ----------
    desk : Desk
        The reviews after it.
    review, event : str
        Ids of the review and of the new event.
    words : str
        What it does.
    notes : tuple of str
        What the person should know about it.
    """

    desk: Desk
    review: str
    event: str
    words: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Edited:
    """A file that holds a cell's new source: as its text, or a notebook with the same cell."""

    path: Path

    def source(self, notebook: Notebook, index: int) -> str:
        """Return the source that it has for a cell of the notebook under review.

        Raises
        ------
        UsageError
            If it cannot be read, or has no such cell.
        """
        try:
            content = self.path.read_bytes()
            if self.path.suffix != ".ipynb":
                return content.decode().replace("\r\n", "\n").removesuffix("\n")
            edited = anchors.read(content)
        except OSError as error:
            raise UsageError(f"{self.path} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise UsageError(f"{self.path} cannot be read: {error}") from None
        if named := edited.places.get(notebook.ids[index], ()):
            return edited.cells[named[-1]].source
        if index < len(edited.cells) and not edited.ids[index]:
            return edited.cells[index].source
        raise UsageError(f"{self.path} has no cell with the id of cell {index + 1}", "Give it as --source")


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
    if found.version.sha256 == _version(here, name).sha256 and found.version.run == _version(here, name).run:
        raise UsageError(f"that is the version under review already: {found.version.label}")
    words = f"put {found.version.label} under the review of {path}"
    done = _said(here, "update", name, words, lambda now: {"version": found.version})
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
    anchor = _anchor(_notebook(here, name), cell, line, output) if cell is not None else {}
    if cell is None and (line is not None or output is not None):
        raise UsageError("a line or an output of which cell?", "Name it: `--cell 3`")
    words = f"comment on {_where(cell, line, output)}"
    body = {"anchor": anchor, "text": _text(text), "on": _version(here, name).sha256}
    return _said(here, "comment", name, words, lambda now: body)


def reply(workspace: Workspace, thread: str, text: str) -> Done:
    """Answer in a thread."""
    here = desk.read(workspace)
    name, found = here.thread(thread)
    body = {"thread": found, "text": _text(text)}
    return _said(here, "comment", name, f"reply in thread {found[:8]}", lambda now: body)


def mark(workspace: Workspace, thread: str, kind: str) -> Done:
    """Resolve a thread, or open it again; ``kind`` is ``resolve`` or ``unresolve``."""
    here = desk.read(workspace)
    name, found = here.thread(thread)
    state = here.shown_thread(name, found).state
    if (state == "resolved") == (kind == "resolve"):
        raise UsageError(f"thread {found[:8]} is {state} already")
    return _said(here, kind, name, f"{kind} thread {found[:8]}", lambda now: {"thread": found})


def edit(workspace: Workspace, reference: str, text: str) -> Done:
    """Change what one said; what was there stays in the branch."""
    here = desk.read(workspace)
    name, target = _mine(here, reference)
    body = {"target": target, "text": _text(text)}
    return _said(here, "edit", name, f"edit comment {target[:8]}", lambda now: body)


def delete(workspace: Workspace, reference: str) -> Done:
    """Take back what one said: it is shown as deleted; its words stay in the branch."""
    here = desk.read(workspace)
    name, target = _mine(here, reference)
    return _said(here, "delete", name, f"delete comment {target[:8]}", lambda now: {"target": target})


def suggest(
    workspace: Workspace,
    reference: str | None,
    source: str | Edited,
    *,
    cell: str | None = None,
    thread: str | None = None,
    text: str | None = None,
) -> Done:
    """Suggest another source for a cell, in a new thread or in one that stands at a cell.

    Parameters
    ----------
    workspace : Workspace
    reference : str or None
        The review; not needed with a thread.
    source : str or Edited
        The whole new source of the cell, or the file that has it.
    cell : str, optional
        Number from 1, or id.
    thread : str, optional
        Start of a thread's id.
    text : str, optional
        Why.
    """
    here = desk.read(workspace)
    if thread is not None:
        name, opened = here.thread(thread)
        notebook = _notebook(here, name)
        place = here.shown_thread(name, opened).place.cell
        if cell is None and place is None:
            raise UsageError(f"thread {opened[:8]} stands at no cell", "Name the cell: `--cell 3`")
        index = _cell(notebook, cell) if cell is not None else int(place or 0)
        body: dict[str, Any] = {"thread": opened}
    elif cell is not None:
        name = here.find(reference)
        notebook = _notebook(here, name)
        index = _cell(notebook, cell)
        body = {"anchor": anchors.make(notebook, index)}
    else:
        raise UsageError("a suggestion for which cell?", "Name it: `--cell 3`, or `--thread ID`")
    old = notebook.cells[index].source
    source = source if isinstance(source, str) else source.source(notebook, index)
    if source == old:
        raise UsageError(f"cell {index + 1} has that very source already")
    if len(source) > event.SOURCE:
        raise UsageError(f"the source has {len(source):,} characters; {event.SOURCE:,} are taken")
    body |= {"cell": notebook.ids[index], "old": anchors.digest(old), "source": source}
    if text:
        body["text"] = _text(text)
    words = f"suggest another source for cell {index + 1}"
    return _said(here, "suggestion", name, words, lambda now: body)


def apply(workspace: Workspace, thread: str) -> tuple[str, int, Suggestion]:
    """Write a thread's suggestion into the notebook file, if that cell's source is still the one it replaces.

    Returns
    -------
    (path, cell, suggestion)
        The file from the Git root and the cell's index that were written.

    Raises
    ------
    Refused
        If the cell was edited, the file is reached through a link, or nobody here knows who suggests it.
    """
    here = desk.read(workspace)
    name, found = here.thread(thread)
    suggestion = here.shown_thread(name, found).suggestion
    if suggestion is None:
        raise UsageError(f"thread {found[:8]} has no suggestion")
    if not suggestion.known:
        raise Refused(
            f"this suggestion is by an {suggestion.by}, and only those of known people are applied",
            "Read it: `provenote review show`, and type it yourself",
        )
    path = event.check_path(here.book.events[name].text("path"))
    target = notebook_file.plain(workspace.top, path)
    before = target.read_bytes()
    after, cell = notebook_file.replaced(before, suggestion.cell_id, suggestion.old, suggestion.source)
    notebook_file.write(workspace.top, path, before, after)
    return path, cell, suggestion


def vote(
    workspace: Workspace, reference: str | None, decision: str, why: str, *, confirm: Confirm | None
) -> Done:
    """Approve the version under review, or ask for changes.

    Parameters
    ----------
    workspace : Workspace
    reference : str or None
        The review.
    decision : {'approve', 'request-changes'}
    why : str
        Asked for with request-changes.
    confirm : Confirm or None
        How to ask the person; None where nobody is.

    Raises
    ------
    NoPerson
        If nobody can be asked.
    UsageError
        If another word is typed than the notebook's name.
    Refused
        If the notebook is not here to be looked at, or another version came under review meanwhile.
    """
    here = desk.read(workspace)
    name = here.find(reference)
    version = _version(here, name)
    _notebook(here, name)  # nobody approves what they cannot see
    if not sources.checked_out(workspace, version):
        raise Refused(f"commit {version.commit[:12]} does not hold that notebook as {visible(version.path)}")
    if decision == "request-changes" and not why.strip():
        raise UsageError("to request changes takes a reason", 'Give one: `--why "..."`')
    if why.strip():
        why = _text(why)
    opened = here.book.open_threads(name)
    _not_repeated(here, name, version, decision)
    word = Path(here.book.events[name].text("path")).stem
    shown = _shown(here, name, version, decision, why)
    if confirm is None:
        raise NoPerson(
            "a vote takes a signature, and nobody is here to be asked (a job, or no terminal)",
            "Do it in a terminal or in a notebook that you run yourself",
        )
    typed = confirm(shown, word)
    if typed.strip() != word:
        raise UsageError(f"{visible(typed)!r} is not {visible(word)!r}, so nothing was signed")

    def compose(now: Desk) -> dict[str, Any]:
        if _version(now, name) != version or set(now.book.open_threads(name)) - set(opened):
            raise Refused("the review changed while you decided, so nothing was signed", "Look again")
        return {"version": version, "decision": decision, **({"why": why} if why.strip() else {})}

    words = f"{decision} {visible(version.path)} of {version.label}"
    return _said(here, "vote", name, words, compose, beside=_same_notebook(here, version))


def _said(
    here: Desk,
    kind: str,
    review: str,
    words: str,
    compose: Callable[[Desk], dict[str, Any]],
    beside: tuple[str, ...] = (),
) -> Done:
    """Sign something about a review; it names as seen the heads of that review and of those beside it."""

    def composer(now: Desk) -> tuple[dict[str, Any], list[str]]:
        return {"review": review, **compose(now)}, now.book.heads(*{review, *beside})

    after, name = here.add(kind, words, composer)
    return Done(after, review, name, words)


def _same_notebook(here: Desk, version: Version) -> tuple[str, ...]:
    """Return the reviews that had this very file of this very commit under them: a vote has seen them all."""
    asked = (version.commit, version.path)
    return tuple(
        name
        for name in here.book.reviews
        if any((one.commit, one.path) == asked for _, one in here.book.versions(name))
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


def _not_twice(here: Desk, version: Version) -> None:
    for name in here.book.reviews:
        other = _version(here, name)
        if (other.commit, other.path) == (version.commit, version.path) and here.book.known(
            here.book.events[name]
        ):
            raise UsageError(
                f"that very notebook is under review {name[:8]} already",
                f"See it: `provenote review show {name[:8]}`",
            )


def _not_repeated(here: Desk, name: str, version: Version, decision: str) -> None:
    mine = here.me.signer.public
    votes = here.outline(name).votes
    for one in votes:
        if here.book.events[one.id].key == mine and one.decision == decision and not one.stale:
            raise UsageError(f"you said {decision} of {version.label} already")


def _shown(here: Desk, name: str, version: Version, decision: str, why: str) -> str:
    review = here.outline(name)
    policy = here.people.registry.log.policy if here.people.registry else None
    opened = f"{len(review.open_threads)} open, {len(review.threads)} in all"
    pairs = [
        ("decision", decision),
        ("review", f"{review.title} ({name[:12]})"),
        ("notebook", version.path),
        ("commit", version.commit),
        ("blob", version.blob),
        ("sha256", version.sha256),
        ("run", version.run or "none: a file of that commit"),
        ("threads", opened),
        ("why", why or "(none given)"),
        ("policy", f"{policy.version} ({policy.id})" if policy else "none: no policy is trusted here"),
        ("key", f"{here.me.name}, {here.me.signer.label}"),
    ]
    if not here.me.known:
        pairs.append(
            ("note", "the policy does not know this key: others see it as unknown, it counts for nothing")
        )
    lines = ["You sign exactly this:", *(f"  {label:<8}  {visible(value)}" for label, value in pairs)]
    return "\n".join(lines)


def _mine(here: Desk, reference: str) -> tuple[str, str]:
    name, target = here.comment(reference)
    item, me = here.book.events[target], here.me
    mine = item.key == me.signer.public or (me.known and here.book.people.get(target) == me.name)
    if not mine:
        raise Refused(f"{here.book.author(item)} said that, and only they can change it")
    return name, target


def _version(here: Desk, name: str) -> Version:
    version = here.book.current(name).version
    assert version is not None  # `event.parse` asks for it
    return version


def _notebook(here: Desk, name: str) -> Notebook:
    found = here.notebook(name)
    if found is None:
        version = _version(here, name)
        raise UsageError(
            f"commit {version.commit[:12]}, which holds the notebook under review, is not in this clone",
            "Take it: `provenote sync`, or `git fetch` for a branch",
        )
    return found


def _cell(notebook: Notebook, given: str) -> int:
    """Return the index of the cell that a person names by its number from 1, or by its id."""
    if given.isdecimal() and 1 <= int(given) <= len(notebook.cells):
        return int(given) - 1
    named = notebook.places.get(given, ())
    if not named:
        count = len(notebook.cells)
        raise UsageError(
            f"there is no cell {visible(given)!r}: cells are 1 to {count}, or their ids",
            "See them: `provenote review show`",
        )
    return named[-1]  # a captured notebook holds each execution: the last one


def _anchor(notebook: Notebook, cell: str, line: int | None, output: int | None) -> dict[str, Any]:
    index = _cell(notebook, cell)
    found = notebook.cells[index]
    if output is not None and not 1 <= output <= len(found.outputs):
        has = f"outputs 1 to {len(found.outputs)}" if found.outputs else "no output"
        raise UsageError(f"cell {index + 1} has {has}, so there is no output {output}")
    lines = notebook.lines[index] if output is None else found.outputs[output - 1].text.split("\n")
    if line is not None and not 1 <= line <= len(lines):
        raise UsageError(f"there are lines 1 to {len(lines)} there, so no line {line}")
    return anchors.make(
        notebook,
        index,
        line=None if line is None else line - 1,
        output=None if output is None else output - 1,
    )


def _where(cell: str | None, line: int | None, output: int | None) -> str:
    if cell is None:
        return "the notebook"
    where = f"cell {visible(cell)}"
    where += f", output {output}" if output is not None else ""
    return where + (f", line {line}" if line is not None else "")


def _text(text: str) -> str:
    told = text.strip()
    if not told:
        raise UsageError("a comment without words says nothing")
    if len(told) > event.TEXT:
        raise UsageError(f"the text has {len(told):,} characters; {event.TEXT:,} are taken", "Shorten it")
    return told


def _one_line(title: str) -> str:
    told = visible(" ".join(title.split()))
    if not told or len(told) > event.TITLE:
        raise UsageError(f"a title has 1 to {event.TITLE} characters")
    return told
