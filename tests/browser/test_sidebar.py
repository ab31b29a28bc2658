"""The sidebar in a real browser: what a person sees and does."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import provenote

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

    from .conftest import Server

Shoot = Callable[["Page", str], None]


def log_runs() -> None:
    """Log runs of each kind: finished, failed, killed."""
    for depth, rmse in ((4, 71.89), (6, 64.09), (8, 61.4)):
        with provenote.track("hgb", params={"model": {"depth": depth}, "lr": 0.1}) as run:
            run.log(rmse=rmse, r2=1 - rmse / 300)
            if depth == 4:
                run.tag("baseline")
    with pytest.raises(KeyError), provenote.track("broken", params={"model": {"depth": 99}}):
        raise KeyError("depth")
    code = (
        "import os, provenote; provenote.track('gone').__enter__().log(rmse=68.07); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)


@pytest.fixture
def project(repo: Path) -> Path:
    log_runs()
    return repo


@pytest.fixture
def lab(project: Path, page: Page, server: Server) -> Page:
    """JupyterLab with the sidebar open on a project with runs."""
    open_lab(page, server)
    return page


def open_lab(page: Page, server: Server) -> None:
    page.goto(server.page("lab?reset"))
    page.locator(".jp-Launcher").wait_for()  # it takes the focus when it comes
    page.locator('.jp-SideBar [data-id="provenote-runs"]').click()
    page.locator(".pn-Title").wait_for()


def names(page: Page) -> Locator:
    return page.locator(".pn-Grid-body [role=row] .pn-Name")


def labels(page: Page) -> list[str]:
    """The names of the shown runs from top to bottom, without their unique ends."""
    rows = page.locator(".pn-Grid-body [role=row]").evaluate_all(
        "rows => rows.map(r => [Number(r.ariaRowIndex), r.querySelector('.pn-Name').textContent])"
    )
    return [name.rpartition("-")[0] for _, name in sorted(rows)]


def wait_for(check: Callable[[], bool], what: str, seconds: float = 15) -> float:
    """Wait until ``check`` holds; return how long it took."""
    start = time.monotonic()
    while not check():
        if time.monotonic() - start > seconds:
            pytest.fail(f"{what}: not within {seconds} s")
        time.sleep(0.05)
    return time.monotonic() - start


def test_it_lists_the_runs_and_shows_one(lab: Page, shoot: Shoot) -> None:
    from playwright.sync_api import expect

    expect(names(lab)).to_have_count(5)
    assert labels(lab) == ["gone", "broken", "hgb", "hgb", "hgb"], "the newest first"
    icons = lab.locator(".pn-Grid-body .pn-mod-status svg")
    titles = sorted(icons.evaluate_all("icons => icons.map(i => i.getAttribute('aria-label').split(':')[0])"))
    assert titles == ["failed", "finished", "finished", "finished", "killed"]
    row = lab.locator(".pn-Grid-body [role=row]", has_text="broken")
    expect(row.locator(".pn-Aside")).to_have_text("KeyError")
    expect(row.locator(".pn-mod-metric")).to_have_text("–")
    shoot(lab, "list")

    lab.locator(".pn-Grid-body [role=row]", has_text="61.40").click()
    details = lab.locator(".pn-Details")
    expect(details.locator("dd", has_text="finished")).to_be_visible()
    expect(details.locator("tr", has_text="model.depth")).to_contain_text("8")
    expect(details.locator("tr", has_text="rmse")).to_contain_text("61.4")
    shoot(lab, "details")
    details.get_by_title("Copy the commit").click()
    commit = lab.evaluate("navigator.clipboard.readText()")
    shown = details.locator("dt:text-is('commit') + dd code").get_attribute("title")
    assert commit == shown and len(commit) == 40
    head = subprocess.run(["git", "cat-file", "-t", commit], check=True, capture_output=True, text=True)
    assert head.stdout == "commit\n"


def test_filter_and_order(lab: Page) -> None:
    from playwright.sync_api import expect

    box = lab.locator(".pn-Filter input")
    for words, count in (("hgb", 3), ("rmse < 65", 2), ("depth=8 hgb", 1), ("killed", 1), ("keyerror", 1)):
        box.fill(words)
        expect(names(lab)).to_have_count(count)
    box.fill("no such run")
    expect(lab.get_by_text("No run matches the filter.")).to_be_visible()
    lab.get_by_role("button", name="Clear the filter").click()
    expect(names(lab)).to_have_count(5)

    metric = lab.locator("[role=columnheader].pn-mod-metric")
    lab.locator(".pn-Heading-choice").select_option("rmse")
    metric.locator(".pn-Heading-text").click()
    expect(metric).to_have_attribute("aria-sort", "ascending")
    shown = lab.locator(".pn-Grid-body .pn-mod-metric")
    assert in_order(lab, shown) == ["61.40", "64.09", "68.07", "71.89", "–"]
    metric.locator(".pn-Heading-text").click()
    expect(metric).to_have_attribute("aria-sort", "descending")
    assert in_order(lab, shown) == ["71.89", "68.07", "64.09", "61.40", "–"], "a missing value stays last"


def in_order(page: Page, cells: Locator) -> list[str]:
    pairs = cells.evaluate_all(
        "cells => cells.map(c => [Number(c.closest('[role=row]').ariaRowIndex), c.textContent])"
    )
    return [text for _, text in sorted(pairs)]


def test_a_running_run_is_seen_and_followed_without_reload(lab: Page, shoot: Shoot) -> None:
    from playwright.sync_api import expect

    expect(names(lab)).to_have_count(5)
    run = provenote.track("live").__enter__()
    row = lab.locator(".pn-Grid-body [role=row]", has_text="live")
    seen = wait_for(lambda: row.count() == 1, "a new run")
    assert row.locator("svg").first.get_attribute("aria-label") == "running"
    run.log(rmse=66.25)
    wait_for(lambda: "66.25" in row.inner_text(), "a metric")
    shoot(lab, "live")
    run.end()
    wait_for(lambda: row.locator("svg").first.get_attribute("aria-label") == "finished", "its end")
    expect(lab.locator("[aria-live=polite]", has_text="finished")).to_have_count(1)
    print(f"a new run was seen after {seen:.2f} s")


def test_keyboard(lab: Page, shoot: Shoot) -> None:
    from playwright.sync_api import expect

    expect(names(lab)).to_have_count(5)
    grid = lab.locator("[role=treegrid]")
    grid.focus()
    lab.keyboard.press("ArrowDown")
    lab.keyboard.press("ArrowDown")
    selected = lab.locator("[role=row][aria-selected=true]")
    expect(selected).to_have_attribute("aria-rowindex", "3")
    assert grid.get_attribute("aria-activedescendant") == selected.get_attribute("id")
    lab.keyboard.press("Enter")
    details = lab.locator(".pn-Details")
    expect(details).to_contain_text("broken")
    lab.keyboard.press("End")
    expect(selected).to_have_attribute("aria-rowindex", "6")
    expect(details).to_contain_text("baseline")
    shoot(lab, "keyboard")
    lab.keyboard.press("Escape")
    expect(details).to_have_count(0)
    lab.keyboard.press("Home")
    lab.keyboard.press("ArrowUp")  # to the headings
    lab.keyboard.press("Enter")
    expect(lab.locator("[role=columnheader].pn-mod-name")).to_have_attribute("aria-sort", "ascending")
    lab.keyboard.press("/")
    expect(lab.locator(".pn-Filter input")).to_be_focused()
    lab.keyboard.type("hgb")
    expect(names(lab)).to_have_count(3)
    lab.keyboard.press("Escape")
    expect(grid).to_be_focused()


def test_both_themes_are_readable(lab: Page, shoot: Shoot) -> None:
    lab.locator(".pn-Grid-body [role=row]", has_text="broken").click()
    for theme, name in (("JupyterLab Light", "light"), ("JupyterLab Dark", "dark")):
        lab.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
        light = json.dumps(name == "light")
        lab.wait_for_function(f"document.body.dataset.jpThemeLight === '{light}'")
        lab.wait_for_timeout(500)
        shoot(lab, f"theme-{name}")
        poor = [entry for entry in lab.evaluate(CONTRASTS) if entry["ratio"] < 4.5]
        assert poor == [], f"text below WCAG AA in {theme}"


CONTRASTS = """() => {
  const rgb = text => { const n = text.match(/[\\d.]+/g).map(Number); return [n[0], n[1], n[2], n[3] ?? 1]; };
  const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const linear = v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const lum = c => { const f = c.slice(0, 3).map(v => linear(v / 255));
    return .2126 * f[0] + .7152 * f[1] + .0722 * f[2]; };
  const ground = node => { const layers = [];
    for (let n = node; n; n = n.parentElement) layers.push(rgb(getComputedStyle(n).backgroundColor));
    return layers.reverse().reduce((b, a) => over(a, b), [255, 255, 255, 1]); };
  const seen = [];
  const walk = document.createTreeWalker(document.querySelector('.pn-Panel'), NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || !node.getClientRects().length) continue;
    if (node.closest('.pn-mod-unseen, option, title')) continue;
    const back = ground(node), front = over(rgb(getComputedStyle(node).color), back);
    const [a, b] = [lum(front), lum(back)].sort((x, y) => y - x);
    seen.push({ text: walk.currentNode.textContent.slice(0, 40), ratio: (a + 0.05) / (b + 0.05) });
  }
  return seen;
}"""


def test_hostile_text_stays_text(project: Path, page: Page, server: Server) -> None:
    from playwright.sync_api import expect

    with provenote.track("<img src=x onerror=alert(1)>", params={"<b>k</b>": "\u202egpj.exe\u0007"}) as run:
        run.tag("<script>alert(2)</script>")
        run.note("line\nbreak <i>x</i>")
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    open_lab(page, server)
    page.locator(".pn-Grid-body [role=row]").first.click()
    details = page.locator(".pn-Details")
    expect(details).to_contain_text("<img src=x onerror=alert(1)>")
    expect(details).to_contain_text("[U+202E]gpj.exe[U+0007]")
    assert (
        page.locator(".pn-Panel img, .pn-Panel script, .pn-Panel b:has-text('k'), .pn-Panel i").count() == 0
    )


def test_from_no_project_to_the_first_run(
    browser: Browser, tmp_path: Path, make_repo: Any, shoot: Shoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    from playwright.sync_api import expect

    from .conftest import open_page, serve

    root = tmp_path / "root"
    root.mkdir()
    with serve(root, tmp_path / "server-home") as server, open_page(browser) as page:
        open_lab(page, server)
        expect(page.locator(".pn-Empty")).to_contain_text("Not a Git repository")
        expect(page.locator(".pn-Empty code").first).to_have_text("provenote init")
        shoot(page, "no-project")
        make_repo(root / "work")
        expect(page.locator(".pn-Empty")).to_contain_text("No runs yet", timeout=15_000)
        shoot(page, "empty")
        monkeypatch.chdir(root / "work")
        with provenote.track("first"):
            pass
        expect(names(page)).to_have_count(1, timeout=15_000)
        expect(page.locator(".pn-Title")).to_contain_text("work")


def test_a_lost_server_keeps_the_list_and_says_so(lab: Page, shoot: Shoot) -> None:
    from playwright.sync_api import expect

    expect(names(lab)).to_have_count(5)
    body = json.dumps({"message": "", "what": "the index cannot be read", "mend": "Ask: `provenote doctor`"})
    lab.route("**/provenote/runs?**", lambda route: route.fulfill(status=503, body=body))
    with provenote.track("unseen"):
        pass
    say = lab.locator(".pn-Say")
    expect(say).to_contain_text("The index cannot be read. Last read", timeout=15_000)
    expect(say.locator("code")).to_have_text("provenote doctor")
    expect(names(lab)).to_have_count(5)
    shoot(lab, "failure")
    lab.unroute("**/provenote/runs?**")
    say.get_by_role("button", name="Try again").click()
    expect(names(lab)).to_have_count(6)
    expect(say).to_have_count(0)


def test_ten_thousand_runs_are_windowed(page: Page, server: Server, shoot: Shoot) -> None:
    from playwright.sync_api import expect

    rows = list(many_rows(10_000))
    answer = {"schema": 1, "rows": rows, "removed": [], "whole": True, "version": "x.1", "hidden": 3}
    answer |= {"project": {"path": "", "name": "big", "branch": "main"}, "projects": [], "problem": None}
    page.route("**/provenote/runs?**", lambda route: route.fulfill(body=json.dumps(answer)))
    open_lab(page, server)
    expect(page.locator(".pn-Count")).to_have_text("10,000")
    expect(page.locator("[role=treegrid]")).to_have_attribute("aria-rowcount", "9961")
    assert page.locator(".pn-Grid-body [role=row]").count() < 100
    shoot(page, "many")
    page.locator("[role=treegrid]").focus()
    page.keyboard.press("End")
    expect(page.locator("[aria-rowindex='9961']")).to_be_visible()
    page.locator(".pn-Filter input").fill("depth=7 m29 < 100")
    expect(page.locator("[role=treegrid]")).to_have_attribute("aria-rowcount", "87")
    page.locator(".pn-Filter input").fill("")
    page.locator(".pn-Heading-text", has_text="age").click()
    sweep = page.locator(".pn-Grid-body [role=row][aria-expanded=false]").first
    expect(sweep).to_contain_text("40 runs")
    sweep.click()
    page.keyboard.press("ArrowRight")
    page.locator("[role=treegrid]").press("ArrowRight")
    expect(page.locator("[role=treegrid]")).to_have_attribute("aria-rowcount", "10001")
    expect(page.get_by_text("3 runs are hidden.")).to_be_visible()


def many_rows(count: int) -> Iterator[dict[str, Any]]:
    """Yield runs with 30 values each; forty of them belong to the first one."""
    for index in range(count):
        metrics = {f"m{key}": index * (key + 1) / 1000 for key in range(25)} | {"m29": index % 120}
        yield {
            "id": f"{index:08x}",
            "name": f"run-{index:04x}",
            "label": "run",
            "status": "finished",
            "reason": None,
            "started": 1.7e9 + index,
            "ended": 1.7e9 + index + 5,
            "params": {"depth": index % 97, "lr": 0.1, "a": 1, "b": "x"},
            "metrics": metrics,
            "tags": [],
            "starred": index % 50 == 0,
            "notes": [],
            "archived": False,
            "linearity": ("linear", "out-of-order", "rerun", "unknown")[index % 4],
            "reproduced": None,
            "parent": "00000000" if 0 < index <= 40 else None,
            "commit": f"{index:040x}",
            "baseline": "0" * 40,
        }


def test_notebook_7(project: Path, page: Page, server: Server, shoot: Shoot) -> None:
    pytest.importorskip("notebook", reason="no Notebook 7: `pip install notebook`")
    from playwright.sync_api import expect

    page.goto(server.page("tree"))
    page.get_by_role("menuitem", name="View").click()
    page.locator('.lm-Menu-item[data-command="provenote:show-runs"]').click()
    expect(names(page)).to_have_count(5)
    shoot(page, "notebook-7")


@pytest.mark.parametrize("path", ["provenote/runs", "provenote/runs/abc"])
def test_only_signed_in_users_are_answered(server: Server, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(server.url + path)
