"""Verbs of travel: a past run beside the present."""

from __future__ import annotations

import os

from provenote.commands.tree import Context, verb
from provenote.view import Line, Part, View, said


@verb("restore")
def restore(context: Context, run: str, *, remove: bool = False, force: bool = False) -> View:
    """Open a past run beside what you have open: its notebook, its files, its data.

    It stands in past/RUN, a worktree of its own. No file, no index and no branch of yours changes. A run that
    is logged there is a sister of the runs of its time.

    Parameters
    ----------
    run : str
        The run: name, label, id, or the start of its id or commit.
    remove : bool
        Remove it again, after a look for files that exist nowhere else.
    force : bool
        With --remove: remove such files too.
    """
    if remove:
        from provenote.travel import remove as removing

        folder = removing.remove(context.workspace, run, force=force)
        return said(f"{os.path.relpath(folder)} removed; the run itself stays in Git", folder=str(folder))
    from provenote.travel import restore as restoring

    outcome = restoring.restore(context.workspace, run, tell=context.tell)
    where = os.path.relpath(outcome.folder)
    parts: list[Part] = [Line(f"{run} stands in {where}" + ("" if outcome.made else ", as before"), "ok")]
    if outcome.notebook is not None:
        parts.append(Line(f"the notebook that ran: {os.path.relpath(outcome.notebook)}", "ok"))
    if outcome.data:
        parts.append(Line(f"{len(outcome.data)} data and artifacts: {', '.join(outcome.data[:4])}", "ok"))
    for path in outcome.absent:
        parts.append(Line(f"{path}: its bytes are neither here nor on a remote", "warn"))
    if outcome.environment:
        few = "; ".join(outcome.environment[:3])
        more = f" and {len(outcome.environment) - 3} more" if len(outcome.environment) > 3 else ""
        mend = f"Build the run's: `provenote env create {run}`"
        parts.append(Line(f"this environment is another one: {few}{more}. {mend}", "warn"))
    parts.append(Line(f"Remove it again: provenote restore --remove {run}", role="muted"))
    return View(parts, restoring.to_json(outcome))
