"""Which remote is meant, what was where, and remotes that fail or refuse."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from clones import Team, git, hook, refs_of

from provenote import sharing
from provenote.cli import main
from provenote.errors import UsageError, WorldError
from provenote.sharing import memory, transport
from provenote.stores import ledger, notes

# ---------------------------------------------------------------------- which remote, what is where


def test_the_default_remote(team: Team, tmp_path: Path) -> None:
    root = team.ada.root
    assert transport.choose(root).name == "origin"
    git(root, "remote", "add", "other", str(tmp_path / "other.git"))
    git(root, "config", "branch.main.remote", "other")
    assert transport.choose(root).name == "other", "the branch's upstream"
    git(root, "checkout", "-q", "--detach")
    assert transport.choose(root).name == "origin"
    git(root, "remote", "rename", "origin", "third")
    with pytest.raises(UsageError, match="which remote"):
        transport.choose(root)
    git(root, "remote", "remove", "third")
    assert transport.choose(root).name == "other", "the only one"
    git(root, "remote", "remove", "other")
    with pytest.raises(UsageError, match="git remote add"):
        transport.choose(root)


@pytest.mark.parametrize("name", ["nowhere", "-x", "", "a b", "--upload-pack=touch x"])
def test_a_remote_that_is_none(team: Team, name: str) -> None:
    with pytest.raises(UsageError, match="remote"):
        team.ada.sync(name)


def test_an_address_is_a_remote_too(team: Team, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", str(tmp_path / "elsewhere.git"))
    name = team.ada.log("run")
    ledger.Ledger(team.ada.root).append({"e/1": b"1"}, "event")
    assert team.ada.sync(str(tmp_path / "elsewhere.git")).whole
    assert len(refs_of(tmp_path / "elsewhere.git")) == 1 and refs_of(team.remote) == {}
    assert team.bob.sync(str(tmp_path / "elsewhere.git")).whole and name in team.bob.rows()


def test_what_was_pushed_where_is_known(
    team: Team, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git(tmp_path, "init", "-q", "--bare", str(tmp_path / "second.git"))
    git(team.ada.root, "remote", "add", "second", str(tmp_path / "second.git"))
    first = team.ada.commit("a")
    team.ada.sync()
    second = team.ada.commit("b")
    team.ada.sync("second")
    assert sharing.pushed(team.ada.place) == {first: ["origin", "second"], second: ["second"]}
    os.chdir(team.ada.root)
    assert main(["sync", "--status", "--json"]) == 0
    found = {each["remote"]: each for each in json.loads(capsys.readouterr().out)["remotes"]}
    assert (found["origin"]["both"], found["origin"]["waiting"]) == (1, 1)
    assert (found["second"]["both"], found["second"]["waiting"]) == (2, 0)
    assert main(["sync", "--status"]) == 0 and "origin" in capsys.readouterr().out
    assert "wait" not in json.dumps(memory.seen(team.ada.place, "origin").refs)  # type: ignore[union-attr]


def test_no_password_is_kept_or_shown(team: Team) -> None:
    git(team.ada.root, "remote", "set-url", "origin", "https://ada:secret@127.0.0.1:1/x.git")
    team.ada.log("a")
    with pytest.raises(WorldError) as error:
        team.ada.sync()
    assert "secret" not in str(error.value)
    assert not [file for file in team.ada.place.home.rglob("*.json") if "secret" in file.read_text()]


def test_the_verb_tells_and_leaves_with_a_status(team: Team, capsys: pytest.CaptureFixture[str]) -> None:
    os.chdir(team.ada.root)
    team.ada.log("a")
    assert main(["sync"]) == 0
    assert "origin: sent 1 run" in capsys.readouterr().out
    hook(team.remote, "pre-receive", "echo no runs today >&2; exit 1")
    team.ada.log("b")
    assert main(["sync"]) == 3
    said = capsys.readouterr().out
    assert "no runs today" in said and "1 run waits here, nothing is lost" in said


# ---------------------------------------------------------------------- remotes that fail


def test_an_unreachable_remote_says_what_waits(team: Team, tmp_path: Path) -> None:
    team.ada.say("star", team.ada.log("a"))
    team.ada.log("b")
    team.remote.rename(tmp_path / "moved.git")
    with pytest.raises(WorldError) as error:
        team.ada.sync()
    text = str(error.value)
    assert "\n" not in text and "2 runs and 1 annotation wait here, nothing is lost" in text
    assert "`provenote sync`" in text
    (tmp_path / "moved.git").rename(team.remote)
    assert len(team.ada.sync().sent) == 2
    team.remote.rename(tmp_path / "moved.git")
    with pytest.raises(WorldError, match="nothing of this clone waits"):
        team.ada.sync()


@pytest.mark.parametrize("name", ["pre-receive", "update"])
def test_a_hook_that_refuses_some_refs_lets_the_others_go(team: Team, name: str) -> None:
    test = {
        "pre-receive": 'while read a b c; do case "$c" in *bad*) echo "bad name" >&2; exit 1;; esac; done',
        "update": 'case "$1" in *bad*) echo "bad name" >&2; exit 1;; esac',
    }[name]
    hook(team.remote, name, test)
    labels = ["a", "b", "bad", "c", "d"]
    names = {label: team.ada.log(label) for label in labels}
    team.ada.say("star", names["bad"])
    account = team.ada.sync()
    assert [ref.rsplit("/", 1)[1] for ref in account.waiting] == [names["bad"]]
    assert "bad name" in account.refusals()[0] or name == "update"
    assert len(refs_of(team.remote)) == 4 and account.said == 1
    team.bob.sync()
    assert len(team.bob.rows()) == 4
    (team.remote / "hooks" / name).unlink()
    assert team.ada.sync().whole
    team.settle()
    team.assert_equal()


def test_a_remote_that_refuses_annotations_deletes_nothing(team: Team) -> None:
    name = team.ada.log("a")
    team.settle()
    hook(team.remote, "update", 'case "$1" in refs/provenote/*) exit 1;; esac')
    team.ada.remove(name)
    account = team.ada.sync()
    assert notes.REF in account.waiting and len(refs_of(team.remote)) == 1
    assert team.ada.rows() == {}, "and the run does not come back here"
    (team.remote / "hooks" / "update").unlink()
    team.settle()
    team.assert_equal()
    assert team.bob.rows() == {}


def test_a_remote_that_forbids_deletion_is_told(team: Team) -> None:
    name = team.ada.log("a")
    team.settle()
    hook(
        team.remote,
        "pre-receive",
        "while read a b c; do case $b in 000*) echo no deletion; exit 1;; esac; done",
    )
    team.ada.remove(name)
    account = team.ada.sync()
    assert "no deletion" in account.refusals()[0] and team.ada.rows() == {}
    team.bob.sync()
    assert team.bob.rows() == {}, "the others follow the annotation all the same"


def test_annotations_that_are_no_commit_wait(team: Team) -> None:
    blob = git(team.remote, "hash-object", "-w", "--stdin", given="no commit").strip()
    git(team.remote, "update-ref", notes.REF, blob)
    team.ada.say("star", team.ada.log("a"))
    account = team.ada.sync()
    assert len(account.sent) == 1 and "cannot be read" in account.problems[0]
    assert git(team.remote, "rev-parse", notes.REF).strip() == blob


def test_a_diverged_tree_of_annotations_unites(team: Team) -> None:
    name = team.ada.log("a")
    team.settle()
    team.ada.say("star", name)
    team.bob.say("note", name, text="from bob")
    git(team.bob.root, "push", "-q", "origin", f"{notes.REF}:{notes.REF}")
    assert notes.tip(team.remote) != notes.tip(team.ada.root)
    team.settle()
    team.assert_equal()
    row = team.ada.rows()[name]
    assert row.starred and row.notes == ["from bob"]


def test_a_mirror_remote_and_pruning_settings_take_nothing_away(team: Team) -> None:
    team.bob.log("theirs")
    team.bob.sync()
    git(team.ada.root, "config", "remote.origin.mirror", "true")
    git(team.ada.root, "config", "fetch.prune", "true")
    git(team.ada.root, "config", "push.followTags", "true")
    git(team.ada.root, "branch", "private")
    team.ada.log("mine")
    assert team.ada.sync().whole
    assert "private" not in git(team.remote, "branch") and len(team.ada.rows()) == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_repository_that_cannot_be_written(team: Team) -> None:
    team.bob.log("theirs")
    team.bob.sync()
    subprocess.run(["chmod", "-R", "a-w", str(team.ada.root / ".git")], check=True)
    try:
        with pytest.raises(WorldError):
            team.ada.sync()
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(team.ada.root / ".git")], check=True)
