"""A past run as the start of a job: which cells run again, with which values."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from provenote.jobs import notebook, replay
from provenote.jobs.spec import JobSpec, parse


def cell(source, unique="c", true=None, tags=(), **facts):
    metadata = {"provenote": {"cell": true or unique, "ok": True, **facts}}
    if tags:
        metadata["tags"] = list(tags)
    return {"cell_type": "code", "id": unique, "source": source, "metadata": metadata, "outputs": []}


def written(*cells):
    data = {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(data).encode()


def sources(content):
    return [one["source"] for one in json.loads(content)["cells"]]


def test_executions_that_failed_or_ran_nothing_are_not_replayed():
    executed = written(
        cell("a = 1"), cell("1 / 0", "d", ok=False), cell("%runs", "e", counts=False), cell("b", "f")
    )
    assert sources(replay.replayed(executed, None, False)) == ["a = 1", "b"]


def test_of_a_rerun_the_last_execution_of_each_cell_counts():
    executed = written(cell("a = 1", "x", "x"), cell("b = a", "y", "y"), cell("a = 2", "x-2", "x"))
    assert sources(replay.replayed(executed, None, True)) == ["b = a", "a = 2"]
    assert sources(replay.replayed(executed, None, False)) == ["a = 1", "b = a", "a = 2"]


def test_the_saved_notebook_tells_which_cell_holds_the_parameters():
    executed = written(cell("import os", "i"), cell("depth = 4", "p-2", "p"))
    saved = written(cell("depth = 3", "p", tags=["parameters"]))
    found = notebook.parse(Path("/x/n.ipynb"), replay.replayed(executed, saved, False))
    assert [(p.name, p.default) for p in found.parameters()] == [("depth", 4)]
    for nothing in (None, b"[]", b"{", written(cell("x", "q", tags=["parameters"]))):
        found = notebook.parse(Path("/x/n.ipynb"), replay.replayed(executed, nothing, False))
        assert found.parameters() is None


def test_the_values_of_a_past_job_come_back_as_they_were():
    content = written(
        cell("lr: float = 0.1\nname = 'a'\nshape: tuple[int, int] = (1, 2)", tags=["parameters"])
    )
    found = notebook.parse(Path("/x/n.ipynb"), content)
    values = {"lr": "nan", "name": "nan", "gone": 1}
    got = replay.given(found, values, found.parameters())
    assert math.isnan(got["lr"]) and got["name"] == "nan" and set(got) == {"lr", "name"}
    assert replay.given(found, None, found.parameters()) == {}
    assert replay.given(found, ["lr"], found.parameters()) == {}


def test_the_values_that_plain_papermill_injected_come_back():
    content = written(
        cell("depth = 4\nname = 'a'", tags=["parameters"]),
        cell("# Parameters\ndepth = 9\nother = 1", "j", tags=["injected-parameters"]),
    )
    found = notebook.parse(Path("/x/n.ipynb"), content)
    assert replay.given(found, None, found.parameters()) == {"depth": 9}


@pytest.mark.parametrize(
    "name",
    ["../x.ipynb", "/etc/x.ipynb", "a/../../x.ipynb", "x.py", "", None, 3, ".git/x.ipynb", ".dvc/x.ipynb"],
)
def test_a_notebook_outside_the_project_is_not_believed(name):
    assert replay.inside(name) is None


def test_a_job_without_an_origin_keeps_the_name_it_had():
    spec = JobSpec(notebook="n.ipynb", blob="b", kernel="python3", label="n", nonce="1")
    assert b"origin" not in spec.canonical()
    other = JobSpec(notebook="n.ipynb", blob="b", kernel="python3", label="n", nonce="1", origin="abc")
    assert other.id != spec.id and parse(other.canonical()) == other
