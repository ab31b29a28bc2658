"""How an attempt of a job ended, and how its run is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provenote.errors import ProvenoteError
from provenote.jobs.state import JobState

if TYPE_CHECKING:
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
