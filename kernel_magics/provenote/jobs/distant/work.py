"""A job that is given out, as the dispatcher keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from provenote.jobs.distant import claims
from provenote.jobs.folder import JobFolder
from provenote.jobs.spec import JobSpec

ATTEMPTS = 3
"""Times that a job is given out, when its workers are lost."""


@dataclass(slots=True)
class Work:
    """A job that is given out.

    Parameters
    ----------
    folder : JobFolder
    lease : int
        Descriptor of its lease, held until it is over.
    spec : JobSpec
    code : dict
        As `provenote.jobs.distant.code.Code`.
    attempt : int
    left : int
        How many times more it may be given out.
    at : str or None
        Where its ref on the remote is, as far as we know; None: nowhere.
    future : Future or None
        Dask's.
    worker : str or None
        Address of the worker that has begun.
    asked : float or None
        When it was asked to stop, by the monotonic clock.
    told : bool
        Whether its worker was told so.
    foreign : float or None
        When we next look what somebody else, who claimed it, has made of it.
    lost : list of str
        How earlier attempts were lost.
    """

    folder: JobFolder
    lease: int
    spec: JobSpec
    code: dict[str, str]
    attempt: int
    left: int = ATTEMPTS - 1
    at: str | None = None
    future: Any = None
    worker: str | None = None
    asked: float | None = None
    told: bool = False
    foreign: float | None = None
    lost: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The job's id."""
        return self.folder.id

    @property
    def ref(self) -> str:
        """The ref that decides about it."""
        return claims.job_ref(self.folder.id)
