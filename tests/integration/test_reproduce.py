"""Runs are run once more: what is said, what is kept, and that nothing of the user's changes."""

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
from pathlib import Path
from typing import Any

import psutil
import pytest
from kernels import Kernel, finished, notebook

from provenote import cli, data, workspace
from provenote.commands.tree import Context, load_verb
from provenote.errors import Refused, UsageError, WorldError
from provenote.jobs import launch
from provenote.model import Row
from provenote.reproducing import journey, scratch
from provenote.stores import index
from provenote.view import View


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


def everything(root: Path) -> dict[str, Any]:
    """Return all that a user has there: files, index, HEAD, refs of runs, worktrees, jobs."""
    files = {
        str(path.relative_to(root)): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.relative_to(root).parts[0] != ".git" and ".dvc/cache" not in str(path)
    }
    return {
        "files": files,
        "index": hashlib.sha256((root / ".git" / "index").read_bytes()).hexdigest(),
        "head": (root / ".git" / "HEAD").read_bytes(),
        "refs": git("for-each-ref", "refs/heads", "refs/exps", "refs/stash", "refs/provenote/live"),
        "worktrees": git("worktree", "list"),
        "jobs": named(root, "jobs"),
        "live": named(root, "live"),
    }


def named(root: Path, what: str) -> list[str]:
    folder = root / ".git" / "provenote" / what
    return sorted(os.listdir(folder)) if folder.exists() else []


def reproduce(run: str, *tolerance: str, **options: Any) -> View:
    verb = load_verb(("reproduce",))
    assert verb is not None
    return verb.function(Context(), run, tolerance=list(tolerance), **options)


def job(path: Path, *sources: str, given: tuple[str, ...] = (), label: str | None = None) -> Row:
    """Run a notebook as a job and return its run; the first cell declares parameters."""
    path.parent.mkdir(exist_ok=True)
    book = json.loads(notebook(path, *sources).read_text())
    book["cells"][0]["metadata"]["tags"] = ["parameters"]
    path.write_text(json.dumps(book))
    result = launch.run_job(path, given, label=label)
    return index.find(workspace.find(), str(result.state.run))


def by_hand(path: Path, label: str, *cells: tuple[str, str]) -> Row:
    """Run cells in a kernel as a front end does, and return the run."""
    with Kernel(path) as kernel:
        for name, source in cells:
            reply = kernel.run(source, name)
            assert reply["status"] == "ok", reply
    return finished(label)[-1]


LOG = "provenote.current_run().log(rmse=61.5 + depth, fit_s=time.perf_counter())"


def test_a_job_is_reproduced_and_nothing_of_the_users_changes(repo: Path) -> None:
    label = '<b>x</b>\x1b[31m "quoted"'
    row = job(
        repo / "sub dir" / "träin.ipynb",
        "depth: float = 3",
        "import os, time, provenote\n" + LOG,
        "print(os.getcwd(), sorted(os.listdir('.')), os.environ['OMP_NUM_THREADS']); {'a', 'b'}",
        given=("depth=nan",),
        label=label,
    )
    (repo / "a.txt").write_text("being edited\n")
    (repo / "sub dir" / "träin.ipynb").write_text("edited since")
    git("add", "a.txt")
    before = everything(repo)
    view = reproduce(row.name)
    assert (view.status, view.data["verdict"]) == (0, "identical"), view.data
    assert view.data["cells"] == {"compared": 4, "different": []}
    assert [(one["key"], one["is"]) for one in view.data["metrics"]] == [
        ("fit_s", "clock"),
        ("rmse", "equal"),
    ]
    assert everything(repo) == before
    assert not (repo / "past").exists()
    again = index.find(workspace.find(), row.id)
    assert again.reproduced == "identical" and len(index.rows(workspace.find(), everything=True)[0]) == 1
    (kept,) = journey.reports(workspace.find(), row.id)[1]
    assert (kept["verdict"], kept["environment"], kept["tolerance"]) == ("identical", "same", {})
    assert kept["evidence"] == view.data["evidence"] and kept["report"]["commit"] == row.commit
    assert json.loads(json.dumps(view.data)) == view.data


def test_chance_is_different_until_it_is_tolerated_and_the_last_verdict_counts(
    repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = job(
        repo / "chance.ipynb",
        "depth: int = 3",
        "import random, provenote\nx = random.random()\nprint('drew', x)",
        "provenote.current_run().log(rmse=1000 + x)",
    )
    assert cli.main(["reproduce", row.name]) == 1
    said = capsys.readouterr().out
    assert "different" in said and "Cell 2: import random, provenote" in said
    assert "no seed or random state is among its parameters" in said
    assert "cell 2 draws numbers: random.random" in said
    assert index.find(workspace.find(), row.id).reproduced == "different"
    assert cli.main(["reproduce", row.name, "--tolerance", "rmse=99", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["verdict"], found["tolerance"]) == ("within tolerance", {"rmse": "99"})
    assert found["cells"]["different"][0]["near"] is True
    assert index.find(workspace.find(), row.id).reproduced == "within tolerance"
    assert cli.main(["reproduce", row.name, "--history"]) == 0
    lines = capsys.readouterr().out.splitlines()[2:]
    assert [line.strip().split("  ")[0] for line in lines if " 20" in line] == [
        "within tolerance",
        "different",
    ]
    assert any("rmse=99" in line for line in lines)
    cli.main(["runs", "--json"])
    assert json.loads(capsys.readouterr().out)["rows"][0]["reproduced"] == "within tolerance"


def test_a_run_that_failed_is_reproduced_when_it_fails_the_same_way(repo: Path) -> None:
    row = job(repo / "fails.ipynb", "depth: int = 3", "raise ValueError('wrong <b>shape</b>')", "'never'")
    assert row.status == "failed"
    view = reproduce(row.name)
    assert (view.data["verdict"], view.data["status"]["now"]) == ("identical", "failed"), view.data
    assert view.data["cells"]["compared"] == 2


def test_a_kernel_that_is_not_here_is_told_before_anything_runs(repo: Path) -> None:
    from provenote.stores import runs

    row = job(repo / "nb.ipynb", "depth: int = 3", "depth")
    book = index.document(workspace.find(), str(row.commit)) | {"job": {"kernel": "gone-3.7"}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "read", lambda *_: book)
        with pytest.raises(UsageError, match=r"'gone-3.7' .* not installed.*reproduce nb-.* --env"):
            reproduce(row.id)
    assert not (repo / "past").exists()


def test_a_notebook_run_in_order_by_hand_is_identical(repo: Path) -> None:
    sources = (
        "%load_ext provenote",
        "x = 2\nx",
        "%%track by hand\nprint(x)\n%log rmse=x * 3.5\nx + 1",
        "'later'",
    )
    path = notebook(repo / "nb.ipynb", *sources)
    row = by_hand(path, "by hand", *((f"c{n}", source) for n, source in enumerate(sources[:3])))
    assert row.linearity == "linear"
    view = reproduce(row.name)
    assert (view.status, view.data["verdict"], view.data["kind"]) == (0, "identical", "cells"), view.data
    assert view.data["cells"]["compared"] == 3 and view.data["metrics"][0]["now"] == 7.0
    assert len(index.rows(workspace.find(), everything=True)[0]) == 1


def test_what_worked_out_of_order_alone_fails_here_and_the_order_is_shown_beside_it(repo: Path) -> None:
    sources = ("%load_ext provenote", "%%track hidden\ny = x\n%log rmse=y", "x = 5")
    path = notebook(repo / "nb.ipynb", *sources)
    row = by_hand(path, "hidden", ("c0", sources[0]), ("c2", sources[2]), ("c1", sources[1]))
    assert (row.linearity, row.metrics) == ("out-of-order", {"rmse": 5})
    view = reproduce(row.name)
    assert (view.status, view.data["verdict"]) == (1, "different")
    assert view.data["status"] == {
        "then": "finished",
        "now": "failed",
        "reason": "cell 2: NameError: name 'x' is not defined",
    }
    assert view.data["cells"]["different"][0]["failed"] == "NameError"
    lines = [getattr(part, "text", "") for part in view.parts]
    assert "Cells ran out of order" in lines
    assert "It finished then, and failed now: cell 2: NameError: name 'x' is not defined" in lines


def test_of_several_runs_of_one_notebook_the_right_one_answers(repo: Path) -> None:
    sources = ("%load_ext provenote", "%%track one\n%log rmse=1.5", "%%track two\n%log rmse=2.5, mae=3.5")
    path = notebook(repo / "nb.ipynb", *sources)
    by_hand(path, "two", *((f"c{n}", source) for n, source in enumerate(sources)))
    for label in ("one", "two"):
        view = reproduce(finished(label)[-1].name)
        assert (label, view.data["verdict"]) == (label, "identical"), view.data


def script(path: Path, source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    path.parent.mkdir(exist_ok=True)
    path.write_text(source)
    return subprocess.run(
        [sys.executable, str(path), *arguments], check=True, capture_output=True, text=True, timeout=120
    )


def test_a_script_is_run_as_a_process_with_its_arguments(repo: Path) -> None:
    source = (
        "import sys, provenote\n"
        "with provenote.track('script', params={'depth': int(sys.argv[1])}) as run:\n"
        "    run.log(rmse=int(sys.argv[1]) / 3)\n"
        "    run.log_artifact(__file__, 'itself')\n"
    )
    script(repo / "src" / "train.py", source, "7")
    before = everything(repo)
    view = reproduce("script")
    assert (view.status, view.data["verdict"], view.data["kind"]) == (0, "identical", "script"), view.data
    assert view.data["artifacts"] == {"itself": "same"}
    assert everything(repo) == before
    (repo / "src" / "again.py").write_text(source.replace("'script'", "'module'"))
    words = [sys.executable, "-m", "src.again", "8"]
    subprocess.run(words, check=True, cwd=repo, timeout=120)
    assert reproduce("module").data["verdict"] == "identical"
    (repo / "src" / "train.py").write_text("raise SystemExit('not this one')")
    assert reproduce("script").data["verdict"] == "identical"


def test_a_killed_run_and_one_without_anything_to_compare_are_refused(repo: Path) -> None:
    script(repo / "t.py", "import provenote\nwith provenote.track('empty'): pass\n")
    with pytest.raises(UsageError, match="logged no metric and kept no output"):
        reproduce("empty")
    died = "import os, provenote\nprovenote.track('died').__enter__().log(a=1)\nos.kill(os.getpid(), 9)\n"
    with pytest.raises(subprocess.CalledProcessError):
        script(repo / "t.py", died)
    with pytest.raises(UsageError, match="was stopped on its way"):
        reproduce("died")
    with pytest.raises(UsageError, match="no metric 'rmsle'"):
        script(repo / "t.py", "import provenote\nwith provenote.track('ok') as run: run.log(rmse=1)\n")
        reproduce("ok", "rmsle=1")
    assert not (repo / "past").exists()


READ = (
    "import provenote\nwith provenote.track('reads') as run:\n"
    "    run.log(rmse=len(provenote.data.path('data/x.csv').read_text()))\n"
)


def test_data_come_from_the_remote_and_without_them_there_is_no_verdict(repo: Path, tmp_path: Path) -> None:
    (repo / "data").mkdir()
    (repo / "data" / "x.csv").write_text("a\n1\n")
    data.add("data/x.csv")
    git("add", "--all")
    git("commit", "-qm", "data")
    script(repo / "t.py", READ)
    (tmp_path / "remote").mkdir()
    subprocess.run(["dvc", "remote", "add", "-q", "-d", "store", str(tmp_path / "remote")], check=True)
    data.push()
    (repo / "data" / "x.csv").write_text("a\n1\n2\n")
    data.add("data/x.csv")
    shutil.rmtree(repo / ".dvc" / "cache")
    view = reproduce("reads")
    assert (view.data["verdict"], view.data["data"]) == ("identical", ["data/x.csv"])
    assert (repo / "data" / "x.csv").read_text() == "a\n1\n2\n"
    shutil.rmtree(repo / ".dvc" / "cache")
    shutil.rmtree(tmp_path / "remote")
    with pytest.raises(WorldError, match="neither here nor on a remote: data/x.csv"):
        reproduce("reads")
    assert len(journey.reports(workspace.find(), "reads")[1]) == 1
    assert not (repo / "past").exists()


def test_what_it_read_is_brought_from_the_work_tree_while_it_is_the_same(repo: Path) -> None:
    (repo / "data").mkdir()
    (repo / "data" / "x.csv").write_text("a\n1\n")
    data.add("data/x.csv")
    git("add", "--all")
    git("commit", "-qm", "data")
    (repo / "data" / "x.csv").write_text("a\n1\n2\n")  # changed, and not added
    both = READ.replace("    run.log(", "    provenote.data.path('data/x.csv', rev='HEAD')\n    run.log(")
    script(repo / "t.py", both)
    view = reproduce("reads")
    assert (view.data["verdict"], view.data["metrics"][0]["now"], view.data["absent"]) == ("identical", 6, [])
    (repo / "data" / "x.csv").write_text("other")
    with pytest.raises(WorldError, match="neither here nor on a remote: data/x.csv"):
        reproduce("reads")
    assert not (repo / "past").exists()


def test_cells_before_the_extension_are_run_and_their_outputs_not_compared(repo: Path) -> None:
    sources = ("x = 2\nprint('said')", "%load_ext provenote", "%%track late\n%log rmse=x")
    path = notebook(repo / "nb.ipynb", *sources)
    row = by_hand(path, "late", *((f"c{n}", source) for n, source in enumerate(sources)))
    view = reproduce(row.name)
    assert view.data["verdict"] == "identical", view.data
    assert view.data["cells"]["compared"] == 2


def test_a_file_that_was_never_versioned_is_brought_only_if_it_is_the_same(repo: Path) -> None:
    (repo / "plain.csv").write_text("a\n1\n")
    source = (
        "import provenote\nwith provenote.track('plain') as run: run.log(n=len(open('plain.csv').read()))\n"
    )
    script(repo / "t.py", source)
    assert reproduce("plain").data["verdict"] == "identical"
    (repo / "plain.csv").write_text("a\n2\n")
    with pytest.raises(WorldError, match=r"cannot be reproduced: .*not there: plain\.csv"):
        reproduce("plain")
    assert index.find(workspace.find(), "plain").reproduced == "identical"


def test_it_is_kept_when_asked_for_and_never_over_something(repo: Path) -> None:
    script(repo / "t.py", "import provenote\nwith provenote.track('kept') as run: run.log(rmse=1)\n")
    row = index.find(workspace.find(), "kept")
    view = reproduce(row.name, keep=True)
    folder = repo / "past" / f"{row.name}-again"
    assert view.data["folder"] == str(folder) and (folder / "t.py").exists()
    assert git("-C", str(folder), "log", "-1", "--format=%H").strip() == row.baseline
    assert git("status", "--porcelain") == "?? t.py\n"
    with pytest.raises(UsageError, match="is there already"):
        reproduce(row.name, keep=True)
    assert reproduce(row.name).data["verdict"] == "identical" and folder.exists()


def test_the_environment_is_compared_and_its_own_is_used_when_asked_for(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from provenote.environments import create
    from provenote.jobs import interpreters
    from provenote.tracking import environment

    row = job(
        repo / "nb.ipynb",
        "depth: int = 3",
        "import os, provenote\nprovenote.current_run().log(then=os.environ.get('THEN', 'here'))",
    )
    text = environment.lock().text.replace("\npytest==", "\npytest==0.0.")
    lock = environment.Lock(text, hashlib.sha256(text.encode()).hexdigest(), "3", {})
    with monkeypatch.context() as patch:
        patch.setattr(environment, "lock", lambda *_: lock)
        view = reproduce(row.name)
    assert (view.data["verdict"], view.data["environment"]["is"]) == ("identical", "differs")
    assert view.data["environment"]["differences"][0].startswith("pytest ")
    python = tmp_path / "env" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nTHEN=built exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    built = create.Built(
        tmp_path / "env", "3", 1, {"provenote==0.1": "it was a folder, installed as editable"}
    )
    monkeypatch.setattr(create, "create", lambda *_, **__: built)
    view = reproduce(row.name, env=True)
    assert view.data["environment"] == {"is": "built", "differences": []}
    assert [(one["then"], one["now"]) for one in view.data["metrics"]] == [("here", "built")]
    assert view.data["verdict"] == "different"
    # What could not be installed counts as absent until somebody has put that very version there.
    lacking = dataclasses.replace(built, skipped={"ipykernel==1": "it came from a local path"})
    monkeypatch.setattr(create, "create", lambda *_, **__: lacking)
    assert reproduce(row.name, env=True).data["environment"]["is"] == "built"
    with monkeypatch.context() as patch:
        patch.setattr(environment, "lock", lambda *_: environment.Lock("", "0", "3", {"ipykernel": "1"}))
        with pytest.raises(Refused, match=r"ipykernel \d.*came from a local path.*uv pip install --python"):
            reproduce(row.name, env=True)
    # The environment that counts is the kernel's, where the notebook runs in another one than ours.
    with monkeypatch.context() as patch:
        patch.setattr(interpreters, "lock_of", lambda kernel: lock if kernel == "python3" else None)
        view = reproduce(row.name)
    assert (view.data["environment"]["is"], view.data["verdict"]) == ("differs", "identical")


def test_a_project_below_the_root_of_its_repository(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sub = repo / "models" / "bikes"
    sub.mkdir(parents=True)
    shutil.copytree(repo / ".dvc", sub / ".dvc")
    git("rm", "-rq", ".dvc")
    git("add", "--all")
    git("commit", "-qm", "moved")
    monkeypatch.chdir(sub)
    script(sub / "t.py", "import provenote\nwith provenote.track('sub') as run: run.log(rmse=1)\n")
    assert reproduce("sub").data["verdict"] == "identical"
    assert git("status", "--porcelain") == "?? models/bikes/t.py\n"


def begin(run: str) -> subprocess.Popen[bytes]:
    """Begin a reproduction in a process of its own."""
    code = "import sys\nfrom provenote import cli\nsys.exit(cli.main(sys.argv[1:]))"
    return subprocess.Popen(
        [sys.executable, "-c", code, "reproduce", run], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def waiting(folder: Path, marker: str) -> psutil.Process:
    """Wait until a process with these words in its environment is at work below a folder."""
    until = time.monotonic() + 90
    while time.monotonic() < until:
        if (folder / marker).exists():
            return psutil.Process(int((folder / marker).read_text()))
        time.sleep(0.05)
    raise AssertionError("it did not begin")


@pytest.mark.parametrize("kind", ["job", "script"])
def test_stopped_or_killed_it_leaves_nothing_behind(repo: Path, tmp_path: Path, kind: str) -> None:
    body = (
        f"import os, time\nopen({str(tmp_path / 'pid')!r} + '-', 'w').write(str(os.getpid()))\n"
        f"os.rename({str(tmp_path / 'pid')!r} + '-', {str(tmp_path / 'pid')!r})\n"
        f"time.sleep(300 if os.path.exists({str(tmp_path / 'slow')!r}) else 0)\n"
    )
    if kind == "job":
        row = job(
            repo / "nb.ipynb", "depth: int = 3", body, "import provenote\nprovenote.current_run().log(rmse=1)"
        )
    else:
        script(repo / "t.py", body + "import provenote\nwith provenote.track('t') as run: run.log(rmse=1)\n")
        row = index.find(workspace.find(), "t")
    (tmp_path / "slow").touch()
    before = everything(repo)
    for number in (signal.SIGINT, signal.SIGKILL):
        (tmp_path / "pid").unlink()
        process = begin(row.name)
        at_work = waiting(tmp_path, "pid")
        process.send_signal(number)
        said = process.communicate(timeout=60)[0].decode()
        assert process.returncode == (1 if number == signal.SIGINT else -signal.SIGKILL), said
        if number == signal.SIGINT:
            assert not (repo / "past").exists(), said
        elif kind == "job":
            assert any((repo / "past" / scratch.FOLDER).iterdir())
            scratch.clean(workspace.find())
        psutil.wait_procs([at_work], timeout=20)
        assert not at_work.is_running()
    (tmp_path / "slow").unlink()
    assert reproduce(row.name).data["verdict"] == "identical"
    assert everything(repo) == before and not (repo / "past").exists()


def test_two_at_once_do_not_disturb_each_other(repo: Path) -> None:
    script(repo / "t.py", "import provenote\nwith provenote.track('t') as run: run.log(rmse=1)\n")
    both = [begin("t"), begin("t")]
    assert [one.wait(timeout=120) for one in both] == [0, 0], [one.communicate()[0] for one in both]
    assert len(journey.reports(workspace.find(), "t")[1]) == 2
    assert not (repo / "past").exists()


def test_a_place_is_found_while_another_reproduction_tidies_up(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(repo / "t.py", "import provenote\nwith provenote.track('t') as run: run.log(rmse=1)\n")
    real, calls = scratch._lock, []

    def late(top: Path) -> int | None:
        calls.append(top)
        if len(calls) == 1:  # between the making of the folder and the lock in it
            top.parent.rmdir()
        return real(top)

    monkeypatch.setattr(scratch, "_lock", late)
    assert reproduce("t").data["verdict"] == "identical"
    assert len(calls) == 2 and not (repo / "past").exists()
