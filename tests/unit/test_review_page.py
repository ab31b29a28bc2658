"""The page of a review: what stands beside what, and where threads stand."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import review_world
from hypothesis import given
from hypothesis import strategies as st

from provenote.compare.notebooks import NotebookCell, Output
from provenote.reviews import anchors, page, page_tables, pairing
from provenote.reviews.pairing import Gap, Twin

LINES = st.lists(st.sampled_from(["a = 1", "a = 2", "b", "", "fit(x, y)", "fit(x, y, z)"]), max_size=25)


@given(LINES, LINES, st.sets(st.integers(0, 24)), st.sampled_from([None, 0, 2]))
def test_each_line_stands_once_or_is_counted(old, new, keep, context):
    one, other = "\n".join(old), "\n".join(new)
    found = pairing.twins(one, other, keep=keep, context=context)
    before, after = pairing.lines_of(one), pairing.lines_of(other)
    rows = [row for row in found if isinstance(row, Twin)]
    assert [row.old for row in rows if row.old is not None] == sorted({row.old for row in rows} - {None})
    assert [row.new for row in rows if row.new is not None] == sorted({row.new for row in rows} - {None})
    for row in rows:
        assert row.left == ("" if row.old is None else before[row.old])
        assert row.right == ("" if row.new is None else after[row.new])
        assert (row.sign == "=") == (row.left == row.right and None not in (row.old, row.new))
    kept = {row.new for row in rows}
    assert {place for place in keep if place < len(after)} <= kept
    gaps = sum(gap.count for gap in found if isinstance(gap, Gap))
    assert all(gap.same for gap in found if isinstance(gap, Gap))
    assert len(rows) + gaps == len(pairing.twins(one, other, context=None))
    if context is None:
        assert gaps == 0 and kept - {None} == set(range(len(after)))


def test_a_line_that_became_two_stands_beside_the_one_it_is_alike_to():
    old = "model = Regressor(\n  max_depth=6, max_iter=100).fit(X, y)"
    new = 'model = Regressor(\n  loss="poisson",\n  max_depth=8, max_iter=300).fit(X, y)'
    found = pairing.twins(old, new)
    assert [(row.old, row.new, row.sign) for row in found] == [(0, 0, "="), (None, 1, "+"), (1, 2, "~")]
    assert [found[2].left[a:b] for a, b in found[2].gone] == ["6", "100"]
    assert [found[2].right[a:b] for a, b in found[2].come] == ["8", "300"]


def test_a_line_somebody_spoke_of_is_shown_beyond_the_most():
    text = "\n".join(f"line {number}" for number in range(1_000))
    found = pairing.twins("", text, keep={700}, most=50)
    assert [row.new for row in found if isinstance(row, Twin)] == [*range(50), 700]
    assert [row.count for row in found if isinstance(row, Gap)] == [650, 299]


def test_outputs_stand_beside_those_of_their_form():
    def said(text):
        return Output("stream", "stdout", {"text/plain": text})

    def drawn(body):
        return Output("result", "", {"image/png": body})

    old = [said("a"), drawn("AAAA"), said("same"), said("gone")]
    new = [drawn("BBBB"), said("same"), said("new"), drawn("CCCC")]
    found = [(one.old, one.new, one.same) for one in pairing.outputs(old, new)]
    assert found == [(0, None, False), (1, 0, False), (2, 1, True), (3, 2, False), (None, 3, False)]


def test_cells_stand_in_the_order_of_the_version_under_review():
    def cell(name, source):
        return NotebookCell(name, "code", source)

    base = [cell("a", "1"), cell("b", "2"), cell("c", "3"), cell("d", "4")]
    head = [cell("d", "4"), cell("a", "1"), cell("b", "20"), cell("e", "5")]
    found = [(one.old, one.new, one.status) for one in pairing.cells(base, head)]
    assert found == [
        (3, 0, "moved"),
        (0, 1, "same"),
        (1, 2, "edited"),
        (2, None, "removed"),
        (None, 3, "added"),
    ]
    assert [one.status for one in pairing.cells(None, head)] == ["alone"] * 4


# ---------------------------------------------------------------------- the page

TAGS = set(
    re.findall(
        r"\w+",
        "a article aside b body br code del details div figcaption figure h1 h2 head header html i img ins "
        "li main meta nav p section span style summary table td th time title tr ul",
    )
)
NAMES = set(
    re.findall(
        r"[\w-]+",
        "alt aria-hidden aria-label charset class colspan content datetime height href http-equiv id lang "
        "name open role src tabindex title width",
    )
)


class Read(HTMLParser):
    """What a page is made of, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.styles: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attributes]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        (self.styles if self.open[-1:] == ["style"] else self.words).append(data)

    def handle_comment(self, data):
        raise AssertionError(data)


@pytest.mark.parametrize("face", [page.write, page.block])
def test_nothing_of_a_hostile_review_is_markup(face):
    text = face(*review_world.hostile())
    found = Read(text)
    assert found.open == []  # each is closed, in its order: nothing ends the page early
    scripts = found.tags.pop("script", 0)
    assert scripts == (face is page.write)  # the one of the keys
    assert set(found.tags) <= TAGS
    assert {name for _, name, _ in found.attributes} <= NAMES
    for tag, name, value in found.attributes:
        if name == "href":
            assert re.fullmatch("#[a-z0-9-]+", value)
        elif name == "src":
            assert tag == "img" and re.match(r"data:image/(png|svg\+xml);base64,[A-Za-z0-9+/=]+$", value)
        elif name in ("id", "class"):
            assert re.fullmatch("[a-z0-9 -]+", value, re.I)
    assert not any("evil" in style or "@import" in style for style in found.styles)
    words = "".join(found.words)
    assert "<script>hacked('script')</script>" in words and "\\u202e" in words
    assert not set("\u202e\u2028\x1b\x00\ud800") & set(words)
    # Those of which the bytes are what they say they are: neither HTML in base 64 nor an SVG with entities.
    assert words.count("no picture that can be shown") >= 4
    ids = [value for _, name, value in found.attributes if name == "id"]
    assert len(ids) == len(set(ids)) and (ids == [] or face is page.write)
    links = {value[1:] for _, name, value in found.attributes if name == "href"}
    assert links <= set(ids)


def test_each_thread_stands_beside_its_place_or_in_a_list():
    review, base, head = review_world.sample()
    text = page.write(review, base, head)
    assert text.count("<article ") == len(review.threads)
    for number in range(1, len(review.threads) + 1):
        assert text.count(f'id="r-t{number}"') == 1 and f'href="#r-t{number}"' in text
    label = 'aria-label="Thread 2, cell 3, line 2, open"'
    (below,) = re.findall(f"{label}.*?</article>(<div.*?</div>)", text)
    assert below.startswith('<div class="pn-r pn-hl">') and "hr_sin" in below and 'href="#r-t2"' in below
    for words in (
        "? guessed: look whether it belongs here; it was <code>seed = 7 &lt; 8</code>",
        "what it is about is gone; it was <code>del hours</code>",
        "outdated: what it is about has changed or is gone",
        "Threads whose place is gone",
        "On the whole notebook",
        "stale: about another version",
        "not counted: key not known here",
        "6 open threads, 1 resolved",
        "Cells 1 and 2: identical",
        "moved: cell 8 of the base",
        "source changed, +2 −1; 2 outputs changed",
        "1 picture changed",
        "Cell 7 of the base <span>removed",
        "error ZeroDivisionError: added",
    ):
        assert words in text, words
    assert "<del>71.89</del>" in text and "<ins>63.99</ins>" in text and "<del>47.38" not in text
    assert "loss 0.<b>0476</b>" in text and "loss 0.<b>0452</b>" in text


def test_what_is_not_here_or_no_notebook_is_said():
    review, base, head = review_world.sample()
    alone = page.write(review, None, head)
    assert "9 cells, nothing to compare with" in alone and "pn-new" not in alone.split("</style>")[1]
    for odd, words in (
        (None, "The bytes of this version are not here"),
        (b"{}", "The notebook of this version cannot be read"),
        (b"[" * 5_000, "cannot be read: it is not JSON"),
    ):
        text = page.write(review, base, odd)
        assert words in text and text.count("<article ") == len(review.threads)
    assert "The notebook of the base cannot be read" in page.block(review, b"no", head)


def test_a_source_is_never_cut_short_where_a_reviewer_could_miss_it():
    source = "\n".join([*(f"x{number} = 1" for number in range(900)), "y = 1" + " " * 3_000 + "; steal()"])
    review, base, _ = review_world.sample()
    text = page.write(review, base, review_world.book(review_world.cell("new", source)))
    assert "x899 = 1" in text and "; steal()" in text


def test_a_saved_notebook_keeps_a_bounded_block(monkeypatch):
    pictures = [review_world.display(image_png=review_world.png(shade)) for shade in range(8)]
    many = review_world.book(review_world.cell("c", "plot()", *pictures))
    review, base, _ = review_world.sample()
    monkeypatch.setattr(page, "BLOCK", 2_000)
    text = page.block(review, base, many)
    assert 0 < text.count("<img ") < 8 and "too large to show here" in text
    assert page.write(review, base, many).count("<img ") == 9


def test_a_table_is_read_only_where_its_words_are_all_of_it():
    plain = review_world.frame(a=1.5, b=2.0)
    assert page_tables.read(plain) == [("", "value"), ("a", "1.5"), ("b", "2.0")]
    assert page_tables.read("<table><tr><td>1</td></tr></table>" * 2) is None
    assert page_tables.read("<p>first</p><table><tr><td>1</td></tr></table>") is None
    assert page_tables.read("<table><tr><td>1</td></tr></table><p>it failed</p>") is None
    assert page_tables.read("<table><tr><td colspan=2>1</td></tr></table>") is None
    assert (
        page_tables.read("<table><tr><td>1</td></tr><tr></tr><tr><td>1</td><td>2</td></tr></table>") is None
    )
    assert page_tables.read("<td>1</td>" * 9) is None
    found = page_tables.read("<table><tr><th>a</th><td><b>x</b><script>y</script>\n&lt;</td></tr></table>")
    assert found == [("a", "x <")]


@given(
    st.lists(
        st.sampled_from(["<table>", "</table>", "<tr>", "</tr>", "<td", ">", "<th>", "</td>", "x", "&lt;"])
    )
)
def test_any_html_is_a_table_of_equal_rows_or_none(parts):
    rows = page_tables.read("".join(parts))
    assert rows is None or len({len(row) for row in rows}) == 1


def test_places_that_anchors_find_are_those_of_the_page():
    review, base, head = review_world.sample()
    book = anchors.read(head)
    place = anchors.resolve(book, anchors.make(book, 5, output=0, line=20))
    (there,) = [one for one in review.threads if one.place.line == 20]
    again = replace(review, threads=(replace(there, place=place),))
    text = page.write(again, base, head)
    row = text.split('href="#r-t1"')[-2]
    assert row.endswith('step 20 loss 0.<b>0452</b> <a class="pn-tn" ')
