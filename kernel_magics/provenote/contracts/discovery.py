"""Find rules across columns: sums and products that come out, orderings, what one column says of another.

Rules are guessed on a sample and then held against every row of the reference. They are offered, never
imposed: a rule that holds by chance today stops somebody's job tomorrow.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.contracts import expressions
from provenote.contracts.contract import Contract, Determines
from provenote.contracts.opening import Parquet
from provenote.contracts.passes import Pass
from provenote.contracts.reference import Reference
from provenote.data import tables

if TYPE_CHECKING:
    import numpy

    Matrix = numpy.ndarray[Any, Any]

MOST_COLUMNS = 60
"""Columns among which rules are looked for."""
ROWS, FEW_ROWS = 4_000, 300
MOST_OFFERED = 20
STRONG = 0.9
"""Correlation from which two columns are called redundant."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found: rules to offer, and relations for the monitor."""

    rules: tuple[str, ...] = ()
    determines: tuple[Determines, ...] = ()
    relations: tuple[dict[str, object], ...] = ()


def discover(reference: Reference, contract: Contract, files: Sequence[tuple[str, Path]]) -> Found:
    """Find the rules that hold in every row of the reference.

    Parameters
    ----------
    reference : Reference
    contract : Contract
        As it was inferred.
    files : sequence of (str, Path)
        The reference's tables, read again where it is too large to be held.
    """
    import numpy

    names, matrix = _numbers(reference, contract)
    with numpy.errstate(over="ignore", invalid="ignore"):  # numbers near the end of what a float holds
        sums = _sums(names, matrix)
    texts = [*(text for text, _ in sums), *_orders(names, matrix, sums, contract)]
    determines = _determined(reference, contract)
    rules = tuple(expressions.parse(text) for text in texts[:MOST_OFFERED])
    offered = replace(
        contract, columns=contract.columns, rules=rules, determines=determines[:MOST_OFFERED],
        key=(), increasing=(), time=None,
    )  # fmt: skip
    broken = _broken(offered, reference, files)
    return Found(
        tuple(rule.text for rule in rules if rule.text not in broken),
        tuple(one for one in offered.determines if one.text not in broken),
        tuple(_relations(names, matrix, contract)),
    )


def _broken(contract: Contract, reference: Reference, files: Sequence[tuple[str, Path]]) -> set[str]:
    """Return the rules that do not hold in some row."""
    if not contract.rules and not contract.determines:
        return set()
    bare = replace(contract, columns={})

    def begin(_: Any = None) -> Pass:
        return Pass(bare, 0, strict=False)

    def feed(check: Pass, batch: Any) -> bool:
        check.together({name: batch.column(i) for i, name in enumerate(batch.schema.names)}, 0)
        return True

    if reference.held is not None:
        check = begin()
        for batch in reference.held:
            feed(check, batch)
        return check.broken_rules
    broken: set[str] = set()
    for name, path in files:
        source = tables.Source(path, name)
        try:
            if tables.kind(name) == "parquet":
                check = begin()
                for batch in Parquet(path).batches()[1]:
                    feed(check, batch)
            else:
                check = tables.scan(source, begin, feed)
        except tables.NotReadable:
            continue  # it was no part of the reference
        broken |= check.broken_rules
    return broken


def _numbers(reference: Reference, contract: Contract) -> tuple[list[str], Matrix]:
    """Return the columns of numbers that vary, and a sample of rows in which none is missing."""
    import numpy
    import pyarrow

    from provenote.contracts.cells import numbers

    apart = {*contract.key, *(contract.time.columns if contract.time else ())}
    names, columns = [], []
    for name, seen in reference.columns.items():
        varied = seen.many or seen.kind == "float" or (seen.different is not None and len(seen.different) > 2)
        if seen.kind in ("int", "float") and name not in apart and varied and expressions.quoted(name):
            column = reference.sample.column(name).cast(pyarrow.float64(), safe=False).fill_null(float("nan"))
            plain = numbers(pyarrow.concat_arrays(column.chunks))
            if plain is not None:
                names.append(name)
                columns.append(plain)
        if len(names) == MOST_COLUMNS:
            break
    if not columns:
        return [], numpy.empty((0, 0))
    matrix = numpy.column_stack(columns)
    step = max(1, len(matrix) // ROWS)
    matrix = matrix[::step]
    whole = matrix[numpy.isfinite(matrix).all(axis=1)]
    return names, whole


def _sums(names: list[str], matrix: Matrix) -> list[tuple[str, frozenset[str]]]:
    """Find ``a + b == c`` and ``a * b == c``."""
    import numpy

    few = matrix[:: max(1, len(matrix) // FEW_ROWS)]
    if len(few) < 20:
        return []
    found = []
    size = numpy.abs(few).max(axis=0)
    for one, other in itertools.combinations(range(len(names)), 2):
        for sign, made in (("+", few[:, one] + few[:, other]), ("*", few[:, one] * few[:, other])):
            near = numpy.abs(few[0] - made[0]) <= 1e-9 * numpy.maximum(size, abs(made[0]))
            for third in numpy.flatnonzero(near).tolist():
                if third in (one, other):
                    continue
                if numpy.allclose(few[:, third], made, rtol=1e-9, atol=0) and _says_much(
                    few, one, other, third
                ):
                    left = f"{expressions.quoted(names[one])} {sign} {expressions.quoted(names[other])}"
                    members = frozenset({names[one], names[other], names[third]})
                    found.append((f"{left} == {expressions.quoted(names[third])}", members))
    return found


def _says_much(few: Matrix, *columns: int) -> bool:
    """Whether each column varies enough for an identity to mean something."""
    import numpy

    return all(
        float((few[:, one] != 0).mean()) > 0.1 and len(numpy.unique(few[:, one])) > 2 for one in columns
    )


def _orders(
    names: list[str], matrix: Matrix, sums: list[tuple[str, frozenset[str]]], contract: Contract
) -> list[str]:
    """Find ``a <= b`` between columns of one scale that go together."""
    import numpy

    if len(matrix) < 20 or len(names) < 2:
        return []
    found = []
    with numpy.errstate(invalid="ignore", divide="ignore", over="ignore"):
        correlation = numpy.corrcoef(matrix, rowvar=False)
    low, high = matrix.min(axis=0), matrix.max(axis=0)
    for one, other in itertools.permutations(range(len(names)), 2):
        apart = high[one] <= low[other]  # their ranges say it already
        summed = any({names[one], names[other]} <= members for _, members in sums)
        categories = any(contract.columns[names[at]].values is not None for at in (one, other))
        if apart or summed or categories or not correlation[one, other] > 0.5:
            continue
        same = bool((matrix[:, one] == matrix[:, other]).all())
        if bool((matrix[:, one] <= matrix[:, other]).all()) and not same:
            found.append(f"{expressions.quoted(names[one])} <= {expressions.quoted(names[other])}")
    return found


def _determined(reference: Reference, contract: Contract) -> tuple[Determines, ...]:
    """Find categories that one or two others fix."""
    import numpy
    import pyarrow

    sample = reference.sample
    step = max(1, sample.num_rows // ROWS)
    thin = sample.take(pyarrow.array(range(0, sample.num_rows, step), pyarrow.int64()))
    codes: dict[str, tuple[Matrix, int]] = {}
    for name, seen in reference.columns.items():
        few = not seen.many and seen.different is not None and 1 < len(seen.different) <= 50
        if few and seen.kind in ("int", "text") and not seen.nulls and name not in contract.key:
            column = thin.column(name)
            encoded = pyarrow.concat_arrays(column.chunks).dictionary_encode()
            codes[name] = numpy.asarray(encoded.indices.to_pylist()), len(encoded.dictionary)
        if len(codes) == 16:
            break
    found: list[Determines] = []
    for number in (1, 2):
        for given in itertools.combinations(codes, number):
            key, size = codes[given[0]]
            if number == 2:
                key, size = key * codes[given[1]][1] + codes[given[1]][0], size * codes[given[1]][1]
            if size * 5 > len(key):
                continue
            for name, (values, different) in codes.items():
                simpler = any(one.column == name and set(one.given) <= set(given) for one in found)
                if name in given or simpler or different >= size:
                    continue
                table = numpy.zeros(size, values.dtype)
                table[key] = values
                if bool((table[key] == values).all()):
                    found.append(Determines(given, name))
    return tuple(found)


def _relations(names: list[str], matrix: Matrix, contract: Contract) -> Iterable[dict[str, object]]:
    import numpy

    if len(matrix) >= 100 and len(names) > 1:
        with numpy.errstate(invalid="ignore", divide="ignore", over="ignore"):
            correlation = numpy.corrcoef(matrix, rowvar=False)
        pairs = [
            (one, other)
            for one, other in itertools.combinations(range(len(names)), 2)
            if abs(correlation[one, other]) > STRONG
        ]
        for one, other in sorted(pairs, key=lambda pair: -abs(correlation[pair]))[:MOST_OFFERED]:
            r = round(float(correlation[one, other]), 3)
            yield {"pair": [names[one], names[other]], "r": r, "limit": STRONG}
    if contract.label and contract.time and len(contract.time.columns) == 2:
        yield {"lag": contract.label, "by": contract.time.columns[1]}
