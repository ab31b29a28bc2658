"""The bot on a forge: it checks what members pushed, makes the tags that are due, and remembers how far."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from registry_desk import git, promote, run_with_model, solo

from provenote import cli, sharing, workspace
from provenote.commands.tree import Context
from provenote.registry import forges
from provenote.registry.bot import VERIFIED
from provenote.registry.root import NoRoot
from provenote.view import View

LEDGER = "refs/heads/provenote-governance"
STAGE, VERSION = "provenote=churn#production#1", "provenote=churn@v1.0.0"
NO_TAGS = "#!/bin/sh\nif grep -q 'refs/tags/'; then echo 'only the bot may tag' >&2; exit 1; fi\n"


@pytest.fixture
def forge(repo: Path, tmp_path: Path) -> Path:
    """A remote that takes tags from nobody who pushes normally, with a release on it."""
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "team.git")
    remote = tmp_path / "team.git"
    (remote / "hooks" / "pre-receive").write_text(NO_TAGS)
    (remote / "hooks" / "pre-receive").chmod(0o755)
    git(repo, "remote", "add", "origin", str(remote))
    git(repo, "push", "-q", "origin", "main")
    run_with_model()
    solo()
    promote()
    return remote


@pytest.fixture
def released(forge: Path) -> Path:
    sharing.sync(workspace.find())
    (forge / "hooks" / "pre-receive").unlink()
    return forge


def bot(forge: Path, monkeypatch: pytest.MonkeyPatch, *words: str, root: str | None = None) -> View:
    """Check a fresh clone of branches and tags, as the forge's runner does."""
    clone = forge.parent / f"runner-{len(list(forge.parent.glob('runner-*')))}"
    git(forge.parent, "clone", "-q", str(forge), str(clone))
    home = Path.cwd()
    trusted = root or git(home, "config", "provenote.root")
    monkeypatch.setenv("PROVENOTE_ROOT", trusted)
    monkeypatch.chdir(clone)
    view, _ = cli.run(["guard", "check", "--since", f"origin/{VERIFIED}", *words], Context(face="terminal"))
    monkeypatch.chdir(home)
    monkeypatch.delenv("PROVENOTE_ROOT")
    return view


def test_where_only_the_bot_may_tag_the_ledger_still_goes(forge):
    account = sharing.sync(workspace.find())
    refs = git(forge, "for-each-ref", "--format=%(refname)").split()
    assert LEDGER in refs and not any(ref.startswith("refs/tags/") for ref in refs)
    assert set(account.waiting) == {f"refs/tags/{STAGE}", f"refs/tags/{VERSION}"}
    assert "only the bot may tag" in account.waiting[f"refs/tags/{STAGE}"]


def test_it_makes_the_tags_and_remembers(released, monkeypatch):
    view = bot(released, monkeypatch, "--push", "origin")
    assert view.status == 0 and set(view.data["made"]) == {STAGE, VERSION} and view.data["pushed"]
    assert "nothing was verified before" in view.data["remarks"][0]
    tip = git(released, "rev-parse", LEDGER)
    assert git(released, "rev-parse", f"refs/heads/{VERIFIED}") == tip
    here = Path.cwd()
    assert git(released, "rev-parse", f"refs/tags/{STAGE}") == git(here, "rev-parse", f"refs/tags/{STAGE}")
    assert not sharing.sync(workspace.find()).waiting
    again = bot(released, monkeypatch, "--push", "origin")
    assert again.status == 0 and again.data["made"] == [] and again.data["since"] == tip


def test_what_does_not_count_is_told_and_stops_nothing(released, monkeypatch, repo):
    tip = git(repo, "rev-parse", LEDGER)
    blob = (
        subprocess.run(
            ["git", "hash-object", "-w", "--stdin"], cwd=repo, input=b"x", capture_output=True, check=True
        )
        .stdout.decode()
        .strip()
    )
    tree = git(repo, "ls-tree", tip) + f"\n100644 blob {blob}\tREADME.md\n"
    made = subprocess.run(["git", "mktree"], cwd=repo, input=tree.encode(), capture_output=True, check=True)
    other = git(repo, "commit-tree", made.stdout.decode().strip(), "-p", tip, "-m", "x")
    git(repo, "push", "-q", "origin", f"{other}:{LEDGER}")
    view = bot(released, monkeypatch, "--push", "origin")
    assert view.status == 0 and any("README.md is no file" in line for line in view.data["remarks"])
    gone = git(repo, "commit-tree", f"{tip}^{{tree}}", "-p", other, "-m", "y")
    git(repo, "push", "-q", "origin", f"{gone}:{LEDGER}")
    view = bot(released, monkeypatch, "--push", "origin")
    assert view.status == 1 and "tampered" in view.data["broken"][0] and not view.data["pushed"]
    assert git(released, "rev-parse", f"refs/heads/{VERIFIED}") == other


def test_a_rewound_ledger(released, monkeypatch):
    bot(released, monkeypatch, "--push", "origin")
    git(released, "update-ref", LEDGER, git(released, "rev-list", "--max-parents=0", LEDGER))
    view = bot(released, monkeypatch, "--push", "origin")
    assert view.status == 1 and "rewound" in view.data["broken"][0]


@pytest.mark.parametrize("name", ["provenote=churn#production#2", STAGE, "sub/provenote=churn@v1.0.0"])
def test_tags_that_nothing_backs_stop_it(released, monkeypatch, name):
    git(released, "tag", "-a", "-m", "x", name, "main")
    view = bot(released, monkeypatch, "--push", "origin")
    assert view.status == 1 and name in view.data["broken"][0] and not view.data["pushed"]
    assert git(released, "tag") == name


def test_another_root_or_none(released, monkeypatch):
    view = bot(released, monkeypatch, root=f"sha256:{'a' * 64}")
    assert view.status == 1 and "pinned policy" in view.data["broken"][0]
    git(released.parent, "clone", "-q", str(released), "plain")
    monkeypatch.chdir(released.parent / "plain")
    with pytest.raises(NoRoot):
        cli.run(["guard", "check"], Context(face="terminal"))


def test_the_verbs_write_and_tell(released, repo):
    for forge in ("github", "gitlab"):
        view, _ = cli.run(["guard", forge], Context(face="terminal"))
        assert (repo / forges.PLACES[forge]).read_text() == forges.check_file(forge, view.data["root"][7:])
        assert "provenote-verified" in view.data["settings"]
