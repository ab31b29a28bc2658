"""Move old runs into archives, and back: they lose their refs, and nothing else.

A run that has its ref and stands in an archive too is one run, archived. So a move that is stopped anywhere
is harmless: the archive is complete before the first ref goes, and the next move drops the refs that stayed.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provenote.errors import WorldError
from provenote.events import Progress, Tell, silent
from provenote.git import command
from provenote.sharing import memory, refs, transport
from provenote.stores import annotating, archives, index, runs
from provenote.stores.annotation import Element
from provenote.stores.marks import Marks

if TYPE_CHECKING:
    from provenote.model import Row
    from provenote.workspace import Workspace

TRIES = 5
LOOSE_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Choice:
    """Which runs an archive would take.

    Parameters
    ----------
    rows : tuple of Row
        Runs that are old enough, and that nothing holds.
    spared : mapping of str to int
        How many old runs stay, by the reason.
    """

    rows: tuple[Row, ...]
    spared: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Moved:
    """What was archived.

    Parameters
    ----------
    choice : Choice
    archives : tuple of str
        Refs of the archives that were made.
    """

    choice: Choice
    archives: tuple[str, ...] = ()


def choose(
    rows: Sequence[Row],
    marks: Mapping[str, Marks],
    *,
    before: float,
    named: Collection[str] = (),
    away: Collection[str] = (),
) -> Choice:
    """Return the runs that ended before a time and that nothing holds. Pure.

    Parameters
    ----------
    rows : sequence of Row
    marks : mapping of str to Marks
        What annotations say, by run id.
    before : float
        Seconds since 1970.
    named : collection of str
        Commits that a model version, a stage or a request names.
    away : collection of str
        Commits that have no ref any more.
    """
    taken, spared = [], Counter[str]()
    for row in rows:
        said = marks.get(row.id, Marks())
        if row.commit is None or row.commit in away or max(row.started, row.ended or 0) >= before:
            continue
        if said.pinned:
            spared["pinned"] += 1
        elif said.starred:
            spared["starred"] += 1
        elif row.commit in named:
            spared["of a model version"] += 1
        else:
            taken.append(row)
    return Choice(tuple(taken), dict(spared))


def named(workspace: Workspace) -> frozenset[str]:
    """Return the commits that tags, and the requests and releases of the ledger name."""
    from provenote.sharing import versions
    from provenote.stores.ledger import Ledger

    form = "--format=%(objectname) %(*objectname)"
    found = set(command.git(workspace.top, "for-each-ref", form, "refs/tags").decode().split())
    ledger = Ledger(workspace.top)
    tip = ledger.tip()
    asked = versions.asked(ledger, tip) if tip else versions.Asked()
    for commits in (*asked.versions.values(), *asked.stages.values()):
        found |= commits
    return frozenset(found)


def archive(workspace: Workspace, *, before: float, dry_run: bool = False, tell: Tell = silent) -> Moved:
    """Move the runs that ended before a time into archives.

    Parameters
    ----------
    workspace : Workspace
    before : float
        Seconds since 1970.
    dry_run : bool
        Choose only.
    tell : Tell
        Where progress goes.

    Raises
    ------
    WorldError
        If the repository cannot be written, or others keep moving its runs; every run is where it was, or
        in an archive.
    """
    if dry_run:
        return Moved(_chosen(workspace, before))
    with memory.alone(workspace):
        for _ in range(TRIES):
            choice = _chosen(workspace, before)
            try:
                return Moved(choice, tuple(_move(workspace, choice, tell)))
            except transport.Raced:
                continue
    raise WorldError("runs are being renamed or removed all the time", "Try again: nothing is lost")


def _chosen(workspace: Workspace, before: float) -> Choice:
    rows = index.rows(workspace, everything=True)[0]
    there = refs.read(workspace.top)
    marks = index.annotated(workspace).runs
    away = {row.commit for row in rows if row.commit} - set(there.runs.values())
    return choose(rows, marks, before=before, named=named(workspace), away=away)


def _move(workspace: Workspace, choice: Choice, tell: Tell) -> list[str]:
    """Make the archives, then drop the refs of the runs in one transaction."""
    here = refs.read(workspace.top)
    wanted = {row.commit for row in choice.rows}
    elements = [(ref, commit) for ref, commit in sorted(here.runs.items()) if commit in wanted]
    kept = here.kept(index.annotated(workspace).gone)  # a move that was stopped: only their refs are left
    parts = archives.parts([element for element in elements if element[1] not in kept])
    label, made = "archive", []
    try:
        for number, part in enumerate(parts):
            tell(Progress(label, done=number, total=len(parts) + 1, unit="archives"))
            made.append(archives.write(workspace.common_dir, part))
        if len(elements) > LOOSE_LIMIT:
            command.run(workspace.common_dir, "pack-refs", "--all")  # one file is rewritten, not thousands
        refs.move(workspace.top, {}, elements)
    except BaseException as error:
        tell(Progress(label, state="failed"))
        # Who lost a race has moved nothing: Git checks all refs before it moves the first.
        _withdraw(workspace, made, [] if isinstance(error, transport.Raced) else elements)
        if isinstance(error, OSError):
            why = error.strerror or error
            mend = "Mend that, then try again: every run is where it was"
            raise WorldError(f"the archive cannot be written: {why}", mend) from error
        raise
    tell(Progress(label, done=len(parts) + 1, total=len(parts) + 1, unit="archives", state="done"))
    return made


def _withdraw(workspace: Workspace, made: Sequence[str], elements: Sequence[Element]) -> None:
    """Remove archives whose runs have all kept their refs; else they stay, and nothing is lost either."""
    with contextlib.suppress(Exception):
        here = refs.read(workspace.top).runs
        if all(here.get(ref) == commit for ref, commit in elements):
            refs.move(workspace.top, {}, [(ref, here[ref]) for ref in made if ref in here])


def unarchive(workspace: Workspace, rows: Sequence[Row]) -> list[Row]:
    """Give archived runs their refs back, under their names where these are free.

    Returns
    -------
    list of Row
        Those that had none.

    Raises
    ------
    WorldError
        If the repository cannot be written, or others keep moving its runs.
    """
    with memory.alone(workspace):
        for _ in range(TRIES):
            kept = index.archived(workspace)
            back = [row for row in rows if row.commit in kept]
            try:
                _bring(workspace, {str(row.commit): row.id for row in back}, kept)
                return back
            except transport.Raced:
                continue
    raise WorldError("runs are being renamed or removed all the time", "Try again: nothing is lost")


def _bring(workspace: Workspace, ids: Mapping[str, str], kept: Mapping[str, Sequence[str]]) -> None:
    here, gone = refs.read(workspace.top), index.annotated(workspace).gone
    made: dict[str, str] = {}
    for commit in ids:
        if commit not in set(here.runs.values()):
            for ref in _names(workspace, commit, kept[commit], gone):
                made[_free(ref, commit, {**here.runs, **made})] = commit
    refs.move(workspace.top, {ref: commit for ref, commit in made.items() if ref not in here.runs}, [])
    # Now they have their refs: only then do they leave the archives.
    moves: list[tuple[str, list[str], dict[str, str]]] = []
    empty: list[Element] = []
    for archive, commits in here.archived.items():
        leave = sorted(commits & set(ids))
        moves += [("removed", [ids[commit]], {"ref": archive, "commit": commit}) for commit in leave]
        if leave and all(commit in ids or (archive, commit) in gone for commit in commits):
            empty.append((archive, here.runs[archive]))
    moves += [("removed", [], {"ref": ref, "commit": commit}) for ref, commit in empty]
    annotating.depart(workspace, moves)
    refs.move(workspace.top, {}, empty)


def _names(
    workspace: Workspace, commit: str, known: Sequence[str], gone: Mapping[Element, str | None]
) -> list[str]:
    """Return the refs that a run shall have: those it had, or what they were renamed to meanwhile."""
    found = []
    for ref in known:
        seen = {ref}
        while (to := gone.get((ref, commit))) is not None and to not in seen:
            seen.add(to)
            ref = to
        if ref.split("/")[2:4] == ["00", "0" * 38]:  # the archive does not tell its name
            document = index.document(workspace, commit)
            ref = runs.ref_name(document["baseline"], ref.rsplit("/", 1)[1])
        if ref not in found:
            found.append(ref)
    return found


def _free(ref: str, commit: str, taken: Mapping[str, str]) -> str:
    """Return a ref that no other run has: the wished one, or one with digits of the commit behind it."""
    name, length = ref, 7
    while taken.get(name, commit) != commit:
        name = f"{ref}-{commit[:length]}"
        length += 1
    return name
