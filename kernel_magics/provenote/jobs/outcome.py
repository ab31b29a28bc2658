"""How an attempt of a job ended, and how its run is told."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provenote.errors import ProvenoteError
from provenote.jobs.state import ENDED, JobState

if TYPE_CHECKING:
    from provenote.jobs.folder import JobFolder
    from provenote.tracking.active import ActiveRun


@dataclass(slots=True)
class Outcome:
    """How an attempt ended.

    Parameters
    ----------
    state : str
        One of `provenote.jobs.state.ENDED`.
    reason : str or None
        Why, in one line that names the cell.
    error : dict or None
        ``kind``, ``what``, ``mend`` where the job could not do its work.
    facts : dict
        More for the last event: ``run``, ``name``, ``commit``, ``output``, ``failed_cell``.
    """

    state: str
    reason: str | None = None
    error: dict[str, Any] | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def as_error(error: BaseException) -> dict[str, Any]:
    """Return an error as an event carries it: its kind is the nearest one of the family's own."""
    if isinstance(error, ProvenoteError):
        family = [one.__name__ for one in type(error).__mro__ if one.__module__ == ProvenoteError.__module__]
        return {"kind": family[0], "what": error.what[:500], "mend": error.mend}
    return {"kind": "Defect", "what": f"{type(error).__name__}: {error}"[:500], "mend": None}


def end_run(run: ActiveRun, outcome: Outcome) -> None:
    """End the job's run with the words that runs use, and note its name and commit.

    The finer state and its reason, which names the cell, stand in ``extra.ended``.
    """
    run.record({"extra": {"ended": {"state": outcome.state, "reason": outcome.reason}}})
    status, reason = JobState(state=outcome.state, reason=outcome.reason).status
    run.end(status, reason, ended_by="job")
    outcome.facts.update(run=run.id, name=run.name, commit=run.commit)


def published(folder: JobFolder, state: JobState) -> dict[str, Any] | None:
    """Return the last event of a job whose supervisor died between the end of its run and the word on it.

    The run is what counts: its job ended as it says, and is not run a second time. None where the run did not
    come to its end.

    Parameters
    ----------
    folder : JobFolder
    state : JobState
        As the events tell it.
    """
    if state.state != "publishing" or state.run is None:
        return None
    from provenote.git import trees
    from provenote.git.command import git
    from provenote.stores import runs

    home = folder.path.parents[1]
    runs.close_dead(home.parent, home)  # its end may be written down and not published yet
    names = set(runs.names(folder.spec.label, state.run))
    form = "--format=%(objectname) %(refname)"
    lines = os.fsdecode(git(home.parent, "for-each-ref", form, runs.REFS)).splitlines()
    for commit, ref in (line.split(" ", 1) for line in lines):
        name = ref.rsplit("/", 1)[1]
        document = runs.read(trees.repository(home.parent), commit) if name in names else None
        if document is not None and document["id"] == state.run:
            return _last_event(folder, state, document, {"name": name, "commit": commit})
    return None


def _last_event(
    folder: JobFolder, state: JobState, document: Mapping[str, Any], facts: Mapping[str, Any]
) -> dict[str, Any] | None:
    extra = document.get("extra")
    ended = extra.get("ended") if isinstance(extra, Mapping) else None
    word = ended.get("state") if isinstance(ended, Mapping) else None
    if not isinstance(ended, Mapping) or word not in ENDED:
        return None
    if JobState(state=word).status[0] != document.get("status"):  # it was closed for a dead process
        return None
    output = folder.spec.output or str(folder.attempt(state.attempt) / "out.ipynb")
    return {"state": word, "reason": ended.get("reason"), "run": state.run, "output": output, **facts}
