"""Performance once labels have come: error and bias of each window, with their interval, among those before.

Predictions are a column of the data, or made by the version that holds the stage. Where the model can be
fitted again, the reference gives a history at once: each of its windows predicted by a fit that had not seen
it. A value whose interval holds what is usual is no event, whatever the rules say.
"""

from __future__ import annotations

import json
import math
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from provenote.checks.verdict import Finding, Outcome, Verdict
from provenote.errors import ProvenoteError
from provenote.monitor.causes import Cause
from provenote.monitor.definition import Monitor
from provenote.monitor.record import Record, level
from provenote.statistics import bootstrap, jumps
from provenote.statistics.frame import Array, Frame
from provenote.statistics.reference import ROWS, Reference
from provenote.statistics.windows import Window

if TYPE_CHECKING:
    from provenote.workspace import Workspace

LABELLED = 0.8
"""Share of a window's rows whose label must be there."""
FOLDS = 5
_YEAR = 365 * 86_400


@dataclass(frozen=True, slots=True)
class Score:
    """Error and bias of one window.

    Parameters
    ----------
    window : str
    error, bias : float
        As a share of the mean size of the label; of words: share of wrong rows, and no bias (NaN).
    error_interval, bias_interval : tuple of float
    rows : int
    """

    window: str
    error: float
    bias: float
    error_interval: tuple[float, float]
    bias_interval: tuple[float, float]
    rows: int


class NotPredicted(Exception):
    """Why there is no prediction."""


class Predictor:
    """Gives predictions: from a column, or from the model that holds the stage.

    Parameters
    ----------
    workspace : Workspace
    monitor : Monitor
    """

    def __init__(self, workspace: Workspace, monitor: Monitor) -> None:
        self._workspace, self._monitor = workspace, monitor
        self._model: Any = None

    def predict(self, rows: Frame) -> Array:
        """Return a prediction for each row.

        Raises
        ------
        NotPredicted
        """
        column = self._monitor.prediction
        if column:
            if column in rows.numbers:
                return rows.numbers[column]
            if column in rows.words:
                return rows.words[column]
            raise NotPredicted(f"the data have no column {column!r}")
        return _predictions(self.model(), rows)

    def model(self) -> Any:
        """Return the model that holds the stage.

        Raises
        ------
        NotPredicted
        """
        if self._model is None:
            from provenote.registry import load

            monitor = self._monitor
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", load.DemoWarning)
                    self._model = load.load(monitor.model, monitor.stage, folder=self._workspace.dvc_root)
            except ProvenoteError as error:
                raise NotPredicted(f"no column of predictions is named, and {error.what}") from error
        return self._model


def _predictions(model: Any, rows: Frame) -> Array:
    names = getattr(model, "feature_names_in_", None)
    if names is None or not hasattr(model, "predict"):
        raise NotPredicted("the model does not name its features, so rows cannot be laid out for it")
    absent = [str(name) for name in names if name not in rows.numbers and name not in rows.words]
    if absent:
        raise NotPredicted(f"the data have no column {absent[0]!r}, which the model needs")
    import pandas

    frame = pandas.DataFrame(
        {str(name): rows.numbers[name] if name in rows.numbers else rows.words[name] for name in names}
    )
    try:
        return np.asarray(model.predict(frame))
    except Exception as error:  # a model's own code: whatever it raises is told, not spread
        raise NotPredicted(f"the model cannot predict: {type(error).__name__}: {error}") from error


def score(window: str, truth: Array, guess: Array, times: Array) -> Score | None:
    """Score one window on the rows that have a label; None where they are too few."""
    if truth.dtype.kind == "f":
        numbers = np.asarray(guess, float)
        there = np.isfinite(truth) & np.isfinite(numbers)
        off = (numbers - truth)[there]
        parts = np.column_stack([np.abs(off), off, np.abs(truth[there])])
    else:
        there = np.array([one is not None for one in truth.tolist()], bool)
        wrong = np.array(
            [str(a) != str(b) for a, b in zip(guess.tolist(), truth.tolist(), strict=True)], float
        )
        parts = np.column_stack([wrong[there], np.full(int(there.sum()), np.nan), np.ones(int(there.sum()))])
    if len(parts) < ROWS or len(parts) < LABELLED * len(truth):
        return None
    blocks = bootstrap.by_time(times[there], 86_400)
    found = [_estimate(parts, place, blocks) for place in (0, 1)]
    return Score(
        window,
        found[0][0],
        found[1][0],
        (found[0][1], found[0][2]),
        (found[1][1], found[1][2]),
        len(parts),
    )


def _estimate(parts: Array, place: int, blocks: Array) -> tuple[float, float, float]:
    if np.isnan(parts[:, place]).any():
        return math.nan, math.nan, math.nan

    def combine(sums: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(sums[..., place] / sums[..., 2])

    found = bootstrap.estimate(bootstrap.Sums(parts, combine), blocks, draws=400)
    return found.value, found.low, found.high


def history(predictor: Predictor, monitor: Monitor, reference: Reference, whole: Frame) -> list[Score]:
    """Score the reference's own windows, each by predictions that had not seen it.

    Parameters
    ----------
    predictor : Predictor
    monitor : Monitor
    reference : Reference
    whole : Frame
        Its rows with all their columns, in the order of time.

    Returns
    -------
    list of Score
        Empty where that cannot be had.
    """
    label = _column(whole, monitor.label)
    if label is None or whole.times is None:
        return []
    if monitor.prediction:
        guess = _column(whole, monitor.prediction)
    else:
        guess = _refitted(predictor, reference, whole, label)
    if guess is None:
        return []
    made = [_own(one, label, guess, whole.times) for one in reference.own if one.rows.stop <= len(whole)]
    return [one for one in made if one is not None]


def _own(window: Window, label: Array, guess: Array, times: Array) -> Score | None:
    return score(window.name, label[window.rows], guess[window.rows], times[window.rows])


def _column(rows: Frame, name: str) -> Array | None:
    return rows.numbers.get(name, rows.words.get(name)) if name else None


def _refitted(predictor: Predictor, reference: Reference, whole: Frame, label: Array) -> Array | None:
    """Predict each fifth of the own windows by a fit on the others; None where that cannot be done."""
    try:
        model = predictor.model()
        names = list(model.feature_names_in_)
    except (NotPredicted, AttributeError):
        return None
    if label.dtype.kind != "f" or any(name not in whole.numbers for name in names):
        return None
    import pandas
    from sklearn.base import clone

    table = pandas.DataFrame({name: whole.numbers[name] for name in names})
    guess = np.full(len(whole), np.nan)
    own = [one for one in reference.own if one.rows.stop <= len(whole)]
    usable = np.isfinite(label)
    try:
        for part in np.array_split(np.arange(len(own)), min(FOLDS, max(len(own), 1))):
            held = np.zeros(len(whole), bool)
            for place in part:
                held[own[place].rows] = True
            if held.any() and (usable & ~held).sum() >= ROWS:
                fresh = clone(model).fit(table[usable & ~held], label[usable & ~held])
                guess[held] = fresh.predict(table[held])
    except Exception:  # a model's own code: without a history the monitor learns from the windows to come
        return None
    return guess


def judge(
    monitor: Monitor,
    windows: Sequence[tuple[Window, Frame]],
    predictor: Predictor,
    past: Sequence[Score],
    accepted: Sequence[str] = (),
) -> tuple[list[Record], str]:
    """Judge the windows whose labels are there, in the order of time.

    Parameters
    ----------
    monitor : Monitor
    windows : sequence of (Window, Frame)
        All that followed the reference.
    predictor : Predictor
    past : sequence of Score
        The reference's own windows.
    accepted : sequence of str
        Windows from which on a new level is normal.

    Returns
    -------
    (list of Record, str)
        And why nothing was judged; empty otherwise.
    """
    scored: list[tuple[Window, int, Score]] = []
    for window, rows in windows:
        label = _column(rows, monitor.label)
        if label is None or rows.times is None or len(rows) < ROWS:
            continue
        try:
            found = score(window.name, label, predictor.predict(rows), rows.times)
        except NotPredicted as error:
            return [], str(error)
        if found is not None:
            scored.append((window, len(rows), found))
    looks = max(1, round(_YEAR / monitor.window))
    anew = [len(past) + place for place, (_, _, one) in enumerate(scored) if one.window in set(accepted)]
    everything = [*past, *(one for _, _, one in scored)]
    errors = jumps.follow([one.error for one in everything], looks=looks, anew=anew)[len(past) :]
    biases = jumps.follow([one.bias for one in everything], looks=looks, anew=anew)[len(past) :]
    usual_error = float(np.median([one.error for one in everything[: max(len(past), jumps.LEAST)]] or [0]))
    usual_bias = float(np.median([one.bias for one in everything[: max(len(past), jumps.LEAST)]] or [0]))
    made = []
    for (window, size, one), off, lean in zip(scored, errors, biases, strict=True):
        causes = [
            *_events("error", one.error, one.error_interval, off, usual_error),
            *_events("bias", one.bias, one.bias_interval, lean, usual_bias),
        ]
        findings = (
            _finding("error", one.error, one.error_interval, off, causes),
            _finding("bias", one.bias, one.bias_interval, lean, causes),
        )
        values = {
            "error": [*_value(one.error, off), *_usual([each.error for each in past])],
            "bias": [*_value(one.bias, lean), *_usual([each.bias for each in past])],
            "error_low": [one.error_interval[0], None, False],
            "error_high": [one.error_interval[1], None, False],
        }
        made.append(_record(monitor, window, size, tuple(causes), values, findings))
    return made, "" if made else "no window has enough labels yet"


def _usual(values: Sequence[float]) -> list[float | None]:
    there = [one for one in values if one == one]
    return [float(np.quantile(there, share)) for share in (0.05, 0.95)] if there else [None, None]


def _value(value: float, look: jumps.Look) -> list[Any]:
    limit = look.low if look.direction == "down" else look.high  # that on the side where it moved
    told = limit if math.isfinite(limit) else None
    return [value if math.isfinite(value) else None, told, look.state in ("jump", "shift")]


def _events(
    what: str, value: float, interval: tuple[float, float], look: jumps.Look, usual: float
) -> list[Cause]:
    if look.state not in ("jump", "shift") or interval[0] <= usual <= interval[1]:
        return []
    if (value > usual) != (look.direction == "up"):
        return []  # a shift one way stands, and this one window lies on the other side
    stays = "stays there" if look.state == "shift" else "moved in one window"
    span = (
        f"{value:.1%} of the label ({interval[0]:.1%} to {interval[1]:.1%}), usually {usual:.1%}; it {stays}"
    )
    if what == "bias":
        word = "high" if value > usual else "low"
        return [
            Cause(
                f"performance:bias:{look.direction}",
                f"predicts too {word}, by {abs(value):.0%} of the label",
                f"Mean error {span}. Inputs that keep their relations speak for growth, not for a fault.",
                "Train again with newer data: `provenote job run NOTEBOOK`",
                "act",
                ("bias",),
            )
        ]
    if look.direction == "down":
        return [
            Cause(
                "performance:error:down",
                "predicts better than it should",
                f"Error {span}. A rise that nobody worked for is often a leak: the label among the inputs.",
                "Look for what tells the label before it is known, and compare the runs",
                "act",
                ("error",),
            )
        ]
    return [
        Cause(
            "performance:error:up",
            f"predicts worse: error {value:.0%} of the label",
            f"Error {span}.",
            "Find what changed between two runs: `provenote compare A B`",
            "act",
            ("error",),
        )
    ]


def _finding(
    what: str, value: float, interval: tuple[float, float], look: jumps.Look, causes: Sequence[Cause]
) -> Finding:
    told = [cause for cause in causes if what in cause.signals]
    outcome: Outcome = "failed" if told else "passed"
    why = told[0].title if told else f"{what} {value:.1%}, inside what windows before it show"
    if look.state == "learning":
        outcome, why = "skipped", f"learning: {look.known} of {jumps.LEAST} windows with labels"
    if math.isnan(value):
        return Finding(f"performance {what}", "skipped", "kinds have no bias")
    limit = look.high if math.isfinite(look.high) else None
    mend = told[0].mend if told else ""
    return Finding(f"performance {what}", outcome, why, value, limit, interval, mend)


def _record(
    monitor: Monitor,
    window: Window,
    rows: int,
    causes: tuple[Cause, ...],
    values: dict[str, Any],
    findings: tuple[Finding, ...],
) -> Record:
    judged = any(one.outcome in ("passed", "failed") for one in findings)
    subject = {"monitor": monitor.name, "model": monitor.model, "window": window.name}
    return Record(
        monitor.name,
        window.name,
        "performance",
        window.begin,
        window.end,
        rows,
        "",
        level(causes) if judged else "not judged",
        causes,
        values,
        Verdict("performance", subject, findings).plain(),
        monitor.md5,
        time.time(),
    )


def remembered(file: Path, key: str, make: Any) -> list[Score]:
    """Return scores that were made before for the same key, else make and remember them."""
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
        if known.get("key") == key:
            return [
                Score(
                    **{
                        **one,
                        "error_interval": tuple(one["error_interval"]),
                        "bias_interval": tuple(one["bias_interval"]),
                    }
                )
                for one in known["scores"]
            ]
    except (OSError, ValueError, TypeError, KeyError):
        pass
    scores: list[Score] = make()
    plain = [{name: getattr(one, name) for name in one.__slots__} for one in scores]
    file.parent.mkdir(parents=True, exist_ok=True)
    waiting = file.with_name(f"{file.name}.new")
    waiting.write_text(json.dumps({"key": key, "scores": plain}), encoding="utf-8")
    waiting.replace(file)
    return scores
