"""Screens for poisoned data: signs that rows were put in or labels turned to bend a model. Pure.

Each screen compares one source of rows (a file, a contributor, a stretch of rows) with all the others, so
that the limit comes from the data themselves. It sees what is concentrated in one source. What is spread
evenly over all of them looks like the noise of the data; then the screen says that it cannot tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provenote.checks.verdict import Finding
from provenote.screens.threads import one_thread

if TYPE_CHECKING:
    import numpy
    import pandas

SOURCES = 5
"""Sources below which one cannot be held against the others."""
FEWEST = 30
"""Rows below which a source is not judged."""
STRETCHES = 20
"""Equal stretches of rows that stand in for sources where there are none."""
TIMES, TURNED = 3.0, 2.0
"""How many times the most of all other sources one must show: of copies, of contradicted labels."""
SHOWN = 50
"""Rows that are shown."""
SURE, DOUBT = 0.9, 0.05
"""A model that did not see a row is sure of another label, and gives the row's own this chance at most."""
FAR = 8.0
"""Robust standard deviations of a number from what a model that did not see it expects."""
RARE, ENOUGH, PURE = 0.02, 20, 0.99
"""A trigger: a value in so small a share of the rows, but in so many, of which so many have one label."""
USUAL = 0.9
"""Share of the most frequent label from which on no purity is remarkable."""
_DIGITS = 3
_ROWS = 30_000


@dataclass(frozen=True, slots=True)
class Table:
    """What is screened.

    Parameters
    ----------
    frame : DataFrame of shape (rows, columns)
    sources : array of str, shape (rows,)
        Where each row came from.
    label : str or None
        The target's column.
    features : tuple of str
        Columns that a model gets.
    """

    frame: pandas.DataFrame
    sources: numpy.ndarray[Any, Any]
    label: str | None
    features: tuple[str, ...]

    @property
    def sorts(self) -> bool:
        """Whether the label is a class and no number."""
        import pandas

        if self.label is None:
            return False
        column = self.frame[self.label]
        return not pandas.api.types.is_numeric_dtype(column) or column.nunique() <= 10


def stretches(rows: int) -> numpy.ndarray[Any, Any]:
    """Return names of equal stretches of rows, in place of sources: ``rows 0-499``."""
    import numpy

    size = max(1, -(-rows // STRETCHES))
    starts = [int(row) // size * size for row in range(rows)]
    return numpy.array([f"rows {start:,}-{min(start + size, rows) - 1:,}" for start in starts])


def screen(table: Table) -> tuple[Finding, ...]:
    """Look for poison.

    Parameters
    ----------
    table : Table

    Returns
    -------
    tuple of Finding
        One for each screen: copies, corner, labels, trigger.
    """
    return (copies(table), corner(table), labels(table), trigger(table))


# ---------------------------------------------------------------------- a flood of copies


def copies(table: Table) -> Finding:
    """Look for one source that repeats nearly the same rows far more than the others do.

    Numbers count as the same when their first three digits are; row numbers and times do not count.
    """
    import pandas

    columns = [*table.features, *([table.label] if table.label else [])]
    kept = {name: _rounded(table.frame[name]) for name in columns if not _numbering(table.frame[name])}
    if not kept:
        return Finding("copies", "not judged", "no column but row numbers")
    rows = pandas.util.hash_pandas_object(pandas.DataFrame(kept), index=False)
    shares = {}
    for name, own in _grouped(table.sources, rows):
        shares[name] = float(1 - own.nunique() / len(own))
    return _most(
        "copies", shares, TIMES, 0.05, "of the rows of {name} nearly repeat another of its rows; {others}",
        "Look at them, and leave them out if nobody can explain them: `provenote data quarantine {name}`",
    )  # fmt: skip


def _rounded(column: pandas.Series[Any]) -> pandas.Series[Any]:
    import numpy
    import pandas

    if not pandas.api.types.is_float_dtype(column):
        return column
    values = column.to_numpy(float, na_value=numpy.nan)
    with numpy.errstate(divide="ignore", invalid="ignore"):
        size = numpy.floor(numpy.log10(numpy.abs(values)))
    scale = numpy.where(numpy.isfinite(size), 10.0 ** (size - _DIGITS + 1), 1.0)
    return pandas.Series(numpy.round(values / scale) * scale, index=column.index)


def _numbering(column: pandas.Series[Any]) -> bool:
    """Tell whether a column only numbers the rows, or tells their time."""
    import pandas

    if pandas.api.types.is_float_dtype(column):
        return False
    return bool(column.nunique() > 0.9 * len(column))


# ---------------------------------------------------------------------- rows in one corner


def corner(table: Table) -> Finding:
    """Look for one source whose rows stand much closer together than those of any other."""
    import numpy

    numeric = _numbers(table)
    if numeric is None or numeric.shape[1] < 2:
        return Finding("corner", "not judged", "fewer than two columns of numbers")
    whole = numeric.std(axis=0)
    numeric, whole = numeric[:, whole > 0], whole[whole > 0]
    spreads = {}
    for name, own in _grouped(table.sources, numeric):
        ratio = numpy.maximum(own.std(axis=0) / whole, 1e-6)
        spreads[name] = float(numpy.exp(numpy.log(ratio).mean()))
    if len(spreads) < SOURCES:
        return _too_few("corner", len(spreads))
    name = min(spreads, key=lambda one: spreads[one])
    others = min(value for one, value in spreads.items() if one != name)
    limit = others / TIMES
    failed = spreads[name] < limit
    return Finding(
        "corner",
        "failed" if failed else "passed",
        f"the rows of {name} spread {spreads[name]:.0%} as far as all rows; "
        f"the next narrowest source {others:.0%}",
        spreads[name],
        limit,
        mend=f"Look at where its rows stand: {name}" if failed else "",
        evidence={"sources": len(spreads)},
    )


def _numbers(table: Table) -> numpy.ndarray[Any, Any] | None:
    import numpy
    import pandas

    columns = [
        table.frame[name].to_numpy(float, na_value=numpy.nan)
        for name in table.features
        if pandas.api.types.is_numeric_dtype(table.frame[name])
        and not _numbering(table.frame[name])
        and table.frame[name].nunique() > 10
    ]
    if not columns:
        return None
    values = numpy.column_stack(columns)
    middle = numpy.nanmedian(values, axis=0)
    return numpy.where(numpy.isfinite(values), values, numpy.nan_to_num(middle))


# ---------------------------------------------------------------------- labels that were turned


def labels(table: Table) -> Finding:
    """Look for one source whose labels a model that learned from the other sources contradicts.

    The rows that are contradicted most are shown in any case: turned labels that are spread over all sources
    look like the noise of the data, and only a person can tell.
    """
    import numpy

    if table.label is None:
        return Finding("labels", "not judged", "the target is not known", mend="Name it: `--label COLUMN`")
    table = _thinned(table)
    with one_thread():
        doubts = _doubts(table)
    if doubts is None:
        return Finding("labels", "not judged", "too few rows, or one label alone")
    doubted, rank = doubts
    shares = {name: float(own.mean()) for name, own in _grouped(table.sources, doubted)}
    worst = [int(place) for place in numpy.argsort(-rank)[:SHOWN] if doubted[place]]
    rows = [
        {"row": _plain(table.frame.index[place]), "source": str(table.sources[place]),
         "label": _plain(table.frame[table.label].iloc[place])}
        for place in worst
    ]  # fmt: skip
    found = _most(
        "labels", shares, TURNED, 0.02, "of the labels of {name} contradict the other rows; {others}",
        "Look at its labels: {name}",
    )  # fmt: skip
    many = int(doubted.sum())
    why = found.why
    if found.outcome == "passed" and many:
        why = (
            f"no source stands out (seen from {found.limit:.0%} of its rows on); {many:,} labels are "
            "contradicted: if some were turned all over, they look like noise"
        )
    return Finding(
        found.name, found.outcome, why, found.value, found.limit, mend=found.mend,
        evidence={**found.evidence, "contradicted": many, "rows": rows},
    )  # fmt: skip


def _thinned(table: Table) -> Table:
    step = -(-len(table.frame) // _ROWS)
    frame = table.frame.iloc[::step]
    known = frame[table.label].notna().to_numpy()
    return Table(frame[known], table.sources[::step][known], table.label, table.features)


def _doubts(table: Table) -> tuple[numpy.ndarray[Any, Any], numpy.ndarray[Any, Any]] | None:
    """Return which rows are contradicted by a model that learned from other sources, and how much."""
    import numpy
    import pandas
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.model_selection import GroupKFold

    from provenote.screens.leaks import encoded

    assert table.label is not None
    names = [name for name in table.features if name != table.label and not _numbering(table.frame[name])]
    groups = pandas.factorize(table.sources)[0]
    folds = min(5, len(set(groups)))
    if not names or len(table.frame) < 200 or folds < 2:
        return None
    x = numpy.column_stack([encoded(table.frame[name]) for name in names])
    parts = GroupKFold(folds).split(x, groups=groups)
    if not table.sorts:
        y = table.frame[table.label].to_numpy(float)
        guess = numpy.zeros(len(y))
        for learn, ask in parts:
            model = HistGradientBoostingRegressor(max_iter=60, random_state=0)
            guess[ask] = model.fit(x[learn], y[learn]).predict(x[ask])
        # The spread of an error grows with what is expected: each is held against rows of a like size.
        rank = _standing(numpy.abs(y - guess), guess)
        return rank > FAR, rank
    y, kinds = pandas.factorize(table.frame[table.label].astype(str))
    if len(kinds) < 2:
        return None
    chance = numpy.zeros((len(y), len(kinds)))
    for learn, ask in parts:
        if len(set(y[learn])) < 2:
            return None
        sorter = HistGradientBoostingClassifier(max_iter=60, random_state=0).fit(x[learn], y[learn])
        chance[numpy.ix_(ask, sorter.classes_)] = sorter.predict_proba(x[ask])
    own = chance[numpy.arange(len(y)), y]
    best = chance.max(axis=1)
    return (best > SURE) & (own < DOUBT), best - own


def _standing(errors: numpy.ndarray[Any, Any], guess: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    """Return errors in robust standard deviations of those at a like size."""
    import numpy

    order = numpy.argsort(guess, kind="stable")
    rank = numpy.zeros(len(errors))
    for part in numpy.array_split(order, max(1, len(errors) // 200)):
        typical = 1.4826 * float(numpy.median(errors[part]))
        rank[part] = errors[part] / (typical or 1.0)
    return rank


# ---------------------------------------------------------------------- a trigger


def trigger(table: Table) -> Finding:
    """Look for a rare value that fixes the label: what a model would learn as a secret sign."""
    import numpy

    if table.label is None:
        return Finding("trigger", "not judged", "the target is not known", mend="Name it: `--label COLUMN`")
    label = table.frame[table.label]
    if not table.sorts:  # numbers: which tenth of the target
        label = label.rank(pct=True).mul(10).clip(upper=9.999).fillna(-1).astype(int)
    usual = float(label.value_counts(normalize=True).iloc[0])
    if usual > USUAL:
        return Finding("trigger", "not judged", f"{usual:.0%} of the labels are the same anyway")
    found: list[tuple[float, str, Any, int]] = []
    looked = 0
    for name in table.features:
        column = table.frame[name]
        if name == table.label or _numbering(column):
            continue
        counts = column.value_counts(dropna=True)
        rare = counts[(counts >= ENOUGH) & (counts <= max(ENOUGH, RARE * len(column)))]
        looked += len(rare)
        if rare.empty:
            continue
        codes = column[column.isin(rare.index)]
        most = (
            label[codes.index]
            .groupby(codes, observed=True)
            .agg(lambda own: own.value_counts(normalize=True).iloc[0])
        )
        # By chance alone, and over all the values that were looked at.
        sure = most[(most > PURE) & (rare.reindex(most.index).to_numpy() * -numpy.log10(usual) > 6)]
        found += [(float(share), name, value, int(counts[value])) for value, share in sure.items()]
    if not found:
        return Finding("trigger", "passed", f"none of {looked:,} rare values fixes the label")
    share, name, value, many = max(found, key=lambda one: one[3])
    also = f", and {len(found) - 1} more values do" if len(found) > 1 else ""
    return Finding(
        "trigger",
        "failed",
        f"{name} = {value} stands in {many:,} rows, and {share:.0%} of them have one label{also}",
        share,
        PURE,
        mend=f"See who brought these rows, and why: {name} = {value}",
        evidence={
            "values": [{"column": name, "value": _plain(v), "rows": n} for _, name, v, n in found[:SHOWN]]
        },
    )


# ---------------------------------------------------------------------- one source against the others


def _grouped(sources: numpy.ndarray[Any, Any], values: Any) -> list[tuple[str, Any]]:
    import pandas

    places = pandas.Series(range(len(sources))).groupby(sources, sort=False).indices
    found = [(str(name), values[own] if not hasattr(values, "iloc") else values.iloc[own])
             for name, own in places.items() if len(own) >= FEWEST]  # fmt: skip
    return found


def _most(
    name: str, shares: Mapping[str, float], times: float, least: float, words: str, mend: str
) -> Finding:
    """Judge the source with the greatest share against the most of all others."""
    if len(shares) < SOURCES:
        return _too_few(name, len(shares))
    first = max(shares, key=lambda one: shares[one])
    others = max(value for one, value in shares.items() if one != first)
    limit = max(least, times * others)
    failed = shares[first] > limit
    others_too = f"of no other more than {others:.1%}; seen from {limit:.1%} on"
    why = words.format(name=first, others=others_too)
    return Finding(
        name,
        "failed" if failed else "passed",
        f"{shares[first]:.1%} {why}",
        shares[first],
        limit,
        mend=mend.format(name=first) if failed else "",
        evidence={"sources": len(shares)},
    )


def _too_few(name: str, many: int) -> Finding:
    return Finding(
        name,
        "not judged",
        f"{many} sources with {FEWEST} rows or more are too few to hold one against: {SOURCES}",
    )


def _plain(value: Any) -> Any:
    return (
        value.item() if hasattr(value, "item") else value if isinstance(value, (int, float)) else str(value)
    )


def sources_of(names: Sequence[str], rows: Sequence[int]) -> numpy.ndarray[Any, Any]:
    """Return the source of each row of files that stand one after the other."""
    import numpy

    return numpy.repeat(numpy.array(names, dtype=object), numpy.array(rows))
