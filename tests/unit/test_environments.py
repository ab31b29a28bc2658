"""Stored locks: the one reader of them, and what differs between two."""

from __future__ import annotations

import pytest

from provenote.environments import difference, pins, uv
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


def test_what_an_installer_is_asked_for():
    lines, skipped = pins.wanted(environments.read(LOCK + "conda==1  # local\nodd==1  # ext::sh -c id\n"))
    assert lines == [
        "numpy==2.1.0",
        "scikit-learn==1.5.0+cpu",
        f"tool @ git+https://example.org/tool@{'a' * 40}",
        f"wheel==3 --hash=sha256:{'b' * 64}",
    ]
    assert list(skipped) == ["conda==1", "odd==1", "project==0.1"]
    lines, skipped = pins.wanted(environments.read(LOCK + "conda==1  # local\n"), from_index=True)
    assert "conda==1" in lines and "wheel==3" in lines
    assert list(skipped) == ["project==0.1"], "an editable folder is never taken from an index"


ASKED = ["alpha==1", "beta-x==2 --hash=sha256:0", "tool @ git+https://example.org/t@1"]


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("error: No solution found when resolving dependencies\n  cause: Because there is no version of "
         "alpha==1 and you require alpha==1, we can conclude", {"alpha": "the index does not have it"}),
        ("  × No solution found when resolving dependencies:\n  ╰─▶ Because beta-x was not found in the "
         "package registry and you require\n      beta-x==2, we", {"beta-x": "the index does not have it"}),
        ("error: Failed to download `beta-x==2`\n  cause: Hash mismatch for `beta-x==2`",
         {"beta-x": "its file is another one there"}),
        ("error: Failed to download and build `tool @ git+https://example.org/t@1`\n cause: Git operation "
         "failed",
         {"tool": "its repository does not give it any more"}),
        ("error: Request failed\n cause: error sending request for url (https://x/)\n you require alpha", {}),
        ("error: something else about `gamma==1`", {}),
    ],
)  # fmt: skip
def test_what_uv_complains_of_is_read_from_its_words(said, names):
    assert uv.blamed(said, ASKED) == names


def test_no_credentials_are_repeated():
    assert uv.last_words("x\nerror: Failed to fetch: https://me:secret@example.org/simple") == (
        "Failed to fetch: https://example.org/simple"
    )


@pytest.mark.parametrize(
    "heading",
    ["# python --help cpython", "# python 3.11 /tmp/x/python", "# platform <b>", "# python 3.11 a b"],
)
def test_a_heading_of_another_form_says_nothing(heading):
    found = environments.read(f"{heading}\nalpha==1\n")
    assert (found.python, found.implementation, found.platform) == ("", "", "")
    assert list(found.packages) == ["alpha"]
