"""In a real JupyterLab a run tells whether the cells ran in order, unsaved changes included."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote import workspace
from provenote.model import Row
from provenote.stores import index

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from .conftest import Server

SOURCES = ["%load_ext provenote", "a = 1", "b = a + 1", "%%track t\n%log s=b --step 0\n%log s=b * 2 --step 1"]


def write(path: Path) -> None:
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "id": f"c{number}", "source": source, "metadata": {}}
        | {"outputs": [], "execution_count": None}
        for number, source in enumerate(SOURCES)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.write_text(json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))


def runs(count: int) -> list[Row]:
    """Wait until so many runs have ended, and return them, oldest first."""
    deadline = time.monotonic() + 60
    while True:
        rows, _ = index.rows(workspace.find(), everything=True)
        if len(rows) == count and all(row.commit for row in rows):
            return sorted(rows, key=lambda row: row.started)
        assert time.monotonic() < deadline, f"{len(rows)} runs instead of {count}"
        time.sleep(0.2)


def why(row: Row) -> str:
    assert row.commit is not None
    return " ".join(index.document(workspace.find(), row.commit)["evidence"]["why"])


def do(page: Page) -> Callable[[str], None]:
    return lambda command: page.evaluate(f"window.jupyterapp.commands.execute('notebook:{command}')")


def test_what_ran_is_told_as_it_was(page: Page, server: Server) -> None:
    write(server.root / "n.ipynb")
    page.goto(server.page("lab/tree/n.ipynb?reset"))
    page.locator(".jp-StatusBar-TextItem", has_text="Idle").first.wait_for()
    command, cells = do(page), page.locator(".jp-Notebook-cell")

    command("run-all-cells")
    (first,) = runs(1)
    assert (first.linearity, why(first), first.metrics) == ("linear", "", {"s": 4})
    page.get_by_text(first.name).first.wait_for()  # its block stands below the cell

    cells.nth(3).click()
    command("run-cell")
    assert runs(2)[-1].linearity == "rerun"

    # A new cell, typed and run, never saved: its place is known all the same.
    cells.nth(2).click()
    command("insert-cell-below")
    page.keyboard.type("c = 3")
    command("run-cell")
    cells.nth(4).click()
    command("run-cell")
    third = runs(3)[-1]
    assert third.linearity == "rerun", why(third)

    # An edit after the run, not saved either.
    cells.nth(3).click()
    page.locator(".jp-Notebook-cell .cm-content").nth(3).click()
    page.keyboard.type("0")
    cells.nth(4).click()
    command("run-cell")
    assert runs(4)[-1].linearity == "out-of-order"
    assert "was edited after it ran" in why(runs(4)[-1])

    cells.nth(1).click()
    command("enter-command-mode")
    command("delete-cell")
    cells.nth(3).click()
    command("run-cell")
    assert "(cell c1) was deleted after it ran" in why(runs(5)[-1])
