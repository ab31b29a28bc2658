"""Notebooks that nobody wrote for this project, those of papermill's own tests, run as its API runs them."""

from __future__ import annotations

import importlib.util
import shutil
import warnings
from pathlib import Path
from typing import Any

import nbformat
import pytest

from provenote.errors import UsageError
from provenote.jobs import launch

_papermill = importlib.util.find_spec("papermill")
FOLDER = Path(str(_papermill and _papermill.origin)).parent / "tests" / "notebooks"
SLOW = {"keyboard_interrupt.ipynb"}  # sleeps for a minute
REFUSED = {
    "complex_parameters.ipynb": "the parameters cell is not Python",  # it holds a magic's text
    "test_logging.ipynb": "imports ggplot",  # a package that is not here: told before anything runs
}
FOUND = sorted(path.name for path in FOLDER.glob("*.ipynb") if path.name not in SLOW)

pytestmark = pytest.mark.skipif(not FOUND, reason="this papermill comes without its tests")


def outputs(path: Path) -> list[list[Any]]:
    """Return what each code cell put out; a stream's pieces are one, pictures are counted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ids that are missing in old formats
        read = nbformat.read(path, 4)
    cells = []
    for cell in read.cells:
        if cell.cell_type != "code" or "injected-parameters" in cell.metadata.get("tags", []):
            continue
        found: list[Any] = []
        for output in cell.outputs:
            if output.output_type == "stream":
                if found and found[-1][0] == output.name:
                    found[-1][1] += output.text
                else:
                    found.append([output.name, output.text])
            elif output.output_type == "error":
                found.append(["error", output.ename, output.evalue])
            else:
                shown = {k: "picture" if k.startswith("image/") else v for k, v in output.data.items()}
                found.append([output.output_type, shown])
        cells.append(found)
    return cells


def kernel_of(path: Path) -> str | None:
    """Return the kernel to run it with, where its own is not the one that is always here."""
    name = nbformat.read(path, 4).metadata.get("kernelspec", {}).get("name")
    return None if name == "python3" else "python3"


@pytest.mark.parametrize("name", FOUND)
def test_as_papermill_runs_it(repo: Path, tmp_path: Path, name: str) -> None:
    import papermill

    path = Path(shutil.copy(FOLDER / name, repo / name))
    kernel = kernel_of(path)
    if name in REFUSED:
        with pytest.raises(UsageError, match=REFUSED[name]):
            launch.run_job(path, kernel=kernel)
        return
    theirs, ours = tmp_path / "theirs.ipynb", tmp_path / "ours.ipynb"
    try:
        papermill.execute_notebook(path, theirs, kernel_name=kernel, progress_bar=False, cwd=str(repo))
        expected = "succeeded"
    except papermill.PapermillExecutionError:
        expected = "failed"
    result = launch.run_job(path, kernel=kernel, output=ours)
    assert result.state.state == expected, result.state.reason
    assert outputs(ours) == outputs(theirs)
