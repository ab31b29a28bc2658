"""Who holds a stage against a challenger: both models found, asked about the same rows, and compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provenote.checks import champion, leak, rows, subject
from provenote.checks.champion import Paired, Word, taken
from provenote.checks.metrics import Answers
from provenote.checks.rows import Labelled
from provenote.checks.subject import Examined
from provenote.checks.verdict import Finding, Verdict
from provenote.data import tables
from provenote.errors import UsageError

if TYPE_CHECKING:
    from provenote.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Contest:
    """A comparison and what it was made from.

    Parameters
    ----------
    holder, challenger : Examined
    stage : str
        What the holder was asked for as.
    rows : Labelled
    found : Paired or None
        None where both are the same model: there is nothing to compare.
    verdict : Verdict
    gains : list of (str, float)
        Of each block with its first time, where rows have a time: for a picture.
    """

    holder: Examined
    challenger: Examined
    stage: str
    rows: Labelled
    found: Paired | None
    verdict: Verdict
    gains: Sequence[tuple[str, float]] = ()

    @property
    def word(self) -> Word:
        """The verdict in one word; rows that were learned by heart leave it open."""
        if self.found is None or (self.verdict.outcome not in ("passed", "failed")):
            return "not judged"
        return self.found.word


@dataclass(frozen=True, slots=True)
class Choice:
    """Which rows both are asked about, and how they are compared: see `provenote.checks.rows`.

    Parameters
    ----------
    on : str or None
        Default: the table that the challenger's run read, as it is now.
    answer, time, since, until : str or None
    newest : int or None
    block, metric, margin : str or None
    slices : sequence of str
        Columns.
    level : float
        Of the intervals.
    """

    on: str | None = None
    answer: str | None = None
    time: str | None = None
    since: str | None = None
    until: str | None = None
    newest: int | None = None
    block: str | None = None
    metric: str | None = None
    margin: str | None = None
    slices: Sequence[str] = ()
    level: float = 0.95


def against(
    workspace: Workspace, reference: str, stage: str, choice: Choice, trusted: Iterable[str] = ()
) -> Contest:
    """Compare a challenger with who holds a stage.

    Parameters
    ----------
    workspace : Workspace
    reference : str
        The challenger: a run, or a model as `provenote.checks.subject.find` takes it.
    stage : str
        A stage, or a version or a run of the same model.
    choice : Choice
    trusted : iterable of str
        Types that the challenger's file may hold.

    Raises
    ------
    Refused
        If nothing holds the stage, or something behind it does not hold.
    UsageError
        If the models or rows do not fit together.
    """
    challenger = challenging(workspace, reference, trusted)
    holder = subject.find(workspace, f"{challenger.name}@{stage}", trusted)
    asked = labelled(workspace, challenger, choice, holder)
    return contest(workspace, holder, challenger, stage, asked, choice)


def holding(workspace: Workspace, challenger: Examined, stage: str) -> Examined | str:
    """Return who holds a stage, or why a challenger has nobody to be held against.

    Raises
    ------
    Refused
        If something behind the holder does not hold.
    """
    from provenote.registry import names, reading
    from provenote.stores import index
    from provenote.stores.ledger import Ledger

    every, _ = index.rows(workspace, everything=True)
    run = any(stage in (row.name, row.id) for row in every)
    if names.STAGE.fullmatch(stage) and not run:
        ledger = Ledger(workspace.top)
        if ledger.tip() is None and not ledger.known_elsewhere():
            return "there is no ledger yet, so nothing holds a stage"
        registry = reading.read(workspace)
        if not registry.state.releases.holders((registry.path, challenger.name, stage)):
            return f"nothing holds {stage} yet"
    holder = subject.find(workspace, f"{challenger.name}@{stage}", challenger.trusted)
    if holder.sha256 and holder.sha256 == challenger.sha256:
        return f"it is the holder itself: {holder.reference}"
    return holder


def challenging(workspace: Workspace, reference: str, trusted: Iterable[str] = ()) -> Examined:
    """Load a challenger: a run's only model, or a model by its reference."""
    from provenote.stores import index

    if "@" not in reference:
        every, _ = index.rows(workspace, everything=True)
        row = next((one for one in every if reference in (one.name, one.id, one.label)), None)
        if row is not None:
            return subject.of_run(workspace, subject.only_model(workspace, row), row, trusted)
    return subject.find(workspace, reference, trusted)


def labelled(workspace: Workspace, tested: Examined, choice: Choice, *others: Examined) -> Labelled:
    """Read the rows that a choice means for a model.

    Where nobody chose rows, those are left out that it, or one of the others, is known to have learned from.

    Raises
    ------
    UsageError
        If nobody says which data, or which column is the answer.
    """
    frame, path, md5 = rows.load(workspace, choice.on or _last_read(tested))
    known = [str(name) for name in frame.columns]
    found = rows.labelled(
        frame,
        answer=rows.answer_of(choice.answer, tested.facts, known, rows.columns_of(tested.model)),
        time=choice.time,
        since=choice.since,
        until=choice.until,
        newest=choice.newest,
        path=path,
        md5=md5,
    )
    if choice.on or choice.since or choice.until or choice.newest:
        return found
    return _unlearned(workspace, found, (tested, *others))


def _unlearned(workspace: Workspace, asked: Labelled, examined: Sequence[Examined]) -> Labelled:
    """Leave out the rows that models are known to have learned from; all stay where none would be left."""
    import numpy as np

    from provenote.checks import golden

    known = np.zeros(len(asked.frame), bool)
    for one in examined:
        kept = golden.of(workspace, one)
        mask = None if kept is None else golden.learned_rows(kept, asked.frame, asked.truth)
        if mask is not None:
            known |= mask
    if not known.any() or known.all():
        return asked
    told = f"{int(known.sum()):,} rows that {'they' if len(examined) > 1 else 'it'} learned from are left out"
    return dataclasses.replace(
        asked,
        frame=asked.frame[~known],
        times=None if asked.times is None else asked.times[~known],
        told=(*asked.told, told),
    )


def contest(
    workspace: Workspace, holder: Examined, challenger: Examined, stage: str, asked: Labelled, choice: Choice
) -> Contest:
    """Compare two loaded models on rows."""
    about = {**challenger.subject(), "holder": holder.reference, "stage": stage, **asked.subject()}
    if holder.sha256 and holder.sha256 == challenger.sha256:
        why = f"{challenger.reference} is the holder itself: the very same bytes"
        mend = f"Name another run: `provenote runs`, then `provenote compare --against {stage} RUN`"
        finding = Finding(f"not worse than {stage}", "not judged", why, mend=mend)
        return Contest(holder, challenger, stage, asked, None, Verdict("champion", about, (finding,)))
    missing = [name for name in choice.slices if name not in asked.frame.columns]
    if missing:
        raise UsageError(
            f"{asked.path or 'the data'} has no column {missing[0]!r} to slice by",
            f"Its columns: {', '.join(map(str, asked.frame.columns))}",
        )
    left, right = answers(holder, asked), answers(challenger, asked)
    blocks, words = rows.blocks(asked, choice.block)
    found = champion.paired(
        left,
        right,
        metric=choice.metric,
        blocks=blocks,
        block=words,
        margin=choice.margin,
        slices={name: asked.frame[name].to_numpy() for name in choice.slices},
        level=choice.level,
    )
    leaks = (
        _tainted(
            leak.unseen(workspace, challenger, asked, f"{leak.NAME}: challenger"), found.word != "worse"
        ),
        _tainted(leak.unseen(workspace, holder, asked, f"{leak.NAME}: {stage}"), found.word == "worse"),
    )
    verdict = Verdict("champion", about, (*found.findings(stage), *leaks))
    return Contest(
        holder, challenger, stage, asked, found, verdict, _gains(found.metric, left, right, asked, blocks)
    )


def _tainted(finding: Finding, matters: bool) -> Finding:
    """Return what known rows mean for a comparison: they flatter one side, which may leave the verdict."""
    if finding.outcome in ("passed", "skipped"):
        return finding
    if matters:
        return dataclasses.replace(finding, outcome="not judged")
    return dataclasses.replace(
        finding, outcome="skipped", why=f"{finding.why}: the verdict stands all the more"
    )


def answers(tested: Examined, asked: Labelled) -> Answers:
    """Ask a model about rows.

    Raises
    ------
    UsageError
        If it lacks a column or cannot answer; the model is named.
    """
    kind = subject.kind_of(tested.model)
    try:
        features = asked.features(tested.model)
    except UsageError as error:
        raise UsageError(f"{tested.reference}: {error.what}", error.mend) from error
    try:
        said = tested.model.predict(features)
    except Exception as error:  # whatever an estimator says of rows that it does not like
        raise UsageError(
            f"{tested.reference} cannot be asked about these rows: {' '.join(str(error).split())[:200]}",
            "Test it on data like that which it learned from",
        ) from error
    return Answers(kind, _truth(tested, asked, kind), _said(tested, said), tested.model, features)


def _said(tested: Examined, said: Any) -> Any:
    """Return predictions as one value a row.

    Raises
    ------
    UsageError
        If there are several.
    """
    import numpy as np

    found = np.asarray(said)
    if found.ndim > 1 and found.shape[1] > 1:
        raise UsageError(
            f"{tested.reference} gives {found.shape[1]} values a row, and tests judge one",
            "Test one of its answers with a model of that alone",
        )
    return found.reshape(-1)


def _truth(tested: Examined, asked: Labelled, kind: str) -> Any:
    """Return the answers in the form that a model gives.

    Raises
    ------
    UsageError
        If they are no numbers, or none is a class of the model.
    """
    import numpy as np

    truth = asked.truth
    if kind == "regressor":
        try:
            return np.asarray(truth, np.float64)
        except (TypeError, ValueError):
            raise UsageError(
                f"the column {asked.answer} holds no numbers, and {tested.reference} predicts some",
                "Name the column that it predicts: `--answer COLUMN`",
            ) from None
    classes = np.asarray(getattr(tested.model, "classes_", truth))
    if classes.ndim == 1 and not set(classes.tolist()) & set(np.unique(truth).tolist()):
        first = ", ".join(map(repr, classes.tolist()[:3]))
        raise UsageError(
            f"no answer in {asked.answer} is a class of {tested.reference}, which knows {first}",
            "Name the column that it predicts: `--answer COLUMN`",
        )
    return truth


def _gains(
    metric: str, left: Answers, right: Answers, asked: Labelled, blocks: Any
) -> list[tuple[str, float]]:
    """Return how much better the challenger is in each block, with the day that the block's rows begin."""
    import numpy as np

    from provenote.checks import metrics
    from provenote.statistics import bootstrap

    if blocks is None:
        return []
    sign = 1 if metrics.greater_is_better(metric) else -1
    found = []
    for block in range(int(blocks.max()) + 1):
        places = np.flatnonzero(blocks == block)
        values = []
        for one in (left, right):
            part = taken(one, places)
            values.append(bootstrap.estimate(metrics.of(metric, part), draws=2).value)
        found.append((str(asked.times[places[0]].astype("datetime64[D]")), sign * (values[1] - values[0])))
    return found


def _last_read(tested: Examined) -> str:
    """Return the table that a model's run read last.

    Raises
    ------
    UsageError
        If it read none that was versioned.
    """
    for read in reversed(tested.document.get("reads") or []):
        path = str(read.get("path") or "")
        if tables.kind(path) is not None:
            return path
    raise UsageError(
        f"which data? the run of {tested.reference} read no versioned table", "Name them: `--on PATH`"
    )
