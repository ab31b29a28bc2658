"""The leak screen: signs that a model saw in training what it will not have in use. Pure, over a table.

Each sign is a suspicion with its figure, in the order in which a person should read them. Nothing found is
no proof that nothing leaks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from provenote.checks.verdict import Finding
from provenote.screens.threads import one_thread

if TYPE_CHECKING:
    import numpy
    import pandas

ROWS = 20_000
"""Rows that are looked at: of more, every n-th."""
FEWEST = 200
"""Rows below which nothing is judged."""
COPIES = 0.005
"""Share of test rows that stand in the training rows, too."""
ALONE, BESIDE, TIMES = 0.8, 0.5, 2.5
"""One column predicts the target alone with this score; or with less, but so many times the next one's."""
RANK = 0.9
"""Rank correlation of a column that always lies on one side of the target."""
GAP = 0.05
"""Score of a random split over that of a split by time."""


def screen(
    frame: pandas.DataFrame, label: str, features: Sequence[str], time: Sequence[str] = (), test: float = 0.2
) -> tuple[Finding, ...]:
    """Look for leaks.

    Parameters
    ----------
    frame : DataFrame of shape (rows, columns)
    label : str
        The target's column.
    features : sequence of str
        Columns that the model gets.
    time : sequence of str
        Columns that tell the time; rows are ordered by them. Default: as they stand.
    test : float
        Share of the rows, the last ones, that are held out.

    Returns
    -------
    tuple of Finding
        One for each sign that was looked for.
    """
    import pandas

    frame = frame.dropna(subset=[label])
    if len(frame) < FEWEST:
        return (Finding("leaks", "not judged", f"{len(frame)} rows are too few: {FEWEST}"),)
    if time:
        frame = frame.sort_values(list(time), kind="stable")
    copies = _copies(frame, label, features, int(len(frame) * (1 - test)))
    frame = frame.iloc[:: max(1, -(-len(frame) // ROWS))]
    cut = int(len(frame) * (1 - test))
    target = frame[label]
    sorts = not pandas.api.types.is_numeric_dtype(target) or target.nunique() <= 20
    y = pandas.factorize(target)[0] if sorts else target.to_numpy(float)
    columns = {name: encoded(frame[name]) for name in features if name != label}
    return (
        copies,
        *_alone(columns, y, cut, sorts),
        *([] if sorts else [_one_side(columns, y)]),
        *([_by_time(columns, y, cut, sorts)] if time else []),
    )


def encoded(column: pandas.Series[Any]) -> numpy.ndarray[Any, Any]:
    """Return a column as numbers; what is missing becomes the median."""
    import numpy
    import pandas

    if pandas.api.types.is_bool_dtype(column) or not pandas.api.types.is_numeric_dtype(column):
        if pandas.api.types.is_datetime64_any_dtype(column):
            return column.astype("int64").to_numpy(float)
        return pandas.factorize(column.astype(str), sort=True)[0].astype(float)
    values = column.to_numpy(float, na_value=numpy.nan)
    known = values[numpy.isfinite(values)]
    return numpy.where(numpy.isfinite(values), values, numpy.median(known) if len(known) else 0.0)


def _copies(frame: pandas.DataFrame, label: str, features: Sequence[str], cut: int) -> Finding:
    import pandas

    kept = [
        name for name in features if name != label and frame[name].nunique() < len(frame)
    ]  # no row number
    rows = pandas.util.hash_pandas_object(frame[[*kept, label]], index=False)
    share = float(rows.iloc[cut:].isin(rows.iloc[:cut]).mean()) if kept else 0.0
    return Finding(
        "copies",
        "failed" if share > COPIES else "passed",
        f"{share:.1%} of the last rows stand among the earlier ones, too",
        share,
        COPIES,
        mend="Remove the copies before the split: `frame.drop_duplicates()`" if share > COPIES else "",
    )


def _alone(
    encoded: dict[str, numpy.ndarray[Any, Any]], y: numpy.ndarray[Any, Any], cut: int, sorts: bool
) -> Iterator[Finding]:
    """Yield what one column alone predicts, on later rows than it learned from."""
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    scores = {}
    for name, values in encoded.items():
        kind = DecisionTreeClassifier if sorts else DecisionTreeRegressor
        tree = kind(max_leaf_nodes=64, min_samples_leaf=20, random_state=0)
        tree.fit(values[:cut, None], y[:cut])
        scores[name] = _score(tree.predict(values[cut:, None]), y[:cut], y[cut:], sorts)
    ranked = sorted(scores, key=lambda name: -scores[name])
    found = False
    for place, name in enumerate(ranked):
        behind = max((scores[other] for other in ranked[place + 1 :]), default=0.0)
        if scores[name] > ALONE or (scores[name] > BESIDE and scores[name] > TIMES * max(behind, 0.05)):
            found = True
            yield Finding(
                f"alone: {name}",
                "failed",
                f"{name} alone explains {scores[name]:.0%} of the target: is it known before?",
                scores[name],
                ALONE,
                mend=f"Leave it out, or say why it is known in time: {name}",
            )
    if not found:
        best = f"; {ranked[0]} explains {scores[ranked[0]]:.0%}" if ranked else ""
        yield Finding("alone", "passed", f"no column alone nearly is the target{best}")


def _score(
    guess: numpy.ndarray[Any, Any], known: numpy.ndarray[Any, Any], y: numpy.ndarray[Any, Any], sorts: bool
) -> float:
    """Return the share explained: R2, or how much of the most frequent class's error is gone."""
    import numpy

    if sorts:
        usual = numpy.bincount(known[known >= 0]).argmax()
        naive = float((y != usual).mean())
        return 1 - float((guess != y).mean()) / naive if naive else 0.0
    spread = float(((y - y.mean()) ** 2).sum())
    return 1 - float(((y - guess) ** 2).sum()) / spread if spread else 0.0


def _one_side(encoded: dict[str, numpy.ndarray[Any, Any]], y: numpy.ndarray[Any, Any]) -> Finding:
    import numpy
    from scipy.stats import spearmanr

    for name, values in encoded.items():
        if len(numpy.unique(values)) > 50 and ((values <= y).all() or (values >= y).all()):
            rank = abs(float(spearmanr(values, y).statistic))
            if rank > RANK:
                return Finding(
                    f"one side: {name}",
                    "failed",
                    f"{name} never exceeds the target, or never falls below it, and goes with it "
                    f"(rank correlation {rank:.2f}): is it a part of it?",
                    rank,
                    RANK,
                    mend=f"Leave it out, or say why it is known in time: {name}",
                )
    return Finding("one side", "passed", "no column is a part of the target")


def _by_time(
    encoded: dict[str, numpy.ndarray[Any, Any]], y: numpy.ndarray[Any, Any], cut: int, sorts: bool
) -> Finding:
    """Hold the score of a random split against that of a split by time, with one small model."""
    import numpy
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    if not encoded:
        return Finding("split", "not judged", "no column")
    table = numpy.column_stack(list(encoded.values()))
    mixed = numpy.random.default_rng(0).permutation(len(y))
    scores = []
    for order in (mixed, numpy.arange(len(y))):
        kind = HistGradientBoostingClassifier if sorts else HistGradientBoostingRegressor
        model = kind(max_iter=40, random_state=0)
        with one_thread():
            model.fit(table[order[:cut]], y[order[:cut]])
        scores.append(_score(model.predict(table[order[cut:]]), y[order[:cut]], y[order[cut:]], sorts))
    gap = scores[0] - scores[1]
    return Finding(
        "split",
        "failed" if gap > GAP else "passed",
        f"a random split scores {scores[0]:.2f}, one by time {scores[1]:.2f}",
        gap,
        GAP,
        mend="Test on later rows than those of the training" if gap > GAP else "",
    )
