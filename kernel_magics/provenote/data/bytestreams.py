"""The bytes of a table's file, unpacked, and no more of them than wanted."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from provenote.data.tables import Source

BLOCK = 1 << 18
"""Bytes that are read at a time."""
PACKED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}


class Bounded(io.RawIOBase):
    """The (unpacked) bytes of a source, up to its limit and then to the end of the line."""

    def __init__(self, source: Source) -> None:
        import pyarrow

        packed = next((how for ending, how in PACKED.items() if source.name.lower().endswith(ending)), None)
        self._source = source
        self._ready = b""
        self._stream = pyarrow.input_stream(str(source.path), compression=packed, buffer_size=BLOCK)

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes; none at the end or at the limit."""
        size = BLOCK if size is None or size < 0 else size
        if not self._ready:
            self._ready = self._next(size)
        content, self._ready = self._ready[:size], self._ready[size:]
        return content

    def _next(self, size: int) -> bytes:
        """Read on; the last piece is as long as its last line needs."""
        source, limit = self._source, self._source.byte_limit
        if source.cut:
            return b""
        if limit is None or source.bytes_read + size < limit:
            content: bytes = self._stream.read(size)
            source.bytes_read += len(content)
            return content
        content = self._stream.read(max(limit - source.bytes_read, 1))
        while content and not content.endswith(b"\n") and (more := self._stream.read(BLOCK // 4)):
            end = more.find(b"\n") + 1
            content += more[:end] if end else more
            source.cut = end < len(more) if end else source.cut
        source.bytes_read += len(content)
        source.cut = source.cut or bool(content and self._stream.read(1))
        return content

    def readinto(self, buffer: Any) -> int:
        """Read into ``buffer``; return the number of bytes."""
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


def head_of(source: Source) -> bytes:
    """Return the first block of a file, unpacked."""
    import pyarrow

    packed = next((how for ending, how in PACKED.items() if source.name.lower().endswith(ending)), None)
    with pyarrow.input_stream(str(source.path), compression=packed) as stream:
        head: bytes = stream.read(BLOCK)
    return head
