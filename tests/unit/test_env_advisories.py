"""Known weaknesses: which records count, which versions have them, and that hostile records stop nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenote.environments import advisories, osv
from provenote.environments.advisories import Entry

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def record(id="PYSEC-1", name="pkg", *, events=None, versions=None, kind="ECOSYSTEM", **more):
    affected = {"package": {"ecosystem": "PyPI", "name": name}}
    if events is not None:
        affected["ranges"] = [{"type": kind, "events": events}]
    if versions is not None:
        affected["versions"] = versions
    return {"id": id, "modified": "2026-11-01T10:00:00Z", "summary": "bad", "affected": [affected], **more}


def snapshot(*records):
    return osv.gather((json.dumps(one).encode() for one in records), NOW)


def found(version, *records, name="pkg"):
    """Return the matches after the whole way: read, written compactly, read again."""
    lines = list(osv.dump(snapshot(*records)))
    advisories.head(lines[0])
    entries, damaged = advisories.select(lines[1:], {name: version})
    assert damaged == []
    return advisories.matches(entries, {name: version})


def has(version, **about):
    (hit,) = found(version, record(**about)) or [None]
    return None if hit is not None and not hit.known else hit is not None


UNTIL = [{"introduced": "0"}, {"fixed": "1.2"}]


@pytest.mark.parametrize(
    ("version", "events", "hit"),
    [
        ("1.1", UNTIL, True),
        ("1.2", UNTIL, False),
        ("1.2rc1", UNTIL, True),
        ("1.2.0+cpu", UNTIL, False),
        ("1.1+cpu", UNTIL, True),
        ("1.10", [{"introduced": "1.9"}, {"fixed": "1.11"}], True),
        ("1.2", [{"introduced": "1.0"}, {"last_affected": "1.2"}], True),
        ("1.2+cpu", [{"introduced": "1.0"}, {"last_affected": "1.2"}], True),
        ("1.2.1", [{"introduced": "1.0"}, {"last_affected": "1.2"}], False),
        ("0.9", [{"introduced": "1.0"}], False),
        ("9", [{"introduced": "1.0"}], True),
        ("9", [{"introduced": "1.0"}, {"limit": "*"}], True),
        # Two stretches, told in any order: of the present line and of an old one that got a fix of its own.
        ("2.0.5", [{"fixed": "2.1"}, {"introduced": "2.0"}, {"fixed": "1.4"}, {"introduced": "0"}], True),
        ("1.5", [{"fixed": "2.1"}, {"introduced": "2.0"}, {"fixed": "1.4"}, {"introduced": "0"}], False),
        ("1!0.1", UNTIL, False),
        ("not-a-version", UNTIL, None),
    ],
)
def test_versions_are_held_against_ranges_as_osv_says(version, events, hit):
    assert has(version, events=events) is hit


def test_versions_that_are_listed_count_beside_ranges():
    assert has("3.0", events=UNTIL, versions=["1.0", "3.0", "2004d"]) is True
    assert has("3", versions=["3.0.0"]) is True
    assert has("2004d", versions=["2004d"]) is True
    assert has("2004e", versions=["2004d"]) is False
    (entry,) = snapshot(record(events=UNTIL, versions=["1.0", "1.1", "3.0"])).entries["pkg"]
    assert entry.versions == ("3.0",)  # what the range holds is not kept twice


def test_only_what_is_about_installed_versions_counts():
    told = snapshot(
        record("A", withdrawn="2026-01-01T00:00:00Z", events=UNTIL),
        record("B", kind="GIT", events=[{"introduced": "0"}]),
        {"id": "C", "affected": [{"package": {"ecosystem": "npm", "name": "pkg"}, "versions": ["1"]}]},
        {"id": "D"},
        record("E", name="Odd_Name.x", versions=["1"]),
    )
    assert (list(told.entries), told.withdrawn, told.others, told.unread) == (["odd-name-x"], 1, 3, 0)
    assert told.as_of == "2026-11-01T10:00:00+00:00"


def test_one_weakness_of_several_names_is_told_once():
    hits = found(
        "1.1",
        record("PYSEC-9", events=UNTIL, aliases=["CVE-1"], summary=""),
        record("GHSA-1", events=UNTIL, aliases=["CVE-1"], database_specific={"severity": "HIGH"}),
        record("GHSA-2", events=[{"introduced": "0"}, {"fixed": "1.3"}], severity=[{"score": "C"}]),
        record("MAL-1", versions=["1.1"]),
        record("LATE", events=[{"introduced": "5"}], aliases=["CVE-1"]),
    )  # fmt: skip
    assert [(one.id, one.aliases, one.severity, one.fixed) for one in hits] == [
        ("GHSA-1", ("CVE-1", "PYSEC-9"), "high", "1.2"),
        ("GHSA-2", (), "C", "1.3"),
        ("MAL-1", (), "malware", ""),
    ]
    assert hits[0].summary == "bad"


HOSTILE = [
    b"",
    b"nonsense",
    b"[1, 2]",
    b"[" * 100_000,
    b"\xff\xfe",
    None,
    b'{"id": 7}',
    b'{"id": ""}',
]


def test_what_cannot_be_read_is_counted_and_stops_nothing():
    odd = [
        record("X1", events="none"),
        record("X2", events=[{"introduced": "1.x.y"}]),
        record("X3", events=[{"introduced": "0"}, 5]),
        record("X4", events=[{"surprise": "1"}]),
        record("X5", events=[{"fixed": "1"}]),
        record("X6", versions=[1, None]),
        record("X7", kind="SEMVER", events=UNTIL),
        {"id": "X8", "affected": 7, "aliases": "all", "modified": 12},
        {
            "id": "X9",
            "affected": [None, {"package": "pkg"}, {"package": {"ecosystem": "PyPI", "name": ["x"]}}],
        },
        {"id": "X10", "modified": "2099-01-01T00:00:00Z", "affected": []},
        record("GOOD", events=UNTIL),
    ]
    told = osv.gather([*HOSTILE, *(json.dumps(one).encode() for one in odd)], NOW)
    assert told.unread == len(HOSTILE)
    assert told.as_of.startswith("2026-11-01")  # none makes it newer than it is
    lines = list(osv.dump(told))
    entries, _ = advisories.select(lines[1:], {"pkg": "1.1"})
    hits = {one.id: one.known for one in advisories.matches(entries, {"pkg": "1.1"})}
    assert hits == {"GOOD": True, **{f"X{n}": False for n in range(1, 8)}}


def test_equal_records_give_equal_lines():
    records = [record(f"A{n}", f"p{n % 3}", events=UNTIL) for n in range(9)]
    assert list(osv.dump(snapshot(*records))) == list(osv.dump(snapshot(*reversed(records))))


def test_a_compact_form_that_somebody_edited_is_not_believed():
    for head in ("", "[]", '{"provenote_advisories": 99}', "nonsense"):
        with pytest.raises(ValueError):
            advisories.head(head)
    entries, damaged = advisories.select(
        ['["pkg",[{"versions":["1"]}]]', '["b",nonsense', '["c",[{"id":"Y","ranges":[[["fixed","odd"]]]}]]',
         "", '["other",', '["d"]'],
        {"pkg": "", "b": "", "c": "", "d": ""},
    )  # fmt: skip
    assert damaged == ["pkg", "b", "d"]
    assert [one.known for one in advisories.matches(entries, {"c": "1"})] == [False]


KEYS = ["id", "affected", "package", "ecosystem", "name", "ranges", "type", "events"]
KEYS += ["introduced", "fixed", "versions", "aliases"]
PLAIN = st.none() | st.integers() | st.text(max_size=5) | st.sampled_from(["PyPI", "ECOSYSTEM", "0"])


@given(
    st.recursive(
        PLAIN,
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
        max_leaves=20,
    )
)  # fmt: skip
def test_no_record_is_too_odd(value):
    told = osv.gather([json.dumps(one).encode() for one in (value, {"id": "x", "affected": [value]})], NOW)
    lines = list(osv.dump(told))
    for name in told.entries:
        entries, _ = advisories.select(lines[1:], {name: "1.0"})
        advisories.matches(entries, {name: "1.0"})


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 5)), min_size=1, max_size=4),
    st.integers(0, 60),
)
def test_a_range_is_the_union_of_its_stretches(stretches, version):
    events, edge, inside = [], 0, False
    for gap, length in stretches:
        start, end = edge + gap, edge + gap + length
        edge = end + 1
        events += [("introduced", f"1.{start}"), ("fixed", f"1.{end}")]
        inside |= start <= version < end
    assert advisories.affects(Entry("x", ranges=(tuple(events),)), f"1.{version}") is inside
