"""What may be imported before a fork: read from code, never run."""

from __future__ import annotations

from typing import Any

from provenote.jobs import preload


def book(*sources: str) -> dict[str, Any]:
    return {"cells": [{"cell_type": "code", "source": source} for source in sources]}


def test_known_packages_are_found_in_the_order_of_the_notebook(tmp_path):
    nb = book(
        "import pandas as pd, json, torch",
        "%matplotlib inline\n!pip list\nfrom sklearn.linear_model import Ridge as R",
        "def f():\n    import matplotlib.pyplot as plt",
    )
    nb["cells"].append({"cell_type": "markdown", "source": "import scipy"})
    assert preload.wanted(nb, tmp_path) == [
        "pandas",
        "sklearn.linear_model",
        "sklearn.linear_model.Ridge?",
        "matplotlib.pyplot",
    ]


def test_what_is_no_python_still_counts_by_its_imports():
    assert preload.imports("import numpy\nx = $nonsense\nfrom scipy import linalg") == [
        "numpy",
        "scipy",
        "scipy.linalg?",
    ]
    assert preload.imports("from . import numpy\nfrom .pandas import x\nfrom numpy import *") == ["numpy"]
    assert preload.imports("%%bash\nimport this and that") == []
    assert preload.imports("((((") == []


def test_modules_of_the_project_are_read_for_what_they_import(tmp_path):
    (tmp_path / "own.py").write_text("import pandas\nimport own, deeper.inner\nraise SystemExit('never run')")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "__init__.py").write_text("import joblib")
    (tmp_path / "deeper" / "inner.py").write_text("import scipy.stats")
    assert preload.wanted(book("from own import x"), tmp_path) == ["pandas", "joblib", "scipy.stats"]


def test_hostile_notebooks_are_no_danger(tmp_path):
    assert preload.wanted({}, tmp_path) == []
    nb = book("import pandas\x00", "(" * 5000, "import " + "a." * 3000 + "b", "import numpy\n" + "[" * 99)
    assert preload.wanted(nb, tmp_path) == ["numpy"]
    (tmp_path / "big.py").write_bytes(b"import numpy\n" + b"#" * 3_000_000)
    assert preload.wanted(book(["import big\n"]), tmp_path) == ["numpy"]  # type: ignore[arg-type]
