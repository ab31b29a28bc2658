"""Verdicts as a widget in JupyterLab: of data, a model, many findings, and what a notebook keeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from .conftest import Server

DATA = """
import pathlib, subprocess
import numpy as np, pandas as pd
pathlib.Path("data").mkdir()
rows = pd.DataFrame({"temp": np.tile(np.linspace(0.1, 0.9, 50), 8)})
rows["hum"] = np.tile(np.linspace(0.2, 0.8, 40), 10)
rows["cnt"] = (rows.temp * 100 + rows.hum * 20).round(2)
rows.to_csv("data/bikes.csv", index=False)
rows.to_csv("data/late.csv", index=False)
for words in ("add data/bikes.csv", "add data/late.csv", "contract data/late.csv"):
    subprocess.run(["provenote", "data", *words.split()], check=True, capture_output=True)
"""
MODEL = """
import provenote
from sklearn.linear_model import LinearRegression
table = pd.read_csv("data/bikes.csv")
model = LinearRegression().fit(table[["temp", "hum"]], table.cnt)
with provenote.track("fit") as run:
    run.log_model(model, "bikes", X=table[["temp", "hum"]], y=table.cnt)
"""
TEST = """%%test bikes --on data/bikes.csv --answer cnt
check.at_least("r2", 0.9999)
check.deterministic()
check.skip("no clock in this table")
"""
CHECK = """
rows.loc[[7, 30, 90], "temp"] = 35.5
rows.to_csv("data/late.csv", index=False)
%pv data check data/late.csv
"""
MANY = """
from provenote.checks import pages
from provenote.checks.verdict import Finding, Verdict
from provenote.magics import shown
from provenote.view import Line, View
BAD = "<img src=x onerror=\\"document.body.dataset.hit='1'\\">\\x1b[31m\\u202e"
outcomes = ["passed", "failed", "passed", "not judged", "skipped"]
def made(count, first="check"):
    return Verdict("model-tests", {"model": BAD, "sha256": "ab" * 32}, tuple(
        Finding(f"{first} {at} {BAD if at % 7 == 3 else ''}", outcomes[at % 5], f"why {at} {BAD}",
                at / 3, 300.0, (at / 3 - 20, at / 3 + 20), f"Run `mend {at} {BAD}`" if at % 5 == 1 else "",
                {BAD: BAD, "rows": [{"row": at, BAD: BAD}]})
        for at in range(count)))
shown.verdicts(View([Line("two windows")], more={
    "verdicts": [("2012-10-29, act", made(2000).plain()),
                 ("2012-10-22, healthy", made(3, "older").plain())]}))
"""


def notebook(path: Path) -> Path:
    book = nbformat.v4.new_notebook()
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    sources = (f"%load_ext provenote\n{DATA}", MODEL, TEST, CHECK, MANY)
    book.cells = [nbformat.v4.new_code_cell(source.strip()) for source in sources]
    for cell in book.cells:  # a verdict that says no ends its cell, as a command would; the others go on
        cell.metadata["tags"] = ["raises-exception"]
    nbformat.write(book, path)
    return path


def names(grid: Locator) -> list[str]:
    """Return the names in sight, from top to bottom."""
    found: list[str] = grid.evaluate(
        "(grid) => [...grid.querySelectorAll('.pn-vrow')]"
        ".sort((a, b) => parseFloat(a.style.top) - parseFloat(b.style.top))"
        ".map((row) => row.querySelector('.pn-vname').textContent)"
    )
    return found


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_findings_are_filtered_sorted_opened_and_kept(
    repo: Path, page: Page, server: Server, shoot: Callable[[Page, str], None]
) -> None:
    (repo / ".git" / "info" / "exclude").write_text("*.ipynb\n.ipynb_checkpoints\n.virtual_documents\n")
    path = notebook(repo / "look.ipynb")
    page.set_viewport_size({"width": 1300, "height": 1000})
    page.goto(server.page("lab/tree/look.ipynb?reset"))
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
    page.locator(".jp-StatusBar-TextItem", has_text="Idle").first.wait_for()
    page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    page.evaluate("() => void window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.locator(".jp-CodeCell").nth(4).locator(".pn-verdict .pn-vrow").first.wait_for()
    model, data, many = (page.locator(".jp-CodeCell").nth(at).locator(".pn-verdict") for at in (2, 3, 4))

    # Data: a fault opens by a click to its rows; the head of the answer stays, its table is hidden.
    data.scroll_into_view_if_needed()
    fault = data.locator(".pn-vrow", has_text="temp").first
    fault.locator("[role=row]").first.click()
    detail = fault.locator(".pn-vdetail")
    assert detail.locator("td", has_text="35.5").count() == 3
    assert fault.locator("[aria-expanded=true]").count() == 1
    assert not page.locator(".jp-CodeCell").nth(3).locator(".pn-kept").is_visible()
    assert "not as its contract says" in page.locator(".jp-CodeCell").nth(3).locator(".pn-shown").inner_text()
    shoot(page, "verdict-data-light")

    # A model: counts by outcome, bars, the digest of its bytes, and the cell still fails.
    model.scroll_into_view_if_needed()
    told = {one.inner_text().split(" ", 1)[1] for one in model.locator(".pn-vfilters button").all()}
    assert {"1 skipped", "0 error"} <= told, told
    model.locator(".pn-vrow", has_text="at least r2").locator("[role=row]").first.click()
    assert model.locator(".pn-vrow", has_text="at least r2").locator(".pn-reach, .pn-limit").count() == 2
    model.locator("summary").click()
    assert "sha256" in model.locator("details").inner_text()
    shoot(page, "verdict-model-light")

    # Many: only what is in sight is drawn; all by the keyboard.
    many.scroll_into_view_if_needed()
    grid = many.locator("[role=grid]")
    assert grid.get_attribute("aria-rowcount") == "2001" and many.locator(".pn-vrow").count() < 60
    grid.focus()
    press(page, "End")
    page.wait_for_function("() => document.activeElement.scrollTop > 50000")
    active = many.locator(f"#{grid.get_attribute('aria-activedescendant')}")
    assert "check 1997" in active.inner_text() and many.locator(".pn-vrow").count() < 60
    press(page, "Home", "ArrowDown", "Enter")
    row = many.locator(".pn-vrow", has_text="check 6 ")
    assert "\\u001b" in row.locator(".pn-vdetail").inner_text()
    row.locator("button", has_text="Copy").click()
    row.locator("[role=status]", has_text="Copied").wait_for()
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert copied.startswith("mend 6 <img") and "\x1b" not in copied and "\u202e" not in copied
    press(page, "Escape", "ArrowLeft")
    assert many.locator(".pn-vdetail").count() == 0
    press(page, "/")
    page.keyboard.type("check 199")
    assert many.locator(".pn-end").inner_text() == "12 of 2,000 findings"
    many.locator(".pn-vfilters button", has_text="passed").click()
    many.locator(".pn-vsort", has_text="test").click()
    assert [one.split()[1] for one in names(grid)] == ["1990", "1992", "1995", "1997"]
    many.locator(".pn-vsort", has_text="test").click()
    assert [one.split()[1] for one in names(grid)] == ["1997", "1995", "1992", "1990"]
    assert many.locator("[aria-sort=descending]").inner_text().startswith("test")
    many.locator(".pn-query").fill("")
    many.locator(".pn-vfilters button", has_text="passed").click()
    many.locator("select").select_option(label="2012-10-22, healthy")
    assert many.locator(".pn-end").inner_text() == "3 findings" and names(grid)[0].startswith("older 2")
    grid.focus()
    press(page, "Enter", "d", "d", "x")
    assert page.locator(".jp-CodeCell").count() == 5, "letters do not reach the notebook"
    assert page.evaluate("() => document.body.dataset.hit") is None
    assert page.locator(".pn-verdict img").count() == 0

    many.locator("select").select_option(index=0)
    press(page, "Tab")
    grid.focus()
    press(page, "ArrowDown", "Enter")
    shoot(page, "verdict-many-light")
    page.evaluate(
        "() => void window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})"
    )
    page.wait_for_function("() => document.body.dataset.jpThemeLight === 'false'")
    shoot(page, "verdict-many-dark")
    model.scroll_into_view_if_needed()
    shoot(page, "verdict-model-dark")

    # A saved notebook holds the plain tables.
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("() => !document.querySelector('.jp-mod-dirty')")
    outputs = json.loads(path.read_text())["cells"][2]["outputs"]
    kept = outputs[0]["data"]
    assert "application/vnd.provenote.verdict+json" in kept and "<table" in "".join(kept["text/html"])
    session = page.request.get(server.page("api/sessions")).json()[0]["id"]
    page.request.delete(server.page(f"api/sessions/{session}"))
    page.goto(server.page("lab/tree/look.ipynb?reset"))
    page.locator(".pn-kept table").first.wait_for()
    page.wait_for_timeout(3000)  # the widget gives up after two seconds
    assert page.locator(".pn-kept table").first.is_visible()
    assert not any(one.is_visible() for one in page.get_by_text("model not found").all())
