"""Tests of models: `provenote test`, cells with `%%test`, and what a run keeps of them."""

from __future__ import annotations

import json
import lzma
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pandas as pd
import pytest

import provenote
from provenote import cli, workspace
from provenote.checks import running
from provenote.stores import index

sys.path.insert(0, str(Path(__file__).parent))
import registry_desk  # noqa: E402

FEATURES = ["yr", "mnth", "hr", "weekday", "workingday", "weathersit", "temp", "hum"]
SINCE = ["--since", "2012-09-01"]


@pytest.fixture
def hours(repo: Path) -> pd.DataFrame:
    (repo / "data").mkdir()
    shipped = files("provenote_templates") / "data" / "hour.csv.xz"
    (repo / "data/hour.csv").write_bytes(lzma.decompress(shipped.read_bytes()))
    provenote.data.add("data/hour.csv")
    subprocess.run(["git", "add", "--all"], check=True)
    subprocess.run(["git", "commit", "--quiet", "-m", "data"], check=True)
    return pd.read_csv("data/hour.csv")


def fitted(rows: pd.DataFrame, label: str, depth: int) -> str:
    from sklearn.tree import DecisionTreeRegressor

    with provenote.track(label) as run:
        pd.read_csv(provenote.data.path("data/hour.csv"))
        model = DecisionTreeRegressor(max_depth=depth, random_state=0).fit(rows[FEATURES], rows["cnt"])
        run.log_model(model, "bike-demand", X=rows[FEATURES], y=rows["cnt"])
    return str(run.name)


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    status = cli.main(["test", *words])
    out = capsys.readouterr()
    return status, out.out + out.err


def found(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, dict[str, object]]]:
    status = cli.main(["test", *words, "--json"])
    told = json.loads(capsys.readouterr().out)
    return status, {one["name"]: one for one in told["findings"]}


def notebook(path: Path, *cells: str, test: bool = True) -> None:
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python", "language": "python"},
            **({"provenote": {"test": True}} if test else {}),
        },
    )
    for number, cell in enumerate(made.cells):
        cell["id"] = f"c{number}"
        if cell["source"].startswith("# tagged"):
            cell["metadata"]["tags"] = ["test"]
    nbformat.write(made, path)


def test_a_model_is_tested_in_one_command(hours: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    past = hours[hours.dteday < "2012-09-01"]
    name = fitted(past, "good", 8)
    words = ["bike-demand", *SINCE, "--min", "r2=0.5", "-s", "workingday", "--mb", "5", "--junit", "out.xml"]
    status, told = found(capsys, *words)
    assert {name: one["outcome"] for name, one in told.items()} == {
        "unseen: rows it has not seen": "passed",
        "guessing: at least r2": "passed",
        "bounds: at least r2": "passed",
        "slices: slices workingday": "passed",
        "champion: not worse than production": "skipped",
        "signature: signature": "passed",
        "deterministic: deterministic": "passed",
        "loads: loads clean": "passed",
        "cost: size": "passed",
    }
    assert status == 0
    assert "20 golden rows" in str(told["loads: loads clean"]["why"])
    suite = ElementTree.parse("out.xml").getroot().find("testsuite")
    assert suite is not None and (suite.get("tests"), suite.get("skipped")) == ("9", "1")
    row = index.rows(workspace.find())[0][0]
    assert (row.label, row.status) == ("test bike-demand", "finished")
    verdict, commit = running.of_run(workspace.find(), row.name)
    subject = verdict.subject
    assert verdict.outcome == "passed" and commit == row.commit
    model = index.document(workspace.find(), index.find(workspace.find(), name).commit)["artifacts"]
    assert subject["sha256"] == model["bike-demand"]["sha256"], "the verdict is bound to the very bytes"
    assert subject["reference"] == f"bike-demand@{name}" and subject["data"] == "data/hour.csv"
    assert not Path("test-model.ipynb").exists()
    status, text = said(capsys, row.name)
    assert status == 0 and "8 passed, 1 skipped" in text

    registry_desk.solo()
    registry_desk.promote("bike-demand", run=name)
    fitted(hours, "by-heart", 4)
    status, told = found(capsys, "bike-demand", *SINCE, "--min", "r2=0.9", "--max", "rmse=1e9")
    assert status == 1
    outcomes = {name: one["outcome"] for name, one in told.items()}
    assert outcomes["unseen: rows it has not seen"] == "failed", "it was fitted on all rows"
    assert outcomes["bounds: at least r2"] == "failed" and outcomes["bounds: at most rmse"] == "passed"
    assert outcomes["champion: not worse than production"] == "failed"
    assert outcomes["loads: loads clean"] == "passed", "one failure stops no other case"
    row = index.rows(workspace.find())[0][0]
    assert row.status == "failed"

    for wrong, says in (
        (["bike"], "no finished run has an artifact 'bike'"),
        (["bike-demand", "--min", "r2"], "no metric with its bound"),
        (["bike-demand", "-p", "a=1"], "-p is for test notebooks"),
        (["no.ipynb"], "there is no notebook"),
        (["bike-demand", "--on", "data/none.csv"], "there is no data/none.csv"),
        (["bike-demand@staging"], "in staging"),
        (["bike-demand@v9.0.0"], "there is no version v9.0.0"),
    ):
        status, text = said(capsys, *wrong)
        assert status in (1, 2) and says in text, (wrong, text)


def test_a_notebook_of_cases(hours: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    fitted(hours[hours.dteday < "2012-09-01"], "good", 8)
    notebook(
        Path("cases.ipynb"),
        "%load_ext provenote",
        "%%test bike-demand --since 2012-09-01 --min r2=0.5 --slice workingday\n"
        "# asks much\n"
        "assert len(test) == 2888 and model.max_depth == 8\n"
        'check.directional(temp=0.2, expect="up", share=0.5)',
        "# tagged: plain asserts\nassert 1 == 2, 'one is not two'",
        "%%test\n# breaks\n1 / 0",
        "%%test --newest 10\n# few rows\ncheck.at_least('r2', 0.1)",
        "%%test --timeout 0.2\n# slow\nimport time\ntime.sleep(30)",
        "%%test nothing-of-this-name\n# unknown\nprint('never')",
        "# tagged: last\nassert True",
    )
    status, told = found(capsys, "cases.ipynb", "--junit", "j.xml")
    outcomes = {name: one["outcome"] for name, one in told.items()}
    assert outcomes == {
        "asks much: at least r2": "passed",
        "asks much: slices workingday": "passed",
        "asks much: directional temp": "passed",
        "tagged: plain asserts": "failed",
        "breaks": "error",
        "few rows: at least r2": "not judged",
        "slow": "failed",
        "unknown": "error",
        "tagged: last": "passed",
    }
    assert status == 3
    assert "one is not two" in str(told["tagged: plain asserts"]["why"])
    assert "longer than 0.2 s" in str(told["slow"]["why"])
    suite = ElementTree.parse("j.xml").getroot().find("testsuite")
    assert suite is not None and (suite.get("failures"), suite.get("errors")) == ("2", "3")
    row = index.rows(workspace.find())[0][0]
    assert row.status == "failed" and "cell 3: AssertionError" in str(
        index.document(workspace.find(), str(row.commit))["extra"]["ended"]["reason"]
    )
    notebook(
        Path("ends.ipynb"),
        "x = 1",
        "# tagged: good\nassert x",
        "raise SystemExit",
        "# tagged: never\nassert False",
    )
    status, told = found(capsys, "ends.ipynb")
    assert {name: one["outcome"] for name, one in told.items()} == {
        "tagged: good": "passed",
        "tagged: never": "skipped",
        "the job": "error",
    }
    assert status == 3
    notebook(Path("plain.ipynb"), "1", test=False)
    status, text = said(capsys, "plain.ipynb")
    assert status == 2 and "is no test" in text
    status, text = said(capsys, "cases.ipynb", "--min", "r2=1")
    assert status == 2 and "not --min" in text


def test_a_cell_in_a_shell(
    hours: pd.DataFrame, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    from provenote import magics
    from provenote.checks import session

    monkeypatch.setattr(session, "_session", session.Session())
    fitted(hours[hours.dteday < "2012-09-01"], "good", 8)
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "provenote")
    try:

        def error(code: str) -> BaseException | None:
            result = shell.run_cell(code, store_history=True)
            found: BaseException | None = result.error_before_exec or result.error_in_exec
            return found

        assert "which model is tested" in str(error("%%test\n1"))
        first = "\n%%test bike-demand --since 2012-09-01 --min r2=0.5\n"
        assert error(f"{first}before = len(test)\ncheck.deterministic()") is None
        assert shell.user_ns["before"] == 2888
        out = capsys.readouterr().out
        assert "at least r2" in out and "deterministic" in out and "passed" in out
        failed = error("%%test\nseen = True\ncheck.at_least('r2', 0.99)\nafter = True")
        assert isinstance(failed, session.NotPassed) and shell.user_ns["after"], "all of the cell runs first"
        assert "0.99" in capsys.readouterr().out
        assert isinstance(error("%%test --timeout 0.2\nimport time\ntime.sleep(20)"), session.TooLong)
        assert "stands below %%time" in str(error("%%time\n%%test\n1"))
        assert isinstance(error("%%test\n1 / 0"), ZeroDivisionError)
        wrong = error("%%test bike-demand@v7.0.0\nnever = True")
        assert "there is no version v7.0.0" in str(wrong) and "never" not in shell.user_ns
        assert error("%%track tested\n%%test\ncheck.deterministic()") is None
        row = index.rows(workspace.find())[0][0]
        kept = index.document(workspace.find(), str(row.commit))["extra"]["verdict"]
        assert row.label == "tested" and kept["subject"]["model"] == "bike-demand"
        assert error("shown = check.model is model\nshown") is None and shell.user_ns["shown"]
    finally:
        magics.unload(shell)
    assert error("x = 1") is None, "unloaded, cells run as before"
