"""An environment is held against that of a training: what counts, what is only told, what was edited."""

from __future__ import annotations

import base64
import hashlib
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenote.checks.verdict import EXIT
from provenote.environments import check
from provenote.stores import environments
from provenote.tracking import builds
from provenote.tracking.environment import Lock

HEADING = "# provenote environment 1\n# python 3.11.7 cpython\n# platform linux-x86_64\n"


def side(lines: str, heading: str = HEADING, **more) -> check.Side:
    return check.Side(environments.read(heading + lines.replace(" ", "\n") + "\n"), **more)


@pytest.mark.parametrize(
    ("before", "after", "step"),
    [
        ("1.2.3", "1.2.3", "same"),
        ("1.2", "1.2.0", "same"),
        ("1.2.3", "1.2.4", "patch"),
        ("1.2.3", "1.2.3.post1", "patch"),
        ("2.13.0", "2.13.0+cpu", "patch"),
        ("1.3.0rc1", "1.3.0", "patch"),
        ("1.2.3", "1.3.0", "minor"),
        ("1.3.0", "1.2.9", "minor"),
        ("1.9", "2.0", "major"),
        ("1.0", "1!1.0", "major"),
        ("2004d", "2005a", "major"),
        ("", "1", "major"),
    ],
)
def test_which_part_of_a_version_differs(before, after, step):
    assert check.step(before, after) == step


@given(st.text(max_size=12), st.text(max_size=12))
def test_no_version_is_too_odd_to_be_compared(before, after):
    assert (check.step(before, after) == "same") or before != after


def test_what_the_training_imported_fails_and_the_rest_is_told():
    then = side(
        "same==1 patch==1.0.1 minor==1.1 gone==1 edited==1 rebuilt==1 idle==1 lost==2",
        builds={"same": "a", "rebuilt": "a"},
        machine={"gpu_driver": "535.1", "libc": "glibc 2.36"},
    )
    now = side(
        "same==1 patch==1.0.2 minor==1.2 edited==1 rebuilt==1 idle==9 more==1",
        builds={"same": "a", "rebuilt": "b"},
        edited={"edited": ["edited/a.py"]},
        machine={"libc": "glibc 2.40"},
    )
    imported = ["same", "patch", "minor", "gone", "edited", "rebuilt", "never-in-the-lock"]
    verdict = check.judge({"model": "m"}, then, now, imported)
    found = {one.name: one for one in verdict.findings}
    changes = {name: one.evidence["change"] for name, one in found.items() if name.startswith("package/")}
    assert changes == {
        "package/same": "same",
        "package/patch": "patch",
        "package/minor": "minor",
        "package/gone": "missing",
        "package/edited": "edited",
        "package/rebuilt": "edited",
    }
    assert {name for name, one in found.items() if one.outcome == "failed"} == {
        "package/minor", "package/gone", "package/edited", "package/rebuilt",
    }  # fmt: skip
    assert EXIT[verdict.outcome] == 1
    assert found["package/minor"].mend == "`pip install minor==1.1`"
    assert "edited/a.py" in found["package/edited"].why
    assert found["other-packages"].evidence["changes"] == {"idle": "major", "lost": "missing"}
    assert found["gpu-driver"].why == "the GPU driver was 535.1, here there is none"
    assert found["libc"].outcome == "passed"
    assert set(check.alerts(verdict)) >= {"minor 1.1, here 1.2", "gone 1, missing here"}


def test_another_patch_alone_passes_and_another_python_fails():
    then, now = side("a==1.0.1"), side("a==1.0.2")
    assert EXIT[check.judge({}, then, now, ["a"]).outcome] == 0
    newer = side("a==1.0.1", HEADING.replace("3.11.7", "3.12.0"))
    assert check.alerts(check.judge({}, then, newer, ["a"])) == ["Python 3.11.7, here 3.12.0"]
    other = side("a==1.0.1", HEADING.replace("cpython", "pypy"))
    assert check.alerts(check.judge({}, then, other, ["a"])) == ["cpython 3.11.7, here pypy 3.11.7"]


def test_what_a_record_does_not_tell_is_not_judged():
    verdict = check.judge({}, side(""), side("a==1"), None)
    assert EXIT[verdict.outcome] == 3
    verdict = check.judge({}, check.Side(environments.read("")), side("a==1"), [])
    assert [one.outcome for one in verdict.findings if one.name == "python"] == ["not judged"]


def test_an_editable_folder_is_no_edited_package():
    text = HEADING + "mine==0.1  # editable\n"
    then, now = (check.Side(environments.read(text), builds={"mine": one}) for one in "ab")
    found = check.judge({}, then, now, ["mine"])
    assert found.outcome == "passed"
    assert "edited in place" in next(one.why for one in found.findings if one.name == "package/mine")


def test_libraries_count_as_others_only_when_they_are_new():
    pools = [{"library": "openblas", "version": "0.3.30"}, {"library": "openmp", "version": None}]
    then = side("", machine={"blas": pools})
    assert not [f for f in check.judge({}, then, side("", machine={"blas": pools[:1]}), []).findings
                if f.name == "blas"]  # fmt: skip
    mkl = side("", machine={"blas": [{"library": "mkl", "version": "2025.1"}]})
    (found,) = [f for f in check.judge({}, then, mkl, []).findings if f.name == "blas"]
    assert "here mkl 2025.1" in found.why


# ---------------------------------------------------------------------- which build, and edited files


def install(site: Path, name: str = "pkg", **files: str) -> tuple[Path, Lock]:
    """Install a package of these modules, as an installer does."""
    folder = site / f"{name}-1.0.dist-info"
    folder.mkdir(parents=True)
    lines = []
    for stem, text in files.items():
        path = site / name / f"{stem}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
        lines.append(f"{name}/{stem}.py,sha256={digest},{len(text)}")
    lines += [f"{name}/__pycache__/a.pyc,,", f"{folder.name}/RECORD,,", "../../bin/x,sha256=abc,3"]
    lines += [f"{folder.name}/METADATA,sha256=abc,3", '"odd, name.py",sha256=x', "nonsense"]
    (folder / "RECORD").write_text("\n".join(lines))
    return folder, Lock("", "0" * 64, "3", {name: "1.0"}, {name: str(folder)})


def later(path: Path) -> None:
    when = time.time() + 3600
    os.utime(path, (when, when))


def test_a_build_is_named_by_its_own_files(tmp_path):
    first, lock = install(tmp_path / "a", a="x = 1\n", b="y = 2\n")
    home = tmp_path / "home"
    (named,) = builds.of(["pkg", "absent"], lock, home).values()
    assert builds.of(["pkg"], lock, home) == {"pkg": named}  # from what was kept
    twin, _ = install(tmp_path / "b", b="y = 2\n", a="x = 1\n")
    assert builds.digest(builds.files(str(twin))) == named
    other, _ = install(tmp_path / "c", a="x = 2\n", b="y = 2\n")
    assert builds.digest(builds.files(str(other))) != named
    (home / "environments" / f"{'0' * 64}.builds.json").write_text("[oddly]")
    assert builds.of(["pkg"], lock, home) == {"pkg": named}
    assert builds.files(str(tmp_path)) == [] and builds.digest([]) == ""


def test_edited_and_deleted_files_are_found(tmp_path):
    folder, lock = install(tmp_path, a="x = 1\n", b="y = 2\n", c="z = 3\n")
    path = tmp_path / "pkg" / "a.py"
    assert builds.edited(str(folder)) == builds.edited(str(folder), everything=True) == []
    path.write_text("x = 9\n")  # as long as before
    os.utime(path, (1, 1))
    assert builds.edited(str(folder)) == []  # who hides it is found when all files are hashed
    assert builds.edited(str(folder), everything=True) == ["pkg/a.py"]
    later(path)
    assert builds.edited(str(folder)) == ["pkg/a.py"]
    (tmp_path / "pkg" / "b.py").write_text("y = 22\n")
    (tmp_path / "pkg" / "c.py").unlink()
    assert builds.edited(str(folder)) == ["pkg/a.py", "pkg/b.py", "pkg/c.py"]
    modules = {str(tmp_path / "pkg" / name): "pkg" for name in ("a.py", "b.py", "c.py")}
    assert builds.edited_since(lock, modules) == {"pkg": ["pkg/a.py"]}
    later(tmp_path / "pkg" / "b.py")
    assert builds.edited_since(lock, {**modules, "/elsewhere.py": "other"})["pkg"] == ["pkg/a.py", "pkg/b.py"]


def test_a_touched_file_that_is_the_same_is_not_edited(tmp_path):
    folder, lock = install(tmp_path, a="x = 1\n")
    later(tmp_path / "pkg" / "a.py")
    assert builds.edited(str(folder)) == []
    assert builds.edited_since(lock, {str(tmp_path / "pkg" / "a.py"): "pkg"}) == {}
