"""The benchmarks still run and still tell a wrong result from a slow one. What they measure is no test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_one_command_prints_the_table(tmp_path):
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks",
        "index",
        "--quick",
        "--json",
        str(tmp_path / "rows.json"),
    ]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "1,000 runs: full index" in answer.stdout
    rows = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert all(row["sound"] for row in rows)
    assert {row["holds"] for row in rows} <= {True, False, None}


def test_a_name_that_is_none_is_refused():
    command = [sys.executable, "-m", "tests.benchmarks", "speed"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 2
    names = sorted(
        path.stem.removeprefix("bench_") for path in (ROOT / "tests/benchmarks").glob("bench_*.py")
    )
    assert f"there are {', '.join(names)}" in answer.stderr


def test_a_wrong_result_never_holds():
    code = (
        "from tests.benchmarks import Row\n"
        "assert Row('a', 1.0, 2.0, most_ratio=0.5).holds is True\n"
        "assert Row('a', 1.1, 2.0, most_ratio=0.5).holds is False\n"
        "assert Row('a', 1.0, most=1.0).holds is True\n"
        "assert Row('a', 1.0, most=0.9).holds is False\n"
        "assert Row('a', 1.0).holds is None\n"
        "assert Row('a', 0.1, most=1.0, sound=False).holds is False\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
