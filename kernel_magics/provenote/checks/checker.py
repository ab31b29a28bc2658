"""``check``: what a cell with ``%%test`` can ask about a model. Each question adds a finding.

Nothing is raised at once: a cell asks all it wants to know, and fails at its end. What cannot be asked (no
such metric, no such column) is raised, for the test itself is wrong then.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from provenote.checks import behaviour, champion, clean, contest, leak, measuring, metrics, rows
from provenote.checks import signature as signatures
from provenote.checks.metrics import Answers
from provenote.checks.rows import Labelled
from provenote.checks.subject import Examined
from provenote.checks.verdict import Finding, Outcome
from provenote.compare.numbers import counted, text
from provenote.errors import UsageError
from provenote.statistics import bootstrap
from provenote.statistics.bootstrap import Estimate, Statistic

if TYPE_CHECKING:
    import pandas

    from provenote.checks.behaviour import Expect
    from provenote.workspace import Workspace

Metric = str | Callable[[Any, Any], float]
FEWEST = 30
"""Rows without which no metric is judged, unless a test says otherwise."""
FEWEST_BLOCKS = 8


class Checker:
    """The questions about one model and one set of rows.

    Parameters
    ----------
    workspace : Workspace
    tested : Examined
    asked : Labelled
    block : str, optional
        Rows that a bootstrap draws together, as ``7d``; default: weeks where a time is known.

    Attributes
    ----------
    findings : list of Finding
        What was found so far.
    """

    def __init__(
        self, workspace: Workspace, tested: Examined, asked: Labelled, block: str | None = None
    ) -> None:
        self._workspace = workspace
        self.tested = tested
        self.asked = asked
        self._blocks, self.block = rows.blocks(asked, block)
        self._given = block
        self._answers: Answers | None = None
        self.findings: list[Finding] = []

    @property
    def model(self) -> Any:
        """The model."""
        return self.tested.model

    @property
    def answers(self) -> Answers:
        """What the model says about the rows; asked once."""
        if self._answers is None:
            self._answers = contest.answers(self.tested, self.asked)
        return self._answers

    @property
    def features(self) -> pandas.DataFrame:
        """The rows as the model takes them."""
        return self.asked.features(self.model)

    # ------------------------------------------------------------------ how good

    def at_least(self, metric: Metric, limit: float, *, min_rows: int = FEWEST) -> Finding:
        """Test that a metric is at least so great: the lower end of its interval must clear the limit.

        Parameters
        ----------
        metric : str or callable
            A name as of `provenote.checks.metrics.of`, or ``function(truth, predicted)``.
        limit : float
        min_rows : int
            With fewer rows it is not judged.
        """
        return self._bounded(metric, limit, min_rows, least=True)

    def at_most(self, metric: Metric, limit: float, *, min_rows: int = FEWEST) -> Finding:
        """Test that a metric is at most so great: the upper end of its interval must clear the limit."""
        return self._bounded(metric, limit, min_rows, least=False)

    def slices(
        self,
        by: str | Sequence[str],
        worst: float,
        *,
        metric: Metric | None = None,
        min_rows: int = 100,
    ) -> Finding:
        """Test that no slice of the rows is worse than a limit.

        Parameters
        ----------
        by : str or sequence of str
            The columns that part the rows.
        worst : float
            Least value of the metric on a slice; greatest of an error, as rmse.
        metric : str or callable, optional
            Default: r2, of classifiers accuracy.
        min_rows : int
            Slices with fewer rows, or in fewer than eight blocks of time, are counted and not judged.
        """
        import numpy as np

        names = [by] if isinstance(by, str) else list(by)
        self._columns(names)
        kind = self.answers.kind
        chosen = metric or ("accuracy" if kind == "classifier" else "r2")
        greater = metrics.greater_is_better(chosen) if isinstance(chosen, str) else True
        frame = self.asked.frame
        groups = frame.groupby(names if len(names) > 1 else names[0], dropna=False, observed=True).indices
        told, small = [], 0
        for value, places in groups.items():
            if len(places) < min_rows:
                small += 1
                continue
            keys = value if isinstance(value, tuple) else (value,)
            title = ", ".join(f"{name}={key}" for name, key in zip(names, keys, strict=True))
            part = champion.taken(self.answers, np.asarray(places))
            blocks = None if self._blocks is None else bootstrap.renumbered(self._blocks[places])
            if blocks is not None and blocks.max() + 1 < FEWEST_BLOCKS:
                small += 1
                continue
            told.append((title, bootstrap.estimate(self._statistic(chosen, part), blocks), len(places)))
        title = f"slices {' '.join(names)}"
        needs = f"{min_rows} rows" + ("" if self._blocks is None else f" in {FEWEST_BLOCKS} {self.block}")
        more = f"; {counted(small, 'slice')} with fewer than {needs} not judged" if small else ""
        if not told:
            why = f"no slice has {needs}"
            return self._add(Finding(title, "not judged", why, limit=worst, mend="Judge it on more rows"))
        order = sorted(told, key=lambda one: one[1].value if greater else -one[1].value)
        name, found, many = order[0]
        bad = [one for one in order if not (one[1].value >= worst if greater else one[1].value <= worst)]
        label = _label(chosen)
        words = [f"{one[0]} ({label} {text(float(f'{one[1].value:.4g}'))})" for one in bad[:4]]
        why = (
            f"worse than {text(worst)}: {', '.join(words)}" if bad else f"the worst is {name}, {many:,} rows"
        )
        evidence = {
            "slices": [
                {"slice": one[0], "rows": one[2], "value": _plain(one[1].value), "low": _plain(one[1].low),
                 "high": _plain(one[1].high)}
                for one in order
            ],
            "metric": label,
            "not_judged": small,
        }  # fmt: skip
        return self._add(
            Finding(
                title,
                "failed" if bad else "passed",
                why + more,
                _plain(found.value),
                worst,
                (found.low, found.high) if found.known else None,
                evidence=evidence,
            )
        )

    def not_worse_than(
        self,
        stage: str = "production",
        margin: float | str | None = None,
        *,
        metric: str | None = None,
        slices: Sequence[str] = (),
    ) -> Finding:
        """Test that the model is not worse than who holds a stage: see `provenote.checks.champion`.

        Parameters
        ----------
        stage : str
            A stage, or a version or a run of the same model.
        margin : float or str, optional
            How much worse still counts as not worse; default: a hundredth.
        metric : str, optional
        slices : sequence of str
            Columns on each value of which it must not be worse either.

        Where nothing holds the stage yet, or the model holds it itself, it is skipped.

        Raises
        ------
        Refused
            If something behind the holder does not hold.
        """
        holder = contest.holding(self._workspace, self.tested, stage)
        if isinstance(holder, str):
            return self._add(Finding(f"not worse than {stage}", "skipped", holder))
        choice = contest.Choice(
            block=self._given,
            metric=metric,
            margin=None if margin is None else str(margin),
            slices=tuple(slices),
        )
        found = contest.contest(self._workspace, holder, self.tested, stage, self.asked, choice)
        first, *others = found.verdict.findings
        for one in others:
            if one.name.startswith(leak.NAME) and one.name.endswith("challenger"):
                continue  # told by `unseen`, of which the name is its own
            self._add(one)
        return self._add(first)

    def better_than_guessing(self) -> Finding:
        """Test that the model knows more than the mean of the answers, or than their commonest class."""
        import numpy as np

        if self.answers.kind == "regressor":
            return self.at_least("r2", 0.0)
        many = len(np.unique(np.asarray(self.answers.truth)))
        if many < 2:
            why = "all rows have one and the same answer"
            return self._add(Finding("at least balanced_accuracy", "not judged", why))
        return self.at_least("balanced_accuracy", 1 / many)

    def skip(self, why: str) -> Finding:
        """Say that a question was not asked, and why."""
        return self._add(Finding("not asked", "skipped", why))

    def unseen(self) -> Finding:
        """Test that the rows are none that the model learned from."""
        return self._add(leak.unseen(self._workspace, self.tested, self.asked))

    # ------------------------------------------------------------------ how it behaves

    def invariant(
        self,
        X: pandas.DataFrame | None,  # noqa: N803
        change: Callable[[pandas.DataFrame], pandas.DataFrame],
        *,
        share: float = 1.0,
        tolerance: float = behaviour.CLOSE,
    ) -> Finding:
        """Test that a change of the rows does not change the answers; ``X=None``: the test's own rows."""
        asked = self._asked(X)
        return self._add(behaviour.invariant(self.model, asked, change, share=share, tolerance=tolerance))

    def directional(
        self,
        X: pandas.DataFrame | None = None,  # noqa: N803
        *,
        expect: Expect = "up",
        share: float = 0.8,
        **shifts: float,
    ) -> Finding:
        """Test that answers follow a shift: ``check.directional(temp=0.1, expect="up", share=0.8)``."""
        return self._add(
            behaviour.directional(self.model, self._asked(X), shifts, expect=expect, share=share)
        )

    def deterministic(self, X: pandas.DataFrame | None = None) -> Finding:  # noqa: N803
        """Test that the same rows get the same answers."""
        return self._add(behaviour.deterministic(self.model, self._asked(X)))

    def signature(self, model: Any = None, X: pandas.DataFrame | None = None) -> Finding:  # noqa: N803
        """Test what the model takes and gives: columns, types, order, gaps, one row as in a batch."""
        return self._add(signatures.signature(self.model if model is None else model, self._asked(X)))

    # ------------------------------------------------------------------ what it costs

    def latency(
        self,
        p95_ms: float | None = None,
        *,
        ratio: float | None = None,
        rows: int = 1,
        calls: int = measuring.CALLS,
    ) -> Finding:
        """Test how long an answer takes, in milliseconds, or as a ratio to a fixed computation."""
        return self._add(
            measuring.latency(self.model, self.features, p95_ms=p95_ms, ratio=ratio, rows=rows, calls=calls)
        )

    def size(self, mb: float) -> Finding:
        """Test that the model's file has at most so many megabytes."""
        return self._add(measuring.size(self.tested, mb))

    def loads_clean(self, *, build: bool = False) -> Finding:
        """Test that a clean process loads the model and gives the golden rows the same answers."""
        return self._add(clean.loads_clean(self._workspace, self.tested, self.features, build=build))

    # ------------------------------------------------------------------ all of them

    def _bounded(self, metric: Metric, limit: float, min_rows: int, *, least: bool) -> Finding:
        label = _label(metric)
        if isinstance(metric, str) and metric != "bias" and metrics.greater_is_better(metric) != least:
            better, other = ("lower", "at_most") if least else ("greater", "at_least")
            raise UsageError(f"{metric} is better when {better}", f"Ask for `check.{other}({metric!r}, ...)`")
        title = f"{'at least' if least else 'at most'} {label}"
        answers = self.answers
        if answers.rows < min_rows:
            why = f"only {counted(answers.rows, 'row')}, and it takes {min_rows}"
            return self._add(Finding(title, "not judged", why, limit=limit, mend="Judge it on more rows"))
        found = bootstrap.estimate(self._statistic(metric, answers), self._blocks)
        few = self._blocks is not None and found.blocks < FEWEST_BLOCKS
        outcome, why = _judged(found, limit, self.block, least=least, few=few)
        return self._add(
            Finding(
                title,
                outcome,
                why,
                _plain(found.value),
                limit,
                (found.low, found.high) if found.known and not few else None,
                "Judge it on more rows" if outcome == "not judged" else "",
                {"metric": label, "rows": found.rows, "blocks": found.blocks, "block": self.block,
                 "level": found.level, "smallest_detectable": _plain(found.detectable)},
            )
        )  # fmt: skip

    def _statistic(self, metric: Metric, answers: Answers) -> Statistic:
        return metrics.of(metric, answers) if isinstance(metric, str) else metrics.given(metric, answers)

    def _asked(self, given: pandas.DataFrame | None) -> pandas.DataFrame:
        """Return the rows to ask about: given ones in the model's columns where they have them."""
        if given is None:
            return self.features
        names = rows.columns_of(self.model)
        if names is not None and set(names) <= set(given.columns):
            return given[names]
        return given

    def _columns(self, names: Sequence[str]) -> None:
        missing = [name for name in names if name not in self.asked.frame.columns]
        if missing:
            known = ", ".join(map(str, self.asked.frame.columns))
            raise UsageError(f"the rows have no column {missing[0]!r}", f"Their columns: {known}")

    def _add(self, finding: Finding) -> Finding:
        """Keep a finding under a name that no other one here has."""
        taken = {one.name for one in self.findings}
        name, number = finding.name, 2
        while name in taken:
            name, number = f"{finding.name} ({number})", number + 1
        finding = dataclasses.replace(finding, name=name)
        self.findings.append(finding)
        return finding


def _judged(found: Estimate, limit: float, block: str, *, least: bool, few: bool) -> tuple[Outcome, str]:
    """Judge an estimate against a limit that an end of its interval must clear. Pure."""
    words = f"{found.rows:,} rows, {found.blocks:,} {block}" if block[0] != "r" else f"{found.rows:,} {block}"
    if not found.known:
        return "not judged", f"the metric has no value on these rows ({words})"
    beyond = found.value < limit if least else found.value > limit
    if few:
        return "not judged", f"only {found.blocks} {block}, and it takes {FEWEST_BLOCKS}"
    end = found.low if least else found.high
    if (end >= limit) if least else (end <= limit):
        return "passed", words
    if beyond:
        return "failed", words
    which = "lower" if least else "upper"
    return "failed", f"the {which} end of the interval does not clear the limit ({words})"


def _label(metric: Metric) -> str:
    return metric if isinstance(metric, str) else str(getattr(metric, "__name__", "metric")).strip("<>")


def _plain(value: float) -> float | None:
    import math

    return float(value) if math.isfinite(value) else None
