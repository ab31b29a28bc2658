"""Checks of data, models and environments beside their budgets."""

from __future__ import annotations

import json
import random
import statistics
import zipfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import Row, interleaved, project, told

PACKAGES, HERE = 15_000, 300


def rows(quick: bool) -> Iterator[Row]:
    """Measure what checks cost."""
    yield from environment(quick)


# ---------------------------------------------------------------------- environments


def environment(quick: bool) -> Iterator[Row]:
    """Measure the look at known weaknesses, and the look that a load takes."""
    times, packages = (3, 1_500) if quick else (7, PACKAGES)
    with project() as folder:
        from provenote import workspace
        from provenote.environments import snapshot

        source = folder / ".dvc" / "tmp" / "all.zip"
        planted = osv(source, packages)
        here, _ = snapshot.bring(workspace.find(), source)
        answers = [told_pair(MATCH.format(here=HERE), folder) for _ in range(times)]
        yield Row(
            f"advisories for {HERE} packages, cold process",
            statistics.median(seconds for seconds, _ in answers),
            most=0.5,
            note=f"{here.advisories:,} advisories about {here.packages:,} packages",
            sound={count for _, count in answers} == {planted},
        )
        ours, whole = interleaved(
            lambda: told(LOAD.format(look=LOOK), cwd=folder),
            lambda: told(LOAD.format(look=WHOLE), cwd=folder),
            times,
        )
        yield Row("environment compared when a model is loaded", ours, whole, "the whole load")


def osv(path: Path, packages: int) -> int:
    """Write a snapshot of OSV records; return how many of them are about what `MATCH` has.

    Every package has one record, every fifth a second one, some twenty listed versions each: about what the
    public snapshot holds.
    """
    chance, planted = random.Random(1), 0
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(packages):
            for twin in range(2 if number % 5 == 0 else 1):
                fixed = chance.randrange(1, 20)
                affected = {
                    "package": {"ecosystem": "PyPI", "name": f"package-{number}"},
                    "ranges": [
                        {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": f"1.{fixed}"}]}
                    ],
                    "versions": [f"1.{minor}" for minor in range(fixed)],
                }
                record = {"id": f"PYSEC-{number}-{twin}", "modified": "2026-11-01T00:00:00Z",
                          "summary": "A weakness " * 8, "affected": [affected]}  # fmt: skip
                archive.writestr(f"{record['id']}.json", json.dumps(record))
                planted += number < HERE and fixed > 10
    return planted


def told_pair(code: str, folder: Path) -> tuple[float, int]:
    """Return the seconds that a process prints, and the count before them."""
    value = told(code, cwd=folder)
    return value % 1_000, int(value // 1_000)


MATCH = """
import time
from provenote import workspace
place = workspace.find()
versions = {{f"package-{{number}}": "1.10" for number in range({here})}}
began = time.perf_counter()
from provenote.environments import snapshot
found, _ = snapshot.ask(place, versions)
print(1000 * len(found) + time.perf_counter() - began)
"""
LOAD = """
import time
import provenote, sklearn.linear_model
from provenote.environments import watch
from provenote.registry import recorded
from provenote import workspace
with provenote.track("m") as run:
    run.log_model(sklearn.linear_model.LinearRegression(), "m")
found = recorded.find(workspace.find(), "m")
began = time.perf_counter()
{look}
seconds = time.perf_counter() - began
print(seconds)
"""
LOOK = 'assert watch.at_load(workspace.find(), "m", found.commit, found.document) == ""'
WHOLE = 'provenote.load("m", run=run.name)'
