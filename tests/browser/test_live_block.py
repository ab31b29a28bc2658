"""The block of a tracked cell in a real JupyterLab: live while it runs, static and saved when done."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from .conftest import Server

CELL = """%%track hgb
import math, pathlib, time
import provenote
provenote.current_run().log_params(depth=8, loss="poisson")
for i in range(1, 2000):
    %log rmse=61 + 90 * math.exp(-i / 12), r2=0.876 - 0.5 * math.exp(-i / 12) --step i
    time.sleep(0.02)
    if pathlib.Path("enough").exists():
        break
"""


@pytest.fixture
def notebook(repo: Path) -> Path:
    book = nbformat.v4.new_notebook()
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    book.cells = [
        nbformat.v4.new_code_cell("%load_ext provenote"),
        nbformat.v4.new_code_cell(CELL),
        nbformat.v4.new_code_cell("%runs"),
    ]
    nbformat.write(book, repo / "train.ipynb")
    (repo / ".git" / "info" / "exclude").write_text("enough\n*.ipynb\n")
    return repo / "train.ipynb"


def test_curves_while_it_runs_and_a_picture_when_done(
    page: Page, server: Server, notebook: Path, shoot: Callable[[Page, str], None]
) -> None:
    outside: list[str] = []
    own = server.url.split("/user/")[0].split("://")[1]
    page.on(
        "request",
        lambda request: (
            outside.append(request.url) if request.url.startswith("http") and own not in request.url else None
        ),
    )
    page.goto(server.page("lab/tree/train.ipynb?reset"))
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
    page.locator(".jp-StatusBar-TextItem", has_text="Idle").first.wait_for()
    page.evaluate("() => void window.jupyterapp.commands.execute('notebook:run-all-cells')")

    live = page.locator(".pn-live")
    live.wait_for()
    page.wait_for_function("() => document.querySelectorAll('svg.pn-chart').length === 2")
    assert page.locator("svg.pn-chart title").all_text_contents() == ["r2 by step", "rmse by step"]
    words = live.inner_text()
    assert "running" in words and "depth" in words and "poisson" in words and "rmse ↓" in words
    first = page.evaluate("() => document.querySelector('.pn-live .pn-last').textContent")
    page.wait_for_function(
        "(old) => document.querySelector('.pn-live .pn-last').textContent !== old", arg=first
    )
    assert page.evaluate("() => document.getElementById('pn-announcer').textContent").endswith(" running")

    box = page.locator("svg.pn-chart").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 120, box["y"] + 60)
    page.wait_for_function(
        "() => [...document.querySelectorAll('.pn-said')]"
        ".every((each) => /^step \\d+: [\\d.]+$/.test(each.textContent))"
    )
    shoot(page, "live-block")

    (notebook.parent / "enough").touch()
    page.wait_for_selector(".jp-OutputArea-output .pn img")
    page.wait_for_selector(".pn-live", state="detached")
    page.wait_for_selector(".pn-space .pn-gr >> text=hgb-")  # %runs below it
    shoot(page, "static-block")
    assert page.evaluate("() => document.getElementById('pn-announcer').textContent").endswith(" ended")
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    assert outside == []

    saved = json.loads(notebook.read_text())
    (output,) = saved["cells"][1]["outputs"]
    assert sorted(output["data"]) == ["text/html", "text/plain"]
    assert "data:image/png;base64," in "".join(output["data"]["text/html"])
    assert "".join(output["data"]["text/plain"]).startswith("✓ hgb-")


def test_the_saved_block_reads_offline_without_jupyter(
    page: Page, repo: Path, tmp_path: Path, shoot: Callable[[Page, str], None]
) -> None:
    script = "import provenote\nwith provenote.track('hgb') as run:\n" + "".join(
        f"    run.log(rmse={60 + 10 / step}, step={step})\n" for step in range(1, 9)
    )
    subprocess.run(["python", "-c", script], cwd=repo, check=True)
    from provenote import workspace
    from provenote.stores import index
    from provenote.widgets import static

    place = workspace.find(repo)
    (row,) = index.rows(place)[0]
    document = index.document(place, row.commit or "")
    bundle = static.run_block(row, index.series(place, row), document)
    path = tmp_path / "mail.html"
    path.write_text(f"<!doctype html><meta charset=utf-8><body>{bundle['text/html']}")
    page.goto(path.as_uri())
    assert page.locator("table[role=table] tbody tr").count() == 1
    assert page.evaluate("() => document.querySelector('img').naturalWidth") > 300
    assert "rmse by step" in (page.locator("img").get_attribute("alt") or "")
    shoot(page, "mail")
