"""``compare`` on real runs: text, JSON, notebook; baselines, absent runs, odd keys."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess

import kernels
import pytest

import provenote
from provenote import workspace
from provenote.cli import main
from provenote.compare import comparison, inputs
from provenote.render import html, terminal
from provenote.stores import index


def log(label="hgb", params=None, **metrics):
    with provenote.track(label) as run:
        run.log_params(params or {})
        run.log(metrics)
    return run.name


def shell(capsys, *words):
    status = main(words)
    out, err = capsys.readouterr()
    return status, out, err


def told(capsys, *words):
    status, out, err = shell(capsys, "compare", *words)
    assert status == 0, err
    return out


def data(capsys, *words):
    return json.loads(told(capsys, *words, "--json"))


def test_what_differs_is_shown_and_what_is_the_same_is_counted(repo, capsys):
    one = log(params={"depth": 6, "loss": "squared", "seed": 0}, rmse=71.89, r2=0.83)
    two = log(params={"depth": 8, "loss": "squared", "seed": 0}, rmse=61.4, r2=0.83)
    text = told(capsys, one, two)
    assert f"A  {one}  finished  baseline" in text and f"B  {two}  finished" in text
    assert "−10.49 better" in text and "Metrics, 1 differ" in text
    assert "loss" not in text and "2 identical hidden: `--all`" in text
    assert "squared" in told(capsys, one, two, "--all")
    found = data(capsys, one, two)
    assert found["schema"] == 1 and found["baseline"] == one
    assert [run["letter"] for run in found["runs"]] == ["A", "B"]
    assert found["params"] == [{"key": "depth", "values": [6, 8], "has": [True, True]}]
    assert found["metrics"][0]["change"] == [0.0, pytest.approx(-10.49)]
    assert found["metrics"][0]["better"] == [None, True] and found["metrics"][0]["direction"] == "lower"
    assert found["identical"]["params"] == 2 and found["identical"]["metrics"] == 1


def test_another_baseline_may_be_chosen(repo, capsys):
    one, two, three = (log(rmse=value) for value in (3.0, 2.0, 1.0))
    found = data(capsys, one, two, "--baseline", two)
    assert [run["name"] for run in found["runs"]] == [two, one]
    found = data(capsys, one, two, "--baseline", three)
    assert [run["name"] for run in found["runs"]] == [three, one, two]
    assert found["metrics"][0]["better"] == [None, False, False]


def test_one_run_is_held_against_the_run_before_of_its_label(repo, capsys):
    first = log(rmse=3.0)
    assert "nothing to hold" in shell(capsys, "compare", first)[2]
    log("other", rmse=9.0)
    second = log(rmse=2.0)
    assert [run["name"] for run in data(capsys, second)["runs"]] == [first, second]


@pytest.mark.parametrize("extra", [[], ["--json"]])
def test_a_run_that_does_not_exist_is_one_line(repo, capsys, extra):
    status, out, err = shell(capsys, "compare", log(), "gone-1234", *extra)
    assert status == 2 and not out
    assert err.count("\n") == 1 and "'gone-1234' is not in this repository" in err and "provenote sync" in err


def test_too_few_runs_and_the_same_one_twice_are_refused(repo, capsys):
    name = log()
    assert shell(capsys, "compare")[0] == 2
    status, _, err = shell(capsys, "compare", name, name)
    assert status == 2 and "named twice" in err


def test_runs_with_nothing_in_common(repo, capsys):
    one, two = log(params={"depth": 6}, rmse=1.0), log("other", params={"layers": [3, 4]}, accuracy=0.5)
    found = data(capsys, one, two)
    assert found["params"] == [
        {"key": "depth", "values": [6, None], "has": [True, False]},
        {"key": "layers", "values": [None, [3, 4]], "has": [False, True]},
    ]
    assert found["metrics"][0]["change"] == [0.0, None]
    lines = told(capsys, one, two).splitlines()
    assert any(line.split() == ["layers", "–", "[3,", "4]"] for line in lines)


def test_nan_is_the_same_as_nan(repo, capsys):
    one = log(params={"gap": math.nan, "top": math.inf}, loss=math.nan)
    two = log(params={"gap": math.nan, "top": math.inf}, loss=math.nan)
    three = log(params={"gap": 1.0, "top": -math.inf}, loss=2.0)
    found = data(capsys, one, two)
    assert found["params"] == [] and found["metrics"] == []
    assert [row["key"] for row in data(capsys, one, three)["params"]] == ["gap", "top"]
    assert "NaN" in told(capsys, one, three)


def test_hostile_names_act_on_nothing(repo, capsys):
    key = "\x1b[31m<script>alert(1)</script>\u202e" + "k" * 300
    one, two = log(params={key: "a\nb|`c`"}), log(params={key: "<b>x</b>"})
    text = told(capsys, one, two)
    assert "\x1b" not in text and "\u202e" not in text and r"\x1b[31m" in text and r"a\nb|`c`" in text
    assert data(capsys, one, two)["params"][0]["key"] == key


def test_a_run_that_goes_on_is_compared_as_far_as_it_is_known(repo, capsys):
    one = log(params={"depth": 6}, rmse=2.0)
    with provenote.track("hgb") as run:
        run.log_params({"depth": 8})
        run.log(rmse=1.0)
        found = data(capsys, one, run.name)
        assert found["runs"][1]["status"] == "running"
        assert found["params"][0]["values"] == [6, 8] and found["metrics"][0]["better"] == [None, True]


# ---------------------------------------------------------------------- code, data, cells


def git(*words):
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout


def test_code_that_ran_is_compared_not_what_was_committed(repo, capsys):
    (repo / "features.py").write_text("def f():\n    return 1\n")
    (repo / "blob.bin").write_bytes(b"\0\1\2")
    (repo / "look.ipynb").write_text("{}")
    git("add", "--force", "blob.bin")
    (repo / "big.csv").write_text("a\n")
    one = log()
    (repo / "features.py").write_text("def f():\n    return 2\n")
    (repo / "blob.bin").write_bytes(b"\0\1\3")
    (repo / "look.ipynb").write_text('{"cells": []}')
    (repo / "big.csv").write_text("a\nb\n")
    git("mv", "a.txt", "b.txt")
    (repo / "new.py").write_text("\x1b[31m = '<script>'\n")
    two = log()
    three = log()
    found = data(capsys, one, two, three)["code"]
    assert [each["run"] for each in found] == [two, three]
    files = {file["path"]: file for file in found[0]["files"]}
    assert found[0]["files"] == found[1]["files"] and set(files) == {
        "b.txt",
        "big.csv",
        "blob.bin",
        "features.py",
        "look.ipynb",
        "new.py",
    }
    assert files["features.py"]["diff"] == "@line 1\n def f():\n-    return 1\n+    return 2\n"
    assert (files["features.py"]["added"], files["features.py"]["removed"]) == (1, 1)
    assert files["b.txt"]["status"] == "renamed" and files["b.txt"]["old_path"] == "a.txt"
    assert files["blob.bin"]["kind"] == "binary" and files["look.ipynb"]["kind"] == "notebook"
    text = told(capsys, one, two)
    assert (
        "  -     return 1\n" in text and "\x1b" not in text and "look.ipynb changed (see its cells)" in text
    )
    assert data(capsys, two, three)["code"][0]["files"] == []
    assert "Code: the files are identical" in told(capsys, two, three)


def test_the_files_of_the_runs_themselves_are_no_code(repo, capsys):
    one, two = log(rmse=1.0), log(rmse=2.0)
    assert data(capsys, one, two)["code"][0] == {"run": two, "unknown": None, "outside": 0, "files": []}


def hours(rows):
    return "hour,hum\n" + "".join(f"{hour},{hum}\n" for hour, hum in rows)


@pytest.fixture
def versions(repo):
    """Three runs, each with a version of its own of one table, one folder and one file."""
    (repo / "data").mkdir()
    table, folder, raw = repo / "data" / "hour.csv", repo / "data" / "parts", repo / "raw.bin"
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    made = []
    for number in range(3):
        rows = [(hour, 50 + hour) for hour in range(10 + (number > 0) * 4)]
        if number == 2:
            rows[3] = (3, 0)
        text = hours(rows)
        table.write_text(text if number < 2 else text.replace("hum", "hum,wind").replace("\n0,50", "\n0,50"))
        if number == 2:
            table.write_text("hour,hum,wind\n" + "".join(f"{h},{v},1.5\n" for h, v in rows))
        (folder / f"{number}.txt").write_text(str(number))
        raw.write_bytes(bytes([number]) * 10)
        for path in ("data/hour.csv", "data/parts", "raw.bin"):
            provenote.data.add(path)
        git("add", "--all")
        git("commit", "-qm", f"data {number}")
        with provenote.track("hgb") as run:
            for path in ("data/hour.csv", "data/parts", "raw.bin"):
                provenote.data.path(path)
        made.append(run.name)
    return made


def test_data_are_compared_by_schema_rows_and_files(repo, versions, capsys, monkeypatch):
    found = {item["path"]: item for item in data(capsys, *versions)["data"]}
    assert set(found) == {"data/hour.csv", "data/parts", "raw.bin"}
    table = found["data/hour.csv"]
    assert [one["rows"] for one in table["versions"]] == [10, 14, 14] and table["changes"][0] is None
    assert table["versions"][0]["columns"] == {"hour": "int64", "hum": "int64"}
    first, second = table["changes"][1:]
    assert first["rows"] == {"key": ["hour"], "added": 4, "removed": 0, "changed": 0, "changed_columns": {}}
    assert second["columns"] == {"added": ["wind"], "removed": [], "retyped": []}
    assert second["rows"]["changed"] == 1 and second["rows"]["changed_columns"] == {"hum": 1}
    assert found["data/parts"]["changes"][2]["files"]["added"] == ["1.txt", "2.txt"]
    assert found["raw.bin"]["changes"][1] == {
        "columns": {"added": [], "removed": [], "retyped": []},
        "rows": None,
        "files": None,
        "unknown": None,
    }
    seen = []
    comparison.compare(workspace.find(), versions, tell=seen.append)
    assert seen == []  # small tables take no time
    monkeypatch.setattr(inputs, "TOLD", 0)
    comparison.compare(workspace.find(), versions, tell=seen.append)
    assert [(step.label, step.state) for step in seen][:2] == [
        ("compare data/hour.csv", "running"),
        ("compare data/hour.csv", "done"),
    ]
    text = told(capsys, *versions)
    assert "Data, data/hour.csv differs" in text and "4 rows added; 1 rows changed in hum (1)" in text
    assert "new: wind" in text and "2 files added: 1.txt, 2.txt" in text
    assert "not read, tracked" not in text and not data(capsys, *versions)["code"][0]["files"]


def test_data_that_are_nowhere_are_said_to_be(repo, versions, capsys):
    shutil.rmtree(repo / ".dvc" / "cache")
    found = {item["path"]: item for item in data(capsys, *versions[:2])["data"]}
    table = found["data/hour.csv"]
    assert [one["here"] for one in table["versions"]] == [False, False]
    assert [one["rows"] for one in table["versions"]] == [10, 14]  # from the profiles, which Git keeps
    assert table["changes"][1]["rows"] is None and "are not here" in table["changes"][1]["unknown"]
    assert "which rows differ is not known" in told(capsys, *versions[:2])
    assert not list((repo / ".dvc").rglob("*.tmp"))


def test_data_that_nobody_told_of_are_found_by_their_pointers(repo, capsys):
    made = []
    for number in range(2):
        (repo / "hour.csv").write_text(hours([(number, 1)]))
        provenote.data.add("hour.csv")
        made.append(log())
    (item,) = data(capsys, *made)["data"]
    assert item["path"] == "hour.csv" and [one["read"] for one in item["versions"]] == [False, False]
    assert ", tracked" in told(capsys, *made)


def test_a_project_in_a_folder_of_the_repository(tmp_path, make_repo, monkeypatch, capsys):
    top = make_repo(tmp_path / "repository")
    inner = top / "models" / "bike"
    inner.mkdir(parents=True)
    shutil.move(top / ".dvc", inner / ".dvc")
    monkeypatch.chdir(inner)
    (inner / "hour.csv").write_text(hours([(1, 1)]))
    provenote.data.add("hour.csv")
    (inner / "code.py").write_text("a = 1\n")
    one = log()
    (inner / "hour.csv").write_text(hours([(1, 2)]))
    provenote.data.add("hour.csv")
    (inner / "code.py").write_text("a = 2\n")
    (top / "elsewhere.py").write_text("b = 1\n")
    found = data(capsys, one, log())
    assert [file["path"] for file in found["code"][0]["files"]] == ["models/bike/code.py"]
    assert found["code"][0]["outside"] == 1
    assert [item["path"] for item in found["data"]] == ["hour.csv"]
    assert found["data"][0]["changes"][1]["rows"]["changed"] == 1


PICTURE = """
import base64
from IPython.display import Image, display
display(Image(base64.b64decode({png!r}), format="png"))
"""
RED = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
BLUE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNgYPgPAAEDAQAIicLsAAAAAElFTkSuQmCC"


def ran(depth, png, *more):
    """Run a notebook in a kernel of its own and return the run's name."""
    with kernels.Kernel() as kernel:
        kernel.run("%load_ext provenote", "load")
        kernel.run("print('prepared')", "prepare")
        kernel.run(f"depth = {depth}\nprint('depth', depth)", "set")
        for number, code in enumerate(more):
            kernel.run(code, f"more-{number}")
        kernel.run(PICTURE.format(png=png), "draw")
        kernel.run("%%track cells\n%log depth=depth", "train")
        kernel.shutdown()
    return kernels.finished("cells")[-1].name


def test_executed_cells_are_compared_with_their_outputs_and_pictures(repo, capsys):
    one, two, three = ran(6, RED), ran(8, BLUE, "extra = 1"), ran(6, RED)
    found = data(capsys, one, two, three)
    assert found["identical"]["cells"] == 3 and len(found["cells"]) == 3
    edited, added, drawn = (row["runs"] for row in found["cells"])
    assert [side["status"] for side in edited] == ["baseline", "edited", "same"]
    assert "-depth = 6\n+depth = 8\n" in edited[1]["source"]
    assert edited[1]["outputs"] == "-depth 6\n+depth 8\n" and edited[0]["id"] == "set"
    assert [side["status"] for side in added] == ["baseline", "added", "absent"]
    assert [side["status"] for side in drawn] == ["baseline", "edited", "same"]
    digests = [side["pictures"][0]["digest"] for side in drawn]
    assert digests[0] == digests[2] != digests[1]
    text = told(capsys, one, two, three)
    assert "Notebook, 3 of 6 cells differ" in text and "  + depth = 8\n" in text
    assert "picture differs" in text and f"C {three}: as A" in text
    page = html.render(comparison.compare(workspace.find(), [one, two, three]))
    assert page.count("data:image/png;base64,") == 3 and BLUE in page and RED in page
    # Cells and outputs that our own verbs bring (the block of the tracked cell names the run) don't count.
    assert data(capsys, one, three)["cells"] == []


def test_an_executed_notebook_that_cannot_be_read_is_said(repo, capsys, monkeypatch):
    from provenote.stores import runs

    one, two = log(), log()
    whole = runs.file

    def damaged(repo, commit, path):
        return b'{"nbformat": 9}' if path == "executed.ipynb" else whole(repo, commit, path)

    monkeypatch.setattr(runs, "file", damaged)
    found = data(capsys, one, two)
    assert found["unknown"]["cells"] == ["A", "B"] and found["cells"] == []


def test_packages_that_differ_name_the_imported_ones_first(repo, capsys, monkeypatch):
    from provenote.stores import runs

    one, two = log(), log()
    whole = runs.file
    locks = {
        index.find(workspace.find(), one).commit: b"# python\nalpha==1\npandas==2.0  # local\nzlib==1\n",
        index.find(workspace.find(), two).commit: b"pandas==2.1\nzlib==1\nbeta==3\n",
    }

    def lock(repo, commit, path):
        return locks[commit] if path == "environment.txt" else whole(repo, commit, path)

    monkeypatch.setattr(runs, "file", lock)
    document = index.document
    extra = {"extra": {"imported": ["Pandas"]}}
    monkeypatch.setattr(index, "document", lambda *given: document(*given) | extra)
    found = data(capsys, one, two)
    assert found["packages"] == [
        {"name": "pandas", "versions": ["2.0", "2.1"], "imported": True},
        {"name": "alpha", "versions": ["1", None], "imported": False},
        {"name": "beta", "versions": [None, "3"], "imported": False},
    ]
    assert found["identical"]["packages"] == 1
    text = told(capsys, one, two)
    assert "Environment, 3 of 4 packages differ" in text and "imported" in text


def test_a_notebook_shows_a_table_and_a_picture(repo):
    one, two = log(rmse=2.0), log(rmse=1.0)
    view = comparison.compare(workspace.find(), [one, two], pictures=True)
    assert [type(part).__name__ for part in view.parts].count("Picture") == 1
    assert view.more["rows"][0].name == one and set(view.more["series"]) == {one, two}
    page = html.render(view)
    assert "<table" in page and "data:image/png;base64," in page and 'src="http' not in page


def test_the_command_of_a_script_is_told_that_of_a_kernel_is_not(repo, capsys, monkeypatch):
    made = []
    for number in range(2):
        monkeypatch.setattr("sys.argv", ["train.py", f"--depth={number}"])
        made.append(log())
    about = {item["key"]: item["values"] for item in data(capsys, *made)["about"]}
    assert about["command"] == ["train.py --depth=0", "train.py --depth=1"]
    with kernels.Kernel() as kernel:
        kernel.run("%load_ext provenote", "load")
        kernel.run("%%track hgb\nx = 1", "train")
    row = kernels.finished("hgb")[-1]
    assert kernels.whole(row)["kind"] == "interactive"
    assert kernels.whole(kernels.finished("hgb")[0])["kind"] == "script"
    found = data(capsys, made[0], row.name)["about"]
    about = {item["key"]: item["values"] for item in found}
    assert about["command"] == ["train.py --depth=0", None]
    assert about["order of cells"] == ["linear", "unknown"]


def test_files_that_are_in_no_clone_are_said_to_be_unknown(repo, capsys):
    (repo / "code.py").write_text("a = 1\n")
    one = log()
    (repo / "code.py").write_text("a = 2\n")
    two = log()
    commit = index.find(workspace.find(), two).commit
    blob = git("rev-parse", f"{commit}:code.py").strip()
    (repo / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    found = data(capsys, one, two)
    assert found["code"][0]["unknown"] == "some of the files are not in this clone"
    assert "some of the files are not in this clone" in told(capsys, one, two)


def test_odd_records_of_a_run_are_compared_as_far_as_they_go(repo, capsys, monkeypatch):
    """A record made by a later version, or by hand, may hold anything."""
    one, two = log(params={"a": 1}), log(params={"a": 2})
    document = index.document
    odd = {
        "reads": [
            3,
            {},
            {"path": "../../etc/passwd", "md5": "0" * 32, "size": "many"},
            {"path": 1, "md5": 2},
        ],
        "machine": [1],
        "extra": None,
        "stale_modules": [{"module": "a"}, "b"],
        "artifacts": {"x": None, "y": {"size": None}},
        "omitted": [None, {"path": "a.csv", "why": "data"}],
        "command": None,
        "evidence": 3,
        "snapshot": "lost",
    }
    monkeypatch.setattr(index, "document", lambda *given: document(*given) | odd)
    assert data(capsys, one, two)["params"][0]["values"] == [1, 2]
    assert "its snapshot is lost" in told(capsys, one, two)


def test_names_of_files_that_are_no_text(repo, capsys):
    one = log()
    name = os.fsencode(str(repo)) + b"/\xff\x1b[31m.py"
    with open(name, "w") as file:
        file.write("a = 1\n")
    two = log()
    (file,) = data(capsys, one, two)["code"][0]["files"]
    assert file["path"] == "\\xff\x1b[31m.py" and file["status"] == "added"
    assert r"\x1b[31m.py" in told(capsys, one, two)


@pytest.mark.parametrize("words", [[], ["--all"], ["--json"], ["--json", "--all"]])
def test_a_value_of_any_kind_can_be_shown(repo, capsys, words):
    kinds = [None, True, "", "NaN", -0.0, 1e300, 10**30, [], [1, [2]], {"a": {}}, "\ud800", "é" * 500]
    one = log(params={f"k{n}": value for n, value in enumerate(kinds)})
    two = log(params={f"k{n}": value for n, value in enumerate(reversed(kinds))})
    assert told(capsys, one, two, *words)


def test_a_narrow_terminal_keeps_the_change_and_long_names_make_no_wide_columns(repo, capsys):
    label = "a long label of a run that says all of what was tried"
    one, two = log(label, rmse=2.0), log(label, rmse=1.0)
    shown = comparison.compare(workspace.find(), [one, two])
    assert len(one) > 40
    for width in (60, 100):
        lines = [line for line in terminal.render(shown, width=width).splitlines() if line]
        assert [line for line in lines if len(line) > width and line[0] != "✓"] == []
        assert any("rmse" in line and "better" in line for line in lines)
    assert any(one in line for line in lines) and sum(one in line for line in lines) == 1
