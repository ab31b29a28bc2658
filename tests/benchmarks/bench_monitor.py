"""Budgets of monitors: false alarms, gross faults seen, and the usual tests as a control that rings.

The tables stand in docs/explanation/what-a-monitor-can-see.md; `provenote monitor trial` prints them.
"""

from __future__ import annotations

import importlib.resources
import lzma
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tests.benchmarks import ROOT, Row, process, project, took

FALSE_ALARMS, RINGS = 8.0, 80.0  # % of clean windows
WEEK = 7 * 86_400


def rows(quick: bool) -> Iterator[Row]:
    """Measure what monitors see of three real series, how they take growth, and what one window costs."""
    from provenote.monitor import causes, reading, trial
    from provenote.statistics import reference, windows

    with project() as folder:
        bikes = _bikes(folder)
        whole = reading.table(bikes, bikes.name, ()).sorted()
        assert whole.times is not None
        first = np.asarray(whole.times < np.datetime64("2012-01-01"))
        series = ROOT / "tests" / "data" / "series"
        named = {
            "bikes": (whole.take(first), ["cnt"]),
            "weather": (_read(series / "jfk-weather.csv.gz"), []),
            "flights": (_read(series / "nyc-flights.csv.gz"), ["arr_delay"]),
        }
        for name, (frame, apart) in named.items():
            learned = reference.learn(frame, WEEK, apart)
            tried = trial.run(learned, random=40 if quick else 200)
            clean = next(one for one in tried if one.name == "clean, random windows")
            share = 100 * clean.seen["any"] / clean.windows
            yield Row(f"{name}: random clean windows that alarm", share, most=FALSE_ALARMS, unit="%")
            rang = 100 * (clean.naive or 0) / clean.windows
            yield Row(
                "  the usual tests ring on them", rang, unit="%", sound=rang > RINGS or name == "flights"
            )
            gross = [one for one in tried if one.gross]
            worst = min(gross, key=lambda one: one.seen["any"] / one.windows)
            missed = 100 - 100 * worst.seen["any"] / worst.windows
            most = 0.0 if name != "weather" else None
            yield Row("  gross faults missed, of the worst", missed, most=most, unit="%", note=worst.name)
            if name == "bikes":
                later = whole.take(~first)
                found = []
                for window in windows.cut(later, WEEK):
                    rows_ = learned.fitted(later.take(window.rows))
                    if len(rows_) >= reference.ROWS:
                        found.append(causes.explain(learned, rows_, learned.judge(rows_)))
                grown = sum(any(one.id.startswith("growth") for one in each) for each in found)
                clock = sum(any(one.id == "clock" for one in each) for each in found)
                note = f"growth in {grown} of {len(found)}"
                wrong = float(clock)
                yield Row("  second year: laid to the clock", wrong, most=0, unit="windows", note=note)
        yield _one_window(folder)


def _bikes(folder: Path) -> Path:
    """Write the shipped bike data without what adds up to the label."""
    shipped = importlib.resources.files("provenote_templates").joinpath("data", "hour.csv.xz")
    lines = lzma.decompress(shipped.read_bytes()).decode().splitlines()
    heads = lines[0].split(",")
    kept = [place for place, name in enumerate(heads) if name not in ("casual", "registered")]
    path = folder / "bikes.csv"
    path.write_text("".join(",".join(line.split(",")[one] for one in kept) + "\n" for line in lines))
    return path


def _read(path: Path):
    from provenote.monitor import reading

    return reading.table(path, path.name, ()).sorted()


def _one_window(folder: Path) -> Row:
    """Measure a look at one new window with its report, beside papermill running an empty notebook."""
    import nbformat

    lines = (folder / "bikes.csv").read_text().splitlines(keepends=True)
    (folder / "y1.csv").write_text("".join(line for line in lines if ",2012-" not in line))
    (folder / "live").mkdir()
    week = [line for line in lines if any(f",2012-01-0{day}," in line for day in range(1, 8))]
    (folder / "live" / "1.csv").write_text(lines[0] + "".join(week))
    _say("data", "add", "y1.csv")
    subprocess.run(["git", "add", "--all"], check=True)
    subprocess.run(["git", "commit", "--quiet", "-m", "data"], check=True)
    _say("monitor", "add", "bikes", "--data", "live/*.csv", "--reference", "y1.csv", "--label", "cnt")
    nbformat.write(nbformat.v4.new_notebook(), folder / "empty.ipynb")
    peer = process("import papermill; papermill.execute_notebook('empty.ipynb', None, kernel_name='python3')")

    def ours() -> None:
        _say("monitor", "run")
        _say("monitor", "show", "--report", "report.html")

    return Row("one new window: look and report", took(ours), peer, "papermill, empty notebook", most_ratio=1)


def _say(*words: str) -> None:
    import sys

    subprocess.run([sys.executable, "-m", "provenote.cli", *words], check=True, capture_output=True)
