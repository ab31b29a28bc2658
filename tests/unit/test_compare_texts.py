"""Line diffs, and how a face shows them and pictures beside each other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provenote.compare import texts
from provenote.render import html, terminal
from provenote.view import Beside, Changes, Image, Stroke, View

LINES = st.lists(st.sampled_from(["a", "b", "c", "", "x = 1"]), max_size=30)


@given(LINES, LINES)
def test_a_diff_with_all_lines_holds_both_texts(old: list[str], new: list[str]) -> None:
    found = texts.strokes("\n".join(old), "\n".join(new), context=None)
    if not found:
        assert "\n".join(old).splitlines() == "\n".join(new).splitlines()
        return
    assert [s.text for s in found if s.sign in " -"] == "\n".join(old).splitlines()
    assert [s.text for s in found if s.sign in " +"] == "\n".join(new).splitlines()


@given(LINES, LINES)
def test_opcodes_cover_both_texts(old: list[str], new: list[str]) -> None:
    made: list[str] = []
    for tag, i1, i2, j1, j2 in texts.opcodes(old, new):
        made += old[i1:i2] if tag == "equal" else new[j1:j2]
    assert made == new


def test_what_is_far_from_a_difference_is_a_gap() -> None:
    old = [f"line {number}" for number in range(40)]
    new = [*old[:20], "other", *old[21:]]
    found = texts.strokes("\n".join(old), "\n".join(new))
    assert [s.sign for s in found] == ["@", *"   ", "-", "+", *"   ", "@"]
    assert found[0].text == "17 lines the same" and found[-1].text == "16 lines the same"
    assert texts.counts(found) == "+1 −1"


def test_a_newline_at_the_end_makes_no_difference() -> None:
    assert texts.strokes("a\nb", "a\nb\n") == []


def test_long_texts_and_lines_are_cut_and_counted() -> None:
    found = texts.strokes("", "\n".join(map(str, range(500))))
    assert len(found) == texts.LINES + 1 and found[-1] == Stroke("@", "300 more lines")
    assert texts.shortened("x" * 10_000).endswith("… (10,000 characters)")
    assert texts.shortened("\tx") == "    x"


def test_huge_texts_with_nothing_in_common_take_no_time_to_match() -> None:
    old, new = [f"a{i}" for i in range(5_000)], [f"b{i}" for i in range(5_000)]
    assert texts.opcodes(["same", *old], ["same", *new])[1][0] == "replace"


def test_a_changed_line_says_what_of_it_changed() -> None:
    gone, come = texts.strokes("fit(depth=6, lr=0.1)", "fit(depth=8, lr=0.1, n=<b>)")
    assert [gone.text[a:b] for a, b in gone.spans] == ["6"]
    assert [come.text[a:b] for a, b in come.spans] == ["8", ", n=<b>"]
    page = html.render(View([Changes([("B", [gone, come])])]))
    assert "- fit(depth=<b>6</b>, lr=0.1)" in page and "<b>, n=&lt;b&gt;</b>)" in page
    assert all(not stroke.spans for stroke in texts.strokes("nothing alike", "x = compute()"))


@given(LINES, LINES)
def test_folding_a_whole_diff_is_the_short_one(old: list[str], new: list[str]) -> None:
    one, other = "\n".join(old), "\n".join(new)
    whole = texts.strokes(one, other, context=None)
    assert texts.folded(whole) == texts.strokes(one, other)


@given(LINES, LINES, LINES)
def test_the_first_text_stands_whole_beside_the_others(
    old: list[str], one: list[str], two: list[str]
) -> None:
    base = "\n".join(old)
    others = [texts.strokes(base, "\n".join(new), context=None) for new in (one, two)]
    found = texts.based(base, others)
    assert [stroke.text for stroke in found] == base.splitlines()
    gone = [sum(stroke.sign == "-" for stroke in other) for other in others]
    assert max(gone) <= sum(stroke.sign == "-" for stroke in found) <= sum(gone)


def test_a_page_with_room_sets_the_first_text_beside_the_others() -> None:
    other = [Stroke("-", "a = 1"), Stroke("+", "a = 2")]
    page = html.render(View([Changes([("B", other)], "Cell 1", ("A", [Stroke("-", "a = 1")]))]))
    assert page.count("a = 1") == 2 and '<div class="pn-a"><div class="pn-k">A</div>' in page
    assert "@container" in page


@given(st.text(max_size=60), st.text(max_size=60))
def test_spans_are_stretches_of_their_line_in_order(old: str, new: str) -> None:
    for stroke in texts.edited([old], [new]):
        at = 0
        for begin, end in stroke.spans:
            assert at <= begin < end <= len(stroke.text)
            at = end


HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e"
PARTS = [
    Changes(
        [(HOSTILE, [Stroke("+", HOSTILE), Stroke("-", "old"), Stroke(" ", "both"), Stroke("@", "2 lines")])],
        "Code",
    ),
    Beside(
        [
            Image(b"\x89PNG", "image/png", "A one", HOSTILE),
            Image(b"", "", "B two", ""),
            Image(b"<svg onload='alert(1)'/>", "image/svg+xml", "C", "drawing"),
            Image(b"x", 'text/html" onerror="alert(1)', "D", "no picture at all"),
        ],
        "Pictures",
    ),
]


def test_a_page_shows_signs_and_pictures_and_runs_nothing() -> None:
    page = html.render(View(PARTS))
    assert "<script" not in page and "onload" not in page and "onerror" not in page and "\x1b" not in page
    assert '<span class="pn-new">+ &lt;script&gt;' in page and '<span class="pn-old">- old\n</span>' in page
    assert page.count("<img ") == 2 and page.count("no picture") == 2
    assert "data:image/svg+xml;base64," in page


def test_a_terminal_shows_the_same_in_words() -> None:
    text = terminal.render(View(PARTS))
    assert "\x1b" not in text and "\u202e" not in text
    assert "  - old\n" in text and "  + <script>" in text and "B two  no picture" in text
    assert "\x1b[32m  + " in terminal.render(View(PARTS), color=True)


def test_many_lines_that_come_again_are_not_matched_for_minutes() -> None:
    old, new = ["a", "b"] * 2_000, ["a", "c"] * 2_000
    assert texts.opcodes(["same", *old], ["same", *new]) == [
        ("equal", 0, 2, 0, 2),
        ("replace", 2, 4001, 2, 4001),
    ]
    few = texts.opcodes(["a", "b"] * 40, ["a", "c"] * 40)
    assert sum(i2 - i1 for tag, i1, i2, _, _ in few if tag == "equal") == 40


def test_long_lines_of_words_that_come_again_are_marked_as_a_whole() -> None:
    gone, come = texts.spans("x = " + "a b " * 1_000, "x = " + "a c " * 1_000)
    assert gone == () and come == ()
