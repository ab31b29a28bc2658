"""Stored locks: the one reader of them, and what differs between two."""

from __future__ import annotations

import pytest

from provenote.environments import difference
from provenote.stores import environments
from provenote.tracking import environment

LOCK = f"""# provenote environment 1
# python 3.11.7 cpython
# platform linux-x86_64
numpy==2.1.0
project==0.1  # editable
Scikit_Learn==1.5.0+cpu
tool==1!2.0  # git+https://example.org/tool@{"a" * 40}
wheel==3  # local, sha256 {"b" * 64}
"""


def test_a_lock_is_read_whole():
    found = environments.read(LOCK)
    assert (found.python, found.implementation, found.platform) == ("3.11.7", "cpython", "linux-x86_64")
    assert list(found.packages) == ["numpy", "project", "scikit-learn", "tool", "wheel"]
    assert found.packages["scikit-learn"] == environments.Package("scikit-learn", "1.5.0+cpu")
    assert str(found.packages["project"]) == "0.1 (editable)"
    assert found.packages["tool"].address == f"git+https://example.org/tool@{'a' * 40}"
    assert found.packages["wheel"].digest == "b" * 64 and not found.packages["wheel"].address
    assert str(found.packages["wheel"]) == f"3 (local, sha256 {'b' * 12})"
    assert environments.packages(LOCK)["wheel"] == "3"


def test_the_lock_of_this_environment_is_read_as_it_was_made():
    locked = environment.lock()
    found = environments.read(locked.text)
    assert environments.packages(locked.text) == dict(locked.packages)
    assert (found.sha256, found.python) == (locked.sha256, locked.python)


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://evil.example",
        "-e ../mine",
        "-r other.txt",
        "name @ https://evil.example/x.whl",
        "a b==1",
        "-x==1",
        "name==1 --hash=sha256:0",
        "name==1; python_version<'4'",
        "name==\x1b[31m1",
        "<b>==1",
        "name==",
        "#name==1",
    ],
)
def test_nothing_that_could_command_an_installer_is_read(line):
    assert environments.packages(line) == {}


@pytest.mark.parametrize(
    "origin",
    ["file:///home/me/x", "http://plain.example/x.whl", "git+file:///x@1", "ext::sh -c id", "editable"],
)
def test_only_safe_addresses_are_fetched_again(origin):
    assert environments.read(f"x==1  # {origin}").packages["x"].address == ""


def test_changes_come_with_the_imported_first():
    before = environments.read("alpha==1\nbeta==1\ngone==1\nsame==1\nzeta==1\n")
    after = environments.read("alpha==2\nbeta==1  # editable\nnew==1\nsame==1\nzeta==2\n")
    found = difference.changes(before, after, ["zeta", "gone", "same"])
    assert [(change.name, change.kind, change.imported) for change in found] == [
        ("gone", "removed", True),
        ("zeta", "changed", True),
        ("alpha", "changed", False),
        ("beta", "changed", False),
        ("new", "added", False),
    ]
    assert difference.changes(before, before) == ()


def test_python_and_platform_are_compared():
    other = environments.read(LOCK.replace("3.11.7", "3.12.1").replace("x86_64", "aarch64"))
    assert difference.settings(environments.read(LOCK), other) == (
        ("python", "3.11.7", "3.12.1"),
        ("platform", "linux-x86_64", "linux-aarch64"),
    )
