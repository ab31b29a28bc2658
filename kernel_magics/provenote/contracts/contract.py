"""The contract: what a file or folder of data may hold. Plain nouns; `contract_file` writes them down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from provenote.contracts.expressions import Rule

Type = Literal["int", "float", "bool", "text", "date", "datetime", "time", "other"]
TYPES: tuple[Type, ...] = ("int", "float", "bool", "text", "date", "datetime", "time", "other")

Action = Literal["refuse", "quarantine", "alert", "note"]
ACTIONS: tuple[Action, ...] = ("refuse", "quarantine", "alert", "note")
"""From hard to soft. ``note`` alone lets a check pass."""

Kind = str
"""A sort of fault: one of the keys of `USUAL`."""

USUAL: Mapping[Kind, Action] = {
    "unreadable": "refuse",
    "encoding": "refuse",
    "empty": "refuse",
    "columns": "refuse",
    "ragged": "refuse",
    "type": "refuse",
    "null": "refuse",
    "range": "quarantine",
    "set": "alert",
    "constant": "alert",
    "key": "refuse",
    "order": "refuse",
    "gaps": "alert",
    "row": "refuse",
    "relation": "alert",
    "marginal": "note",
}
"""What is done about each kind of fault, where a contract does not say."""

RARE = 5
"""A category that nobody had seen is noted, not alerted, until it comes in so many rows."""

Scalar = int | float | str | bool


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """What one column may hold.

    Parameters
    ----------
    name : str
    type : Type
    null_max : float
        Largest share of missing cells, 0 to 1.
    range : tuple or None
        Lowest and highest value (numbers; texts in ISO form for dates); None where a side is open.
    values : tuple or None
        All that it may hold, where it holds categories.
    on_unseen : Action or None
        What is done about another category; None: as `USUAL`.
    rare : int
        Rows from which on another category is more than a note.
    varies : bool
        Whether one single value in a whole file is a fault: a sensor that hangs.
    optional : bool
        Whether the column may be missing.
    usual : tuple of float or None
        5 %, 50 % and 95 % quantile in the reference: they tell units apart, and limit nothing.
    unit, why : str
        For people.
    """

    name: str
    type: Type
    null_max: float = 0.0
    range: tuple[Scalar | None, Scalar | None] | None = None
    values: tuple[Scalar, ...] | None = None
    on_unseen: Action | None = None
    rare: int = RARE
    varies: bool = False
    optional: bool = False
    usual: tuple[float, float, float] | None = None
    unit: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Determines:
    """A functional dependency: rows equal in ``given`` are equal in ``column``."""

    given: tuple[str, ...]
    column: str

    @property
    def text(self) -> str:
        """As the file says it."""
        return f"{', '.join(self.given)} -> {self.column}"


@dataclass(frozen=True, slots=True)
class Time:
    """When a row was.

    Parameters
    ----------
    columns : tuple of str
        One column, or a date and a number of units.
    unit : str
        The step: ``second``, ``minute``, ``hour``, ``day``, or empty where there is none.
    ordered : bool
        Whether time never goes back.
    gaps_max : float or None
        Largest share of missing steps in a file.
    longest_gap : int or None
        Most steps that may be missing in a row.
    """

    columns: tuple[str, ...]
    unit: str = ""
    ordered: bool = True
    gaps_max: float | None = None
    longest_gap: int | None = None


@dataclass(frozen=True, slots=True)
class TestSplit:
    """Which data is the test split: files by a pattern, rows by a rule. What touches it stops a promotion."""

    __test__ = False  # no test of pytest's

    files: str = ""
    rows: Rule | None = None


@dataclass(frozen=True, slots=True)
class Contract:
    """What a file or folder may hold.

    Parameters
    ----------
    columns : mapping of str to ColumnRule
    key : tuple of str
        Columns that name a row: together they are unique and never missing.
    time : Time or None
    increasing : tuple of str
        Columns whose values rise from row to row.
    rules : tuple of Rule
        They hold in every row; a row where one of its values is missing is not judged by it.
    determines : tuple of Determines
    relations : tuple of mapping
        For the monitor: ``{pair: [a, b], limit}`` and ``{lag: column, by: column}``.
    windows : mapping
        For the monitor: ``length`` and what it learned.
    test : TestSplit or None
    label : str
    extra : Action
        What is done about a column that the contract does not name.
    on_fail : mapping of Kind to Action
        Where it differs from `USUAL`.
    of : mapping
        Where it comes from: ``dvc, md5, rows, profiled_at``.
    offered : tuple of str
        Rules that were found and that nobody accepted yet; they are not checked.
    sha256 : str
        Of the file's bytes.
    """

    columns: Mapping[str, ColumnRule]
    key: tuple[str, ...] = ()
    time: Time | None = None
    increasing: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    determines: tuple[Determines, ...] = ()
    relations: tuple[Mapping[str, object], ...] = ()
    windows: Mapping[str, object] = field(default_factory=dict)
    test: TestSplit | None = None
    label: str = ""
    extra: Action = "note"
    on_fail: Mapping[str, Action] = field(default_factory=dict)
    of: Mapping[str, object] = field(default_factory=dict)
    offered: tuple[str, ...] = ()
    sha256: str = ""

    def action(self, kind: Kind) -> Action:
        """Return what is done about a fault of this kind."""
        return self.on_fail.get(kind, USUAL[kind])
