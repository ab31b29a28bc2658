"""What loading must refuse: each test is somebody who changes bytes, records, tags, history or the root."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path

import pytest
from registry_desk import cached, git, head, plain, promote, registry, run_with_model, solo

import provenote
from provenote import cli, workspace
from provenote.commands.tree import Context
from provenote.errors import Refused, UsageError
from provenote.registry import event, model_bytes, reading, starting
from provenote.registry.load import load
from provenote.registry.root import NoRoot
from provenote.stores import cache, digest, remotes
from provenote.stores.ledger import Ledger


@pytest.fixture
def released(repo: Path):
    run_with_model()
    made = solo()
    promote()
    return made


def verify(*words: str):
    view, _ = cli.run(["verify", *words], Context(face="terminal"))
    return view


def broken() -> str | None:
    view = verify("churn")
    found = view.data["reports"][0]["broken"]
    assert view.status == (1 if found else 0)
    return found


def folder_model(**files: str) -> Path:
    source = Path("net")
    for name, text in files.items():
        path = source / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with provenote.track("folder") as run:
        run.log_model(source, "churn")
    return source


# ---------------------------------------------------------------------- bytes


def test_changed_bytes(released):
    cached(b"weights").write_bytes(b"Weights")
    with pytest.raises(model_bytes.BadBytes, match="differs from what was approved"):
        load("churn")
    assert broken() == "bytes"
    text = " ".join(part.text for part in verify("churn").parts)
    assert "differs from what test approved" in text and digest.sha256_bytes(b"Weights") in text


def test_bytes_swapped_between_hash_and_load(released, monkeypatch):
    """The reader gets the bytes that were hashed, whatever happens to the file."""
    path = cached(b"weights")
    hashed = digest.sha256_bytes

    def swap(content: bytes) -> str:
        if content == b"weights":
            path.write_bytes(b"evil")
        return hashed(content)

    monkeypatch.setattr(digest, "sha256_bytes", swap)
    assert Path(str(load("churn"))).read_bytes() == b"weights"
    assert path.read_bytes() == b"evil"


def test_two_files_with_one_md5_would_not_do(released, monkeypatch):
    """DVC finds bytes by MD5, which can be forged; the approval is of the SHA-256."""
    found = model_bytes.approved(workspace.find(), registry().state.promotions[0].subject)
    assert found.md5 != found.sha256 and registry().state.promotions[0].subject.sha256 == found.sha256
    cached(b"weights").write_bytes(b"collision")
    with pytest.raises(Refused):
        load("churn")


def test_bytes_are_fetched_from_the_remote_and_checked(released, tmp_path, repo):
    plain(repo, "dvc", "remote", "add", "-d", "store", str(tmp_path / "store"))
    remotes.push(workspace.find(), [hashlib.md5(b"weights").hexdigest()])
    object_ = cached(b"weights")
    there = next((tmp_path / "store").rglob(object_.name))
    object_.unlink()
    assert Path(str(load("churn"))).read_bytes() == b"weights"
    cached(b"weights").unlink()
    there.chmod(0o644)
    there.write_bytes(b"evil!!!")
    with pytest.raises(provenote.ProvenoteError):  # by us, or by DVC on the way
        load("churn")


def test_bytes_that_are_nowhere(released):
    cached(b"weights").unlink()
    with pytest.raises(provenote.ProvenoteError, match="not in the cache|neither in"):
        load("churn")
    assert broken() == "bytes"


def test_a_run_whose_bytes_changed_is_not_asked_for(repo):
    run_with_model()
    solo()
    cached(b"weights").write_bytes(b"evil")
    with pytest.raises(model_bytes.BadBytes):
        promote()
    assert not registry().log.events


def test_only_its_owner_reads_the_copy(released):
    path = Path(str(load("churn")))
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


# ---------------------------------------------------------------------- folders


def test_a_folder_is_loaded_as_a_private_copy(repo):
    folder_model(config="{}", layers__one="1")
    solo()
    promote()
    copy = Path(str(load("churn")))
    assert (copy / "layers" / "one").read_text() == "1" and stat.S_IMODE(copy.stat().st_mode) == 0o700
    assert registry().state.promotions[0].subject.kind == "folder"


@pytest.mark.parametrize("name", ["config", "layers__one"])
def test_a_changed_file_of_a_folder(repo, name):
    folder_model(config="{}", layers__one="1")
    solo()
    promote()
    cached("{}" if name == "config" else "1").write_text("evil")
    with pytest.raises(model_bytes.BadBytes):
        load("churn")
    assert broken() == "bytes"


@pytest.mark.parametrize("path", ["../../evil", "/tmp/evil", "a/../../evil", "a\\b", "config"])
def test_a_folder_list_that_leaves_the_folder(repo, path):
    folder_model(config="{}", layers__one="1")
    solo()
    promote()
    subject = registry().state.promotions[0].subject
    artifact = model_bytes.approved(workspace.find(), subject)
    listing = cache.object_path(workspace.find().cache_dir, artifact.md5)
    listing.chmod(0o644)
    rows = json.loads(listing.read_text())
    listing.write_text(json.dumps([*rows, {"relpath": path, "md5": rows[0]["md5"]}]))
    before = {one.name for one in Path(os.environ.get("TMPDIR", "/tmp")).glob("evil*")}
    with pytest.raises(provenote.ProvenoteError):
        load("churn")
    assert {one.name for one in Path(os.environ.get("TMPDIR", "/tmp")).glob("evil*")} == before


def test_a_folder_with_a_link_is_not_logged(repo):
    Path("net").mkdir()
    (Path("net") / "link").symlink_to("/etc/passwd")
    with pytest.raises(UsageError), provenote.track("folder") as run:
        run.log_model(Path("net"), "churn")


def test_a_file_does_not_pass_for_a_folders_manifest(repo):
    source = folder_model(config="{}")
    manifest = digest.manifest(source)
    solo()
    promote()
    run_with_model(manifest)
    promote()
    first, second = (one.subject for one in registry().state.promotions)
    assert first.sha256 == second.sha256 and first != second


# ---------------------------------------------------------------------- records and tags


def forged_commit(repo: Path, commit: str, change) -> str:
    """Write a run commit like ``commit`` whose run.json was changed."""
    document = json.loads(git(repo, "show", f"{commit}:provenote/run.json"))
    change(document)
    (repo / ".git" / "forged.json").write_text(json.dumps(document))
    blob = git(repo, "hash-object", "-w", ".git/forged.json")
    index = {**os.environ, "GIT_INDEX_FILE": str(repo / ".git" / "forged-index")}
    import subprocess

    for words in (
        ["read-tree", commit],
        ["update-index", "--cacheinfo", f"100644,{blob},provenote/run.json"],
    ):
        subprocess.run(["git", *words], cwd=repo, env=index, check=True)
    tree = subprocess.run(
        ["git", "write-tree"], cwd=repo, env=index, check=True, capture_output=True, text=True
    )
    return git(repo, "commit-tree", "-m", "forged", "-p", f"{commit}^", tree.stdout.strip())


def test_a_moved_tag_misleads_nobody_who_loads(released, repo):
    commit = registry().state.promotions[0].subject.commit
    forged = forged_commit(repo, commit, lambda document: document["metrics"].update(rmse=0.0))
    for name in ("provenote=churn@v1.0.0", "provenote=churn#production#1"):
        git(repo, "tag", "-f", "-a", "-m", "x", name, forged)
    assert Path(str(load("churn"))).read_bytes() == b"weights"
    assert broken() == "tag"
    view = verify("--tags")
    assert view.status == 1 and {why[:5] for why in view.data["tags"].values()} == {"moved"}


def test_a_forged_tag_gives_nothing(released, repo):
    run_with_model("evil", label="evil")
    newest = git(
        repo, "for-each-ref", "--sort=-creatordate", "--count=1", "--format=%(objectname)", "refs/exps"
    )
    git(repo, "tag", "-a", "-m", "x", "provenote=churn#production#2", newest)
    git(repo, "tag", "-a", "-m", "x", "provenote=churn@v6.6.6", newest)
    assert head() == "v1.0.0" and broken() is None
    assert set(verify("--tags").data["tags"]) == {"provenote=churn#production#2", "provenote=churn@v6.6.6"}


def test_lost_tags_are_told_and_made_again(released, repo):
    git(repo, "tag", "-d", "provenote=churn#production#1")
    assert verify("churn").data["reports"][0]["broken"] is None
    assert verify("--tags").data["tags"] == {"provenote=churn#production#1": "missing"}
    run_with_model("second")
    promote()
    assert verify("--tags").data["tags"] == {}


def test_a_replaced_run_commit_is_found_out(released, repo):
    commit = registry().state.promotions[0].subject.commit

    def change(document):
        document["artifacts"]["churn"]["sha256"] = digest.sha256_bytes(b"evil")

    git(repo, "replace", commit, forged_commit(repo, commit, change))
    with pytest.raises(model_bytes.BadBytes, match="names other bytes"):
        load("churn")
    assert broken() == "run"


def test_the_record_may_not_widen_what_is_trusted(released, repo, monkeypatch):
    """Types to trust come from the signed request; the run's record has no say."""
    commit = registry().state.promotions[0].subject.commit

    def widen(document):
        document["artifacts"]["churn"].update(format="skops", trusted=["os.system"])

    git(repo, "replace", commit, forged_commit(repo, commit, widen))
    from provenote.registry import formats

    def never(*words):
        raise AssertionError("a format that nobody approved was parsed")

    monkeypatch.setattr(formats, "load_bytes", never)
    assert Path(str(load("churn"))).read_bytes() == b"weights"


def test_the_commit_is_not_in_this_clone(released, repo, tmp_path, monkeypatch):
    git(tmp_path, "clone", "-q", "--no-tags", "--single-branch", f"file://{repo}", "bare-minimum")
    other = tmp_path / "bare-minimum"
    git(other, "fetch", "-q", "origin", "provenote-governance:provenote-governance")
    git(other, "config", "provenote.root", released.root)
    monkeypatch.chdir(other)
    with pytest.raises(provenote.ProvenoteError, match="git fetch --tags"):
        load("churn")


# ---------------------------------------------------------------------- the ledger and its root


def test_no_pinned_root(released, repo, monkeypatch):
    git(repo, "config", "--unset", "provenote.root")
    with pytest.raises(NoRoot, match=f"git config provenote.root sha256:{released.root}"):
        load("churn")
    assert load("churn", root=f"sha256:{released.root}")
    monkeypatch.setenv("PROVENOTE_ROOT", released.root)
    assert load("churn")


@pytest.mark.parametrize("root", ["0" * 64, "sha256:" + "f" * 64])
def test_another_root(released, monkeypatch, root):
    with pytest.raises(Refused, match="does not begin with the pinned policy"):
        load("churn", root=root)
    monkeypatch.setenv("PROVENOTE_ROOT", root)
    with pytest.raises(Refused):
        load("churn")


@pytest.mark.parametrize("root", ["x", "sha256:", "SHA256:abc", "0" * 63, "--version"])
def test_no_root_at_all(released, root):
    with pytest.raises(UsageError, match="no root"):
        load("churn", root=root)


def test_a_ledger_of_ones_own_instead(released, repo, home):
    """Somebody with push rights replaces the branch by one that they own: the pin does not fit."""
    git(repo, "update-ref", "-d", "refs/heads/provenote-governance")
    git(repo, "config", "--unset", "provenote.root")
    for path in (home / ".ssh").iterdir():
        path.unlink()
    solo()
    git(repo, "config", "provenote.root", released.root)
    with pytest.raises(Refused, match="does not begin"):
        load("churn")


def test_a_policy_in_a_work_tree_or_on_another_branch_counts_for_nothing(released, repo):
    (repo / "policy").mkdir()
    (repo / "policy" / "2-000000000000.yaml").write_text("version: 2\n")
    git(repo, "add", "policy")
    git(repo, "commit", "-qm", "my own policy")
    assert registry().log.policy.version == 1 and load("churn")


def test_a_deleted_event(released, repo, tmp_path):
    run_with_model("second")
    promote()
    git(repo, "worktree", "add", "-q", str(tmp_path / "hand"), "provenote-governance")
    name = registry().state.promotions[0].request.id
    (tmp_path / "hand" / "e" / name[:2] / name[2:]).unlink()
    git(tmp_path / "hand", "commit", "-qam", "housekeeping")
    with pytest.raises(Refused, match="tampered"):
        load("churn")
    with pytest.raises(Refused, match="tampered"):
        verify()


def test_an_event_missing_in_the_middle_of_a_rewritten_branch(released, repo):
    """The branch is written anew without the approval: what came after it is refused, not believed."""
    ledger = Ledger(repo)
    files = dict(ledger.read().files)
    vote = next(item for item in registry().log.events.values() if item.type == "vote")
    del files[f"e/{vote.id[:2]}/{vote.id[2:]}"]
    git(repo, "update-ref", "-d", ledger.ref)
    ledger.append(files, "as if nothing had happened")
    with pytest.raises(Refused, match="asked for in production, but not released"):
        load("churn")


def test_an_event_by_somebody_who_can_push(released, repo, tmp_path):
    from provenote.stores import keys

    key = keys.make(tmp_path / "evil", "evil")
    found = registry()
    subject = found.state.promotions[0].subject
    policy = found.log.policy
    about = {"subject": subject, "stage": "production", "target": "0" * 64, "why": "because I can"}
    now, heads = found.log.now, found.log.heads
    line = event.compose("test", now, policy.project, policy.id, heads, type="recall", **about)
    path, content = event.seal(line, key)
    found.ledger.append({path: content, "e/00/garbage": b"x"}, "evil")
    assert load("churn")
    view = verify()
    assert view.status == 0 and len(view.data["refused"]) == 1
    assert any("do not count: 1" in getattr(part, "text", "") for part in view.parts)


def test_an_event_of_another_project_replayed(released, repo, make_repo, tmp_path, monkeypatch):
    """Same person, same key, same model: still another project."""
    other = make_repo(tmp_path / "second")
    monkeypatch.chdir(other)
    run_with_model()
    solo()
    promote()
    foreign = {path: content for path, content in Ledger(other).read().files.items() if path.startswith("e/")}
    monkeypatch.chdir(repo)
    Ledger(repo).append(foreign, "replay")
    found = registry()
    assert len(found.log.refused) == 3 and set(found.log.refused.values()) == {
        "it belongs to another project"
    }
    assert load("churn")


def test_a_clock_that_runs_behind(released, monkeypatch):
    import time

    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 7200)
    with pytest.raises(Refused):
        reading.read(workspace.find()).state.current(("provenote", "churn", "production"))
    monkeypatch.setattr(time, "time", real)
    assert load("churn")


def test_the_solo_policy_of_this_release_can_be_read_by_it():
    from provenote.registry import policy_file
    from provenote.stores.signatures import PublicKey

    line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN1VEf/iaKacEhywB9TOgFpxT9tkqz6H779BBjw7oDG/"

    class Owner:
        public = PublicKey.parse(line)
        label = "x"

        def sign(self, message: bytes, namespace: str) -> bytes:
            raise AssertionError("only the text is asked for")

    made = policy_file.parse(starting.solo_policy(Owner(), "ada", "Ada", "a@x", demo=False))
    assert made.solo and {one.stage for one in made.rules} == set(starting.STAGES)
