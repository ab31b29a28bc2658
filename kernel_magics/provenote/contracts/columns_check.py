"""Check the cells of one column, batch by batch: type, missing, range, categories, and a sensor that hangs.

Sound batches take a short way, a glance at their lowest and highest value; only a faulty one is looked
through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provenote.contracts import cells
from provenote.contracts.contract import ColumnRule, Contract
from provenote.contracts.faults import Fault, Place, shown_value

if TYPE_CHECKING:
    import pyarrow

SAMPLE = 5_000
"""Faulty values that are kept to guess their cause."""
MOST_UNSEEN = 1_000
"""Different unknown categories that are told apart."""
FEW = 100
"""Rows below which one single value in a file says nothing."""


class ColumnCheck:
    """Checks one column.

    Parameters
    ----------
    rule : ColumnRule
    contract : Contract
        For what is done about faults.
    strict : bool
        Whether the file tells types itself.
    keep : int
        Faulty cells of each kind that are kept.
    """

    def __init__(self, rule: ColumnRule, contract: Contract, strict: bool, keep: int) -> None:
        import pyarrow

        self.rule, self.contract, self.strict, self.keep = rule, contract, strict, keep
        self.faults: dict[str, Fault] = {}
        self.sample: list[float] = []
        self.bad_rows: list[int] = []
        self.rows = self.nulls = 0
        self.null_places: list[Place] = []
        self.unseen: dict[Any, list[Any]] = {}
        self.low: Any = None
        self.high: Any = None
        self.stored = ""
        kinds = {"int": pyarrow.int64(), "float": pyarrow.float64(), "bool": pyarrow.bool_()}
        kind = kinds.get(rule.type, pyarrow.string())
        self._set = cells.array(rule.values, kind) if rule.values is not None else None
        self._range: tuple[Any, Any] | None = None
        self._fitted: Any = None

    def feed(self, array: pyarrow.Array, start: int) -> pyarrow.Array:
        """Check a batch that begins at row ``start`` (from 0); return its cells as the contract's type."""
        rule = self.rule
        found = cells.read(array, rule.type, self.strict)
        values = found.values
        self.rows += len(array)
        if found.stored and not self.stored:
            self.stored = found.stored
        if found.bad is not None:
            self._rows("type", found.bad, array, start, f"is no {_WORDS[rule.type]}")
        nulls = array.null_count
        plain = cells.numbers(values) if nulls == 0 else None
        if (
            plain is not None
            and len(plain)
            and (rule.range is not None or rule.varies or rule.values is None)
        ):
            low, high = plain.min(), plain.max()
            if low == low:  # no NaN among them
                self._edges(low, high, values, start)
                if self._set is not None:
                    self._categories(values, start)
                return values
        nulls += self._not_numbers(values, array)
        if nulls:
            self._missing(array, start, nulls)
        if self._set is not None:
            self._categories(values, start)
        if rule.range is not None or rule.varies:
            self._slow_edges(values, start)
        return values

    def end(self, rows: int) -> list[Fault]:
        """Return what is wrong with the column, once all rows were seen."""
        rule = self.rule
        found = list(self.faults.values())
        if self.stored:
            limit = f"is stored as {self.stored}, not as {_WORDS[rule.type]}"
            found.append(Fault("type", rule.name, self.contract.action("type"), rows, limit))
        if rows and self.nulls > allowed(rule.null_max, rows):
            limit = f"missing in {self.nulls / rows:.2%} of the rows, at most {rule.null_max:.2%} allowed"
            fault = Fault("null", rule.name, self.contract.action("null"), self.nulls, limit)
            fault.places = self.null_places
            found.append(fault)
        found += self._unseen()
        same = self.low is not None and self.low == self.high
        if rule.varies and same and rows - self.nulls >= FEW:
            limit = "holds one single value, though it varies in the reference"
            fault = Fault("constant", rule.name, self.contract.action("constant"), rows, limit)
            fault.places = [Place(1, shown_value(self.low))]
            found.append(fault)
        return found

    def _not_numbers(self, values: pyarrow.Array, array: pyarrow.Array) -> int:
        """Count NaN, which is missing as null is."""
        import pyarrow
        from pyarrow import compute

        if not pyarrow.types.is_floating(array.type) or len(array) == array.null_count:
            return 0
        total = compute.sum(array).as_py()
        return 0 if total == total else int(compute.sum(compute.is_nan(array)).as_py() or 0)

    def _missing(self, array: pyarrow.Array, start: int, nulls: int) -> None:
        from pyarrow import compute

        self.nulls += nulls
        if len(self.null_places) < self.keep:
            where = compute.indices_nonzero(compute.is_null(array, nan_is_null=True))
            left = self.keep - len(self.null_places)
            self.null_places += [Place(start + int(one) + 1) for one in where[:left].to_pylist()]

    def _edges(self, low: Any, high: Any, values: pyarrow.Array, start: int) -> None:
        """Hold the lowest and highest value against the range."""
        self.low = low if self.low is None or low < self.low else self.low
        self.high = high if self.high is None or high > self.high else self.high
        if self.rule.range is None:
            return
        least, most = self._limits(values.type)
        if (least is not None and low < least) or (most is not None and high > most):
            self._out_of_range(values, start, least, most)

    def _slow_edges(self, values: pyarrow.Array, start: int) -> None:
        import pyarrow
        from pyarrow import compute

        kind = values.type
        if not (pyarrow.types.is_temporal(kind) or pyarrow.types.is_integer(kind) or _floating(kind)):
            if self.rule.varies and len(values) > values.null_count:  # texts: is there a second one?
                few = compute.unique(values.drop_null())
                known = {self.low, self.high, *few[:2].to_pylist()} - {None}
                self.low, self.high = min(known), max(known)
            return
        if _floating(kind):
            there = compute.invert(compute.fill_null(compute.is_nan(values), True))
            values_ = values.filter(there)
        else:
            values_ = values
        edges = compute.min_max(values_)
        low, high = edges["min"].as_py(), edges["max"].as_py()
        if low is not None:
            self._edges(low, high, values, start)

    def _limits(self, kind: pyarrow.DataType) -> tuple[Any, Any]:
        """Return the range in the kind of value that the column has."""
        import pyarrow

        assert self.rule.range is not None
        if self._range is None or self._fitted != kind:
            self._fitted = kind
            ends = self.rule.range
            if pyarrow.types.is_temporal(kind):
                ends = tuple(  # type: ignore[assignment]
                    None if one is None else pyarrow.scalar(str(one)).cast(kind).as_py() for one in ends
                )
            self._range = ends
        return self._range

    def _out_of_range(self, values: pyarrow.Array, start: int, least: Any, most: Any) -> None:
        import pyarrow
        from pyarrow import compute

        kind = values.type
        mask = None
        for limit, call in ((least, compute.less), (most, compute.greater)):
            if limit is not None:
                number = isinstance(limit, int | float)
                bound = pyarrow.scalar(limit) if number else pyarrow.scalar(limit, kind)
                outside = call(values, bound)
                mask = outside if mask is None else compute.or_(mask, outside)
        mask = compute.fill_null(mask, False)
        ends = tuple("..." if one is None else shown_value(one) for one in (least, most))
        self._rows("range", mask, values, start, f"outside [{ends[0]}, {ends[1]}]")
        if len(self.sample) < SAMPLE and not pyarrow.types.is_temporal(kind):
            self.sample += map(float, values.filter(mask)[: SAMPLE - len(self.sample)].to_pylist())

    def _categories(self, values: pyarrow.Array, start: int) -> None:
        import pyarrow
        from pyarrow import compute

        assert self._set is not None
        encoded = pyarrow.types.is_dictionary(values.type)
        different = values.dictionary if encoded else compute.unique(values).drop_null()
        if not len(different):
            return
        known = self._known(different)
        if known is not None and compute.all(known).as_py():
            return
        whole = compute.cast(values, values.type.value_type) if encoded else values
        good = self._known(whole)
        there = compute.is_valid(whole)
        bad = there if good is None else compute.and_(there, compute.invert(good))
        where = compute.indices_nonzero(bad)
        if not len(where):
            return
        for group in compute.value_counts(whole.take(where)).to_pylist():
            if group["values"] in self.unseen or len(self.unseen) < MOST_UNSEEN:
                self.unseen.setdefault(group["values"], [0, []])[0] += group["counts"]
        for one in where[: 4 * self.keep].to_pylist():
            value = whole[one].as_py()
            entry = self.unseen.get(value)
            if entry is not None and len(entry[1]) < self.keep:
                entry[1].append(Place(start + int(one) + 1, shown_value(value)))

    def _known(self, values: pyarrow.Array) -> Any:
        """Return which values are in the set, or None when they are of another kind."""
        import pyarrow
        from pyarrow import compute

        allowed_: Any = self._set
        if allowed_.type != values.type:
            try:
                allowed_ = allowed_.cast(values.type)
            except pyarrow.ArrowException:
                return None
        return compute.is_in(values, value_set=allowed_)

    def _unseen(self) -> list[Fault]:
        """Return the categories nobody had seen: rare ones are noted, others judged together."""
        rule = self.rule
        action = rule.on_unseen or self.contract.action("set")
        found = []
        for often in (False, True):
            group = {value: one for value, one in self.unseen.items() if (one[0] >= rule.rare) == often}
            if not group:
                continue
            count = sum(one[0] for one in group.values())
            values = ", ".join(shown_value(value) for value in list(group)[:5])
            limit = (
                "in no row of the reference" if len(group) == 1 else f"{values}: in no row of the reference"
            )
            if not often and action != "note":
                limit += f" (noted until it comes {rule.rare} times)"
            fault = Fault("set", rule.name, action if often else "note", count, limit)
            places = sorted((place for one in group.values() for place in one[1]), key=lambda one: one.row)
            fault.places = places[: self.keep]
            found.append(fault)
        return found

    def _rows(self, kind: str, mask: Any, values: Any, start: int, limit: str) -> None:
        """Count the rows of a mask; keep the first of them."""
        from pyarrow import compute

        where = compute.indices_nonzero(mask)
        if not len(where):
            return
        action = self.contract.action(kind)
        fault = self.faults.setdefault(kind, Fault(kind, self.rule.name, action, 0, limit))
        fault.count += len(where)
        left = self.keep - len(fault.places)
        for one in where[: max(left, 0)].to_pylist():
            fault.places.append(Place(start + int(one) + 1, shown_value(values[one].as_py())))
        if kind == "range" and len(self.bad_rows) < 50:
            self.bad_rows += [int(one) for one in where[:50].to_pylist()]


_WORDS = {
    "int": "whole number",
    "float": "number",
    "bool": "true or false",
    "text": "text",
    "date": "date",
    "datetime": "date with time",
    "time": "time of day",
    "other": "value",
}


def allowed(share: float, rows: int) -> float:
    """Return how many missing cells a file may have.

    Where the reference had some, a small file has more or fewer by chance: three standard deviations of a
    binomial count are allowed on top.
    """
    slack = 3 * (rows * share * (1 - share)) ** 0.5 if share > 0.0101 else 0.0
    return share * rows + slack


def _floating(kind: pyarrow.DataType) -> bool:
    import pyarrow

    return bool(pyarrow.types.is_floating(kind))
