"""Budgets of the index at 10,000 runs: build it, refresh it by one run, ask it for the best 50."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import Row, git, process, project, told, took


def rows(quick: bool) -> Iterator[Row]:
    """Measure each budget of the index."""
    import provenote
    from provenote import workspace
    from provenote.stores import index

    count = 1_000 if quick else 10_000
    times = 3 if quick else 5
    with project() as folder:
        with provenote.track("pattern", params={"depth": 1, "rate": 0.5, "model": "hgb"}) as run:
            run.log(rmse=61.5, r2=0.9)
        multiply(folder, str(run.commit), count)
        place = workspace.find(folder)

        def full() -> float:
            for path in place.home.glob("index.sqlite*"):
                path.unlink()
            return told(REFRESH, cwd=folder)

        build = statistics.median(full() for _ in range(times))
        refs = statistics.median(took(lambda: git("for-each-ref", "refs/exps")) for _ in range(times))
        yield Row(f"{count:,} runs: full index", build, refs, "git for-each-ref alone", most=2.5)

        own = index.Index(place)
        own.refresh()
        known = own._database.execute("select count(*) from run where id is not null").fetchone()[0]

        def by_one() -> float:
            with provenote.track("one more") as run:
                run.log(rmse=1.0)
            return took(own.refresh)

        by_one()
        one = statistics.median(by_one() for _ in range(times))
        note = f"{known:,} runs indexed"
        yield Row(
            "  refresh by one run, packed refs",
            one,
            refs,
            "git for-each-ref alone",
            most=0.050,
            note=note,
            sound=known >= count,
        )
        refs_now = own.refresh()
        best: list[list[object]] = []
        top = statistics.median(
            took(lambda: best.append(own.finished(refs_now, own.top("metrics.rmse", limit=50))))
            for _ in range(20)
        )
        yield Row("  the 50 least rmse", top, most=0.005, sound=len(best[0]) == 50)
        whole = statistics.median(process(LIST, cwd=folder) for _ in range(times))
        yield Row("  provenote runs --json -A, process", whole)
        memory = statistics.median(told(MEMORY, cwd=folder) for _ in range(3))
        yield Row(f"  memory of listing {count:,} runs", memory, most=150, unit="MB")


REFRESH = (
    "import time; from provenote import workspace; from provenote.stores import index\n"
    "place = workspace.find(); t = time.perf_counter(); index.Index(place).refresh()\n"
    "print(time.perf_counter() - t)"
)
LIST = (
    "from provenote import workspace; from provenote.compare import table; import json\n"
    "json.dumps(table.listing(workspace.find(), everything=True).data)"
)
MEMORY = (
    "import psutil; from provenote import workspace; from provenote.stores import index\n"
    "rss = lambda: psutil.Process().memory_info().rss / 1e6\n"
    "before = rss(); rows, _ = index.rows(workspace.find(), everything=True); print(rss() - before)"
)


def multiply(folder: Path, commit: str, count: int) -> None:
    """Make ``count`` runs like an existing one by ``git fast-import``, each with its own id and values."""
    baseline = git("rev-parse", f"{commit}^", cwd=folder).decode().strip()
    document = json.loads(git("show", f"{commit}:provenote/run.json", cwd=folder))
    message = git("log", "-1", "--format=%B", commit, cwd=folder).strip() + b"\n"
    tree = git("rev-parse", f"{commit}^{{tree}}", cwd=folder).decode().strip()
    stream = []
    for number in range(count):
        own = {**document, "id": f"{number:016x}", "started": document["started"] + number}
        own["params"] = {**document["params"], "depth": number % 9, "rate": number / count}
        own["metrics"] = {"rmse": 60 + (number * 7919 % count) / 100, "r2": 0.9}
        text = (json.dumps(own, indent=1, sort_keys=True) + "\n").encode()
        ref = f"refs/exps/{baseline[:2]}/{baseline[2:]}/run-{number:05}"
        head = f"commit {ref}\ncommitter Bench <bench@example.org> {1_700_000_000 + number} +0000\n"
        stream.append(head.encode() + b"data %d\n%s" % (len(message), message))
        stream.append(f"from {baseline}\nM 040000 {tree} \n".encode())
        stream.append(b"M 100644 inline provenote/run.json\ndata %d\n%s\n" % (len(text), text))
    subprocess.run(
        ["git", "fast-import", "--quiet", "--done"],
        cwd=folder,
        check=True,
        input=b"".join(stream) + b"done\n",
        capture_output=True,
    )
    git("pack-refs", "--all", cwd=folder)
