"""The verb that asks why."""

from __future__ import annotations

from provenote.commands.tree import Context, verb
from provenote.view import View


@verb("why")
def why(
    context: Context,
    old: str,
    new: str,
    *,
    metric: str | None = None,
    env: bool = False,
    label: str | None = None,
    time: list[str] | None = None,
) -> View:
    """Say why a metric differs between two runs: data, code, parameters or packages.

    What differs is mixed in every way and run again, and the difference is split over its factors, so that
    the shares sum to it. The piece that did most of it is looked for inside the largest. A rise is looked at
    with the leak screen. Your work stays as it is, and nothing of it is listed; the same question asked again
    costs no run.

    Parameters
    ----------
    old : str
        The run before: name, label, id, or the start of its id or commit.
    new : str
        The run after.
    metric : str
        Which metric; default: the first that both logged and whose name tells which way is better.
    env : bool
        Build the environments of both with uv and cross them, too.
    label : str
        The target's column, for the leak screen; default: what the contract of the data says.
    time : list of str
        Column that tells the time; may be repeated.
    """
    from provenote.blame import journey, show

    made = journey.why(
        context.workspace, old, new, metric, packages=env, label=label, time=time or (), tell=context.tell
    )
    return show.view(made, pictures=context.face == "notebook")
