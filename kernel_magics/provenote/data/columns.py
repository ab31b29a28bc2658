"""What is known of a column after all its batches: counts, range, mean, quantiles. Memory stays bounded.

Mean and deviation are merged batch by batch (Chan, Golub, LeVeque: Updating Formulae and a Pairwise
Algorithm for Computing Sample Variances, 1979). Quantiles come from all values up to `RESERVOIR`,
beyond that from a uniform sample of them (Vitter's algorithm R, 1985) with a fixed seed.
Of texts only lengths are kept, never a value: a profile goes into Git.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy
    import pyarrow

DISTINCT, WIDE_DISTINCT = 10_000, 500
RESERVOIR, WIDE_RESERVOIR = 50_000, 2_000
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


class Column:
    """Collects the facts of one column.

    Parameters
    ----------
    name : str
        Its name.
    type_ : pyarrow.DataType
        Its type in the first batch.
    wide : bool
        Whether it is one of very many: fewer values are kept for each then.
    """

    def __init__(self, name: str, type_: pyarrow.DataType, wide: bool = False) -> None:
        import numpy

        self._most_distinct = WIDE_DISTINCT if wide else DISTINCT
        self._most_kept = WIDE_RESERVOIR if wide else RESERVOIR

        self.name, self.type = name, type_
        self.count = self.missing = self.infinite = 0
        self.low: Any = None
        self.high: Any = None
        self._number = 0
        self._mean = self._square = 0.0
        self._distinct: Any = (
            None if _nested(type_) else ()
        )  # an Arrow array, or None once there are too many
        self._sample: numpy.ndarray[Any, Any] = numpy.empty(0)
        self._random = numpy.random.default_rng(0)

    def add(self, values: pyarrow.Array) -> None:
        """Count a batch in."""
        import pyarrow
        from pyarrow import compute

        if pyarrow.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        self.count += len(values)
        self.missing += values.null_count
        if self._distinct is not None:
            unique = compute.unique(values).drop_null()
            if len(self._distinct) and len(unique) <= self._most_distinct + 1:
                unique = compute.unique(pyarrow.concat_arrays([self._distinct, unique]))
            self._distinct = unique if len(unique) <= self._most_distinct + 1 else None
        kept = values.drop_null()
        if _number(kept.type):
            whole = pyarrow.types.is_integer(kept.type)
            if whole and len(kept):
                edges = compute.min_max(kept)  # exact, beyond what a float can hold
                self._range(edges["min"].as_py(), edges["max"].as_py())
            floats = compute.cast(kept, pyarrow.float64(), safe=False)
            self._add_numbers(_doubles(floats), whole)
        elif len(kept) and (_time(kept.type) or pyarrow.types.is_boolean(kept.type)):
            edges = compute.min_max(kept)
            self._range(edges["min"].as_py(), edges["max"].as_py())
            if pyarrow.types.is_boolean(kept.type):
                self._merge(len(kept), compute.mean(kept).as_py(), 0.0)
        elif len(kept) and _text(kept.type):
            edges = compute.min_max(compute.binary_length(kept))
            self._range(edges["min"].as_py(), edges["max"].as_py())

    def facts(self) -> dict[str, Any]:
        """Return what is known, as JSON data in a stable order."""
        import numpy

        found: dict[str, Any] = {"name": self.name, "dtype": dtype(self.type), "missing": self.missing}
        distinct = self._number_distinct()
        if distinct is not None:
            found["distinct"] = distinct
        elif not _nested(self.type):
            found["distinct"] = f"more than {self._most_distinct}"
        if self.infinite:
            found["infinite"] = self.infinite
        if _text(self.type):
            found |= {"min_bytes": self.low, "max_bytes": self.high}
        elif self.low is not None:
            found |= {"min": _plain(self.low), "max": _plain(self.high)}
        if self._number:
            found["mean"] = _plain(self._mean)
            if _number(self.type):
                spread = math.sqrt(self._square / (self._number - 1)) if self._number > 1 else 0.0
                found["std"] = _plain(spread)
                points = numpy.quantile(self._sample, QUANTILES)
                found["quantiles"] = {
                    str(at): _plain(float(p)) for at, p in zip(QUANTILES, points, strict=True)
                }
        return found

    def _number_distinct(self) -> int | None:
        """Count the different values (NaN is none), None when there are more than are kept."""
        from pyarrow import compute

        if self._distinct is None:
            return None
        count = len(self._distinct)
        if count and str(self._distinct.type) in ("double", "float", "halffloat"):
            count -= compute.sum(compute.is_nan(self._distinct)).as_py() or 0
        return count if count <= self._most_distinct else None

    def _add_numbers(self, numbers: numpy.ndarray[Any, Any], whole: bool) -> None:
        import numpy

        nan = numpy.isnan(numbers)
        self.missing += int(nan.sum())
        finite = numbers[numpy.isfinite(numbers)]
        self.infinite += len(numbers) - int(nan.sum()) - len(finite)
        if not len(finite):
            return
        if not whole:
            self._range(float(finite.min()), float(finite.max()))
        mean = float(finite.mean())
        self._merge(len(finite), mean, float(((finite - mean) ** 2).sum()))
        self._keep(finite)

    def _merge(self, number: int, mean: float, square: float) -> None:
        total = self._number + number
        step = mean - self._mean
        self._square += square + step * step * self._number * number / total
        self._mean += step * number / total
        self._number = total

    def _keep(self, values: numpy.ndarray[Any, Any]) -> None:
        """Put values into the reservoir; ``_number`` counts them already."""
        import numpy

        seen = self._number - len(values)
        free = self._most_kept - len(self._sample)
        if free > 0:
            self._sample = numpy.concatenate([self._sample, values[:free]])
            seen, values = seen + min(free, len(values)), values[free:]
        if len(values):
            places = self._random.integers(0, numpy.arange(seen + 1, seen + 1 + len(values)))
            hit = places < self._most_kept
            self._sample[places[hit]] = values[hit]

    def _range(self, low: Any, high: Any) -> None:
        self.low = low if self.low is None else min(self.low, low)
        self.high = high if self.high is None else max(self.high, high)


def dtype(type_: pyarrow.DataType) -> str:
    """Return a type's plain name: ``int64``, ``float64``, ``string``, ``bool``, ``date``, ``datetime``."""
    import pyarrow

    types = pyarrow.types
    if types.is_dictionary(type_):
        return "category"
    if _text(type_):
        return "string" if not types.is_binary(type_) and not types.is_large_binary(type_) else "binary"
    if types.is_timestamp(type_):
        return "datetime" if type_.tz is None else f"datetime {type_.tz}"
    names = {"double": "float64", "float": "float32", "halffloat": "float16", "date32[day]": "date"}
    return names.get(str(type_), "date" if types.is_date(type_) else str(type_))


def _doubles(floats: pyarrow.DoubleArray) -> numpy.ndarray:
    """Return doubles without nulls, not copied; `to_numpy` would import pandas, which is 35 MB."""
    import numpy

    content = floats.buffers()[1]
    if content is None or not len(floats):
        return numpy.empty(0)
    return numpy.frombuffer(content, numpy.float64, len(floats), floats.offset * 8)


def _number(type_: pyarrow.DataType) -> bool:
    import pyarrow

    types = pyarrow.types
    return bool(types.is_integer(type_) or types.is_floating(type_) or types.is_decimal(type_))


def _time(type_: pyarrow.DataType) -> bool:
    import pyarrow

    types = pyarrow.types
    return bool(
        types.is_date(type_) or types.is_timestamp(type_) or types.is_time(type_) or types.is_duration(type_)
    )


def _text(type_: pyarrow.DataType) -> bool:
    import pyarrow

    if pyarrow.types.is_dictionary(type_):
        return _text(type_.value_type)
    binary = (pyarrow.types.is_binary, pyarrow.types.is_large_binary)
    text = (pyarrow.types.is_string, pyarrow.types.is_large_string)
    return any(is_one(type_) for is_one in binary + text)


def _nested(type_: pyarrow.DataType) -> bool:
    import pyarrow

    return bool(pyarrow.types.is_nested(type_))


def _plain(value: Any) -> Any:
    """Return a JSON value; floats to 12 digits, so that a profile is the same on every machine."""
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return float(f"{value:.12g}")
    return str(value)
