"""Bad input: one clear line that names thing, reason and mending; nothing is written, nothing lost."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from provenote import data
from provenote.errors import ProvenoteError, UsageError


def sh(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def refused(path: str, **more: str) -> str:
    """Add ``path``; return the one line that refuses it, after looking that nothing was written."""
    before = files()
    with pytest.raises(ProvenoteError) as caught:
        data.add(path, **more)
    assert files() == before
    assert "\n" not in caught.value.line
    assert caught.value.mend
    return caught.value.line


def files() -> dict[str, bytes]:
    found = {}
    for root, folders, names in os.walk("."):
        folders[:] = [name for name in folders if name not in (".git", "tmp", "cache")]
        for name in names:
            path = os.path.join(root, name)
            if os.path.isfile(path) and os.access(path, os.R_OK):
                found[path] = Path(path).read_bytes()
    return found


def test_what_is_not_there(repo: Path) -> None:
    assert "nothing.csv is not there" in refused("nothing.csv")
    assert "deep/nothing.csv is not there" in refused("deep/nothing.csv")
    Path("gone").symlink_to("nowhere")
    assert "gone is a link to nowhere, which is not there" in refused("gone")


def test_a_broken_link_in_a_folder(repo: Path) -> None:
    Path("d").mkdir()
    Path("d/a").write_text("a")
    Path("d/broken").symlink_to("nowhere")
    line = refused("d")
    assert "d/broken is a link to nowhere" in line
    assert ".dvcignore" in line
    Path(".dvcignore").write_text("broken\n")
    assert data.add("d").stored.nfiles == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_what_cannot_be_read(repo: Path) -> None:
    Path("secret").write_text("x")
    Path("secret").chmod(0)
    assert "cannot be read: permission denied. Let yourself read it: `chmod u+r" in refused("secret")


def test_what_cannot_be_read_as_another_user(repo: Path) -> None:
    """As `test_what_cannot_be_read`, also where the tests run as root: the system says no."""
    import errno

    from provenote.stores.disk import unreadable

    error = unreadable("secret", PermissionError(errno.EACCES, "Permission denied"))
    assert error.line == "secret cannot be read: permission denied. Let yourself read it: `chmod u+r secret`"


def test_what_is_outside(repo: Path, make_repo: Callable[[Path], Path]) -> None:
    outside = repo.parent / "outside.csv"
    outside.write_text("x")
    assert "is outside the DVC project" in refused(str(outside))
    assert "is outside the DVC project" in refused("../outside.csv")
    other = make_repo(repo.parent / "other")
    (other / "b.csv").write_text("b")
    assert "is outside the DVC project" in refused(str(other / "b.csv"))
    (repo.parent / "elsewhere").mkdir()
    (repo.parent / "elsewhere" / "x").write_text("x")
    Path("link").symlink_to(repo.parent / "elsewhere")
    assert "link is a link to a folder, so link/x lies elsewhere" in refused("link/x")
    assert "the project itself" in refused(".")


def test_what_git_keeps(repo: Path) -> None:
    assert "a.txt is kept by Git already" in (line := refused("a.txt"))
    assert "`git rm --cached 'a.txt'`" in line
    Path("d").mkdir()
    for name in "xy":
        Path("d", name).write_text(name)
    sh("git", "add", "d")
    assert "d is kept by Git already (2 files)" in (line := refused("d"))
    sh("sh", "-c", line.split("`")[1])
    assert data.add("d").state == "new"


def test_what_overlaps(repo: Path) -> None:
    Path("d/in").mkdir(parents=True)
    Path("d/in/x").write_text("x")
    data.add("d")
    assert (
        "d/in/x lies in d, which is tracked as one folder. Record the whole folder: `provenote data add d`"
        in (refused("d/in/x"))
    )
    Path("e/in").mkdir(parents=True)
    Path("e/in/x").write_text("x")
    data.add("e/in/x")
    assert (
        "e holds e/in/x, which is tracked on its own. Stop tracking that first: `dvc remove e/in/x.dvc`"
        in (refused("e"))
    )
    Path("dvc.yaml").write_text(
        "stages:\n  s:\n    cmd: make\n    outs:\n    - out.csv\n    - model:\n        cache: true\n"
    )
    for name in ("out.csv", "model"):
        Path(name).write_text("x")
        assert f"{name} is made by a pipeline (dvc.yaml). Record it there: `dvc commit`" in refused(name)


def test_what_nobody_would_get(repo: Path) -> None:
    Path(".gitignore").write_text("/raw/\n")
    Path("raw").mkdir()
    Path("raw/a.csv").write_text("a\n")
    line = refused("raw/a.csv")
    assert "Git ignores the pointer raw/a.csv.dvc (.gitignore:1:/raw/), so nobody would get it" in line
    Path(".dvcignore").write_text("skipped\n")
    Path("skipped").write_text("x")
    assert "skipped is named in .dvcignore" in refused("skipped")
    Path("d").mkdir()
    Path("d/.dvcignore").write_text("x")
    assert "d/.dvcignore lies inside the data" in refused("d")


def test_what_is_no_data(repo: Path) -> None:
    Path("x.csv").write_text("a\n")
    data.add("x.csv")
    for name in ("x.csv.dvc", ".gitignore", "dvc.yaml"):
        Path(name).touch()
        assert "belongs to Git and DVC" in refused(name)
    os.mkfifo("pipe")
    assert "pipe is no plain file" in refused("pipe")
    assert "profile 'some' is unknown" in refused("x.csv", profile="some")


def test_a_pointer_that_is_not_readable(repo: Path) -> None:
    Path("x.csv").write_text("a\n")
    Path("x.csv.dvc").write_text("<<<<<<< HEAD\nouts:\n")
    assert "x.csv.dvc is no readable pointer" in (line := refused("x.csv"))
    assert "`git checkout -- x.csv.dvc`" in line


@pytest.mark.parametrize("name", ["two\x85lines", "\x1b[31mred"])
def test_names_that_yaml_cannot_keep_are_refused_or_kept_truly(repo: Path, name: str) -> None:
    Path(name).write_text("x")
    try:
        data.add(name, profile="none")
    except UsageError as error:
        assert "characters that a pointer cannot keep" in error.line
        assert error.line.isprintable()
        assert not [file for file in repo.iterdir() if file.suffix == ".dvc"]
    else:
        assert [one.path for one in data.status()] == [name]


def test_a_name_that_is_no_unicode(repo: Path) -> None:
    name = os.fsdecode(b"caf\xe9.csv")
    Path(name).write_text("x")
    assert r"caf\xe9.csv has characters" in refused(name).replace(r"\udce9", r"\xe9")
    Path("d").mkdir()
    Path("d", name).write_text("x")
    added = data.add("d")  # inside a folder DVC keeps it
    assert (added.stored.nfiles, added.notes) == (1, ())


def test_nothing_to_version_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("a\n")
    with pytest.raises(UsageError, match="not a Git repository.*provenote init"):
        data.add("a.csv")
    sh("git", "init", "--quiet")
    with pytest.raises(UsageError, match="no DVC project.*provenote init"):
        data.add("a.csv")
    with pytest.raises(UsageError, match="no DVC project"):
        data.status()


def test_before_the_first_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sh("git", "init", "--quiet")
    sh("dvc", "init", "--quiet")
    (tmp_path / "a.csv").write_text("a\n1\n")
    assert data.add("a.csv").state == "new"  # no commit, no identity, no key is needed
    assert data.status()[0].state == "unchanged"
    assert data.log("a.csv") == []


def test_a_cache_that_cannot_be_written(repo: Path) -> None:
    sh("dvc", "cache", "dir", "/proc/cache")
    Path("a.csv").write_text("a\n")
    assert "/proc/cache cannot be written" in refused("a.csv")


def test_a_profile_that_fails_does_not_fail_the_add(repo: Path) -> None:
    Path("a.csv").write_text("a\n1\n")
    Path("a.csv.profile.json").mkdir()
    added = data.add("a.csv")
    assert added.state == "new"
    assert added.profile is None
    assert any("the profile was not written" in note for note in added.notes)
    assert data.status()[0].state == "unchanged"


def test_a_profile_of_another_version_goes(repo: Path) -> None:
    Path("a.csv").write_text("a\n1\n")
    data.add("a.csv")
    assert Path("a.csv.profile.json").exists()
    Path("a.csv").write_text("a\n1\n2\n")
    added = data.add("a.csv", profile="none")
    assert not Path("a.csv.profile.json").exists()
    assert added.notes == ("a.csv.profile.json described another version and is gone",)
    Path("b.csv").write_text("b\n")
    Path("b.csv.profile.json").write_text('{"mine": true}')
    data.add("b.csv", profile="none")
    assert Path("b.csv.profile.json").read_text() == '{"mine": true}'


def test_memory_is_bounded(repo: Path) -> None:
    """A table much larger than what is kept of it, with its whole profile."""
    code = """
import resource, sys
from provenote import data
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
data.add(sys.argv[1], profile="full")
print(peak() - before)
"""
    line = b",".join(b"%d.5" % n for n in range(12)) + b"\n"
    with open("long.csv", "wb") as stream:
        stream.write(b",".join(b"c%d" % n for n in range(12)) + b"\n")
        for _ in range(100):
            stream.write(line * 10_000)
    out = subprocess.run([sys.executable, "-c", code, "long.csv"], capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    assert float(out.stdout) < 150
