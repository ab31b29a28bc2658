"""What may go and what stays, decided without a disk."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenote.commands.keeping import seconds
from provenote.errors import UsageError
from provenote.keeping.archive import choose
from provenote.keeping.reachable import names
from provenote.model import Row
from provenote.stores import archives, fields
from provenote.stores.layout import is_md5
from provenote.stores.marks import Marks

hexes = st.text("0123456789abcdef", min_size=40, max_size=40)
leaves = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=300)
refs = st.builds(
    lambda base, leaf: f"refs/exps/{base[:2]}/{base[2:]}/{leaf.replace('/', '_')}", hexes, leaves
)
members = st.lists(st.tuples(refs, hexes), max_size=30, unique_by=lambda pair: pair[0])


def row(number: int, **changes: Any) -> Row:
    plain = Row(
        id=f"{number:016x}",
        name=f"r-{number}",
        label="r",
        status="finished",
        reason=None,
        started=100.0 * number,
        ended=100.0 * number + 10,
        params={},
        metrics={},
        baseline="0" * 40,
        commit=f"{number:040x}",
    )
    return replace(plain, **changes)


@given(members)
def test_an_archive_tells_what_it_holds(given: list[tuple[str, str]]) -> None:
    parents = sorted({commit for _, commit in given})
    assert sorted(archives.parse(archives.text(given), parents)) == sorted(given)


@given(st.binary(max_size=2_000), st.lists(hexes, max_size=5, unique=True))
def test_any_bytes_are_read_as_some_archive(content: bytes, parents: list[str]) -> None:
    found = archives.parse(content, parents)
    assert {commit for _, commit in found} == set(parents)


def test_a_ref_that_is_no_run_names_none() -> None:
    commit = "a" * 40
    for ref in ("refs/heads/main", "refs/exps/../../heads/main/x", f"refs/exps/00/{'0' * 38}/a b", ""):
        ((named, _),) = archives.parse(f"{commit} {ref}\n".encode(), [commit])
        assert named == f"refs/exps/00/{'0' * 38}/{commit[:12]}"


@given(members)
def test_archives_stay_small_and_no_run_is_parted(given: list[tuple[str, str]]) -> None:
    parts = archives.parts(given)
    assert sorted(element for part in parts for element in part) == sorted(given)
    where: dict[str, int] = {}
    for number, part in enumerate(parts):
        assert len({commit for _, commit in part}) <= archives.LIMIT
        for _, commit in part:
            assert where.setdefault(commit, number) == number


def test_a_run_leaves_the_archive_that_an_annotation_names_and_no_other() -> None:
    one, two = ("refs/exps/a/b/one", "1" * 40), ("refs/exps/a/b/two", "2" * 40)
    held = {"x": (one, two), "y": (one,)}
    assert archives.kept(held, ()) == {"1" * 40: [one[0]], "2" * 40: [two[0]]}
    assert set(archives.kept(held, {("x", "1" * 40)})) == {"1" * 40, "2" * 40}
    assert set(archives.kept(held, {("x", "1" * 40), ("y", "1" * 40)})) == {"2" * 40}
    assert archives.kept(held, {(one[0], "1" * 40)}) == archives.kept(held, ())


def test_old_runs_that_nothing_holds_are_chosen() -> None:
    rows = [row(number) for number in range(1, 8)]
    marks = {
        rows[0].id: Marks(starred=True),
        rows[1].id: Marks(pinned=True),
        rows[2].id: Marks(archived=True),
    }
    choice = choose(
        rows,
        marks,
        before=650.0,
        named={str(rows[3].commit)},
        away={str(rows[4].commit)},
    )
    assert [each.name for each in choice.rows] == ["r-3", "r-6"]
    assert choice.spared == {"starred": 1, "pinned": 1, "of a model version": 1}


def test_a_run_that_goes_on_or_ended_late_stays() -> None:
    rows = [row(1, commit=None), row(1, ended=900.0), row(1, ended=None)]
    assert choose(rows, {}, before=500.0).rows == (rows[2],)


def test_names_of_objects_are_found_wherever_they_stand() -> None:
    md5, folder = "0123456789abcdef" * 2, "f" * 32 + ".dir"
    text = f'outs:\n- md5: \'{md5}\'\n- {{"md5": "{folder}"}}\n  sha256: {"a" * 64}\n'.encode()
    assert names(text) == {md5, folder}
    assert names(b"\xff" + md5.encode()) == {md5}
    assert names(b"") == set()


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("a" * 32, True),
        ("a" * 32 + ".dir", True),
        ("A" * 32, False),
        ("a" * 31, False),
        ("../" + "a" * 29, False),
    ],
)
def test_what_is_the_name_of_an_object(text: str, good: bool) -> None:
    assert is_md5(text) is good


def test_what_a_run_says_of_its_bytes_is_taken_with_care() -> None:
    document = {
        "user": "ada\ud800",
        "artifacts": {
            "model": {"md5": "a" * 32, "size": 5, "type": "model"},
            "huge": {"md5": "b" * 32, "size": 10**30},
            "bad": {"md5": "../../x"},
            "worse": 7,
        },
        "reads": [{"path": "d.csv", "md5": "c" * 32, "size": "many"}, None, {"md5": None}],
    }
    found = list(fields.objects("f" * 40, document))
    assert [(each.md5[0], each.name, each.size, each.kind) for each in found] == [
        ("a", "model", 5, "model"),
        ("b", "huge", None, "artifact"),
        ("c", "d.csv", None, "read"),
    ]
    assert {each.owner for each in found} == {"ada?"}
    assert list(fields.objects("f" * 40, {"artifacts": [], "reads": {}})) == []


def test_spans_of_time() -> None:
    assert (seconds("90d"), seconds(" 12h "), seconds("0s")) == (90 * 86400, 43200, 0)
    for text in ("", "soon", "-1d", "90", "1e999d"):
        with pytest.raises(UsageError):
            seconds(text)
