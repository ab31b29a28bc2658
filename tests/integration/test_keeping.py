"""Space is freed and nothing that is needed goes: with real Git and DVC, live runs, kills and races."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import provenote
from provenote import cli, data, doctor
from provenote.cli import main
from provenote.commands.tree import Context
from provenote.errors import WorldError
from provenote.keeping import archive, garbage, pins, reachable, storage
from provenote.stores import cache, deposit, held, index, remotes
from provenote.workspace import find

OLD = garbage.DAY * 40


def git(*arguments: str, cwd: Path | None = None) -> str:
    return subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True, check=True).stdout


def dvc(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["dvc", *arguments], capture_output=True, text=True)


def age(md5: str, seconds: float = OLD) -> None:
    """Make an object look old: the time of change cannot be set, so the clock of the look is."""
    path = cache.object_path(find().cache_dir, md5)
    then = time.time() - seconds
    os.utime(path, (then, then))


def later(**options: Any) -> garbage.Garbage:
    return garbage.look(find(), now=time.time() + OLD, **options)


def sweep(monkeypatch: pytest.MonkeyPatch, **options: Any) -> garbage.Garbage:
    """Remove as somebody would in forty days."""
    true = time.time
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: true() + OLD)
        return garbage.remove(find(), **options)


def there(md5: str) -> bool:
    return cache.object_path(find().cache_dir, md5).exists()


def run_with(name: str, content: bytes, place: Path) -> tuple[str, str]:
    """Finish a run with one artifact; return the run's name and the object."""
    file = place / f"{name}.bin"
    file.write_bytes(content)
    with provenote.track(name) as run:
        run.log_artifact(file, name="thing")
    file.unlink()
    row = index.find(find(), str(run.name))
    made: str = index.document(find(), str(row.commit))["artifacts"]["thing"]["md5"]
    return str(run.name), made


def junk(content: bytes = b"junk") -> str:
    return cache.put_bytes(content, find().cache_dir)


# ---------------------------------------------------------------------- what is needed


def test_what_anything_names_stays(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep = {}
    (repo / "v.csv").write_text("a\n1\n")
    data.add("v.csv", profile="none")
    git("add", ".")
    git("commit", "-qm", "v1")
    keep["an old version"] = reachable.names((repo / "v.csv.dvc").read_bytes()).pop()
    (repo / "v.csv").write_text("a\n2\n")
    data.add("v.csv", profile="none")
    keep["a pointer that is not committed"] = reachable.names((repo / "v.csv.dvc").read_bytes()).pop()
    (repo / "folder").mkdir()
    (repo / "folder" / "x").write_text("x")
    data.add("folder", profile="none")
    keep["a folder"] = next(m for m in reachable.names((repo / "folder.dvc").read_bytes()))
    keep["a file of a folder"] = cache.entries(find().cache_dir, keep["a folder"])[0].md5
    git("checkout", "-q", "-b", "side")
    (repo / "s.txt").write_text("side")
    data.add("s.txt", profile="none")
    keep["a branch"] = reachable.names((repo / "s.txt.dvc").read_bytes()).pop()
    git("add", "s.txt.dvc")
    git("commit", "-qm", "side")
    (repo / "t.txt").write_text("stash")
    data.add("t.txt", profile="none")
    keep["a stash"] = reachable.names((repo / "t.txt.dvc").read_bytes()).pop()
    git("add", "t.txt.dvc")
    git("stash", "push", "-q", "--", "t.txt.dvc")
    (repo / "i.txt").write_text("index")
    data.add("i.txt", profile="none")
    keep["the index"] = reachable.names((repo / "i.txt.dvc").read_bytes()).pop()
    git("add", "i.txt.dvc")
    (repo / "i.txt.dvc").unlink()
    git("checkout", "-q", "--detach")
    git("worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    linked = tmp_path / "linked" / "w.dvc"
    keep["a linked worktree"] = junk(b"linked")
    linked.write_text(f"outs:\n- md5: {keep['a linked worktree']}\n  path: w\n")
    keep["a finished run"] = run_with("one", b"finished", tmp_path)[1]
    keep["an archived run"] = run_with("two", b"archived", tmp_path)[1]
    archive.archive(find(), before=time.time() + 1)
    with provenote.track("live") as run:
        (tmp_path / "l.bin").write_bytes(b"live")
        run.log_artifact(tmp_path / "l.bin", name="l")
        keep["a live run"] = junk(b"live")
        lost = junk(b"nobody")
        for md5 in keep.values():
            assert there(md5)
        gone = sweep(monkeypatch)
        assert [each.md5 for each in gone.objects] == [lost] and gone.size >= 6
        assert not there(lost)
        assert [what for what, md5 in keep.items() if not there(md5)] == []


def test_a_removed_run_lets_its_artifact_go(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, md5 = run_with("one", b"mine", tmp_path)
    assert dvc("exp", "remove", name).returncode == 0
    assert [each.md5 for each in later().objects] == [md5]
    assert garbage.look(find()).objects == ()  # it was written a moment ago
    assert garbage.look(find()).size == 0
    sweep(monkeypatch)
    assert not there(md5)


def test_what_a_remote_has_goes_sooner(repo: Path, tmp_path: Path) -> None:
    dvc("remote", "add", "-d", "store", str(tmp_path / "store"))
    pushed, only_here = junk(b"pushed"), junk(b"only here")
    remotes.push(find(), [pushed])
    soon = garbage.look(find(), now=time.time() + 2 * garbage.HOUR)
    assert [(each.md5, each.elsewhere) for each in soon.objects] == [(pushed, True)] and soon.young == 9
    assert (garbage.look(find()).objects, garbage.look(find()).young) == ((), 15)
    found = later()
    assert {each.md5: each.elsewhere for each in found.objects} == {pushed: True, only_here: False}
    assert found.only_here == 9


def test_an_age_of_nothing_still_spares_the_last_hour(repo: Path) -> None:
    junk()
    assert garbage.look(find(), older_than=0).objects == ()


def test_a_writer_who_finds_an_object_keeps_it(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    md5 = junk(b"again")
    age(md5)
    monkeypatch.setattr(deposit, "FRESH", 0)
    true = garbage._take

    def then_again(cache_dir: Path, each: garbage.Object) -> bool:
        assert junk(b"again") == md5
        return true(cache_dir, each)

    monkeypatch.setattr(garbage, "_take", then_again)
    assert sweep(monkeypatch).objects == ()
    assert there(md5) and not list(
        cache.object_path(find().cache_dir, "x" * 32).parents[3].glob("tmp/**/aside*")
    )


def test_stopped_while_an_object_stands_aside(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    md5 = junk(b"aside")
    code = (
        "import os, signal, time\n"
        "from provenote.keeping import garbage; from provenote.workspace import find\n"
        f"true = time.time; garbage.time.time = lambda: true() + {OLD}\n"
        "rename = os.rename\n"
        "def stop(a, b):\n rename(a, b)\n os.kill(os.getpid(), signal.SIGKILL)\n"
        "garbage.os.rename = stop\ngarbage.remove(find())\n"
    )
    died = subprocess.run([sys.executable, "-c", code], cwd=repo, capture_output=True)
    assert died.returncode == -signal.SIGKILL and not there(md5)
    (repo / "x.dvc").write_text(f"outs:\n- md5: {md5}\n  path: x\n")
    assert sweep(monkeypatch).objects == ()
    assert there(md5)
    (repo / "x.dvc").unlink()
    assert [each.md5 for each in sweep(monkeypatch).objects] == [md5]


def test_two_at_once(repo: Path) -> None:
    md5s = [junk(str(number).encode()) for number in range(50)]
    code = (
        "import time; from provenote.keeping import garbage; from provenote.workspace import find\n"
        f"true = time.time; garbage.time.time = lambda: true() + {OLD}\n"
        "print(len(garbage.remove(find()).objects))\n"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code], cwd=repo, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    counts = [int(process.communicate()[0]) for process in both]
    assert sum(counts) == 50 and [process.returncode for process in both] == [0, 0]
    assert not any(map(there, md5s))


def test_dvc_waits_for_us_and_we_for_dvc(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "WAIT", 0.2)
    lock = repo / ".dvc" / "tmp" / "lock"
    lock.parent.mkdir(exist_ok=True)
    with garbage._locked(lock):
        (repo / "d.txt").write_text("d")
        assert "lock" in dvc("add", "d.txt").stderr
        with pytest.raises(WorldError, match="another command works"):
            garbage.remove(find())
    assert dvc("add", "d.txt").returncode == 0


def test_what_cannot_be_read_whole_removes_nothing(
    repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repo / "f").mkdir()
    (repo / "f" / "x").write_text("x")
    data.add("f", profile="none")
    (listed,) = reachable.names((repo / "f.dvc").read_bytes())
    path = cache.object_path(find().cache_dir, listed)
    path.chmod(0o644)
    path.write_text("{")
    assert main(["gc", "--yes"]) == 3
    assert "damaged" in capsys.readouterr().err
    git("add", ".")
    git("commit", "-qm", "more")
    git("clone", "-q", "--depth", "1", f"file://{repo}", str(tmp_path / "shallow"))
    os.chdir(tmp_path / "shallow")
    assert main(["gc", "--yes"]) == 3
    assert "shallow" in capsys.readouterr().err


def test_a_cache_outside_may_serve_others(
    repo: Path, tmp_path: Path, make_repo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_repo(tmp_path / "other")
    for root in (repo, other):
        (root / ".dvc" / "config.local").write_text(f"[cache]\n    dir = {tmp_path / 'shared'}\n")
    theirs, free = junk(b"theirs"), junk(b"free")
    (other / "x.dvc").write_text(f"outs:\n- md5: {theirs}\n  path: x\n")
    assert later().objects == () and "--projects" in later().reason
    assert {each.md5 for each in later(projects=[str(repo)]).objects} == {theirs, free}
    assert [each.md5 for each in later(projects=[str(repo), str(other)]).objects] == [free]


# ---------------------------------------------------------------------- the verb


def test_the_verb_shows_asks_and_removes(
    repo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    md5 = junk(b"\x1b[31m<b>")
    true = time.time
    monkeypatch.setattr(time, "time", lambda: true() + OLD)
    assert main(["gc", "--dry-run"]) == 0
    assert "data and artifacts that nothing names" in capsys.readouterr().out and there(md5)
    assert main(["gc"]) == 0  # nobody to ask
    assert "nothing was removed" in capsys.readouterr().out and there(md5)
    asked = {}

    def no(subject: str, expected: str) -> str:
        asked[expected] = subject
        return "no"

    cli.run(["gc"], Context(face="terminal", confirm=no))
    assert there(md5) and "8 B" in asked["remove"]
    view, _ = cli.run(["gc"], Context(face="terminal", confirm=lambda subject, word: word))
    assert not there(md5) and view.data["bytes"] == 8
    assert main(["gc", "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bytes"] == 0
    assert main(["gc", "--older-than", "soon"]) == 2


def test_remains_and_copies_go(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = find().home
    for path in ("live/.new-1", "jobs/.new-x-1", "versions/abc"):
        (home / path).mkdir(parents=True)
        (home / path / "f").write_text("12345")
    (home / "jobs" / "kept").mkdir()
    assert garbage.look(find()).size == 0
    found = later()
    assert {kind: len(paths) for kind, paths in found.folders.items()} == {
        "jobs": 0,
        "versions": 1,
        "remains": 2,
    }
    assert sweep(monkeypatch).size == 15
    assert not (home / "versions" / "abc").exists() and (home / "jobs" / "kept").exists()


def test_a_job_goes_once_its_run_is_in_git(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, _ = run_with("one", b"x", tmp_path)
    commit = str(index.find(find(), name).commit)
    for job, said in (("a" * 8, commit), ("b" * 8, "0" * 40), ("c" * 8, None)):
        folder = find().home / "jobs" / job
        folder.mkdir(parents=True)
        (folder / "spec.json").write_text("{}")
        events = [{"t": 1, "state": "queued"}, {"t": 2, "state": "running"}]
        events += [{"t": 3, "state": "succeeded", "commit": said}] if said else []
        (folder / "events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in events))
        (folder / "lease").touch()
    gone = sweep(monkeypatch)
    assert [path.name for path in gone.folders["jobs"]] == ["a" * 8]
    assert sorted(path.name for path in (find().home / "jobs").iterdir()) == ["b" * 8, "c" * 8]


# ---------------------------------------------------------------------- pins and plain dvc gc


@pytest.mark.parametrize(
    "flags", [["-w"], ["-w", "-a"], ["-w", "-T"], ["-w", "-A"], ["--rev", "HEAD", "-n", "1"]], ids=" ".join
)
def test_a_pinned_run_survives_plain_dvc_gc(repo: Path, tmp_path: Path, flags: list[str]) -> None:
    pinned, kept = run_with("pinned", b"pinned bytes", tmp_path)
    _, lost = run_with("other", b"other bytes", tmp_path)
    version, named = run_with("version", b"version bytes", tmp_path)
    old, stored = run_with("old", b"old bytes", tmp_path)
    git("tag", "-a", "-m", "v", "m@v1.0.0", str(index.find(find(), version).commit))
    assert main(["pin", pinned]) == 0
    for name in ("other", version):
        with_star = [row.name for row in index.rows(find(), everything=True)[0] if row.name.startswith(name)]
        assert main(["star", *with_star]) == 0
    assert main(["archive", "--older-than", "0s"]) == 0
    assert index.find(find(), old).archived
    done = dvc("gc", "-f", *flags)
    assert done.returncode == 0, done.stderr
    assert not there(kept) and not there(lost) and not there(stored)
    for md5, content in ((kept, b"pinned bytes"), (stored, b"old bytes"), (named, b"version bytes")):
        found = cache.locate(find().cache_dir, md5)
        assert found is not None and found.read_bytes() == content
    assert cache.locate(find().cache_dir, lost) is None
    assert main(["restore", pinned]) == 0
    assert dvc("status").returncode == 0


def test_letting_go(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, md5 = run_with("one", b"x" * 1000, tmp_path)
    assert main(["pin", name]) == 0
    place = held.place(find().cache_dir, find().common_dir)
    assert held.listing(place) == {md5: 1000}
    assert os.stat(cache.object_path(find().cache_dir, md5)).st_nlink == 2
    assert main(["unpin", name]) == 0
    assert held.listing(place) == {}
    assert main(["pin", name]) == 0
    assert dvc("exp", "remove", name).returncode == 0
    sweep(monkeypatch)
    assert held.listing(place) == {}
    sweep(monkeypatch)
    assert not there(md5)


def test_a_damaged_second_name_is_never_brought_back(repo: Path, tmp_path: Path) -> None:
    name, md5 = run_with("one", b"true", tmp_path)
    assert main(["pin", name]) == 0
    cache.object_path(find().cache_dir, md5).unlink()
    path = held.place(find().cache_dir, find().common_dir) / md5[:2] / md5[2:]
    path.chmod(0o644)
    path.write_bytes(b"fals")
    assert cache.locate(find().cache_dir, md5) is None
    assert not path.exists()


@pytest.mark.parametrize("name", ["../../../a.txt", "..", "", "x" * 32, "A" * 32])
def test_a_hostile_name_of_an_object_touches_nothing(repo: Path, name: str) -> None:
    junk()
    (find().cache_dir / held.FOLDER / "0").mkdir(parents=True)
    assert cache.locate(find().cache_dir, name) is None
    assert (repo / "a.txt").read_text() == "hello\n"


def test_a_disk_without_links_gets_copies(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: Any, **__: Any) -> None:
        raise OSError(95, "not supported")

    name, md5 = run_with("one", b"copied", tmp_path)
    place = held.place(find().cache_dir, find().common_dir)
    monkeypatch.setattr(os, "link", none)
    assert main(["pin", name]) == 0
    cache.object_path(find().cache_dir, md5).unlink()
    found = cache.locate(find().cache_dir, md5)
    assert found is not None and found.read_bytes() == b"copied" and there(md5)
    cache.object_path(find().cache_dir, md5).unlink()
    monkeypatch.setattr(shutil, "copyfileobj", none)  # nor can anything be written
    found = cache.locate(find().cache_dir, md5)
    assert found is not None and found.read_bytes() == b"copied" and place in found.parents


def test_a_pinned_run_whose_bytes_are_elsewhere_says_so(
    repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, md5 = run_with("one", b"gone", tmp_path)
    cache.object_path(find().cache_dir, md5).unlink()
    assert main(["pin", name]) == 0
    assert "1 object of pinned runs are not here" in capsys.readouterr().out
    assert pins.settle(find()).lacking == (md5,)


# ---------------------------------------------------------------------- the report


def test_the_report_counts_each_byte_once(
    repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dvc("remote", "add", "-d", "store", str(tmp_path / "store"))
    _, md5 = run_with("one", b"a" * 1000, tmp_path)
    run_with("two", b"a" * 1000, tmp_path)
    run_with("three", b"b" * 500, tmp_path)
    (repo / "d.csv").write_text("x\n" * 100)
    data.add("d.csv", profile="none")
    pointer = repo / "d.csv.dvc"
    pointer.write_text(pointer.read_text() + "meta:\n  owner: Grace <b>\x85\n")
    junk(b"c" * 70)
    remotes.push(find(), [md5])
    report = storage.measure(find())
    kinds = {name: (count, size, here) for name, count, size, here in report.kinds}
    assert kinds["artifacts"] == (2, 1500, 500)
    assert kinds["data"] == (1, 200, 200)
    assert kinds["named by nothing"] == (1, 70, 70)
    owners = {name: size for name, _, size, _ in report.owners}
    assert sum(owners.values()) == 1770 and owners["nobody known"] == 70
    assert any(name.startswith("Grace") and size == 200 for name, size in owners.items())
    assert main(["storage"]) == 0
    assert "artifacts" in capsys.readouterr().out
    assert main(["storage", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["unknown"] is None


def test_an_empty_project_has_a_report(repo: Path) -> None:
    assert main(["storage"]) == 0
    assert main(["gc"]) == 0
    shutil.rmtree(find().home, ignore_errors=True)
    assert storage.measure(find()).free > 0


# ---------------------------------------------------------------------- the warning


def told() -> list[doctor.Finding]:
    return list(doctor._space(find()))


def test_the_doctor_warns_of_what_plain_dvc_gc_would_delete(repo: Path, tmp_path: Path) -> None:
    assert told() == []
    one, _ = run_with("one", b"a" * 1000, tmp_path)
    run_with("two", b"b" * 2000, tmp_path)
    (repo / "d.csv").write_text("x")
    data.add("d.csv", profile="none")
    git("add", ".")
    git("commit", "-qm", "d")
    (warning,) = told()
    assert "2 objects (3.0 kB) that 2 runs need" in warning.what and "provenote gc" in warning.mend
    assert main(["pin", one]) == 0
    (warning,) = told()
    assert "1 object (2.0 kB) that 1 run needs" in warning.what and "1 object of pinned" in warning.what
    (repo / "d.csv").write_text("yy")
    data.add("d.csv", profile="none")
    assert "1 object (1 B) of older data" in told()[0].what
    sizes = set(dict(held.objects(find().cache_dir / "files" / "md5")))
    assert dvc("gc", "-f", "-w").returncode == 0
    assert len(sizes - set(dict(held.objects(find().cache_dir / "files" / "md5")))) == 3
    (gone,) = [each for each in told() if each.state == "warn"]
    assert "1 object of pinned, archived or promoted runs: not held, or gone" in gone.what
    assert main(["gc"]) == 0
    assert all(each.state == "ok" for each in told())
