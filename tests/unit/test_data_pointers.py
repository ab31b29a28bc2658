"""Pointers: what is written can be read, and what others wrote in them stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenote.errors import UsageError
from provenote.stores import pointers
from provenote.stores.pointers import Stored

digits = st.text("0123456789abcdef", min_size=32, max_size=32)
numbers_like = st.one_of(digits, st.from_regex(r"\A[0-9]{32}\Z"), st.from_regex(r"\A[0-9]{15}e[0-9]{16}\Z"))
files = st.builds(Stored, numbers_like, st.integers(0, 2**60), executable=st.booleans())
folders = st.builds(Stored, digits.map(lambda d: d + ".dir"), st.integers(0, 2**60), st.integers(0, 2**40))
# YAML has line ends of its own beyond \n; such a name is refused before anything is written.
odd = st.characters(blacklist_characters="/\0\x85\u2028\u2029\r", blacklist_categories=("Cs",))
printable = st.text(odd.filter(str.isprintable), min_size=1, max_size=100)


@given(name=printable, stored=files | folders)
def test_what_is_written_can_be_read(name: str, stored: Stored) -> None:
    read = pointers.read(pointers.pointer(name, stored))
    assert read.stored == stored
    assert read.path == name


@given(first=files, second=folders)
def test_renewing_equals_writing_anew(first: Stored, second: Stored) -> None:
    text = pointers.pointer("hour.csv", first)
    assert pointers.renewed(text, "hour.csv", second) == pointers.pointer("hour.csv", second)


def test_comments_and_descriptions_stay() -> None:
    text = (
        "# ours\nouts:\n- md5: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n  size: 1\n  hash: md5\n"
        "  path: hour.csv # by the hour\n  desc: rented bikes\n  remote: far\nmeta:\n  owner: Ada\n"
    )
    stored = Stored("f" * 32, 2)
    renewed = pointers.renewed(text, "hour.csv", stored)
    assert renewed == text.replace("a" * 32, "f" * 32).replace("size: 1", "size: 2")
    assert pointers.read(renewed).remote == "far"


def test_the_pointer_of_dvc_2_becomes_one_of_dvc_3() -> None:
    text = "outs:\n- md5: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n  size: 1\n  path: hour.csv\n"
    assert pointers.read(text).legacy
    renewed = pointers.renewed(text, "hour.csv", Stored("f" * 32, 2))
    assert not pointers.read(renewed).legacy


@pytest.mark.parametrize(
    "text",
    [
        "",
        "outs: []\n",
        "outs:\n- size: 1\n",
        "{",
        "a: 1\n",
        "outs:\n- md5: zz\n  path: a\n",
        "<<<<<<< HEAD\nouts:\n",
    ],
)
def test_what_is_no_pointer_is_said(text: str) -> None:
    with pytest.raises(UsageError):
        pointers.read(text)
