"""When a sweep has found what it was looking for: a query, asked of the run of each job that succeeded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provenote.compare import query
from provenote.errors import UsageError

if TYPE_CHECKING:
    from provenote.jobs.state import JobState
    from provenote.workspace import Workspace


class Until:
    """Asks a query of finished jobs, until one matches.

    Parameters
    ----------
    workspace : Workspace
    text : str
        The query; empty matches nothing.

    Attributes
    ----------
    met : str or None
        Name of the run that matched.
    trouble : str or None
        Why the query could not be asked of any run so far, as a name that none has.
    """

    def __init__(self, workspace: Workspace, text: str) -> None:
        self._workspace = workspace
        self._text = text
        self.met: str | None = None
        self.trouble: str | None = None
        self._asked = False

    def look(self, state: JobState) -> None:
        """Ask it of the run of a job that is over."""
        from provenote.stores import index

        if not self._text or self.met or state.state != "succeeded" or state.run is None:
            return
        try:
            row = index.find(self._workspace, state.run)
            matches = query.parse(self._text).bind([row]).matches(row)
        except UsageError as error:  # this run has no such metric, or somebody removed it
            self.trouble = None if self._asked else error.what
            return
        self._asked, self.trouble = True, None
        if matches:
            self.met = row.name
