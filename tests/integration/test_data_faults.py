"""Nothing is lost to kills, full disks and racing writers: the old version or the new one, whole."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from provenote import data, workspace
from provenote.errors import WorldError
from provenote.stores import cache, deposit, pointers

ADD = "import sys; from provenote import data; data.add(sys.argv[1], profile='none')"


def run_add(*paths: str, **more: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", ADD, *paths], stderr=subprocess.PIPE, **more)


def assert_whole(repo: Path, path: str, versions: list[bytes]) -> None:
    """The pointer names one of ``versions``, and the cache has every byte of it."""
    pointer = repo / f"{path}.dvc"
    if not pointer.exists():
        return
    stored = pointers.read(pointer.read_text()).stored
    cache_dir = workspace.find(repo).cache_dir
    assert cache.missing(cache_dir, stored.md5) == []
    if stored.nfiles is None:
        assert cache.object_path(cache_dir, stored.md5).read_bytes() in versions
    for kept in (cache_dir / "files").rglob("*"):
        if kept.is_file():
            assert (
                cache.put_bytes(kept.read_bytes(), repo.parent / "check")[:30]
                == (kept.parent.name + kept.name)[:30]
            )


def test_kill_9_at_random_moments(repo: Path) -> None:
    rng = random.Random(7)
    size = 30 << 20
    versions = [rng.randbytes(size) for _ in range(3)]
    (repo / "d").mkdir()
    for number in range(300):
        (repo / "d" / f"{number}").write_bytes(rng.randbytes(2000))
    (repo / "f.bin").write_bytes(versions[0])
    data.add("f.bin", profile="none")
    began = time.perf_counter()
    run_add("d").wait()
    whole = time.perf_counter() - began
    for number in range(12):
        content = versions[number % 3]
        (repo / "f.bin").write_bytes(content)
        (repo / "d" / "new").write_text(str(number))
        for path in ("f.bin", "d"):
            process = run_add(path)
            time.sleep(rng.uniform(0, whole * 1.3))
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert (repo / "f.bin").read_bytes() == content
            assert_whole(repo, "f.bin", versions)
            assert_whole(repo, "d", [])
    (repo / "f.bin").write_bytes(versions[1])
    data.add("f.bin", profile="none")
    data.add("d", profile="none")
    assert [one.state for one in data.status()] == ["unchanged", "unchanged"]
    assert subprocess.run(["git", "status", "--porcelain"], capture_output=True).stdout.count(b"\n") == 3


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 8 MB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(place)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a small disk can be mounted by root only")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_full_disk_keeps_the_old_version(repo: Path, small_disk: Path, kind: str) -> None:
    subprocess.run(["dvc", "cache", "dir", str(small_disk / "cache")], check=True, capture_output=True)
    path = repo / "x"
    part = path / "a" if kind == "folder" else path
    if kind == "folder":
        path.mkdir()
    part.write_bytes(b"first")
    data.add("x", profile="none")
    before = (repo / "x.dvc").read_bytes()
    if kind == "folder":
        for number in range(40):
            (path / f"{number}").write_bytes(os.urandom(400_000))
    else:
        part.write_bytes(os.urandom(16 << 20))
    with pytest.raises(WorldError, match="disk is full"):
        data.add("x", profile="none")
    assert (repo / "x.dvc").read_bytes() == before
    assert cache.missing(small_disk / "cache", pointers.read(before.decode()).stored.md5) == []
    assert not list((small_disk / "cache").rglob(f"*{deposit.ENDING}"))
    assert [one.state for one in data.status()] == ["changed"]


def test_a_full_disk_under_the_work_tree(
    make_repo, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_repo(small_disk / "project")
    monkeypatch.chdir(root)
    subprocess.run(["dvc", "cache", "dir", str(small_disk.parent / "cache")], check=True, capture_output=True)
    (root / "f").write_bytes(b"first")
    data.add("f", profile="none")
    before, ignored = (root / "f.dvc").read_bytes(), (root / ".gitignore").read_bytes()
    (root / "f").write_bytes(b"second version")
    (root / "g").write_bytes(b"g")
    room = os.statvfs(small_disk)
    with open(small_disk / "filler", "wb") as filler:
        filler.write(bytes(room.f_bavail * room.f_frsize))
    for name in ("f", "g"):
        with pytest.raises(WorldError, match="disk is full"):
            data.add(name, profile="none")
    assert (root / "f.dvc").read_bytes() == before
    assert not (root / "g.dvc").exists()
    assert (root / ".gitignore").read_bytes() in (ignored, ignored + b"/g\n")
    assert not list(root.glob(".*.tmp"))
    (small_disk / "filler").unlink()
    data.add("f", profile="none")
    data.add("g", profile="none")
    assert (root / ".gitignore").read_bytes() == ignored + b"/g\n"


def test_a_limit_on_file_sizes_is_a_full_disk(repo: Path) -> None:
    (repo / "f").write_bytes(os.urandom(8 << 20))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))

    process = run_add("f", preexec_fn=limit)
    _, said = process.communicate()
    assert process.returncode == 1
    assert b"disk is full" in said
    assert not (repo / "f.dvc").exists()


def test_many_add_at_once(repo: Path) -> None:
    (repo / "data").mkdir()
    for number in range(6):
        (repo / "data" / f"{number}.csv").write_text(f"a\n{number}\n")
    (repo / "data" / "same.csv").write_text("a\n")
    processes = [run_add(f"data/{number}.csv") for number in range(6)] + [
        run_add("data/same.csv") for _ in range(2)
    ]
    assert [process.wait() for process in processes] == [0] * 8
    ignored = (repo / "data" / ".gitignore").read_text().splitlines()
    assert sorted(ignored) == [f"/{number}.csv" for number in range(6)] + ["/same.csv"]
    assert {one.state for one in data.status()} == {"unchanged"}


def test_an_unchanged_file_is_not_read_again(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repo / "f").write_bytes(b"content")
    os.utime(repo / "f", (1_700_000_000.5, 1_700_000_000.5))
    data.add("f", profile="none")
    opened: list[str] = []
    real = os.open

    def watch(path: object, *arguments: object, **more: object) -> int:
        opened.append(os.fsdecode(path))
        return real(path, *arguments, **more)

    monkeypatch.setattr(os, "open", watch)
    assert data.add("f", profile="none").state == "unchanged"
    assert str(repo / "f") not in opened
    (repo / "f").write_bytes(b"CONTENT")  # the same size
    assert data.add("f", profile="none").state == "changed"
    assert str(repo / "f") in opened


def test_a_change_within_one_tick_of_the_clock_is_seen(repo: Path) -> None:
    for number in range(40):
        (repo / "f").write_bytes(b"%02d" % number)
        data.add("f", profile="none")
        stored = pointers.read((repo / "f.dvc").read_text()).stored
        assert cache.object_path(workspace.find().cache_dir, stored.md5).read_bytes() == b"%02d" % number


@pytest.mark.parametrize("damage", [b"", b"no database at all" * 100])
def test_a_damaged_memory_of_hashes_costs_nothing(repo: Path, damage: bytes) -> None:
    (repo / "f").write_bytes(b"content")
    data.add("f", profile="none")
    (workspace.find().home / "hashes.sqlite").write_bytes(damage)
    assert data.add("f", profile="none").state == "unchanged"
    assert data.status()[0].state == "unchanged"


def test_worktrees_share_one_cache(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repo / "f").write_text("main")
    data.add("f", profile="none")
    subprocess.run(["git", "add", "--all"], check=True)
    subprocess.run(["git", "commit", "-qm", "data"], check=True)
    subprocess.run(["git", "worktree", "add", "-q", "../linked"], check=True, capture_output=True)
    linked = repo.parent / "linked"
    monkeypatch.chdir(linked)
    assert data.status()[0].state == "missing"
    data.pull()
    assert (linked / "f").read_text() == "main"
    (linked / "g").write_text("linked")
    added = data.add("g", profile="none")
    assert cache.object_path(repo / ".dvc" / "cache", added.stored.md5).read_text() == "linked"
    assert not (linked / ".dvc" / "cache").exists()
