"""Relations between columns: what one is, told from the others. Seasons keep them, a fault breaks them.

Each column is predicted linearly from the others and the hour of the day, by least squares on the rows of all
windows but those that are judged: cross products by window make that one small system of equations. Two
statistics of a window: how far the median residual lies from zero, in deviations of the reference, and by how
much the residuals spread more or less.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from provenote.statistics.frame import Array, Frame

TELLING = 0.3
"""Share of a column's variance that the others must explain: with less, a residual is the column itself."""
REDUNDANT = 0.9
"""Correlation beyond which two columns say the same."""
_MOST_MISSING = 0.2
_LEAST_DISTINCT = 10
_LEAST_ROWS = 30
_TINY = 1e-6
_COLUMNS = 60


@dataclass(frozen=True, slots=True)
class Relation:
    """One column, and which others tell most of it.

    Parameters
    ----------
    column : str
    partners : tuple of str
        The others, the most telling first.
    explained : float
        Share of the variance, out of the window.
    deviation : float
        Of the residuals of the reference, in standard deviations of the column (robust).
    redundant : bool
        Whether one of the partners correlates beyond 0.9.
    """

    column: str
    partners: tuple[str, ...]
    explained: float
    deviation: float
    redundant: bool


@dataclass(frozen=True, slots=True)
class Relations:
    """The relations of a reference, and what fitting them anew needs.

    Parameters
    ----------
    names : tuple of str
        Columns of numbers that take part.
    means, spreads : array
        Of those columns.
    products : array, windows x (1 + columns + 2) squared
        Cross products of one, the columns on their scale, and sine and cosine of the hour.
    found : tuple of Relation
    """

    names: tuple[str, ...]
    means: Array
    spreads: Array
    products: Array
    found: tuple[Relation, ...]

    def statistics(self, frame: Frame, without: Iterable[int] = ()) -> Array:
        """Return shift and spread of each relation in a window, one after the other.

        Parameters
        ----------
        frame : Frame
            The window's rows.
        without : iterable of int
            Own windows whose rows must not teach: the window itself.
        """
        rows = _design(frame, self.names, self.means, self.spreads)
        left = self._left(without)
        made = []
        for relation in self.found:
            residuals = self._residuals(relation, rows, left)
            if len(residuals) < _LEAST_ROWS:
                made += [np.nan, np.nan]
                continue
            middle = float(np.median(residuals))
            spread = 1.4826 * float(np.median(np.abs(residuals - middle)))
            made.append(abs(middle) / (relation.deviation + _TINY))
            made.append(abs(float(np.log((spread + _TINY) / (relation.deviation + _TINY)))))
        return np.array(made)

    def shift(self, relation: Relation, frame: Frame, without: Iterable[int] = ()) -> float:
        """Return the median residual of a relation in a window, in the column's unit."""
        rows = _design(frame, self.names, self.means, self.spreads)
        residuals = self._residuals(relation, rows, self._left(without))
        scale = float(self.spreads[self.names.index(relation.column)])
        return float(np.median(residuals)) * scale if len(residuals) else float("nan")

    def _left(self, without: Iterable[int]) -> Array:
        gone = list(without)
        total = self.products.sum(0)
        return np.asarray(total - self.products[gone].sum(0) if gone else total)

    def _residuals(self, relation: Relation, rows: Array, products: Array) -> Array:
        target = 1 + self.names.index(relation.column)
        return _residuals(rows, products, target)


def learn(frame: Frame, windows: Sequence[slice], apart: Iterable[str] = ()) -> Relations:
    """Return the relations that a reference holds.

    Parameters
    ----------
    frame : Frame
        The reference.
    windows : sequence of slice
        Its own windows; rows outside them teach nothing.
    apart : iterable of str
        Columns that take no part, as what the model predicts: its growth is no fault of the others.
    """
    out = set(apart)
    names = tuple(name for name, values in frame.numbers.items() if name not in out and _suits(values))[
        :_COLUMNS
    ]
    table = np.column_stack([frame.numbers[name] for name in names]) if names else np.zeros((len(frame), 0))
    means = np.nanmean(table, 0) if names else np.zeros(0)
    spreads = np.nanstd(table, 0) if names else np.zeros(0)
    spreads = np.where(spreads > 0, spreads, 1.0)
    rows = _design(frame, names, means, spreads)
    parts = [_whole(rows[window]) for window in windows]
    size = len(names) + 3
    products = np.array([part.T @ part for part in parts]) if parts else np.zeros((0, size, size))
    bare = Relations(names, means, spreads, products, ())
    if len(names) < 2 or len(parts) < 2:
        return bare
    related = np.corrcoef(_whole(rows)[:, 1 : 1 + len(names)].T)
    total, found = products.sum(0), []
    for place, name in enumerate(names):
        out_of_window = np.concatenate(
            [
                _residuals(rows[window], total - own, 1 + place)
                for window, own in zip(windows, products, strict=True)
            ]
        )
        there = rows[:, 1 + place][~np.isnan(rows[:, 1 + place])]
        if len(out_of_window) < _LEAST_ROWS:
            continue
        explained = 1 - float(np.mean(out_of_window**2)) / max(float(np.var(there)), _TINY)
        if explained < TELLING:
            continue
        others = sorted(
            (other for other in names if other != name), key=lambda o: -abs(related[place, names.index(o)])
        )
        redundant = abs(related[place, names.index(others[0])]) > REDUNDANT
        deviation = 1.4826 * float(np.median(np.abs(out_of_window - np.median(out_of_window))))
        found.append(Relation(name, tuple(others[:3]), explained, deviation, bool(redundant)))
    return Relations(names, means, spreads, products, tuple(found))


def _suits(values: Array) -> bool:
    there = values[~np.isnan(values)]
    if len(there) < (1 - _MOST_MISSING) * len(values) or not np.all(np.isfinite(there)):
        return False
    return len(np.unique(there)) >= _LEAST_DISTINCT


def _design(frame: Frame, names: Sequence[str], means: Array, spreads: Array) -> Array:
    """Return one, the columns on the reference's scale, and sine and cosine of the hour, row by row."""
    size = len(frame)
    columns = [np.ones(size)]
    for place, name in enumerate(names):
        values = frame.numbers.get(name)
        columns.append(np.full(size, np.nan) if values is None else (values - means[place]) / spreads[place])
    turn = np.zeros(size)
    if frame.times is not None:
        turn = 2 * np.pi * (frame.times.astype("datetime64[s]").astype(np.int64) % 86_400) / 86_400
    columns += [np.sin(turn), np.cos(turn)]
    return np.column_stack(columns)


def _whole(rows: Array) -> Array:
    return rows[np.isfinite(rows).all(1)]


def _residuals(rows: Array, products: Array, target: int) -> Array:
    """Return what the others leave of a column, for the rows in which nothing is missing."""
    others = [place for place in range(products.shape[0]) if place != target]
    left = products[np.ix_(others, others)] + _TINY * np.eye(len(others)) * max(products[0, 0], 1.0)
    weights = np.linalg.solve(left, products[others, target])
    there = _whole(rows)
    return np.asarray(there[:, target] - there[:, others] @ weights)
