"""`%runs` and `%compare` as widgets in JupyterLab and Notebook 7, and what a saved notebook keeps of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

import provenote

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from .conftest import Server

RUNS = [
    ("poisson", 8, 61.40, True),
    ("poisson", 4, 63.28, True),
    ("poisson", 6, "NaN", False),
    ("squared", 6, 66.21, True),
    ("squared", 10, 87.65, True),
    ("squared", 8, None, False),
    ("poisson", 10, 64.54, True),
]
COUNT = ".pn-bar .pn-end"
ROW = ".pn-space .pn-gr"


@pytest.fixture
def notebook(repo: Path) -> Path:
    """Make runs, and a notebook that shows them."""
    (repo / ".git" / "info" / "exclude").write_text("*.ipynb\n.ipynb_checkpoints\n.virtual_documents\n")
    for number, (loss, depth, rmse, curve) in enumerate(RUNS):
        with provenote.track(f"r{number}", params={"loss": loss, "depth": depth, "leaf": 20}) as run:
            for step in range(12 if curve else 0):
                run.log(rmse=float(rmse or 0) + 40 / (step + 1), step=step)
            if rmse is not None:
                run.log(rmse=float(rmse))
            run.log(bias=number - 3.0)
    return write(repo / "look.ipynb", "%load_ext provenote", "%runs")


def write(path: Path, *sources: str) -> Path:
    book = nbformat.v4.new_notebook()
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    book.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(book, path)
    return path


def run_all(page: Page, server: Server, name: str = "look.ipynb") -> None:
    """Open a notebook in JupyterLab, run it, and wait for the table and its plots."""
    page.goto(server.page(f"lab/tree/{name}?reset"))
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
    page.locator(".jp-StatusBar-TextItem", has_text="Idle").first.wait_for()
    page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    page.evaluate("() => void window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.locator(ROW).first.wait_for()
    page.locator(".parcoords .axis-brush").first.wait_for()


def names(page: Page) -> list[str]:
    """Return the labels of the runs in the table, from top to bottom."""
    found: list[str] = page.evaluate(
        "() => [...document.querySelectorAll('.pn-space .pn-gr[data-run]')]"
        ".map((row) => row.children[1].textContent.replace(/^\\W/, '').split('-')[0])"
    )
    return found


def until(page: Page, wanted: list[str]) -> None:
    """Wait until the table shows these runs."""
    page.wait_for_function(
        "(wanted) => JSON.stringify([...document.querySelectorAll('.pn-space .pn-gr[data-run]')]"
        ".map((row) => row.children[1].textContent.replace(/^\\W/, '').split('-')[0])) === wanted",
        arg=json.dumps(wanted, separators=(",", ":")),
    )


def heading(page: Page, text: str) -> Any:
    return page.locator(".pn-ghead [role=columnheader]", has_text=text)


def line(page: Page, label: str) -> Any:
    return page.locator(ROW, has_text=f"{label}-")


def traces(page: Page, place: int) -> dict[str, Any]:
    """Return a trace as the figure draws it."""
    found: dict[str, Any] = page.evaluate(
        "(place) => { const t = document.querySelectorAll('.js-plotly-plot')[0].data[place];"
        " return {color: t.marker && [...t.marker.color], symbol: t.marker && [...t.marker.symbol],"
        " text: t.text && [...t.text], line: t.line && [...t.line.color]}; }",
        place,
    )
    return found


@pytest.fixture
def outside(page: Page, server: Server) -> list[str]:
    """Collect what the page asks of anyone but our server."""
    found: list[str] = []
    own = server.url.split("/user/")[0].split("://")[1]
    page.on(
        "request",
        lambda each: found.append(each.url) if each.url.startswith("http") and own not in each.url else None,
    )
    return found


def test_sort_filter_group_select_and_plots_that_follow(
    page: Page, server: Server, notebook: Path, outside: list[str], shoot: Callable[[Page, str], None]
) -> None:
    run_all(page, server)
    until(page, ["r6", "r5", "r4", "r3", "r2", "r1", "r0"])
    assert page.locator(COUNT).inner_text() == "7 of 7 runs"
    heads = page.locator(".pn-ghead [role=columnheader]").all_inner_texts()
    assert heads[1:] == ["run", "age", "depth", "loss", "rmse ↓", "bias →0"]  # leaf is the same in all

    # NaN and "has none" stay last in both directions; Shift adds a second key.
    heading(page, "rmse").click()
    until(page, ["r0", "r1", "r6", "r3", "r4", "r2", "r5"])
    assert heading(page, "rmse").get_attribute("aria-sort") == "ascending"
    heading(page, "rmse").click()
    until(page, ["r4", "r3", "r6", "r1", "r0", "r2", "r5"])
    heading(page, "loss").click()
    heading(page, "depth").click(modifiers=["Shift"])
    until(page, ["r1", "r2", "r0", "r6", "r3", "r5", "r4"])
    assert line(page, "r2").locator("[role=gridcell]").nth(5).inner_text() == "NaN"
    assert line(page, "r5").locator("[role=gridcell]").nth(5).inner_text() == "–"

    # A query that cannot be read says so, and the old rows stay.
    page.locator(".pn-query").fill("rmse <")
    page.locator(".pn-oops", has_text="query, column").wait_for()
    assert len(names(page)) == 7
    page.locator(".pn-query").fill("rmse < 65")
    until(page, ["r1", "r0", "r6"])
    assert page.locator(".pn-oops").inner_text() == ""
    assert page.locator(COUNT).inner_text() == "3 of 7 runs"
    page.locator(".pn-query").fill("")
    until(page, ["r1", "r2", "r0", "r6", "r3", "r5", "r4"])

    # All columns, and back.
    page.locator(".pn-btn", has_text="Only changed").click()
    heading(page, "leaf").wait_for()
    page.locator(".pn-btn", has_text="Only changed").click()
    heading(page, "leaf").wait_for(state="detached")

    # The same run has the same colour in table, lines, points and curves.
    line(page, "r0").locator(".pn-pick").click()
    line(page, "r3").locator(".pn-pick").click()
    page.wait_for_function(
        "() => document.querySelectorAll('.js-plotly-plot')[0].data[1].marker.symbol.includes('square')"
    )
    points = traces(page, 1)
    chosen = {points["text"][i].split("-")[0]: (points["symbol"][i], points["color"][i]) for i in range(5)}
    assert chosen["r0"] == ("circle", "#0b62a8") and chosen["r3"] == ("square", "#bd4b00")
    assert chosen["r1"][0] == "circle-open"
    assert sorted(traces(page, 0)["line"]) == [0, 0, 0, 1, 2]
    page.wait_for_function(
        "() => { const all = document.querySelectorAll('.js-plotly-plot'); return all.length === 2"
        " && all[1].data.filter((t) => t.visible).map((t) => t.name.split('-')[0] + t.line.color).join()"
        " === 'r0#0b62a8,r3#bd4b00'; }"
    )
    assert line(page, "r0").get_attribute("aria-selected") == "true"
    shoot(page, "runs-selected")

    # Smoothing keeps the raw line, faint, beside the smooth one.
    page.locator(".widget-slider .noUi-handle").press("ArrowRight")
    page.wait_for_function(
        "() => document.querySelectorAll('.js-plotly-plot')[1].data.filter((t) => t.visible).length === 4"
    )

    # A brush on an axis filters the table.
    box = page.evaluate(
        "() => [...document.querySelectorAll('.parcoords .axis-brush')].map((e) => e.getBoundingClientRect())"
        ".map((b) => [b.x + b.width / 2, b.y, b.height]).sort((a, b) => b[0] - a[0])[0]"
    )
    x, y, high = box  # the axis at the right: rmse
    page.mouse.move(x, y + high * 0.995)
    page.mouse.down()
    page.mouse.move(x, y + high * 0.9, steps=4)
    page.mouse.move(x, y + high * 0.75, steps=4)
    page.mouse.up()
    until(page, ["r1", "r0", "r6", "r3"])
    assert "inside the brush" in page.locator(".pn-under").inner_text()
    shoot(page, "runs-brushed")
    page.mouse.click(x, y + high * 0.4)
    until(page, ["r1", "r2", "r0", "r6", "r3", "r5", "r4"])

    # A lasso in the scatter selects.
    drag = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
    assert drag is not None
    left, top, right, below = (
        drag["x"] + 2,
        drag["y"] + 2,
        drag["x"] + drag["width"] - 2,
        drag["y"] + drag["height"] - 2,
    )
    page.mouse.move(left, top)
    page.mouse.down()
    for corner in ((right, top), (right, below), (left, below), (left, top)):
        page.mouse.move(*corner, steps=6)
    page.mouse.up()
    page.locator(COUNT, has_text="5 selected").wait_for()

    # Groups: mean, spread, count; a group opens.
    page.locator("select.pn-btn").select_option("params.loss")
    page.locator(f"{ROW}[aria-expanded]", has_text="squared").wait_for()
    assert page.locator(COUNT).inner_text().startswith("2 groups of 7 runs")
    cells = (
        page.locator(f"{ROW}[aria-expanded]", has_text="poisson").locator("[role=gridcell]").all_inner_texts()
    )
    assert cells[1:5] == ["poisson", "4", "63.07", "± 1.58"]
    page.locator(f"{ROW}[aria-expanded]", has_text="poisson").locator(".pn-caret").click()
    page.locator(f"{ROW}[data-run]").nth(3).wait_for()
    assert page.locator(f"{ROW}[aria-expanded]", has_text="poisson").get_attribute("aria-expanded") == "true"
    shoot(page, "runs-grouped")
    assert outside == []


def test_the_keyboard_does_all_and_nothing_reaches_the_notebook(
    page: Page, server: Server, notebook: Path, shoot: Callable[[Page, str], None]
) -> None:
    run_all(page, server)
    until(page, ["r6", "r5", "r4", "r3", "r2", "r1", "r0"])
    grid = page.locator("[role=grid]")
    assert grid.get_attribute("tabindex") == "0" and grid.get_attribute("aria-multiselectable") == "true"
    grid.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    assert line(page, "r5").get_attribute("aria-selected") == "true"
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Shift+ArrowDown")
    page.locator(COUNT, has_text="3 selected").wait_for()
    page.keyboard.press("b")  # keeps the run under the cursor on top
    until(page, ["r3", "r6", "r5", "r4", "r2", "r1", "r0"])
    page.keyboard.press("Control+a")
    page.locator(COUNT, has_text="7 selected").wait_for()
    page.keyboard.press("Escape")
    page.wait_for_function("() => !document.querySelector('.pn-board [aria-selected=true]')")

    # To a heading, and sort by it.
    page.keyboard.press("Control+Home")
    page.keyboard.press("ArrowUp")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    until(page, ["r3", "r0", "r1", "r6", "r4", "r2", "r5"])  # the run on top stays there
    active = grid.get_attribute("aria-activedescendant")
    assert page.locator(f"#{active}").inner_text().startswith("rmse")

    # To the query and back; letters reach neither the notebook nor its commands.
    page.keyboard.press("/")
    page.keyboard.type("depth > 6")
    until(page, ["r3", "r0", "r6", "r4", "r5"])
    page.keyboard.press("Escape")
    assert page.evaluate("() => document.activeElement.getAttribute('role')") == "grid"
    for key in ("x", "a", "d", "d", "m", "s"):
        page.keyboard.press(key)
    assert page.locator(".jp-CodeCell").count() == 2


def test_a_run_that_goes_on_and_ends_is_seen(page: Page, server: Server, notebook: Path) -> None:
    run_all(page, server)
    until(page, ["r6", "r5", "r4", "r3", "r2", "r1", "r0"])
    with provenote.track("live", params={"loss": "poisson", "depth": 3, "new": "key"}) as run:
        run.log(rmse=70.5, step=0)
        until(page, ["live", "r6", "r5", "r4", "r3", "r2", "r1", "r0"])
        assert "running" in line(page, "live").inner_text()
        run.log(rmse=50.25, step=1)
        page.wait_for_function("() => document.querySelector('.pn-space .pn-gr').innerText.includes('50.25')")
    page.wait_for_function("() => !document.querySelector('.pn-space .pn-run')")
    assert page.locator(COUNT).inner_text() == "8 of 8 runs"


def test_a_saved_notebook_shows_table_and_picture_without_its_kernel(
    page: Page, server: Server, notebook: Path, shoot: Callable[[Page, str], None]
) -> None:
    run_all(page, server)
    page.locator(".pn-kept img").first.wait_for(state="attached")
    assert not page.locator(".pn-kept table").is_visible()  # while the widget lives
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("() => !document.querySelector('.jp-mod-dirty')")
    outputs = json.loads(notebook.read_text())["cells"][1]["outputs"]
    kept = outputs[0]["data"]
    assert sorted(kept) == ["text/html", "text/plain"]
    html = "".join(kept["text/html"])
    assert "<table" in html and html.count("data:image/png;base64,") == 2

    page.request.delete(server.page(f"api/sessions/{session(page, server)}"))
    page.goto(server.page("lab/tree/look.ipynb?reset"))
    page.locator(".pn-kept table").wait_for()
    page.wait_for_timeout(3000)  # the widget gives up after two seconds
    assert page.locator(".pn-kept table").is_visible()
    assert page.locator(".pn-kept img").first.is_visible()
    assert not page.get_by_text("model not found").is_visible()
    shoot(page, "runs-kept")


def session(page: Page, server: Server) -> str:
    found: str = page.request.get(server.page("api/sessions")).json()[0]["id"]
    return found


def test_in_notebook_7(
    page: Page, server: Server, notebook: Path, shoot: Callable[[Page, str], None]
) -> None:
    page.goto(server.page("notebooks/look.ipynb"))
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
    page.locator(".jp-CodeCell .cm-content").first.click()
    page.keyboard.press("Shift+Enter")
    page.wait_for_function(
        "() => document.querySelector('.jp-InputPrompt').textContent.trim() === '[1]:'"
    )  # the kernel is there
    page.keyboard.press("Shift+Enter")
    page.locator(ROW).first.wait_for()
    page.locator(".parcoords .axis-brush").first.wait_for()
    until(page, ["r6", "r5", "r4", "r3", "r2", "r1", "r0"])
    heading(page, "rmse").click()
    until(page, ["r0", "r1", "r6", "r3", "r4", "r2", "r5"])
    page.locator(".pn-query").fill("loss == squared")
    until(page, ["r3", "r4", "r5"])
    shoot(page, "runs-notebook-7")


def test_hostile_names_are_words(page: Page, server: Server, notebook: Path) -> None:
    hostile = "<img src=x onerror=\"document.body.dataset.hit='1'\">"
    for value in (1, 2):
        with provenote.track(hostile, params={hostile: value, "$x^2$": hostile * 8}) as run:
            run.log({hostile: float(value), "rmse": 3.0 * value})
    run_all(page, server)
    page.locator("button", has_text="Metric curves").click()
    page.locator(".pn-pick").first.click()
    page.locator("select.pn-btn").select_option(index=1)
    page.wait_for_timeout(1500)
    assert page.evaluate("() => document.body.dataset.hit") is None
    assert page.locator(".pn-board img, .pn-plots img").count() == 0


def test_compare_with_its_plots_and_what_is_the_same(
    page: Page, server: Server, notebook: Path, outside: list[str], shoot: Callable[[Page, str], None]
) -> None:
    write(notebook, "%load_ext provenote", "%compare r0 r3 r4")
    page.goto(server.page("lab/tree/look.ipynb?reset"))
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
    page.locator(".jp-StatusBar-TextItem", has_text="Idle").first.wait_for()
    page.evaluate("() => void window.jupyterapp.commands.execute('notebook:run-all-cells')")
    widget = page.locator(".pn-shown")
    page.locator(".parcoords .axis-brush").first.wait_for()
    assert "Parameters, 2 differ" in widget.inner_text() and "leaf" not in widget.inner_text()
    assert not page.locator(".pn-kept table").first.is_visible()
    widget.locator("button", has_text="Hide identical").click()
    widget.locator("th", has_text="leaf").wait_for()
    shoot(page, "compare")
    assert outside == []
