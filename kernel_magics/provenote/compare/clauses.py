"""The tree of a query: what it means for one run, and how it is written.

``str(clause)`` reads back as the same tree. Every clause answers ``matches(row, now)`` for any row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from provenote.compare.values import Value, holds, written
from provenote.model import Row

KEYED = ("params", "metrics")
"""Fields that need a key: ``params.depth``."""
TEXTS = ("id", "name", "label", "status", "reason", "linearity", "reproduced", "parent", "commit", "baseline")
TIMES = ("started", "ended")
FLAGS = ("starred", "archived")
LISTS = ("tags", "notes")
FIELDS = (*TEXTS, *TIMES, "duration", *FLAGS, *LISTS, *KEYED)
"""Every field of a run; any other name is a metric or a parameter."""
RESERVED = ("and", "or", "not", "in")

_MISSING = object()
_PLAIN = re.compile(r"\w[\w-]*")
_FIRST = re.compile(r"[^\W\d][\w-]*")


@dataclass(frozen=True, slots=True)
class Field:
    """A place in a run: ``("metrics", "train/loss")``, ``("status",)`` or the bare ``("rmse",)``."""

    path: tuple[str, ...]

    @property
    def bare(self) -> bool:
        """Whether it is a metric's or parameter's name without saying which."""
        return self.path[0] not in FIELDS

    def of(self, row: Row) -> Any:
        """Return the value in ``row``, None where there is none."""
        head, keys = self.path[0], self.path[1:]
        if head in KEYED:
            return lookup(getattr(row, head), keys)
        if head == "duration":
            return None if row.ended is None else row.ended - row.started
        if head in FIELDS:
            return getattr(row, head)
        value = lookup(row.metrics, self.path)
        return lookup(row.params, self.path) if value is None else value

    def __str__(self) -> str:
        first, *rest = self.path
        plain = _FIRST.fullmatch(first) and first.lower() not in RESERVED
        return (first if plain else _bracket(first)) + "".join(
            f".{key}" if _PLAIN.fullmatch(key) else _bracket(key) for key in rest
        )


def lookup(values: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    """Find ``keys`` in nested ``values``; a key that itself holds dots is found too.

    Returns None where there is nothing. The longest key wins: ``opt.lr`` before ``opt`` then ``lr``.
    """
    if len(keys) == 1:
        return values.get(keys[0])
    for cut in range(len(keys), 0, -1):
        found = values.get(".".join(keys[:cut]), _MISSING)
        if found is _MISSING:
            continue
        if cut == len(keys):
            return found
        if isinstance(found, Mapping):
            inner = lookup(found, keys[cut:])
            if inner is not None:
                return inner
    return None


@dataclass(frozen=True, slots=True)
class Everything:
    """The empty query."""

    def matches(self, row: Row, now: float) -> bool:
        """Every run matches."""
        return True

    def __str__(self) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class Has:
    """A field alone: it holds when the run has a value there that is not false or empty."""

    field: Field

    def matches(self, row: Row, now: float) -> bool:
        """Tell whether the run has it."""
        value = self.field.of(row)
        return value is not None and value is not False and not (hasattr(value, "__len__") and not len(value))

    def __str__(self) -> str:
        return str(self.field)


@dataclass(frozen=True, slots=True)
class Compare:
    """``field op value``."""

    field: Field
    op: str
    value: Value

    def matches(self, row: Row, now: float) -> bool:
        """Tell whether the comparison holds."""
        return holds(self.field.of(row), self.op, self.value, now)

    def __str__(self) -> str:
        return f"{self.field} {self.op} {written(self.value)}"


@dataclass(frozen=True, slots=True)
class Among:
    """``field in (value, ...)``: the same as ``==`` with one of them."""

    field: Field
    values: tuple[Value, ...]

    def matches(self, row: Row, now: float) -> bool:
        """Tell whether one of the values is equal."""
        found = self.field.of(row)
        return any(holds(found, "==", value, now) for value in self.values)

    def __str__(self) -> str:
        return f"{self.field} in ({', '.join(map(written, self.values))})"


@dataclass(frozen=True, slots=True)
class Not:
    """``not clause``."""

    clause: Clause

    def matches(self, row: Row, now: float) -> bool:
        """Tell whether the clause does not match."""
        return not self.clause.matches(row, now)

    def __str__(self) -> str:
        return f"not {_inner(self.clause)}"


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more clauses."""

    clauses: tuple[Clause, ...]

    def matches(self, row: Row, now: float) -> bool:
        """Tell whether all match."""
        return all(clause.matches(row, now) for clause in self.clauses)

    def __str__(self) -> str:
        return " and ".join(map(_inner, self.clauses))


@dataclass(frozen=True, slots=True)
class Or:
    """One of two or more clauses."""

    clauses: tuple[Clause, ...]

    def matches(self, row: Row, now: float) -> bool:
        """Tell whether one matches."""
        return any(clause.matches(row, now) for clause in self.clauses)

    def __str__(self) -> str:
        return " or ".join(f"({each})" if isinstance(each, Or) else str(each) for each in self.clauses)


Clause = Everything | Has | Compare | Among | Not | And | Or


def fields(clause: Clause) -> list[Field]:
    """Return the fields a query asks about, in order."""
    if isinstance(clause, (And, Or)):
        return [field for each in clause.clauses for field in fields(each)]
    if isinstance(clause, Not):
        return fields(clause.clause)
    return [] if isinstance(clause, Everything) else [clause.field]


def _inner(clause: Clause) -> str:
    return f"({clause})" if isinstance(clause, (And, Or)) else str(clause)


def _bracket(key: str) -> str:
    return f"[{written(key)}]"
