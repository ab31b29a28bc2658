"""The page tells the kernel what the notebook holds, ahead of each execution, unsaved changes included."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from .conftest import Server

# What the first cell does: the real target is replaced by one that writes down what it is told.
LISTEN = """%load_ext provenote
import json, time
heard = []
def target(comm, message):
    comm.on_msg(lambda later: heard.append(later["content"]["data"]))
    heard.append(message["content"]["data"])
get_ipython().kernel.comm_manager.register_target("provenote.document", target)
time.sleep(1)"""
WRITE = 'open("{name}", "w").write(json.dumps(heard))'


def notebook(path: Path, *sources: str) -> None:
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "id": f"cell-{number}", "source": source, "metadata": {}}
        | {"outputs": [], "execution_count": None}
        for number, source in enumerate(sources)
    ]
    cells.insert(1, {"cell_type": "markdown", "id": "words", "source": "words", "metadata": {}})
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.write_text(json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))


def hash16(source: str) -> str:
    return hashlib.sha256(source.rstrip().encode()).hexdigest()[:16]


def told(path: Path) -> list[dict[str, Any]]:
    """What the kernel had heard when it wrote the file."""
    deadline = time.monotonic() + 60
    while not path.exists() or not path.read_text():
        if time.monotonic() > deadline:
            pytest.fail(f"{path.name} was not written: the cell did not run")
        time.sleep(0.1)
    heard: list[dict[str, Any]] = json.loads(path.read_text())
    return heard


def run_all(page: Page) -> None:
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")


def test_the_document_goes_ahead_of_each_execution(page: Page, server: Server) -> None:
    folder = server.root / "some where"
    folder.mkdir()
    sources = [LISTEN, WRITE.format(name="second.json"), "x = 'ü'  \n", WRITE.format(name="fourth.json")]
    notebook(folder / "a b.ipynb", *sources)
    page.goto(server.page("lab/tree/some%20where/a%20b.ipynb?reset"))
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
    page.locator(".jp-StatusBar-TextItem", has_text="Idle").first.wait_for()

    # All four requests are sent while the first cell, which loads us, still sleeps.
    run_all(page)
    second = told(folder / "second.json")
    expected = [[f"cell-{number}", hash16(source)] for number, source in enumerate(sources)]
    assert [message["cells"] for message in second] == [expected], "told once, before the second cell ran"
    assert second[0]["path"] == "some where/a b.ipynb"
    assert abs(second[0]["at"] / 1000 - time.time()) < 60
    assert len(told(folder / "fourth.json")) == 1, "nothing changed meanwhile"

    # A change that is not saved is told before the next execution; a deleted cell is gone.
    (folder / "second.json").unlink()
    page.locator(".jp-Notebook-cell").nth(3).click()
    page.evaluate("window.jupyterapp.commands.execute('notebook:enter-command-mode')")
    page.evaluate("window.jupyterapp.commands.execute('notebook:delete-cell')")
    page.locator(".jp-Notebook-cell").nth(2).click()
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-cell')")
    changed = told(folder / "second.json")
    assert [cell for cell, _ in changed[-1]["cells"]] == ["cell-0", "cell-1", "cell-3"]


def test_a_kernel_that_does_not_use_us_is_told_nothing(page: Page, server: Server) -> None:
    listen = LISTEN.replace("%load_ext provenote\n", "# provenote is named in words only\n")
    notebook(server.root / "plain.ipynb", listen, WRITE.format(name="plain.json"))
    page.goto(server.page("lab/tree/plain.ipynb?reset"))
    page.locator(".jp-StatusBar-TextItem", has_text="Idle").first.wait_for()
    run_all(page)
    assert told(server.root / "plain.json") == []


def test_after_a_reload_the_kernel_is_told_again(page: Page, server: Server) -> None:
    notebook(
        server.root / "again.ipynb", LISTEN, WRITE.format(name="first.json"), WRITE.format(name="again.json")
    )
    page.goto(server.page("lab/tree/again.ipynb?reset"))
    page.locator(".jp-StatusBar-TextItem", has_text="Idle").first.wait_for()
    run_all(page)
    told(server.root / "again.json")
    (server.root / "again.json").unlink()
    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    page.goto(server.page("lab/tree/again.ipynb"))
    page.locator(".jp-StatusBar-TextItem", has_text="Idle").first.wait_for()
    page.wait_for_timeout(1000)  # the answer of the kernel about its open comms
    page.locator(".jp-Notebook-cell").nth(3).click()
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-cell')")
    assert len(told(server.root / "again.json")) == 2
