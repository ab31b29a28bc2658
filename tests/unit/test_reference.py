"""What a run is held against when nobody says."""

from __future__ import annotations

from provenote.compare.reference import choose, stage_holders
from provenote.model import Row


def row(name, label="hgb", status="finished"):
    return Row(
        id=f"id-{name}",
        name=name,
        label=label,
        status=status,
        reason=None,
        started=0.0,
        ended=1.0,
        params={},
        metrics={},
        baseline="b",
        commit=f"commit-{name}",
    )


def test_the_tag_with_the_greatest_number_holds_the_stage():
    tags = [
        ("provenote=m#production#2", "b"),
        ("provenote=m#production#10", "c"),
        ("provenote=m#production#1", "a"),
        ("provenote=m#staging#1", "a"),
        ("provenote=n#production", "d"),
        ("sub/provenote=m#production#99", "x"),
        ("provenote=m@v1.0.0", "a"),
        ("v1.0", "a"),
        ("provenote=m#!production#3", "x"),
        ("provenote=m#", "x"),
    ]
    assert stage_holders(tags, "provenote") == {
        ("m", "production"): "c",
        ("m", "staging"): "a",
        ("n", "production"): "d",
    }
    assert stage_holders(tags, "sub/provenote") == {("m", "production"): "x"}


ROWS = [
    row("now", status="running"),
    row("failed", status="failed"),
    row("before"),
    row("other", "forest"),
    row("old"),
]


def test_production_comes_first():
    held = {"m": "commit-other"}
    assert choose(ROWS, "id-now", "hgb", held, ["m"]) == (ROWS[3], "production")


def test_else_the_finished_run_before_of_the_same_label():
    for held, kept in (
        ({}, ["m"]),
        ({"m": "commit-gone"}, ["m"]),
        ({"m": "commit-other"}, []),
        ({"m": "commit-now"}, ["m"]),
    ):
        assert choose(ROWS, "id-now", "hgb", held, kept) == (ROWS[2], "before")
    assert choose(ROWS, "id-now", "first", {}, []) is None
