"""Versions in time: log, get, diff, path, status; nothing else in the work tree is touched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from provenote import data, workspace
from provenote.errors import UsageError, WorldError


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def commit(message: str) -> str:
    git("add", "--all")
    git("commit", "--quiet", "--message", message)
    return git("rev-parse", "HEAD")


def snapshot(root: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(f.relative_to(root)): (f.read_bytes(), f.stat().st_mtime_ns)
        for f in root.rglob("*")
        if f.is_file() and ".git" not in f.parts and ".dvc" not in f.parts
    }


@pytest.fixture
def versions(repo: Path) -> list[str]:
    """Return three commits: a table and a folder in three versions, tag v1 on the first."""
    (repo / "data" / "imgs").mkdir(parents=True)
    commits = []
    for number in (1, 2, 3):
        lines = "".join(f"{i},{i * number}\n" for i in range(10 * number))
        (repo / "data" / "t.csv").write_text("id,x\n" + lines)
        (repo / "data" / "imgs" / f"{number}.txt").write_text(str(number))
        data.add("data/t.csv")
        data.add("data/imgs")
        commits.append(commit(f"version {number}"))
    git("tag", "v1", commits[0])
    return commits


def test_log_names_each_version_once(repo: Path, versions: list[str]) -> None:
    (repo / "other").write_text("x")
    commit("something else")
    found = data.log("data/t.csv")
    assert [change.version.commit for change in found] == versions[::-1]
    assert [change.rows for change in found] == [30, 20, 10]
    assert [change.subject for change in found] == ["version 3", "version 2", "version 1"]
    git("mv", "data/t.csv.dvc", "data/moved.csv.dvc")
    commit("move")
    assert len(data.log("data/moved.csv")) == 3
    with pytest.raises(UsageError, match="no commit tracks data/nothing.csv"):
        data.log("data/nothing.csv")


@pytest.mark.parametrize(
    "rev", ["v1", "HEAD~2", "main~2", "{commit}", "{commit:.8}", "{md5:.6}", "{md5}", "HEAD@{{2}}"]
)
def test_get_by_any_revision_touches_nothing(repo: Path, versions: list[str], rev: str) -> None:
    md5 = data.log("data/t.csv")[-1].version.stored.md5
    rev = rev.format(commit=versions[0], md5=md5)
    (repo / "data" / "t.csv").write_text("mine, not added\n")
    index = (repo / ".git" / "index").read_bytes()
    before = snapshot(repo)
    target = data.get(f"data/t.csv@{rev}")
    assert target.read_text().splitlines()[:3] == ["id,x", "0,0", "1,1"]
    assert target.parent == repo
    after = snapshot(repo)
    del after[target.name]
    assert after == before
    assert (repo / ".git" / "index").read_bytes() == index


def test_where_get_writes(repo: Path, versions: list[str]) -> None:
    assert data.get("data/t.csv@v1").name == "t@v1.csv"
    with pytest.raises(UsageError, match=r"t@v1.csv is already there.*--force"):
        data.get("data/t.csv@v1")
    (repo / "t@v1.csv").write_text("old")
    assert len(data.get("data/t.csv@v1", force=True).read_text().splitlines()) == 11
    assert data.get("data/t.csv@v1", out="new/deep/name.csv") == repo / "new" / "deep" / "name.csv"
    assert data.get("data/t.csv", rev="v1", out="new") == repo / "new" / "t.csv"
    assert sorted(f.name for f in data.get("data/imgs@v1").iterdir()) == ["1.txt"]
    (repo / "imgs@v1" / "mine").write_text("mine")
    assert sorted(f.name for f in data.get("data/imgs@v1", force=True).iterdir()) == ["1.txt"]
    assert data.get("data/imgs@HEAD~1", out="imgs@v1") == repo / "imgs@v1" / "imgs"
    assert data.get("data/imgs/1.txt@HEAD", out="one").read_text() == "1"
    assert data.get("a.txt@HEAD", out="kept-by-git").read_text() == "hello\n"
    for spec in ("data/imgs/3.txt@v1", "data/t.csv@HEAD~3", "data/nothing@v1"):
        with pytest.raises(UsageError, match="was not tracked at"):
            data.get(spec)
    with pytest.raises(UsageError, match="'nope' is no Git revision, no run and no content hash"):
        data.get("data/t.csv@nope")


def test_names_with_an_at_sign(repo: Path) -> None:
    (repo / "a@b.csv").write_text("x\n1\n")
    data.add("a@b.csv")
    commit("odd")
    assert data.get("a@b.csv@HEAD").name == "a@b@HEAD.csv"
    assert data.get("a@b.csv", out="copy.csv").read_text() == "x\n1\n"
    data.get("a@b.csv", "HEAD", out="a")
    assert data.get("a@b.csv@HEAD", out="again.csv").read_text() == "x\n1\n"


def test_diff_of_tables_folders_and_files(repo: Path, versions: list[str]) -> None:
    found = data.diff("data/t.csv@v1", "HEAD")
    assert (found.kind, found.table.key, found.table.added, found.table.changed) == ("table", ("id",), 20, 9)
    assert data.diff("data/t.csv@v1", "data/t.csv@HEAD~1").table.added == 10
    assert data.diff("data/t.csv@HEAD").kind == "same"
    (repo / "data" / "t.csv").write_text("id,x\n0,5\n")
    assert data.diff("data/t.csv").table.removed == 29
    folder = data.diff("data/imgs@v1", "v1~0").kind
    assert folder == "same"
    (repo / "data" / "imgs" / "3.txt").rename(repo / "data" / "imgs" / "4.txt")
    (repo / "data" / "imgs" / "1.txt").write_text("one")
    found = data.diff("data/imgs")
    assert (found.folder.changed, found.folder.moved) == (("1.txt",), (("3.txt", "4.txt"),))
    with pytest.raises(UsageError, match="one is a folder"):
        data.diff("data/imgs@v1", "data/t.csv@v1")
    (repo / "w.bin").write_bytes(b"1")
    data.add("w.bin")
    commit("file")
    (repo / "w.bin").write_bytes(b"12")
    assert data.diff("w.bin").kind == "file"
    (repo / "bad.parquet").write_bytes(b"1")
    data.add("bad.parquet")
    (repo / "bad.parquet").write_bytes(b"2")
    found = data.diff("bad.parquet")
    assert found.kind == "file"
    assert "not readable as tables" in found.note


def test_path_gives_versions_and_records_what_was_read(
    repo: Path, versions: list[str], tmp_path: Path
) -> None:
    code = """
import provenote
with provenote.track("reading") as run:
    now = provenote.data.path("data/t.csv")
    old = provenote.data.path("data/t.csv", rev="v1")
    folder = provenote.data.path("data/imgs", rev="HEAD~1")
print(now, old, folder, sep="\\n")
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    now, old, folder = (Path(line) for line in out.stdout.splitlines()[-3:])
    assert now == repo / "data" / "t.csv"
    assert len(old.read_text().splitlines()) == 11
    assert old.name == "t.csv"
    assert repo / ".git" in old.parents
    assert not old.stat().st_mode & 0o222
    assert sorted(f.name for f in folder.iterdir()) == ["1.txt", "2.txt"]
    from provenote.stores import index

    place = workspace.find()
    row = index.find(place, "reading")
    reads = index.document(place, row.commit)["reads"]
    log = data.log("data/t.csv")
    assert [(one["path"], one["md5"], one["rev"]) for one in reads] == [
        ("data/t.csv", log[0].version.stored.md5, None),
        ("data/t.csv", log[-1].version.stored.md5, versions[0]),
        ("data/imgs", data.log("data/imgs")[1].version.stored.md5, versions[1]),
    ]
    (repo / "data" / "t.csv").write_text("id,x\n")
    assert data.get(f"data/t.csv@{row.name}", out=tmp_path / "of-run.csv").read_text().startswith("id,x\n0,0")


def test_path_of_a_changed_file_tells_its_true_hash(repo: Path, versions: list[str]) -> None:
    import hashlib

    from provenote.tracking import active

    (repo / "data" / "t.csv").write_text("id,x\n7,7\n")
    assert data.path("data/t.csv") == repo / "data" / "t.csv"
    assert active._reads[-1]["md5"] == hashlib.md5(b"id,x\n7,7\n").hexdigest()
    active._reads.clear()
    (repo / "data" / "t.csv").unlink()
    with pytest.raises(UsageError, match="tracked but not here.*provenote data pull data/t.csv"):
        data.path("data/t.csv")
    with pytest.raises(UsageError, match="is not there"):
        data.path("data/nothing")


def test_path_from_another_folder(repo: Path, versions: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert data.path("data/t.csv", rev="v1", root=repo).read_text().startswith("id,x")
    monkeypatch.chdir(repo / "data")
    assert data.path("t.csv", rev="v1").read_text().startswith("id,x")


def test_status_tells_each_state(repo: Path, versions: list[str]) -> None:
    def states() -> dict[str, str]:
        return {one.path: one.state for one in data.status()}

    assert states() == {"data/imgs": "unchanged", "data/t.csv": "unchanged"}
    assert {one.path: one.rows for one in data.status()} == {"data/imgs": None, "data/t.csv": 30}
    (repo / "data" / "t.csv").write_text("id,x\n")
    (repo / "data" / "imgs" / "1.txt").unlink()
    assert set(states().values()) == {"changed"}
    (repo / "data" / "t.csv").unlink()
    assert states()["data/t.csv"] == "missing"
    for kept in (repo / ".dvc" / "cache" / "files").rglob("*"):
        if kept.is_file():
            kept.unlink()
    assert states()["data/t.csv"] == "not downloaded"
    (repo / "data" / "t.csv.dvc").write_text("<<<<<<< HEAD\nouts:\n=======\n")
    assert states()["data/t.csv"] == "not readable"
    with pytest.raises(UsageError, match="data/t.csv.dvc is no readable pointer.*git checkout"):
        data.pull()
    with pytest.raises(UsageError, match="nowhere to fetch it: this project has no remote.*dvc remote add"):
        data.get("data/imgs@v1")


def test_a_missing_object_is_said(repo: Path, versions: list[str]) -> None:
    subprocess.run(["dvc", "remote", "add", "--quiet", "-d", "store", str(repo.parent / "store")], check=True)
    (repo.parent / "store").mkdir()
    old = data.log("data/t.csv")[-1].version.stored.md5
    os.unlink(repo / ".dvc" / "cache" / "files" / "md5" / old[:2] / old[2:])
    with pytest.raises(WorldError, match="neither in the cache nor on the remote store"):
        data.get("data/t.csv@v1")
    assert not list(repo.glob("t@*"))
