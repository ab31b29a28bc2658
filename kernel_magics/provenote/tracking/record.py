"""The record of what ran: one `Ran` for each execution of a cell, and the evidence made of them all.

It knows no IPython: `provenote.tracking.capture` fills it. What only the evidence needs is imported when
that is asked for, so that loading the extension stays cheap.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from provenote.tracking.document import Documents, Known
from provenote.tracking.modules import Modules
from provenote.tracking.outputs import Outputs

if TYPE_CHECKING:
    from provenote.tracking.executed import Rules
    from provenote.tracking.linearity import Verdict
    from provenote.workspace import Workspace


class Ran:
    """One execution of a cell with everything that is known about it.

    Parameters
    ----------
    number : int
        Prompt number, 0 where the shell counts none.
    cell : str or None
        The cell's id as the client sent it.
    source : str
        The source that ran.
    at : float
        When it began, in seconds since 1970.

    Attributes
    ----------
    ok : bool or None
        Whether it succeeded; None while it runs, or when nobody knows.
    nothing : bool
        Whether it ran nothing: a syntax error, a refused cell.
    before_load : bool
        Whether it ran before the extension was loaded.
    outputs : Outputs
    written : tuple or None
        What `provenote.tracking.executed` made of it the last time, with what it was made from.
    """

    __slots__ = (
        "_counts",
        "_digest",
        "at",
        "before_load",
        "cell",
        "nothing",
        "number",
        "ok",
        "outputs",
        "source",
        "written",
    )

    def __init__(self, number: int, cell: str | None, source: str, at: float) -> None:
        self.number = number
        self.cell = cell
        self.source = source
        self.at = round(at, 3)
        self.ok: bool | None = None
        self.nothing = False
        self.before_load = False
        self.outputs = Outputs()
        self.written: tuple[Any, str, int] | None = None
        self._digest = ""
        self._counts: bool | None = None

    @property
    def digest(self) -> str:
        """`provenote.tracking.linearity.digest` of the source."""
        if not self._digest:
            from provenote.tracking.linearity import digest

            self._digest = digest(self.source)
        return self._digest

    @property
    def counts(self) -> bool:
        """Whether it counts for linearity: it ran something, and more than our reading verbs."""
        if self._counts is None:
            from provenote.tracking.reading import reads_only

            self._counts = not reads_only(self.source)
        return self._counts and not self.nothing


class Record:
    """Everything that ran in one shell.

    Parameters
    ----------
    documents : Documents
        What is known of the notebook.
    modules : Modules
        The project's modules as they were imported.

    Attributes
    ----------
    executions : list of Ran
        In the order in which they began.
    deleted : dict of str to float
        Cells that the client reported as deleted, and when.
    """

    def __init__(self, documents: Documents, modules: Modules) -> None:
        self.documents = documents
        self.modules = modules
        self.executions: list[Ran] = []
        self.deleted: dict[str, float] = {}
        self._rules: Rules | None = None

    def delete(self, cells: Iterable[Any], at: float) -> None:
        """Take note that cells were deleted."""
        for cell in cells:
            self.deleted[str(cell)] = round(at, 3)

    def evidence(self, tracked: Ran | None, place: Workspace | None, *, kernel: bool) -> dict[str, Any]:
        """Return what ran so far, with its verdict.

        Parameters
        ----------
        tracked : Ran or None
            The execution that the run belongs to; default: the last one.
        place : Workspace or None
            The project of the run.
        kernel : bool
            Whether the shell belongs to a kernel: a file run by a terminal's shell is a script.

        Returns
        -------
        dict
            ``linearity``, ``evidence`` (what `linearity.recompute` reads), ``executed`` (the text of
            ``executed.ipynb``), ``notebook`` (path from the DVC root), ``disk``, ``stale_modules`` and
            ``redacted``.
        """
        from provenote.tracking import document, executed

        known = self.documents.known()
        root = None if place is None else str(place.dvc_root)
        script = None if kernel else self._script(known.path)
        verdict, proof = self._judge(known, tracked) if script is None else _scripted(script)
        text, redacted = executed.text(self.executions, self._stored(place))
        counting = [one for one in self.executions if one.counts]
        return {
            "linearity": verdict.verdict,
            "evidence": proof,
            "executed": text if self.executions else None,
            "notebook": document.shown_path(known.name, root),
            "disk": document.saved_as_it_ran(known.saved, [(one.cell, one.digest) for one in counting]),
            "stale_modules": self.modules.stale(),
            "redacted": redacted,
        }

    def _judge(self, known: Known, tracked: Ran | None) -> tuple[Verdict, dict[str, Any]]:
        from provenote.tracking import linearity

        executions = [
            linearity.Execution(one.number, one.cell, one.digest, one.at, one.ok, one.counts, one.before_load)
            for one in self.executions
        ]
        index = next((i for i, one in enumerate(self.executions) if one is tracked), len(executions) - 1)
        given = (executions, known.document, self.deleted, index if executions else None)
        verdict = linearity.judge(*given, absent=known.absent)
        return verdict, linearity.evidence(*given, verdict, absent=known.absent)

    def _stored(self, place: Workspace | None) -> Rules:
        """Return how outputs are stored: as the project says, outside one by default.

        Settings that were broken while a run goes on do not stop its end: those of its start hold.
        """
        from provenote import config
        from provenote.errors import ProvenoteError
        from provenote.tracking.executed import Rules

        if place is None:
            return Rules()
        try:
            settings = config.load(place.dvc_root)
        except ProvenoteError:
            return self._rules or Rules(store_outputs=False)
        self._rules = Rules(settings.store_outputs, settings.output_limit)
        return self._rules

    def _script(self, path: str | None) -> str | None:
        """Return the name of the script that runs, when nothing else did."""
        if path is None or not path.endswith((".py", ".ipy")):
            return None
        return os.path.basename(path) if all(one.number == 0 for one in self.executions) else None


def _scripted(name: str) -> tuple[Verdict, dict[str, Any]]:
    from provenote.model import SCHEMA
    from provenote.tracking.linearity import Verdict

    return Verdict("linear"), {"schema": SCHEMA, "script": name, "why": []}
