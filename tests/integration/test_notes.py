"""Annotations in Git: said by verbs, shown by listings, written by many at once, united by two clones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import provenote
from provenote import workspace
from provenote.cli import main
from provenote.errors import UsageError, WorldError
from provenote.git import objects
from provenote.stores import annotating, annotation, index, notes
from provenote.stores.keys import make
from provenote.workspace import Workspace


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def place(repo: Path) -> Workspace:
    """A project with three runs a, b, c; the first has a tag and a note of its own."""
    for label in "abc":
        with provenote.track(label) as run:
            run.log(acc=1)
            if label == "a":
                run.tag("given")
                run.note("while it ran")
    return workspace.find()


def rows(place: Workspace) -> dict[str, index.Row]:
    return {row.label: row for row in index.rows(place, everything=True)[0]}


def call(*words: str) -> int:
    return main(list(words))


def test_verbs_annotate_and_listings_show_it(place: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    commits = {label: row.commit for label, row in rows(place).items()}
    before = git("status", "--porcelain=v2"), git("rev-parse", "HEAD"), git("branch", "-a")
    for words in (
        "star a b", "tag a best é", "untag a given", "note a seen twice", "archive c", "pin b", "unstar b",
    ):  # fmt: skip
        assert call(*words.split()) == 0, capsys.readouterr().err
    found = rows(place)
    assert (found["a"].starred, found["b"].starred, found["c"].archived) == (True, False, True)
    assert found["a"].tags == ["best", "é"] and found["a"].notes == ["while it ran", "seen twice"]
    assert index.annotated(place).runs[found["b"].id].pinned
    assert {label: row.commit for label, row in found.items()} == commits, "a run is never rewritten"
    assert (git("status", "--porcelain=v2"), git("rev-parse", "HEAD"), git("branch", "-a")) == before
    capsys.readouterr()
    assert call("runs", "--json") == 0
    shown = json.loads(capsys.readouterr().out)["rows"]
    assert {row["label"] for row in shown} == {"a", "b"}
    assert call("runs") == 0 and "1 archived" in capsys.readouterr().out
    assert call("runs", "-A", "--json") == 0 and len(json.loads(capsys.readouterr().out)["rows"]) == 3
    capsys.readouterr()
    assert call("runs", "tags ~ best and starred", "--json") == 0
    assert [row["label"] for row in json.loads(capsys.readouterr().out)["rows"]] == ["a"]


def test_undo_takes_back_one_act_after_the_other(
    place: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    call("star", "a")
    call("archive", "a", "b", "c")
    capsys.readouterr()
    assert call("undo", "--json") == 0
    assert json.loads(capsys.readouterr().out)["undone"] == "archive"
    assert not any(row.archived for row in rows(place).values()) and rows(place)["a"].starred
    assert call("undo") == 0 and not rows(place)["a"].starred
    assert call("undo") == 2 and "no annotation by" in capsys.readouterr().err


def test_undo_leaves_what_others_said(place: Workspace) -> None:
    run = rows(place)["a"].id
    annotating.say(place, "star", [run])
    git("config", "user.email", "bob@example.org")
    annotating.say(place, "tag", [run], tags=["bobs"])
    git("config", "user.email", "test@example.org")
    annotating.undo(place)
    assert rows(place)["a"].tags == ["given", "bobs"] and not rows(place)["a"].starred


def test_without_an_identity_the_account_signs(place: Workspace) -> None:
    for key in ("user.name", "user.email"):
        git("config", "--unset", key)
    annotating.say(place, "star", [rows(place)["a"].id])
    assert "@" in annotating.history(place)[0].by


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("star", "no run is named"),
        ("star nowhere", "not in this repository"),
        ("star a nowhere", "not in this repository"),
        ("tag a", "no tag is given"),
        ("untag a other", "has no tag 'other'"),
        ("note a", "the note is empty"),
        ("undo", "no annotation by"),
    ],
)
def test_a_mistake_is_one_line_and_says_nothing_of_any_run(
    place: Workspace, words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*words.split()) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert notes.tip(place.top) is None


@pytest.mark.parametrize("tag", ["", " ", "a\nb", "x" * 101, "\x1b[31m"])
def test_no_tag(place: Workspace, tag: str) -> None:
    with pytest.raises(UsageError, match="is no tag"):
        annotating.say(place, "tag", [rows(place)["a"].id], tags=[tag])


def test_texts_of_any_kind_stay_as_they_are(place: Workspace) -> None:
    text = "<b>\x1b[31mred</b> \u202e ü 模型 \ud800"
    annotating.say(place, "note", [rows(place)["b"].id], text=text)
    assert rows(place)["b"].notes == [text.replace("\ud800", "\ufffd")]
    with pytest.raises(UsageError, match="10,000 fit"):
        annotating.say(place, "note", [rows(place)["b"].id], text="x" * 10_001)


def test_a_run_that_goes_on_can_be_starred_but_not_archived(
    place: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    with provenote.track("going") as run:
        assert call("star", run.name) == 0
        assert rows(place)["going"].starred
        assert call("archive", run.name) == 2 and "still running" in capsys.readouterr().err
    assert rows(place)["going"].starred and rows(place)["going"].status == "finished"


def test_a_verdict_of_a_reproduction_is_shown(place: Workspace) -> None:
    annotating.reproduced(place, rows(place)["a"].id, "within tolerance", by_run=rows(place)["b"].id)
    assert rows(place)["a"].reproduced == "within tolerance"
    with pytest.raises(UsageError, match="no verdict"):
        annotating.reproduced(place, rows(place)["a"].id, "fine")


def test_a_signed_annotation_counts_and_names_its_key(place: Workspace, tmp_path: Path) -> None:
    key = make(tmp_path / "key", "ada")
    annotating.say(place, "star", [rows(place)["a"].id], signer=key)
    assert rows(place)["a"].starred
    assert annotating.history(place)[0].key == key.public.fingerprint


def test_many_runs_fit_in_a_few_events(place: Workspace) -> None:
    runs = [f"{number:016x}" for number in range(1_200)]
    annotating.say(place, "archive", runs)
    assert len(annotating.history(place)) == 3
    assert len(annotating.undo(place)) == 3 and not any(
        m.archived for m in index.annotated(place).runs.values()
    )


WRITER = """
import sys
from provenote import workspace
from provenote.stores import annotating
for count in range(5):
    annotating.say(workspace.find(), "tag", [sys.argv[1]], tags=[f"t{sys.argv[2]}-{count}"])
"""


def test_writers_at_once_lose_nothing(place: Workspace) -> None:
    run = rows(place)["a"].id
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, run, str(number)]) for number in range(4)]
    assert [writer.wait(120) for writer in writers] == [0] * 4
    assert set(rows(place)["a"].tags) == {"given"} | {f"t{n}-{c}" for n in range(4) for c in range(5)}


# ---------------------------------------------------------------------- the tree


def seal(place: Workspace, word: str, run: str, **body: object) -> dict[str, bytes]:
    return dict([annotation.seal(annotation.compose(word, "x <x@y>", int(time.time()), [], [run], **body))])


def commit_tree(place: Workspace, files: dict[str, bytes]) -> str:
    return objects.commit(place.common_dir, objects.build(place.common_dir, None, files), [], "elsewhere")


def test_a_tree_that_grew_elsewhere_unites(place: Workspace) -> None:
    run = rows(place)["a"].id
    annotating.say(place, "star", [run])
    theirs = commit_tree(place, seal(place, "tag", run, tags=["theirs"]))
    first = notes.unite(place.common_dir, theirs)
    assert (first.received, first.ahead) == (1, 1)
    assert rows(place)["a"].tags == ["given", "theirs"] and rows(place)["a"].starred
    assert notes.unite(place.common_dir, theirs).commit == first.commit, "united once"
    parents = git("rev-list", "--parents", "-n1", first.commit).split()[1:]
    assert theirs in parents, "a plain push of it moves the other side forward"


def test_what_was_cut_off_elsewhere_comes_back(place: Workspace) -> None:
    run = rows(place)["a"].id
    annotating.say(place, "star", [run])
    annotating.say(place, "note", [run], text="kept")
    whole = notes.tip(place.top)
    assert whole is not None
    names = list(notes.paths(place.top, whole))
    base = objects.tree_of(place.common_dir, whole)
    cut = objects.build(place.common_dir, base, {name: None for name in names if name.startswith("e/")})
    theirs = objects.commit(place.common_dir, cut, [whole], "cut")
    notes.unite(place.common_dir, theirs)
    assert rows(place)["a"].starred and rows(place)["a"].notes[-1] == "kept"


def test_a_damaged_tree_elsewhere_harms_nothing(place: Workspace) -> None:
    run = rows(place)["a"].id
    annotating.say(place, "star", [run])
    mine = next(iter(notes.ids(place.top, notes.tip(place.top))))
    bad = {
        f"e/{mine[:2]}/{mine[2:]}": b"changed\n",
        f"e/aa/{'b' * 62}": b"not its hash\n",
        "e/short": b"x",
        "later/format": b"kept for who knows it",
    }
    notes.unite(place.common_dir, commit_tree(place, bad))
    assert rows(place)["a"].starred
    there = notes.paths(place.top, notes.tip(place.top))
    assert "later/format" in there
    notes.unite(place.common_dir, commit_tree(place, {"e": b"a file where a folder is\n"}))
    assert rows(place)["a"].starred and "e" not in notes.paths(place.top, notes.tip(place.top))


def test_two_clones_unite_to_equal_trees(place: Workspace) -> None:
    run = rows(place)["a"].id
    one = commit_tree(place, seal(place, "star", run) | {"odd": b"1"})
    two = commit_tree(place, seal(place, "archive", run) | {"odd": b"2"})
    made = []
    for first, second in ((one, two), (two, one)):
        git("update-ref", notes.REF, first)
        made.append(git("rev-parse", f"{notes.unite(place.common_dir, second).commit}^{{tree}}"))
    assert made[0] == made[1]


def test_a_lost_index_says_the_same(place: Workspace) -> None:
    annotating.say(place, "star", [rows(place)["a"].id])
    want = rows(place)
    for file in place.home.glob("index.sqlite*"):
        file.unlink()
    index._open.clear()
    assert rows(place) == want
    (place.home / "index.sqlite").write_bytes(b"no database" * 1000)
    index._open.clear()
    assert rows(place) == want


def test_events_are_read_once(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run = rows(place)["a"].id
    for number in range(3):
        annotating.say(place, "tag", [run], tags=[f"t{number}"])
    rows(place)
    parsed: list[str] = []
    true = annotation.parse
    monkeypatch.setattr(annotation, "parse", lambda name, content: parsed.append(name) or true(name, content))
    index._open.clear()
    rows(place)
    assert parsed == []
    annotating.say(place, "star", [run])
    assert rows(place)["a"].starred and len(parsed) == 1


def test_a_lost_ref_takes_its_annotations_along(place: Workspace) -> None:
    annotating.say(place, "star", [rows(place)["a"].id])
    assert rows(place)["a"].starred
    git("update-ref", "-d", notes.REF)
    assert not rows(place)["a"].starred


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_repository_that_cannot_be_written_is_said_in_one_line(place: Workspace) -> None:
    run = rows(place)["a"].id
    subprocess.run(["chmod", "-R", "a-w", str(place.common_dir)], check=True)
    try:
        with pytest.raises(WorldError, match="cannot be"):
            annotating.say(place, "star", [run])
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(place.common_dir)], check=True)


def test_a_full_disk_is_said_in_one_line(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run = rows(place)["a"].id

    def full(*_: object) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(objects, "build", full)
    with pytest.raises(WorldError, match="cannot be kept.*No space left") as error:
        annotating.say(place, "star", [run])
    assert "\n" not in str(error.value)
    monkeypatch.undo()
    assert not rows(place)["a"].starred
