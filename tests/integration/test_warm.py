"""Zygotes that linger: reused, renewed, refused to strangers, killed in the middle of a job."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.integration import job_desk
from tests.integration.job_desk import cell, submit, wait_for

from provenote import doctor, workspace
from provenote.commands import jobs as verbs
from provenote.commands.tree import Context
from provenote.errors import WorldError
from provenote.jobs import asking, executor, folder, launch, warm, zygote
from provenote.jobs import wish as wish_of
from provenote.jobs.wish import Wish
from provenote.stores import index


def write(path: Path, *sources: str, kernel: str = "python3") -> Path:
    cells = (cell(source, f"c{number}") for number, source in enumerate(sources))
    return job_desk.write(path, *cells, kernel=kernel)


def events(job: str) -> list[dict[str, Any]]:
    return list(folder.JobFolder(workspace.find().home / "jobs" / job).events())


def fact(job: str, name: str) -> Any:
    return next((event[name] for event in events(job) if event.get(name)), None)


def state(job: str) -> str:
    return executor.get(workspace.find()).status(job).state


def log(job: str) -> str:
    return executor.get(workspace.find()).logs(job)


def pids() -> dict[str, int]:
    return {one.role: one.facts["pid"] for one in warm.lingering()}


def members(group: int) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def kernels(preload: tuple[str, ...] = (), **env: str) -> Wish:
    return Wish("kernel", (sys.executable,), {**os.environ, **env}, preload)


def started(wish: Wish) -> dict[str, Any]:
    """Return what the zygote that fits tells about itself."""
    line = warm.Line(warm._reach(wish)[0])
    line.ask({"do": "tell"})
    told = line.hear(60)
    line.close()
    return told


# ---------------------------------------------------------------------------------- one after another


def test_fresh_commands_share_what_lingers_and_two_at_once_start_it_once(repo):
    write(repo / "a.ipynb", "import os; print(os.getpid())")
    command = [sys.executable, "-m", "provenote.cli", "job", "run", "a.ipynb", "--json"]
    working = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(3)]
    said = [json.loads(process.communicate()[0]) for process in working]
    assert [one["state"] for one in said] == ["succeeded"] * 3
    before = pids()
    assert sorted(before) == ["kernel", "supervisor"]
    assert len({log(one["id"]) for one in said}) == 3  # each in a process of its own
    again = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert pids() == before
    assert [one.facts["forked"] for one in warm.lingering()] == [4, 4]
    assert {fact(one["id"], "warm") for one in [*said, again]} == {True}
    told = [found.what for found in doctor.examine(repo) if found.what.startswith("warm process")]
    assert [text.partition(", number")[0] for text in told] == [
        "warm process for kernels",
        "warm process for supervisors",
    ]
    view = verbs.jobs(Context(), stop_warm=True)
    assert view.data == {"stopped": 2}
    wait_for(lambda: not any(psutil.pid_exists(pid) for pid in before.values()))
    assert verbs.jobs(Context(), stop_warm=True).data == {"stopped": 0}
    assert list(warm.runtime_folder().glob("[ks]*")) == []


def test_without_the_setting_nothing_lingers(repo, monkeypatch):
    (repo / "provenote.toml").write_text("warm_kernels = false\n")
    result = launch.run_job(write(repo / "a.ipynb", "1"))
    assert result.state.state == "succeeded"
    assert fact(result.id, "warm") is None
    assert not any(Path(os.environ["XDG_RUNTIME_DIR"]).glob("provenote-warm-*"))


def test_a_system_without_a_safe_fork_runs_cold_and_quietly(repo, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(warm, "fork", None)
    assert not warm.possible()
    assert not executor.get(workspace.find())._forked(None, None, 2, 0)  # type: ignore[attr-defined]


def test_a_kernel_of_jupyter_itself_can_be_forked_interrupted_and_restarted(tmp_path):
    from jupyter_client.manager import KernelManager

    from provenote.jobs.provisioner import WarmProvisioner

    manager = KernelManager(kernel_name="python3", kernel_id="k")
    about = {"kernel_id": "k", "kernel_spec": manager.kernel_spec, "parent": manager}
    manager.provisioner = WarmProvisioner(preload=["numpy"], **about)
    manager.start_kernel(cwd=str(tmp_path))
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        assert manager.provisioner.forked
        client.execute_interactive("import os; open(str(os.getpid()), 'w').close()", timeout=60)
        first = manager.provisioner.pid
        assert [path.name for path in tmp_path.iterdir()] == [str(first)]
        asked = client.execute("open('began', 'w').close(); import time; time.sleep(60)")
        wait_for((tmp_path / "began").exists)
        time.sleep(0.2)
        manager.interrupt_kernel()
        while (reply := client.get_shell_msg(timeout=30))["parent_header"]["msg_id"] != asked:
            pass
        assert reply["content"]["ename"] == "KeyboardInterrupt"
        manager.restart_kernel()
        client.wait_for_ready(timeout=60)
        assert manager.provisioner.forked
        assert manager.provisioner.pid != first
        assert manager.is_alive()
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert not manager.is_alive()


# ---------------------------------------------------------------------------------- renewed


def test_another_environment_is_another_zygote_and_the_oldest_leaves(repo, tmp_path, monkeypatch):
    first = started(kernels())
    assert started(kernels(PWD="/elsewhere", PROVENOTE_JOB="x"))["pid"] == first["pid"]
    second = started(kernels(OMP_NUM_THREADS="7"))
    time.sleep(0.01)
    os.utime(next(one.address for one in warm.lingering() if one.facts["pid"] == first["pid"]), (1, 1))
    third = started(kernels(("numpy",)))
    assert len({one["pid"] for one in (first, second, third)}) == 3
    wait_for(lambda: not psutil.pid_exists(first["pid"]))
    assert {one.facts["pid"] for one in warm.lingering()} == {second["pid"], third["pid"]}
    assert third["preloaded"] == ["numpy"]


def test_a_changed_installation_ends_a_zygote_and_names_another(tmp_path, monkeypatch):
    site = tmp_path / "site-packages"
    (site / "some-1.0.dist-info").mkdir(parents=True)
    monkeypatch.setattr(wish_of, "roots", lambda: [str(site)])
    wish = kernels()
    key, first = wish.key(), started(wish)
    os.utime(site / "some-1.0.dist-info", (1, 1))  # installed again, the same version
    assert wish.key() != key
    assert started(wish)["pid"] != first["pid"]
    (site / "more-2.0.dist-info").mkdir()
    wait_for(lambda: warm.lingering() == [])


def test_an_idle_zygote_leaves_and_one_with_a_child_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(warm, "IDLE", 0.3)
    wish = kernels()
    kernel = {"argv": ["-f", str(tmp_path / "k.json")], "launcher": "", "cwd": str(tmp_path), "owned": True}
    line, pid = warm.fork(wish, {**kernel, "env": dict(os.environ)}, [1, 2])
    assert line.hear(60) == {"ready": True}
    time.sleep(1)
    assert [one.facts["children"] for one in warm.lingering()] == [1]
    line.close()  # who asked for it is gone: so is the kernel
    wait_for(lambda: not psutil.pid_exists(pid))
    wait_for(lambda: warm.lingering() == [])
    assert [path.name for path in warm.runtime_folder().iterdir()] == ["lock"]


def test_a_zygote_that_nobody_can_find_leaves(tmp_path):
    pid = started(kernels())["pid"]
    for one in warm.lingering():
        one.address.unlink()
    wait_for(lambda: not psutil.pid_exists(pid))


def test_what_speaks_at_import_is_left_to_the_notebook(tmp_path, monkeypatch):
    site = tmp_path / "site-packages"
    site.mkdir()
    (site / "quiet.py").write_text("import mute")
    (site / "mute.py").write_text("")
    (site / "loud.py").write_text("print('hello')")
    (site / "warner.py").write_text("import warnings; warnings.warn('careful')")
    (site / "busy.py").write_text(
        "import threading, time; threading.Thread(target=time.sleep, args=(9,)).start()"
    )
    (site / "broken.py").write_text("raise SystemExit(3)")
    (site / "outsider.py").write_text("import users_own")
    (tmp_path / "users_own.py").write_text("")
    monkeypatch.setattr(wish_of, "roots", lambda: [str(site)])
    names = ("loud", "quiet", "warner", "busy", "broken", "outsider", "absent", "quiet.nothing?")
    told = started(kernels(names, PYTHONPATH=f"{site}{os.pathsep}{tmp_path}"))
    assert [name for name in told["preloaded"] if "?" not in name] == ["quiet"]
    assert {name: why.partition(" while")[0] for name, why in told["left"].items()} == {
        "loud": "it said something",
        "warner": "it said something",
        "busy": "it starts threads",
        "broken": "SystemExit",
        "outsider": "it imports users_own, which is no installed package",
        "absent": "it cannot be imported",
    }


def test_what_a_forked_kernel_used_is_in_the_run(repo):
    burn = "import subprocess, sys, time\nburn = 'import time\\nwhile time.process_time() < 0.6: pass'"
    work = "exec(burn); subprocess.run([sys.executable, '-c', burn])"
    hold = "held = b'x' * 150_000_000; time.sleep(3)"
    result = launch.run_job(write(repo / "a.ipynb", burn, work, hold))
    assert fact(result.id, "warm") is True
    used = index.document(workspace.find(), result.state.commit or "")["resources"]
    assert used["cpu_s"] >= 1.2
    assert used["children_rss_peak_mb"] >= 150


# ---------------------------------------------------------------------------------- strangers, nonsense


def test_a_stale_socket_is_replaced(tmp_path):
    wish = kernels()
    address = warm.runtime_folder() / f"kernel-{wish.key()}"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(address))
    dead.close()
    assert psutil.pid_exists(started(wish)["pid"])


def test_strangers_are_refused(tmp_path, monkeypatch):
    wish = kernels()
    assert started(wish)
    assert stat.S_IMODE(warm.runtime_folder().stat().st_mode) == 0o700
    monkeypatch.setattr(asking, "peer", lambda connection: (1, os.getuid() + 1))
    with pytest.raises(warm.NotWarm, match="another user"):  # somebody else listens where ours should
        warm.fork(wish, {}, [1, 2])
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()
    theirs = socket.socket(socket.AF_UNIX)
    theirs.connect(str(tmp_path / "s"))
    loop = zygote.Zygote(listener, str(tmp_path / "s"), (tmp_path / "s").stat().st_ino, {}, 9, {})
    assert loop._accept()
    assert not loop._askers
    assert theirs.recv(1) == b""  # hung up
    for one in (ours, theirs, listener):
        one.close()


def test_a_zygote_that_cannot_import_what_it_needs_is_not_tried_twice(repo, home, monkeypatch):
    broken = home / "broken" / "ipykernel"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("open('/proc/self/cmdline').read().count('zygote') and 1 / 0")
    monkeypatch.setenv("PYTHONPATH", str(broken.parent))
    with pytest.raises(warm.NotWarm, match=r"; see .*kernel-\w+\.log"):
        warm.fork(kernels(), {}, [1, 2])
    (said,) = warm.runtime_folder().glob("*.log")
    assert said.read_text().count("ZeroDivisionError") == 1


def test_a_folder_that_others_can_enter_leads_to_a_cold_kernel(repo, home):
    place = home / f"provenote-warm-{os.getuid()}"
    place.mkdir()
    place.chmod(0o755)
    result = launch.run_job(write(repo / "a.ipynb", "print('ran')"))
    assert result.state.state == "succeeded"
    assert fact(result.id, "warm") is None
    said = log(result.id)
    assert said.count("is not a folder of this user's alone") == 2
    assert said.endswith("ran\n")
    with pytest.raises(WorldError, match="alone"):
        warm.lingering()
    place.rmdir()


def test_nonsense_does_not_end_a_zygote(tmp_path):
    wish = kernels()
    pid = started(wish)["pid"]
    for text in (b"\n", b"[]\n", b"{\n", b'{"do": "no such thing"}\n', b'{"do": "fork"}\n', b"\xff" * 99_999):
        connection, _ = warm._reach(wish)
        connection.sendall(text)
        connection.close()
    asked = {"do": "fork", "module": "no.such.module", "umask": 0, "cwd": "/", "env": {}}
    line = warm.Line(warm._reach(wish)[0])
    line.ask(asked, [1, 2])
    assert "pid" in line.hear(60)
    assert line.hear(60)["exit"] == 1
    line.close()
    assert started(wish)["pid"] == pid


@pytest.mark.parametrize("case", ["shadow", "launcher", "provisioner"])
def test_what_cannot_be_forked_starts_cold_and_says_why(repo, home, case):
    spec: dict[str, Any] = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "own",
        "language": "python",
    }
    reason = ""
    if case == "shadow":
        (repo / "yaml.py").write_text("mine = 1")
        reason = "yaml.py in the notebook's folder goes before the installed package"
    elif case == "launcher":
        spec["argv"] = ["/usr/bin/env", *spec["argv"]]
        reason = "it is no plain IPython kernel"
    else:
        spec["metadata"] = {"kernel_provisioner": {"provisioner_name": "local-provisioner"}}
    kernel = home / ".local/share/jupyter/kernels/own"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(json.dumps(spec))
    result = launch.run_job(
        write(repo / "a.ipynb", "import yaml\nprint(getattr(yaml, 'mine', 0))", kernel="own")
    )
    assert result.state.state == "succeeded"
    assert fact(result.id, "warm") is None
    said = log(result.id)
    assert (reason in said) and (bool(reason) == ("started cold" in said))
    assert said.endswith("1\n" if case == "shadow" else "0\n")


# ---------------------------------------------------------------------------------- killed

LONG = "import subprocess, time\nchild = subprocess.Popen(['sleep', '300'])\nopen('up', 'w').close()"
UNTIL = "import os\nwhile not os.path.exists('go'):\n    time.sleep(0.02)\nchild.kill(); print('whole')"


def test_a_job_outlives_its_killed_zygotes_and_the_next_one_starts_others(repo):
    job = submit(write(repo / "a.ipynb", LONG, UNTIL))
    wait_for((repo / "up").exists)
    before = pids()
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not any(psutil.pid_exists(pid) for pid in before.values()))
    (repo / "go").touch()
    wait_for(lambda: state(job) not in ("running", "publishing"))
    assert state(job) == "succeeded"
    assert log(job) == "whole\n"
    assert members(fact(job, "kernel")) == []
    assert launch.run_job(write(repo / "b.ipynb", "1")).state.state == "succeeded"
    assert not set(pids().values()) & set(before.values())
    assert len(warm.lingering()) == 2


def test_a_supervisor_that_nobody_bids_begin_leaves_the_job_alone(repo, monkeypatch):
    fork = warm.fork

    def twice(wish, request, descriptors):  # as if the first answer were lost
        fork(wish, request, descriptors)[0].close()
        return fork(wish, request, descriptors)

    monkeypatch.setattr(warm, "fork", twice)
    result = launch.run_job(write(repo / "a.ipynb", "print('once')"))
    assert result.state.state == "succeeded"
    assert log(result.id) == "once\n"
    assert [event.get("state") for event in events(result.id)].count("claimed") == 1

    def lost(wish, request, descriptors):
        fork(wish, request, descriptors)[0].close()
        raise warm.NotWarm("nobody answers")

    monkeypatch.setattr(warm, "fork", lost)
    result = launch.run_job(write(repo / "b.ipynb", "print('cold')"))
    assert log(result.id).splitlines()[0] == "This job's supervisor was started cold: nobody answers."
    assert [event.get("state") for event in events(result.id)].count("claimed") == 1


@pytest.mark.parametrize("also", [(), ("kernel",), ("kernel", "supervisor")])
def test_a_killed_supervisor_leaves_nothing_behind_whoever_dies_with_it(repo, also):
    job = submit(write(repo / "a.ipynb", LONG, UNTIL))
    wait_for((repo / "up").exists)
    group, owner = fact(job, "kernel"), fact(job, "pid")
    assert len(members(group)) == 2
    living = pids()
    for pid in [*(living[role] for role in also), owner]:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: members(group) == [])
    wait_for(lambda: state(job) == "lost")
    (repo / "go").touch()
    place = workspace.find()
    retried = launch.retry(place, folder.find(place.home, job))
    assert (retried.state.state, retried.state.attempt) == ("succeeded", 2)


def test_a_killed_kernel_is_told_with_its_cell_and_signal(repo):
    result = launch.run_job(write(repo / "a.ipynb", "1", "import os; os.kill(os.getpid(), 9)", "2"))
    assert (result.state.state, result.state.reason) == ("killed", "cell 2: the kernel died (SIGKILL)")
    assert fact(result.id, "warm") is True


def test_a_process_with_a_thousand_open_files_starts_warm_too(repo):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2_000:
        pytest.skip(f"at most {hard} files may be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2_000), hard))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1_100)]
    try:
        job = submit(write(repo / "t.ipynb", "print('whole')"))
        wait_for(lambda: state(job) == "succeeded")
        assert log(job) == "whole\n", "nothing was started cold"
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
