"""When two recorded values are the same, and which packages matter: pure, on sides."""

from __future__ import annotations

import pytest

from provenote.compare import differences, locks
from provenote.compare.differences import ABSENT, equal
from provenote.compare.sides import Side
from provenote.model import Row

LOCK = "# provenote environment 1\n# python 3.11.7 cpython\n"


def side(letter="A", params=None, metrics=None, lock=None, **document):
    row = Row(
        f"id-{letter}",
        f"run-{letter}",
        "run",
        "finished",
        None,
        0.0,
        1.0,
        params or {},
        metrics or {},
        "0" * 40,
    )
    return Side(letter, row, document, lock=lock)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (True, True, True),
        ("1", 1, False),
        ("NaN", float("nan"), True),
        ("nan", "NaN", True),
        ("inf", float("inf"), True),
        ("inf", "-inf", False),
        (None, ABSENT, False),
        (ABSENT, ABSENT, True),
        (None, None, True),
        ([1, 2], [1, 2], True),
        ([1, 2], [2, 1], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ([1], {"0": 1}, False),
        (10**400, 10**400, True),
        ("a", "A", False),
    ],
)
def test_what_a_reader_would_call_the_same(one, other, same):
    assert equal(one, other) is same and equal(other, one) is same


def test_sections_count_what_is_the_same():
    found = differences.params(
        [
            side("A", {"depth": 6, "inner": {"seed": 0}}),
            side("B", {"depth": 8, "inner": {"seed": 0}, "new": None}),
        ]
    )
    assert [item.key for item in found.items] == ["depth", "inner.seed", "new"]
    assert [item.key for item in found.differing] == ["depth", "new"] and found.identical == 1


def test_metrics_that_can_be_judged_come_first():
    found = differences.metrics([side("A", metrics={"count": 1, "rmse": 2.0, "acc": 3.0}), side("B")])
    assert [item.key for item in found.items] == ["rmse", "acc", "count"]


@pytest.mark.parametrize(
    ("key", "value", "base", "far", "good"),
    [
        ("rmse", 61.0, 71.0, -10.0, True),
        ("acc", 0.5, 0.75, -0.25, False),
        ("count", 2, 1, 1.0, None),
        ("rmse", "NaN", 1.0, None, None),
        ("rmse", "inf", 1.0, None, False),
        ("rmse", "text", 1.0, None, None),
        ("rmse", ABSENT, 1.0, None, None),
        ("rmse", 10**400, 1.0, None, None),
        ("bias", -1.0, 2.0, -3.0, True),
    ],
)
def test_how_far_a_metric_is_and_whether_that_is_better(key, value, base, far, good):
    assert differences.change(key, value, base) == (far, good)


def test_threads_are_told_in_short():
    limits = {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    found = differences.about(
        [side("A", machine={"threads": limits}), side("B", machine={"threads": {**limits, "X": "1"}})]
    )
    threads = next(item for item in found.items if item.key == "threads")
    assert threads.values == ("2 in each of 2 libraries", "OMP_NUM_THREADS=2, MKL_NUM_THREADS=2, X=1")


def test_imported_packages_come_first_and_a_run_without_a_lock_differs_in_none():
    one = side("A", lock=LOCK + "zeta==1\nalpha==1\nSame.Name==2\n", extra={"imported": ["Zeta"]})
    two = side("B", lock=LOCK + "zeta==2  # editable\nalpha==1\nsame-name==2\nbeta==1\n")
    three = side("C")
    found = locks.environments([one, two, three])
    assert [item.key for item in found.section.items] == ["zeta", "alpha", "beta", "same-name"]
    assert [(item.key, item.values) for item in found.differing] == [
        ("zeta", ("1", "2", None)),
        ("beta", (ABSENT, "1", None)),
    ]
    assert found.identical == 2 and found.unknown == ("C",) and found.imported == {"zeta"}
    assert locks.environments([three, three]).differing == ()
