"""What a retraining sweeps over: the champion's own space, as the record of its sweep tells it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from provenote.errors import ProvenoteError, UsageError
from provenote.jobs import grid, launch, parameters, sweeps
from provenote.jobs.folder import JobFolder
from provenote.jobs.local import cores
from provenote.jobs.replay import job_of
from provenote.model import is_sweep
from provenote.retraining.definition import Retrain
from provenote.stores.values import plain

if TYPE_CHECKING:
    from provenote.jobs.spec import JobSpec
    from provenote.workspace import Workspace


def combinations(
    workspace: Workspace, rule: Retrain, champion: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], str]:
    """Return what each job of a retraining gives, and where that comes from in words.

    Parameters
    ----------
    workspace : Workspace
    rule : Retrain
    champion : mapping
        The record of the champion's run.

    Raises
    ------
    UsageError
        If there is no space: no sweep made the champion, and the rule has no grid.
    """
    parent = champion.get("parent")
    if rule.sweep.space == "champion" and is_sweep(parent):
        found = _of_sweep(workspace, str(parent))
        if found:
            return found, f"the space of the champion's sweep {str(parent)[:8]}"
    if rule.sweep.grid:
        known = launch.check(workspace.dvc_root / rule.notebook, None, any_given=True).known
        axes = grid.axes(rule.sweep.grid, known)
        return grid.combinations(axes, {}), "the rule's grid"
    raise UsageError(
        f"the champion of {rule.model} comes from no sweep that is known here, and {rule.name} has no grid",
        "Give it one: `sweep: {grid: {...}}`",
    )


def _of_sweep(workspace: Workspace, sweep: str) -> list[dict[str, Any]]:
    """Return what the jobs of a sweep gave: from its folder, or from the runs that it left in any clone."""
    try:
        return [dict(one) for one in JobFolder(workspace.home / "jobs" / sweep).spec.jobs]
    except ProvenoteError:
        pass
    from provenote.stores import index

    rows, _ = index.rows(workspace, everything=True)
    found: dict[str, dict[str, Any]] = {}
    for row in sorted(
        (one for one in rows if one.parent == sweep and one.commit), key=lambda one: one.started
    ):
        given = job_of(index.document(workspace, str(row.commit))).get("given")
        if isinstance(given, Mapping):
            found.setdefault(json.dumps(plain(dict(given)), sort_keys=True), dict(given))
    return list(found.values())


def prepare(
    workspace: Workspace, rule: Retrain, champion: Mapping[str, Any], since: str, nonce: str
) -> tuple[JobSpec, str]:
    """Return the sweep of a retraining, checked, and where its space comes from; nothing is started.

    Parameters
    ----------
    workspace : Workspace
    rule : Retrain
    champion : mapping
        The record of the champion's run.
    since : str
        The first day that is held out: the notebook gets the one before, whether it takes that day or not.
    nonce : str
        Names what it is for: the same is one sweep, however often it is asked for.

    Raises
    ------
    UsageError
        If notebook, parameter or space do not fit.
    """
    listed, words = combinations(workspace, rule, champion)
    path = workspace.dvc_root / rule.notebook
    known = launch.check(path, None, any_given=True).known
    parameters.find(rule.cut, known)
    cut = (date.fromisoformat(since) - timedelta(days=1)).isoformat()
    fixed = parameters.given({**rule.sweep.params, rule.cut: cut}, known, None)
    names = {one.name for one in known}
    jobs = [{**{k: v for k, v in one.items() if k in names}, **fixed} for one in listed]
    jobs = list({json.dumps(plain(one), sort_keys=True): one for one in jobs}.values())
    for one in jobs:
        parameters.complete(one, known)
    # A grid of one value makes and checks the sweep; its jobs are those of the champion's space.
    _, spec, _ = sweeps.prepare(
        path,
        {rule.cut: [fixed[rule.cut]]},
        {},
        cell_timeout=rule.sweep.timeout,
        label=f"retrain {rule.name}",
        nonce=nonce,
        on=rule.sweep.on,
        max_parallel=rule.sweep.parallel,
    )
    most = rule.sweep.parallel or (max(1, cores()) if rule.sweep.on == "local" else len(jobs))
    parallel = max(1, min(most, len(jobs)))
    return replace(
        spec, jobs=tuple(jobs), parallel=parallel, **launch.computing(None, max(1, cores() // parallel))
    ), words
