"""Start a run: look at the work tree and the environment, make the live folder, begin to watch."""

from __future__ import annotations

import getpass
import importlib
import os
import sys
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from provenote import config, workspace
from provenote.errors import UsageError
from provenote.model import REASONS
from provenote.stores import live, values
from provenote.tracking import active, evidence
from provenote.tracking.active import RUN_VARIABLE, ActiveRun

if TYPE_CHECKING:
    from provenote.tracking.environment import Lock
    from provenote.workspace import Workspace


def start(
    label: str = "run",
    *,
    reason: str | None = None,
    params: Mapping[str, Any] | None = None,
    kind: str | None = None,
    parent: str | None = None,
    job: Mapping[str, Any] | None = None,
    folder: str | os.PathLike[str] | None = None,
    lock: Lock | None = None,
    sources: Iterable[str] = (),
) -> ActiveRun:
    """Start a run, or join the one that this job opened.

    Parameters
    ----------
    label : str
        Its name: any text; a short form of it becomes part of the ref.
    reason : str, optional
        Why the model changes: one of the seven words in `provenote.model.REASONS`.
    params : mapping, optional
        Parameters known at the start.
    kind : str, optional
        ``interactive``, ``script`` or ``job``; found out when not given.
    parent : str, optional
        Id of the run that this one belongs to.
    job : mapping, optional
        What the job's supervisor knows: notebook, attempt, threads.
    folder : path, optional
        Where to look for the project; default: the current folder.
    lock : Lock, optional
        The environment of the code, where another Python runs it; default: that of this process.
    sources : iterable of str
        Code that is about to run in it, where nobody else can tell.

    Raises
    ------
    Refused
        If data that the code names is not as its contract says.
    UsageError
        If there is no Git work tree, no DVC project or no commit, or if a folder of the user's stands where
        the run's files would.
    """
    if reason is not None and reason not in REASONS:
        raise UsageError(f"{reason!r} is no reason of change", f"Choose one: {', '.join(REASONS)}")
    place = workspace.find(folder)
    settings = config.load(place.dvc_root)
    above = active.innermost()
    opened = os.environ.get(RUN_VARIABLE)
    if opened and kind != "job":
        appender, meta, first = live.join(place.home, opened)
        if first:
            run = ActiveRun(meta, appender, place, joined=True)
            if str(label) and str(label) != "run":
                run.record({"extra": {"track": values.plain(str(label))}})
            return _activate(run, params, settings)
        appender.close()
        parent = parent or opened
    inputs = door().of_scope(place, sources) if kind != "job" else []
    if above is not None:
        parent = parent or above.id
    meta = _meta(place, settings, str(label), reason, kind, parent, job, lock)
    appender = live.create(place.home, meta)
    run = _activate(ActiveRun(meta, appender, place, joined=False), params, settings, kind == "job")
    if inputs:
        run.record({"extra": {"inputs": inputs}})
    if kind != "job":
        run.at_end(lambda: door().watch_end(run, inputs))
    return run


def door() -> Any:
    """Return what checks data before code runs; it stands above us, so it is found late."""
    return importlib.import_module("provenote.contracts.door")


def _meta(
    place: Workspace,
    settings: config.Settings,
    label: str,
    reason: str | None,
    kind: str | None,
    parent: str | None,
    job: Mapping[str, Any] | None,
    lock: Lock | None,
) -> dict[str, Any]:
    from provenote.git import snapshot
    from provenote.stores import runs
    from provenote.tracking import environment

    with snapshot.look(place.top) as status:  # Git looks, and we do what needs no answer of it
        lock = lock or environment.lock()
        environment.keep(lock, place.home)
        machine, user = environment.facts(), _user()
        capture = evidence.gather(place) if evidence.is_script() else None
        taken = snapshot.take(place.top, place.common_dir, settings, status)
    run_id = os.urandom(8).hex()
    overlay = f"{place.prefix}/{settings.overlay}".lstrip("/")
    if taken.tree or (place.dvc_root / settings.overlay).exists():
        runs.check_overlay(place.common_dir, taken, overlay)
    if taken.tree:
        runs.keep_snapshot(place.common_dir, run_id, taken.tree)
    return {
        "id": run_id,
        "name": next(runs.names(label, run_id)),
        "label": values.plain(label),
        "started": time.time(),
        "baseline": taken.baseline,
        "tree": taken.tree,
        "omitted": runs.omitted_as_data(taken),
        "prefix": place.prefix,
        "overlay": settings.overlay,
        "top": str(place.top),
        "kind": kind or ("script" if evidence.is_script() else "interactive"),
        "parent": parent,
        "why": reason,
        "job": dict(job) if job else None,
        "command": [os.path.basename(sys.argv[0]), *sys.argv[1:3]] if sys.argv and sys.argv[0] else None,
        "user": user,
        "environment": lock.sha256,
        "lock": lock.text,
        "python": lock.python,
        "machine": machine,
        "capture": capture,
    }


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None


def _activate(
    run: ActiveRun, params: Mapping[str, Any] | None, settings: config.Settings, supervised: bool = False
) -> ActiveRun:
    """Open a run; ``supervised``: its code runs in another process, whose imports this one cannot tell."""
    from provenote.tracking import environment, imports, resources

    sampler = resources.Sampler(run.workspace.dvc_root, lambda figures: run.record({"resources": figures}))
    sampler.start()
    run.at_end(lambda: run.record({"resources": sampler.stop()}))
    if not supervised:
        run.at_end(lambda: run.record({"extra": imports.told(environment.lock(), run.workspace.home)}))
    if settings.autolog:
        from provenote.tracking import autolog

        autolog.begin(run)
        run.at_end(lambda: autolog.end(run))
    active.enter(run)
    if params:
        run.log_params(params)
    run.write_evidence()
    return run


class track:  # noqa: N801 - a context manager that reads as a verb: `with provenote.track("hgb") as run:`
    """Track a run: ``with provenote.track("hgb") as run: run.log(rmse=61.4)``.

    Parameters
    ----------
    label : str
        Its name: any text.
    reason : str, optional
        Why the model changes: one of the seven words in `provenote.model.REASONS`.
    params : mapping, optional
        Parameters known at the start.
    """

    def __init__(
        self, label: str = "run", *, reason: str | None = None, params: Mapping[str, Any] | None = None
    ) -> None:
        self._arguments = (label, reason, params)
        self._run: ActiveRun | None = None

    def __enter__(self) -> ActiveRun:
        label, reason, params = self._arguments
        self._run = start(label, reason=reason, params=params)
        return self._run

    def __exit__(self, *error: Any) -> None:
        if self._run is not None:
            self._run.__exit__(*error)
