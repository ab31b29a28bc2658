"""Find keys that occur twice among any number of rows: 64-bit hashes, on disk beyond some millions of them.

Two different keys share a hash once in 2**64 pairs; what hashes find is compared by value before it is
told. The mixing function is SplitMix64's (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
Generators, 2014).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy
    import pyarrow

    Hashes = numpy.ndarray[Any, numpy.dtype[numpy.uint64]]

IN_MEMORY = 8_000_000
"""Hashes that are held in memory (8 bytes each); more are sorted into files by their first bits."""
PARTS = 64
LONGEST = 64
"""Bytes of a text that are hashed together with others; a longer one is hashed by itself."""


class Keys:
    """Hashes of the keys of all rows; use it as a context, what lies on disk goes away at its end."""

    def __init__(self) -> None:
        self._held: list[Hashes] = []
        self._number = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Keys:
        return self

    def __exit__(self, *error: object) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def add(self, hashes: Hashes) -> None:
        """Take the hashes of a batch."""
        self._held.append(hashes)
        self._number += len(hashes)
        if self._number > IN_MEMORY:
            self._spill()

    def twice(self) -> tuple[Hashes, int]:
        """Return the hashes that occur more than once, and how many rows repeat an earlier one."""
        import numpy

        if self._folder is None:
            return _repeated(numpy.concatenate(self._held) if self._held else numpy.empty(0, numpy.uint64))
        self._spill()
        parts = [
            _repeated(numpy.fromfile(file, numpy.uint64))
            for file in sorted(Path(self._folder.name).iterdir())
        ]
        return numpy.concatenate([part for part, _ in parts]), sum(count for _, count in parts)

    def _spill(self) -> None:
        import numpy

        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="provenote-keys-")
        whole = numpy.concatenate(self._held) if self._held else numpy.empty(0, numpy.uint64)
        whole.sort()
        edges = numpy.searchsorted(whole, numpy.arange(1, PARTS, dtype=numpy.uint64) << numpy.uint64(58))
        for number, part in enumerate(numpy.split(whole, edges)):
            with (Path(self._folder.name) / f"{number:02}").open("ab") as stream:
                part.tofile(stream)
        self._held, self._number = [], 0


def _repeated(hashes: Hashes) -> tuple[Hashes, int]:
    import numpy

    hashes = numpy.sort(hashes)
    again = hashes[1:][hashes[1:] == hashes[:-1]]
    return numpy.unique(again), len(again)


def hashed(columns: list[pyarrow.Array]) -> Hashes:
    """Return one hash a row of the cells of some columns together; a missing cell has a hash too."""
    import numpy

    made: Any = None
    for column in columns:
        one = _mixed(_column(column))
        made = one if made is None else _mixed(made * numpy.uint64(0x9E3779B97F4A7C15) + one)
    return made  # type: ignore[no-any-return]


def _column(array: pyarrow.Array) -> Hashes:
    import numpy
    import pyarrow
    from pyarrow import compute

    types = pyarrow.types
    if types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if types.is_null(array.type):
        return numpy.zeros(len(array), numpy.uint64)
    if types.is_floating(array.type) or types.is_decimal(array.type):
        array = array.cast(pyarrow.float64())
        array = compute.if_else(compute.equal(array, 0.0), 0.0, array)  # minus zero is zero
        made = _fixed(array, 64)
    elif types.is_boolean(array.type):
        made = _fixed(array.cast(pyarrow.int64()), 64)
    elif types.is_integer(array.type) or types.is_temporal(array.type):
        made = _fixed(array, array.type.bit_width)
    else:
        made = _texts(array.cast(pyarrow.large_binary()) if not _nested(array) else _as_text(array))
    if array.null_count:
        missing = numpy.zeros(len(array), bool)
        missing[compute.indices_nonzero(compute.is_null(array)).to_pylist()] = True
        made[missing] = numpy.uint64(0x6E756C6C)
    return made


def _nested(array: pyarrow.Array) -> bool:
    import pyarrow

    return bool(pyarrow.types.is_nested(array.type))


def _as_text(array: pyarrow.Array) -> pyarrow.Array:
    import pyarrow

    return pyarrow.array([repr(one).encode() for one in array.to_pylist()], pyarrow.large_binary())


def _fixed(array: pyarrow.Array, width: int) -> Hashes:
    import numpy

    content = array.buffers()[1]
    plain = numpy.frombuffer(content, f"int{width}", len(array), array.offset * width // 8)
    return plain.astype(numpy.int64).view(numpy.uint64)


def _texts(array: pyarrow.Array) -> Hashes:
    """Hash texts byte by byte, all rows at once; the few long ones one by one."""
    import hashlib

    import numpy

    buffers = array.buffers()
    offsets = numpy.frombuffer(buffers[1], numpy.int64, len(array) + 1, array.offset * 8)
    content = numpy.frombuffer(buffers[2], numpy.uint8) if buffers[2] else numpy.empty(0, numpy.uint8)
    begin, length = offsets[:-1], numpy.diff(offsets)
    made = length.astype(numpy.uint64) + numpy.uint64(0xCBF29CE484222325)
    short = length <= LONGEST
    for at in range(int(length[short].max(initial=0))):
        here = short & (length > at)
        byte = content[begin[here] + at].astype(numpy.uint64)
        made[here] = _mixed(made[here] ^ byte)
    for row in numpy.flatnonzero(~short):
        text = content[begin[row] : begin[row] + length[row]].tobytes()
        made[row] = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
    return made


def _mixed(hashes: Hashes) -> Hashes:
    import numpy

    def word(number: int) -> numpy.uint64:
        return numpy.uint64(number)

    hashes = (hashes ^ (hashes >> word(30))) * word(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> word(27))) * word(0x94D049BB133111EB)
    return hashes ^ (hashes >> word(31))
