"""The verb that runs a run once more."""

from __future__ import annotations

from provenote.commands.tree import Context, verb
from provenote.view import View


@verb("reproduce")
def reproduce(
    context: Context,
    run: str,
    *,
    tolerance: list[str] | None = None,
    env: bool = False,
    keep: bool = False,
    history: bool = False,
) -> View:
    """Run a run again in a clean kernel: identical, within tolerance, or different.

    Its files, data, parameters and cells are those of the run; your work stays as it is, and the reproduction
    is listed nowhere. The verdict is kept with the run and shown in every table. Exit status: 0 identical or
    within tolerance, 1 different, 2 nothing of it can be run again, 3 data are nowhere or the kernel died.

    Parameters
    ----------
    run : str
        The run: name, label, id, or the start of its id or commit.
    tolerance : list of str
        How far a metric may be off: `rmse=0.01` (a share), `rmse=1%`, `rmse=+-0.5`; may be repeated. `*`
        is for all others. Default: not at all.
    env : bool
        Build the run's own environment with uv, and run it there.
    keep : bool
        Leave what it ran in, in past/RUN-again.
    history : bool
        Run nothing: show the verdicts of earlier reproductions, by whom and when.
    """
    from provenote.reproducing import journey, show

    if history:
        return show.history(*journey.reports(context.workspace, run))
    return show.view(
        journey.reproduce(context.workspace, run, tolerance or (), build=env, keep=keep, tell=context.tell)
    )
