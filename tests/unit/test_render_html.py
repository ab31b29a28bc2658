"""Views as static HTML: well formed, self-contained, hostile text shown as text."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from provenote.render import html
from provenote.render.style import sheet
from provenote.view import Cell, Column, Facts, Line, Picture, Table, Text, View

EVIL = "</style><script>alert(1)</script>\"'&\x1b\u202e"


class Outline(HTMLParser):
    """The elements, attributes and texts of a block; fails when tags don't nest."""

    VOID = {"img"}

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts, self.titles = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.titles += [value for name, value in attrs if name in ("title", "alt", "aria-label")]
        for name, value in attrs:
            assert not name.startswith("on")
            assert name != "src" or value.startswith("data:image/png;base64,")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def view_of(text):
    table = Table(
        [Column(text), Column(text, "right")],
        [[Cell(text, title=text), Cell(text)]],
        marks=["ok"],
        caption=text,
        foot=[text],
    )
    return View(
        [
            Line(text, "failed", "error", text),
            table,
            Facts([(text, Cell(text, "code"))], text),
            Text(text),
            Picture(b"png", text),
            Table([], [], empty=text),
        ]
    )


def test_hostile_text_stays_text():
    outline = Outline(html.render(view_of(EVIL)))
    assert "script" not in outline.tags and outline.tags.count("style") == 1
    shown = r"</style><script>alert(1)</script>" + "\"'&" + r"\x1b\u202e"
    assert outline.texts.count(shown) >= 8
    assert shown in outline.titles


@given(st.text())
def test_any_text_gives_well_formed_html(text):
    outline = Outline(html.render(view_of(text)))
    assert set(outline.tags) <= {
        "div",
        "style",
        "span",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "dl",
        "dt",
        "dd",
        "code",
        "img",
        "pre",
    }
    html.render(view_of(text)).encode()


def test_nothing_loads_from_outside():
    page = html.render(view_of("x"))
    assert "http" not in page and "url(" not in page and "@import" not in page and "<script" not in page


def test_tables_have_their_meaning():
    table = Table(
        [Column("run"), Column("rmse ↓", "right")],
        [[Cell("hgb"), Cell("61.40", "better", "61.4012")]],
        marks=["running"],
    )
    page = html.part(table)
    assert '<table class="pn-t" role="table">' in page
    assert '<th scope="col" class="pn-first">run</th><th scope="col" class="pn-num">rmse ↓</th>' in page
    assert (
        '<th scope="row" nowrap class="pn-first"><span class="pn-m pn-run" role="img" aria-label="running"'
        in page
    )
    assert '<td class="pn-num pn-better" title="61.4012">61.40</td>' in page


def test_long_names_are_cut_in_the_middle_and_whole_in_the_title():
    name = "a" * 150 + "z" * 150
    page = html.part(Table([Column("run")], [[Cell(name)]]))
    assert f'title="{name}"' in page and ">" + "a" * 30 in page and "…" in page


def test_commands_are_code():
    assert "<code>provenote sync</code>" in html.part(Line("It may live on the remote: `provenote sync`"))


def test_the_style_sheet_knows_the_dark_themes():
    assert 'body[data-jp-theme-light="false"] .pn{' in sheet() and "body.vscode-dark .pn" in sheet()
    assert "prefers-color-scheme:dark" in sheet() and "prefers-reduced-motion" in sheet()
    assert sheet().count("{") == sheet().count("}")
