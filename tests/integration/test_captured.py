"""What a run captures besides its code: the lock of its environment, its machine, its resources."""

from __future__ import annotations

import hashlib
import subprocess

import provenote
from provenote import workspace
from provenote.stores import index


def test_environment_machine_and_resources_are_in_the_run(repo):
    runs = []
    for name in ("first", "second"):
        with provenote.track(name) as run:
            run.log(x=1)
        runs.append(run)
    place = workspace.find()
    first, second = (index.document(place, run.commit) for run in runs)
    assert first["environment"] == second["environment"]
    text = subprocess.run(
        ["git", "show", f"{runs[0].commit}:provenote/environment.txt"], capture_output=True, check=True
    ).stdout
    assert hashlib.sha256(text).hexdigest() == first["environment"]
    assert b"\npytest==" in text
    kept = [path.name for path in (place.home / "environments").glob("*.txt")]
    assert kept == [f"{first['environment']}.txt"]
    assert {"platform", "cpus", "threads", "hash_seed"} <= set(first["machine"])
    assert "pytest" in first["extra"]["imported"]
    assert {"wall_s", "cpu_s", "rss_peak_mb", "samples"} <= set(first["resources"])
