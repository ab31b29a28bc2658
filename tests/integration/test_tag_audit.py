"""Tags against the ledger: what somebody forged, moved or lost is found here and on the remote."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from registry_desk import git, plain, promote, run_with_model, solo

from provenote import cli, sharing, workspace
from provenote.commands.tree import Context
from provenote.errors import Refused
from provenote.view import View

STAGE, VERSION = "provenote=churn#production#1", "provenote=churn@v1.0.0"


@pytest.fixture
def released(repo: Path, tmp_path: Path) -> Path:
    """A release, shared with a bare remote that nothing guards."""
    run_with_model()
    solo()
    promote()
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "team.git")
    git(repo, "remote", "add", "origin", str(tmp_path / "team.git"))
    git(repo, "push", "-q", "origin", "main")
    sharing.sync(workspace.find())
    return tmp_path / "team.git"


def verify(*words: str) -> View:
    view, _ = cli.run(["verify", *words], Context(face="terminal"))
    return view


def wrong(*words: str) -> dict[str, str]:
    view = verify("--tags", *words)
    found: dict[str, str] = view.data["tags"]
    assert view.status == (1 if found else 0)
    return found


def test_all_is_well(released):
    assert wrong() == {} and wrong("--remote", "origin") == {}
    assert verify("--remote", "origin").data["tags"] == {}


def test_missing_tags_are_made_anew_as_they_were(released, repo):
    before = git(repo, "show-ref", "--tags")
    git(repo, "tag", "-d", STAGE)
    git(repo, "tag", "-d", VERSION)
    git(released, "tag", "-d", STAGE)
    assert wrong() == {STAGE: "missing", VERSION: "missing"}
    assert wrong("--remote", "origin")[f"{STAGE} on origin"] == "missing"
    view = verify("--tags", "--remote", "origin", "--repair")
    assert view.status == 0 and set(view.data["repaired"]) == {STAGE, VERSION, f"{STAGE} on origin"}
    assert git(repo, "show-ref", "--tags") == before == git(released, "show-ref", "--tags")
    assert verify("--repair").data["repaired"] == []
    assert "production" in plain(repo, "gto", "show", "provenote:churn")


@pytest.mark.parametrize(
    "name",
    [
        "provenote=churn#production#2",
        "provenote=churn#production!#2",
        "provenote=churn@v7.0.0",
        "provenote=x",
    ],
)
def test_forged_tags(released, repo, name):
    git(repo, "tag", "-a", "-m", "mine", name, "HEAD")
    assert "forged" in wrong()[name]
    git(repo, "push", "-q", "origin", f"refs/tags/{name}")
    assert "forged" in wrong("--remote", "origin")[f"{name} on origin"]
    assert verify("--tags", "--remote", "origin", "--repair").status == 1
    assert name in git(repo, "tag"), "a tag that is there is never deleted"


def test_moved_tags_stay_and_are_told(released, repo):
    git(repo, "tag", "-f", "-a", "-m", "mine", STAGE, "HEAD")
    git(repo, "tag", "-f", VERSION, f"{VERSION}^{{commit}}")
    head = git(repo, "rev-parse", "HEAD")
    found = wrong("--repair")
    assert (
        found[STAGE].startswith(f"moved: it points to {head[:12]}") and "no annotated tag" in found[VERSION]
    )
    git(repo, "push", "-q", "-f", "origin", f"refs/tags/{STAGE}")
    assert "moved" in wrong("--remote", "origin")[f"{STAGE} on origin"]


def test_a_tag_with_another_time(released, repo):
    """It would be the newest for GTO, whatever is released after it."""
    text = git(repo, "cat-file", "tag", STAGE)
    late = text.replace("localhost> 1", "localhost> 4", 1) + "\n"
    assert late.strip() != text
    oid = subprocess.run(
        ["git", "hash-object", "-t", "tag", "-w", "--stdin"],
        cwd=repo,
        input=late,
        text=True,
        capture_output=True,
    ).stdout.strip()
    git(repo, "update-ref", f"refs/tags/{STAGE}", oid)
    assert "its time" in wrong()[STAGE]


def test_a_remote_whose_ledger_is_rewound_gone_or_ahead(released, repo, tmp_path):
    branch = "refs/heads/provenote-governance"
    first = git(repo, "rev-list", "--max-parents=0", branch)
    git(released, "update-ref", branch, first)
    key = "provenote-governance on origin"
    assert "rewound" in wrong("--remote", "origin")[key]
    with pytest.raises(Refused, match="rewound"):
        verify("--remote", "origin", "--repair")
    git(released, "update-ref", "-d", branch)
    assert wrong("--remote", "origin")[key] == "missing there"
    tip = git(repo, "rev-parse", branch)
    other = git(repo, "commit-tree", f"{tip}^{{tree}}", "-p", tip, "-m", "more")
    git(repo, "push", "-q", "origin", f"{other}:{branch}")
    with pytest.raises(Refused, match="holds more"):
        verify("--remote", "origin")


def test_tags_of_others_are_not_our_matter(released, repo):
    git(repo, "tag", "-a", "-m", "mine", "models=churn#production#9", "HEAD")
    git(repo, "tag", "v3")
    assert wrong() == {}
