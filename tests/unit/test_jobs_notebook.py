"""A notebook as a job reads it: checks, stable ids, the injected cell; and what its run keeps of it."""

from __future__ import annotations

import copy
import json
import subprocess

import nbformat
import pytest

from provenote.compare import numbers
from provenote.config import Settings
from provenote.errors import UsageError
from provenote.jobs import evidence, notebook, recorder


def code(source, **more):
    return {
        "cell_type": "code",
        "metadata": {},
        "source": source,
        "outputs": [],
        "execution_count": 1,
        **more,
    }


def book(*cells, **more):
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": list(cells), **more}


def read(tmp_path, content, name="a.ipynb"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return notebook.read(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a notebook"),
        (b"{", "not a notebook"),
        (b"[]", "not a notebook"),
        (b"{}", "not a notebook"),
        (b"\xff\xfe\x00", "not a notebook"),
        ({"nbformat": 3, "worksheets": []}, "format 3.*nbconvert"),
        ({"nbformat": 4, "metadata": {}}, "damaged"),
        ({"nbformat": 4, "metadata": [], "cells": []}, "damaged"),
        ({"nbformat": 4, "metadata": {}, "cells": ["x"]}, "damaged"),
    ],
)
def test_what_is_no_notebook_is_refused_in_one_line(tmp_path, content, words):
    with pytest.raises(UsageError, match=words) as error:
        read(tmp_path, content)
    assert "\n" not in error.value.line


def test_missing_proposes_the_nearest(tmp_path):
    read(tmp_path, book(), "train.ipynb")
    with pytest.raises(UsageError, match=r"Did you mean .*train\.ipynb"):
        notebook.read(tmp_path / "tran.ipynb")
    with pytest.raises(UsageError, match="is a folder"):
        notebook.read(tmp_path)


def test_the_blob_is_gits(tmp_path):
    found = read(tmp_path, book())
    said = subprocess.run(
        ["git", "hash-object", "--no-filters", found.path], capture_output=True, text=True, check=True
    )
    assert found.blob == said.stdout.strip()


def test_prepare_gives_each_cell_one_stable_id(tmp_path):
    old = book(code("1"), code("1", id="twin"), code("2", id="twin"), nbformat_minor=4)
    found = read(tmp_path, old)
    first, second = notebook.prepare(found, {}), notebook.prepare(found, {})
    ids = [cell["id"] for cell in first["cells"]]
    assert ids == [cell["id"] for cell in second["cells"]]
    assert len(set(ids)) == 3
    assert ids[1] == "twin"
    assert found.data == old  # pure
    nbformat.validate(nbformat.from_dict(first))


def test_prepare_injects_behind_the_parameters_cell(tmp_path):
    cells = [code("0"), code("a = 1", metadata={"tags": ["parameters"]}), code("a")]
    found = read(tmp_path, book(*cells))
    made = notebook.prepare(found, {"a": float("nan"), "b": (1,), "c": 'x"\n\\'})
    injected = made["cells"][2]
    assert injected["metadata"]["tags"] == ["injected-parameters"]
    scope: dict[str, object] = {}
    exec(injected["source"], scope)
    assert (scope["b"], scope["c"], scope["a"] != scope["a"]) == ((1,), 'x"\n\\', True)
    assert made["metadata"]["papermill"]["parameters"] == {"a": "nan", "b": [1], "c": 'x"\n\\'}
    json.loads(notebook.dump(made), parse_constant=pytest.fail)
    # An executed notebook runs again: its injected cell is replaced, under the same id.
    again = notebook.prepare(read(tmp_path, made), {"a": 2})
    assert [cell["id"] for cell in again["cells"]] == [cell["id"] for cell in made["cells"]]
    assert again["cells"][2]["source"] == "# Parameters\na = 2"


def test_source_as_lines_and_no_parameters(tmp_path):
    found = read(tmp_path, book(code(["a = 1\n", "b = 2"], metadata={"tags": ["parameters"]})))
    assert [parameter.name for parameter in found.parameters()] == ["a", "b"]
    assert read(tmp_path, book(code("a"))).parameters() is None


def test_the_run_keeps_the_notebook_without_secrets_and_within_limits():
    token = "ghp_" + "b" * 36
    cells = [
        {"cell_type": "markdown", "id": "m", "metadata": {}, "source": "hello"},
        code(
            f"print('{token}')",
            id="c1",
            metadata={"papermill": {"status": "completed"}},
            outputs=[
                {"output_type": "stream", "name": "stdout", "text": token + "\n"},
                {"output_type": "display_data", "data": {"text/plain": "x" * 5000}, "metadata": {}},
            ],
        ),
        code("2", id="c2", metadata={"papermill": {"status": "pending"}}),
    ]
    executed = book(*cells)
    before = copy.deepcopy(executed)
    kept, count = evidence.stored(executed, Settings(output_limit=1000))
    text = json.dumps(kept)
    assert token not in text
    assert count == 2
    assert "5,0" in text
    assert "left out" in text
    assert [cell["metadata"].get("provenote") for cell in kept["cells"]] == [
        None,
        {"cell": "c1", "ok": True},
        {"cell": "c2", "ok": None},
    ]
    assert executed == before
    assert evidence.stored(executed, Settings(store_outputs=False))[0]["cells"][1]["outputs"] == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nb\n", "b"),
        (" 10%\r 20%\r", "20%"),
        ("a\n\n  \n", "a"),
        ("", ""),
        ("x" * 999, "x" * 200),
    ],
)
def test_last_line_is_what_a_terminal_shows(text, line):
    assert recorder.last_line(text) == line


@pytest.mark.parametrize(
    ("metric", "values", "place"),
    [
        ("rmse", [3, 1, 2], 1),
        ("r2", [0.1, None, 0.9], 2),
        ("bias", [-5, 2, -1], 2),
        ("rmse", ["NaN", float("nan"), 7], 2),
        ("rmse", [None, "text", True], None),
        ("rmse", [], None),
    ],
)
def test_best_of_a_metric(metric, values, place):
    assert numbers.best(metric, values) == place
