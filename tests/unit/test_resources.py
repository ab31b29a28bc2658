"""What a run used: plausible figures, their units, long runs, children, forks and GPUs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import types

import pytest

from provenote.tracking import counters, gpus, limits, resources

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        sum(range(1000))


@pytest.fixture
def quick(monkeypatch):
    """A thread that samples at once and often."""
    monkeypatch.setattr(resources, "PATIENCE", 0.01)
    monkeypatch.setattr(resources, "INTERVAL", 0.01)


def until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "the sample never came"
        time.sleep(0.005)


def test_processor_time_of_the_body_is_counted(tmp_path):
    sampler = resources.Sampler(tmp_path)
    sampler.start()
    burn(0.2)
    figures = sampler.stop()
    assert 0.15 <= figures["cpu_s"] <= 5
    assert figures["cpu_percent"] == pytest.approx(100 * figures["cpu_s"] / figures["wall_s"], rel=0.05)
    assert json.dumps(figures)


def test_processor_time_of_a_waited_child_is_counted(tmp_path):
    sampler = resources.Sampler(tmp_path)
    sampler.start()
    code = "import time\nwhile time.process_time() < 0.3: sum(range(1000))"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert sampler.stop()["cpu_s"] >= 0.25


@linux
def test_a_living_child_is_counted_from_its_start_only(tmp_path):
    code = (
        "import sys, time\n"
        "def burn(n):\n  end = time.process_time() + n\n  while time.process_time() < end: sum(range(1000))\n"
        "for line in sys.stdin:\n  burn(float(line)); print('done', flush=True)\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **pipes, text=True) as child:

        def ask(seconds):
            child.stdin.write(f"{seconds}\n")
            child.stdin.flush()
            child.stdout.readline()

        ask(0.5)
        sampler = resources.Sampler(tmp_path)
        sampler.start()
        ask(0.2)
        figures = sampler.figures()
        child.stdin.close()
    assert 0.15 <= figures["cpu_s"] < 0.45
    assert figures["children_rss_peak_mb"] > 1
    assert 0.15 <= sampler.stop()["cpu_s"] < 0.45  # now it has been waited for: counted once all the same


@linux
def test_a_new_peak_of_memory_is_exact(tmp_path):
    code = (
        "import json, pathlib\nfrom provenote.tracking import resources\n"
        "sampler = resources.Sampler(pathlib.Path('.'))\nsampler.start()\nlow = sampler.figures()\n"
        "x = bytearray(80_000_000)\ndel x\nprint(json.dumps([low, sampler.stop()]))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=tmp_path)
    low, high = json.loads(answer.stdout)
    assert high["rss_peak_exact"] is True
    assert 75 <= high["rss_peak_mb"] - low["rss_peak_mb"] <= 90


def test_written_bytes_and_the_network_are_told_apart_from_unknown(tmp_path, monkeypatch):
    before = counters.Reading(1.0, rss=5, read=None, written=1_000_000, received=None, sent=None)
    after = counters.Reading(3.0, rss=9_000_000, read=None, written=3_500_000, received=None, sent=None)
    readings = iter([before, after])
    monkeypatch.setattr(resources, "read", lambda: next(readings))
    sampler = resources.Sampler(tmp_path)
    sampler.start()
    figures = sampler.stop()
    assert figures["disk_written_mb"] == 2.5
    assert figures["cpu_s"] == 2.0
    assert (figures["rss_peak_mb"], figures["rss_peak_exact"]) == (9.0, False)
    assert not {"disk_read_mb", "network_received_mb", "network_scope"} & set(figures)


def test_the_network_is_said_to_be_the_whole_machines(tmp_path, monkeypatch):
    readings = iter(
        [counters.Reading(0, received=10, sent=20), counters.Reading(0, received=1_000_010, sent=20)]
    )
    monkeypatch.setattr(resources, "read", lambda: next(readings))
    sampler = resources.Sampler(tmp_path)
    sampler.start()
    figures = sampler.stop()
    assert (figures["network_received_mb"], figures["network_sent_mb"]) == (1.0, 0.0)
    assert figures["network_scope"] == "whole machine"


def test_a_vanished_folder_has_no_free_space(tmp_path):
    sampler = resources.Sampler(tmp_path / "absent")
    sampler.start()
    assert "disk_free_mb" not in sampler.stop()


def test_a_short_run_is_not_sampled_and_leaves_no_thread(tmp_path):
    sampler = resources.Sampler(tmp_path)
    sampler.start()
    assert sampler.watching
    assert sampler.stop()["samples"] == 0
    until(lambda: not sampler.watching)


def test_a_long_run_is_sampled_and_tells_as_it_goes(tmp_path, quick):
    told = []
    sampler = resources.Sampler(tmp_path, told.append)
    sampler.start()
    until(lambda: len(told) >= 3)
    figures = sampler.stop()
    assert figures["samples"] >= 3
    assert told[0]["samples"] == 1
    assert set(told[0]) <= {*figures, "rss_peak_exact"}


def test_a_listener_that_fails_ends_the_thread_and_nothing_else(tmp_path, quick):
    def closed(figures):
        raise OSError("the run was closed")

    sampler = resources.Sampler(tmp_path, closed)
    sampler.start()
    until(lambda: not sampler.watching)
    assert sampler.stop()["samples"] == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_has_no_figures(tmp_path):
    code = (
        "import os, pathlib\nfrom provenote.tracking import resources\n"
        "sampler = resources.Sampler(pathlib.Path('.'))\nsampler.start()\n"
        "child = os.fork()\n"
        "if child == 0: os._exit(0 if sampler.stop() == {} else 7)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0\n"
        "assert sampler.stop()['wall_s'] > 0\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, cwd=tmp_path)


def test_a_sampler_that_never_started_or_has_stopped_gives_nothing(tmp_path):
    sampler = resources.Sampler(tmp_path)
    assert sampler.stop() == {}
    sampler.start()
    assert sampler.stop()
    assert sampler.stop() == {}


def nvml(**changed):
    """What the module pynvml offers, with two devices; answers may be changed or fail."""
    answers = {
        "nvmlInit": lambda: None,
        "nvmlSystemGetDriverVersion": lambda: b"535.183.01",
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetName": lambda handle: f"GPU {handle}",
        "nvmlDeviceGetMemoryInfo": lambda handle: types.SimpleNamespace(
            total=80_000_000_000, used=3_000_000_000
        ),
        "nvmlDeviceGetUtilizationRates": lambda handle: types.SimpleNamespace(gpu=40 + handle),
        "nvmlDeviceGetComputeRunningProcesses": lambda handle: [],
        "nvmlDeviceGetPowerUsage": lambda handle: 250_000,
        "nvmlDeviceGetTemperature": lambda handle, sensor: 61,
        "nvmlShutdown": lambda: None,
    }
    return types.SimpleNamespace(**{**answers, **changed})


def test_gpus_are_sampled_where_there_are_some(tmp_path, quick, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", nvml())
    told = []
    sampler = resources.Sampler(tmp_path, told.append)
    sampler.start()
    until(lambda: told)
    figures = sampler.stop()
    assert figures["gpu_driver"] == "535.183.01"
    assert figures["gpus"][1] == {
        "name": "GPU 1",
        "memory_total_mb": 80000.0,
        "memory_peak_mb": 3000.0,
        "percent_mean": 41.0,
        "percent_max": 41.0,
        "power_mean_w": 250.0,
        "power_max_w": 250.0,
        "temperature_max_c": 61,
        "busy_s": figures["gpus"][1]["busy_s"],
    }
    assert "gpu" not in figures


def broken(*_):
    raise RuntimeError("driver not loaded")


def looked(monkeypatch, seconds=10.0, pids=(7,), **changed):
    """Return the figures of the first device after two looks."""
    monkeypatch.setitem(sys.modules, "pynvml", nvml(nvmlDeviceGetCount=lambda: 1, **changed))
    found = gpus.find()
    found.sample(seconds, pids)
    found.sample(seconds, pids)
    figures = found.figures()
    assert figures["gpu_s"] == figures["gpus"][0]["busy_s"]
    return figures["gpus"][0]


def test_a_device_that_cannot_tell_something_tells_the_rest(monkeypatch):
    plain = {"name", "memory_total_mb", "memory_peak_mb", "percent_mean", "percent_max", "power_mean_w"}
    plain |= {"power_max_w", "temperature_max_c", "busy_s"}
    assert looked(monkeypatch).keys() == plain
    for call, gone in (
        ("nvmlDeviceGetUtilizationRates", {"percent_mean", "percent_max"}),
        ("nvmlDeviceGetMemoryInfo", None),
        ("nvmlDeviceGetComputeRunningProcesses", set()),
        ("nvmlDeviceGetPowerUsage", {"power_mean_w", "power_max_w"}),
        ("nvmlDeviceGetTemperature", {"temperature_max_c"}),
    ):
        if gone is None:  # without its memory it is no device that we know
            monkeypatch.setitem(sys.modules, "pynvml", nvml(**{call: broken}))
            assert gpus.find() is None
        else:
            assert looked(monkeypatch, **{call: broken}).keys() == plain - gone
    assert looked(monkeypatch, nvmlDeviceGetComputeRunningProcesses=broken)["busy_s"] == 20.0


@linux
def test_a_device_works_for_the_run_that_holds_it(monkeypatch):
    def held(*pids):
        return lambda handle: [types.SimpleNamespace(pid=pid, usedGpuMemory=2_000_000_000) for pid in pids]

    idle = {"nvmlDeviceGetUtilizationRates": lambda handle: types.SimpleNamespace(gpu=0)}
    own = looked(monkeypatch, nvmlDeviceGetComputeRunningProcesses=held(7, 8), **idle)
    assert (own["own_memory_peak_mb"], own["busy_s"]) == (2000.0, 20.0)
    others = looked(monkeypatch, nvmlDeviceGetComputeRunningProcesses=held(os.getpid()))
    assert others["busy_s"] == 0.0 and "own_memory_peak_mb" not in others
    # In a container the driver names processes that are not seen there: whoever computes may be ours.
    unseen = looked(monkeypatch, nvmlDeviceGetComputeRunningProcesses=held(2**30))
    assert unseen["busy_s"] == 20.0
    assert looked(monkeypatch, **idle)["busy_s"] == 0.0


@pytest.mark.parametrize("call", ["nvmlInit", "nvmlDeviceGetCount", "nvmlDeviceGetName"])
def test_a_broken_driver_leaves_the_other_figures(tmp_path, quick, monkeypatch, call):
    monkeypatch.setitem(sys.modules, "pynvml", nvml(**{call: broken}))
    told = []
    sampler = resources.Sampler(tmp_path, told.append)
    sampler.start()
    until(lambda: told)
    figures = sampler.stop()
    assert "gpus" not in figures
    assert (figures["gpu"], figures["samples"] >= 1) == ("none seen", True)


@linux
def test_psutil_and_proc_agree():
    ours, theirs = counters._read_proc(), counters._read_psutil()
    assert theirs.cpu == pytest.approx(ours.cpu, abs=0.5)
    assert theirs.rss == pytest.approx(ours.rss, rel=0.1)
    assert theirs.rss_peak == pytest.approx(ours.rss_peak, rel=0.1)
    assert theirs.received >= ours.received


@linux
def test_a_process_that_has_gone_counts_nothing():
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    assert counters._child(child.pid) == (0.0, 0)
    assert counters._descendants(child.pid) == []


def test_naming_the_module_imports_nothing_heavy():
    code = (
        "import sys, provenote.tracking.resources; print('psutil' in sys.modules or 'pynvml' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


@linux
def test_what_descendants_write_and_hold_is_the_runs_own(tmp_path):
    child = (
        "import os\n"
        "with open('a', 'wb') as file:\n"
        "    file.write(b'x' * 8_000_000); file.flush(); os.fsync(file.fileno())\n"
        "held = bytearray(120_000_000)\n"
    )
    code = (
        "import json, pathlib, subprocess, sys\nfrom provenote.tracking import resources\n"
        "sampler = resources.Sampler(pathlib.Path('.'))\nsampler.start()\n"
        f"subprocess.run([sys.executable, '-c', {child!r}], check=True)\nprint(json.dumps(sampler.stop()))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=tmp_path)
    figures = json.loads(answer.stdout)
    assert figures["children_rss_peak_mb"] >= 120  # though nobody looked while it lived
    assert figures["tree_rss_peak_mb"] >= figures["children_rss_peak_mb"]
    if figures["disk_written_mb"] < 8:
        pytest.skip("the disk of the tests is none that counts what is written")
    assert 8 <= figures["disk_written_mb"] < 40


def test_an_adopted_process_counts_after_its_end(monkeypatch):
    monkeypatch.setattr(counters, "_spent", counters.Spent())
    before = counters.read()
    counters.adopt(2**30)
    counters.release(2**30, counters.Spent(3.0, 5_000_000, 7_000_000, 2**40))
    counters.release(2**30, counters.Spent(3.0))  # it has ended once
    after = counters.read()
    assert 3 <= after.cpu - before.cpu < 6
    assert after.waited_peak == 2**40
    if before.written is not None:
        assert 7_000_000 <= after.written - before.written < 50_000_000


@pytest.mark.parametrize(
    ("groups", "files", "limit", "share"),
    [
        (["4:memory:/a/b", "1:cpu,cpuacct:/a"],
         {"memory/a/b/memory.limit_in_bytes": "9223372036854771712", "memory/a/memory.limit_in_bytes": "5000",
          "cpu/a/cpu.cfs_quota_us": "50000", "cpu/a/cpu.cfs_period_us": "100000"}, 5000, 0.5),
        (["0::/x/y"], {"x/y/memory.max": "max", "x/memory.max": "7000", "x/y/cpu.max": "max 100000",
                       "x/cpu.max": "75000 100000"}, 7000, 0.75),
        (["0::/hidden"], {"memory.max": "6000", "cpu.max": "25000 100000"}, 6000, 0.25),
        (["4:memory:/gone", "1:cpu:/gone"],
         {"memory/memory.limit_in_bytes": "4000", "cpu/cpu.cfs_quota_us": "-1"}, 4000, None),
        (["odd"], {"memory.max": "nonsense"}, None, None),
        ([], {}, None, None),
    ],
)  # fmt: skip
def test_limits_of_control_groups_count_before_the_machine(tmp_path, groups, files, limit, share):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    bound = limits.memory(tmp_path, groups)
    assert bound == (limit, "control group") if limit else bound is None or bound[1] == "machine"
    allowed = limits.processors(tmp_path, groups)
    assert allowed == share if share else allowed >= 1
    assert limits.cores() >= 1
