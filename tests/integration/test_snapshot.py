"""Snapshots of odd repositories: the tree is what `git add -A` makes, and nothing of the user's changes."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import provenote
from provenote import config
from provenote.errors import UsageError, WorldError
from provenote.git import snapshot


def git(*arguments: str, cwd: Path | str = ".", env: dict[str, str] | None = None) -> str:
    answer = subprocess.run(
        ["git", *arguments],
        cwd=cwd,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
    )
    return answer.stdout


def expected_tree(root: Path, tmp_path: Path) -> str:
    """The tree that Git itself makes of the work tree, through a copy of the index."""
    index = tmp_path / "index-copy"
    folder = git("rev-parse", "--path-format=absolute", "--git-common-dir", cwd=root).strip()
    subprocess.run(["cp", "-a", f"{folder}/index", str(index)], check=True)
    for shared in Path(folder).glob("sharedindex.*"):
        subprocess.run(["cp", "-a", str(shared), str(tmp_path)], check=True)
    env = {"GIT_INDEX_FILE": str(index)}
    git("add", "--all", "--sparse", cwd=root, env=env)
    return git("write-tree", cwd=root, env=env).strip()


def take(root: Path, common_dir: Path, settings: config.Settings) -> snapshot.Snapshot:
    with snapshot.look(root) as status:
        return snapshot.take(root, common_dir, settings, status)


def taken(root: Path) -> str:
    found = take(
        root,
        Path(git("rev-parse", "--path-format=absolute", "--git-common-dir", cwd=root).strip()),
        config.Settings(),
    )
    return found.tree or git("rev-parse", "HEAD^{tree}", cwd=root).strip()


def dirty(root: Path) -> None:
    (root / "sub").mkdir(exist_ok=True)
    (root / "a.txt").write_text("changed\n")
    (root / "new.py").write_text("x = 1\n")
    (root / "sub" / "deep.py").write_text("y = 2\n")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("a.txt")
    (root / 'odd "name\\with\nbreak.py').write_text("z\n")


def clean_filter(root: Path) -> None:
    git("config", "filter.up.clean", "tr a-z A-Z", cwd=root)
    (root / ".gitattributes").write_text("*.up filter=up\n")
    (root / "text.up").write_text("shout\n")


def autocrlf(root: Path) -> None:
    git("config", "core.autocrlf", "true", cwd=root)
    (root / "dos.txt").write_bytes(b"one\r\ntwo\r\n")


def sparse(root: Path) -> None:
    for name in ("in", "out"):
        (root / name).mkdir()
        (root / name / "f.txt").write_text(name)
    git("add", "--all", cwd=root)
    git("commit", "-qm", "two folders", cwd=root)
    git("sparse-checkout", "set", "in", ".dvc", cwd=root)
    assert not (root / "out").exists()


def split_index(root: Path) -> None:
    git("update-index", "--split-index", cwd=root)


def staged_and_deleted(root: Path) -> None:
    (root / "b.txt").write_text("b")
    (root / "c.txt").write_text("c")
    git("add", "--all", cwd=root)
    git("commit", "-qm", "b", cwd=root)
    (root / "b.txt").unlink()
    git("rm", "-q", "--cached", "c.txt", cwd=root)
    (root / "d.txt").write_text("staged")
    git("add", "d.txt", cwd=root)
    (root / "d.txt").unlink()


def file_becomes_folder(root: Path) -> None:
    (root / "a.txt").unlink()
    (root / "a.txt").mkdir()
    (root / "a.txt" / "inner.py").write_text("x\n")


def folder_becomes_file(root: Path) -> None:
    (root / "d").mkdir()
    (root / "d" / "f.py").write_text("x")
    git("add", "--all", cwd=root)
    git("commit", "-qm", "d", cwd=root)
    (root / "d" / "f.py").unlink()
    (root / "d").rmdir()
    (root / "d").write_text("now a file\n")


def unmerged(root: Path) -> None:
    git("checkout", "-qb", "other", cwd=root)
    (root / "a.txt").write_text("theirs\n")
    git("commit", "-qam", "theirs", cwd=root)
    git("checkout", "-q", "main", cwd=root)
    (root / "a.txt").write_text("ours\n")
    git("commit", "-qam", "ours", cwd=root)
    subprocess.run(["git", "merge", "other"], cwd=root, capture_output=True)
    assert git("ls-files", "--unmerged", cwd=root)


@pytest.mark.parametrize(
    "make",
    [
        dirty,
        clean_filter,
        autocrlf,
        sparse,
        split_index,
        staged_and_deleted,
        file_becomes_folder,
        folder_becomes_file,
        unmerged,
        lambda root: None,
    ],
)
def test_the_tree_is_the_one_git_makes_and_nothing_changes(
    repo: Path, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(repo)
    if make not in (dirty, file_becomes_folder, folder_becomes_file, unmerged):
        dirty(repo)
    want = expected_tree(repo, tmp_path)
    before = (
        hashlib.sha256((repo / ".git" / "index").read_bytes()).hexdigest(),
        git("--no-optional-locks", "status", "--porcelain=v2"),
    )
    assert taken(repo) == want
    after = (
        hashlib.sha256((repo / ".git" / "index").read_bytes()).hexdigest(),
        git("--no-optional-locks", "status", "--porcelain=v2"),
    )
    assert after == before
    with provenote.track("r") as run:
        run.log(a=1)
    git("fsck", "--strict", "--no-dangling")
    assert git("--no-optional-locks", "status", "--porcelain=v2") == before[1]


def test_a_linked_worktree_logs_to_the_same_repository(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    monkeypatch.chdir(tmp_path / "linked")
    (tmp_path / "linked" / "new.py").write_text("x\n")
    (tmp_path / "file.bin").write_bytes(b"bytes")
    with provenote.track("there") as run:
        run.log(a=1)
        run.log_artifact(tmp_path / "file.bin")
    assert git("show", f"{run.commit}:new.py", cwd=repo) == "x\n"
    assert (repo / ".dvc" / "cache" / "files").is_dir(), "worktrees share the main cache"
    assert not (tmp_path / "linked" / ".dvc" / "cache").exists()


def test_a_project_in_a_folder_of_its_own(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = repo / "sub" / "proj"
    (inner / ".dvc").mkdir(parents=True)
    (inner / ".dvc" / "config").write_text("")
    (inner / "deep").mkdir()
    git("add", "--all")
    git("commit", "-qm", "inner project")
    monkeypatch.chdir(inner / "deep")
    with provenote.track("inner") as run:
        run.log(a=1)
    names = git("ls-tree", "-r", "--name-only", str(run.commit), cwd=repo).split()
    assert "sub/proj/provenote/metrics.json" in names
    assert "Provenote-Overlay: sub/proj/provenote" in git("log", "-1", "--format=%B", str(run.commit))


def test_what_stays_out_is_listed_with_its_reason(repo: Path) -> None:
    (repo / "venv").mkdir()
    (repo / "venv" / "pyvenv.cfg").write_text("")
    (repo / "venv" / "lib.py").write_text("x")
    (repo / "node_modules").mkdir()
    (repo / "node_modules" / "m.js").write_text("x")
    (repo / "id_ed25519").write_text("key")
    (repo / ".env.local").write_text("A=1")
    (repo / "conf.py").write_text("token = 'ghp_" + "a" * 36 + "'\n")
    (repo / "data.parquet").write_bytes(b"PAR1")
    (repo / "big.txt").write_bytes(b"x" * 6_000_000)
    (repo / "nested").mkdir()
    subprocess.run(["git", "init", "-q", "nested"], check=True)
    (repo / "nested" / "f.py").write_text("x")
    (repo / "fine.py").write_text("x")
    os.mkfifo(repo / "pipe")
    found = take(repo, repo / ".git", config.Settings())
    assert {o.path: o.why for o in found.omitted} == {
        "venv/": "environment",
        "node_modules/": "cache",
        "id_ed25519": "secret",
        ".env.local": "secret",
        "conf.py": "secret",
        "data.parquet": "data",
        "big.txt": "size",
        "nested/": "repository",
    }
    assert (
        next(o for o in found.omitted if o.path == "data.parquet").sha256
        == hashlib.sha256(b"PAR1").hexdigest()
    )
    assert git("ls-tree", "-r", "--name-only", str(found.tree)).split() == [
        ".dvc/.gitignore",
        ".dvc/config",
        ".dvcignore",
        "a.txt",
        "fine.py",
    ]


def test_limits_of_count_and_total(repo: Path) -> None:
    for number in range(6):
        (repo / f"f{number}.py").write_text("x" * 100)
    few = take(repo, repo / ".git", config.Settings(untracked_files_limit=4))
    assert [o.why for o in few.omitted] == ["count", "count"]
    small = take(repo, repo / ".git", config.Settings(untracked_total_limit=250))
    assert [o.why for o in small.omitted] == ["total"] * 4


def test_repositories_that_cannot_be_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = tmp_path / "bare"
    git("init", "-q", "--bare", str(bare))
    monkeypatch.chdir(bare)
    with pytest.raises(UsageError, match="bare repository"):
        provenote.track("x").__enter__()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WorldError, match="git is not on the PATH"):
        provenote.track("x").__enter__()


@pytest.mark.skipif(os.getuid() != 0, reason="needs root: another owner's repository")
def test_another_owners_repository_is_named(repo: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    subprocess.run(["cp", "-a", str(repo), str(other)], check=True)
    subprocess.run(["chown", "-R", "12345:12345", str(other)], check=True)
    from provenote import workspace

    with pytest.raises(WorldError, match="belongs to another user") as error:
        workspace.find_git(other)
    assert "safe.directory" in str(error.value)


names = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="/\x00"), min_size=1, max_size=12
).filter(
    lambda name: (
        name not in (".", "..") and not name.lower().startswith((".git", ".env")) and name.strip() == name
    )
)


@given(st.lists(st.tuples(names, st.binary(max_size=40)), min_size=1, max_size=8))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_names_and_bytes(repo: Path, tmp_path: Path, files: list[tuple[str, bytes]]) -> None:
    for old in repo.glob("f-*"):
        old.unlink()
    for name, content in files:
        try:
            (repo / f"f-{name}").write_bytes(content)
        except OSError:
            continue
    found = take(repo, repo / ".git", config.Settings())
    if not found.omitted:
        assert (found.tree or git("rev-parse", "HEAD^{tree}").strip()) == expected_tree(repo, tmp_path)


def test_a_disk_that_takes_no_link_is_told_in_one_line(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repo / "link").symlink_to("elsewhere")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshot.objects, "write", full)
    with pytest.raises(WorldError, match="the snapshot cannot be kept: No space left"):
        take(repo, repo / ".git", config.Settings())
