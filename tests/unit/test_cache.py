"""The cache: what goes in comes out, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenote.errors import UsageError, WorldError
from provenote.events import Progress
from provenote.stores import cache, deposit
from provenote.stores.pointers import Stored


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def tree(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_a_file_comes_out_as_it_went_in(tmp_path: Path) -> None:
    for size in (0, 1, deposit.SMALL, deposit.SMALL + 1, 3 * deposit.SMALL + 7):
        content = os.urandom(size)
        (tmp_path / "f").write_bytes(content)
        stored = cache.put(tmp_path / "f", tmp_path / "cache")
        assert stored == Stored(md5(content), size)
        kept = cache.object_path(tmp_path / "cache", stored.md5)
        assert stat.S_IMODE(kept.stat().st_mode) == 0o444
        cache.materialize(tmp_path / "cache", stored.md5, tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == content
        assert os.access(tmp_path / "out", os.W_OK)
    assert not list((tmp_path / "cache").rglob(f"*{deposit.ENDING}"))


names = st.text(
    st.characters(blacklist_characters="/\0", blacklist_categories=("Cs",)), min_size=1, max_size=12
)
folders = st.dictionaries(
    st.lists(names.filter(lambda n: n not in (".", "..")), min_size=1, max_size=3).map("/".join),
    st.binary(max_size=40),
    max_size=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=folders)
def test_a_folder_comes_out_as_it_went_in(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    root = tmp_path_factory.mktemp("folder")
    (root / "data").mkdir()
    made = {}
    for name, content in files.items():
        path = root / "data" / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue
        made[name] = content
    stored = cache.put(root / "data", root / "cache")
    assert (stored.nfiles, stored.size) == (len(made), sum(map(len, made.values())))
    listed = json.loads(cache.object_path(root / "cache", stored.md5).read_bytes())
    assert listed == [{"md5": md5(made[name]), "relpath": name} for name in sorted(made)]
    cache.materialize(root / "cache", stored.md5, root / "out")
    assert tree(root / "out") == made
    assert cache.put(root / "out", root / "cache").md5 == stored.md5


def test_the_same_bytes_are_kept_once(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(b"same")
    first, second = (cache.put(tmp_path / name, tmp_path / "cache") for name in "ab")
    assert first == second
    assert len([f for f in (tmp_path / "cache" / "files").rglob("*") if f.is_file()]) == 1


def test_a_damaged_object_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"whole")
    stored = cache.put(tmp_path / "f", tmp_path / "cache")
    kept = cache.object_path(tmp_path / "cache", stored.md5)
    kept.chmod(0o644)
    kept.write_bytes(b"")
    cache.put(tmp_path / "f", tmp_path / "cache")
    assert kept.read_bytes() == b"whole"


def test_missing_names_what_a_folder_lacks(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    for name in "ab":
        (tmp_path / "d" / name).write_text(name)
    stored = cache.put(tmp_path / "d", tmp_path / "cache")
    assert cache.missing(tmp_path / "cache", stored.md5) == []
    cache.object_path(tmp_path / "cache", md5(b"a")).unlink()
    assert cache.missing(tmp_path / "cache", stored.md5) == [md5(b"a")]
    with pytest.raises(WorldError, match="provenote data pull"):
        cache.materialize(tmp_path / "cache", stored.md5, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".*.tmp"))


def test_a_folder_never_replaces_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a").write_text("a")
    stored = cache.put(tmp_path / "d", tmp_path / "cache")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(UsageError, match="already there"):
        cache.materialize(tmp_path / "cache", stored.md5, tmp_path / "out")
    assert tree(tmp_path / "out") == {"mine": b"mine"}


@pytest.mark.parametrize("path", ["../evil", "/evil", "a/../../evil", "a//b", "", "a\0b"])
def test_a_hostile_list_writes_nothing_outside(tmp_path: Path, path: str) -> None:
    known = cache.put_bytes(b"x", tmp_path / "cache")
    listed = json.dumps([{"md5": known, "relpath": path}]).encode()
    hostile = cache.put_bytes(listed, tmp_path / "cache", folder=True)
    with pytest.raises(WorldError, match="lies outside"):
        cache.materialize(tmp_path / "cache", hostile, tmp_path / "in" / "out")
    assert not list(tmp_path.rglob("*evil*"))


def test_what_cannot_be_stored_is_named(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "gone").symlink_to("nowhere")
    with pytest.raises(UsageError, match=r"gone is a link to nowhere, which is not there"):
        cache.put(tmp_path / "d", tmp_path / "cache")
    (tmp_path / "d" / "gone").unlink()
    os.mkfifo(tmp_path / "d" / "pipe")
    with pytest.raises(UsageError, match="pipe is no plain file"):
        cache.put(tmp_path / "d", tmp_path / "cache")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UsageError, match="circles"):
        cache.put(tmp_path / "loop", tmp_path / "cache")
    with pytest.raises(UsageError, match="is not there"):
        cache.put(tmp_path / "nothing", tmp_path / "cache")


def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "f"
    for size in (10, 2 * deposit.SMALL):
        file.write_bytes(b"0" * size)
        read = os.readv if size > deposit.SMALL else os.read
        once = threading.Event()

        def meddled(*arguments: object, read=read, once=once) -> object:
            found = read(*arguments)
            if not once.is_set():
                once.set()
                with open(file, "ab") as stream:
                    stream.write(b"more")
            return found

        with monkeypatch.context() as patch:
            patch.setattr(deposit, "clone", lambda *_: False)
            patch.setattr(os, read.__name__, meddled)
            with pytest.raises(UsageError, match="changed while it was being read"):
                cache.put(file, tmp_path / "cache")


def test_leftovers_of_the_killed_are_swept_but_not_those_of_the_living(tmp_path: Path) -> None:
    import fcntl

    (tmp_path / "f").write_text("f")
    stored = cache.put(tmp_path / "f", tmp_path / "cache")
    objects = cache.object_path(tmp_path / "cache", stored.md5).parent
    room = tmp_path / "cache" / "tmp" / "provenote"
    os.utime(room / "swept", (1, 1))
    for place in (room, objects):
        for name in ("old", "held", "young"):
            (place / f"{name}{deposit.ENDING}").write_text("x")
        for name in ("old", "held"):
            os.utime(place / f"{name}{deposit.ENDING}", (1, 1))
    with open(room / f"held{deposit.ENDING}") as one, open(objects / f"held{deposit.ENDING}") as other:
        fcntl.flock(one, fcntl.LOCK_SH)
        fcntl.flock(other, fcntl.LOCK_SH)
        cache.put(tmp_path / "f", tmp_path / "cache")
    for place in (room, objects):
        left = sorted(one.name for one in place.iterdir() if one.name.endswith(deposit.ENDING))
        assert left == [f"held{deposit.ENDING}", f"young{deposit.ENDING}"]
    assert cache.missing(tmp_path / "cache", stored.md5) == []


def test_a_shared_cache_stays_shared(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o2775)
    (tmp_path / "f").write_text("f")
    stored = cache.put(tmp_path / "f", tmp_path / "cache")
    folder = cache.object_path(tmp_path / "cache", stored.md5).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o2775


def test_progress_counts_every_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provenote.stores.gauge.PATIENCE", 0)
    (tmp_path / "f").write_bytes(bytes(2 * deposit.SMALL))
    told: list[Progress] = []
    cache.put(tmp_path / "f", tmp_path / "cache", told.append)
    assert told[-1].state == "done"
    assert told[-1].done == told[-1].total == 2 * deposit.SMALL
