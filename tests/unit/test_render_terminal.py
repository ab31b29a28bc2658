"""Views as terminal text: width, colour, marks, hostile text."""

from __future__ import annotations

import io
import re

from hypothesis import given
from hypothesis import strategies as st

from provenote.render import terminal
from provenote.render.legible import cells, middle, visible
from provenote.view import Cell, Column, Facts, Line, Picture, Table, Text, View

COLUMNS = [Column("run"), Column("state"), Column("rmse ↓", "right"), Column("flags", keep=True)]
ROWS = [
    [Cell("hgb-c57a"), Cell("finished"), Cell("61.40"), Cell("★")],
    [Cell("hgb-59ee"), Cell("failed"), Cell("164.09"), Cell("out of order", "warn")],
]
TABLE = Table(COLUMNS, ROWS, marks=["ok", "failed"], foot=["2 runs. 3 more on other branches: `-A`"])


def test_a_table_as_in_a_pipe():
    assert terminal.render(View([TABLE])) == (
        "  run       state     rmse ↓  flags\n"
        "✓ hgb-c57a  finished   61.40  ★\n"
        "✗ hgb-59ee  failed    164.09  out of order\n"
        "2 runs. 3 more on other branches: `-A`\n"
    )


def test_columns_drop_from_the_right_but_name_and_flags_stay():
    text = terminal.render(View([TABLE]), width=34)
    lines = text.splitlines()
    assert lines[0] == "  run       state     flags"
    assert lines[2] == "✗ hgb-59ee  failed    out of order"
    assert lines[3] == "1 column not shown here: rmse ↓"
    assert all(cells(line) <= 34 for line in lines[:4])


@given(
    st.integers(20, 60),
    st.lists(st.tuples(st.text(max_size=50), st.text(max_size=9)), min_size=1, max_size=4),
)
def test_no_table_is_wider_than_the_terminal(width, rows):
    table = Table(
        [Column("run"), Column("x"), Column("flags", keep=True)],
        [[Cell(a), Cell(b), Cell(b)] for a, b in rows],
    )
    for line in terminal.render(View([table]), width=width).splitlines():
        assert cells(line) <= width


def test_colour_only_repeats_the_words():
    plain = terminal.render(View([TABLE, Line("Broken", "failed", "error")]))
    inked = terminal.render(View([TABLE, Line("Broken", "failed", "error")]), color=True)
    assert "\x1b[33mout of order\x1b[0m" in inked and "\x1b[31m✗\x1b[0m" in inked
    stripped = re.sub(r"\x1b\[[0-9]*m", "", inked)
    assert stripped.replace("-A", "`-A`") == plain


def test_asides_stand_in_one_column():
    text = terminal.render(
        View([Line("Git and DVC project", "ok", aside="0.9 s"), Line("sweep", "ok", aside="19.8 s")]),
        width=60,
    )
    assert text == "✓ Git and DVC project   0.9 s\n✓ sweep                19.8 s\n"


def test_long_lines_wrap_at_spaces_under_their_mark():
    text = terminal.render(View([Line("one two three four five six", "ok")]), width=14)
    assert text == "✓ one two\n  three four\n  five six\n"


def test_facts_and_other_parts():
    view = View(
        [
            Facts([("run", Cell("hgb")), ("started", Cell("14:02"))], "Facts"),
            Picture(b"", "rmse by step"),
            Text("a\n  b"),
            Table(COLUMNS, [], empty="No run here. Make one: `%%track NAME`"),
        ]
    )
    assert terminal.render(view) == (
        "Facts\n  run      hgb\n  started  14:02\n(picture: rmse by step)\na\n  b\n"
        "No run here. Make one: `%%track NAME`\n"
    )
    assert terminal.render(View([])) == ""


def test_hostile_text_cannot_act_on_the_terminal():
    evil = "a\x1b[31m\u202eb\nc\x9b2J"
    view = View(
        [
            Line(evil, aside=evil),
            Facts([(evil, Cell(evil))], evil),
            Picture(b"", evil),
            Table([Column(evil)], [[Cell(evil)]], caption=evil, foot=[evil]),
        ]
    )
    text = terminal.render(view, width=80)
    assert "\x1b" not in text and "\u202e" not in text and "\x9b" not in text
    assert r"a\x1b[31m\u202eb\nc\x9b2J" in text


@given(st.text(), st.integers(1, 30))
def test_middle_keeps_both_ends_and_fits(text, width):
    shown = visible(text)
    cut = middle(shown, width)
    assert cells(cut) <= width
    if cut != shown and width > 4:
        head, tail = cut.split("…", 1) if shown.count("…") == 0 else (cut[:1], "")
        assert shown.startswith(head) and shown.endswith(tail)


@given(st.text())
def test_visible_text_has_no_control_mark(text):
    shown = visible(text)
    assert shown.isprintable() or all(c.isprintable() or not c.isascii() for c in shown)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", shown)
    assert visible(shown) == shown
    shown.encode()


def test_a_stream_that_is_no_terminal_gets_neither_width_nor_colour(monkeypatch):
    out = io.StringIO()
    terminal.write(View([TABLE]), out)
    assert out.getvalue() == terminal.render(View([TABLE]))
    screen = type("Screen", (io.StringIO,), {"isatty": lambda self: True})()
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert terminal.surface(screen) == (40, True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert terminal.surface(screen) == (40, False)
