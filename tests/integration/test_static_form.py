"""What a saved notebook keeps of `%runs` when no front end waits for a widget: table and picture, offline."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import kernels
import pytest

import provenote

HOSTILE = '<img src="http://evil.example/x.png"><script>alert(1)</script>\x1b[31m'


@pytest.fixture
def runs(repo: Path) -> Path:
    for depth, rmse in ((4, 71.9), (6, 66.2), (8, 61.4)):
        with provenote.track("hgb", params={"depth": depth, "loss": "poisson"}) as run:
            for step in range(4):
                run.log(rmse=rmse + 9 / (step + 1), step=step)
            run.log(r2=1 - rmse / 400)
    (repo / ".gitignore").write_text("*.ipynb\n*.html\n")
    return repo


def body(outputs: list[dict]) -> str:
    return "".join("".join(output.get("data", {}).get("text/html", "")) for output in outputs)


def outside(html: str) -> list[str]:
    """Return what a page would load from elsewhere."""
    return re.findall(r"<(?:script|link|iframe)\b[^>]*|(?:src|href)=\"(?!data:)[^\"#][^\"]*", html)


def convert(*arguments: str, cwd: Path) -> None:
    command = [sys.executable, "-m", "jupyter", "nbconvert", *arguments]
    subprocess.run(command, cwd=cwd, check=True, capture_output=True, timeout=300)


def test_nbconvert_keeps_table_and_picture_in_one_bundle(runs):
    kernels.notebook(runs / "look.ipynb", "%load_ext provenote", "%runs")
    convert("--execute", "--to", "notebook", "--output", "done", "look.ipynb", cwd=runs)
    saved = json.loads((runs / "done.ipynb").read_text())
    (output,) = saved["cells"][1]["outputs"]
    assert sorted(output["data"]) == ["text/html", "text/plain"]
    html = body([output])
    names = [row.name for row in kernels.finished("hgb")]
    assert len(names) == 3
    assert "<table" in html and all(name in html for name in names)
    assert html.count("data:image/png;base64,") == 2  # curves, and values over parameters
    assert 'alt="rmse by step: ' in html and "3 runs as lines over depth" in html
    assert outside(html) == []
    assert all(name in "".join(output["data"]["text/plain"]) for name in names)

    convert("--to", "html", "done.ipynb", cwd=runs)
    page = (runs / "done.html").read_text()
    assert all(name in page for name in names)
    for picture in re.findall(r'src="(data:image/png;base64,[^"]+)"', html):
        assert picture in page
    assert "widget-view" not in page


def test_papermill_keeps_them_too_and_a_browser_without_a_network_shows_them(runs):
    first, *_, last = (row.name for row in kernels.finished("hgb"))
    kernels.notebook(runs / "look.ipynb", "%load_ext provenote", "%runs", f"%compare {first} {last}")
    command = [sys.executable, "-m", "papermill", "look.ipynb", "done.ipynb", "--no-progress-bar"]
    subprocess.run(command, cwd=runs, check=True, capture_output=True, timeout=300)
    saved = json.loads((runs / "done.ipynb").read_text())
    for cell in saved["cells"]:
        kinds = {kind for output in cell["outputs"] for kind in output.get("data", {})}
        assert kinds <= {"text/html", "text/plain"}, "no widget that nobody could show"
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium: `apt-get install chromium`")
    convert("--to", "html", "done.ipynb", cwd=runs)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(offline=True)
        page = context.new_page()
        page.goto((runs / "done.html").as_uri())
        pictures = page.evaluate(
            "() => [...document.querySelectorAll('.jp-OutputArea img')].map((image) => image.naturalWidth)"
        )
        tables = page.locator(".jp-OutputArea table").count()
        text = page.locator(".jp-OutputArea").all_inner_texts()
        browser.close()
    assert len(pictures) >= 3 and all(pictures) and tables >= 3
    assert first in " ".join(text) and last in " ".join(text)


def test_compare_keeps_its_pictures_too(runs):
    first, *_, last = (row.name for row in kernels.finished("hgb"))
    with kernels.Kernel() as kernel:
        kernel.run("%load_ext provenote")
        (output,) = (o for o in kernel.run(f"%compare {first} {last}")["outputs"] if "data" in o)
    html = body([output])
    assert "<table" in html and first in html and last in html
    assert "data:image/png" in html
    assert outside(html) == []


def test_a_query_without_a_match_has_no_picture(runs):
    with kernels.Kernel() as kernel:
        kernel.run("%load_ext provenote")
        html = body(kernel.run("%runs depth > 99")["outputs"])
    assert "No run matches" in html and "data:image/png" not in html


def test_a_long_table_is_cut_and_says_so(repo):
    with provenote.track("many", params={"i": 0}) as run:
        run.log(loss=1.0)
    multiply(repo, str(run.commit), 230)
    with kernels.Kernel() as kernel:
        kernel.run("%load_ext provenote")
        html = body(kernel.run("%runs --limit 231 --sort loss")["outputs"])
    assert html.count("<tr>") == 201  # with the headings
    assert "31 more rows not shown here" in html


def test_hostile_names_stay_words(repo):
    for value in (1, 2):
        with provenote.track(HOSTILE, params={HOSTILE: value, "plain": value}) as run:
            run.log({HOSTILE: float(value), "$x^2$ loss": 1.5 * value})
    with kernels.Kernel() as kernel:
        kernel.run("%load_ext provenote")
        html = body(kernel.run("%runs")["outputs"])
    assert "data:image/png" in html
    assert "<script" not in html and 'src="http' not in html and "\x1b" not in html


def test_an_error_is_one_line(runs):
    with kernels.Kernel() as kernel:
        kernel.run("%load_ext provenote")
        reply = kernel.run("%runs rmse <")
    assert reply["status"] == "error"
    assert "Traceback" not in json.dumps(reply["outputs"])


def test_a_job_that_asks_for_runs_gets_them_with_the_picture(runs):
    with kernels.Kernel(PROVENOTE_DOC="x") as kernel:
        kernel.run("%load_ext provenote", "c0")
        outputs = kernel.run("%runs", "c1")["outputs"]
    assert "data:image/png" in body(outputs)
    assert not any("widget-view" in kind for output in outputs for kind in output.get("data", {}))


def multiply(folder: Path, commit: str, count: int) -> None:
    """Make runs like an existing one, each with its own id."""
    baseline = git("rev-parse", f"{commit}^", cwd=folder).strip()
    document = json.loads(git("show", f"{commit}:provenote/run.json", cwd=folder))
    tree = git("rev-parse", f"{commit}^{{tree}}", cwd=folder).strip()
    message = git("log", "-1", "--format=%B", commit, cwd=folder)
    stream = []
    for number in range(count):
        text = json.dumps({**document, "id": f"{number:016x}", "params": {"i": number}})
        stream.append(f"commit refs/exps/{baseline[:2]}/{baseline[2:]}/run-{number:04}\n")
        stream.append(f"committer T <t@example.org> {1_700_000_000 + number} +0000\n")
        stream.append(f"data {len(message.encode())}\n{message}from {baseline}\nM 040000 {tree} \n")
        stream.append(f"M 100644 inline provenote/run.json\ndata {len(text.encode())}\n{text}\n")
    command = ["git", "fast-import", "--quiet", "--done"]
    subprocess.run(command, cwd=folder, check=True, input="".join([*stream, "done\n"]).encode())


def git(*arguments: str, cwd: Path) -> str:
    return subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True, text=True).stdout
