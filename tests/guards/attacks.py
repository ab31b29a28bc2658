"""The attacks, as functions without arguments: the tests of the verifier, called without a test runner.

A test module gives each of its tests once for each row of its parameters. Tests that need a fixture other
than ``tmp_path`` or ``monkeypatch``, and those that make random input, are left out.
"""

from __future__ import annotations

import importlib.util
import inspect
import itertools
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

TESTS = Path(__file__).parents[1]
GIVEN = {"tmp_path", "monkeypatch"}


@dataclass(frozen=True)
class Attack:
    """One call of one test."""

    name: str
    call: Callable[[], None]


def imported(path: Path) -> ModuleType:
    """Import a test module by its file."""
    for folder in (TESTS, path.parent):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location(f"attacks_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def of(path: Path) -> list[Attack]:
    """Return the attacks in a test module."""
    module = imported(path)
    found = []
    for name, function in vars(module).items():
        if not name.startswith("test_") or hasattr(function, "hypothesis"):
            continue
        for given in _rows(function):
            wanted = set(inspect.signature(function).parameters) - set(given)
            if wanted <= GIVEN:
                shown = ", ".join(ascii(value)[:40] for value in given.values())
                found.append(Attack(f"{path.stem}::{name}[{shown}]", _call(function, given, wanted)))
    return found


def _rows(function: Callable[..., None]) -> Iterator[dict[str, Any]]:
    """Yield what `pytest.mark.parametrize` gives to a test, one call each."""
    marks = [mark for mark in getattr(function, "pytestmark", []) if mark.name == "parametrize"]
    columns = []
    for mark in marks:
        names, values = mark.args[0], mark.args[1]
        split = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
        rows = [getattr(value, "values", value) if not isinstance(value, dict) else value for value in values]
        columns.append([
            dict(zip(split, row if len(split) > 1 else _one(row, value), strict=True))
            for row, value in zip(rows, values, strict=True)
        ])  # fmt: skip
    for combination in itertools.product(*columns):
        yield {name: value for part in combination for name, value in part.items()}


def _one(row: Any, value: Any) -> tuple[Any]:
    return (row[0],) if row is not value else (value,)


def _call(function: Callable[..., None], given: dict[str, Any], wanted: set[str]) -> Callable[[], None]:
    def call() -> None:
        more: dict[str, Any] = {}
        with pytest.MonkeyPatch.context() as patch:
            if "monkeypatch" in wanted:
                more["monkeypatch"] = patch
            folder = Path(tempfile.mkdtemp(prefix="attack-")) if "tmp_path" in wanted else None
            if folder is not None:
                more["tmp_path"] = folder
            try:
                function(**given, **more)
            finally:
                if folder is not None:
                    shutil.rmtree(folder, ignore_errors=True)

    return call
