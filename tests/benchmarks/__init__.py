"""Benchmarks of the budgets in the design: ``python -m tests.benchmarks`` from the checkout prints the table.

- A module ``bench_*.py`` offers ``rows(quick)``, which yields a `Row` for each budget.
- Ours and its peer or floor are measured in turn, in one process and one run of this command, and
  medians are compared. A ratio carries from machine to machine; seconds do not.
- They are never tests: nothing fails because a machine is busy.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
Measure = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Row:
    """One budget beside what was measured.

    Parameters
    ----------
    name : str
        What was done.
    ours : float
        Median of ours, in seconds (in MB for a row whose ``unit`` is MB).
    peer : float or None
        Median of the peer or floor, in the same unit.
    peer_name : str
        What the peer is.
    most_ratio : float, optional
        The budget, where it is a ratio to the peer.
    most : float, optional
        The budget, where it is absolute.
    unit : str
        ``s`` or ``MB``.
    note : str
        What else was seen, as lost points.
    sound : bool
        Whether the result was right (nothing lost); a wrong one never holds.
    """

    name: str
    ours: float
    peer: float | None = None
    peer_name: str = ""
    most_ratio: float | None = None
    most: float | None = None
    unit: str = "s"
    note: str = ""
    sound: bool = True

    @property
    def ratio(self) -> float | None:
        """Ours over the peer."""
        return self.ours / self.peer if self.peer else None

    @property
    def holds(self) -> bool | None:
        """Whether the budget holds; None for a row that only informs."""
        if not self.sound:
            return False
        if self.most_ratio is not None:
            return self.ratio is not None and self.ratio <= self.most_ratio
        if self.most is not None:
            return self.ours <= self.most
        return None


def took(body: Callable[[], object]) -> float:
    """Return the seconds that ``body`` takes."""
    began = time.perf_counter()
    body()
    return time.perf_counter() - began


def interleaved(ours: Measure, peer: Measure, times: int) -> tuple[float, float]:
    """Measure both in turn, after one round that does not count; return both medians."""
    ours(), peer()
    seen = [(ours(), peer()) for _ in range(times)]
    return statistics.median(one for one, _ in seen), statistics.median(other for _, other in seen)


def process(code: str, *, cwd: Path | None = None, **environment: str) -> float:
    """Return the seconds of a whole Python process that runs ``code``."""
    began = time.perf_counter()
    _run(code, cwd, environment)
    return time.perf_counter() - began


def told(code: str, *, cwd: Path | None = None, **environment: str) -> float:
    """Return the number that a Python process running ``code`` prints last."""
    return float(_run(code, cwd, environment).split()[-1])


def _run(code: str, cwd: Path | None, environment: dict[str, str]) -> str:
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, cwd=cwd, env=env(**environment), capture_output=True, text=True)
    if answer.returncode:
        raise RuntimeError(f"a measured process failed:\n{answer.stderr}")
    return answer.stdout


def env(**more: str) -> dict[str, str]:
    """Return an environment without settings of ours, without a run to join, with compiled modules kept.

    An installed package is compiled once; without that, each process would compile it anew.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PROVENOTE_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**kept, "DVC_NO_ANALYTICS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **more}


@contextmanager
def project(files: int = 25) -> Iterator[Path]:
    """Make a project of Git and DVC with one commit of ``files`` small files, and stand in it."""
    before = Path.cwd()
    folder = Path(tempfile.mkdtemp(prefix="provenote-bench-"))
    try:
        (folder / ".dvc" / "tmp").mkdir(parents=True)  # ignored by Git: the place for what floors write
        (folder / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
        (folder / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
        for number in range(files):
            path = folder / f"src{number // 100}" / f"file{number}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"value = {number}\n" * 20)
        for command in (
            ["init", "--quiet", "--initial-branch=main"],
            ["config", "user.name", "Bench"],
            ["config", "user.email", "bench@example.org"],
            ["add", "--all"],
            ["commit", "--quiet", "-m", "first"],
        ):
            subprocess.run(["git", *command], cwd=folder, check=True)
        os.chdir(folder)
        yield folder
    finally:
        os.chdir(before)
        shutil.rmtree(folder, ignore_errors=True)


def git(*arguments: str, cwd: Path | None = None) -> bytes:
    """Run Git and return what it says."""
    return subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True).stdout
