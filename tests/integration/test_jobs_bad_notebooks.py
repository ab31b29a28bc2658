"""Notebooks that do what they should not: each job ends in a clear state, with nothing left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.integration.job_desk import cell, job_processes, submit, wait_for, write

from provenote import workspace
from provenote.commands import jobs as verbs
from provenote.commands.tree import Context
from provenote.errors import UsageError
from provenote.jobs import executor, folder, launch
from provenote.stores import index


def ran(path: Path, **options: Any) -> tuple[launch.JobResult, dict[str, Any]]:
    """Run a job and return how it ended, and its run's document."""
    result = launch.run_job(path, **options)
    return result, index.document(workspace.find(), result.state.commit or "")


def test_a_missing_package_is_told_before_anything_is_made(repo):
    absent = "import os\nimport json, nowhere_at_all.part\nfrom beside import x"
    with pytest.raises(UsageError, match="imports nowhere_at_all, which the kernel 'python3'"):
        launch.run_job(write(repo / "t.ipynb", cell("1", "c0"), cell(absent, "c1")))
    (repo / "nowhere_at_all.py").write_text("")
    with pytest.raises(UsageError, match="imports beside"):
        launch.run_job(write(repo / "t.ipynb", cell(absent, "c1")))
    assert folder.listing(workspace.find().home) == []


@pytest.mark.parametrize(
    "sources",
    [
        ["try:\n    import nowhere\nexcept ImportError:\n    pass", "def f():\n    import nowhere"],
        ["%%writefile nowhere.py\nx = 1", "import nowhere"],
        ["import sys\nsys.path.insert(0, 'lib')\nimport nowhere"],
        ["!true\nimport nowhere"],
        ["%matplotlib inline\nimport pandas.core\nfrom sklearn import metrics\nimport provenote"],
        ["from . import nowhere", "import"],
    ],
)
def test_what_may_be_there_is_not_refused(repo, sources):
    nb = write(repo / "t.ipynb", *(cell(source, f"c{i}") for i, source in enumerate(sources)))
    assert launch.check(nb).kernel == "python3"


def test_the_package_is_looked_for_in_the_kernel_that_runs(repo, monkeypatch):
    spec = repo.parent / "share" / "kernels" / "other"
    spec.mkdir(parents=True)
    python = repo.parent / "other-python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n')  # one without site-packages
    python.chmod(0o755)
    (spec / "kernel.json").write_text(
        json.dumps({"argv": [str(python)], "display_name": "o", "language": "python"})
    )
    monkeypatch.setenv("JUPYTER_PATH", str(repo.parent / "share"))
    nb = write(repo / "t.ipynb", cell("import json, pandas", "c"))
    assert launch.check(nb).kernel == "python3"
    with pytest.raises(UsageError, match="imports pandas, which the kernel 'other'"):
        launch.check(nb, "other")


def test_a_hundred_megabytes_of_output_stay_out_of_memory_and_store(repo):
    source = "line = 'y' * 99 + '\\n'\nfor _ in range(1_000_000):\n    print(line, end='')"
    nb = write(repo / "t.ipynb", cell(source, "c1"), cell("print('done')", "c2"))
    peak = 0
    ended = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.05):
            for job in folder.listing(workspace.find().home):
                for pid in [event["pid"] for event in job.events() if "pid" in event]:
                    try:
                        peak = max(peak, psutil.Process(pid).memory_info().rss)
                    except psutil.Error:
                        continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    result, document = ran(nb)
    ended.set()
    watcher.join()
    assert result.state.state == "succeeded"
    assert 0 < peak < 400_000_000
    assert Path(result.state.output or "").stat().st_size < 1_500_000
    log = folder.JobFolder(workspace.find().home / "jobs" / result.id).attempt(1) / "log.txt"
    assert log.stat().st_size < 21_000_000
    assert "the log ends here" in log.read_text()
    assert document["status"] == "finished"
    held = sum(path.stat().st_size for path in repo.rglob("*") if path.is_file())
    assert held < 25_000_000


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"cell_timeout": 2}, "cell 1: 2 s for one cell"),
        ({"timeout": 6}, "cell 1: 6 s for the whole notebook"),
    ],
)
def test_a_cell_that_never_gives_the_lock_back_is_killed(repo, options, reason):
    source = "import ctypes\nprint('up', flush=True)\nctypes.PyDLL(None).sleep(300)"
    result, document = ran(write(repo / "t.ipynb", cell(source, "c1"), cell("2", "c2")), **options)
    assert (result.state.state, result.state.reason) == ("timed_out", reason)
    assert (document["status"], document["reason"]) == ("failed", "timed_out")
    assert job_processes(result.id) == []


def test_memory_that_is_not_there_fails_the_cell(repo):
    source = (
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))\nx = bytearray(1 << 40)"
    )
    result, _ = ran(write(repo / "t.ipynb", cell(source, "c1"), cell("2", "c2")))
    assert (result.state.state, result.state.reason) == ("failed", "cell 1: MemoryError")


def test_grandchildren_in_sessions_of_their_own_go_too(repo):
    source = (
        "import subprocess\n"
        "inner = subprocess.Popen(['sh', '-c', 'setsid sleep 301 & sleep 302'], start_new_session=True)\n"
        "print(inner.pid)"
    )
    result, _ = ran(write(repo / "t.ipynb", cell(source, "c1"), cell("import os; os._exit(3)", "c2")))
    assert result.state.state == "killed"
    assert result.state.reason == "cell 2: the kernel died (exit status 3)"
    wait_for(lambda: job_processes(result.id) == [], 5)


@pytest.fixture
def narrow() -> Iterator[Path]:
    """Make a control group whose processes may hold 400 MB together; skip where that cannot be."""
    mounts = Path("/proc/self/mounts").read_text() if sys.platform == "linux" else ""
    lines = Path("/proc/self/cgroup").read_text().splitlines() if mounts else []
    own = {names: path for _, names, path in (line.split(":", 2) for line in lines)}
    first = "memory" in own
    limit, root = ("memory.limit_in_bytes", "memory") if first else ("memory.max", ".")
    parent = Path("/sys/fs/cgroup", root, own.get("memory" if first else "", "/").lstrip("/"))
    group = parent / f"provenote-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        (group / limit).write_text(str(400 << 20))
        if not first:
            (group / "memory.swap.max").write_text("0")
    except OSError as error:
        group.rmdir()
        pytest.skip(f"no memory limit can be set for a control group here: {error}")
    yield group
    for pid in (group / "cgroup.procs").read_text().split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    wait_for(lambda: not (group / "cgroup.procs").read_text())
    group.rmdir()


@pytest.mark.parametrize("warm", [True, False])
def test_a_notebook_that_eats_all_memory_of_its_control_group_is_told_so(repo, narrow, warm):
    (repo / "provenote.toml").write_text(f"warm_kernels = {str(warm).lower()}\n")
    nb = write(repo / "t.ipynb", cell("x = 1", "c1"), cell("y = b'1' * (1 << 30)", "c2"), cell("2", "c3"))
    enters = (
        f"echo $$ > {narrow}/cgroup.procs; exec {sys.executable} -m provenote.cli job run {nb.name} --json"
    )
    done = subprocess.run(["sh", "-c", enters], cwd=repo, capture_output=True, text=True)
    assert done.returncode == 1, (done.stdout, done.stderr)
    found = folder.listing(workspace.find().home)
    state = found[0].state()
    assert (state.state, state.reason) == ("oom_killed", "cell 2: out of memory")
    run = index.document(workspace.find(), state.commit or "")
    assert (run["status"], run["reason"]) == ("killed", "out_of_memory")
    book = json.loads(Path(state.output or "").read_bytes())
    assert [one["metadata"]["papermill"]["status"] for one in book["cells"]] == [
        "completed", "failed", "pending",
    ]  # fmt: skip


HIDING = """
import os, subprocess, sys, time
def away(name, *words, **more):  # init's child, in a session of its own
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            open(name, 'w').write(str(os.getpid()))
            os.execve('/bin/sleep', ['sleep', '303'], *words) if words else time.sleep(303)
        os._exit(0)
    os.wait()
away('forked')
away('called', dict(os.environ))
away('cleaned', {})
child = subprocess.Popen(['/bin/sleep', '303'], env={}, start_new_session=True)
open('child', 'w').write(str(child.pid))
os.system('sleep 0.1 &')  # an orphan of the kernel's own group that ends at once
open('up', 'w').close()
time.sleep(303)
"""
HIDDEN = ("forked", "called", "child")


@pytest.mark.parametrize("warm", [True, False])
@pytest.mark.parametrize("ended", ["supervisor killed", "cancelled"])
def test_what_hides_from_its_job_goes_with_it_though_nobody_looks(repo, warm, ended):
    (repo / "provenote.toml").write_text(f"warm_kernels = {str(warm).lower()}\n")
    job = submit(write(repo / "t.ipynb", cell(HIDING, "c1")))
    wait_for((repo / "up").exists)
    found = {name: psutil.Process(int((repo / name).read_text())) for name in (*HIDDEN, "cleaned")}
    unmarked = found.pop("cleaned")
    if not warm:  # it has left its kernel, and nothing says whose it was
        unmarked.kill()
    hidden = [*found.values(), *([unmarked] if warm else [])]
    assert all(os.getsid(one.pid) != os.getsid(0) for one in hidden)
    events = list(folder.find(workspace.find().home, job).events())
    assert any(event.get("warm") for event in events) is warm
    if ended == "cancelled":
        executor.get(workspace.find()).cancel(job)
    else:
        os.kill(next(event["pid"] for event in events if "pid" in event), signal.SIGKILL)
    gone = {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
    wait_for(lambda: not any(one.is_running() and one.status() not in gone for one in hidden), 20)
    wait_for(lambda: executor.get(workspace.find()).status(job).over)
    assert job_processes(job) == []


def test_a_job_that_writes_elsewhere_leaves_the_record_alone(repo):
    source = "open('../out.txt', 'w').write('x'); open('deep.txt', 'w').write('x')"
    result, document = ran(write(repo / "nb" / "t.ipynb", cell(source, "c1")))
    assert result.state.state == "succeeded"
    assert (repo / "out.txt").exists() and (repo / "nb" / "deep.txt").exists()
    assert document["notebook"] == "nb/t.ipynb"


def test_cells_with_one_id_run_in_their_order(repo):
    nb = write(repo / "t.ipynb", cell("print('a')", "twin"), cell("print('b')", "twin"), cell("1/0", "twin"))
    result, _ = ran(nb)
    assert result.state.reason == "cell 3: ZeroDivisionError: division by zero"
    book = json.loads(Path(result.state.output or "").read_bytes())
    assert len({one["id"] for one in book["cells"]}) == 3
    assert [one["outputs"][0].get("text") for one in book["cells"][:2]] == ["a\n", "b\n"]


def test_a_disk_without_room_ends_the_job_with_its_reason(repo, tmp_path):
    (repo / "provenote.toml").write_text("warm_kernels = false\n")
    source = "import os\nprint('y' * 3_000_000)"
    nb = write(repo / "t.ipynb", cell(source, "c1"), cell("print('y' * 3_000_000)", "c2"))
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20));"
        "import sys; from provenote.commands import jobs; from provenote.commands.tree import Context;"
        f"sys.exit(jobs.job_run(Context(), {str(nb)!r}).status)"
    )
    status = os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", code])
    job = folder.listing(workspace.find().home)[0]
    state = job.state()
    assert (state.state, status) == ("failed", 3)
    assert "File too large" in (state.reason or "")
    assert job_processes(job.id) == []
    assert json.loads((job.path / "spec.json").read_bytes())["notebook"] == "t.ipynb"
    assert index.find(workspace.find(), state.run or "").status == "failed"
    assert verbs.job_retry(Context(), job.id[:8]).status == 0  # there is room again
