"""The budget of a review's page: a notebook of 5 MB that was run again, beside nbdime's diff of the same."""

from __future__ import annotations

import base64
import json
import random
import struct
import time
import zlib
from collections.abc import Callable, Iterator

from tests.benchmarks import Row, interleaved


def rows(quick: bool) -> Iterator[Row]:
    """Measure the whole page: both notebooks read, matched, and all that differs as HTML with its threads."""
    from provenote.reviews import page
    from provenote.reviews.threads import Comment, Place, Review, Thread, Version

    size = 500_000 if quick else 5_000_000
    old, new = (made(size, again) for again in (False, True))
    said = (Comment("c" * 64, "alice", 1_764_000_000, "Why `this`?", False, False),)
    threads = tuple(
        Thread(
            f"{cell:064x}", {"cell": ""}, Place(cell, None, "source", 3, None, "exact"), "open", said, None
        )
        for cell in range(0, 100, 5)
    )
    base, head = (Version("train.ipynb", sign * 40, sign * 40, sign * 64) for sign in "ab")
    review = Review("r" * 64, "", "train.ipynb", base, head, "bob", threads, (), "open")

    def ours() -> float:
        return computed(lambda: page.write(review, old, new))

    text = page.write(review, old, new)
    # 40 changed pictures on both sides; the words of an edited line; each thread once.
    sound = text.count("<img ") == 80 and text.count("<article ") == 20 and "source changed, +1 −1" in text
    name = f"page of a review, {len(old) / 1e6:.1f} MB, run again"
    try:
        import nbdime
        import nbformat
    except ImportError:
        ours()
        yield Row(name, ours(), most=0.2, note="nbdime is not installed: no peer", sound=sound)
        return

    def peer() -> float:
        one, other = (nbformat.reads(content.decode(), as_version=4) for content in (old, new))
        return computed(lambda: nbdime.diff_notebooks(one, other))

    mine, theirs = interleaved(ours, peer, 1 if quick else 3)
    note = f"{len(text) / 1e6:.1f} MB of HTML; reading and writing are counted for ours alone"
    yield Row(name, mine, theirs, "nbdime.diff_notebooks, the diff alone", most=0.2, note=note, sound=sound)


def computed(body: Callable[[], object]) -> float:
    """Return the seconds of a processor that ``body`` takes: nothing in it waits."""
    began = time.process_time()
    body()
    return time.process_time() - began


def made(size: int, again: bool) -> bytes:
    """Return a notebook of 100 cells and 40 pictures; run ``again``: all outputs differ, few sources do."""
    chance = random.Random(int(again))
    cells = []
    for number in range(100):
        source = [f"value_{number}_{line} = {number * line}\n" for line in range(12)]
        outputs: list[dict[str, object]] = []
        if number % 5 in (0, 1):
            picture = base64.b64encode(png(chance, size * 7 // 10 * 3 // 4 // 40)).decode()
            outputs.append({"output_type": "display_data", "metadata": {}, "data": {"image/png": picture}})
        if number % 5 in (1, 2):
            text = [f"step {line} loss {chance.random():.6f}\n" for line in range(size // 4 // 40 // 24)]
            outputs.append({"output_type": "stream", "name": "stdout", "text": text})
        if again and number % 40 == 10:
            source[3] = f"value_{number}_3 = other({number})\n"
        cells.append(
            {
                "cell_type": "code",
                "execution_count": number + 1,
                "id": f"cell-{number}",
                "metadata": {},
                "outputs": outputs,
                "source": source,
            }
        )
    if again:
        cells.insert(50, cells.pop(20))
        cells.insert(70, {**cells[3], "id": "new", "source": ["print(seed)\n"]})
    document = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(document, indent=1).encode()


def png(chance: random.Random, size: int) -> bytes:
    """Return a picture of about so many bytes that a browser can show: grey noise."""
    wide = max(8, int(size**0.5))
    lines = b"".join(b"\0" + chance.randbytes(wide) for _ in range(wide))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", wide, wide, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines, 0)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body
