"""The example notebooks run from top to bottom on the real data, and what they show is true."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from provenote import project, workspace
from provenote.registry import acting, start_solo
from provenote.stores import index, keys
from provenote.stores.ledger import Ledger

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
REFUSAL = "this takes a signature, and nobody is here to be asked"


def _execute(root: Path, name: str) -> NotebookNode:
    """Run one notebook in a kernel of its own, as `Run All` does, with nobody to answer."""
    path = root / f"{name}.ipynb"
    notebook: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    client = NotebookClient(
        notebook, kernel_name="python3", timeout=300, resources={"metadata": {"path": str(root)}}
    )
    client.execute()
    return notebook


def _printed(notebook: NotebookNode, cell: str) -> str:
    """Return what a cell showed, as plain text."""
    outputs = next(one for one in notebook.cells if one.id == cell).outputs
    return "\n".join(
        str(out.get("text") or out.get("evalue") or out.get("data", {}).get("text/plain", ""))
        for out in outputs
    )


def test_the_four_notebooks_tell_one_true_story(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.org\n")
    root = tmp_path / "bikes"
    root.mkdir()
    monkeypatch.chdir(root)
    project.initialise(root)
    place = workspace.find(root)
    # Where the kernels find it too: what lacks in notebook 3 is a person, not a key.
    key = home / ".ssh" / "provenote_ed25519"
    keys.make(key, "ada")
    start_solo(place, key)
    for path in NOTEBOOKS:
        shutil.copy(path, root)

    tracked = _execute(root, "1-track")
    rows = {row.label: row for row in index.rows(place)[0]}
    assert set(rows) == {"hourly-mean", "tree"}
    assert {row.status for row in rows.values()} == {"finished"}
    assert rows["tree"].metrics["rmse"] < rows["hourly-mean"].metrics["rmse"] < 200
    commit = rows["tree"].commit
    assert commit is not None, "a finished run has a commit"
    document = index.document(place, commit)
    assert document["why"] == "new method"
    assert [read["path"] for read in document["reads"]] == ["data/hour.csv"]
    assert rows["tree"].name in _printed(tracked, "runs")
    assert "data/hour.csv" in _printed(tracked, "show")

    swept = _execute(root, "2-sweep")
    jobs = [row for row in index.rows(place)[0] if row.label == "train" and "rmse" in row.metrics]
    assert sorted(row.params["depth"] for row in jobs) == [3, 8]
    assert {row.params["max_iter"] for row in jobs} == {20}
    assert {row.status for row in jobs} == {"finished"}
    best = min(jobs, key=lambda row: row.metrics["rmse"])
    assert best.metrics["rmse"] < rows["tree"].metrics["rmse"]
    assert best.name in _printed(swept, "frame")

    before = Ledger(place.top).tip()
    asked = _execute(root, "3-promote")
    refused = next(one for one in asked.cells if one.id == "promote").outputs
    assert [out.output_type for out in refused] == ["error"]
    assert REFUSAL in refused[0].evalue
    assert "\n" not in refused[0].evalue.strip()
    assert Ledger(place.top).tip() == before, "a notebook without a person added an event"

    acting.promote(
        place,
        "bike-demand",
        to="production",
        why="least rmse of the sweep",
        run=best.name,
        release=True,
        confirm=lambda subject, word: word,
        signers=[keys.open_key(key)],
    )
    assert Ledger(place.top).tip() != before

    used = _execute(root, "4-use")
    found = re.search(r"rmse of the week: (\d+\.\d\d) rentals", _printed(used, "predict"))
    assert found, _printed(used, "predict")
    assert math.isfinite(float(found[1])) and 0 < float(found[1]) < 200
    assert "6 of 6 links" in _printed(used, "verify")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_stored_notebook_is_canonical_and_has_no_outputs(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    notebook = json.loads(text)
    assert text == json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    nbformat.validate(notebook)
    cells = notebook["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells)
    for cell in cells:
        assert cell.get("outputs", []) == [] and cell.get("execution_count") is None
