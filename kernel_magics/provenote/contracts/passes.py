"""What is known of a file while its batches go by: each column's check, and what needs several of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provenote.contracts import evaluating, keys
from provenote.contracts.columns_check import ColumnCheck
from provenote.contracts.contract import Contract
from provenote.contracts.expressions import NotARule
from provenote.contracts.faults import Fault, FileReport, Place, shown_value
from provenote.contracts.moments import Moments, Rising
from provenote.contracts.opening import read_columns
from provenote.data import tables

if TYPE_CHECKING:
    import pyarrow

MOST_GIVEN = 100_000
"""Different values of a functional dependency that are remembered."""


class Pass:
    """What is known of a file while its batches go by."""

    def __init__(self, contract: Contract, keep: int, *, strict: bool) -> None:
        self.contract, self.keep, self.strict = contract, keep, strict
        self.checks: dict[str, ColumnCheck] = {}
        self.names: list[str] = []
        self.rows = 0
        self.contexts: dict[str, list[dict[str, Any]]] = {}
        self._start = 0
        self._now: list[str] = []
        self._first = True
        self._rules: dict[str, Fault] = {}
        self._impossible: dict[str, str] = {}
        self._fixed: list[dict[Any, Any] | None] = [{} for _ in contract.determines]
        self._rising = {name: Rising(True, keep) for name in contract.increasing}
        self._moments = Moments(contract, keep) if contract.time else None
        rising = len(contract.key) == 1 and contract.key[0] in self._rising  # unique, as it rises
        self._keys = keys.Keys() if contract.key and not rising else None

    def begin(self, schema: pyarrow.Schema) -> None:
        """Begin a pass over some columns."""
        self._first = not self.names
        self.names += schema.names
        self._now = schema.names
        self._start = 0
        for name in schema.names:
            rule = self.contract.columns.get(name)
            if rule is not None:
                self.checks[name] = ColumnCheck(rule, self.contract, self.strict, self.keep)

    def feed(self, batch: pyarrow.RecordBatch) -> None:
        """Check a batch."""
        start, found = self._start, {}
        hit = []
        for index, name in enumerate(self._now):
            check = self.checks.get(name)
            if check is None:
                found[name] = batch.column(index)
                continue
            before = len(check.bad_rows)
            found[name] = check.feed(batch.column(index), start)
            if len(check.bad_rows) > before:
                hit.append((name, check.bad_rows[before:]))
        for name, rows in hit:
            self._context(name, rows, found)
        if self._first:
            self.together(found, start)
            self.rows += batch.num_rows
        self._start += batch.num_rows

    def _context(self, name: str, rows: list[int], found: dict[str, pyarrow.Array]) -> None:
        """Keep the other numbers of faulty rows, which tell whether two columns were swapped."""
        import pyarrow

        kept = self.contexts.setdefault(name, [])
        for row in rows[: 50 - len(kept)]:
            kept.append({
                other: values[row].as_py()
                for other, values in found.items()
                if pyarrow.types.is_integer(values.type) or pyarrow.types.is_floating(values.type)
            })  # fmt: skip

    def together(self, found: dict[str, pyarrow.Array], start: int) -> None:
        """Check what needs several columns of a row, or several rows."""
        contract = self.contract
        for rule in contract.rules:
            if rule.text not in self._impossible and all(name in found for name in rule.columns):
                self._rule(rule, found, start)
        for index, one in enumerate(contract.determines):
            if all(name in found for name in (*one.given, one.column)):
                self._determines(index, found, start)
        for name, rising in self._rising.items():
            if name in found:
                rising.feed(found[name], start)
        if self._moments is not None:
            self._moments.feed(found, start)
        if self._keys is not None and all(name in found for name in contract.key):
            self._keys.add(keys.hashed([found[name] for name in contract.key]))

    def _rule(self, rule: Any, found: dict[str, pyarrow.Array], start: int) -> None:
        import pyarrow
        from pyarrow import compute

        try:
            held = evaluating.evaluate(rule.tree, found.__getitem__)
        except (NotARule, pyarrow.ArrowException) as error:
            self._impossible[rule.text] = " ".join(str(error).split())
            return
        if isinstance(held, pyarrow.Scalar) or compute.all(held, skip_nulls=True, min_count=0).as_py():
            return
        wrong = compute.indices_nonzero(compute.fill_null(compute.invert(held), False))
        action = self.contract.action("row")
        fault = self._rules.setdefault(rule.text, Fault("row", rule.text, action, 0, "does not hold"))
        fault.count += len(wrong)
        for one in wrong[: max(0, self.keep - len(fault.places))].to_pylist():
            values = (f"{name} = {shown_value(found[name][one].as_py())}" for name in rule.columns)
            fault.places.append(Place(start + one + 1, ", ".join(values)))

    def _determines(self, index: int, found: dict[str, pyarrow.Array], start: int) -> None:
        import pyarrow

        one, known = self.contract.determines[index], self._fixed[index]
        if known is None:
            return
        names = [*one.given, one.column]
        table = pyarrow.table({str(at): found[name] for at, name in enumerate(names)})
        rows = table.append_column("row", pyarrow.array(range(table.num_rows), pyarrow.int32()))
        groups = rows.group_by([str(at) for at in range(len(names))]).aggregate(
            [("row", "min"), ("row", "count")]
        )
        for group in groups.to_pylist():
            values = tuple(group[str(at)] for at in range(len(names)))
            if None in values:
                continue
            expected = known.setdefault(values[:-1], values[-1])
            if expected != values[-1]:
                action = self.contract.action("row")
                fault = self._rules.setdefault(one.text, Fault("row", one.text, action, 0, "does not hold"))
                fault.count += group["row_count"]
                if len(fault.places) < self.keep:
                    words = ", ".join(f"{n} = {shown_value(v)}" for n, v in zip(names, values, strict=True))
                    place = Place(start + group["row_min"] + 1, f"{words} (was {shown_value(expected)})")
                    fault.places.append(place)
        if len(known) > MOST_GIVEN:
            self._fixed[index] = None

    @property
    def broken_rules(self) -> set[str]:
        """The rules that did not hold somewhere, or could not be judged."""
        unknown = {
            one.text
            for one, known in zip(self.contract.determines, self._fixed, strict=True)
            if known is None
        }
        return {*self._rules, *self._impossible, *unknown}

    def end(self, report: FileReport, source: tables.Source) -> None:
        """Write down what was found."""
        contract = self.contract
        report.rows = self.rows
        report.judged = ["unreadable", "columns", "type", "null", "range", "set", "constant"]
        if not self.rows:
            report.faults.append(Fault("empty", "", contract.action("empty"), 1, "the file has no rows"))
        self._columns(report)
        self._reading(report, source)
        report.faults += self._stored()
        for check in self.checks.values():
            report.faults += check.end(self.rows)
        report.faults += self._rules.values()
        report.not_judged += [f"{text}: {why}" for text, why in self._impossible.items()]
        report.not_judged += [
            f"{contract.determines[index].text}: more than {MOST_GIVEN:,} different values"
            for index, known in enumerate(self._fixed)
            if known is None
        ]
        if contract.rules or contract.determines:
            report.judged.append("row")
        self._order(report)
        self._unique(report, source)

    def _stored(self) -> list[Fault]:
        """Say once for many columns that a file stores them as another type."""
        wrong: dict[str, list[ColumnCheck]] = {}
        for check in self.checks.values():
            if check.stored:
                wrong.setdefault(check.stored, []).append(check)
        found = []
        for stored, group in wrong.items():
            if len(group) > 3:
                names = ", ".join(shown_value(check.rule.name) for check in group[:5])
                limit = f"{len(group):,} columns are stored as {stored}: {names}, ..."
                found.append(Fault("type", "", self.contract.action("type"), len(group), limit))
                for check in group:
                    check.stored = ""
        return found

    def _columns(self, report: FileReport) -> None:
        contract, there = self.contract, set(self.names)
        missing = [n for n, rule in contract.columns.items() if n not in there and not rule.optional]
        if len(missing) > 3:
            words = f"{len(missing):,} columns are missing: {', '.join(map(shown_value, missing[:5]))}, ..."
            report.faults.append(Fault("columns", "", contract.action("columns"), len(missing), words))
        else:
            report.faults += [
                Fault("columns", name, contract.action("columns"), 1, "the column is missing")
                for name in missing
            ]
        extra = [name for name in dict.fromkeys(self.names) if name not in contract.columns]
        if extra:
            words = f"{', '.join(map(shown_value, extra[:5]))}: not in the contract"
            report.faults.append(Fault("columns", "", contract.extra, len(extra), words))
        double = (
            [name for name in there if self.names.count(name) > 1] if len(there) < len(self.names) else []
        )
        if double:
            words = f"{', '.join(map(shown_value, double[:5]))}: the name stands there twice"
            report.faults.append(Fault("columns", double[0], contract.action("columns"), len(double), words))

    def _reading(self, report: FileReport, source: tables.Source) -> None:
        contract = self.contract
        if source.ragged:
            lines = tables.kind(source.name) == "jsonl"
            limit = "is no JSON" if lines else "has another number of cells than the header"
            report.faults.append(Fault("ragged", "", contract.action("ragged"), source.ragged, limit))
        if source.encoding != "utf-8" and contract.of.get("encoding", "utf-8") != source.encoding:
            limit = f"is not UTF-8 ({source.encoding} is a guess)"
            report.faults.append(Fault("encoding", "", contract.action("encoding"), 1, limit))

    def _order(self, report: FileReport) -> None:
        for name, rising in self._rising.items():
            if rising.broken:
                action = self.contract.action("order")
                fault = Fault("order", name, action, rising.broken, "does not rise from row to row")
                fault.places = rising.places
                report.faults.append(fault)
        if self._rising or self._moments:
            report.judged.append("order")
        if self._moments is not None:
            report.faults += self._moments.end()

    def _unique(self, report: FileReport, source: tables.Source) -> None:
        contract = self.contract
        if not contract.key or not set(contract.key) <= set(self.names):
            return
        report.judged.append("key")
        rising = self._rising.get(contract.key[0]) if len(contract.key) == 1 else None
        if rising is not None and self._keys is None:
            first, last = rising.first, rising.last
            if not rising.broken:
                plain = isinstance(first, int | float | str) and isinstance(last, int | float | str)
                report.keys = (first, last) if plain else None
                return
            self._keys = keys.Keys()
            with self._keys:
                for values in read_columns(source, contract, list(contract.key)):
                    self._keys.add(keys.hashed(values))
                self._told(report, source)
            return
        if self._keys is not None:
            with self._keys:
                self._told(report, source)

    def _told(self, report: FileReport, source: tables.Source) -> None:
        assert self._keys is not None
        hashes, count = self._keys.twice()
        if not count:
            return
        contract = self.contract
        fault = Fault("key", ", ".join(contract.key), contract.action("key"), count, "occurs more than once")
        fault.places = repeats(source, contract, hashes, self.keep)
        if fault.places:
            report.faults.append(fault)


def repeats(source: tables.Source, contract: Contract, hashes: Any, keep: int) -> list[Place]:
    """Find the first rows whose key stood there before; keys are compared by value."""
    import numpy

    found: list[Place] = []
    seen: set[Any] = set()
    start = 0
    for columns in read_columns(source, contract, list(contract.key)):
        where = numpy.flatnonzero(numpy.isin(keys.hashed(columns), hashes))
        for row in where.tolist():
            key = tuple(column[row].as_py() for column in columns)
            if key in seen:
                found.append(Place(start + row + 1, ", ".join(map(shown_value, key))))
                if len(found) >= keep:
                    return found
            elif len(seen) < MOST_GIVEN:
                seen.add(key)
        start += len(columns[0])
    return found
