"""Names that DVC and GTO can address, and the slug for others."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenote.errors import UsageError
from provenote.registry import names
from provenote.registry.names import Version


@pytest.mark.parametrize("name", ["bike-demand", "a", "A_1", "team/churn", "9", "a-_b"])
def test_model_names(name):
    assert names.model(name) == name
    assert names.split(f"{name}@v1.2.3") == (name, Version(1, 2, 3))
    assert names.split(name) == (name, None)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Bike demand", "Bike-demand"),
        ("-x", "x"),
        ("a//b", "a/b"),
        ("größe", "groe"),
        ("a@b", "a-b"),
        ("a=b", "a-b"),
        ("x" * 101, "x" * 100),
        ("сhurn", "hurn"),
        ("../etc", "etc"),
        ("a.b", "a-b"),
        ("a\n", "a"),
    ],
)
def test_no_model_names_are_refused_with_a_slug(name, slug):
    with pytest.raises(UsageError, match=re.escape(f"`{slug}`")):
        names.model(name)


def test_a_name_of_which_nothing_can_stay():
    with pytest.raises(UsageError, match="Letters"):
        names.model("漢字")


@given(st.text())
def test_a_slug_is_a_name(text):
    slug = names.slug(text)
    assert slug == "" or names.model(slug) == slug


@given(st.text())
def test_a_person_always_gets_a_name(text):
    assert names.PERSON.fullmatch(names.person(text))


@given(st.text())
def test_shown_text_has_no_unseen_character(text):
    shown = names.visible(text)
    assert shown.isprintable() or shown == ""
    assert names.visible(shown) == shown


def test_direction_marks_are_shown_as_codes():
    assert names.visible("a\u202eb\n") == "a\\u202eb\\u000a"


@pytest.mark.parametrize("path", ["provenote", "sub/project/provenote", "a.b/c-d_e", "..."])
def test_overlay_paths(path):
    assert names.overlay(path) == path


@pytest.mark.parametrize(
    "path", ["", "../x", "a/../b", "a b/provenote", "/a", "a/", "ü/provenote", "a\n", "."]
)
def test_no_overlay_paths(path):
    with pytest.raises(UsageError):
        names.overlay(path)


@pytest.mark.parametrize("stage", ["", "Prod", "a b", "../x", "a#1", "-a", "production\n"])
def test_no_stages(stage):
    with pytest.raises(UsageError):
        names.stage(stage)


def test_versions():
    assert [str(Version(1, 2, 3).bump(part)) for part in ("major", "minor", "patch")] == [
        "v2.0.0",
        "v1.3.0",
        "v1.2.4",
    ]
    assert max(map(Version.parse, ["v1.9.0", "v1.10.0", "1.2.0"])) == Version(1, 10, 0)
    for text in ("1.0", "v01.0.0", "v1.0.0-rc1", "v1.0.0\n", "", "v1.0.٣"):
        with pytest.raises(UsageError):
            Version.parse(text)
    with pytest.raises(UsageError):
        Version(1, 0, 0).bump("huge")
