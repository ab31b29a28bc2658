"""What is known of the notebook: told by the extension, named by the job engine, or saved."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from provenote.tracking.document import Documents, code_cells, saved_as_it_ran, shown_path
from provenote.tracking.linearity import Document, digest


def notebook(path: Path, *sources: str, **metadata: object) -> Path:
    cells = [
        {"cell_type": "code", "id": f"c{n}", "source": source.splitlines(True)}
        for n, source in enumerate(sources)
    ]
    path.write_text(
        json.dumps({"cells": [{"cell_type": "markdown", "source": "# a"}, *cells], "metadata": metadata})
    )
    return path


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PROVENOTE_DOC", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_without_any_word_there_is_no_document_and_a_reason() -> None:
    assert (
        Documents({}, kernel=True).known().absent
        == "the client tells neither the notebook's path nor its cells"
    )
    assert Documents({}, kernel=False).known().absent == "a terminal session has no document"


def test_the_saved_file_is_read_anew_when_it_changed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "a.ipynb")
    documents = Documents({}, kernel=True)
    assert "not saved yet" in documents.known().absent
    notebook(tmp_path / "a.ipynb", "x = 1\ny = 2")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")  # a notebook may change its folder
    known = documents.known()
    assert known.path == str(tmp_path / "a.ipynb")
    assert known.document is not None
    assert known.document.cells == (("c0", digest("x = 1\ny = 2")),)
    assert known.document.origin == "file"
    notebook(tmp_path / "a.ipynb", "x = 1", "z = 3")
    known = documents.known()
    assert known.document is not None
    assert len(known.document.cells) == 2


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "not json", '{"cells": [3]}', '{"cells": [{"cell_type": "code"}]}']
)
def test_a_file_that_is_no_notebook_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    (tmp_path / "a.ipynb").write_text(text)
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "a.ipynb"))
    assert Documents({}, kernel=True).known().absent == "a.ipynb is no notebook that can be read"


def test_what_the_extension_tells_comes_before_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    notebook(folder / "a.ipynb", "saved")
    monkeypatch.setenv("JPY_SESSION_NAME", str(folder / "a.ipynb"))
    documents = Documents({}, kernel=True)
    documents.tell({"path": "work/a.ipynb", "cells": [["n1", digest("typed")]], "at": 17})
    known = documents.known()
    assert known.document is not None and known.saved is not None
    assert known.document.cells == (("n1", digest("typed")),)
    assert abs(known.document.at - time.time()) < 60  # the clock of the kernel, not of the browser
    assert known.saved.cells == (("c0", digest("saved")),)
    (folder / "a.ipynb").rename(folder / "b.ipynb")
    documents.tell({"path": "work/b.ipynb", "cells": [["n1", digest("typed")]]})
    assert documents.known().path == str(folder / "b.ipynb")


@pytest.mark.parametrize(
    "data", [{}, {"cells": None}, {"cells": [["a"]]}, {"cells": [["a", 3]]}, {"cells": "abc"}]
)
def test_what_is_told_in_another_form_is_ignored(data: dict) -> None:
    documents = Documents({}, kernel=True)
    documents.tell(data)
    assert documents.known().document is None


def test_a_job_names_its_document_and_the_notebook_it_is_made_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    notebook(tmp_path / "job.ipynb", "a", papermill={"input_path": "train.ipynb"})
    monkeypatch.setenv("PROVENOTE_DOC", str(tmp_path / "job.ipynb"))
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "outer.ipynb"))
    known = Documents({}, kernel=True).known()
    assert known.document is not None
    assert known.document.origin == "job"
    assert known.name == "train.ipynb"


def test_vs_code_leaves_the_name_in_the_namespace(tmp_path: Path) -> None:
    names: dict = {}
    documents = Documents(names, kernel=True)
    names["__vsc_ipynb_file__"] = str(notebook(tmp_path / "v.ipynb", "a"))
    assert documents.known().document is not None


def test_a_file_named_by_a_script_is_no_notebook_of_a_kernel(tmp_path: Path) -> None:
    assert Documents({"__file__": "x.py"}, kernel=True).path is None
    assert Documents({"__file__": "x.ipy"}, kernel=False).path == str(tmp_path / "x.ipy")


def test_old_formats_are_read() -> None:
    old = {"worksheets": [{"cells": [{"cell_type": "code", "input": ["a\n", "b"]}]}]}
    assert code_cells(old) == [(None, "a\nb")]
    assert code_cells(
        {"cells": [{"cell_type": "code", "source": "a"}, {"cell_type": "raw", "source": ""}]}
    ) == [(None, "a")]


@pytest.mark.parametrize(
    ("ran", "expected"),
    [
        ([], "unknown"),
        ([("c0", "a")], "same"),
        ([("c0", "x"), ("c0", "a")], "same"),
        ([("c0", "b")], "differs"),
        ([("c9", "a"), ("c0", "a")], "differs"),
        ([("uri:1", "b")], "same"),
        ([(None, "a"), (None, "b")], "same"),
        ([(None, "z")], "differs"),
    ],
)
def test_disk_is_the_same_or_differs(ran: list, expected: str) -> None:
    saved = Document((("c0", "a"), ("c1", "b")), 1.0)
    assert saved_as_it_ran(saved, ran) == expected
    assert saved_as_it_ran(None, ran) == "unknown"


def test_paths_are_told_from_the_project(tmp_path: Path) -> None:
    assert shown_path(str(tmp_path / "a" / "n.ipynb"), str(tmp_path)) == "a/n.ipynb"
    assert shown_path("/elsewhere/n.ipynb", str(tmp_path)) == "n.ipynb"
    assert shown_path(str(tmp_path) + "-other/n.ipynb", str(tmp_path)) == "n.ipynb"
    os.symlink(tmp_path, tmp_path.parent / "link")
    assert shown_path(str(tmp_path.parent / "link" / "n.ipynb"), str(tmp_path)) == "n.ipynb"
    assert shown_path(None, None) is None
