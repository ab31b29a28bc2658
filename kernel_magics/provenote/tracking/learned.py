"""Rows kept beside a model: some with what it said about them, and traces of all that it learned from.

``run.log_model(model, name, X=X, y=y)`` keeps them as the artifact ``NAME-rows``: twenty golden rows with
their predictions, so that any later process can find out whether it still says the same, and a hash of each
row of ``X`` and ``y``, so that a test can tell whether it asks about rows that were learned by heart. Of many
rows only those whose hash is a multiple of some number are kept, which leaves every share as it is.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provenote.errors import UsageError

if TYPE_CHECKING:
    import pandas

GOLDEN = 20
SCHEMA = 1
TRACES = 50_000
"""Traces that are kept at most, about."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept.

    Parameters
    ----------
    columns : list of str
        The features, in the model's order.
    rows : list of list
        Golden rows; NaN is None.
    dtypes : list of str
        Of the columns, as pandas names them.
    said : list
        Predictions for them.
    traces : array of uint64, or None
        Hashes of the rows that it learned from.
    every : int
        Only multiples of this are among them.
    learned : int
        How many rows it learned from; 0 when unknown.
    answer : str
        Name of ``y``; empty when it has none.
    since : str
        Where they come from, in words.
    """

    columns: list[str]
    rows: list[list[Any]]
    dtypes: list[str]
    said: list[Any]
    traces: Any = None
    every: int = 1
    learned: int = 0
    answer: str = ""
    since: str = ""

    def frame(self) -> pandas.DataFrame:
        """Return the golden rows as the model was asked about them."""
        import pandas

        made = pandas.DataFrame(self.rows, columns=self.columns)
        return made.astype(dict(zip(self.columns, self.dtypes, strict=True)))

    def plain(self) -> dict[str, Any]:
        """Return it as JSON."""
        traces = None if self.traces is None else base64.b64encode(self.traces.tobytes()).decode()
        return {
            "schema": SCHEMA,
            "columns": self.columns,
            "dtypes": self.dtypes,
            "rows": self.rows,
            "said": self.said,
            "traces": traces,
            "every": self.every,
            "learned": self.learned,
            "answer": self.answer,
        }

    @classmethod
    def read(cls, plain: Mapping[str, Any], since: str) -> Kept:
        """Read what `plain` wrote.

        Raises
        ------
        UsageError
            If it is something else.
        """
        import numpy as np

        try:
            if plain["schema"] != SCHEMA:
                raise ValueError(f"schema {plain['schema']}")
            raw = plain["traces"]
            return cls(
                [str(name) for name in plain["columns"]],
                [list(row) for row in plain["rows"]],
                [str(name) for name in plain["dtypes"]],
                list(plain["said"]),
                None if raw is None else np.frombuffer(base64.b64decode(raw), np.uint64),
                int(plain["every"]),
                int(plain["learned"]),
                str(plain["answer"]),
                since,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"the rows kept beside the model cannot be read: {error}") from error


def make(model: Any, features: Any, answers: Any = None, *, learned: bool = True) -> Kept:
    """Ask a model about some of these rows, and keep traces of all.

    Parameters
    ----------
    model : object
    features : DataFrame
    answers : Series or array, optional
    learned : bool
        Whether it learned from these rows.

    Raises
    ------
    UsageError
        If the rows are no DataFrame, or the model cannot be asked about them.
    """
    import numpy as np
    import pandas

    if not isinstance(features, pandas.DataFrame) or not len(features):
        raise UsageError(
            f"X is a {type(features).__name__}, and rows are kept of a DataFrame that has some",
            "Fit the model on a DataFrame, and give it: `run.log_model(model, name, X=X, y=y)`",
        )
    if answers is not None and len(answers) != len(features):
        raise UsageError(f"X has {len(features):,} rows and y has {len(answers):,}", "Give both of the same")
    places = np.unique(np.linspace(0, len(features) - 1, GOLDEN).astype(int))
    golden = features.iloc[places]
    try:
        said = np.asarray(model.predict(golden)).reshape(len(golden), -1)[:, 0]
    except Exception as error:
        raise UsageError(
            f"the model cannot be asked about X: {' '.join(str(error).split())[:200]}",
            "Give the X that it was fitted on",
        ) from error
    traces, every = None, 1
    if learned:
        traces, every = thinned(hashes(features, answers))
    return Kept(
        [str(name) for name in features.columns],
        [[_plain(value) for value in row] for row in golden.itertuples(index=False)],
        [str(dtype) for dtype in golden.dtypes],
        [_plain(value) for value in said],
        traces,
        every,
        len(features) if learned else 0,
        str(getattr(answers, "name", None) or ""),
    )


def hashes(features: pandas.DataFrame, answers: Any = None) -> Any:
    """Return a hash of each row, the same whatever the order of columns and the width of numbers."""
    import numpy as np
    import pandas

    columns: dict[str, Any] = {}
    for name in sorted(features.columns, key=str):
        column = features[name]
        number = pandas.api.types.is_numeric_dtype(column)
        columns[str(name)] = column.to_numpy(np.float64, na_value=np.nan) if number else _texts(column)
    if answers is not None:
        known = pandas.Series(np.asarray(answers))
        number = pandas.api.types.is_numeric_dtype(known)
        columns["\0answer"] = known.to_numpy(np.float64, na_value=np.nan) if number else _texts(known)
    return pandas.util.hash_pandas_object(pandas.DataFrame(columns), index=False).to_numpy()


def _texts(column: pandas.Series) -> Any:
    return column.astype(str).to_numpy(dtype=object)


def thinned(found: Any) -> tuple[Any, int]:
    """Return the hashes that are kept, and of which number they are multiples."""
    import numpy as np

    every = max(1, len(found) // TRACES)
    return np.unique(found[found % np.uint64(every) == 0]), every


def _plain(value: Any) -> Any:
    """Return a cell as JSON: numbers, text, None."""
    import numpy as np

    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else None if np.isnan(value) else str(value)
    return str(value)
