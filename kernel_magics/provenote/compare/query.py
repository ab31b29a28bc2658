"""The query language: parse a query, bind its bare names to what runs have, ask whether a run matches.

Nothing is ever evaluated as Python. The grammar is in `provenote.compare.grammar`, what a comparison means in
`provenote.compare.values`; the user's page is ``docs/reference/query.md``.
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from provenote.compare.clauses import FIELDS, KEYED, And, Clause, Everything, Field, Not, Or, fields, lookup
from provenote.compare.grammar import QueryError as QueryError
from provenote.compare.grammar import read_field, read_query
from provenote.model import Row


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query; ``str(query)`` reads back as the same one.

    Parameters
    ----------
    clause : Clause
        Its tree.
    """

    clause: Clause

    def matches(self, row: Row, now: float | None = None) -> bool:
        """Tell whether ``row`` is asked for; ``now`` (seconds since 1970) is what ``7d`` counts back from."""
        return self.clause.matches(row, time.time() if now is None else now)

    def bind(self, rows: Iterable[Row]) -> Query:
        """Say of each bare name whether it is a metric or a parameter of ``rows``.

        Raises
        ------
        QueryError
            If a name is both, or neither (the nearest known name is proposed).
        """
        bare = {field: bound(field, rows) for field in fields(self.clause) if field.bare}
        return Query(_renamed(self.clause, bare)) if bare else self

    def __str__(self) -> str:
        return str(self.clause)


def parse(text: str) -> Query:
    """Read a query; an empty text asks for every run.

    Raises
    ------
    QueryError
        Where it cannot be read: the message gives the column and what was expected there.
    """
    return Query(read_query(text))


def parse_field(text: str) -> Field:
    """Read one field, as in ``--sort metrics.rmse``.

    Raises
    ------
    QueryError
        If ``text`` is not a field.
    """
    return read_field(text)


def bound(field: Field, rows: Iterable[Row]) -> Field:
    """Put ``metrics`` or ``params`` before a bare field, by what ``rows`` have.

    Raises
    ------
    QueryError
        If it is in both, or in neither while there are runs.
    """
    if not field.bare:
        return field
    rows = list(rows)
    found = [
        kind for kind in KEYED if any(lookup(getattr(row, kind), field.path) is not None for row in rows)
    ]
    if len(found) == 2:
        both = " or ".join(f"`{Field((kind, *field.path))}`" for kind in KEYED)
        raise QueryError(f"{str(field)!r} is both a metric and a parameter", f"Say which: {both}")
    if not found and rows:
        keys = {key for row in rows for kind in KEYED for key in getattr(row, kind)}
        known = {str(Field((key,))) for key in keys} | {*FIELDS}
        near = difflib.get_close_matches(str(field), known, 1)
        nearest = f"The nearest is `{near[0]}`" if near else "See what there is: `provenote runs --json`"
        raise QueryError(f"no run here has {str(field)!r}, neither as a metric nor as a parameter", nearest)
    return Field((found[0] if found else KEYED[1], *field.path))


def _renamed(clause: Clause, names: dict[Field, Field]) -> Clause:
    if isinstance(clause, (And, Or)):
        return replace(clause, clauses=tuple(_renamed(each, names) for each in clause.clauses))
    if isinstance(clause, Not):
        return Not(_renamed(clause.clause, names))
    if isinstance(clause, Everything):
        return clause
    return replace(clause, field=names.get(clause.field, clause.field))
