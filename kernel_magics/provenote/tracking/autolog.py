"""Log scikit-learn fits into the active run, without being asked and without being noticed.

Of each fit that the user calls (`provenote.tracking.fits` says which): parameters, shape of the data, time,
training score, iterations, and of a search its choice and its table of candidates.

- Nothing here changes what a fit returns or raises. What fails in here becomes a note on the run.
- What the user logs under the same key wins: our events carry ``"auto": true`` and only fill gaps.
- The first fit has plain names (``alpha``, ``training_score``), later ones are numbered (``fit2.alpha``).
  The same object fitted again (warm start) goes on under its names; ``partial_fit`` counts as one fit.
- Fits beyond the first `LIMIT` of a run are counted, not described.
"""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provenote.tracking import estimators, fits

if TYPE_CHECKING:
    from provenote.tracking.active import ActiveRun

LIMIT = 10
"""Fits of one run that are described in full."""
CLOCK_METRICS = ("fit_time_s",)
"""Last parts of our metrics that measure time: two equal runs differ in them."""


@dataclass(slots=True)
class Fit:
    """One estimator object fitted in a run.

    Parameters
    ----------
    number : int
        1 for the first fit of the run.
    facts : dict
        Its entry in ``extra.fits`` of ``run.json``.
    owner : weakref.ref or None
        The estimator; it is never kept alive by us.
    """

    number: int
    facts: dict[str, Any] = field(default_factory=dict)
    owner: weakref.ref[Any] | None = None
    seconds: float = 0.0
    partial: bool = False

    @property
    def prefix(self) -> str:
        """What its names begin with."""
        return "" if self.number == 1 else f"fit{self.number}."


@dataclass(slots=True)
class Session:
    """The fits of one run."""

    run: ActiveRun
    fits: list[Fit] = field(default_factory=list)
    by_id: dict[int, Fit] = field(default_factory=dict)
    count: int = 0
    noted: set[str] = field(default_factory=set)
    marks: dict[str, str] = field(default_factory=dict)


_sessions: dict[str, Session] = {}
_lock = threading.RLock()


def begin(run: ActiveRun) -> None:
    """Log the fits that happen while ``run`` is the active run."""
    with _lock:
        _sessions[run.id] = Session(run)
        fits.watch(_watch)


def end(run: ActiveRun) -> None:
    """Log what is known only at the end, and stop; harmless when nothing began."""
    with _lock:
        session = _sessions.pop(run.id, None)
        if not _sessions:
            fits.unwatch()
    if session is None:
        return
    with _guarded(session):
        for fit in session.fits:
            if fit.partial:
                _record_metrics(session, fit, {"fit_time_s": round(fit.seconds, 6)})
        if any(fit.partial for fit in session.fits):
            _record_facts(session)
        if session.count > LIMIT:
            session.run.record({"extra": {"fits_total": session.count}})
            session.run.note(f"autolog: {session.count} fits; the first {LIMIT} are described")


@contextlib.contextmanager
def _watch(
    estimator: Any, method: str, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> Iterator[None]:
    """Log one fit: its parameters before, the rest after it succeeded."""
    __tracebackhide__ = True
    from provenote.tracking import active

    run = active.current()
    session = _sessions.get(run.id) if run is not None else None
    if session is None:
        yield
        return
    fit: Fit | None = None
    with _guarded(session):
        fit = _open(session, estimator, method, _argument(arguments, keywords, 0, "X"))
    began = time.perf_counter()
    yield
    seconds = time.perf_counter() - began
    if fit is None:
        return
    with _guarded(session):
        _close(session, fit, estimator, seconds, arguments, keywords)


@contextlib.contextmanager
def _guarded(session: Session) -> Iterator[None]:
    """Turn an error of ours into a note on the run, once for each kind."""
    try:
        yield
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        if text not in session.noted:
            session.noted.add(text)
            with contextlib.suppress(Exception):
                session.run.note(f"autolog: {text}")


def _open(session: Session, estimator: Any, method: str, data: Any) -> Fit | None:
    """Log the parameters; None for a fit that is not described."""
    fit = session.by_id.get(id(estimator))
    if fit is not None and fit.owner is not None and fit.owner() is not estimator:
        fit = None  # another object at the address of one that is gone
    if fit is not None and fit.partial and method == "partial_fit":
        return fit
    if not estimators.is_model(estimator):
        return None
    if fit is None:
        with _lock:
            session.count += 1
            number = session.count
        if number > LIMIT:
            return None
        fit = session.by_id[id(estimator)] = Fit(number)
        session.fits.append(fit)
        with contextlib.suppress(TypeError):  # __slots__ without __weakref__
            fit.owner = weakref.ref(estimator)
    fit.partial = method == "partial_fit"
    rows, columns = estimators.shape(data)
    cls = type(estimator)
    fit.facts = {
        "estimator": estimators.structure(estimator),
        "class": f"{cls.__module__}.{cls.__qualname__}",
        "method": method,
        "prefix": fit.prefix,
        "rows": rows,
        "columns": columns,
        "calls": 0,
    }
    found = estimators.params(estimator)
    if rows is not None and not fit.partial:
        found["training_rows"] = rows
    if columns is not None:
        found["training_columns"] = columns
    _record_params(session, fit, found)
    return fit


def _close(
    session: Session,
    fit: Fit,
    estimator: Any,
    seconds: float,
    arguments: tuple[Any, ...],
    keywords: dict[str, Any],
) -> None:
    """Log what a fit that succeeded has found."""
    data = _argument(arguments, keywords, 0, "X")
    fit.facts["calls"] += 1
    if fit.partial:  # thousands of calls: they are summed up, and written at the end of the run
        if fit.facts["calls"] > 1:
            fit.facts["rows"] = (fit.facts["rows"] or 0) + (estimators.shape(data)[0] or 0)
        fit.seconds += seconds
        fit.facts["fit_time_s"] = round(fit.seconds, 6)
        return
    fit.facts["fit_time_s"] = round(seconds, 6)
    features = getattr(estimator, "n_features_in_", None)
    if features is not None:
        fit.facts["features"] = int(features)
        fit.facts["feature_names"] = len(getattr(estimator, "feature_names_in_", ()))
    found, metrics = estimators.outcome(estimator)
    with _guarded(session):
        target = _argument(arguments, keywords, 1, "y")
        scored = estimators.training_score(estimator, data, target, keywords.get("sample_weight"))
        if scored is not None:
            metrics["training_score"], used = scored
            fit.facts.update(training_score=scored[0], score_rows=used)
            if used != fit.facts["rows"]:
                mark = f"on {used:,} of {fit.facts['rows']:,} rows"
                session.marks[f"{fit.prefix}training_score"] = mark
    if found:
        _record_params(session, fit, found)
    _record_metrics(session, fit, {**metrics, "fit_time_s": fit.facts["fit_time_s"]})
    _record_facts(session)
    if estimators.is_search(estimator) and hasattr(estimator, "cv_results_"):
        _record_candidates(session, fit, estimator.cv_results_)


def _argument(arguments: tuple[Any, ...], keywords: dict[str, Any], place: int, name: str) -> Any:
    return arguments[place] if len(arguments) > place else keywords.get(name)


def _record_params(session: Session, fit: Fit, found: dict[str, Any]) -> None:
    from provenote.stores import values

    named = {f"{fit.prefix}{name}": value for name, value in found.items()}
    session.run.record({"p": values.plain(named, "params"), "auto": True})


def _record_metrics(session: Session, fit: Fit, found: dict[str, Any]) -> None:
    from provenote.stores import values

    named = {f"{fit.prefix}{name}": value for name, value in found.items()}
    session.run.record({"s": None, "m": values.plain(named, "metrics"), "auto": True})


def _record_facts(session: Session) -> None:
    from provenote.stores import values

    extra: dict[str, Any] = {"fits": [fit.facts for fit in session.fits]}
    if session.marks:
        extra["marks"] = session.marks
    session.run.record({"extra": values.plain(extra, "extra")})


def _record_candidates(session: Session, fit: Fit, results: Any) -> None:
    from provenote.tracking import artifacts

    name = "cv_results" if fit.number == 1 else f"cv_results_{fit.number}"
    kept = artifacts.keep_table(session.run.workspace, estimators.candidates(results), name)
    session.run.record({"artifact": kept, "auto": True})
