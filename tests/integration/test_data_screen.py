"""Data are screened in a project: by contributor, by what a run owes to each file, by their bytes."""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path

import pytest
from kernels import notebook

from provenote import cli, data
from provenote.jobs import launch
from provenote.stores import cache
from provenote.workspace import find


def screen(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, dict[str, object]]]:
    capsys.readouterr()
    status = cli.main(["data", "screen", *words, "--json"])
    told = json.loads(capsys.readouterr().out)
    return status, {one["name"]: one for one in told["findings"]}


def test_a_contributor_whose_rows_bend_a_model_is_named(
    repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dice = random.Random(0)
    folder = repo / "rows"
    folder.mkdir()
    for who in ("ann", "bob", "cid", "dee", "eve", "fay"):
        lines = [
            f"{x},{x * 2 if 'eve' not in who else -3 * x}" for x in (dice.uniform(0, 9) for _ in range(40))
        ]
        (folder / f"{dice.randrange(10**6)}.csv").write_text("x,y\n" + "\n".join(lines) + "\n")
        data.add(folder)
        subprocess.run(["git", "add", "-A"], check=True)
        author = f"{who} <x@example.org>"
        subprocess.run(["git", "commit", "-qm", "rows", "--author", author], check=True)
    fit = (
        "import csv, glob, provenote\n"
        "rows = [r for f in glob.glob('rows/*.csv') for r in csv.DictReader(open(f))]\n"
        "x, y = [float(r['x']) for r in rows], [float(r['y']) for r in rows]\n"
        "slope = sum(a * b for a, b in zip(x, y)) / sum(a * a for a in x)\n"
        "provenote.current_run().log(mae=abs(slope - 2))"
    )
    result = launch.run_job(notebook(repo / "fit.ipynb", fit))
    status, found = screen(capsys, "rows", "--by", "author", "--label", "y", "--run", result.state.name or "")
    assert status == 1
    influence = found["influence"]
    assert influence["outcome"] == "failed" and "without eve" in str(influence["why"])
    assert influence["evidence"]["without"]["eve"] < -0.5  # type: ignore[index]
    assert found["bytes"]["outcome"] == "passed" and found["copies"]["outcome"] == "passed"
    # Another's bytes in the cache under the same name: no pointer tells, the hash does.
    place = find()
    entry = cache.entries(place.cache_dir, data_md5(repo / "rows.dvc"))[0]
    where = cache.locate(place.cache_dir, entry.md5)
    assert where is not None
    os.chmod(where, 0o644)
    where.write_text("x,y\n1,1\n")
    assert screen(capsys, "rows", "--by", "author", "--label", "y")[1]["bytes"]["outcome"] == "failed"


def data_md5(pointer: Path) -> str:
    line = next(line for line in pointer.read_text().splitlines() if "md5:" in line and ".dir" in line)
    return line.split("md5:")[1].strip()


def test_bad_words_are_one_line(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repo / "t.csv").write_text("a,b\n" + "1,2\n" * 50)
    (repo / "bad.parquet").write_bytes(b"no table")
    for words, line in (
        (["missing.csv"], "missing.csv is not there"),
        (["a.txt"], "a.txt holds no table"),
        (["bad.parquet"], "no table of bad.parquet can be read"),
        (["t.csv", "--label", "c"], "t.csv has no column 'c'"),
        (["t.csv", "--by", "z"], "t.csv has no column 'z'"),
    ):
        assert cli.main(["data", "screen", *words]) == 2
        assert line in capsys.readouterr().err
    status, found = screen(capsys, "t.csv", "--label", "b")
    assert status == 3 and found["bytes"]["outcome"] == "not judged"
