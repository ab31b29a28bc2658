"""The active run: what ``track`` opens, ``log`` appends to and ``end`` turns into a commit.

One active run for each thread; other threads and forked children log to it through the object itself.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote import workspace
from provenote.errors import UsageError, WorldError
from provenote.stores import live, values
from provenote.tracking import evidence

if TYPE_CHECKING:
    from types import TracebackType

    from provenote.workspace import Workspace

RUN_VARIABLE = "PROVENOTE_RUN"

_active: dict[int, ActiveRun] = {}
_guests: dict[tuple[int, str], ActiveRun] = {}  # by process and run: who logs to a job's run without a track
_reads: list[dict[str, Any]] = []  # of this process since it started: a notebook reads first, tracks later
_INFINITE = float("inf")


def current() -> ActiveRun | None:
    """Return the run that is active in this thread, else the one of the main thread.

    Inside a job this is the job's run, whether or not a cell tracks anything; elsewhere it may be None.
    """
    run = _active.get(threading.get_ident()) or _active.get(threading.main_thread().ident or 0)
    opened = os.environ.get(RUN_VARIABLE)
    if run is None and opened:
        run = _guests.get((os.getpid(), opened))
        if run is None:
            place = workspace.find()
            appender, meta = live.attend(place.home, opened)
            run = _guests[os.getpid(), opened] = ActiveRun(meta, appender, place, joined=True)
    return run


def innermost() -> ActiveRun | None:
    """Return the run that this thread itself has open, or None."""
    run = _active.get(threading.get_ident())
    return None if run is None or run.ended else run


def enter(run: ActiveRun) -> None:
    """Make ``run`` the active one of this thread until it ends; what was read before belongs to it."""
    run._above = None if run.joined else _active.get(threading.get_ident())
    _active[threading.get_ident()] = run
    for read in _reads:
        run.record({"read": read})


def note_read(read: dict[str, Any]) -> None:
    """Record that this process read a version of data: on the run that is active, and on every later one.

    Parameters
    ----------
    read : dict
        ``path, md5, size, rev``.
    """
    if read not in _reads:
        _reads.append(read)
    run = current()
    if run is not None:
        run.record({"read": read})


def open_runs() -> list[ActiveRun]:
    """Return the runs of this process that are not ended, the innermost of each thread first."""
    found = []
    for run in list(_active.values()):
        above: ActiveRun | None = run
        while above is not None:
            if not above.ended:
                found.append(above)
            above = above._above
    return found


class ActiveRun:
    """A run that is going on. Made by `start`, `provenote.track` or ``%%track``, never by hand.

    Attributes
    ----------
    id : str
        The run's id, for ever.
    name : str
        Its short name: the slug of the label and four characters of the id.
    label : str
        The name as it was given.
    commit : str or None
        Its commit, once it has ended.
    """

    def __init__(self, meta: dict[str, Any], appender: live.Appender, place: Workspace, joined: bool) -> None:
        self.id: str = meta["id"]
        self.name: str = meta["name"]
        self.label: str = meta["label"]
        self.parent: str | None = meta.get("parent")
        self.started: float = meta["started"]
        self.workspace = place
        self.folder: Path = appender.folder
        self.commit: str | None = None
        self.joined = joined
        self._appender = appender
        self._keys: dict[str, str] = {}
        self._steps: dict[str, Any] = {}
        self._pid = os.getpid()
        self._thread = threading.get_ident()
        self._ended = False
        self._finish: list[Callable[[], None]] = []
        self._above: ActiveRun | None = None

    # ------------------------------------------------------------------ logging

    def log(
        self, metrics: Mapping[str, Any] | None = None, /, *, step: float | None = None, **more: Any
    ) -> None:
        """Log metrics; they are safe from a killed process when this returns.

        Parameters
        ----------
        metrics : mapping of str to number, optional
            Values by key. NaN, infinity, huge integers, booleans, texts, lists and nested maps are kept.
        step : int or float, optional
            The step they belong to; without one, points are numbered as they come.
        **more : number
            More values, as ``log(rmse=61.4)``.

        Raises
        ------
        UsageError
            If a key is no text, a value cannot be written, or the run has ended.
        WorldError
            If the disk is full: this point is not recorded, all before it are.
        """
        if more:
            metrics = {**metrics, **more} if metrics else more
        parts = []
        keys = self._keys
        for key, value in (metrics or {}).items():
            quoted = keys.get(key) or self._quote(key)
            if value.__class__ is float and -_INFINITE < value < _INFINITE:
                parts.append(f"{quoted}{value!r}")
            else:
                parts.append(f"{quoted}{values.line(values.plain(value, key))}")
        if step is None:
            self._appender.write(f'{{"t":{time.time():.6f},"s":null,"m":{{{",".join(parts)}}}}}\n'.encode())
            return
        if step.__class__ is not int:
            step = self._step(step)
        self._appender.write(f'{{"t":{time.time():.6f},"s":{step},"m":{{{",".join(parts)}}}}}\n'.encode())
        steps = self._steps
        for key in metrics or ():
            if steps.get(key) == step:
                self._repeated(key, step)
            steps[key] = step

    def _quote(self, key: Any) -> str:
        quoted = self._keys[key] = dumps(values.check_key(key)) + ":"
        return quoted

    def _step(self, step: Any) -> Any:
        plain = values.plain(step, "step")
        if isinstance(plain, bool) or not isinstance(plain, (int, float)):
            raise UsageError(
                f"step={step!r} is no number",
                "Give the step as a whole number: `run.log(loss=value, step=3)`",
            )
        return plain

    def _repeated(self, key: str, step: Any) -> None:
        warnings.warn(
            f"{key!r} was logged twice at step {step}; both points are kept and the last one counts. "
            "Give each point a step of its own",
            stacklevel=4,
        )

    def log_params(self, params: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Log parameters; nested maps are kept nested, a later value of a key replaces the earlier one."""
        given = {**(params or {}), **more}
        for key in given:
            values.check_key(key)
        self.record({"p": values.plain(given, "params")})

    def log_artifact(
        self, path: str | os.PathLike[str], name: str | None = None, *, type: str = "artifact", **facts: Any
    ) -> None:
        """Keep a file or folder with the run, as bytes in the DVC cache.

        Parameters
        ----------
        path : path
            The file or folder; it is read, never changed.
        name : str, optional
            Name of the artifact; default: the file's name without its suffix.
        type : str
            What it is: ``artifact``, ``model``, ``figure``, ``table``, ``data``.
        **facts : str
            More that is known about it, kept in ``run.json``.

        Raises
        ------
        UsageError
            If it does not exist or cannot be read.
        """
        from provenote.tracking import artifacts

        self.record({"artifact": artifacts.keep(self.workspace, Path(path), name, type, facts)})

    def log_model(self, model: Any, name: str, *, X: Any = None, y: Any = None, **facts: Any) -> None:  # noqa: N803
        """Keep a model under ``name``: a scikit-learn estimator as skops, or the path of any file or folder.

        Parameters
        ----------
        model : object
        name : str
        X : DataFrame, optional
            The rows that it learned from. Twenty of them are kept with what it says about them, and a hash of
            each: tests can then load it elsewhere and compare, and tell rows that it knows already.
        y : Series, optional
            Their answers; its name becomes the column that tests hold it against.
        **facts : str
            More that is known about it.

        Raises
        ------
        UsageError
            If the model holds a class or function defined in the notebook, which no other process can load,
            or cannot be asked about ``X``.
        """
        from provenote.tracking import artifacts, environment, imports

        if X is not None:
            if getattr(y, "name", None):
                facts = {"answer": str(y.name), **facts}
            self.record({"artifact": artifacts.keep_rows(self.workspace, model, name, X, y)})
        self.record({"artifact": artifacts.keep_model(self.workspace, model, name, facts)})
        # What is loaded where a model is trained is what it needs, whoever looks after the run.
        self.record({"extra": imports.told(environment.lock(), self.workspace.home)})

    def log_figure(self, figure: Any, name: str) -> None:
        """Keep a figure (matplotlib, plotly or anything with ``savefig`` or ``write_html``) with the run."""
        from provenote.tracking import artifacts

        self.record({"artifact": artifacts.keep_figure(self.workspace, figure, name)})

    def log_table(self, table: Any, name: str) -> None:
        """Keep a table (a DataFrame, or rows as a list of maps) with the run, as CSV."""
        from provenote.tracking import artifacts

        self.record({"artifact": artifacts.keep_table(self.workspace, table, name)})

    def tag(self, *tags: str) -> None:
        """Tag the run."""
        for tag in tags:
            self.record({"tag": values.check_key(tag)})

    def note(self, text: str) -> None:
        """Add a note to the run."""
        self.record({"note": values.plain(str(text))})

    def record(self, event: dict[str, Any]) -> None:
        """Append one event of the live run's format (docs/reference/formats.md)."""
        self._appender.write((values.line({"t": round(time.time(), 6), **event}) + "\n").encode())

    # ------------------------------------------------------------------ ending

    @property
    def ended(self) -> bool:
        """Whether `end` was called."""
        return self._ended

    def at_end(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` just before the run is closed (samplers, autolog)."""
        self._finish.append(callback)

    def end(self, status: str = "finished", reason: str | None = None, ended_by: str | None = None) -> None:
        """End the run: it becomes a commit that is never rewritten.

        Parameters
        ----------
        status : {'finished', 'failed', 'killed'}
        reason : str, optional
            More about the status, as ``ValueError: wrong shape``.
        ended_by : str, optional
            ``shutdown`` when the kernel ended it.

        Raises
        ------
        UsageError
            If it has ended already, or belongs to another process.
        WorldError
            If it cannot be written; nothing is lost, the next listing finishes it.
        """
        if self._pid != os.getpid():
            raise UsageError(f"the run {self.name} belongs to process {self._pid} and ends there")
        if self._ended:
            raise UsageError(
                f"the run {self.name} has already ended",
                "Start another: `with provenote.track(name) as run:`",
            )
        from provenote.stores import runs

        if _active.get(self._thread) is self:
            if self._above is not None and not self._above.ended:
                _active[self._thread] = self._above
            else:
                del _active[self._thread]
        try:
            self._last_words()
            self._ended = True
            if not self.joined:  # a joined run is ended by the job that opened it
                live.write_end(
                    self.folder,
                    {"status": status, "reason": reason, "ended_by": ended_by, "ended": time.time()},
                )
                self.name, self.commit = runs.publish(self.workspace.common_dir, self.folder, status, reason)
        finally:
            self._ended = True
            self._appender.close()

    def _last_words(self) -> None:
        """Write what is known only at the end; a full disk here does not keep the run from ending."""
        for callback in self._finish:
            with contextlib.suppress(WorldError):
                callback()
        with contextlib.suppress(WorldError):
            self.write_evidence()

    def write_evidence(self) -> None:
        """Keep what ran so far. What a script can tell never changes: it stands in the run's first words."""
        if self.joined or not evidence.is_script():
            found = evidence.gather(self.workspace)
            if found is not None:
                live.write_capture(self.folder, found)

    def __enter__(self) -> ActiveRun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._ended or self._pid != os.getpid():
            return
        self.end(*outcome(error))

    def __repr__(self) -> str:
        state = "ended" if self._ended else "running"
        return f"<run {self.name}, {state}>"


def outcome(error: BaseException | None) -> tuple[str, str | None]:
    """Return the status and reason of a run whose body ended with ``error``."""
    if error is None:
        return "finished", None
    name = type(error).__name__
    if name in ("KeyboardInterrupt", "CancelledError"):
        return "failed", "KeyboardInterrupt"
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return "finished", None
    text = " ".join(str(error).split())
    return "failed", f"{name}: {text}"[:500] if text else name
