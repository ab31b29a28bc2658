"""Verbs that look back: the table of runs, one run in full."""

from __future__ import annotations

from provenote.commands.tree import Context, verb
from provenote.view import View


@verb("runs", all="-A")
def runs(
    context: Context,
    *query: str,
    sort: str | None = None,
    limit: int | None = None,
    all: bool = False,
    branch: str | None = None,
    group_by: str | None = None,
) -> View:
    """List runs: what they were given, what came out, what to look at.

    Shown are the runs that began on a commit in the history of HEAD; the line below says how many more
    there are. A query chooses among them:

      metrics.rmse < 60 and params.depth >= 6      numbers, `and`, `or`, `not`, parentheses
      rmse < 60                                    a metric's or parameter's name alone
      loss in (poisson, squared)                   one of several; == != < <= > >= compare
      label ~ hgb                                  contains, whatever the case
      metrics["train/loss"] != null                odd keys; null is "has none"
      started > 7d and duration < 5m               times: 7d is seven days ago, or 2026-11-01
      starred and linearity == linear              fields: status name label tags notes reason ...

    The whole language: docs/reference/query.md.

    Parameters
    ----------
    query : str
        Which runs; several words are joined.
    sort : str
        Field to sort by, several with commas; `--sort -metrics.r2` or "metrics.r2 desc" turns it round.
    limit : int
        At most so many; default: 50 in a table, all in JSON.
    all : bool
        Runs of all branches, and archived ones.
    branch : str
        Runs on the history of this branch instead of HEAD's.
    group_by : str
        Fields: one line a group, with mean, spread and best run.
    """
    from provenote.compare import table

    return table.listing(
        context.workspace,
        " ".join(query),
        sort=sort,
        limit=limit,
        everything=all,
        branch=branch,
        group_by=group_by,
    )


@verb("show")
def show(context: Context, run: str) -> View:
    """Show all that is known of one run: state, order of cells, metrics, data read, models kept, environment.

    Parameters
    ----------
    run : str
        Its name, label or id, or the start of its id or commit.
    """
    from provenote.compare.show import one_run

    return one_run(context.workspace, run, pictures=context.face == "notebook")
