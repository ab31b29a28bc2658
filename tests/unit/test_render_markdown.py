"""Markdown for a pull request: what a run is called never acts there."""

from __future__ import annotations

import re

import mistune
import pytest

from provenote.render import markdown
from provenote.view import Beside, Cell, Changes, Column, Facts, Image, Line, Picture, Stroke, Table, Text

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[a](javascript:alert(1))",
    "![a](http://evil.example/x.png)",
    "http://evil.example and www.evil.example",
    "a | b || c",
    "`code` ``` fence",
    "**bold** _it_ ~~gone~~",
    "- item",
    "# heading",
    "1. first",
    "&lt;b&gt; &#60;",
    "\x1b[31mred\x1b[0m \u202eturned",
    "line\nbreak\r\n| --- |",
    "\\",
    "k" * 300,
]


def page(text: str) -> str:
    return str(mistune.create_markdown(escape=False, plugins=["table", "strikethrough", "url"])(text))


def words(html: str) -> str:
    from html import unescape

    return unescape(re.sub(r"<!--.*?-->", "", html, flags=re.S)).strip()


def keep(data: bytes, mime: str) -> str:
    return f"x_files/{len(data)}.{mime.rsplit('/', 1)[1]}"


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_text_reads_as_it_is_and_acts_nowhere(text):
    from provenote.render.legible import visible

    html = page(f"before {markdown.text(text)}")
    assert re.findall(r"<(?!/?p>|!--)[^>]*>", html) == []
    assert words(html).replace("<p>", "").replace("</p>", "") == f"before {visible(text)}"
    alone = page(markdown.text(text))
    assert re.findall(r"<(?!/?p>|!--)[^>]*>", alone) == []


def test_nobody_is_called_and_no_issue_is_named():
    assert markdown.text("@octocat fixes #12 o/r#3") == "@<!-- -->octocat fixes #<!-- -->12 o/r#<!-- -->3"


def test_names_keep_their_plain_look():
    assert markdown.text("boost__max_depth 0.10 train-4fae 14:07:24 a/b (x)") == (
        "boost__max_depth 0.10 train-4fae 14:07:24 a/b (x)"
    )


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_table_keeps_its_shape(text):
    table = Table(
        [Column(text), Column("n", "right")],
        [[Cell(text, "code"), Cell(text)], [Cell("b"), Cell(text, "strong")]],
        ["ok", "failed"],
        caption=text,
        foot=["All: `--all`"],
    )
    made = markdown.part(table, keep)
    html = page(made)
    assert html.count("<tr>") == 3 and html.count("<td") == 4 and html.count("<th") == 1 + 2  # with <thead>
    assert not re.search(r"<(script|img|a|h1|li)\b", html)
    assert "\x1b" not in made and "\u202e" not in made
    assert "✓ " in made and "✗ " in made and "`--all`" in made


def test_a_diff_cannot_leave_its_fence():
    strokes = [
        Stroke("+", "```"),
        Stroke("-", "~~~ `````"),
        Stroke(" ", "<b>"),
        Stroke("@", "3 lines the same"),
    ]
    made = markdown.part(Changes([("B", strokes)], "Cell 1"), keep)
    assert "``````diff\n+```\n-~~~ `````\n <b>\n@@ 3 lines the same @@\n``````\n" in made
    assert "<b>" not in page(made) and page(made).count("<pre>") == 1


def test_pictures_are_files_beside_it():
    made = markdown.part(Picture(b"12345", "rmse | [by] step"), keep)
    assert made == "![rmse \\| \\[by\\] step](x_files/5.png)\n"
    images = [Image(b"1", "image/png", "A one", "p"), Image(b"", "", "B two", "")]
    made = markdown.part(Beside(images, "Cell 6"), keep)
    assert "| A one | B two |" in made and "| ![p](x_files/1.png) | no picture |" in made


def test_lines_facts_and_texts():
    assert markdown.part(Line("see `provenote sync`", "warn", aside="12:00"), keep) == (
        "▲ see `provenote sync` (12:00)\n"
    )
    assert markdown.part(Facts([("by", Cell("a*b"))], "About"), keep) == "**About**\n\n- by: a\\*b\n"
    assert markdown.part(Text("x = 1\n<b>"), keep) == "```\nx = 1\n<b>\n```\n"
    assert markdown.part(Table([Column("a")], [], empty="Nothing"), keep) == "Nothing\n"
