"""Two clones and a bare remote: concurrent work ends equal, nothing is lost, whatever dies or refuses."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import provenote
from provenote import sharing, workspace
from provenote.cli import main
from provenote.errors import ProvenoteError, Refused, UsageError, WorldError
from provenote.git import command
from provenote.model import Row
from provenote.sharing import journey, memory, offers, transport
from provenote.stores import annotating, index, ledger, notes, runs
from provenote.workspace import Workspace


def git(folder: Path, *arguments: str, given: str | None = None) -> str:
    answer = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, input=given, check=True
    )
    return answer.stdout


@dataclass
class Clone:
    """A clone of somebody's, and what this person does in it."""

    root: Path

    @property
    def place(self) -> Workspace:
        return workspace.find(self.root)

    def log(self, label: str, **metrics: Any) -> str:
        """Finish a run and return its name."""
        old = os.getcwd()
        os.chdir(self.root)
        try:
            with provenote.track(label) as run:
                run.log(metrics or {"acc": 1})
            return str(run.name)
        finally:
            os.chdir(old)

    def rows(self) -> dict[str, Row]:
        return {row.name: row for row in index.rows(self.place, everything=True)[0]}

    def ref(self, name: str) -> str:
        row = self.rows()[name]
        return runs.ref_name(row.baseline, name)

    def commit(self, label: str) -> str:
        """Finish a run and return its commit."""
        name = self.log(label)
        return str(self.rows()[name].commit)

    def remove(self, name: str) -> None:
        git(self.root, "update-ref", "-d", self.ref(name))

    def rename(self, name: str, to: str) -> None:
        row, ref = self.rows()[name], self.ref(name)
        git(self.root, "update-ref", runs.ref_name(row.baseline, to), str(row.commit))
        git(self.root, "update-ref", "-d", ref)

    def say(self, word: Any, name: str, **body: Any) -> None:
        annotating.say(self.place, word, [self.rows()[name].id], **body)

    def sync(self, remote: str | None = None, **options: Any) -> sharing.Account:
        return sharing.sync(self.place, remote, **options)

    def refs(self) -> dict[str, str]:
        return refs_of(self.root)

    def tree(self) -> str:
        return git(self.root, "rev-parse", f"{notes.REF}^{{tree}}").strip()


def refs_of(folder: Path) -> dict[str, str]:
    out = git(folder, "for-each-ref", "--format=%(refname) %(objectname)", "refs/exps")
    return dict(line.split() for line in out.splitlines())


@dataclass
class Team:
    """Two clones, ada's and bob's, and their bare remote."""

    ada: Clone
    bob: Clone
    remote: Path

    def settle(self) -> None:
        for clone in (self.ada, self.bob, self.ada, self.bob):
            clone.sync()

    def assert_equal(self) -> None:
        assert self.ada.refs() == self.bob.refs() == refs_of(self.remote)
        if notes.tip(self.remote):
            assert self.ada.tree() == self.bob.tree()
            assert git(self.remote, "rev-parse", f"{notes.REF}^{{tree}}").strip() == self.ada.tree()
        ours, theirs = self.ada.rows(), self.bob.rows()
        assert ours == theirs


def make_team(folder: Path, make_repo: Callable[[Path], Path]) -> Team:
    """Make two clones of one bare remote; its address is relative, so that the folder can be copied."""
    folder.mkdir(exist_ok=True)
    one = make_repo(folder / "ada")
    git(folder, "init", "-q", "--bare", "-b", "main", "team.git")
    git(one, "remote", "add", "origin", "../team.git")
    git(one, "push", "-q", "-u", "origin", "main")
    git(folder, "clone", "-q", "team.git", "bob")
    git(folder / "bob", "remote", "set-url", "origin", "../team.git")
    for name in ("ada", "bob"):
        git(folder / name, "config", "user.name", name)
        git(folder / name, "config", "user.email", f"{name}@example.org")
    return team_in(folder)


def team_in(folder: Path) -> Team:
    return Team(Clone(folder / "ada"), Clone(folder / "bob"), folder / "team.git")


@pytest.fixture
def team(tmp_path: Path, make_repo: Callable[[Path], Path]) -> Team:
    return make_team(tmp_path, make_repo)


def hook(remote: Path, name: str, script: str) -> None:
    file = remote / "hooks" / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


# ---------------------------------------------------------------------- the plain road


def test_two_clones_with_concurrent_work_end_equal(team: Team) -> None:
    mine, theirs = team.ada.log("mine", acc=0.1), team.bob.log("theirs", acc=0.2)
    team.ada.say("star", mine)
    team.bob.say("tag", theirs, tags=["best"])
    first = team.ada.sync()
    assert first.whole and (len(first.sent), first.said) == (1, 1)
    second = team.bob.sync()
    assert (len(second.sent), second.said, len(second.received), second.heard) == (1, 1, 1, 1)
    team.ada.sync()
    team.assert_equal()
    assert team.bob.rows()[mine].starred and team.ada.rows()[theirs].tags == ["best"]
    again = team.bob.sync()
    assert not again.sent and not again.received and not again.said and not again.heard
    assert again.lines() == ["origin: nothing new on either side"]


def test_work_tree_index_branches_and_stash_stay_as_they_are(team: Team) -> None:
    (team.bob.root / "a.txt").write_text("changed\n")
    (team.bob.root / "staged.txt").write_text("s")
    git(team.bob.root, "add", "staged.txt")
    team.ada.log("run")
    team.ada.sync()

    def state() -> list[str]:
        commands = ("status --porcelain=v2", "rev-parse HEAD", "branch -a", "stash list", "tag")
        said = [git(team.bob.root, "--no-optional-locks", *words.split()) for words in commands]
        return [*said, (team.bob.root / ".git" / "index").read_bytes().hex()]

    before = state()
    team.bob.sync()
    assert state() == before
    assert not (team.bob.root / ".git" / "FETCH_HEAD").exists()


def test_a_branch_here_and_there_is_no_matter_of_sync(team: Team) -> None:
    git(team.ada.root, "commit", "-q", "--allow-empty", "-m", "local work")
    team.ada.log("on-top")
    team.ada.sync()
    assert git(team.remote, "branch").split() == ["*", "main"]
    team.bob.sync()
    assert len(team.bob.rows()) == 1, "the baseline came along with its run"


def test_runs_that_were_killed_are_finished_first(team: Team) -> None:
    code = (
        "import provenote, os\nr = provenote.track('dead').__enter__(); r.log(a=1)\nos.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=team.ada.root)
    team.ada.sync()
    team.bob.sync()
    assert [row.status for row in team.bob.rows().values()] == ["killed"]


@pytest.mark.parametrize("gone_first", ["ada", "bob"])
def test_a_removed_run_is_removed_for_everyone(team: Team, gone_first: str) -> None:
    name, stays = team.ada.log("bad"), team.ada.log("good")
    team.settle()
    clone = getattr(team, gone_first)
    clone.remove(name)
    account = clone.sync()
    assert [line for line in account.lines() if "removed here" in line]
    assert account.to_json()["removed"] == [name]
    team.settle()
    team.assert_equal()
    assert set(team.ada.rows()) == {stays}


def test_a_renamed_run_has_one_name_everywhere(team: Team) -> None:
    name = team.ada.log("old")
    team.settle()
    run = team.ada.rows()[name].id
    team.bob.say("star", name)
    team.ada.rename(name, "better")
    assert team.ada.sync().to_json()["renamed"] == {name: "better"}
    assert team.bob.sync().to_json()["followed"] == [name]
    team.settle()
    team.assert_equal()
    row = team.bob.rows()["better"]
    assert list(team.bob.rows()) == ["better"] and row.id == run and row.starred


def test_plain_dvc_renames_and_removes_and_sync_follows(team: Team) -> None:
    better, worse = team.ada.log("a"), team.ada.log("b")
    team.settle()
    for words in (["rename", better, "best"], ["remove", worse]):
        subprocess.run(["dvc", "exp", *words], cwd=team.ada.root, check=True, capture_output=True)
    team.settle()
    team.assert_equal()
    assert set(team.bob.rows()) == {"best"}


def test_both_rename_at_once_and_no_run_is_lost(team: Team) -> None:
    name = team.ada.log("old")
    team.settle()
    team.ada.rename(name, "adas")
    team.bob.rename(name, "bobs")
    team.settle()
    team.assert_equal()
    assert len(team.ada.rows()) == 1 and len(team.ada.refs()) == 2  # two refs to one commit are one run


def test_a_removed_run_can_be_brought_back(team: Team) -> None:
    name = team.ada.log("wanted")
    team.settle()
    ref = team.ada.ref(name)
    commit = team.ada.refs()[ref]
    team.ada.remove(name)
    team.settle()
    assert team.bob.rows() == {}
    git(team.bob.root, "update-ref", ref, commit)
    assert team.bob.sync().to_json()["restored"] == [name]
    team.settle()
    team.assert_equal()
    assert set(team.ada.rows()) == {name}
    team.ada.remove(name)
    team.settle()
    assert refs_of(team.remote) == {} == team.bob.refs()


def test_an_overwritten_experiment_is_replaced_and_not_doubled(team: Team) -> None:
    first, second = team.ada.log("a"), team.ada.log("b")
    team.settle()
    ref, commit = team.ada.ref(first), team.ada.rows()[second].commit
    other = git(team.ada.root, "commit-tree", f"{commit}^{{tree}}", "-p", f"{commit}^", "-m", "again").strip()
    git(team.ada.root, "update-ref", ref, other)  # as `dvc exp run --force --name` does
    team.settle()
    assert team.ada.refs() == team.bob.refs() == refs_of(team.remote)
    assert team.bob.refs()[ref] == other and len(team.bob.refs()) == 2


def test_two_runs_of_one_name_both_stay(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "names", lambda label, run_id: iter([label]))
    team.ada.log("same", acc=1)
    team.bob.log("same", acc=2)
    team.ada.sync()
    account = team.bob.sync()
    assert list(account.to_json()["aside"]) == ["same"]
    team.settle()
    team.assert_equal()
    rows = team.ada.rows()
    assert rows["same"].metrics == {"acc": 1} and len(rows) == 2
    assert {row.metrics["acc"] for row in rows.values()} == {1, 2}


def test_many_vanished_runs_are_asked_about(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journey, "MANY", 2)
    names = [team.ada.log(label) for label in "abcd"]
    team.settle()
    for name in names[1:]:
        team.ada.remove(name)
    with pytest.raises(Refused, match="3 of the 4 runs") as error:
        team.ada.sync()
    assert "`provenote sync --removals`" in str(error.value)
    assert len(refs_of(team.remote)) == 4 and notes.tip(team.ada.root) is None
    team.ada.sync(removals=True)
    team.settle()
    team.assert_equal()
    assert set(team.bob.rows()) == {names[0]}


def test_a_clone_that_lost_its_memory_loses_no_run(team: Team) -> None:
    name = team.ada.log("kept")
    team.settle()
    (team.ada.place.home / "sync.json").write_text("{ garbage")
    team.ada.remove(name)
    team.settle()
    assert set(team.ada.rows()) == {name}, "what is not known to be removed comes back"


def test_runs_of_a_new_remote_at_the_old_address_go_there_again(team: Team) -> None:
    name = team.ada.log("a")
    team.settle()
    git(team.remote, "update-ref", "-d", team.ada.ref(name))
    git(team.remote, "update-ref", "-d", notes.REF) if notes.tip(team.remote) else None
    team.settle()
    team.assert_equal()
    assert set(team.ada.rows()) == {name}


# ---------------------------------------------------------------------- what else travels


def test_ledgers_unite_by_their_own_rules(team: Team) -> None:
    for clone, name in ((team.ada, "1"), (team.bob, "2")):
        for branch in transport.BRANCHES:
            ledger.Ledger(clone.root, branch).append({f"e/{name}": name.encode()}, "event")
    team.settle()
    for branch in transport.BRANCHES:
        tips = {
            git(root, "rev-parse", f"refs/heads/{branch}")
            for root in (team.ada.root, team.bob.root, team.remote)
        }
        assert len(tips) == 1
        assert set(ledger.Ledger(team.ada.root, branch).read().files) == {".gitattributes", "e/1", "e/2"}


def test_a_tampered_ledger_is_not_taken_and_the_rest_is_exchanged(team: Team) -> None:
    own = ledger.Ledger(team.ada.root)
    own.append({"e/1": b"1"}, "event")
    team.settle()
    base = git(team.remote, "rev-parse", own.ref).strip()
    empty = git(team.bob.root, "mktree", given="").strip()
    emptied = git(team.bob.root, "commit-tree", empty, "-p", base, "-m", "x").strip()
    git(team.bob.root, "push", "-q", "origin", f"{emptied}:{own.ref}")
    team.bob.log("run")
    account = team.bob.sync()
    assert not account.whole and "tampered" in account.problems[0] and len(account.sent) == 1
    assert ledger.Ledger(team.bob.root).tip() == base


def event(kind: str, **body: Any) -> dict[str, bytes]:
    line = json.dumps({"type": kind, **body}).encode() + b"\n"
    return {f"e/{abs(hash(line)) % 100:02}/{kind}": line}


def test_tags_of_versions_that_were_asked_for_travel_with_governance(team: Team) -> None:
    name = team.ada.log("model")
    commit = team.ada.rows()[name].commit
    subject = {"path": "provenote", "model": "m", "version": "v1.0.0", "commit": commit}
    for tag in ("provenote=m@v1.0.0", "provenote=m@v1.1.0", "provenote=m#production#1", "mine"):
        git(team.ada.root, "tag", "-a", "-m", tag, tag, str(commit))
    team.ada.sync()
    assert git(team.remote, "tag") == "", "nothing was asked for yet"
    ledger.Ledger(team.ada.root).append(event("request", subject=subject, stage="production"), "event")
    team.ada.sync()
    team.bob.sync()
    travelled = ["provenote=m#production#1", "provenote=m@v1.0.0"]
    assert git(team.remote, "tag").split() == git(team.bob.root, "tag").split() == travelled
    assert git(team.ada.root, "show-ref", *travelled) == git(team.bob.root, "show-ref", *travelled)
    git(team.bob.root, "tag", "-d", travelled[0])
    team.bob.sync()
    assert git(team.bob.root, "tag").split() == travelled


def test_a_tag_that_points_elsewhere_does_not_travel_and_one_that_differs_is_told(team: Team) -> None:
    commit = team.ada.commit("model")
    subject = {"path": "provenote", "model": "m", "version": "v1.0.0", "commit": commit}
    ledger.Ledger(team.ada.root).append(event("request", subject=subject, stage="production"), "event")
    git(team.ada.root, "tag", "-a", "-m", "x", "provenote=m@v1.0.0", "HEAD")
    team.ada.sync()
    assert git(team.remote, "tag") == ""
    git(
        team.remote,
        "-c",
        "user.name=x",
        "-c",
        "user.email=x@y",
        "tag",
        "-am",
        "y",
        "provenote=m@v1.0.0",
        str(commit),
    )
    account = team.ada.sync()
    assert any("provenote=m@v1.0.0" in problem and "differ" in problem for problem in account.problems)


def test_a_promoted_model_reaches_a_colleague(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    import registry_desk

    monkeypatch.chdir(team.ada.root)
    registry_desk.run_with_model(b"weights", "churn")
    root = registry_desk.solo().root
    registry_desk.promote("churn")
    account = team.ada.sync()
    assert account.whole and account.branches == {ledger.GOVERNANCE: "sent"} and len(account.tags) == 2
    team.bob.sync()
    monkeypatch.chdir(team.bob.root)
    found = registry_desk.registry(f"sha256:{root}")
    assert found.state.current((found.path, "churn", "production")).subject.version == "v1.0.0"
    shown = subprocess.run(["gto", "show", "provenote:churn"], capture_output=True, text=True)
    assert "v1.0.0" in shown.stdout and "production" in shown.stdout
    assert not team.bob.sync().branches


def test_plain_experiments_of_others_travel_unharmed(team: Team) -> None:
    base = git(team.bob.root, "rev-parse", "HEAD").strip()
    tree = git(team.bob.root, "rev-parse", "HEAD^{tree}").strip()
    plain = git(team.bob.root, "commit-tree", tree, "-p", base, "-m", "dvc: commit experiment x").strip()
    ref = runs.ref_name(base, "plain-exp")
    git(
        team.bob.root,
        "push",
        "-q",
        "origin",
        f"{plain}:{ref}",
        f"{plain}:refs/exps/stash",
        f"{plain}:refs/exps/exec/EXEC_HEAD",
    )
    team.ada.log("ours")
    team.ada.sync()
    assert team.ada.refs()[ref] == plain
    assert not [name for name in team.ada.refs() if "stash" in name or "exec" in name], "DVC's own refs stay"
    assert refs_of(team.remote)[ref] == plain
    listed = subprocess.run(
        ["dvc", "exp", "list", "--name-only"], cwd=team.ada.root, capture_output=True, text=True
    )
    assert "plain-exp" in listed.stdout.split()


def test_plain_dvc_pulls_what_was_synced(team: Team) -> None:
    name = team.ada.log("ours", acc=0.5)
    team.ada.sync()
    for words in (["exp", "pull", "origin", name], ["exp", "apply", name]):
        subprocess.run(["dvc", *words], cwd=team.bob.root, check=True, capture_output=True)
    assert json.loads((team.bob.root / "provenote" / "metrics.json").read_text()) == {"acc": 0.5}


def test_data_travels_with_the_runs(team: Team, tmp_path: Path) -> None:
    for clone in (team.ada, team.bob):
        with pytest.raises(UsageError, match="no remote for its data"):
            clone.sync(data=True)
        config = clone.root / ".dvc" / "config.local"
        config.write_text(
            f"[core]\n    remote = store\n['remote \"store\"']\n    url = {tmp_path / 'store'}\n"
        )
    model = team.ada.root / "model.bin"
    model.write_bytes(b"weights" * 100)
    old = os.getcwd()
    os.chdir(team.ada.root)
    with provenote.track("model") as run:
        run.log_artifact(model, "weights", type="model")
    os.chdir(old)
    sent = team.ada.sync(data=True)
    assert sent.whole and sent.files_sent == 1
    got = team.bob.sync(data=True)
    assert got.whole and got.files_received == 1 and not (team.bob.root / "model.bin").exists()
    artifact = index.document(team.bob.place, str(run.commit))["artifacts"]["weights"]
    kept = team.bob.place.cache_dir / "files" / "md5" / artifact["md5"][:2] / artifact["md5"][2:]
    assert kept.read_bytes() == b"weights" * 100
    assert team.bob.sync(data=True).files_received == 0
    (tmp_path / "store").rename(tmp_path / "away")
    (tmp_path / "store").write_text("no folder")
    for file in kept.parent.iterdir():
        file.unlink()
    broken = team.bob.sync(data=True)
    assert not broken.whole and "store" in broken.problems[0]


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


# ---------------------------------------------------------------------- races and deaths


def test_a_race_is_run_again(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, theirs = team.ada.log("mine"), team.bob.log("theirs")
    team.ada.say("star", mine)
    team.bob.say("star", theirs)
    true, raced = transport.fetch, []

    def late(remote: transport.Remote, specs: Any) -> None:
        true(remote, specs)
        if remote.folder == team.ada.root and not raced:
            raced.append(1)
            team.bob.sync()  # between Ada's look and her push

    monkeypatch.setattr(transport, "fetch", late)
    assert team.ada.sync().whole
    team.settle()
    team.assert_equal()
    assert all(row.starred for row in team.ada.rows().values()) and len(team.ada.rows()) == 2


def test_a_run_that_vanishes_from_the_remote_between_look_and_fetch(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, other = team.bob.log("gone"), team.bob.log("stays")
    team.bob.sync()
    ref = team.bob.ref(name)
    true, done = transport.listing, []

    def then_gone(remote: transport.Remote) -> dict[str, str]:
        found = true(remote)
        if not done:
            done.append(git(team.remote, "update-ref", "-d", ref))
            git(team.remote, "gc", "-q", "--prune=now")
        return found

    monkeypatch.setattr(transport, "listing", then_gone)
    team.ada.sync()
    assert set(team.ada.rows()) == {other}


def test_a_remote_that_always_moves_is_given_up(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journey, "TRIES", 3)
    monkeypatch.setattr(journey, "give", lambda remote, wanted, **_: offers.Answers(raced=["x"]))
    team.ada.log("a")
    with pytest.raises(WorldError, match="all the time"):
        team.ada.sync()


def test_many_clones_at_once(team: Team, tmp_path: Path) -> None:
    clones = [team.ada, team.bob]
    for number in range(2):
        root = tmp_path / f"more{number}"
        git(tmp_path, "clone", "-q", str(team.remote), str(root))
        git(root, "config", "user.email", f"m{number}@example.org")
        git(root, "config", "user.name", f"m{number}")
        clones.append(Clone(root))
    for number, clone in enumerate(clones):
        for count in range(2):
            clone.say("star", clone.log(f"r{number}-{count}"))
    code = "import sys; from provenote.cli import main; sys.exit(main(['sync']))"
    syncing = [subprocess.Popen([sys.executable, "-c", code], cwd=clone.root) for clone in clones]
    assert [process.wait(180) for process in syncing] == [0] * 4
    for clone in clones:
        clone.sync()
    everything = [clone.rows() for clone in clones]
    assert all(rows == everything[0] for rows in everything) and len(everything[0]) == 8
    assert all(row.starred for row in everything[0].values())


def test_one_clone_syncs_twice_at_once(team: Team) -> None:
    for label in "abc":
        team.ada.log(label)
    errors: list[BaseException] = []

    def go() -> None:
        try:
            team.ada.sync()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=go) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors and len(refs_of(team.remote)) == 3


class Stop(Exception):
    """The end of a process, as a test plays it."""


def work(team: Team) -> None:
    """Leave both clones with something of every kind to tell the other."""
    names = [team.ada.log(label) for label in ("keep", "drop", "name")]
    team.settle()
    team.ada.remove(names[1])
    team.ada.rename(names[2], "renamed")
    team.ada.say("star", names[0])
    ledger.Ledger(team.ada.root).append({"e/a": b"a"}, "event")
    team.bob.say("note", names[0], text="x")
    team.bob.log("bobs")
    ledger.Ledger(team.bob.root).append({"e/b": b"b"}, "event")
    team.bob.sync()


def check_work(team: Team) -> None:
    team.settle()
    team.assert_equal()
    labels = {row.label: row for row in team.bob.rows().values()}
    assert set(labels) == {"keep", "name", "bobs"} and labels["name"].name == "renamed"
    assert labels["keep"].starred and labels["keep"].notes == ["x"]
    assert set(ledger.Ledger(team.ada.root).read().files) >= {"e/a", "e/b"}


def sync_until(team: Team, monkeypatch: pytest.MonkeyPatch, last: int) -> bool:
    """Sync Ada's clone, stopped before its call number ``last`` of Git or write of its memory."""
    true_run, true_write, count = command.run, memory._write, 0

    def stopping(true: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        if count == last:
            raise Stop
        return true(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(command, "run", lambda *a, **o: stopping(true_run, *a, **o))
        patch.setattr(memory, "_write", lambda *a, **o: stopping(true_write, *a, **o))
        try:
            team.ada.sync()
        except Stop:
            return True
    return False


@pytest.mark.slow
def test_stopped_at_each_step_the_next_sync_goes_on(
    tmp_path: Path, make_repo: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = tmp_path / "prepared"
    work(make_team(prepared, make_repo))
    for number in range(1, 200):
        shutil.copytree(prepared, tmp_path / str(number), symlinks=True)
        fresh = team_in(tmp_path / str(number))
        died = sync_until(fresh, monkeypatch, number)
        check_work(fresh)
        shutil.rmtree(tmp_path / str(number))
        if not died:
            break
    assert 20 < number < 199


KILLER = """#!/bin/sh
# Stands before git on the PATH: the k-th call kills who made it, before or after Git did its work.
n=$(cat "$KILL_FILE"); n=$((n - 1)); echo $n > "$KILL_FILE"
if [ $n -eq 0 ] && [ "$KILL_WHEN" = before ]; then kill -9 $PPID; exit 1; fi
"$REAL_GIT" "$@"; status=$?
if [ $n -eq 0 ] && [ "$KILL_WHEN" = after ]; then kill -9 $PPID; exit 1; fi
exit $status
"""


@pytest.mark.slow
def test_killed_at_random_calls_of_git_nothing_is_lost(team: Team, tmp_path: Path) -> None:
    shim = tmp_path / "bin"
    shim.mkdir()
    (shim / "git").write_text(KILLER)
    (shim / "git").chmod(0o755)
    counter = tmp_path / "count"
    work(team)
    chance, deaths = random.Random(4), 0
    environment = os.environ | {"REAL_GIT": str(shutil.which("git")), "KILL_FILE": str(counter)}
    environment["PATH"] = f"{shim}{os.pathsep}{environment['PATH']}"
    for when in ["before", "after"] * 5:
        counter.write_text(str(chance.randrange(2, 30)))
        code = "import sys; from provenote.cli import main; sys.exit(main(['sync']))"
        env = environment | {"KILL_WHEN": when}
        process = subprocess.run(
            [sys.executable, "-c", code], cwd=team.ada.root, env=env, capture_output=True
        )
        deaths += process.returncode == -signal.SIGKILL
    assert deaths > 2
    check_work(team)


def test_any_failing_call_is_an_error_of_ours_or_is_mended(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Git that fails now and then never ends in a traceback of something else."""
    chance = random.Random(1)
    true = command.run

    def flaky(folder: Path, *arguments: str, **options: Any) -> Any:
        if arguments and arguments[0] in ("push", "update-ref", "fetch") and chance.random() < 0.3:
            return subprocess.CompletedProcess(arguments, 128, b"", b"fatal: the disk caught fire\n")
        return true(folder, *arguments, **options)

    work(team)
    monkeypatch.setattr(command, "run", flaky)
    failed = 0
    for _ in range(20):
        try:
            team.ada.sync()
        except ProvenoteError as error:
            failed += 1
            assert "\n" not in str(error)
    assert failed
    monkeypatch.undo()
    check_work(team)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_any_interleaving_of_real_clones_ends_equal(team: Team, seed: int) -> None:
    chance = random.Random(seed)
    removed: set[str] = set()
    made: dict[str, str] = {}
    for number in range(20):
        clone = chance.choice([team.ada, team.bob])
        rows = clone.rows()
        what = chance.choice(["log", "log", "say", "rename", "remove", "undo", "sync", "sync", "pack"])
        if what == "log":
            name = clone.log(f"r{number}")
            made[clone.rows()[name].id] = name
        elif what == "say" and rows:
            word = chance.choice(["star", "unstar", "archive", "tag", "note", "pin"])
            body = {"tag": {"tags": ["t"]}, "note": {"text": f"n{number}"}}.get(word, {})
            clone.say(word, chance.choice(sorted(rows)), **body)
        elif what == "rename" and rows:
            clone.rename(chance.choice(sorted(rows)), f"new{number}")
        elif what == "remove" and rows:
            name = chance.choice(sorted(rows))
            removed.add(rows[name].id)
            clone.remove(name)
        elif what == "undo":
            try:
                annotating.undo(clone.place)
            except UsageError:
                continue
        elif what == "pack":
            git(clone.root, "pack-refs", "--all")
            git(clone.root, "gc", "-q")
        elif what == "sync":
            assert clone.sync().whole
    team.settle()
    team.assert_equal()
    assert set(made) - removed <= {row.id for row in team.ada.rows().values()}


# ---------------------------------------------------------------------- many


def test_a_thousand_runs_take_few_calls(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    name = team.ada.log("seed")
    row = team.ada.rows()[name]
    lines = "".join(
        f"create {runs.ref_name(row.baseline, f'copy-{number}')} {row.commit}\n" for number in range(1_000)
    )
    git(team.ada.root, "update-ref", "--stdin", given=lines)
    calls: list[tuple[str, ...]] = []
    true = command.run
    monkeypatch.setattr(command, "run", lambda folder, *a, **o: calls.append(a) or true(folder, *a, **o))
    team.ada.sync()
    monkeypatch.setattr(command, "run", true)
    assert len(calls) < 40 and sum("ls-remote" in words for words in calls) == 1
    team.bob.sync()
    assert team.bob.refs() == team.ada.refs() == refs_of(team.remote) and len(team.bob.refs()) == 1_001
