"""Budgets of loading, logging, and starting and ending a run."""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import Row, env, git, interleaved, process, project, told, took

SHELL = "from IPython.core.interactiveshell import InteractiveShell as S; ip = S.instance(); "
MEMORY = "import psutil; rss = lambda: psutil.Process().memory_info().rss / 1e6; "
RAW = (
    "import json, sys\n"
    "with open('.dvc/tmp/raw' + ''.join(sys.argv[1:]), 'a', buffering=1) as file:\n"
    "    for step in range(%d):\n"
    "        file.write(json.dumps({'t': 1.5, 's': step, 'm': {'loss': step / 7}}) + '\\n')\n"
)
LOG = (
    "import provenote\n"
    "with provenote.track('bench') as run:\n"
    "    for step in range(%d):\n"
    "        run.log(loss=step / 7, step=step)\n"
    "print(run.commit)\n"
)


def rows(quick: bool) -> Iterator[Row]:
    """Measure each budget of tracking."""
    yield from loading(quick)
    yield logging(quick)
    yield points(quick)
    yield writers(quick)
    yield empty(quick)
    for files in (25, 500 if quick else 5_000):
        yield from start_and_end(files, quick)
    yield artifact(quick)
    yield from frame(quick)


def loading(quick: bool) -> Iterator[Row]:
    """``%load_ext`` and ``import``, each over a process without us, and the memory of the first."""
    times = 3 if quick else 9
    load = SHELL + "import time; t = time.perf_counter(); ip.run_line_magic('load_ext', 'provenote'); "
    load += "print(time.perf_counter() - t)"
    ours, bare = interleaved(lambda: told(load), lambda: process(SHELL), times)
    yield Row("%load_ext provenote", ours, bare, "a bare IPython process", most=0.050)
    grown = SHELL + MEMORY + "b = rss(); ip.run_line_magic('load_ext', 'provenote'); print(rss() - b)"
    memory = statistics.median(told(grown) for _ in range(3))
    yield Row("memory of a kernel after %load_ext", memory, most=15, unit="MB")
    used = "import time; t = time.perf_counter(); import provenote; provenote.track; "
    used += "print(time.perf_counter() - t)"
    ours, bare = interleaved(lambda: told(used), lambda: process("pass"), times)
    yield Row("import provenote, and name track", ours, bare, "a bare Python process", most=0.15)


def logging(quick: bool) -> Row:
    """One ``log()`` of one scalar beside ``json.dumps`` and a line-buffered append."""
    import provenote

    blocks, size = (20, 100) if quick else (100, 100)
    ours: list[int] = []
    floor: list[int] = []
    with project(), provenote.track("bench") as run, open(".dvc/tmp/raw", "a", buffering=1) as file:
        clock = time.perf_counter_ns
        for block in range(blocks):
            for step in range(block * size, (block + 1) * size):
                before = clock()
                run.log(loss=step / 7, step=step)
                ours.append(clock() - before)
            for step in range(block * size, (block + 1) * size):
                before = clock()
                file.write(json.dumps({"t": time.time(), "s": step, "m": {"loss": step / 7}}) + "\n")
                floor.append(clock() - before)
    return Row(
        "log() of one scalar, p50",
        statistics.median(ours) / 1e9,
        statistics.median(floor) / 1e9,
        "json.dumps + line-buffered append",
        most_ratio=0.9,
    )


def points(quick: bool) -> Row:
    """10,000 points until the run is a commit, as a whole process."""
    count = 1_000 if quick else 10_000
    with project() as folder:
        ours, floor = interleaved(
            lambda: process(LOG % count, cwd=folder),
            lambda: process(RAW % count, cwd=folder),
            3 if quick else 7,
        )
    name = f"{count:,} points until the commit, process"
    return Row(name, ours, floor, "a process appending as many JSON lines", most_ratio=2.5)


def writers(quick: bool) -> Row:
    """Eight processes log 1,000 points each at once; every point must be in its run."""
    from provenote import workspace
    from provenote.stores import index

    count, many, kept = 1_000, 8, []
    with project() as folder:

        def ours() -> float:
            began = time.perf_counter()
            command = [sys.executable, "-c", LOG % count]
            going = [
                subprocess.Popen(command, cwd=folder, env=env(), stdout=subprocess.PIPE) for _ in range(many)
            ]
            commits = [one.communicate()[0].decode().strip() for one in going]
            seconds = time.perf_counter() - began
            place = workspace.find(folder)
            kept.append(
                sum(len(index.series(place, index.find(place, commit))["loss"]) for commit in commits)
            )
            return seconds

        def floor() -> float:
            began = time.perf_counter()
            going = [
                subprocess.Popen([sys.executable, "-c", RAW % count, str(one)], cwd=folder)
                for one in range(many)
            ]
            for one in going:
                one.wait()
            return time.perf_counter() - began

        one, other = interleaved(ours, floor, 2 if quick else 5)
    least = min(kept)
    return Row(
        f"{many} processes x {count:,} points, as {many} runs",
        one,
        other,
        "as many processes appending JSON lines",
        most_ratio=4,
        note=f"at least {least:,} of {many * count:,} points kept",
        sound=least == many * count,
    )


def empty(quick: bool) -> Row:
    """A run that logs nothing, as a whole process."""
    code = "import provenote\nwith provenote.track('bench'): pass"
    with project() as folder:
        ours, floor = interleaved(
            lambda: process(code, cwd=folder), lambda: process("pass", cwd=folder), 3 if quick else 9
        )
    return Row("empty run, process", ours, floor, "a bare Python process", most=0.21)


def start_and_end(files: int, quick: bool) -> Iterator[Row]:
    """Start and end a run in a live process, beside ``git status``."""
    import provenote

    def run() -> None:
        with provenote.track("bench"):
            pass

    times = 5 if quick else 21
    with project(files) as folder:
        status = ["--no-optional-locks", "status", "--porcelain"]
        ours, floor = interleaved(lambda: took(run), lambda: took(lambda: git(*status)), times)
        yield Row(f"start + end a run, {files:,} files", ours, floor, "git status", most_ratio=2.5)
        for number in range(0, files, max(files // 300, 1)):
            (folder / f"src{number // 100}" / f"file{number}.py").write_text("changed = True\n")
        ours, floor = interleaved(lambda: took(run), lambda: took(lambda: git(*status)), times)
        changed = len(git(*status).splitlines())
        yield Row(f"  the same with {changed} of them changed", ours, floor, "git status")


def artifact(quick: bool) -> Row:
    """``log_artifact`` of one large file, beside ``cp`` and an MD5 of the same bytes."""
    import provenote

    size = (10 if quick else 100) * 1_000_000
    with project() as folder:
        place = folder / "big.bin"
        block = os.urandom(1_000_000)
        place.write_bytes(block * (size // len(block)))
        fresh = iter(range(10_000))

        def new_bytes() -> None:
            with place.open("r+b") as file:  # or the cache would know them already
                file.write(f"{next(fresh):032}".encode())

        with provenote.track("bench") as run:

            def ours() -> float:
                new_bytes()
                return took(lambda: run.log_artifact(place, "big"))

            def floor() -> float:
                new_bytes()
                return took(lambda: copy_and_hash(place, folder / ".dvc" / "tmp-copy"))

            one, other = interleaved(ours, floor, 3 if quick else 7)
    return Row(f"log_artifact of {size // 1_000_000} MB", one, other, "cp + md5", most_ratio=1.3)


def copy_and_hash(path: Path, target: Path) -> None:
    """Copy a file with ``cp`` and hash it: two reads, as the shell does it."""
    subprocess.run(["cp", path, target], check=True)
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    target.unlink()


def frame(quick: bool) -> Iterator[Row]:
    """1,000 runs into a DataFrame in a cold process, beside pandas reading as many JSON files."""
    import provenote

    count = 100 if quick else 1_000
    with project() as folder:
        raw = folder / ".dvc" / "tmp" / "raw"
        raw.mkdir()
        for number in range(count):
            params = {"depth": number % 9, "rate": number / 1000, "model": "hgb", "seed": number}
            with provenote.track(f"run {number}", params=params) as run:
                run.log(rmse=60 + number / 7, r2=0.9)
            text = json.dumps(
                {"id": number, "params": params, "metrics": {"rmse": 60 + number / 7, "r2": 0.9}}
            )
            (raw / f"{number}.json").write_text(text)
        ours_code = f"import provenote; frame = provenote.runs(); assert len(frame) == {count}, len(frame)"
        floor_code = (
            "import json, pathlib, pandas\n"
            f"files = sorted(pathlib.Path({str(raw)!r}).iterdir())\n"
            "frame = pandas.json_normalize([json.loads(file.read_text()) for file in files])\n"
            f"assert len(frame) == {count}"
        )
        ours, floor = interleaved(
            lambda: process(ours_code, cwd=folder), lambda: process(floor_code, cwd=folder), 2 if quick else 5
        )
        beside = "pandas reading as many JSON files"
        yield Row(f"{count:,} runs -> DataFrame, cold process", ours, floor, beside, most_ratio=1.6)

        def without_index() -> float:
            for path in (folder / ".git" / "provenote").glob("index.sqlite*"):
                path.unlink()
            return process(ours_code, cwd=folder)

        ours, floor = interleaved(without_index, lambda: process(floor_code, cwd=folder), 2)
        yield Row("  the same with the index deleted before", ours, floor, beside)
