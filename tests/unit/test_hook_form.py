"""The parts of a guard that need no repository: what Git gives to the hook, the script, the form of a tag."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
from ledger_world import World, subject

from provenote.errors import Refused
from provenote.registry import hook, hook_file, hook_ledger, tags

ZERO, ONE, TWO = "0" * 40, "1" * 40, "2" * 40


def test_what_git_gives():
    made, dropped = hook.parse(f"{ZERO} {ONE} refs/heads/a\n{ONE} {ZERO} refs/tags/b=c\n")
    assert (made.old, made.new, made.ref) == (None, ONE, "refs/heads/a")
    assert (dropped.old, dropped.new) == (ONE, None)
    assert hook.parse("") == []
    for line in ("a b refs/x", f"{ZERO} {ONE}", f"{ZERO} {ONE} heads/x", f"{ZERO}  {ONE} refs/x", "\r"):
        with pytest.raises(Refused, match="does not give"):
            hook.parse(line + "\n")


def passes(tmp_path: Path, *lines: str) -> bool:
    """Whether the script lets a push through; its Python refuses all."""
    python = tmp_path / "it's a python"
    python.write_text("#!/bin/sh\ncat > /dev/null\nexit 1\n")
    python.chmod(0o755)
    (tmp_path / "pre-receive").write_text(hook_file.script(str(python)))
    given = "".join(f"{line}\n" for line in lines)
    done = subprocess.run(["sh", "./pre-receive"], cwd=tmp_path, input=given, text=True, capture_output=True)
    assert not done.stderr
    return done.returncode == 0


@pytest.mark.parametrize(
    "line",
    [
        f"{ONE} {TWO} refs/heads/main",
        f"{ZERO} {TWO} refs/heads/governance",
        f"{ONE} {ZERO} refs/tags/v1",
        f"{ZERO} {TWO} refs/tags/churn@v1.0.0",
        f"{ZERO} {TWO} refs/exps/12/34/new-run",
        f"{ZERO} {TWO} refs/heads/a/refs/exps/x",
    ],
)
def test_the_script_lets_ordinary_pushes_through(tmp_path, line):
    assert passes(tmp_path, line)
    assert not passes(tmp_path, line, f"{ONE} {ZERO} refs/heads/provenote-governance")


@pytest.mark.parametrize(
    "line",
    [
        f"{ONE} {TWO} refs/heads/provenote-governance",
        f"{ZERO} {TWO} refs/heads/PROVENOTE-Governance",
        f"{ONE} {TWO} refs/heads/provenote-reviews",
        f"{ZERO} {TWO} refs/tags/sub/provenote=churn#production#1",
        f"{ONE} {ZERO} refs/tags/provenote=churn@v1.0.0",
        f"{ONE} {TWO} refs/exps/12/34/run",
        f"{ONE} {ZERO} refs/exps/12/34/run",
        f"{'0' * 39}a {ZERO} refs/exps/12/34/run",
        f"{'0' * 64} {'1' * 64} refs/provenote/notes",
        f"{'1' * 64} {'0' * 64} refs/exps/12/34/run",
        f"{ZERO} {TWO} refs/replace/{ONE}",
    ],
)
def test_the_script_asks_about_what_is_guarded(tmp_path, line):
    assert not passes(tmp_path, line)


def test_the_script_quotes_the_python():
    assert shlex.quote("/a b/it's") in hook_file.script("/a b/it's")


@pytest.fixture
def tag() -> tags.Tag:
    world = World()
    world.released()
    return tags.wanted(world.state())["provenote=churn#production#1"]


def text(tag: tags.Tag) -> str:
    return f"object {tag.commit}\ntype commit\ntag {tag.name}\ntagger x <y> {tag.at} +0000\n\n{tag.text}\n"


def test_a_tag_as_the_ledger_wants_it(tag):
    assert tags.differs(text(tag), tag) is None
    assert tag.commit == subject().commit


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("object ", "object 9", "it points to"),
        ("type commit", "type tree", "it points to"),
        ("#production#1", "#production#2", "calls itself"),
        ("> 1", "> 9", "its time"),
        ("object ", f"object {'9' * 40}\nobject ", "no tag that Git would make"),
        ("tagger ", "nobody ", "no tag that Git would make"),
    ],
)
def test_a_tag_that_differs(tag, old, new, word):
    assert word in str(tags.differs(text(tag).replace(old, new, 1), tag))
    assert tags.differs("", tag) is not None


def test_which_files_belong_to_the_ledger():
    hexes = "a" * 64
    for path in (
        f"e/{hexes[:2]}/{hexes[2:]}",
        f"join/{hexes}",
        "policy/12-0123456789ab.yaml",
        ".gitattributes",
    ):
        assert hook_ledger.belongs(path), path
    for path in (
        f"e/{hexes}",
        f"join/{hexes}/x",
        "policy/0-0123456789ab.yaml",
        "x",
        "e/aa/../b",
        "policy/1.sig",
    ):
        assert not hook_ledger.belongs(path), path
