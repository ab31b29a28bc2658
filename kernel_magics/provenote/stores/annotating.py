"""Say something about runs that ended: compose one event and append it to the notes."""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from provenote.errors import UsageError
from provenote.git import command
from provenote.stores import annotation, index, marks, notes
from provenote.stores.annotation import Annotation, Word
from provenote.stores.values import plain

if TYPE_CHECKING:
    from provenote.stores.keys import Signer
    from provenote.workspace import Workspace

AT_ONCE = 500
"""Runs in one event: many more would not fit its size."""
LONGEST_NOTE = 10_000
LONGEST_TAG = 100


def author(workspace: Workspace) -> str:
    """Return who annotates, as ``Name <mail>``: Git's identity, else the account on this machine."""
    name, mail = command.identity(workspace.top)
    try:
        account = getpass.getuser()
    except (OSError, KeyError):
        account = "somebody"
    mail = mail or f"{account}@{socket.gethostname()}"
    return plain(" ".join(f"{name or account} <{mail}>".split()))  # type: ignore[no-any-return]


def say(
    workspace: Workspace,
    word: Word,
    runs: Sequence[str],
    *,
    tags: Iterable[str] = (),
    text: str | None = None,
    signer: Signer | None = None,
) -> None:
    """Annotate runs.

    Parameters
    ----------
    workspace : Workspace
    word : Word
        What is said.
    runs : sequence of str
        Ids of runs.
    tags : iterable of str
        Of ``tag`` and ``untag``.
    text : str, optional
        Of ``note``.
    signer : Signer, optional
        Signs the event, where a policy asks for it.

    Raises
    ------
    UsageError
        If a tag or note is empty, too long, or not one line (a tag).
    WorldError
        If the repository cannot be written.
    """
    body: dict[str, Any] = {}
    if word in ("tag", "untag"):
        body["tags"] = [_tag(each) for each in dict.fromkeys(tags)]
        if not body["tags"]:
            raise UsageError("no tag is given", f"As: `provenote {word} RUN best`")
    if word == "note":
        body["text"] = _note(text or "")
    events = [(word, list(part), body) for part in _parts(runs)]
    _append(workspace, events, f"{word} {_counted(runs)}", signer)


def reproduced(
    workspace: Workspace,
    run: str,
    verdict: str,
    by_run: str | None = None,
    signer: Signer | None = None,
    **facts: Any,
) -> None:
    """Keep the verdict of a reproduction.

    Parameters
    ----------
    workspace : Workspace
    run : str
        Id of the run that was reproduced.
    verdict : {'identical', 'within tolerance', 'different'}
    by_run : str, optional
        Id of the run that reproduced it, where that is a run of its own.
    signer : Signer, optional
    **facts : str or dict of str
        How it was come by: ``commit``, ``tolerance`` by metric, ``environment``, ``host``, and ``evidence``,
        the SHA-256 of the report.

    Raises
    ------
    UsageError
        If the verdict is none of these.
    """
    if verdict not in annotation.VERDICTS:
        raise UsageError(f"{verdict!r} is no verdict", f"One of {', '.join(annotation.VERDICTS)}")
    body = {"verdict": verdict, "by_run": by_run, **facts}
    _append(workspace, [("reproduced", [run], body)], f"reproduced {run}: {verdict}", signer)


def retrained(workspace: Workspace, runs: Sequence[str], rule: str, **facts: Any) -> None:
    """Keep what a continuous training came to, or that a person let it go on.

    Parameters
    ----------
    workspace : Workspace
    runs : sequence of str
        Ids of the runs that it is about: the challenger, or the champion where there is none.
    rule : str
    **facts
        What there is to say: `provenote.retraining.record`.
    """
    body = {"rule": rule, **facts}
    _append(workspace, [("retraining", list(runs), body)], f"retraining {rule}: {facts.get('what', '')}")


def depart(workspace: Workspace, moves: Sequence[tuple[str, list[str], dict[str, Any]]]) -> None:
    """Keep that refs of runs were removed, renamed or brought back.

    Parameters
    ----------
    workspace : Workspace
    moves : sequence of (type, ids of runs, body)
        ``removed`` and ``revived`` with ``ref`` and ``commit``, ``renamed`` also with ``to``.
    """
    _append(workspace, moves, f"{len(moves)} refs were moved")


def undo(workspace: Workspace, signer: Signer | None = None) -> list[Annotation]:
    """Take back the last thing that this person said about runs, and return its events.

    Raises
    ------
    UsageError
        If there is nothing to take back.
    """
    who = author(workspace)
    back = marks.last_act(history(workspace), who)
    if not back:
        mend = "Answer what others said: `provenote untag RUN TAG`"
        raise UsageError(f"there is no annotation by {who} to take back", mend)
    targets = sorted(event.id for event in back)
    runs = sorted({run for event in back for run in event.runs})
    _append(workspace, [("undo", runs[:AT_ONCE], {"targets": targets})], f"undo {back[-1].type}", signer)
    return back


def history(workspace: Workspace, run: str | None = None) -> list[Annotation]:
    """Return the annotations (of one run, by its id), each after what its author had seen."""
    there = index.of(workspace)
    there.refresh()
    found = marks.ordered(there.annotation_events())
    return [event for event in found if run is None or run in event.runs]


def _append(
    workspace: Workspace,
    events: Sequence[tuple[str, list[str], dict[str, Any]]],
    message: str,
    signer: Signer | None = None,
) -> None:
    if not events:
        return
    heads: Sequence[str] = index.annotated(workspace).heads
    who, now, nonce = author(workspace), int(time.time()), os.urandom(8).hex()
    files = {}
    for kind, runs, body in events:
        line = annotation.compose(kind, who, now, heads, runs, nonce=nonce, **body)
        path, content = annotation.seal(line, signer)
        files[path] = content
        # Each names the one before: the next event of anybody would not fit if it had to name a thousand.
        heads = [name for name in [annotation.event_id(path)] if name]
    notes.add(workspace.common_dir, files, message)


def _parts(runs: Sequence[str]) -> Iterator[Sequence[str]]:
    unique = sorted(set(runs))
    for start in range(0, len(unique), AT_ONCE):
        yield unique[start : start + AT_ONCE]


def _counted(runs: Sequence[str]) -> str:
    return runs[0] if len(runs) == 1 else f"{len(runs)} runs"


def _tag(tag: str) -> str:
    text = str(plain(tag)).strip()
    if not text or len(text) > LONGEST_TAG or not text.isprintable():
        shown = ascii(text[:40])
        raise UsageError(f"{shown} is no tag", f"A tag is one line of 1 to {LONGEST_TAG} characters")
    return text


def _note(text: str) -> str:
    said = str(plain(text)).strip()
    if not said:
        raise UsageError("the note is empty", 'Write it in quotes: `provenote note RUN "what I saw"`')
    if len(said) > LONGEST_NOTE:
        raise UsageError(
            f"the note has {len(said):,} characters, and {LONGEST_NOTE:,} fit",
            "Put the long text into a file of the project, and name it in the note",
        )
    return said
