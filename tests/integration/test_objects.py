"""Objects and refs that we write as files are those that Git itself would write, and Git reads them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from provenote.errors import WorldError
from provenote.git import objects, refs


def git(*arguments: str, env: dict[str, str] | None = None) -> str:
    more = {**os.environ, **(env or {})}
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True, env=more).stdout


ODD = {
    "a-b": b"1",
    "a/b": b"2",
    "a.b": b"3",
    "a0": b"",
    "deep/er/file": b"4" * 100_000,
    "na\u00efve \u2603": b"5",
    os.fsdecode(b"bad\xff"): b"6",
}


def test_a_tree_is_the_one_that_git_writes(repo: Path, tmp_path: Path) -> None:
    made = objects.build(repo / ".git", None, ODD)
    for path, content in ODD.items():
        place = tmp_path / "files" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    env = {"GIT_INDEX_FILE": str(tmp_path / "index"), "GIT_WORK_TREE": str(tmp_path / "files")}
    git("add", "--all", env=env)
    assert git("write-tree", env=env).strip() == made
    assert git("fsck", "--strict", "--no-dangling", made) == ""
    assert [objects.blob(repo / ".git", made, path) for path in ODD] == list(ODD.values())
    assert (
        objects.blob(repo / ".git", made, "a/b/c") is None
        and objects.blob(repo / ".git", made, "deep") is None
    )


def test_changes_replace_remove_and_clear_folders(repo: Path) -> None:
    store = repo / ".git"
    base = objects.build(store, None, {"a/b": b"1", "a/c": b"2", "d": b"3", "e/f/g": b"4"})
    changed = objects.build(store, base, {"a": b"now a file", "d/x": b"now a folder", "e/f/g": None})
    listed = git("ls-tree", "-r", "--name-only", changed).split()
    assert listed == ["a", "d/x"], "a folder that became empty is gone"
    kept = objects.build(store, base, {"a/c": (objects.write(store, "blob", b"x"), objects.EXECUTABLE)})
    assert git("ls-tree", kept, "a/c").startswith("100755 blob")
    assert objects.build(store, base, {"a": None}) == objects.build(store, None, {"d": b"3", "e/f/g": b"4"})


@pytest.mark.parametrize("loaded", [False, True], ids=["by git", "by libgit2"])
def test_packed_objects_are_read(repo: Path, loaded: bool) -> None:
    git("gc", "-q")
    assert not list((repo / ".git/objects").glob("[0-9a-f][0-9a-f]/*"))
    code = (
        "import sys\nfrom pathlib import Path\nfrom provenote.git import objects\n"
        + ("import pygit2\n" if loaded else "")
        + f"store = Path({str(repo / '.git')!r})\n"
        f"tree = objects.tree_of(store, {git('rev-parse', 'HEAD').strip()!r})\n"
        "assert objects.build(store, tree, {}) == tree\n"
        f"assert ('pygit2' in sys.modules) is {loaded}\n"
        "for missing in ('0' * 40, 'f' * 40, 'e' * 40):\n"
        "    try: objects.read(store, missing)\n"
        "    except KeyError: pass\n"
        "    else: raise AssertionError(missing)\n"
        "assert 'pygit2' in sys.modules, 'many are read by libgit2'\n"
        "print(tree)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == git("rev-parse", "HEAD^{tree}").strip()


def test_a_commit_bears_gits_identity(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, tree = repo / ".git", git("rev-parse", "HEAD^{tree}").strip()
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.delenv(name, raising=False)
    git("config", "user.name", "Zo\u00eb <the> first")
    git("config", "user.email", "zoe@example.org")
    made = objects.commit(store, tree, [git("rev-parse", "HEAD").strip()], "x\n")
    assert (
        git("log", "-1", "--format=%an|%ae|%cn|%s", made)
        == "Zo\u00eb the first|zoe@example.org|Zo\u00eb the first|x\n"
    )
    assert git("fsck", "--strict", "--no-dangling", made) == ""
    monkeypatch.setenv("GIT_AUTHOR_NAME", "bot")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "bot@example.org")
    assert git("log", "-1", "--format=%an", objects.commit(store, tree, [], "y")) == "bot\n"


def test_nobody_is_named_where_git_knows_nobody(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = git("rev-parse", "HEAD^{tree}").strip()
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"):
        monkeypatch.delenv(name, raising=False)
    git("config", "--unset-all", "user.name")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    made = objects.commit(repo / ".git", tree, [], "x")
    assert git("log", "-1", "--format=%an", made) == "provenote\n"


def test_a_group_keeps_its_rights(repo: Path) -> None:
    store = repo / ".git"
    os.chmod(store / "objects", 0o2775)
    oid = objects.write(store, "blob", os.urandom(16))
    while (store / "objects" / oid[:2] / oid[2:]).parent.stat().st_mode & 0o7777 != 0o2775:
        oid = objects.write(store, "blob", os.urandom(16))  # until it needs a folder of its own
    assert stat.S_IMODE((store / "objects" / oid[:2] / oid[2:]).stat().st_mode) == 0o444


def test_a_ref_is_created_once(repo: Path) -> None:
    store, head = repo / ".git", git("rev-parse", "HEAD").strip()
    name = "refs/exps/ab/cd/name-1"
    assert refs.create(store, name, head) and not refs.create(store, name, head)
    assert git("rev-parse", name).strip() == head == refs.read(store, name)
    git("pack-refs", "--all")
    assert not (store / name).exists()
    assert not refs.create(store, name, head) and refs.read(store, name) == head
    refs.delete(store, name)
    assert git("for-each-ref", "refs/exps") == "" and refs.read(store, name) is None
    assert refs.create(store, name, head)
    refs.delete(store, name)
    refs.delete(store, name)
    assert git("for-each-ref", "refs/exps") == "" and not list(store.rglob("*.lock"))


def test_a_locked_ref_is_waited_for_and_then_told(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, head = repo / ".git", git("rev-parse", "HEAD").strip()
    monkeypatch.setattr(refs, "PATIENCE", 0.05)
    (store / "refs/exps/ab/cd").mkdir(parents=True)
    (store / "refs/exps/ab/cd/x.lock").touch()
    with pytest.raises(refs.Locked, match=r"locked by .*x\.lock"):
        refs.create(store, "refs/exps/ab/cd/x", head)
    (store / "refs/exps/ab/file").write_text(head + "\n")
    with pytest.raises(WorldError, match="cannot be written"):
        refs.create(store, "refs/exps/ab/file/x", head)


def test_many_processes_create_one_ref_once(repo: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom provenote.git import refs\n"
        f"store, head = Path({str(repo / '.git')!r}), {git('rev-parse', 'HEAD').strip()!r}\n"
        "print(sum(refs.create(store, f'refs/exps/ab/cd/r{n}', head) for n in range(200)))"
    )
    going = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    for _ in range(20):
        git("pack-refs", "--all")
    assert sum(int(one.communicate()[0]) for one in going) == 200
    assert len(git("for-each-ref", "refs/exps").splitlines()) == 200
