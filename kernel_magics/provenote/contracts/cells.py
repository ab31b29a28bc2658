"""Cells as a contract wants them: numbers, texts and times out of whatever a file stores.

What cannot be read stays behind as a mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provenote.contracts.contract import Type

if TYPE_CHECKING:
    import numpy
    import pyarrow

_NUMBER = r"^\s*[+-]?((\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|nan|inf|infinity)\s*$"
_WHOLE = r"^\s*[+-]?\d{1,18}\s*$"
_DATE = r"^\s*\d{4}-\d{2}-\d{2}\s*$"
_MOMENT = r"^\s*\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?\s*$"


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of one column in one batch.

    Parameters
    ----------
    values : pyarrow.Array
        As the contract's type; null where nothing is there or it cannot be read.
    bad : pyarrow.BooleanArray or None
        Where a cell holds something that is not of the type.
    stored : str
        How the file stores the whole column, where that is wrong in itself; else empty.
    """

    values: pyarrow.Array
    bad: pyarrow.Array | None = None
    stored: str = ""


def array(values: Sequence[Any], type_: pyarrow.DataType) -> pyarrow.Array:
    """Return values as an Arrow array; `pyarrow.array` itself would import pandas."""
    import numpy
    import pyarrow

    if pyarrow.types.is_string(type_):
        texts = [str(value).encode("utf-8", "surrogatepass") for value in values]
        ends = numpy.cumsum([0, *map(len, texts)], dtype=numpy.int32)
        buffers = [None, pyarrow.py_buffer(ends.tobytes()), pyarrow.py_buffer(b"".join(texts))]
        return pyarrow.Array.from_buffers(type_, len(texts), buffers)
    if pyarrow.types.is_int64(type_) or pyarrow.types.is_float64(type_):
        name = "int64" if pyarrow.types.is_int64(type_) else "float64"
        content = numpy.asarray(list(values), name).tobytes()
        return pyarrow.Array.from_buffers(type_, len(values), [None, pyarrow.py_buffer(content)])
    return pyarrow.array(list(values), type_)


def arrow_type(kind: Type) -> Any:
    """Return the Arrow type by which a column of a delimited file is read, or None to let Arrow see."""
    import pyarrow

    known = {
        "int": pyarrow.int64(),
        "float": pyarrow.float64(),
        "text": pyarrow.string(),
        "bool": pyarrow.bool_(),
        "date": pyarrow.date32(),
    }
    return known.get(kind)


def type_of(type_: pyarrow.DataType) -> Type:
    """Return the contract's type for an Arrow type."""
    import pyarrow

    types = pyarrow.types
    if types.is_dictionary(type_):
        return type_of(type_.value_type)
    if types.is_boolean(type_):
        return "bool"
    if types.is_integer(type_):
        return "int"
    if types.is_floating(type_) or types.is_decimal(type_):
        return "float"
    if is_text(type_):
        return "text"
    if types.is_date(type_):
        return "date"
    if types.is_timestamp(type_):
        return "datetime"
    return "time" if types.is_time(type_) else "other"


def is_text(type_: pyarrow.DataType) -> bool:
    """Whether cells of this type are texts."""
    import pyarrow

    types = pyarrow.types
    if types.is_dictionary(type_):
        return is_text(type_.value_type)
    return bool(types.is_string(type_) or types.is_large_string(type_) or str(type_) == "string_view")


def read(array: pyarrow.Array, kind: Type, strict: bool) -> Cells:
    """Read cells as the contract's type.

    Parameters
    ----------
    array : pyarrow.Array
    kind : Type
    strict : bool
        Whether the file tells types itself (Parquet), so that numbers stored as texts are wrong as such.
    """
    import pyarrow
    from pyarrow import compute

    types, stored = pyarrow.types, array.type
    if kind == "other" or types.is_null(stored):
        return Cells(array)
    have = type_of(stored)
    if have == kind:
        return Cells(array.cast(pyarrow.float64()) if types.is_decimal(stored) else array)
    if kind == "float" and have == "int":
        return Cells(array)
    if kind == "int" and have == "float":
        return _whole(array)
    if {kind, have} == {"date", "datetime"}:
        return Cells(array)
    if have == "text":
        if types.is_dictionary(stored):
            array = array.dictionary_decode()
        found = _from_text(array.cast(pyarrow.string()), kind)
        if strict:
            return Cells(found.values, found.bad, "text")
        return found
    return Cells(pyarrow.nulls(len(array), stored), compute.is_valid(array), str(stored))


def _whole(array: pyarrow.Array) -> Cells:
    """Read numbers with a fraction as whole ones: pandas stores them so where one is missing."""
    import pyarrow
    from pyarrow import compute

    if pyarrow.types.is_decimal(array.type):
        array = array.cast(pyarrow.float64())
    there = compute.and_(
        compute.is_valid(array), compute.invert(compute.fill_null(compute.is_nan(array), False))
    )
    same = compute.fill_null(compute.equal(array, compute.floor(array)), True)
    bad = compute.and_(there, compute.invert(same))
    return Cells(array, bad if compute.any(bad).as_py() else None)


def _from_text(array: pyarrow.Array, kind: Type) -> Cells:
    import pyarrow
    from pyarrow import compute

    pattern = {"int": _WHOLE, "float": _NUMBER, "date": _DATE, "datetime": _MOMENT}.get(kind)
    if kind == "bool":
        lower = compute.utf8_lower(compute.utf8_trim_whitespace(array))
        good = compute.is_in(lower, value_set=array(["true", "false", "0", "1"], pyarrow.string()))
    elif pattern is None:
        good = compute.is_null(array)
    else:
        good = compute.match_substring_regex(array, pattern, ignore_case=True)
    good = compute.fill_null(good, False)
    bad = compute.and_(compute.is_valid(array), compute.invert(good))
    text = compute.if_else(good, array, pyarrow.scalar(None, pyarrow.string()))
    values = _converted(compute.utf8_trim_whitespace(text), kind)
    if values.null_count > text.null_count:  # the form is right, the date is none: 2011-13-45
        bad = compute.or_(bad, compute.and_(compute.is_null(values), compute.is_valid(text)))
    return Cells(values, bad if compute.any(bad).as_py() else None)


def _converted(text: pyarrow.Array, kind: Type) -> pyarrow.Array:
    import pyarrow
    from pyarrow import compute

    if kind in ("int", "float"):
        plain = compute.replace_substring_regex(text, r"^\+", "")
        return plain.cast(pyarrow.int64() if kind == "int" else pyarrow.float64())
    if kind == "bool":
        return compute.is_in(compute.utf8_lower(text), value_set=array(["true", "1"], pyarrow.string()))
    if kind == "date":
        made = compute.strptime(text, format="%Y-%m-%d", unit="s", error_is_null=True)
        return made.cast(pyarrow.date32())
    if kind == "datetime":
        short = compute.replace_substring(compute.utf8_slice_codeunits(text, 0, 19), "T", " ")
        long = compute.greater(compute.utf8_length(short), pyarrow.scalar(16))
        full = compute.if_else(
            long, short, compute.binary_join_element_wise(short, pyarrow.scalar(":00"), "")
        )
        return compute.strptime(full, format="%Y-%m-%d %H:%M:%S", unit="s", error_is_null=True)
    return pyarrow.nulls(len(text), pyarrow.string())


def numbers(array: pyarrow.Array) -> numpy.ndarray[Any, Any] | None:
    """Return numbers without a copy, or None where cells are missing or of another kind.

    Arrow's own `to_numpy` would import pandas.
    """
    import numpy
    import pyarrow

    type_ = array.type
    plain = (
        pyarrow.types.is_integer(type_) or pyarrow.types.is_float32(type_) or pyarrow.types.is_float64(type_)
    )
    content = array.buffers()[1] if plain and not array.null_count else None
    if content is None:
        return None
    name = {"double": "float64", "float": "float32"}.get(str(type_), str(type_))
    return numpy.frombuffer(content, name, len(array), array.offset * type_.bit_width // 8)
