"""``report``: one offline file, HTML or Markdown, in which nothing acts and that replaces nothing."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser

import mistune
import pytest

import provenote
from provenote.cli import main

HOSTILE = '<script>alert(1)</script>\x1b[31m\u202e|`x`[a](javascript:alert(1))@you"' + "'" + "n" * 300


class Page(HTMLParser):
    """Collects what a page would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.acts: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "srcset", "action", "data") and not (value or "").startswith(
                "data:image/"
            ):
                self.loads.append(f"{tag} {name}={value}")
            if name.startswith("on") or (value or "").lower().strip().startswith("javascript:"):
                self.acts.append(f"{tag} {name}={value}")


def read(path):
    page = Page()
    text = path.read_text(encoding="utf-8")
    page.feed(text)
    return text, page


def shell(capsys, *words):
    status = main(words)
    out, err = capsys.readouterr()
    return status, out, err


def log(label="hgb", params=None, points=3, **metrics):
    with provenote.track(label) as run:
        run.log_params(params or {})
        for step in range(points):
            run.log({key: value + 1 / (step + 1) for key, value in metrics.items()}, step=step)
    return run.name


@pytest.fixture
def runs(repo):
    return [
        log(params={"depth": depth, "seed": 0}, rmse=rmse)
        for depth, rmse in ((6, 71.0), (8, 61.0), (4, 66.0))
    ]


def test_a_page_tells_of_the_runs_and_loads_nothing(repo, runs, capsys):
    status, out, err = shell(capsys, "report", "rmse < 70", "--sort", "rmse", "-o", "report.html")
    assert status == 0, err
    assert out.startswith("✓ report.html tells of 2 runs")
    text, page = read(repo / "report.html")
    assert text.startswith("<!doctype html>") and "<title>Runs where rmse &lt; 70</title>" in text
    assert page.loads == [] and page.acts == []
    assert not {"script", "link", "iframe", "object", "embed", "form"} & set(page.tags)
    assert not re.search(r"url\(|@import", text) and "prefers-color-scheme:dark" in text
    assert runs[0] not in text and text.index(runs[1]) < text.index(runs[2])
    assert page.tags.count("img") == 3  # curves, parallel coordinates, points
    assert "order of cells" in text and "no verdict" in text and "2 of 3, those where rmse &lt; 70" in text
    assert f"What differs from {runs[1]}" in text and "worse" in text and "--all" not in text
    found = json.loads(shell(capsys, "report", "--sort", "rmse", "-o", "report.html", "--json")[1])
    assert found["baseline"] == runs[1] and found["runs"] == [runs[1], runs[2], runs[0]]
    assert found["size"] == (repo / "report.html").stat().st_size


def test_markdown_has_its_pictures_beside_it(repo, runs, capsys):
    found = json.loads(shell(capsys, "report", "-o", "out of.md", "--json")[1])
    text = (repo / "out of.md").read_text(encoding="utf-8")
    links = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert links == [f"out%20of_files/picture-{n}.png" for n in (1, 2, 3)]
    assert found["pictures"] == [f"out of_files/picture-{n}.png" for n in (1, 2, 3)]
    for name in found["pictures"]:
        assert (repo / name).read_bytes().startswith(b"\x89PNG")
    assert "data:" not in text and f"| ✓ `{runs[0]}` |" in text and "## What differs from" in text
    assert "belong to it" in shell(capsys, "report", "-o", "out of.md")[1]


def test_only_a_report_of_ours_is_replaced(repo, runs, capsys):
    (repo / "page.html").write_text("mine")
    (repo / "notes.md").write_text("mine")
    (repo / "fresh_files").mkdir()
    (repo / "fresh_files" / "picture-1.png").write_bytes(b"mine")
    for name in ("page.html", "notes.md", "fresh.md"):
        status, _, err = shell(capsys, "report", "-o", name)
        assert status == 1 and "--force" in err and err.count("\n") == 1, name
    assert (repo / "page.html").read_text() == (repo / "notes.md").read_text() == "mine"
    assert (repo / "fresh_files" / "picture-1.png").read_bytes() == b"mine" and not (
        repo / "fresh.md"
    ).exists()
    for name in ("page.html", "notes.md"):
        assert shell(capsys, "report", "-o", name, "--force")[0] == 0
        assert shell(capsys, "report", "-o", name)[0] == 0
    kept = repo / "notes_files" / "mine.txt"
    kept.write_text("mine")
    assert shell(capsys, "report", "rmse < 65", "-o", "notes.md")[0] == 0  # one run: fewer pictures
    assert sorted(path.name for path in kept.parent.iterdir()) == ["mine.txt", "picture-1.png"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-o", "report.pdf"], "report.html"),
        (["-o", "nowhere/report.html"], "no folder"),
        (["-o", "x.html", "rmse < 0"], "no run matches"),
        (["-o", "x.html", "--baseline", "gone-1"], "gone-1"),
        (["-o", "x.html", "rmse <"], "query"),
        ([], "required"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_writes_nothing(repo, runs, capsys, words, told):
    before = sorted(repo.iterdir())
    status, out, err = shell(capsys, "report", *words)
    assert status == 2 and not out and told in err and err.count("\n") == 1
    assert sorted(repo.iterdir()) == before


@pytest.mark.parametrize("name", ["report.html", "report.md"])
def test_hostile_names_act_in_no_form(repo, capsys, name):
    for value in (1.0, 2.0):
        with provenote.track(HOSTILE) as run:
            run.log_params({HOSTILE: f"{HOSTILE}{value}", "nan": math.nan, "depth": value})
            run.log({HOSTILE: value, "loss": math.nan, "acc": value})
            run.tag(HOSTILE[:40])
    status, _, err = shell(capsys, "report", "-o", name, "--title", HOSTILE)
    assert status == 0, err
    text, page = read(repo / name)
    assert (
        "\x1b" not in text
        and "\u202e" not in text
        and r"\x1b[31m" in text.replace("\\[", "[").replace("\\\\", "\\")
    )
    if name.endswith(".md"):
        render = mistune.create_markdown(escape=False, plugins=["table", "strikethrough", "url"])
        page = Page()
        page.feed(str(render(text)))
        assert all(load.startswith("img src=report_files/picture-") for load in page.loads)
        assert not re.search(r"@you", re.sub(r"`[^`]*`|``.*?``|^```.*?^```", "", text, flags=re.S | re.M))
    else:
        assert page.loads == []
    assert page.acts == [] and not {"script", "a"} & set(page.tags)


def test_runs_with_nothing_in_common_and_one_that_goes_on(repo, capsys):
    log(params={"depth": 6}, rmse=1.0)
    log("other", params={"layers": [1, 2]}, accuracy=0.5)
    with provenote.track("going") as run:
        run.log(rmse=3.0)
        status, _, err = shell(capsys, "report", "-o", "report.html")
    assert status == 0, err
    text, _ = read(repo / "report.html")
    assert f"Still running when this was made: {run.name}" in text and "What differs from other-" in text


def test_a_disk_that_takes_nothing_leaves_the_old_report(repo, runs, capsys, monkeypatch):
    from pathlib import Path

    assert shell(capsys, "report", "-o", "report.html")[0] == 0
    before = (repo / "report.html").read_bytes()
    whole = Path.write_text

    def full(self, text, **more):
        whole(self, text[:100], **more)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    status, _, err = shell(capsys, "report", "-o", "report.html")
    assert status == 3 and "No space left" in err
    assert (repo / "report.html").read_bytes() == before
    assert [path.name for path in repo.glob(".report*")] == []
