"""The verbs that look at jobs and stop them, with real kernels."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tests.integration.job_desk import cell, job_processes, wait_for, write

from provenote import masking, workspace
from provenote.commands import jobs as verbs
from provenote.commands import runs as look
from provenote.commands.tree import Context
from provenote.errors import UsageError
from provenote.jobs import executor, folder, launch
from provenote.stores import index
from provenote.view import Line


def begun(path: Path, label: str = "t", **given: Any) -> str:
    """Start a job and return its id."""
    request = launch.check(path)
    spec = request.spec(given, str(time.time()), label=label, commit=launch.commit(request))
    return executor.get(request.workspace).submit(spec)


WAITS = """
import os, time
print('up', flush=True)
while not os.path.exists('go'):
    time.sleep(0.05)
print('down')
"""


def test_a_job_is_watched_and_its_log_followed(repo):
    nb = write(repo / "t.ipynb", cell("1", "c1"), cell(WAITS, "c2"), cell("2", "c3"))
    job = begun(nb)
    views: list[Any] = []
    said: list[str] = []
    ends: list[Any] = []

    def watched() -> None:
        ends.append(verbs.jobs(Context(draw=views.append), watch=True))

    def followed() -> None:
        ends.append(verbs.job_logs(Context(write=said.append), job[:8], follow=True))

    threads = [threading.Thread(target=watched), threading.Thread(target=followed)]
    for thread in threads:
        thread.start()
    wait_for(lambda: "up\n" in "".join(said) and any(v.data["jobs"][0]["cell"] == 2 for v in views))
    (repo / "go").touch()
    for thread in threads:
        thread.join()
    assert "".join(said).endswith("up\ndown\n")
    last = next(end for end in ends if "jobs" in end.data).data["jobs"][0]
    assert (last["state"], last["cell"], last["cells"], last["left"]) == ("succeeded", 3, 3, None)
    logged = next(end for end in ends if "log" in end.data)
    assert logged.data == {"id": job, "log": "".join(said)}
    # Without a face that takes text, the whole log is the answer once the job is over.
    assert verbs.job_logs(Context(), job[:8], follow=True).data["log"].endswith("up\ndown")


def test_all_jobs_are_stopped(repo):
    nb = write(repo / "t.ipynb", cell("import time; print('up', flush=True); time.sleep(300)", "c1"))
    with pytest.raises(UsageError, match="which job"):
        verbs.job_cancel(Context())
    assert verbs.job_cancel(Context(), all=True).data["asked"] == 0
    jobs = [begun(nb), begun(nb)]
    with pytest.raises(UsageError, match="which job"):
        verbs.job_cancel(Context(), jobs[0][:8], all=True)
    there = executor.get(workspace.find())
    wait_for(lambda: all("up" in there.logs(job) for job in jobs))
    assert verbs.job_cancel(Context(), all=True).data["asked"] == 2
    wait_for(lambda: all(there.status(job).over for job in jobs))
    assert [there.status(job).state for job in jobs] == ["cancelled"] * 2
    assert not [process for job in jobs for process in job_processes(job)]
    assert len(folder.listing(workspace.find().home)) == 2


SECRET = 'tok-7f3a"<b>9\\c/e1'

LEAKS = """
import base64, html, json, os, subprocess, sys, urllib.parse
import provenote
from IPython.display import HTML, JSON
print(token); print(repr(token), json.dumps({'t': token}), html.escape(token), file=sys.stderr)
print(urllib.parse.quote(token, safe=''), base64.b64encode(token.encode()).decode())
os.write(1, token.encode()); subprocess.run(['sh', '-c', 'echo "$API_TOKEN"; echo "$API_TOKEN" >&2'])
run = provenote.current_run(); run.log(note=token, loss=1.0)
run.log_params({'kept': token, 'deep': {'k': [token]}})
display(HTML(f'<p>{token}</p>'), JSON({'t': token}), {'text/plain': token}, metadata={'t': token})
assert token == os.environ['API_TOKEN'] and len(token) == 18
token
"""


def stored(root: Path) -> bytes:
    """Return everything below a folder, and every object of its Git repository."""
    command = ["git", "cat-file", "--batch-all-objects", "--unordered", "--batch"]
    objects = subprocess.run(command, cwd=root, capture_output=True, check=True).stdout
    return objects + b"".join(path.read_bytes() for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize("loads", [False, True])
def test_a_secret_is_used_and_stored_nowhere(repo, monkeypatch, loads):
    monkeypatch.setenv("API_TOKEN", SECRET)
    nb = write(
        repo / "t.ipynb",
        cell("import provenote\ntoken: provenote.Secret = ''\nx: int = 0", "params", "parameters"),
        cell("%load_ext provenote" if loads else "1", "c0"),
        cell(LEAKS, "c1"),
        cell("raise ValueError(f'wrong: {token}')", "c2"),
    )
    view = verbs.job_run(Context(), str(nb), params=["token=env:API_TOKEN"])
    assert view.status == 1, verbs.job_logs(Context(), view.data["id"]).data
    assert view.data["reason"] == "cell 4: ValueError: wrong: [secret API_TOKEN]"
    assert view.data["params"]["token"] == "env:API_TOKEN"
    assert view.data["cell"]["evalue"] == "wrong: [secret API_TOKEN]"
    log = verbs.job_logs(Context(), view.data["id"]).data["log"]
    assert log.count("[secret API_TOKEN]") > 6
    document = index.document(workspace.find(), view.data["commit"])
    assert document["params"]["token"] == "env:API_TOKEN"
    assert document["params"]["kept"] == "[secret API_TOKEN]"
    executed = (Path(view.data["output"])).read_text()
    assert '__import__(\\"os\\").environ[\\"API_TOKEN\\"]' in executed
    found = stored(repo)
    for form in masking.forms(SECRET):
        assert form.encode() not in found, form
    assert b"[secret API_TOKEN]" in found
    # A sweep passes it on in the same way, and a run that is begun from this one asks for it again.
    swept = verbs.sweep(Context(), str(nb), grid=["x=1"], params=["token=env:API_TOKEN"])
    assert swept.data["jobs"][0]["reason"] == "cell 4: ValueError: wrong: [secret API_TOKEN]"
    monkeypatch.delenv("API_TOKEN")
    with pytest.raises(UsageError, match="the environment has no API_TOKEN"):
        verbs.job_run(Context(), str(nb), params=["token=env:API_TOKEN"])
    assert not any(form.encode() in stored(repo) for form in masking.forms(SECRET))


def test_a_test_is_a_job_whose_asserts_are_its_result(repo):
    def test_notebook(name: str, *sources: str) -> Path:
        path = write(repo / name, *(cell(source, f"c{i}") for i, source in enumerate(sources)))
        book = json.loads(path.read_text())
        book["metadata"]["provenote"] = {"test": True}
        path.write_text(json.dumps(book))
        return path

    sound = verbs.job_run(Context(), str(test_notebook("sound.ipynb", "rmse = 3", "assert rmse < 4")))
    assert (sound.status, sound.data["verdict"]) == (0, "passed")
    assert sound.parts[0].text.startswith("sound passed as run sound-")
    broken = test_notebook("broken.ipynb", "rmse = 5", "def check(x):\n    assert x < 4\ncheck(rmse)", "1")
    view = verbs.job_run(Context(), str(broken))
    assert (view.status, view.data["verdict"]) == (1, "failed")
    assert view.data["reason"] == "cell 2: AssertionError: assert x < 4"
    assert (view.data["cell"]["number"], view.data["cell"]["id"]) == (2, "c1")
    document = index.document(workspace.find(), view.data["commit"])
    assert (document["job"]["test"], document["status"]) == (True, "failed")
    shown = look.show(Context(), view.data["name"]).parts
    assert ("test", "failed") in [(name, c.text) for part in shown for name, c in getattr(part, "pairs", [])]
    left = verbs.job_run(Context(), str(test_notebook("left.ipynb", "exit()", "assert False")))
    assert (left.status, left.data["reason"]) == (1, "cell 1 ended the test; 1 cell did not run")
    killed = verbs.job_run(Context(), str(test_notebook("dead.ipynb", "import os; os.kill(os.getpid(), 9)")))
    assert (killed.status, killed.data["verdict"]) == (1, None)  # it was not decided
    listed = {job["label"]: job["verdict"] for job in verbs.jobs(Context()).data["jobs"]}
    assert listed == {"sound": "passed", "broken": "failed", "left": "failed", "dead": None}


def test_what_a_job_used_and_cost_is_told_and_limits_are_held_against_it(repo, monkeypatch):
    (repo / "provenote.toml").write_text("[prices]\ncpu_hour = 100.0\ncurrency = 'EUR<b>'\n")
    monkeypatch.setenv("PROVENOTE_LIMITS", '{"memory_share": 0.000001, "run_cost": 0.0000001}')
    source = "held = bytearray(150_000_000)\nopen('big', 'wb').write(b'x' * 4_000_000)\nsum(range(10**7))"
    view = verbs.job_run(Context(), str(write(repo / "t.ipynb", cell(source, "c1"))))
    said = [part.text for part in view.parts if isinstance(part, Line)]
    assert [text.split(",")[0].split(" ")[:2] for text in said[1:]] == [["It", "had"], ["It", "cost"]]
    resources = index.document(workspace.find(), view.data["commit"])["resources"]
    assert resources["tree_rss_peak_mb"] >= 150 and resources["memory_share"] > 0
    assert resources["cost"]["amount"] == pytest.approx(resources["cpu_s"] / 36, rel=0.01)
    (used,) = [job["used"] for job in verbs.jobs(Context()).data["jobs"]]
    assert used["rss_mb"] >= 150 and used["cpu_s"] > 0
    listed = look.runs(Context())
    assert listed.data["rows"][0]["cost"] == resources["cost"]["amount"]
    assert "run cost" in [column.heading for column in listed.parts[0].columns]
    shown = look.show(Context(), view.data["name"]).parts
    facts = {name: c.text for part in shown for name, c in getattr(part, "pairs", [])}
    assert facts["cost"].endswith("EUR<b>") and facts["memory, most"]
    # A disk that fills, by what eight days of runs saw of it; the doctor says when.
    from provenote import doctor
    from provenote.compare import history

    now = time.time()
    free = shutil.disk_usage(repo).free
    seen = [(now - day * 86_400, free + day * free / 9) for day in range(9)]
    monkeypatch.setattr(history, "points", lambda *_: seen)
    told = {finding.what: finding for finding in doctor.examine(repo)}
    (full,) = [one for what, one in told.items() if what.startswith("disk full in 9 days by 9 runs")]
    assert (full.state, full.mend) == ("warn", "Free some space: `provenote gc`")
    assert doctor.settings(repo)["prices"]["value"]["cpu_hour"] == 100.0


def test_a_notebook_watches_and_follows(repo):
    from kernels import Kernel

    write(repo / "t.ipynb", cell("import time; time.sleep(2); print('slept')", "c1"))
    begin = (
        "%load_ext provenote\nfrom provenote.jobs import executor, launch\n"
        "request = launch.check('t.ipynb')\n"
        "def begin(n): return executor.get(request.workspace).submit(\n"
        "    request.spec({}, n, label='t', commit=launch.commit(request)))\n"
    )
    with Kernel(repo / "work.ipynb") as kernel:
        kernel.run(begin + "a = begin('a')", "c0")
        said = kernel.run("%pv jobs --watch", "c1")["outputs"]
        watched = [one for one in said if one["type"] not in ("execute_input", "status")]
        assert watched[0]["type"] == "display_data"
        assert {one["type"] for one in watched[1:]} == {"update_display_data"}  # one output, kept up to date
        assert "succeeded" in watched[-1]["data"]["text/plain"]
        assert "<table" in watched[-1]["data"]["text/html"]
        code = "b = begin('b')\nget_ipython().run_line_magic('job', f'logs {b[:8]} --follow')"
        followed = kernel.run(code, "c2")["outputs"]
        assert "".join(one["text"] for one in followed if one["type"] == "stream") == "slept\n"
        assert "succeeded" in followed[-1]["data"]["text/plain"]
