"""The page of a review in a real Chromium: it lies as it should, can be read, and nothing in it acts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import review_world

from provenote import cli, workspace
from provenote.commands.tree import Context
from provenote.reviews import desk
from provenote.reviews import page as reviewing
from provenote.reviews.threads import Thread
from provenote.stores import keys

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from .conftest import Server

WOUNDED = "window.wounds = []; window.hacked = wound => window.wounds.push(wound)"

# Each text that is seen with too little contrast to its ground: 4.5, of a mark 3 (WCAG 2.2, 1.4.3, 1.4.11).
CONTRAST = """() => {
  const parse = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = element => {
    for (let one = element; one; one = one.parentElement) {
      const color = parse(getComputedStyle(one).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility() || /STYLE|SCRIPT/.test(element.tagName)) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const least = element.matches('.pn-m') ? 3 : 4.5;
    if (ratio < least) found.push(`${ratio.toFixed(2)} ${element.className} ${node.data.slice(0, 40)}`);
  }
  return found;
}"""

# Threads that lie over each other, or beside a line that is not theirs.
MISPLACED = """() => {
  const box = element => element.getBoundingClientRect();
  const cards = [...document.querySelectorAll('.pn-rc .pn-th')];
  const found = [];
  for (const [at, card] of cards.entries()) {
    const next = cards[at + 1];
    if (next && box(next).top < box(card).bottom) found.push(`${next.id} lies over ${card.id}`);
    const badge = document.querySelector(`.pn-rc a[href="#${card.id}"]`);
    if (!badge) { found.push(`${card.id} has no badge`); continue; }
    if (box(card).left < box(badge).right) found.push(`${card.id} is not in the margin`);
    const above = at && box(cards[at - 1]).bottom + 8;
    const wanted = Math.max(box(badge.closest('.pn-r,.pn-rk,.pn-rh')).top, above);
    if (Math.abs(box(card).top - wanted) > 28) found.push(`${card.id} is ${box(card).top - wanted} off`);
  }
  return found;
}"""


@contextmanager
def opened(browser: Browser, path: Path, *, width: int, scheme: str) -> Iterator[Page]:
    """Open a file and fail on anything that it does beyond being read."""
    scheme_name = "dark" if scheme == "dark" else "light"
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme_name)
    page = context.new_page()
    page.add_init_script(WOUNDED)
    done: list[str] = []
    page.on("console", lambda line: done.append(f"console: {line.text}"))
    page.on("pageerror", lambda error: done.append(f"error: {error}"))
    page.on("request", lambda request: done.append(f"request: {request.url[:200]}"))
    page.on("popup", lambda other: done.append(f"popup: {other.url}"))
    page.on("download", lambda file: done.append(f"download: {file.url}"))

    def dismiss(dialog: object) -> None:
        done.append(f"dialog: {dialog}")
        dialog.dismiss()  # type: ignore[attr-defined]

    page.on("dialog", dismiss)
    try:
        page.goto(path.as_uri())
        yield page
        page.wait_for_timeout(200)
        assert page.evaluate("window.wounds") == []
        assert page.url.split("#")[0] == path.as_uri()
        assert len(page.frames) == 1
        own = f"request: {path.as_uri()}"
        assert [one for one in done if one != own and not one.startswith("request: data:image/")] == []
    finally:
        context.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the pages, and the blocks as a notebook of either theme would hold them."""
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name, made in (("sample", review_world.sample()), ("hostile", review_world.hostile())):
        forms = {name: reviewing.write(*made)}
        for theme in ("light", "dark"):
            # A notebook has no Content-Security-Policy of ours, and decides the theme itself.
            body = f'<body data-jp-theme-light="{str(theme == "light").lower()}">'
            forms[f"{name}-block-{theme}"] = f'<!doctype html><meta charset="utf-8">{body}' + reviewing.block(
                *made
            )
        for form, text in forms.items():
            found[form] = folder / f"{form}.html"
            found[form].write_text(text, encoding="utf-8")
    return found


def shoot(page: Page, name: str, *, whole: bool = True) -> None:
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=whole)


def test_nothing_in_a_hostile_notebook_acts(browser: Browser, files: dict[str, Path]) -> None:
    for name in ("hostile", "hostile-block-light"):
        with opened(browser, files[name], width=1300, scheme="light") as page:
            page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
            for link in page.query_selector_all("a")[:20]:
                link.evaluate("element => element.click()")
            page.mouse.move(400, 300)
            page.wait_for_timeout(300)
            assert (
                page.evaluate("document.querySelectorAll('iframe,object,embed,form,link,base').length") == 0
            )
            scripts = page.evaluate("[...document.scripts].map(one => one.textContent.length)")
            assert len(scripts) == (name == "hostile")
            # Its styles escape from nothing, and 300 characters without a space widen nothing.
            assert page.locator(".pn-r1").is_visible() and page.locator(".pn-rc").first.is_visible()
            assert page.evaluate("document.documentElement.scrollWidth") <= 1300
            shoot(page, f"review-{name}", whole=False)
    # Were a script in it all the same, the page's own policy would not let it run.
    text = (
        files["hostile"].read_text(encoding="utf-8").replace("</main>", "<script>hacked(0)</script></main>")
    )
    broken = files["hostile"].with_name("broken.html")
    broken.write_text(text, encoding="utf-8")
    told = pytest.raises(AssertionError, match="Content Security Policy")
    with told, opened(browser, broken, width=800, scheme="light") as page:
        assert page.evaluate("window.wounds") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_threads_stand_beside_their_lines_and_all_words_can_be_read(
    browser: Browser, files: dict[str, Path], scheme: str
) -> None:
    with opened(browser, files["sample"], width=1400, scheme=scheme) as page:
        assert page.evaluate(MISPLACED) == []
        for width in (1400, 1080, 640):  # beside, beside and narrower, below each other
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_timeout(50)
            shoot(page, f"review-{scheme}-{width}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("getComputedStyle(document.querySelector('.pn-rc .pn-th')).float") == "none"
        page.set_viewport_size({"width": 1400, "height": 900})
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert page.evaluate(CONTRAST) == []
    name = f"sample-block-{scheme}"
    other = "light" if scheme == "dark" else "dark"  # the notebook's theme counts, not the reader's
    with opened(browser, files[name], width=1100, scheme=other) as page:
        assert page.evaluate(CONTRAST) == []
        grounds = page.evaluate("getComputedStyle(document.querySelector('.pn')).backgroundColor")
        assert grounds == ("rgb(33, 33, 33)" if scheme == "dark" else "rgb(255, 255, 255)")
        shoot(page, f"review-block-{scheme}")


def test_keys_go_from_change_to_thread_and_back(browser: Browser, files: dict[str, Path]) -> None:
    with opened(browser, files["sample"], width=1400, scheme="light") as page:
        seen = []
        for key in ("j", "]", "j", "k", "["):
            page.keyboard.press(key)
            seen.append(page.evaluate("document.activeElement.id"))
        assert seen == ["r-t1", "r-c3", "r-t2", "r-c3", "r-t1"]
        page.keyboard.press("Control+j")
        assert page.evaluate("document.activeElement.id") == "r-t1"
        page.locator('nav a[href="#r-t3"]').click()  # a resolved thread, folded in the margin
        assert page.evaluate("location.hash") == "#r-t3"
        assert page.locator("#r-t3 summary").is_visible()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
        page.keyboard.press("Enter")
        assert page.locator("#r-t3 .pn-tc").is_visible()


# ---------------------------------------------------------------------- in JupyterLab


@pytest.fixture
def reviewed(repo: Path, home: Path, tmp_path: Path) -> Path:
    """Put a notebook under review that has one thread, and make the key that the kernel signs with."""
    key = home / ".ssh" / "id_ed25519"
    keys.make(key, "test")
    shutil.copytree(key.parent, tmp_path / "server-home" / ".ssh", dirs_exist_ok=True)
    (repo / ".git" / "info" / "exclude").write_text("look.ipynb\n.ipynb_checkpoints\n.virtual_documents\n")
    _, base, head = review_world.sample()
    for content, branch in ((base, "main"), (head, "tune")):
        git(repo, "checkout", "-q", *(["-b"] if branch == "tune" else []), branch)
        (repo / "train.ipynb").write_bytes(content)
        git(repo, "add", "train.ipynb")
        git(repo, "commit", "-q", "-m", branch)
    say("start", "train.ipynb", "--branch", "tune", "--title", "Tuning")
    say("comment", "Tuning", "Do they earn their place?", "--cell", "3", "--line", "2")
    say("suggest", "Tuning", "--cell", "4", "--source", "save(model, 'here')")
    cells = [
        review_world.cell(f"look-{n}", text) for n, text in enumerate(("%load_ext provenote", "%review show"))
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    book = {"cells": [{**one, "execution_count": None} for one in cells], "metadata": kernel}
    (repo / "look.ipynb").write_text(json.dumps({**book, "nbformat": 4, "nbformat_minor": 5}))
    return repo


def git(repo: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=repo, check=True)


def say(*words: str) -> None:
    cli.run(["review", *words], Context(face="terminal"))


def threads() -> tuple[Thread, ...]:
    """Return what the branch holds, as another clone would read it."""
    here = desk.read(workspace.find())
    return here.review(here.find("Tuning")).threads


def test_a_person_speaks_from_a_cell_and_the_saved_notebook_keeps_the_page(
    reviewed: Path, page: Page, server: Server
) -> None:
    page.goto(server.page("lab/tree/look.ipynb?reset"))
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
    page.locator(".jp-StatusBar-TextItem", has_text="Idle").first.wait_for()
    page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    page.evaluate("() => void window.jupyterapp.commands.execute('notebook:run-all-cells')")
    shown = page.locator(".pn-shown")
    shown.locator("article.pn-open").nth(1).wait_for()
    assert page.locator(".pn-kept article").first.is_hidden()  # no page twice while the widget lives
    thread, cell = (shown.get_by_label(name, exact=True) for name in ("Thread", "on"))
    text = shown.locator("textarea")

    def press(name: str) -> None:
        shown.get_by_role("button", name=name).click()

    press("Open thread")  # nothing was written
    shown.get_by_text("there is nothing to say yet").wait_for()
    cell.select_option(label="cell 6: model = Regressor(")
    shown.get_by_placeholder("line").fill("2")
    text.fill("<b>Why</b> `poisson`?")
    press("Open thread")
    shown.locator("article", has_text="<b>Why</b> poisson?").wait_for()
    thread.select_option(index=1)
    text.fill("They do.")
    press("Reply")
    shown.locator("article", has_text="They do.").wait_for()
    press("Resolve")
    shown.locator("article.pn-resolved").wait_for()
    shoot(page, "review-lab")
    first, other, last = threads()
    assert [one.text for one in first.comments] == ["Do they earn their place?", "They do."]
    assert (first.state, other.state, last.state) == ("resolved", "open", "open")
    assert (last.place.cell, last.place.line, last.comments[0].text) == (5, 1, "<b>Why</b> `poisson`?")
    press("Open again")
    shown.locator("article.pn-open").nth(2).wait_for()
    thread.select_option(index=2)
    press("Apply to the notebook file")
    shown.get_by_text("cell 4 of train.ipynb has the source that test suggests").wait_for()
    cells = json.loads((reviewed / "train.ipynb").read_text())["cells"]
    assert "".join(cells[3]["source"]) == "save(model, 'here')"

    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.locator(".jp-mod-dirty").wait_for(state="detached")
    saved = (reviewed / "look.ipynb").read_text()
    assert "They do." in saved and saved.count("pn-th pn-open") == 3
