"""Budgets of taking data into the DVC cache: one large file, and a folder of many small ones."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks import Row, interleaved, project, told, took
from tests.benchmarks.bench_tracking import copy_and_hash


def rows(quick: bool) -> Iterator[Row]:
    """Measure the bytes of ``data add``; its profile comes after the pointer is safe."""
    from provenote.stores import cache

    size = (50 if quick else 1_000) * 1_000_000
    with project() as folder:
        place, store = folder / "big.bin", folder / ".dvc" / "cache"
        block = os.urandom(1_000_000)
        with place.open("wb") as file:
            for _ in range(size // len(block)):
                file.write(block)
        fresh = iter(range(10_000))

        def new_bytes() -> None:
            shutil.rmtree(store / "files", ignore_errors=True)
            with place.open("r+b") as file:  # or the cache would know them already
                file.write(f"{next(fresh):032}".encode())

        def ours() -> float:
            new_bytes()
            return took(lambda: cache.put(place, store))

        def floor() -> float:
            new_bytes()
            return took(lambda: copy_and_hash(place, folder / ".dvc" / "tmp" / "copy"))

        one, other = interleaved(ours, floor, 2 if quick else 3)
        yield Row(f"data add of {size // 1_000_000:,} MB, bytes", one, other, "cp + md5", most_ratio=1.3)
        new_bytes()
        code = MEMORY.format(place=str(place), store=str(store))
        yield Row("  its memory", told(code, cwd=folder), most=150, unit="MB")

    count = 500 if quick else 10_000
    with ExitStack() as folders:
        # A project of its own for each measurement, removed at the end: ext4 makes files slowly for some
        # seconds after many were deleted, which would say nothing of either side.

        def fresh_project() -> Path:
            folder = folders.enter_context(project())
            (folder / "many").mkdir()
            block = os.urandom(10_000)
            for number in range(count):
                (folder / "many" / f"{number:05}.bin").write_bytes(f"{number:08}".encode() + block[8:])
            os.sync()
            return folder

        def ours_many() -> float:
            folder = fresh_project()
            return took(lambda: cache.put(folder / "many", folder / ".dvc" / "cache"))

        def dvc() -> float:
            return told(DVC, cwd=fresh_project())

        name = f"data add of {count:,} x 10 KB, bytes"
        one, other = interleaved(ours_many, dvc, 2 if quick else 3)
        yield Row(name, one, other, "dvc add, its import not counted", most_ratio=0.5)


MEMORY = (
    "import pathlib, psutil; from provenote.stores import cache\n"
    "rss = lambda: psutil.Process().memory_info().rss / 1e6\n"
    "before = rss(); cache.put(pathlib.Path({place!r}), pathlib.Path({store!r}))\n"
    "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3 * 1.024 - before)"
)
DVC = (
    "import time; from dvc.repo import Repo; repo = Repo('.')\n"
    "t = time.perf_counter(); repo.add('many'); print(time.perf_counter() - t)"
)
