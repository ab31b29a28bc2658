"""A forked kernel gives the same outputs as a cold one, for notebooks that look at everything."""

from __future__ import annotations

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.integration.corpus import NOTEBOOKS, OWN_MODULE, STARTUP

from provenote.jobs import executor, folder, launch, preload

_TEMPORARY = re.compile(r"ipykernel_\d+/\d+\.py|0x[0-9a-f]{6,}|/provenote-\w+/k\.json|<dc:date>.*?</dc:date>")


def write(path: Path, sources: list[str]) -> Path:
    cells = [
        {
            "cell_type": "code",
            "id": f"c{number}",
            "metadata": {"tags": ["raises-exception"]} if source.startswith("# raises") else {},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }
        for number, source in enumerate(sources)
    ]
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    book = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": spec}, "cells": cells}
    path.write_text(json.dumps(book))
    return path


def joined(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return outputs with the pieces of one stream put together: how a text is cut is a matter of moments."""
    found: list[dict[str, Any]] = []
    for output in outputs:
        if output["output_type"] == "stream":
            output = {**output, "text": "".join(output["text"])}
            if found and found[-1].get("name") == output["name"]:
                found[-1]["text"] += output["text"]
                continue
        found.append(output)
    return found


def run(name: str) -> tuple[str, list[str], bool, str]:
    """Run one notebook; return its end, the outputs of each cell, whether it was forked, and its log."""
    path = Path(name) / f"{name}.ipynb"
    result = launch.run_job(path)
    job = folder.JobFolder(launch.check(path).workspace.home / "jobs" / result.id)
    book = json.loads(Path(result.state.output or "").read_bytes())
    outputs = [
        _TEMPORARY.sub("-", json.dumps(joined(cell["outputs"]), sort_keys=True)) for cell in book["cells"]
    ]
    warm = next(event["warm"] for event in job.events() if "warm" in event)
    log = executor.get(launch.check(path).workspace).logs(result.id)
    left = {path.name: path.read_text() for path in sorted(Path(name).glob("left-*"))}
    ended = f"{result.state.state} {result.state.reason} {left}"
    return ended, outputs, warm, log


def all_of(root: Path) -> dict[str, Any]:
    """Run the corpus, two notebooks at a time, each in a folder of its own that is empty before."""
    for name, sources in NOTEBOOKS.items():
        place = root / name
        if place.exists():
            for file in sorted(place.rglob("*"), reverse=True):
                file.rmdir() if file.is_dir() else file.unlink()
        place.mkdir(exist_ok=True)
        write(place / f"{name}.ipynb", sources)
        (place / "own.py").write_text(OWN_MODULE)
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(NOTEBOOKS, pool.map(run, NOTEBOOKS), strict=True))


def apart(cold: str, warm: str) -> str:
    """Return two texts from where they part."""
    place = max(0, len(os.path.commonprefix([cold, warm])) - 40)
    return f"cold {cold[place : place + 400]}\n  warm {warm[place : place + 400]}"


def test_each_package_that_may_be_imported_beforehand_is_in_the_corpus():
    named = {name for cells in NOTEBOOKS.values() for cell in cells for name in preload.imports(cell)}
    assert {name.partition(".")[0] for name in named} >= preload.KNOWN


@pytest.mark.slow
def test_cold_and_forked_outputs_are_equal(repo, home, monkeypatch):
    assert len(NOTEBOOKS) >= 15
    startup = home / ".ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00-greet.py").write_text(STARTUP)
    monkeypatch.setenv("PROVENOTE_WARM_KERNELS", "false")
    cold = all_of(repo)
    monkeypatch.setenv("PROVENOTE_WARM_KERNELS", "true")
    warm = all_of(repo)
    assert [name for name, (_, _, forked, _) in cold.items() if forked] == []
    assert {name: log for name, (_, _, forked, log) in warm.items() if not forked} == {}
    assert cold["surroundings"][0].count(".txt") == 6
    told = []
    for name, sources in NOTEBOOKS.items():
        (ended, theirs, _, _), (over, ours, _, _) = cold[name], warm[name]
        told += [f"{name}: {ended} | {over}"] if ended != over else []
        for source, a, b in zip(sources, theirs, ours, strict=True):
            told += [f"{name}\n  {source}\n  {apart(a, b)}"] if a != b else []
    assert not told, "\n\n".join(told)
    outputs = [output for _, ours, _, _ in warm.values() for output in ours]
    pictures = sum(output.count("image/png") + output.count("image/svg") for output in outputs)
    assert pictures >= 7
