"""The ledger's branch in real Git: nothing lost, nothing changed, whoever writes at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from provenote.errors import Refused
from provenote.stores.digest import sha256_bytes
from provenote.stores.ledger import Ledger, Moved


def git(folder: Path, *words: str, **more) -> str:
    identity = ["-c", "user.name=T", "-c", "user.email=t@x"]
    done = subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True, **more
    )
    return done.stdout.strip()


def named(text: str) -> dict[str, bytes]:
    content = text.encode()
    name = sha256_bytes(content)
    return {f"e/{name[:2]}/{name[2:]}": content}


@pytest.fixture
def ledger(repo: Path) -> Ledger:
    made = Ledger(repo)
    made.append(named("first"), "first")
    return made


def clone(ledger: Ledger, path: Path) -> Ledger:
    git(path.parent, "clone", "-q", "--no-checkout", str(ledger.folder), path.name)
    git(path, "branch", "-q", ledger.branch, f"origin/{ledger.branch}")
    return Ledger(path)


def test_append_and_read(ledger, repo):
    before = git(repo, "status", "--porcelain"), git(repo, "rev-parse", "HEAD")
    ledger.append(named("second") | named("third"), "two at once")
    files = ledger.read().files
    assert {files[path] for path in files if path.startswith("e/")} == {b"first", b"second", b"third"}
    assert files[".gitattributes"] == b"* -text\n"
    assert git(repo, "rev-list", "--count", ledger.branch) == "2"
    assert (git(repo, "status", "--porcelain"), git(repo, "rev-parse", "HEAD")) == before


def test_the_same_file_again_makes_no_commit(ledger):
    assert ledger.append(named("first"), "again") == ledger.tip()
    with pytest.raises(Refused, match="already holds another"):
        ledger.append(dict.fromkeys(named("first"), b"other"), "forged")


def test_no_ledger(repo):
    assert Ledger(repo).tip() is None
    with pytest.raises(Refused, match="init --solo"):
        Ledger(repo).read()


def test_append_only_where_one_has_looked(ledger):
    looked = ledger.tip()
    ledger.append(named("other"), "meanwhile")
    with pytest.raises(Moved):
        ledger.append(named("mine"), "late", onto=looked)
    ledger.append(named("mine"), "now", onto=ledger.tip())


def test_many_processes_at_once_lose_nothing(ledger, repo):
    code = (
        "import sys; from pathlib import Path; from provenote.stores.ledger import Ledger\n"
        "for n in range(10):\n"
        "    Ledger(Path('.')).append({f'e/{sys.argv[1]}/{n}': b'x'}, 'event')\n"
    )
    command = [sys.executable, "-c", code]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    writers = [subprocess.Popen([*command, str(number)], cwd=repo, env=env) for number in range(4)]
    assert [writer.wait() for writer in writers] == [0] * 4
    files = ledger.read().files
    assert len([path for path in files if path.startswith("e/")]) == 41


def test_two_clones_unite_as_plain_git_does(ledger, tmp_path):
    other = clone(ledger, tmp_path / "other")
    for text in ("a", "b", "c"):
        ledger.append(named(f"ours {text}"), text)
        other.append(named(f"theirs {text}"), text)
    ours, theirs = ledger.tip(), other.tip()
    git(ledger.folder, "fetch", "-q", str(other.folder), theirs)
    plain = git(ledger.folder, "merge-tree", "--write-tree", ours, theirs)
    united = ledger.unite(theirs)
    assert git(ledger.folder, "rev-parse", f"{united}^{{tree}}") == plain
    assert len(ledger.read().files) == 8
    assert ledger.unite(theirs) == united
    git(other.folder, "fetch", "-q", str(ledger.folder), united)
    assert other.unite(united) == united  # fast forward


def test_names_of_any_bytes_survive_a_union(ledger, tmp_path):
    other = clone(ledger, tmp_path / "other")
    odd = {'we "ird\\': b"1", "line\nfeed": b"2", "größe/漢": b"3", os.fsdecode(b"not\xff"): b"4"}
    other.append(odd, "odd")
    ledger.append(named("mine"), "mine")
    git(ledger.folder, "fetch", "-q", str(other.folder), other.tip())
    ledger.unite(str(other.tip()))
    files = ledger.read().files
    assert odd.items() <= files.items()


def test_two_clones_with_different_content_under_one_name(ledger, tmp_path):
    other = clone(ledger, tmp_path / "other")
    ledger.append({"x": b"1"}, "x")
    other.append({"x": b"2"}, "x")
    git(ledger.folder, "fetch", "-q", str(other.folder), other.tip())
    with pytest.raises(Refused, match="different contents"):
        ledger.unite(str(other.tip()))


# ---------------------------------------------------------------------- tampering


@pytest.fixture
def tree(ledger, tmp_path) -> Path:
    """A work tree in which somebody edits the branch by hand."""
    ledger.append(named("second"), "second")
    git(ledger.folder, "worktree", "add", "-q", str(tmp_path / "hand"), ledger.branch)
    return tmp_path / "hand"


def some_event(tree: Path) -> Path:
    return next(path for path in sorted(tree.glob("e/*/*")))


def test_a_deleted_file(ledger, tree):
    some_event(tree).unlink()
    git(tree, "commit", "-qam", "housekeeping")
    with pytest.raises(Refused, match="tampered.*changed or removed e/"):
        ledger.read()


def test_a_file_deleted_and_put_back(ledger, tree):
    path = some_event(tree)
    content = path.read_bytes()
    path.unlink()
    git(tree, "commit", "-qam", "housekeeping")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    git(tree, "add", "-A")
    git(tree, "commit", "-qm", "sorry")
    with pytest.raises(Refused, match="tampered"):
        ledger.read()


def test_an_edited_file(ledger, tree):
    some_event(tree).write_bytes(b"other")
    git(tree, "commit", "-qam", "typo")
    with pytest.raises(Refused, match="tampered"):
        ledger.read()


def test_a_file_that_becomes_a_link(ledger, tree):
    path = some_event(tree)
    path.unlink()
    path.symlink_to("/etc/passwd")
    git(tree, "commit", "-qam", "link")
    with pytest.raises(Refused, match="tampered"):
        ledger.read()


def test_a_merge_that_drops_what_the_other_side_brought(ledger, tree):
    base = git(tree, "rev-parse", "HEAD")
    git(tree, "checkout", "-q", "--detach", f"{base}~1")
    (tree / "e" / "zz").mkdir(parents=True)
    (tree / "e" / "zz" / "theirs").write_text("recall")
    git(tree, "add", "-A")
    git(tree, "commit", "-qm", "theirs")
    theirs = git(tree, "rev-parse", "HEAD")
    git(tree, "checkout", "-q", ledger.branch)
    git(tree, "merge", "-q", "-s", "ours", "-m", "merge", theirs)
    with pytest.raises(Refused, match="tampered.*theirs"):
        ledger.read()


def test_what_was_tampered_with_elsewhere_is_not_taken_in(ledger, tree, tmp_path):
    other = clone(ledger, tmp_path / "other")
    some_event(tree).unlink()
    git(tree, "commit", "-qam", "housekeeping")
    git(other.folder, "fetch", "-q", "origin", ledger.branch)
    before = other.tip()
    with pytest.raises(Refused, match="tampered"):
        other.unite(str(ledger.tip()))
    assert other.tip() == before


def test_a_replaced_commit_is_not_honoured(ledger, tree):
    files = ledger.read().files
    good = git(tree, "rev-parse", "HEAD")
    git(tree, "checkout", "-q", "--orphan", "forged")
    git(tree, "rm", "-rqf", ".")
    (tree / "forged").write_text("x")
    git(tree, "add", "-A")
    git(tree, "commit", "-qm", "forged")
    git(tree, "replace", good, git(tree, "rev-parse", "HEAD"))
    assert ledger.read().files == files


def test_a_shallow_clone(ledger, tmp_path):
    for number in range(3):
        ledger.append(named(f"more {number}"), "more")
    git(
        tmp_path,
        "clone",
        "-q",
        "--depth",
        "1",
        "--branch",
        ledger.branch,
        f"file://{ledger.folder}",
        "shallow",
    )
    shallow = Ledger(tmp_path / "shallow")
    with pytest.raises(Refused, match="unshallow"):
        shallow.read()
    git(shallow.folder, "fetch", "-q", "--unshallow")
    assert len(shallow.read().files) == 5


def test_a_repository_with_sha256_names(tmp_path):
    git(tmp_path, "init", "-q", "--object-format=sha256", "new")
    ledger = Ledger(tmp_path / "new")
    ledger.append(named("first"), "first")
    ledger.append(named("second"), "second")
    assert len(ledger.tip() or "") == 64 and len(ledger.read().files) == 3


def test_line_ends_stay_where_git_would_change_them(ledger, tmp_path):
    ledger.append({"e/crlf": b"a\nb\r\n"}, "x")
    git(
        tmp_path,
        "clone",
        "-q",
        "-c",
        "core.autocrlf=true",
        "-b",
        ledger.branch,
        str(ledger.folder),
        "windows",
    )
    assert (tmp_path / "windows" / "e" / "crlf").read_bytes() == b"a\nb\r\n"
    assert Ledger(tmp_path / "windows").read().files["e/crlf"] == b"a\nb\r\n"


def test_no_identity_and_signing_forced(ledger, repo):
    for name in ("user.name", "user.email"):
        git(repo, "config", "--unset", name)
    git(repo, "config", "commit.gpgsign", "true")
    git(repo, "config", "user.useConfigOnly", "true")
    ledger.append(named("second"), "second")
    assert len(ledger.read().files) == 3
