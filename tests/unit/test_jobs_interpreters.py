"""The environment of a job is that of its kernel."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from provenote.jobs import interpreters
from provenote.tracking import environment


@pytest.mark.parametrize(
    ("specification", "expected"),
    [
        ({"argv": ["python", "-m", "ipykernel_launcher"], "language": "python"}, None),
        ({"argv": [sys.executable, "-m", "ipykernel_launcher"]}, None),
        ({"argv": [os.path.join(os.path.dirname(sys.executable), "python3.99")]}, None),
        ({"argv": ["/other/bin/python", "-m", "ipykernel_launcher"]}, "/other/bin/python"),
        ({"argv": ["/usr/bin/R"], "language": "R"}, None),
        ({"argv": []}, None),
        ({}, None),
        ([], None),
    ],
)
def test_another_python_is_told_from_this_one(specification, expected):
    assert interpreters.other(specification) == expected


def kernel(folder: Path, name: str, program: str) -> None:
    place = folder / "kernels" / name
    place.mkdir(parents=True)
    (place / "kernel.json").write_text(json.dumps({"argv": [program, "-m", "x"], "language": "python"}))


def test_the_lock_is_that_of_the_kernels_python(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    site = tmp_path / "site"
    (site / "zeta-1.0.dist-info").mkdir(parents=True)
    program = tmp_path / "bin" / "python"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nPYTHONPATH={site} exec {sys.executable} "$@"\n')
    program.chmod(0o755)
    kernel(tmp_path / "jupyter", "then", str(program))
    kernel(tmp_path / "jupyter", "gone", str(tmp_path / "nowhere" / "python"))
    assert interpreters.lock_of("then").packages["zeta"] == "1.0"
    assert "zeta" not in environment.lock().packages
    for name in ("gone", "none-of-this-name", "../x"):
        assert interpreters.lock_of(name) == environment.lock()
