"""The rows that a model is tested on: a versioned table, the column of the answer, and when each row was."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provenote.errors import UsageError

if TYPE_CHECKING:
    import pandas

    from provenote.workspace import Workspace

DAY = 86_400.0
_SPAN = re.compile(r"([1-9]\d{0,4})\s*(h|d|w)")
_SECONDS = {"h": 3600.0, "d": DAY, "w": 7 * DAY}
_WORDS = {3600.0: "hours", DAY: "days", 7 * DAY: "weeks"}
_DATE = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d(:\d\d(:\d\d(\.\d+)?)?)?(Z|[+-]\d\d:?\d\d)?)?")
_LOOKED = 200
"""Values of a column that must look like times before all of them are read as such."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Rows whose answer is known.

    Parameters
    ----------
    frame : DataFrame
        All columns, the rows in the order of time where there is one.
    answer : str
        The column that the model predicts.
    times : array of datetime64[s] or None
    time : str
        The column that they come from; empty when none.
    path, md5 : str
        Which version of which data; empty for a table that came from memory.
    told : tuple of str
        What a reader should know: rows left out, a column that was guessed.
    """

    frame: pandas.DataFrame
    answer: str
    times: Any = None
    time: str = ""
    path: str = ""
    md5: str = ""
    since: str = ""
    told: tuple[str, ...] = ()

    @property
    def truth(self) -> Any:
        """The answers."""
        return self.frame[self.answer].to_numpy()

    def features(self, model: Any) -> pandas.DataFrame:
        """Return the columns that a model asks for, in its order.

        Raises
        ------
        UsageError
            If one is missing.
        """
        names = columns_of(model)
        if names is None:
            rest = [name for name in self.frame.columns if name not in (self.answer, self.time)]
            return self.frame[rest]
        missing = [name for name in names if name not in self.frame.columns]
        if missing:
            where = self.path or "the data"
            raise UsageError(
                f"{where} lacks {len(missing)} of the model's {len(names)} columns: {', '.join(missing[:8])}",
                "Test it on data with its columns: `--on PATH`",
            )
        return self.frame[names]

    def subject(self) -> dict[str, str]:
        """Return what a verdict says of them."""
        return {"data": self.path, "md5": self.md5} if self.path else {}


def columns_of(model: Any) -> list[str] | None:
    """Return the columns that a model was fitted on, None where it does not know them."""
    names = getattr(model, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def load(workspace: Workspace, path: str) -> tuple[pandas.DataFrame, str, str]:
    """Read a version of a tracked file; the read is recorded on the running run.

    Parameters
    ----------
    workspace : Workspace
    path : str
        From the current folder, else from the project's; ``PATH@REV`` for a past version.

    Returns
    -------
    frame : DataFrame
    path : str
        From the project's folder.
    md5 : str
        Of its bytes.

    Raises
    ------
    UsageError
        If there is no such file or version, or it is no table.
    """
    import os

    from provenote import data
    from provenote.data import travel

    inside, rev = placed(workspace, path)
    place = data.path(os.path.join(workspace.dvc_root, inside), rev=rev)
    if rev is None:
        md5 = travel.measure(workspace, inside).md5
    else:
        md5 = travel.wanted(workspace, inside, rev).stored.md5
    return table(place, inside), inside, md5


def placed(workspace: Workspace, path: str) -> tuple[str, str | None]:
    """Return a table's path from the project's folder, and the revision that ``PATH@REV`` names.

    Raises
    ------
    UsageError
        If nothing is there and no revision is named, or it lies outside the project.
    """
    import os

    from provenote.data import history

    name, rev = history.split(path)
    here = os.path.exists(name) or os.path.exists(f"{name}.dvc")
    inside = workspace.relative(name if here else os.path.join(workspace.dvc_root, name))
    if rev is None and not os.path.exists(os.path.join(workspace.dvc_root, inside)):
        raise UsageError(f"there is no {inside}", "See what is versioned: `provenote data status`")
    return inside, rev


def table(place: Any, name: str) -> pandas.DataFrame:
    """Read a file as a table.

    Raises
    ------
    UsageError
        If it is none.
    """
    import pandas

    from provenote.data import tables

    kind = tables.kind(name)
    try:
        if kind == "csv":
            return pandas.read_csv(place, sep="\t" if ".tsv" in name.lower() else ",")
        if kind == "parquet":
            return pandas.read_parquet(place)
        if kind == "jsonl":
            return pandas.read_json(place, lines=True)
        if kind == "arrow":
            return pandas.read_feather(place)
    except Exception as error:  # whatever a reader says of a broken file
        raise UsageError(
            f"{name} cannot be read: {' '.join(str(error).split())[:200]}", "See: `provenote data log`"
        ) from error
    raise UsageError(f"{name} is no table", "Tests read CSV, Parquet, JSON lines and Arrow files")


def labelled(
    frame: pandas.DataFrame,
    *,
    answer: str,
    time: str | None = None,
    since: str | None = None,
    until: str | None = None,
    newest: int | None = None,
    path: str = "",
    md5: str = "",
) -> Labelled:
    """Choose the rows of a table whose answer is known.

    Parameters
    ----------
    frame : DataFrame
    answer : str
    time : str, optional
        Column of the time; default: the first that holds dates. ``none``: rows are independent.
    since, until : str, optional
        First and last time that is taken; a day is taken whole.
    newest : int, optional
        Take so many of the newest rows at most.
    path, md5 : str
        Which version it is.

    Raises
    ------
    UsageError
        If a column is missing, a time cannot be read, or no row is left.
    """
    import pandas

    told: list[str] = []
    known = [str(name) for name in frame.columns]
    if answer not in known:
        raise _missing("answer", answer, known, path)
    column = time if time != "none" else ""
    if column is None:
        column = when(frame) or ""
    elif column and column not in known:
        raise _missing("time", column, known, path)
    gone = int(frame[answer].isna().sum())
    if gone:
        told.append(f"{gone:,} rows have no answer and are left out")
        frame = frame[frame[answer].notna()]
    times = None
    if column:
        parsed = pandas.to_datetime(frame[column], errors="coerce", utc=True, format="mixed").dt.tz_localize(
            None
        )
        bad = int(parsed.isna().sum())
        if bad:
            if time is not None and bad == len(parsed):
                raise UsageError(f"{column!r} holds no times", "Name another column, or `--time none`")
            told.append(f"{bad:,} rows have no time in {column} and are left out")
        kept = parsed.notna()
        kept &= parsed >= _moment(since, "--since") if since else True
        kept &= parsed < _after(until) if until else True
        parsed = parsed[kept].sort_values(kind="stable")
        frame, times = frame.loc[parsed.index], parsed.to_numpy().astype("datetime64[s]")
    elif since or until:
        raise UsageError("the rows have no time to choose them by", "Name its column: `--time COLUMN`")
    if newest is not None and newest < len(frame):
        frame, times = frame.iloc[-newest:], None if times is None else times[-newest:]
    if not len(frame):
        between = f" between {since or 'the begin'} and {until or 'the end'}" if since or until else ""
        raise UsageError(f"{path or 'the data'} has no row with an answer{between}")
    return Labelled(frame, answer, times, column, path, md5, since or "", tuple(told))


def when(frame: pandas.DataFrame) -> str | None:
    """Return the first column that holds times, None when none does."""
    import pandas

    for name, column in frame.items():
        if pandas.api.types.is_datetime64_any_dtype(column):
            return str(name)
        if pandas.api.types.is_object_dtype(column) or pandas.api.types.is_string_dtype(column):
            first = column.dropna().head(_LOOKED)
            if len(first) and all(isinstance(one, str) and _DATE.fullmatch(one) for one in first):
                return str(name)
    return None


def answer_of(
    given: str | None, facts: Mapping[str, Any], columns: Sequence[str], features: Sequence[str] | None
) -> str:
    """Return the column that a model predicts: as given, else as its record says. Pure.

    Raises
    ------
    UsageError
        If nobody says; the message names the columns that could be it.
    """
    if given:
        return given
    if facts.get("answer"):
        return str(facts["answer"])
    left = [name for name in columns if features is None or name not in features]
    if features is not None and len(left) == 1:
        return left[0]
    could = f": one of {', '.join(left[:12])}" if left else ""
    raise UsageError(
        f"which column does the model predict{could}?",
        "Name it: `--answer COLUMN`; recorded for ever: `run.log_model(model, name, X=X, y=y)`",
    )


def span(given: str | None) -> float:
    """Return the length of a block in seconds: ``7d``, ``12h``, ``2w``; a week by default.

    Raises
    ------
    UsageError
        If it is no length.
    """
    if given is None:
        return 7 * DAY
    found = _SPAN.fullmatch(given.strip())
    if not found:
        raise UsageError(f"{given!r} is no length of a block", "Write `--block 7d`, `12h` or `2w`")
    return int(found[1]) * _SECONDS[found[2]]


def blocks(rows: Labelled, given: str | None = None) -> tuple[Any, str]:
    """Return the block of each row, and what a block is, in words."""
    from provenote.statistics import bootstrap

    if rows.times is None:
        if given is not None:
            raise UsageError("blocks of time need a time", "Name its column: `--time COLUMN`")
        return None, "rows, taken as independent"
    seconds = span(given)
    words = _WORDS.get(seconds) or f"blocks of {(given or '').strip()}"
    return bootstrap.by_time(rows.times, seconds), words


def _missing(what: str, name: str, known: Sequence[str], path: str) -> UsageError:
    near = difflib.get_close_matches(name, known, 1)
    mend = f"Perhaps `--{what} {near[0]}`" if near else f"Its columns: {', '.join(known[:20])}"
    return UsageError(f"{path or 'the data'} has no column {name!r}", mend)


def _moment(given: str, option: str) -> pandas.Timestamp:
    import pandas

    try:
        moment = pandas.Timestamp(given)
    except ValueError:
        raise UsageError(f"{given!r} is no time", f"Write `{option} 2012-11-01`") from None
    return moment.tz_convert("UTC").tz_localize(None) if moment.tzinfo else moment


def _after(given: str) -> pandas.Timestamp:
    """Return the first moment that ``--until`` leaves out: a day is taken whole."""
    import pandas

    moment = _moment(given, "--until")
    return moment + (pandas.Timedelta(days=1) if len(given.strip()) <= 10 else pandas.Timedelta(seconds=1))
