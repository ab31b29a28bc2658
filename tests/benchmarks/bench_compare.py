"""Budgets of comparing runs: two executed notebooks of 5 MB beside nbdime's diff of the same."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator

from tests.benchmarks import Row, interleaved, took


def rows(quick: bool) -> Iterator[Row]:
    """Measure the diff of two notebooks: read, matched, and what differs made into lines."""
    from provenote.compare import cells, notebooks

    size = 500_000 if quick else 5_000_000
    old, new = (made(size, seed) for seed in (1, 2))

    def ours() -> float:
        return took(lambda: differences(old, new))

    def differences(one: bytes, other: bytes) -> int:
        found = cells.align([notebooks.parse(one), notebooks.parse(other)])
        count = 0
        for row in found.rows:
            if found.differs(row):
                base, cell = row.cells
                count += len(cells.source_strokes(base, cell)) + len(cells.output_strokes(base, cell))
                count += cells.pictures_differ(row.cells)
        return count

    name = f"diff of two notebooks of {len(old) / 1e6:.1f} MB"
    try:
        import nbdime
        import nbformat
    except ImportError:
        ours()
        yield Row(name, ours(), note="nbdime is not installed: no peer", sound=differences(old, new) > 0)
        return

    def peer() -> float:
        one, other = (nbformat.reads(text.decode(), as_version=4) for text in (old, new))
        return took(lambda: nbdime.diff_notebooks(one, other))

    mine, theirs = interleaved(ours, peer, 1 if quick else 3)
    sound = differences(old, new) > 0 and differences(old, old) == 0
    note = "reading the notebooks is counted for ours alone"
    yield Row(name, mine, theirs, "nbdime.diff_notebooks", most_ratio=1.0, note=note, sound=sound)


def made(size: int, seed: int) -> bytes:
    """Return a notebook of about ``size`` bytes, half of it pictures; every fifth cell differs by seed."""
    chance, count = random.Random(0), 60
    own = random.Random(seed)
    cells = []
    for number in range(count):
        source = [f"value_{number}_{line} = {chance.randrange(1000)}\n" for line in range(12)]
        picture = chance.randbytes(size // count * 3 // 8)
        text = [f"step {line} loss {chance.random():.6f}\n" for line in range(size // count // 2 // 24)]
        if number % 5 == 0:
            source[3] = f"changed = {own.randrange(10**9)}\n"
            picture = own.randbytes(len(picture))
            for line in range(0, len(text), 7):
                text[line] = f"step {line} loss {own.random():.6f}\n"
        cells.append(
            {
                "cell_type": "code",
                "execution_count": number + 1,
                "id": f"cell-{number}",
                "metadata": {},
                "outputs": [
                    {"output_type": "stream", "name": "stdout", "text": text},
                    {
                        "output_type": "display_data",
                        "metadata": {},
                        "data": {
                            "image/png": base64.b64encode(picture).decode(),
                            "text/plain": "<Figure size 640x480 with 1 Axes>",
                        },
                    },
                ],
                "source": source,
            }
        )
    document = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(document, indent=1).encode()
