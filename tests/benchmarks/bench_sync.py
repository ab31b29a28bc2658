"""Sending runs: ``sync`` of 100 runs, with all it looks after, beside a bare ``git push`` of as many refs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import Row, git, interleaved, project, took

RUNS = "refs/exps/*:refs/exps/*"


def rows(quick: bool) -> Iterator[Row]:
    """Measure ``sync`` that sends new runs, and one that has nothing to send."""
    import provenote
    from provenote import sharing, workspace

    count = 10 if quick else 100
    with project() as folder:
        for name in ("ours", "theirs"):
            _remote(folder, name)
        place = workspace.find(folder)

        def more_runs() -> None:
            for number in range(count):
                with provenote.track(f"run {number}") as run:
                    run.log(loss=number / 7)

        def sync() -> float:
            return took(lambda: sharing.sync(place, "ours"))

        def push() -> float:
            return took(lambda: git("push", "--quiet", "theirs", RUNS, cwd=folder))

        def sync_new() -> float:
            sync()  # what the other side was just given: each sends the runs of its own round
            more_runs()
            return sync()

        def push_new() -> float:
            push()
            more_runs()
            return push()

        ours, bare = interleaved(sync_new, push_new, 2 if quick else 5)
        yield Row(f"sync that sends {count} runs", ours, bare, "git push of as many run refs")
        sync(), push()
        ours, bare = interleaved(sync, push, 2 if quick else 5)
        yield Row("  with nothing to send", ours, bare, "git push with nothing to send")


def _remote(folder: Path, name: str) -> None:
    """Make a bare remote in the project's ignored folder, known under this name."""
    path = folder / ".dvc" / "tmp" / f"{name}.git"
    git("init", "--quiet", "--bare", str(path))
    git("remote", "add", name, str(path), cwd=folder)
