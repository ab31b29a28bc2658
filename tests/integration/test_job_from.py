"""A job from a past run: that run's notebook, code, data and parameters, but for those that change."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kernels import Kernel

import provenote
from provenote import cli, data, workspace
from provenote.commands.tree import Context, load_verb
from provenote.errors import UsageError
from provenote.jobs import folder as folders
from provenote.jobs import launch
from provenote.stores import environments, index
from provenote.view import Facts, Line, View


def git(*arguments: str, cwd: Path | None = None) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True, cwd=cwd).stdout


def code(source: str, unique: str, *tags: str) -> dict[str, Any]:
    return {
        "cell_type": "code", "id": unique, "metadata": {"tags": list(tags)} if tags else {},
        "source": source, "outputs": [], "execution_count": None,
    }  # fmt: skip


def write(path: Path, *cells: dict[str, Any]) -> None:
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    document = {"cells": list(cells), "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(document))


def job(notebook: str | None = None, **options: Any) -> View:
    verb = load_verb(("job", "run"))
    assert verb is not None
    return verb.function(Context(), *([notebook] if notebook else []), **options)


READ = (
    "import provenote, helper\n"
    "rows = len(open('../data/d.csv').readlines())\n"
    "provenote.current_run().log(score=depth * helper.FACTOR + rows)"
)


@pytest.fixture
def past(repo: Path) -> str:
    """A job that ran before notebook, code and data changed."""
    (repo / "data").mkdir()
    (repo / "nb").mkdir()
    (repo / "data" / "d.csv").write_text("a\n1\n")
    data.add("data/d.csv")
    (repo / "nb" / "helper.py").write_text("FACTOR = 100\n")
    write(repo / "nb" / "n.ipynb", code("depth = 1\nname = 'x'", "p", "parameters"), code(READ, "r"))
    git("add", "--all")
    git("commit", "-qm", "then")
    ran = job("nb/n.ipynb", params=["depth=2", "name=nan"], name="old")
    assert ran.data["state"] == "succeeded", ran.data
    (repo / "nb" / "helper.py").write_text("FACTOR = 7\n")
    (repo / "data" / "d.csv").write_text("a\n1\n2\n3\n")
    data.add("data/d.csv")
    write(repo / "nb" / "n.ipynb", code("deep = 1", "p", "parameters"), code("raise SystemExit(3)", "r"))
    git("add", "--all")
    git("commit", "-qm", "now")
    return str(ran.data["name"])


def test_only_what_was_asked_for_differs(repo: Path, past: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = git("status", "--porcelain=v2", "--branch"), (repo / "nb" / "n.ipynb").read_bytes()
    found = job(from_=past, params=["depth=5"])
    assert found.data["state"] == "succeeded", found.data
    assert (git("status", "--porcelain=v2", "--branch"), (repo / "nb" / "n.ipynb").read_bytes()) == before
    place = workspace.find()
    old, new = index.find(place, past), index.find(place, found.data["name"])
    assert (old.metrics["score"], new.metrics["score"]) == (202, 502)  # the past factor and the past data
    assert new.params == {"depth": 5, "name": "nan"} and new.label == "old"
    assert new.baseline == old.baseline and new.parent is None
    document = index.document(place, new.commit)
    assert document["job"]["from"] == old.id and document["notebook"] == "nb/n.ipynb"
    assert document["linearity"] == "linear"
    said = next(part.text for part in found.parts if isinstance(part, Line))
    assert said == f"started from run {past}, in past/{past}"
    assert cli.main(["show", new.name]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "started from" in line)
    assert line.split()[-1] == past
    # And from that one again.
    third = job(from_=new.name, params=["name=y"])
    assert index.find(place, third.data["name"]).params == {"depth": 5, "name": "y"}


def test_a_wrong_request_restores_nothing(repo: Path, past: str) -> None:
    for options, words in (
        ({"from_": past, "params": ["deep=3"]}, "declares no parameter deep. Did you mean depth"),
        ({"from_": past, "params": ["depth=x"]}, "takes int"),
        ({"from_": past, "kernel": "nothing"}, "the kernel 'nothing' of n.ipynb is not installed"),
        ({"from_": "nobody"}, "is not in this repository"),
        ({}, "which notebook"),
    ):
        with pytest.raises(UsageError) as caught:
            job(**options)
        assert words in caught.value.line
    with pytest.raises(UsageError, match="not both"):
        job("nb/n.ipynb", from_=past)
    described = job(from_=past, describe=True).data["parameters"]
    assert {p["name"]: p["default"] for p in described} == {"depth": "2", "name": "'nan'"}
    assert not (repo / "past").exists()


def test_what_is_not_as_it_was_is_told(repo: Path, past: str) -> None:
    job(from_=past)
    (repo / "past" / past / "nb" / "helper.py").write_text("FACTOR = 1\n")
    found = job(from_=past)
    assert [r for r in found.data["remarks"] if "nb/helper.py" in r and "changed in past/" in r]
    git("worktree", "remove", "--force", str(repo / "past" / past))
    shutil.rmtree(repo / ".dvc" / "cache")
    found = job(from_=past)
    assert "data/d.csv: its bytes are neither here nor on a remote" in found.data["remarks"]
    assert found.status == 1 and found.data["state"] == "failed"


def test_a_retry_goes_on_in_the_past(repo: Path, past: str) -> None:
    place = workspace.find()
    job(from_=past)
    helper = repo / "past" / past / "nb" / "helper.py"
    text = helper.read_text()
    helper.write_text("raise RuntimeError('not yet')\n")
    failed = job(from_=past)
    assert failed.status == 1
    helper.write_text(text)
    result = launch.retry(place, folders.find(place.home, failed.data["id"]))
    assert result.state.state == "succeeded"
    assert index.find(place, str(result.state.name)).metrics["score"] == 202


def test_a_live_run_and_a_script_are_told_apart(repo: Path) -> None:
    with provenote.track("script") as run:
        run.log(acc=1)
        with pytest.raises(UsageError, match="still runs"):
            job(from_=run.name)
    with pytest.raises(UsageError) as caught:
        job(from_=run.name)
    assert "no notebook of it is known" in caught.value.line
    assert f"`provenote restore {run.name}`" in caught.value.line
    assert not (repo / "past").exists()


def test_a_notebook_without_parameters_runs_again_but_takes_none(repo: Path) -> None:
    write(repo / "n.ipynb", code("import provenote\nprovenote.current_run().log(acc=3)", "a"))
    git("add", "--all")
    git("commit", "-qm", "n")
    old = job("n.ipynb").data["name"]
    with pytest.raises(UsageError, match=r"n\.ipynb has no cell tagged parameters"):
        job(from_=old, params=["depth=3"])
    again = job(from_=old)
    assert index.find(workspace.find(), again.data["name"]).metrics == {"acc": 3}


def test_facts_of_a_run_from_nowhere_are_shown_by_id(repo: Path, past: str) -> None:
    place = workspace.find()
    new = job(from_=past).data["name"]
    ref = next(
        line for line in git("for-each-ref", "--format=%(refname)").splitlines() if line.endswith(past)
    )
    origin = index.find(place, past).id
    git("update-ref", "-d", ref)
    verb = load_verb(("show",))
    assert verb is not None
    facts = [
        pair for part in verb.function(Context(), new).parts if isinstance(part, Facts) for pair in part.pairs
    ]
    assert dict(facts)["started from"].text == origin


def test_a_run_of_an_open_notebook_is_the_start_of_a_job(repo: Path) -> None:
    """The cells count as they ran, not as they were saved; the saved file tells which has the parameters."""
    path = repo / "open.ipynb"
    write(path, code("depth = 1", "p", "parameters"), code("pass", "t"))
    with Kernel(path) as kernel:
        kernel.run("%load_ext provenote", "l")
        kernel.run("depth = 3", "p")
        kernel.run("1 / 0", "x")
        kernel.run("%%track live\nimport provenote\nprovenote.current_run().log(twice=2 * depth)", "t")
    place = workspace.find()
    (row,) = [row for row in index.rows(place)[0] if row.label == "live"]
    assert row.metrics == {"twice": 6}
    same = index.find(place, job(from_=row.name).data["name"])
    other = index.find(place, job(from_=row.name, params=["depth=8"], name="deeper").data["name"])
    assert (same.metrics, other.metrics) == ({"twice": 6}, {"twice": 16})
    assert (same.label, other.label) == ("live", "deeper")
    document = index.document(place, str(other.commit))
    assert document["notebook"] == "open.ipynb" and document["disk"] == "differs"


def test_a_job_tells_what_its_notebook_imports_and_not_its_supervisor(repo: Path) -> None:
    joined = "import provenote, yaml\nwith provenote.track() as run:\n    run.log(acc=1)"
    write(repo / "plain.ipynb", code("import yaml", "a"))
    write(repo / "joined.ipynb", code(joined, "a"))
    git("add", "--all")
    git("commit", "-qm", "n")
    place = workspace.find()
    kept = []
    for name in ("plain.ipynb", "joined.ipynb"):
        row = index.find(place, job(name).data["name"])
        kept.append(index.document(place, str(row.commit))["extra"]["imported"])
    assert kept[0] == ["pyyaml"]
    assert {"pyyaml", "ipykernel"} <= set(kept[1])
    assert not any("papermill" in names for names in kept)


def test_the_environment_of_a_job_is_that_of_its_kernel(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, program = tmp_path / "site", tmp_path / "bin" / "python"
    (site / "zeta-1.0.dist-info").mkdir(parents=True)
    (site / "zeta.py").write_text("VALUE = 7\n")
    program.parent.mkdir()
    paths = os.pathsep.join([str(site), *(path for path in sys.path if path)])
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{paths}" exec {sys.executable} "$@"\n')
    program.chmod(0o755)
    kernel = tmp_path / "jupyter" / "kernels" / "then"
    kernel.mkdir(parents=True)
    words = [str(program), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": words, "language": "python", "display_name": "then"}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    write(repo / "n.ipynb", code("import provenote, zeta\nprovenote.current_run().log(v=zeta.VALUE)", "a"))
    git("add", "--all")
    git("commit", "-qm", "n")
    place = workspace.find()
    row = index.find(place, job("n.ipynb", kernel="then").data["name"])
    assert row.metrics == {"v": 7}
    kept = environments.of_run(place, row)
    assert kept is not None and kept.packages["zeta"].version == "1.0"
    assert "zeta" in environments.imported(index.document(place, str(row.commit)))
