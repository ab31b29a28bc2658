"""Remotes: push, pull and status with a folder, with one that refuses, with S3; plain DVC sees the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from provenote import data, workspace
from provenote.errors import UsageError, WorldError
from provenote.events import Progress
from provenote.stores import cache, remotes


def sh(*command: str, cwd: Path | None = None) -> str:
    answer = subprocess.run(command, capture_output=True, text=True, cwd=cwd)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def commit(message: str) -> None:
    sh("git", "add", "--all")
    sh("git", "commit", "--quiet", "--message", message)


@pytest.fixture
def project(repo: Path) -> Path:
    """Return a project with a table and a folder."""
    (repo / "d").mkdir()
    for number in range(5):
        (repo / "d" / f"{number}").write_text(str(number))
    (repo / "t.csv").write_text("a\n1\n2\n")
    data.add("d")
    data.add("t.csv")
    return repo


@pytest.fixture
def folder(project: Path) -> Path:
    """Return a remote that is a folder, set up as the default."""
    sh("dvc", "remote", "add", "--quiet", "-d", "store", str(project.parent / "store"))
    commit("data")
    return project.parent / "store"


def clone(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    sh("git", "clone", "--quiet", str(project), str(project.parent / "clone"))
    monkeypatch.chdir(project.parent / "clone")
    return project.parent / "clone"


def test_push_and_pull(project: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {one.pushed for one in data.status()} == {False}
    told: list[Progress] = []
    done = data.push(tell=told.append)
    assert (done.files, done.lacking, set(done.paths)) == (7, (), {"d", "t.csv"})
    assert told[0].label == "push to store"
    assert (told[-1].state, told[-1].done) == ("done", 7)
    assert {one.pushed for one in data.status()} == {True}
    assert data.push().files == 0
    assert "are in sync" in sh("dvc", "status", "--cloud")
    place = clone(project, monkeypatch)
    assert {one.state for one in data.status()} == {"not downloaded"}
    assert {one.pushed for one in data.status(ask_remote=True)} == {True}
    pulled = data.pull("d")
    assert (pulled.files, pulled.written) == (6, ("d",))
    assert not (place / "t.csv").exists()
    pulled = data.pull()
    assert (pulled.files, pulled.written, pulled.unchanged) == (1, ("t.csv",), ("d",))
    assert (place / "t.csv").read_text() == "a\n1\n2\n"
    assert sh("dvc", "status").strip() == "Data and pipelines are up to date."


def test_dvc_pulls_what_we_pushed_and_we_what_it_pushed(
    project: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.push()
    place = clone(project, monkeypatch)
    sh("dvc", "pull", "--quiet")
    assert sorted(f.name for f in (place / "d").iterdir()) == ["0", "1", "2", "3", "4"]
    (place / "t.csv").write_text("a\n3\n")
    sh("dvc", "add", "--quiet", "t.csv")
    sh("dvc", "push", "--quiet")
    assert [one.pushed for one in data.status()] == [True, True]
    shutil.copy(place / "t.csv.dvc", project / "t.csv.dvc")
    monkeypatch.chdir(project)
    assert data.pull().written == ("t.csv",)  # the old version is in the cache, so nothing is lost by it
    assert (project / "t.csv").read_text() == "a\n3\n"


def test_pull_keeps_what_is_stored_nowhere_else(project: Path, folder: Path) -> None:
    data.push()
    (project / "t.csv").write_text("mine\n")
    (project / "d" / "5").write_text("mine")
    done = data.pull()
    assert (done.kept, done.written) == (("d", "t.csv"), ())
    assert (project / "t.csv").read_text() == "mine\n"
    done = data.pull("t.csv", force=True)
    assert (done.written, (project / "t.csv").read_text()) == (("t.csv",), "a\n1\n2\n")
    (project / "d" / "5").unlink()
    (project / "d" / "0").unlink()
    (project / ".dvcignore").write_text("*.log\n")
    (project / "d" / "a.log").write_text("ignored, so in no version")
    assert data.pull().kept == ("d",)
    (project / "d" / "a.log").unlink()
    assert data.pull().written == ("d",)
    assert sorted(f.name for f in (project / "d").iterdir()) == ["0", "1", "2", "3", "4"]


def test_an_interrupted_folder_is_fetched_to_its_end(
    project: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.push()
    place = clone(project, monkeypatch)
    data.pull()
    shutil.rmtree(place / "d")
    kept = [
        f
        for f in (place / ".dvc" / "cache" / "files").rglob("*")
        if f.is_file() and not f.name.endswith(".dir")
    ]
    for one in kept[:2]:
        one.unlink()
    assert "not downloaded" in {one.state for one in data.status("d")}
    assert data.pull("d").written == ("d",)
    assert len(list((place / "d").iterdir())) == 5


def test_what_no_remote_has_is_named(project: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data.push("d")
    clone(project, monkeypatch)
    done = data.pull()
    assert (done.written, done.lacking) == (("d",), ("t.csv",))
    assert data.push("t.csv").lacking == ("t.csv",)


def test_a_remote_that_is_not_set_up(project: Path) -> None:
    with pytest.raises(UsageError, match="no remote for its data.*dvc remote add -d"):
        data.push()
    sh("dvc", "remote", "add", "--quiet", "one", "/nowhere")
    with pytest.raises(UsageError, match="no remote is the default one.*dvc remote default one"):
        data.push()
    with pytest.raises(UsageError, match=r"'two' is not set up \(known: one\)"):
        data.push(remote="two")


@pytest.mark.parametrize(
    "url", ["/proc/nowhere", "https://ada:secret@127.0.0.1:9/data", "s3://no-such-bucket/x"]
)
def test_a_remote_that_refuses_loses_nothing(
    project: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_MAX_ATTEMPTS", "1"),
    ):
        monkeypatch.setenv(name, value)
    sh("dvc", "remote", "add", "--quiet", "-d", "far", url)
    if url.startswith("s3"):
        sh("dvc", "remote", "modify", "far", "endpointurl", "http://127.0.0.1:9")
    before = {
        str(f): f.read_bytes() for f in (project / ".dvc" / "cache" / "files").rglob("*") if f.is_file()
    }
    with pytest.raises(WorldError) as caught:
        data.push()
    line = caught.value.line
    assert "\n" not in line
    assert "the remote far" in line
    assert "2 versions wait in the cache, nothing is lost" in line
    assert "provenote data push" in line
    assert "secret" not in line
    assert {
        str(f): f.read_bytes() for f in (project / ".dvc" / "cache" / "files").rglob("*") if f.is_file()
    } == before
    assert {one.pushed for one in data.status()} == {False}
    place = workspace.find()
    os.rename(project / ".dvc" / "cache", project / ".dvc" / "away")
    with pytest.raises(WorldError, match="could not be fetched"):
        data.pull()
    assert (project / "t.csv").read_text() == "a\n1\n2\n"
    assert cache.missing(place.cache_dir, data.status("t.csv")[0].stored.md5)


def test_runs_push_by_hashes(project: Path, folder: Path) -> None:
    place = workspace.find()
    md5s = [one.stored.md5 for one in data.status()]
    assert remotes.absent(place, md5s) == set(md5s)
    done = remotes.push(place, [*md5s, "f" * 32])
    assert (done.files, done.lacking) == (7, ("f" * 32,))
    assert remotes.absent(place, md5s) == set()
    shutil.rmtree(place.cache_dir)
    assert remotes.pull(place, md5s).lacking == ()
    assert not any(cache.missing(place.cache_dir, md5) for md5 in md5s)


def test_a_pointer_with_its_own_remote_or_none(project: Path, folder: Path) -> None:
    sh("dvc", "remote", "add", "--quiet", "other", str(project.parent / "other"))
    with (project / "t.csv.dvc").open("a") as pointer:
        pointer.write("  remote: other\n")
    with (project / "d.dvc").open("a") as pointer:
        pointer.write("  push: false\n")
    done = data.push()
    assert (done.remotes, done.files, done.paths) == (("other",), 1, ("t.csv",))
    assert {one.path: one.pushed for one in data.status()}["d"] is None


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the address of an S3 server with the bucket ``data``."""
    server = pytest.importorskip("moto.server", reason="moto's server is not installed")
    threaded = server.ThreadedMotoServer("127.0.0.1", 0)
    threaded.start()
    host, port = threaded.get_host_and_port()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    import boto3

    boto3.client("s3", endpoint_url=f"http://{host}:{port}").create_bucket(Bucket="data")
    yield f"http://{host}:{port}"
    threaded.stop()


def test_s3(project: Path, s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sh("dvc", "remote", "add", "--quiet", "-d", "cloud", "s3://data/store")
    sh("dvc", "remote", "modify", "cloud", "endpointurl", s3)
    commit("data")
    assert data.push().files == 7
    assert {one.pushed for one in data.status()} == {True}
    assert {one.pushed for one in data.status(ask_remote=True)} == {True}
    assert "are in sync" in sh("dvc", "status", "--cloud")
    place = clone(project, monkeypatch)
    done = data.pull()
    assert (done.files, done.written, done.lacking) == (7, ("d", "t.csv"), ())
    assert (place / "d" / "4").read_text() == "4"


def test_the_kernel_imports_no_dvc(project: Path, folder: Path) -> None:
    code = "import sys; from provenote import data; data.push(); data.pull(); print('dvc' in sys.modules)"
    assert sh(sys.executable, "-c", code).strip() == "False"
