"""The environment of a run is shown, compared and built again; without a network, from wheels made here."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
import registry_desk as desk

import provenote
from provenote import cli, workspace
from provenote.commands.tree import Context, load_verb
from provenote.environments import uv, watch
from provenote.errors import Refused, UsageError, WorldError
from provenote.tracking import environment
from provenote.view import Line, Table, View

HEADING = (
    "# provenote environment 1\n"
    f"# python {'.'.join(map(str, sys.version_info[:3]))} {sys.implementation.name}\n"
    f"# platform {sys.platform}-{environment.this().platform.partition('-')[2]}\n"
)


def run_with(monkeypatch: pytest.MonkeyPatch, label: str, lines: str, imported: tuple[str, ...] = ()) -> str:
    """Track a run whose environment is said to hold these packages."""
    from provenote.tracking import imports

    text = HEADING + lines
    packages = environment.packages(text)
    locked = environment.Lock(text, hashlib.sha256(text.encode()).hexdigest(), "3", packages)
    with monkeypatch.context() as patch:
        patch.setattr(environment, "lock", lambda *_: locked)
        patch.setattr(imports, "imported", lambda *_: imported)
        with provenote.track(label) as run:
            run.log(acc=1)
    return run.name


def ask(words: str, *arguments: str, **options: Any) -> View:
    verb = load_verb(tuple(words.split()))
    assert verb is not None
    return verb.function(Context(), *arguments, **options)


def table(view: View) -> list[list[str]]:
    return [
        [cell.text for cell in row] for part in view.parts if isinstance(part, Table) for row in part.rows
    ]


# ---------------------------------------------------------------------- check


def test_a_model_is_held_against_the_environment_that_uses_it(
    repo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from provenote.registry import recorded
    from provenote.tracking import imports

    # As trained: another pytest than here, the same pluggy, something that is not here at all.
    here = environment.lock()
    text = f"{here.text}gone==1.0\n".replace("\npytest==", "\npytest==1!")
    packages = environment.packages(text)
    then = environment.Lock(text, hashlib.sha256(text.encode()).hexdigest(), "3", packages, here.places)
    desk.solo()
    with monkeypatch.context() as patch:
        patch.setattr(environment, "lock", lambda *_: then)
        patch.setattr(imports, "imported", lambda *_: ("gone", "pluggy", "pytest"))
        run = desk.run_with_model()
    desk.promote()
    view = ask("env check", "churn@production")
    found = {one["name"]: one for one in view.data["findings"]}
    changes = {name: one["evidence"]["change"] for name, one in found.items() if name.startswith("package/")}
    assert changes == {"package/gone": "missing", "package/pluggy": "same", "package/pytest": "major"}
    assert (view.data["outcome"], view.status, view.data["subject"]["model"]) == ("failed", 1, "churn")
    assert [row[0] for row in table(view)] == ["gone", "pytest"]
    assert len(table(ask("env check", "churn@v1.0.0", all=True))) == 4
    for reference in ("churn", f"churn@{run}"):
        assert recorded.find(workspace.find(), reference).commit == view.data["subject"]["commit"]
    # Whoever loads it is told so in one line, and a timer tells it, too.
    with pytest.warns(watch.EnvironmentWarning, match="churn@v1.0.0 was trained in.*gone 1.0, missing"):
        provenote.load("churn")
    with pytest.warns(watch.EnvironmentWarning, match=f"env check churn@{run}"):
        provenote.load("churn", run=run)
    (repo / "provenote.rules.yaml").write_text("rules: {}\n")
    said = [part.text for part in ask("tick").parts if isinstance(part, Line)]
    assert len(said) == 1 and said[0].startswith("churn@production was trained in another environment")
    # An edited file of an imported package; everything else is as it was.
    with monkeypatch.context() as patch:
        patch.setattr(imports, "imported", lambda *_: ("pluggy",))
        same = desk.run_with_model(name="twin")
    assert ask("env check", "twin").status == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        provenote.load("twin", run=same)
    place = Path(here.places["pluggy"])
    copied = repo.parent / "site" / place.name
    shutil.copytree(place, copied)
    shutil.copytree(place.parent / "pluggy", copied.parent / "pluggy")
    with (copied.parent / "pluggy" / "_hooks.py").open("a") as file:
        file.write("# edited\n")
    edited = dataclasses.replace(here, places={**here.places, "pluggy": str(copied)})
    monkeypatch.setattr(environment, "lock", lambda *_: edited)
    assert cli.main(["env", "check", "twin"]) == 1
    out = capsys.readouterr().out
    assert "edited" in out and "pluggy/_hooks.py" in out
    for reference, why in (
        ("churn@v9.0.0", "no version v9.0.0 of churn here.*v1.0.0"),
        ("churn@", "says no version"),
        ("nobody", "no finished run kept a model 'nobody'.*churn, twin"),
        (f"churn@{same}", "kept no model 'churn'"),
        ("<b>", "is no model name"),
    ):
        with pytest.raises(UsageError, match=why):
            ask("env check", reference)
    with pytest.raises(Refused):
        ask("env check", "churn@nowhere")


def test_a_snapshot_of_advisories_is_brought_versioned_and_asked(
    repo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from provenote.tracking import imports

    def record(id: str, name: str, **more: Any) -> str:
        affected = {"package": {"ecosystem": "PyPI", "name": name}, **more}
        return json.dumps(
            {"id": id, "modified": "2026-01-02T03:04:05Z", "summary": id, "affected": [affected]}
        )

    def said(view: View) -> str:
        return "\n".join(part.text for part in view.parts if isinstance(part, Line))

    ever = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]
    with monkeypatch.context() as patch:
        patch.setattr(imports, "imported", lambda *_: ("pluggy",))
        desk.run_with_model()
    assert "not checked: no snapshot was brought" in said(ask("env check", "churn"))
    assert ask("env check", "churn").status == 0  # nothing was found, and nothing was called safe
    assert "nothing is checked" in said(ask("env advisories"))
    source = repo.parent / "all.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("A.json", record("A-1", "Pytest", ranges=ever))
        archive.writestr("B.json", record("B-1", "nobody-has-this", ranges=ever))
        archive.writestr("C.json", "\x00 nonsense")
        archive.writestr("../../D.json", record("D-1<b>", "numpy", versions=["0.0.1"]))
    brought = ask("env advisories", str(source))
    assert (brought.data["advisories"], brought.data["unread"], brought.data["as_of"][:10]) == (
        3,
        1,
        "2026-01-02",
    )
    assert "advisories.osv.jsonl.dvc" in brought.data["files"]
    view = ask("env check", "churn")
    found = {one["name"]: one for one in view.data["findings"]}
    assert found["advisories"]["why"].startswith("advisories as of 2026-01-02, ")
    assert found["advisory/pytest/A-1"]["outcome"] == "passed"  # told: the training did not import it
    assert view.status == 0
    # A newer one, as lines; what the training imported fails.
    (repo.parent / "day.jsonl").write_text(record("A-2", "pluggy", ranges=ever) + "\n" + "y" * 50 + "\n")
    ask("env advisories", str(repo.parent / "day.jsonl"), as_of="2026-02-03")
    assert cli.main(["env", "check", "churn"]) == 1
    out = capsys.readouterr().out
    assert "A-2" in out and "as of 2026-02-03" in out
    # Where its bytes are not, nothing is checked, and nobody is told otherwise.
    (repo / "advisories.osv.jsonl").unlink()
    assert "provenote data pull" in ask("env advisories").parts[1].text
    assert "not checked: the bytes" in said(ask("env check", "churn"))
    (repo / "advisories.osv.jsonl").write_text("nonsense")
    assert "damaged" in said(ask("env check", "churn"))
    (repo.parent / "folder").mkdir()
    (repo.parent / "folder" / "x.json").write_text(record("N", "x", versions=["1"]).replace("PyPI", "npm"))
    for words, why in (
        ([str(repo.parent / "folder")], "no advisory about PyPI: 1 about others"),
        ([str(repo.parent / "absent.zip")], "there is no"),
        ([str(source), "2026-13-01"], "is no day"),
        ([str(source), "2999-01-01"], "still to come"),
    ):
        with pytest.raises(UsageError, match=why):
            ask("env advisories", words[0], as_of=words[1] if len(words) > 1 else None)


# ---------------------------------------------------------------------- look


def test_the_imported_packages_come_first(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = run_with(monkeypatch, "a", "alpha==1\nbeta==2\nmine==0.1  # editable\nzeta==3\n", ("zeta",))
    shown = ask("env show", name)
    assert [row[0] for row in table(shown)] == ["zeta", "mine"]
    assert "2 packages not imported hidden" in shown.parts[1].foot[0]
    everything = ask("env show", name, all=True)
    assert [row[0] for row in table(everything)] == ["zeta", "alpha", "beta", "mine"]
    assert shown.data["python"] and shown.data["machine"]["cpus"] >= 1
    assert shown.data["packages"]["mine"] == {"version": "0.1", "origin": "editable"}
    assert shown.data["packages"]["beta"] == {"version": "2", "origin": None}


def test_an_environment_is_written_as_requirements(
    repo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    origin = f"git+https://example.org/tool@{'a' * 40}"
    name = run_with(monkeypatch, "a", f"alpha==1\nmine==0.1  # editable\ntool==2  # {origin}\n")
    assert cli.main(["env", "show", name, "--lock"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == ["alpha==1", "mine==0.1  # editable", f"tool @ {origin}"]


def test_this_python_is_shown_without_a_run(repo: Path) -> None:
    assert ask("env show").data["packages"].keys() == environment.lock().packages.keys()


def test_two_environments_are_compared(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a = run_with(monkeypatch, "a", "alpha==1\ngone==1\nsame==1\nzeta==1\n", ("zeta",))
    b = run_with(monkeypatch, "b", "alpha==2\nnew==1\nsame==1\nzeta==2\n", ("zeta",))
    found = ask("env diff", a, b)
    assert [(p["name"], p["kind"], p["imported"]) for p in found.data["packages"]] == [
        ("zeta", "changed", True),
        ("alpha", "changed", False),
        ("gone", "removed", False),
        ("new", "added", False),
    ]
    assert found.data["identical"] == 1
    assert ["zeta", "imported", "1", "2", "changed"] in table(found)
    assert ask("env diff", a, a).data["packages"] == []
    here = {p["name"] for p in ask("env diff", a).data["packages"]}
    assert "pytest" in here and "zeta" in here


def test_a_running_run_has_an_environment_too(repo: Path) -> None:
    with provenote.track("a") as run:
        assert ask("env show", run.name).data["sha256"] == environment.lock().sha256


def test_a_run_without_a_lock_is_told(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(environment, "lock", lambda *_: environment.Lock("", "", "", {}))
        with provenote.track("a") as run:
            run.log(acc=1)
    for words in ("env show", "env diff", "env create"):
        with pytest.raises(UsageError, match="kept no list of its packages"):
            ask(words, run.name)
    with pytest.raises(UsageError, match="is not in this repository"):
        ask("env show", "nothing")


# ---------------------------------------------------------------------- build


def wheel(folder: Path, name: str, version: str, needs: str = "", **modules: str) -> str:
    """Make a wheel by hand and return its SHA-256."""
    stem = f"{name}-{version}"
    files = {f"{name}/{module}.py": text for module, text in {"__init__": "", **modules}.items()}
    files[f"{stem}.dist-info/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + (
        f"Requires-Dist: {needs}\n" if needs else ""
    )
    files[f"{stem}.dist-info/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = f"{stem}.dist-info/RECORD"
    files[record] = "".join(f"{path},,\n" for path in (*files, record))
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in files.items():
            archive.writestr(inside, text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that is all uv can install from."""
    pytest.importorskip("uv", reason="uv is not installed")
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    wheel(folder, "alpha", "1.0")
    wheel(folder, "alpha", "2.0")
    wheel(folder, "beta", "1.0", needs="alpha>=5")  # what was installed is installed, whatever it asks for
    return folder


def versions(interpreter: str | Path) -> dict[str, str]:
    return dict(environment.lock(interpreter).packages)


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_an_environment_is_built_once(repo: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = run_with(monkeypatch, "a", "alpha==1.0\nbeta==1.0\n")
    before = subprocess.run(["git", "status", "--porcelain"], capture_output=True, cwd=repo).stdout
    built = ask("env create", name)
    folder = Path(built.data["folder"])
    assert folder.parent == repo / "past" / ".envs" and built.data["made"]
    assert versions(folder / "bin" / "python").items() >= {"alpha": "1.0", "beta": "1.0"}.items()
    assert leftovers(folder.parent) == [folder.name]
    after = subprocess.run(["git", "status", "--porcelain"], capture_output=True, cwd=repo).stdout
    assert after == before
    stamp = (folder / "pyvenv.cfg").stat().st_mtime_ns
    again = ask("env create", run_with(monkeypatch, "b", "alpha==1.0\nbeta==1.0\n"))
    assert again.data["folder"] == str(folder) and not again.data["made"]
    assert (folder / "pyvenv.cfg").stat().st_mtime_ns == stamp
    assert ask("env create", run_with(monkeypatch, "c", "alpha==2.0\n")).data["folder"] != str(folder)


def test_a_place_can_be_named(
    repo: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = run_with(monkeypatch, "a", "alpha==1.0\n")
    (tmp_path / "empty").mkdir()
    assert ask("env create", name, str(tmp_path / "empty")).data["made"]
    assert not ask("env create", name, str(tmp_path / "empty")).data["made"]
    assert not (repo / "past").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thoughts.md").write_text("x")
    with pytest.raises(UsageError, match="holds something else"):
        ask("env create", name, str(tmp_path / "mine"))
    with pytest.raises(UsageError, match="holds something else"):
        ask("env create", run_with(monkeypatch, "b", "alpha==2.0\n"), str(tmp_path / "empty"))
    assert leftovers(tmp_path / "mine") == ["thoughts.md"]


def test_what_cannot_be_installed_any_more_is_named_and_nothing_is_made(
    repo: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = "alpha==1.0\nbeta==9\ngone==1\nmine==0.1  # editable\npath==1  # local\n"
    name = run_with(monkeypatch, "a", lines)
    with pytest.raises(Refused) as refused:
        ask("env create", name)
    for word in (
        "beta==9",
        "gone==1",
        "mine==0.1",
        "path==1",
        "editable",
        f"env create {name} --skip-missing",
    ):
        assert word in refused.value.line
    assert leftovers(repo / "past" / ".envs") == []
    built = ask("env create", name, skip_missing=True)
    assert list(built.data["skipped"]) == ["mine==0.1", "path==1", "beta==9", "gone==1"]
    assert set(versions(built.data["interpreter"])) & {"alpha", "beta", "gone", "mine", "path"} == {"alpha"}
    again = ask("env create", name)
    assert not again.data["made"] and again.data["skipped"] == built.data["skipped"]


def test_a_local_file_is_trusted_by_its_digest_alone(
    repo: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = wheel(wheels, "own", "1.0")
    good = run_with(monkeypatch, "good", f"own==1.0  # local, sha256 {digest}\n")
    assert ask("env create", good).data["packages"] == 1
    bad = run_with(monkeypatch, "bad", f"own==1.0  # local, sha256 {'0' * 64}\n")
    with pytest.raises(Refused, match=r"own==1\.0: its file is another one there"):
        ask("env create", bad)
    path = run_with(monkeypatch, "path", "own==1.0  # local\n")
    with pytest.raises(Refused, match=r"own==1\.0: it came from a local path"):
        ask("env create", path)
    assert ask("env create", path, from_index=True).data["packages"] == 1


def test_a_missing_uv_is_one_line(repo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    name = run_with(monkeypatch, "a", "alpha==1.0\n")
    monkeypatch.setattr(uv.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(uv.shutil, "which", lambda _: None)
    with pytest.raises(UsageError, match=r"needs uv, which is not installed\. Get it: `pip install uv`"):
        ask("env create", name)
    assert not (repo / "past").exists()


def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> str:
    """Put a program in the place of uv."""
    path = tmp_path / "uv-stand-in"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setattr(uv, "find", lambda: str(path))
    return str(path)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("error: failed to write: No space left on device (os error 28)", "the disk is full"),
        ("error: Request failed\n  cause: error sending request for url (https://x/)", "cannot be reached"),
        ("error: a new kind of trouble", "uv cannot build the environment: a new kind of trouble"),
    ],
)
def test_faults_leave_nothing_behind(
    repo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str, expected: str
) -> None:
    name = run_with(monkeypatch, "a", "alpha==1.0\n")
    script = f'[ "$1" = venv ] && mkdir -p "$6" && exit 0\necho "{said}"; exit 2'
    stand_in(tmp_path, monkeypatch, script)
    with pytest.raises(WorldError, match=expected):
        ask("env create", name)
    assert leftovers(repo / "past" / ".envs") == []


def test_an_absent_python_is_told_with_its_mend(
    repo: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "HEADING", "# python 3.99.1 cpython\n")
    name = run_with(monkeypatch, "a", "alpha==1.0\n")
    with pytest.raises(WorldError, match=r"Python 3\.99\.1 .* `uv python install 3\.99\.1`"):
        ask("env create", name)
    assert leftovers(repo / "past" / ".envs") == []


def test_two_builds_at_once_make_one(repo: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = run_with(monkeypatch, "a", "alpha==1.0\nbeta==1.0\n")
    words = [sys.executable, "-m", "provenote.cli", "env", "create", name, "--json"]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, cwd=repo) for _ in range(2)]
    answers = [json.loads(one.communicate()[0]) for one in both]
    assert sorted(answer["made"] for answer in answers) == [False, True]
    assert len({answer["folder"] for answer in answers}) == 1
    assert len(leftovers(repo / "past" / ".envs")) == 1


def test_a_killed_build_is_done_anew(
    repo: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = run_with(monkeypatch, "a", "alpha==1.0\n")
    begun = tmp_path / "begun"
    with monkeypatch.context() as patch:
        slow = stand_in(tmp_path, patch, f'mkdir -p "$6/half"; touch {begun}; sleep 1')
    code = (
        f"from provenote.environments import uv; uv.find = lambda: {slow!r}\n"
        f"from provenote.cli import main; main(['env', 'create', {name!r}])"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=repo, stdout=subprocess.DEVNULL)
    while not begun.exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert len(leftovers(repo / "past" / ".envs")) == 1  # under its hidden name
    assert not any(not one.startswith(".") for one in leftovers(repo / "past" / ".envs"))
    built = ask("env create", name)  # waits for the orphan, which holds the lock, too
    assert built.data["made"]
    assert leftovers(repo / "past" / ".envs") == [Path(built.data["folder"]).name]


def test_an_environment_becomes_a_kernel(
    repo: Path, home: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ipykernel

    wheel(wheels, "ipykernel", "1.0")
    name = run_with(monkeypatch, "a", "alpha==1.0\nipykernel==1.0\n")
    none = run_with(monkeypatch, "none", "alpha==1.0\n")
    with pytest.raises(UsageError, match="had no ipykernel"):
        ask("env create", none, kernel="past")
    with pytest.raises(UsageError, match="is no name of a kernel"):
        ask("env create", name, kernel="a b")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(home / "jupyter"))
    # The real ipykernel answers for the one of the wheel, which is empty.
    monkeypatch.setenv("PYTHONPATH", str(Path(ipykernel.__file__).parents[1]))
    built = ask("env create", name, kernel="past")
    spec = json.loads((home / "jupyter" / "kernels" / "past" / "kernel.json").read_text())
    assert spec["argv"][0] == built.data["interpreter"]
    assert Path(spec["argv"][0]).exists() and name in spec["display_name"]


def test_scripts_of_the_environment_run_where_it_stands(
    repo: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(wheels / "alpha-1.0-py3-none-any.whl", "a") as archive:
        archive.writestr("alpha-1.0.dist-info/entry_points.txt", "[console_scripts]\nsay = alpha.say:main\n")
        archive.writestr("alpha/say.py", "import sys\ndef main():\n    print(sys.prefix)\n")
    built = ask("env create", run_with(monkeypatch, "a", "alpha==1.0\n"))
    said = subprocess.run([Path(built.data["folder"]) / "bin" / "say"], capture_output=True, text=True)
    assert said.stdout.strip() == built.data["folder"], said.stderr


def test_what_cannot_be_as_it_was_is_told(repo: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    present = ".".join(map(str, sys.version_info[:2]))
    heading = f"# python {present}.99 {sys.implementation.name}\n# platform plan9-mips\n"
    monkeypatch.setitem(globals(), "HEADING", heading)
    name = run_with(monkeypatch, "a", "alpha==1.0\n")
    built = ask("env create", name)
    said = [part.text for part in built.parts if isinstance(part, Line)]
    assert any(text.startswith(f"the run had Python {present}.99, which is not here") for text in said)
    assert any(text.startswith("the run was on plan9-mips, this is ") for text in said)
    assert built.data["python"].startswith(f"{present}.") and built.data["python"] != f"{present}.99"


def test_a_notebook_tells_what_its_kernel_imported(repo: Path) -> None:
    verb = load_verb(("env", "show"))
    assert verb is not None
    assert "pytest" in verb.function(Context(face="notebook")).data["imported"]
    assert verb.function(Context(face="terminal")).data["imported"] == []


def test_a_build_that_is_interrupted_leaves_nothing(
    repo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = run_with(monkeypatch, "a", "alpha==1.0\n")
    begun = tmp_path / "begun"
    with monkeypatch.context() as patch:
        slow = stand_in(tmp_path, patch, f'mkdir -p "$6/half"; echo $$ > {begun}; exec sleep 60')
    code = (
        f"from provenote.environments import uv; uv.find = lambda: {slow!r}\n"
        f"from provenote.cli import main; main(['env', 'create', {name!r}])"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=repo, stderr=subprocess.DEVNULL)
    while not begun.exists() or not begun.read_text().strip():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)
    assert leftovers(repo / "past" / ".envs") == []
    with pytest.raises(ProcessLookupError):
        os.kill(int(begun.read_text()), 0)
