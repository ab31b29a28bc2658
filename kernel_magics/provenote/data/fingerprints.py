"""Rows as 64-bit fingerprints, so that tables larger than the memory can be compared.

A cell becomes 64 bits by its value, not by its storage: an integer and the float equal to it differ
only if their columns' common type says so. Cells are mixed with the finalizer of SplitMix64 (Steele,
Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014). Of ten million rows two different
ones share a fingerprint with a chance of about 3 in a million.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy
    import pyarrow

    Prints = numpy.ndarray[Any, numpy.dtype[numpy.uint64]]

_NULL, _STEP = 0x9AE16A3B2F90404F, 0x9E3779B97F4A7C15


def common_type(first: pyarrow.DataType, second: pyarrow.DataType) -> pyarrow.DataType:
    """Return the type in which the values of two columns are compared."""
    import pyarrow

    types = pyarrow.types
    kinds = [one.value_type if types.is_dictionary(one) else one for one in (first, second)]
    if kinds[0] == kinds[1]:
        return kinds[0]
    if any(types.is_null(one) for one in kinds):
        return kinds[0] if types.is_null(kinds[1]) else kinds[1]
    if all(types.is_integer(one) for one in kinds):
        return pyarrow.int64()
    if all(types.is_integer(one) or types.is_floating(one) or types.is_decimal(one) for one in kinds):
        return pyarrow.float64()
    if all(types.is_date(one) or types.is_timestamp(one) for one in kinds):
        return pyarrow.timestamp("us")
    return pyarrow.string()


def column_prints(values: pyarrow.Array, wanted: pyarrow.DataType) -> Prints:
    """Return 64 bits for each value of a column, compared as type ``wanted``."""
    import numpy
    import pyarrow
    from pyarrow import compute

    types = pyarrow.types
    if types.is_dictionary(values.type):
        values = values.dictionary_decode()
    nulls = values.is_null(nan_is_null=types.is_floating(values.type)).to_numpy(zero_copy_only=False)
    if types.is_nested(wanted) or types.is_nested(values.type):
        texts = [None if one is None else json.dumps(one, default=str) for one in values.to_pylist()]
        values, wanted = pyarrow.array(texts, pyarrow.string()), pyarrow.string()
    elif values.type != wanted:
        values = compute.cast(values, wanted, safe=False)
    if types.is_floating(wanted) or types.is_decimal(wanted):
        numbers = compute.cast(values, pyarrow.float64(), safe=False).fill_null(0.0)
        bits = (numbers.to_numpy(zero_copy_only=False) + 0.0).view(numpy.uint64).copy()
    elif types.is_integer(wanted) or types.is_boolean(wanted):
        numbers = compute.cast(
            values.fill_null(False if types.is_boolean(wanted) else 0), pyarrow.int64(), safe=False
        )
        bits = numbers.to_numpy(zero_copy_only=False).astype(numpy.int64).view(numpy.uint64).copy()
    elif types.is_temporal(wanted):
        width = pyarrow.int32() if wanted.bit_width == 32 else pyarrow.int64()
        numbers = compute.cast(compute.cast(values, width).fill_null(0), pyarrow.int64())
        bits = numbers.to_numpy(zero_copy_only=False).view(numpy.uint64).copy()
    else:
        bits = _text_prints(values)
    bits = _mixed(bits)
    bits[nulls] = numpy.uint64(_NULL)
    return bits


def row_prints(columns: list[Prints]) -> Prints:
    """Combine the cells of each row; the order of columns counts."""
    import numpy

    rows = numpy.zeros(len(columns[0]), numpy.uint64)
    with numpy.errstate(over="ignore"):
        for column in columns:
            rows = _mixed(rows * numpy.uint64(31) + column)
    return rows


def _text_prints(values: pyarrow.Array) -> Prints:
    import numpy
    from pandas.util import hash_array

    coded = values.dictionary_encode()
    words = numpy.array(coded.dictionary.to_pylist(), dtype=object)
    plain = numpy.array([word if isinstance(word, str) else repr(word) for word in words], dtype=object)
    known = hash_array(plain, categorize=False) if len(plain) else numpy.zeros(1, numpy.uint64)
    found: Prints = known[coded.indices.fill_null(0).to_numpy(zero_copy_only=False)]
    return found


def _mixed(bits: Prints) -> Prints:
    import numpy

    with numpy.errstate(over="ignore"):
        bits = bits + numpy.uint64(_STEP)
        bits = (bits ^ (bits >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        return bits ^ (bits >> numpy.uint64(31))
