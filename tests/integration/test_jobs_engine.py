"""The engine under plain papermill, and what importing it costs a process."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


def test_plain_papermill_can_use_the_engine(tmp_path, monkeypatch):
    import papermill
    from papermill.engines import papermill_engines

    from provenote.jobs import engine

    papermill_engines.register("provenote", engine.ProvenoteEngine)
    monkeypatch.setenv("JPY_SESSION_NAME", "outer.ipynb")
    sources = {
        "p": "a = 1",
        "c1": "import json, os; book = json.load(open(os.environ['PROVENOTE_DOC']))",
        "c2": "print(a, [c['id'] for c in book['cells'][2:]], os.environ.get('JPY_SESSION_NAME'))",
        "c3": "get_ipython().kernel.get_parent()['metadata']",
        "c4": "1/0",
        "c5": "2",
    }
    cells = [
        {
            "cell_type": "code",
            "id": id,
            "metadata": {},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }
        for id, source in sources.items()
    ]
    cells[0]["metadata"] = {"tags": ["parameters"]}
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    book = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": spec}, "cells": cells}
    (tmp_path / "in.ipynb").write_text(json.dumps(book))
    with pytest.raises(papermill.PapermillExecutionError, match="ZeroDivisionError"):
        papermill.execute_notebook(
            str(tmp_path / "in.ipynb"),
            str(tmp_path / "out.ipynb"),
            parameters={"a": 5},
            engine_name="provenote",
            progress_bar=False,
        )
    made = {cell["id"]: cell for cell in json.loads((tmp_path / "out.ipynb").read_bytes())["cells"]}
    ran = {id: made[id]["metadata"]["papermill"]["status"] for id in sources}
    assert ran == {**dict.fromkeys(sources, "completed"), "c4": "failed", "c5": "pending"}
    assert made["c2"]["outputs"][0]["text"] == ["5 ['c1', 'c2', 'c3', 'c4', 'c5'] None\n"]
    said = made["c3"]["outputs"][0]["data"]["text/plain"]
    assert "'cellId': 'c3'" in "".join(said)
    assert not any(out.get("name") == "stderr" for cell in made.values() for out in cell.get("outputs", []))


def test_a_supervisor_imports_nothing_that_no_job_uses():
    code = (
        "import sys; from provenote.jobs import kernels; kernels.quick_imports();"
        "from provenote.jobs import engine, recorder;"
        "print(sorted({'rfc3987_syntax', 'pyarrow', 'boto3', 'pandas', 'dvc'} & set(sys.modules)));"
        "import pyarrow; print(pyarrow.__name__)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split("\n")[:2] == ["[]", "pyarrow"]


def test_a_verb_that_only_looks_imports_no_papermill(repo):
    code = (
        "import sys; from provenote.cli import main; main(['jobs']);"
        "print(sorted({'papermill', 'nbformat', 'jupyter_client', 'pandas', 'pygit2'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.rstrip().split("\n")[-1] == "[]"
