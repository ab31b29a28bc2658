"""Two clones and a bare remote: concurrent work ends equal, and plain DVC beside it is not disturbed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from clones import Team, git, refs_of

import provenote
from provenote.errors import Refused, UsageError
from provenote.sharing import journey, transport
from provenote.stores import index, ledger, notes, runs

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
