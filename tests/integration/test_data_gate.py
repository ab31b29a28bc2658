"""The gate before training: bad data stops a job before its first cell, or is left out and told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas
import pytest
from kernels import Kernel
from registry_desk import promote, solo

from provenote import cli, workspace
from provenote.commands.tree import Context
from provenote.contracts import door, gate, naming
from provenote.errors import Refused
from provenote.jobs import launch
from provenote.render import terminal
from provenote.stores import index

CELLS = (
    "open('began', 'w').close()",
    "import glob\nrows = sum(len(open(name).readlines()) - 1 for name in glob.glob('data/live/*.csv'))",
    "import provenote\nrun = provenote.current_run()\nrun.log(rows=rows)\nrun.log_model('m.bin', 'churn')",
)


def verb(*words: str) -> Any:
    return cli.run(list(words), Context(face="terminal"))[0]


def notebook(name: str, *cells: str) -> None:
    made = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "source": source}
        | {"outputs": [], "execution_count": None}
        for n, source in enumerate(cells)
    ]  # fmt: skip
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    book = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": spec}, "cells": made}
    Path(name).write_text(json.dumps(book))


def commit() -> None:
    subprocess.run(["git", "add", "-A"], check=True)
    subprocess.run(["git", "commit", "-qm", "data"], check=True)


def day(number: int, **changed: Any) -> None:
    """Write one file of the folder."""
    frame = pandas.DataFrame({"id": range(24 * number, 24 * number + 24)})
    frame = frame.assign(temp=(frame.id % 24) / 24 + number / 100, kind="ab"[number % 2]).assign(**changed)
    frame.to_csv(f"data/live/{number:02}.csv", index=False)


def document(run: str) -> dict[str, Any]:
    place = workspace.find()
    commit = index.find(place, run).commit
    assert commit is not None
    return index.document(place, commit)


@pytest.fixture
def live(repo: Path) -> Path:
    Path("data/live").mkdir(parents=True)
    for number in range(8):
        day(number)
    Path("m.bin").write_bytes(b"weights")
    notebook("train.ipynb", *CELLS)
    verb("data", "add", "data/live")
    verb("data", "contract", "data/live")
    contract = Path("data/live.contract.yaml")
    contract.write_text(contract.read_text().replace("\ncolumns:", '\ntest: {files: "07.csv"}\ncolumns:', 1))
    commit()
    return repo


def test_a_job_is_refused_or_goes_on_without_the_file_and_the_run_says_so(live: Path) -> None:
    good = launch.run_job("train.ipynb")
    assert good.state.state == "succeeded" and good.state.run is not None
    found = document(good.state.run)
    (seen,) = found["extra"]["inputs"]
    assert (seen["path"], seen["outcome"], seen["left_out"]) == ("data/live", "passed", [])
    assert "inputs_changed" not in found["extra"] and found["metrics"]["rows"] == 192

    Path("began").unlink()
    day(3, temp="hot")
    refused = launch.run_job("train.ipynb")
    assert refused.exit_status == 1 and refused.state.run is None and not Path("began").exists()
    said = str(refused.state.error and refused.state.error["what"])
    assert said.startswith("data/live/03.csv line 2 (row 1), column temp: hot is no number; 24 rows like it")
    assert "owner: Test" in said

    day(3, temp=4000.0)  # out of range: `on_fail` says quarantine
    went_on = launch.run_job("train.ipynb")
    assert went_on.state.state == "succeeded" and went_on.state.run is not None
    assert not Path("data/live/03.csv").exists()
    found = document(went_on.state.run)
    (seen,) = found["extra"]["inputs"]
    (out,) = seen["left_out"]
    assert (out["file"], out["by"], out["touches_test"]) == ("03.csv", "gate", False)
    assert found["metrics"]["rows"] == 168
    shown = terminal.render(verb("show", went_on.state.run), width=300, color=False)
    assert "left out: data/live/03.csv" in shown

    verb("data", "quarantine", "data/live/07.csv", "--why", "a broken sensor")
    last = launch.run_job("train.ipynb")
    assert last.state.run is not None
    commit()
    solo()
    with pytest.raises(Refused, match=r"went without data/live/07.csv, which belongs to the test split"):
        promote(run=last.state.run)
    promote(run=went_on.state.run)

    day(7)
    with pytest.raises(Refused, match="is there again"):
        gate.passed(workspace.find(), "data/live")
    for number in range(8):
        day(number, temp=9e9)
    nothing = launch.run_job("train.ipynb")
    assert nothing.exit_status == 1 and "no file of data/live" in str(nothing.state.reason)
    assert len(list(Path("data/live").iterdir())) == 8, "nothing is left out where nothing would be left"


def test_an_input_that_changes_under_a_run_is_found_at_its_end(live: Path) -> None:
    notebook("grow.ipynb", "open('data/live/02.csv', 'a').write('\\n')")
    found = document(str(launch.run_job("grow.ipynb").state.run))
    (changed,) = found["extra"]["inputs_changed"]
    assert changed["path"] == "data/live" and changed["before"] != changed["now"]
    shown = terminal.render(verb("show", found["id"]), width=300, color=False)
    assert "data/live changed while the run went on" in shown


def test_parquet_is_refused_by_its_footer_alone(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from provenote.contracts import engine

    frame = pandas.DataFrame({"id": range(2000), "x": [n / 7 for n in range(2000)][::-1]})
    frame.to_parquet("big.parquet")
    verb("data", "add", "big.parquet")
    verb("data", "contract", "big.parquet")
    frame.drop(columns="x").to_parquet("big.parquet")
    monkeypatch.setattr(engine, "check_file", None)
    with pytest.raises(Refused, match="column x: the column is missing"):
        door.before(workspace.find(), ["pandas.read_parquet('big.parquet')"], {}, ".")
    assert door.before(workspace.find(), ["print('nothing')"], {"path": "else.parquet"}, ".") == []
    with pytest.raises(Refused, match="column x"):
        door.before(workspace.find(), ["path = None"], {"deep": {"path": ["../big.parquet"]}}, "sub")


def test_scopes_in_a_kernel_a_script_and_by_path_are_held_too(live: Path) -> None:
    with Kernel() as kernel:
        kernel.run("%load_ext provenote")
        day(1, temp="cold")
        outputs = kernel.run("%%track fit\nopen('began', 'w').close()\nlist(open('data/live/01.csv'))")
        assert "column temp: cold is no number" in str(outputs) and not Path("began").exists()
        outputs = kernel.run("import provenote\nprovenote.data.path('data/live/02.csv')")
        assert "column temp: cold is no number" in str(outputs)
        day(1)
        outputs = kernel.run("%%track fit\nlist(open('data/live/01.csv'))\nprovenote.data.path('data/live')")
    (row,) = index.rows(workspace.find())[0]
    assert document(row.id)["extra"]["inputs"][0]["outcome"] == "passed"
    assert document(row.id)["reads"][0]["outcome"] == "passed"
    Path("fit.py").write_text(
        "import provenote\nwith provenote.track('fit'):\n    open('data/live/05.csv').read()\n"
    )
    day(5, id=None)
    done = subprocess.run([sys.executable, "fit.py"], capture_output=True, text=True, env={**os.environ})
    assert done.returncode == 1 and "column id: missing in 100.00% of the rows" in done.stderr


@pytest.mark.parametrize(
    ("source", "folder", "found"),
    [
        ("pd.read_csv('data/hour.csv')", ".", ["data/hour.csv"]),
        ("pd.read_csv('../data/hour.csv')", "notebooks", ["data/hour.csv"]),
        ("pd.read_csv(Path('data') / 'hour.csv')", "notebooks", ["data/hour.csv"]),
        ("glob('data/live/*.csv') + glob('data/*.csv')", ".", ["data/hour.csv", "data/live"]),
        ("f'data/live/{day}.csv'", ".", ["data/live"]),
        ("!head data/hour.csv", ".", ["data/hour.csv"]),
        ("%%bash\nhead data/hour.csv", ".", ["data/hour.csv"]),
        ("print('hour') # data/hour.csv", ".", []),
        ("broken( 'data/live/x.csv'", ".", ["data/live"]),
        ("x = 'data/live2/a.csv'", ".", []),
    ],
)
def test_what_code_names(source: str, folder: str, found: list[str]) -> None:
    paths = ["data/hour.csv", "data/live"]
    assert naming.named(naming.texts([source]), paths, folder) == found
