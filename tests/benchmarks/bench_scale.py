"""Many runs, before and after the old ones are archived: list them, push one, fetch one.

5,000 runs by default; ``BENCH_RUNS=100000 python -m tests.benchmarks scale`` measures a large repository.
"""

from __future__ import annotations

import os
import shutil
import statistics
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import Row, git, process, project, took
from tests.benchmarks.bench_index import LIST, multiply

DEFAULT = 5_000


def rows(quick: bool) -> Iterator[Row]:
    """Measure listing, push and fetch of one run beside plain Git, then again with archives."""
    import provenote

    count = int(os.environ.get("BENCH_RUNS", 1_000 if quick else DEFAULT))
    times = 1 if quick else 3
    with project() as folder:
        with provenote.track("pattern", params={"depth": 1, "rate": 0.5, "model": "hgb"}) as run:
            run.log(rmse=61.5, r2=0.9)
        multiply(folder, str(run.commit), count)
        beside = folder.with_name(f"{folder.name}-beside")
        try:
            yield from _measured(folder, beside, count, times)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def _measured(folder: Path, beside: Path, count: int, times: int) -> Iterator[Row]:
    from provenote import sharing, workspace
    from provenote.keeping import archive

    remote, other = beside / "team.git", beside / "other"
    beside.mkdir()
    git("clone", "--quiet", "--mirror", str(folder), str(remote))
    git("remote", "remove", "origin", cwd=remote)
    git("remote", "add", "origin", str(remote), cwd=folder)
    process(LIST, cwd=folder)  # the index is built once
    shutil.copytree(folder, other, symlinks=True)
    here, there = workspace.find(folder), workspace.find(other)
    for place in (here, there):
        sharing.sync(place)

    def one() -> str:
        """Finish a run, and return its ref."""
        import provenote

        with provenote.track("one more") as run:
            run.log(rmse=1.0)
        refs = git("for-each-ref", "--format=%(refname)", f"--points-at={run.commit}", "refs/exps")
        return refs.decode().strip()

    def exchanges() -> tuple[float, float, float, float]:
        plain_push, plain_fetch, push, fetch = [], [], [], []
        for _ in range(times):
            ref = one()
            plain_push.append(
                took(lambda ref=ref: git("push", "--quiet", "origin", f"{ref}:{ref}", cwd=folder))
            )
            plain_fetch.append(
                took(lambda ref=ref: git("fetch", "--quiet", "origin", f"{ref}:{ref}", cwd=other))
            )
            one()
            push.append(took(lambda: sharing.sync(here)))
            fetch.append(took(lambda: sharing.sync(there)))
        return tuple(map(statistics.median, (plain_push, plain_fetch, push, fetch)))  # type: ignore[return-value]

    def listings() -> tuple[float, float]:
        refs = statistics.median(
            took(lambda: git("for-each-ref", "refs/exps", cwd=folder)) for _ in range(times)
        )
        return refs, statistics.median(process(LIST, cwd=folder) for _ in range(times))

    listed, before = listings(), exchanges()
    moving = took(lambda: archive.archive(here, before=4e12))
    telling, following = took(lambda: sharing.sync(here)), took(lambda: sharing.sync(there))
    left = len(git("for-each-ref", "refs/exps", cwd=other).splitlines())
    listed_after, after = listings(), exchanges()
    kept = len(git("for-each-ref", "refs/provenote/archive", cwd=other).splitlines())

    sound = left == 0 and kept == -(-(count + 1 + 2 * times) // 1_000)
    yield Row(f"{count:,} runs archived", moving, note=f"{kept} archives", sound=sound)
    yield Row("  the refs leave the remote (sync)", telling)
    yield Row("  and the other clone (sync)", following)
    yield Row("  git for-each-ref refs/exps", listed_after[0], listed[0], "before archiving")
    yield Row("  provenote runs --json -A, process", listed_after[1], listed[1], "before archiving")
    words = (
        "git push of one run",
        "git fetch of one run",
        "sync that sends one run",
        "sync that gets one run",
    )
    for name, now, then in zip(words, after, before, strict=True):
        yield Row(f"  {name}", now, then, "before archiving")
    yield Row("  sync that sends one run", after[2], after[0], "git push of it, both archived")
