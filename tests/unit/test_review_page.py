"""The page of a review: what stands beside what, and where threads stand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provenote.compare.notebooks import NotebookCell, Output
from provenote.reviews import pairing
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
