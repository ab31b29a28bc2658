"""Every guard of the verifier is there for an attack: each is disabled in turn, and the tests must notice."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


def guards(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.guards", *words]
    return subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)


def test_no_guard_can_go_unnoticed():
    done = guards()
    left = re.findall(r"^survives: (\S+): ", done.stdout, re.M)
    assert done.returncode == 0 or left, f"{done.stdout}\n{done.stderr}"
    # Names of events are random, and an attack may hang on their order: what nothing stops survives twice.
    twice = [name for name in left if guards("--only", name).returncode]
    assert not twice, done.stdout
    assert int(done.stdout.split(" guards, ")[0].split()[-1]) > 400


def test_a_guard_that_nothing_misses_is_named():
    done = guards("--without", "test_", "--only", "registry.fold._Gate")
    assert done.returncode == 1
    assert "survives: registry.fold._Gate.admit: person is None" in done.stdout
