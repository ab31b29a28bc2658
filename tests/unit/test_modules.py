"""Modules whose file changed after they were imported are told."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from provenote.tracking.modules import Modules, work_tree


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "aid_of_project.py"
    path.write_text("value = 1\n")
    yield path
    sys.modules.pop("aid_of_project", None)


def test_a_module_edited_after_its_import_is_stale(helper: Path, tmp_path: Path) -> None:
    modules = Modules(str(tmp_path))
    modules.note()
    importlib.import_module("aid_of_project")
    modules.note()
    assert modules.stale() == []
    helper.write_text("value = 2\n")  # as long as before, within the same second
    assert modules.stale() == ["aid_of_project"]


def test_a_reloaded_module_is_fresh_again(helper: Path, tmp_path: Path) -> None:
    modules = Modules(str(tmp_path))
    module = importlib.import_module("aid_of_project")
    modules.note()
    helper.write_text("value = 22\n")
    assert modules.stale() == ["aid_of_project"]
    importlib.reload(module)
    assert modules.stale() == []


def test_a_module_edited_before_anybody_looked_is_told_by_its_compiled_file(
    helper: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    importlib.import_module("aid_of_project")
    helper.write_text("value = 333\n")
    assert Modules(str(tmp_path)).stale() == ["aid_of_project"]


def test_a_deleted_file_is_stale_and_a_forgotten_module_is_not(helper: Path, tmp_path: Path) -> None:
    modules = Modules(str(tmp_path))
    importlib.import_module("aid_of_project")
    modules.note()
    helper.unlink()
    assert modules.stale() == ["aid_of_project"]
    del sys.modules["aid_of_project"]
    assert modules.stale() == []


def test_modules_elsewhere_and_installed_ones_are_not_watched(helper: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    modules = Modules(str(other))
    importlib.import_module("aid_of_project")
    modules.note()
    helper.write_text("value = 4444\n")
    assert modules.stale() == []
    installed = Modules(os.path.dirname(os.path.dirname(pytest.__file__)))
    installed.note()
    assert installed._seen == {}


def test_the_work_tree_is_found_without_git(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / ".git").write_text("gitdir: elsewhere\n")
    assert work_tree(str(inner)) == os.path.realpath(tmp_path)
