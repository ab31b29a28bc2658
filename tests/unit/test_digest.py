"""Bytes have one digest: files, folders, values; what has none is refused."""

from __future__ import annotations

import hashlib
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenote.errors import UsageError
from provenote.stores.digest import (
    Resource,
    canonical,
    check_name,
    manifest,
    manifest_of,
    parse_canonical,
    sha256,
)

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
)


@given(PLAIN)
def test_a_canonical_line_is_one_line_that_reads_back(value):
    line = canonical(value)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert parse_canonical(line) == json.loads(line) == value
    assert canonical(json.loads(line)) == line


@pytest.mark.parametrize(
    "line",
    [
        b'{"a":1,"a":1}\n',
        b"{ }\n",
        b"{}",
        b"{}\r\n",
        b"1.0\n",
        b"1e3\n",
        b"NaN\n",
        b"9007199254740992\n",
        b'"\\u0061"\n',
        b'{"b":1,"a":1}\n',
        b'"\\ud800"\n',
        b"\xff\n",
        b"[" * 9000 + b"\n",
        b"-0\n",
        b"1" * 5000 + b"\n",
    ],
)
def test_lines_of_another_form(line):
    with pytest.raises((ValueError, RecursionError)):
        parse_canonical(line)


@pytest.mark.parametrize(
    "value", [1.0, [float("nan")], {"a": float("inf")}, 2**53, -(2**53), {1: 2}, "\ud800", {"\udcff": 1}]
)
def test_what_has_no_canonical_line(value):
    with pytest.raises(ValueError):
        canonical(value)


def test_a_file(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"x" * 3_000_000)
    assert sha256(path) == hashlib.sha256(b"x" * 3_000_000).hexdigest()


def test_a_folder_is_its_manifest(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "two").write_bytes(b"22")
    (tmp_path / "a-one").write_bytes(b"1")
    rows = [
        {"digest": hashlib.sha256(b"1").hexdigest(), "name": "a-one", "size": 1},
        {"digest": hashlib.sha256(b"22").hexdigest(), "name": "b/two", "size": 2},
    ]
    assert json.loads(manifest(tmp_path)) == {"resources": rows, "v": 1}
    assert sha256(tmp_path) == hashlib.sha256(manifest(tmp_path)).hexdigest()


def test_a_folder_changes_with_names_content_and_places(tmp_path):
    seen = {sha256(tmp_path)}
    for change in (
        lambda: (tmp_path / "a").write_bytes(b"1"),
        lambda: (tmp_path / "a").write_bytes(b"2"),
        lambda: (tmp_path / "a").rename(tmp_path / "b"),
        lambda: ((tmp_path / "c").mkdir(), (tmp_path / "b").rename(tmp_path / "c" / "b")),
    ):
        change()
        seen.add(sha256(tmp_path))
    assert len(seen) == 5


def test_links_and_special_files_are_refused(tmp_path):
    (tmp_path / "f").mkdir()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "f" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(UsageError, match="symbolic link"):
        sha256(tmp_path / "f")
    (tmp_path / "f" / "link").unlink()
    os.mkfifo(tmp_path / "f" / "pipe")
    with pytest.raises(UsageError, match="no plain file"):
        sha256(tmp_path / "f")
    with pytest.raises(UsageError, match="cannot be read"):
        sha256(tmp_path / "missing")


@pytest.mark.parametrize(
    "name", ["../x", "/x", "a//b", "a/./b", "a/..", "", ".", "a\\b", "a\nb", "\x00", "\udcff", "a/"]
)
def test_names_that_leave_the_folder(name):
    with pytest.raises(UsageError):
        check_name(name)
    with pytest.raises(UsageError):
        manifest_of([Resource(name, 1, "0" * 64)])


def test_a_name_twice():
    with pytest.raises(UsageError, match="twice"):
        manifest_of([Resource("a", 1, "0" * 64), Resource("a", 1, "1" * 64)])
