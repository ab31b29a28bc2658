"""What `data add` writes is what `dvc add` writes: pointers, cache, .gitignore; plain DVC agrees."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenote import data
from provenote.errors import UsageError

NAMES = """a.csv|yes|123|~|- a|a: b|a #b|a b|ünï|it's|q"q|-x|NO|1e5|0x1|2020-01-01|[a]|{b}|&c|*d|!e|%f|@g
null|True|.hid|back\\slash|tab\tx|日本|a,b|?|? x|=|<<|1_000|..x|😀| lead""".replace("\n", "|").split("|")
NAMES += ["x" * 90, "a b " * 30 + "c"]


def dvc(*arguments: str, cwd: Path | None = None) -> str:
    answer = subprocess.run(["dvc", *arguments], capture_output=True, text=True, cwd=cwd)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def cached(root: Path) -> dict[str, tuple[bytes, int]]:
    files = root / ".dvc" / "cache" / "files"
    return {
        str(f.relative_to(files)): (f.read_bytes(), stat.S_IMODE(f.stat().st_mode))
        for f in files.rglob("*")
        if f.is_file()
    }


def written(root: Path) -> dict[str, bytes]:
    """Return what an add writes into the work tree."""
    files = [*root.rglob("*.dvc"), *root.rglob(".gitignore")]
    return {
        str(f.relative_to(root)): f.read_bytes()
        for f in files
        if f.is_file() and ".dvc" not in f.parent.parts
    }


def assert_same(ours: Path, theirs: Path, names: list[str]) -> None:
    """Add ``names`` in both projects, with our add and with DVC's, and compare all that was written."""
    for name in names:
        data.add(ours / name, profile="none")
    dvc("add", "--quiet", *(f"./{name}" for name in names), cwd=theirs)
    assert written(ours) == written(theirs)
    assert cached(ours) == cached(theirs)


@pytest.fixture
def pair(tmp_path: Path, make_repo, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    ours, theirs = make_repo(tmp_path / "ours"), make_repo(tmp_path / "theirs")
    monkeypatch.chdir(ours)
    return ours, theirs


def test_odd_names(pair: tuple[Path, Path]) -> None:
    for root in pair:
        for number, name in enumerate(NAMES):
            (root / name).write_bytes(f"{number}".encode())
        (root / "a.csv").chmod(0o755)
        (root / "empty").mkdir()
        (root / "zero").write_bytes(b"")
    assert_same(*pair, [*NAMES, "empty", "zero"])
    assert dvc("status").strip() == "Data and pipelines are up to date."


letters = st.text(st.sampled_from("ab.é #-_'"), min_size=1, max_size=4).filter(lambda n: n.strip(". ") == n)
layout = st.dictionaries(
    st.lists(letters, min_size=1, max_size=3).map("/".join), st.binary(max_size=30), min_size=1, max_size=12
)


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(layouts=st.lists(layout, min_size=3, max_size=6))
def test_any_layout_of_folders(
    tmp_path_factory: pytest.TempPathFactory, make_repo, layouts: list[dict[str, bytes]]
):
    place = tmp_path_factory.mktemp("pair")
    here = os.getcwd()
    pair = make_repo(place / "ours"), make_repo(place / "theirs")
    for root in pair:
        for number, files in enumerate(layouts):
            for name, content in files.items():
                path = root / f"d{number}" / name
                try:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
                except OSError:
                    continue
    os.chdir(pair[0])
    try:
        assert_same(*pair, [f"d{number}" for number in range(len(layouts))])
    finally:
        os.chdir(here)
        shutil.rmtree(place)


def test_a_large_file_links_and_an_ignored_part(pair: tuple[Path, Path]) -> None:
    content = os.urandom(3 << 20)
    for root in pair:
        (root / "data" / "in").mkdir(parents=True)
        (root / "data" / "big.bin").write_bytes(content)
        (root / "data" / "in" / "a.tmp").write_text("no")
        (root / "data" / "in" / "a.txt").write_text("yes")
        (root / "data" / "to-file").symlink_to("in/a.txt")
        (root / "data" / "to-folder").symlink_to("in")
        (root / ".dvcignore").write_text("*.tmp\n/other\n")
        (root / "plain").symlink_to("data/big.bin")
    assert_same(*pair, ["data"])
    with pytest.raises(UsageError, match="already there|lies in|named in"):
        Path("other").write_text("x")
        data.add("other")


def test_a_new_version_of_an_edited_pointer(pair: tuple[Path, Path]) -> None:
    for root in pair:
        (root / "a.txt.csv").write_text("1")
        (root / "dir").mkdir()
        (root / "dir" / "x").write_text("1")
    assert_same(*pair, ["a.txt.csv", "dir"])
    for root in pair:
        pointer = root / "a.txt.csv.dvc"
        pointer.write_text(
            "# a comment\n" + pointer.read_text() + "  desc: what it is\nmeta:\n  owner: Ada\n"
        )
        (root / "a.txt.csv").write_text("22")
        (root / "dir" / "y").write_text("2")
    assert_same(*pair, ["a.txt.csv", "dir"])


def test_in_a_folder_whose_gitignore_has_no_last_line_end(pair: tuple[Path, Path]) -> None:
    for root in pair:
        (root / "sub").mkdir()
        (root / "sub" / ".gitignore").write_text("*.log")
        (root / "sub" / "a").write_text("a")
        (root / "sub" / "b.log").write_text("b")
    (pair[0] / "sub" / "b.log").unlink()
    (pair[1] / "sub" / "b.log").unlink()
    assert_same(*pair, ["sub/a"])


def test_in_a_sub_folder_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = []
    for name in ("ours", "theirs"):
        root = tmp_path / name
        (root / "sub" / "project" / "data").mkdir(parents=True)
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)
        dvc("init", "-q", "--subdir", cwd=root / "sub" / "project")
        (root / "sub" / "project" / "data" / "a.csv").write_text("a\n1\n")
        roots.append(root / "sub" / "project")
    monkeypatch.chdir(roots[0].parent.parent)  # the Git root, where there is no DVC project
    assert_same(*roots, ["data/a.csv"])
    monkeypatch.chdir(roots[0] / "data")
    assert data.status()[0].path == "data/a.csv"
    assert data.status()[0].state == "unchanged"


def test_names_that_git_cannot_hide_by_dvcs_line(repo: Path) -> None:
    """DVC writes a line without effect for these; ours must hide the data all the same."""
    for name in ("tail ", "two\nlines"):
        (repo / name).write_text("x")
        data.add(name, profile="none")
    seen = subprocess.run(["git", "status", "--porcelain", "-z"], capture_output=True).stdout.split(b"\0")
    assert {one[3:] for one in seen if one} == {b".gitignore", b"tail .dvc", b"two\nlines.dvc"}
    assert dvc("status").strip() == "Data and pipelines are up to date."


@pytest.mark.parametrize("kind", ["hardlink", "symlink"])
def test_links_where_the_user_asked_for_them(pair: tuple[Path, Path], kind: str) -> None:
    for root in pair:
        dvc("config", "cache.type", kind, cwd=root)
        (root / "d").mkdir()
        (root / "d" / "x").write_text("x")
        (root / "f").write_text("f")
    assert_same(*pair, ["d", "f"])
    for root in pair:
        for name in ("d/x", "f"):
            assert (root / name).is_symlink() == (kind == "symlink")
            assert (root / name).stat().st_ino in {f.stat().st_ino for f in (root / ".dvc/cache").rglob("*")}
    assert dvc("status").strip() == "Data and pipelines are up to date."


def test_dvc_checks_out_what_we_added(repo: Path) -> None:
    (repo / "d").mkdir()
    (repo / "d" / "x").write_text("x")
    (repo / "f.csv").write_text("a\n1\n")
    data.add("d")
    data.add("f.csv")
    shutil.rmtree(repo / "d")
    (repo / "f.csv").unlink()
    dvc("checkout", "--quiet")
    assert (repo / "d" / "x").read_text() == "x"
    assert (repo / "f.csv").read_text() == "a\n1\n"
    subprocess.run(["git", "add", "--all"], check=True)
    subprocess.run(["git", "commit", "-qm", "data"], check=True)
    dvc("get", "--quiet", str(repo), "d", "--out", str(repo.parent / "got"))
    assert (repo.parent / "got" / "x").read_text() == "x"


def test_an_empty_dvc_status_after_a_shared_cache(repo: Path) -> None:
    dvc("cache", "dir", str(repo.parent / "shared"))
    (repo / "f.csv").write_text("a\n1\n")
    data.add("f.csv")
    assert not (repo / ".dvc" / "cache" / "files").exists()
    assert dvc("status").strip() == "Data and pipelines are up to date."
