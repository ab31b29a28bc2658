"""What it costs to ask why: the mixtures beside as many plain jobs, and nothing when it is asked again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import Row, project
from tests.benchmarks.bench_jobs import lingering

FIT = (
    "import pandas, provenote\nfrom sklearn.linear_model import Ridge",
    "alpha: float = {alpha}",
    "rows = pandas.read_csv('rows.csv')\nX, y = rows[{columns}], rows['y']\n"
    "model = Ridge(alpha=alpha).fit(X, y)\nprovenote.current_run().log(r2=model.score(X, y))",
)
MIXTURES, REPEATS = 8, 1


def rows(quick: bool) -> Iterator[Row]:
    """Measure three factors crossed."""
    with project() as folder, lingering(folder):
        from provenote import workspace
        from provenote.blame import journey

        before = run(folder, 2_000, 1.0, ["a"])
        after = run(folder, 4_000, 50.0, ["a", "b"])
        job(folder)  # the processes that linger are there now, for both sides
        began = time.monotonic()
        for _ in range(MIXTURES + REPEATS):
            job(folder)
        plain = time.monotonic() - began
        began = time.monotonic()
        made = journey.why(workspace.find(), before, after, "r2")
        ours = time.monotonic() - began
        yield Row(
            "why, three factors: 8 mixtures and 1 repetition",
            ours,
            plain,
            "as many plain jobs, one after the other",
            1.15,
            note=f"{made.ran} runs; shares sum to {sum(made.shares.values()):+.4f} of {made.jump:+.4f}",
            sound=made.ran == MIXTURES + REPEATS and abs(sum(made.shares.values()) - made.jump) < 1e-9,
        )
        began = time.monotonic()
        again = journey.why(workspace.find(), before, after, "r2")
        yield Row("  asked again", time.monotonic() - began, note=f"{again.ran} runs", sound=again.ran == 0)


def run(folder: Path, many: int, alpha: float, columns: list[str]) -> str:
    """Make a run with so many rows, this value and these columns, and return its name."""
    import random

    from provenote import data

    dice = random.Random(0)
    lines = ["a,b,y"]
    for _ in range(many):
        a, b = dice.random(), dice.random()
        lines.append(f"{a},{b},{3 * a + b * b + dice.random()}")
    path = folder / "rows.csv"
    path.unlink(missing_ok=True)
    path.write_text("\n".join(lines) + "\n")
    data.add(path)
    return job(folder, alpha, columns)


def job(folder: Path, alpha: float | None = None, columns: list[str] | None = None) -> str:
    """Run the notebook as a job and return the name of its run."""
    from provenote.jobs import launch

    path = folder / "fit.ipynb"
    if columns is not None:
        sources = [part.format(alpha=alpha, columns=columns) for part in FIT]
        cells = [
            {
                "cell_type": "code", "id": f"c{place}", "source": source, "outputs": [],
                "execution_count": None,
                "metadata": {"tags": ["parameters"]} if place == 1 else {},
            }
            for place, source in enumerate(sources)
        ]  # fmt: skip
        spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        book = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": spec}, "cells": cells}
        path.write_text(json.dumps(book))
    return str(launch.run_job(path).state.name)
