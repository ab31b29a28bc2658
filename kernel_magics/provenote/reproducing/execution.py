"""Run a source once more, a notebook as a job, a script as a process, and find the run that it made."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.compare import notebooks
from provenote.compare.notebooks import NotebookCell
from provenote.errors import UsageError, WorldError
from provenote.events import Progress, Tell
from provenote.git import trees
from provenote.git.command import git
from provenote.jobs.spec import THREAD_VARIABLES
from provenote.model import Row
from provenote.reproducing.verdict import Gave
from provenote.stores import index, runs

if TYPE_CHECKING:
    from provenote.reproducing.scratch import Scratch
    from provenote.reproducing.source import Source
    from provenote.workspace import Workspace

_KERNEL = "provenote-then"
_LOOK_EVERY = 0.1  # seconds between two looks at a script
_LAST = 400  # characters of what a failed script said last


@dataclass(frozen=True, slots=True)
class Done:
    """What an execution gave.

    Parameters
    ----------
    gave : Gave
    document : dict
        ``run.json`` of the run that it made; empty if it made none.
    """

    gave: Gave
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """How a source is to be run.

    Parameters
    ----------
    label : str
        Name of the run.
    params : mapping
        Its parameters, by which one of several runs with this name is known.
    command : str
        What was asked for, for who is told to ask otherwise.
    document : mapping
        ``run.json`` of the run: its threads and hash seed are set again.
    interpreter : Path or None
        Python of another environment.
    lacking : bool
        Whether that environment has no package of ours.
    """

    label: str
    params: Mapping[str, Any]
    command: str
    document: Mapping[str, Any]
    interpreter: Path | None = None
    lacking: bool = False


def run(scratch: Scratch, source: Source, wish: Wish, label: str, tell: Tell) -> Done:
    """Run a source in a repository made for it.

    Raises
    ------
    UsageError
        If its kernel is not installed.
    WorldError
        If the kernel dies or does not start: that says nothing about the run.
    KeyboardInterrupt
        If it was stopped.
    """
    env = environment(wish.document)
    if wish.lacking:
        env["PYTHONPATH"] = os.pathsep.join(
            filter(None, (str(_package(scratch)), os.environ.get("PYTHONPATH")))
        )
    if source.kind == "script":
        return _script(scratch, source, wish, env, label, tell)
    return _notebook(scratch, source, wish, env, label, tell)


def environment(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings of a run's process that can change a number: threads, hash seed. Pure."""
    machine = document.get("machine")
    machine = machine if isinstance(machine, Mapping) else {}
    threads = machine.get("threads")
    found = dict(threads) if isinstance(threads, Mapping) else {}
    env = {name: str(found[name]) for name in THREAD_VARIABLES if str(found.get(name, "")).isdigit()}
    seed = str(machine.get("hash_seed") or "")
    return {**env, "PYTHONHASHSEED": seed} if seed.isdigit() else env


# ---------------------------------------------------------------------- a notebook


def _notebook(
    scratch: Scratch, source: Source, wish: Wish, env: dict[str, str], label: str, tell: Tell
) -> Done:
    from provenote.jobs import executor as executors
    from provenote.jobs import kernels, launch
    from provenote.jobs import notebook as jobs_notebook
    from provenote.jobs.local import cores
    from provenote.jobs.spec import JobSpec

    place = scratch.place
    path = place.dvc_root / source.path
    kernel = source.kernel
    if wish.interpreter is not None:
        kernel = _KERNEL
        env["JUPYTER_PATH"] = str(_specification(scratch, wish.interpreter))
    else:
        try:
            kernels.resolve(path, kernel, None)
        except UsageError as error:
            mend = f"Install it, or build the run's own environment: `{wish.command} --env`"
            raise UsageError(error.what, mend) from error
    path.parent.mkdir(parents=True, exist_ok=True)
    content = jobs_notebook.dump(source.notebook or {})
    blob = git(scratch.top, "hash-object", "-w", "--no-filters", "--stdin", given=content).decode().strip()
    machine = wish.document.get("machine")
    cpus = machine.get("cpus") if isinstance(machine, Mapping) else None
    spec = JobSpec(
        notebook=source.path,
        blob=blob,
        kernel=kernel,
        label=wish.label,
        nonce=f"{scratch.top.name}-{secrets.token_hex(4)}",  # several may run there, one after the other
        params=dict(wish.params) if source.kind == "job" else {},
        threads=cpus if isinstance(cpus, int) and cpus > 0 else cores(),
        env=env,
    )
    executor = executors.get(place)
    job = executor.submit(spec)
    state = launch.follow(executor, job, label, tell)
    if state.state == "cancelled":
        raise KeyboardInterrupt
    if state.error is not None or state.state not in ("succeeded", "failed"):
        why = state.error["what"] if state.error is not None else state.reason or state.state
        words = executor.logs(job)[-_LAST:].strip().splitlines()
        said = f" ({words[-1]})" if words and state.error is not None else ""
        raise WorldError(f"the reproduction did not come to its end: {why}{said}", "Try again")
    own = index.document(place, str(state.commit))
    cells = _cells(place, str(state.commit), source)
    status = "finished" if state.state == "succeeded" else "failed"
    chosen, commit = own, str(state.commit)
    if source.kind == "cells":
        chosen, commit = _answering(wish, [*_made(scratch, wish, but=commit), (own, commit)])
    return Done(_gave(place, chosen, commit, status, state.reason or "", cells), chosen)


def _cells(place: Workspace, commit: str, source: Source) -> list[NotebookCell | None]:
    """Return the cells as they ran now, one for each of the source's; None for one that did not run."""
    content = runs.file(trees.repository(place.common_dir), commit, "executed.ipynb")
    book = json.loads(content or b'{"cells": []}')
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    read = notebooks.parse(json.dumps({"cells": code}).encode())
    found: list[NotebookCell | None] = [
        one if cell["metadata"].get("provenote", {}).get("ok") is not None else None
        for cell, one in zip(code, read, strict=True)
    ]
    found += [None] * (len(source.cells) - len(found))
    if source.kind == "cells":  # what has nothing to be held against
        found = [None if then is None else now for then, now in zip(source.cells, found, strict=True)]
    return found


def _specification(scratch: Scratch, interpreter: Path) -> Path:
    """Write a kernel specification for another Python, seen by this reproduction alone."""
    folder = scratch.place.home / "jupyter"
    there = folder / "kernels" / _KERNEL
    there.mkdir(parents=True)
    argv = [str(interpreter), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    made = {"argv": argv, "display_name": "then", "language": "python"}
    (there / "kernel.json").write_text(json.dumps(made), encoding="utf-8")
    return folder


def _package(scratch: Scratch) -> Path:
    """Return a folder with nothing but our own packages in it, for an environment that lacks them."""
    import provenote

    folder = scratch.place.home / "packages"
    folder.mkdir(parents=True)
    (folder / "provenote").symlink_to(Path(provenote.__file__).parent)
    return folder


# ---------------------------------------------------------------------- a script


def _script(
    scratch: Scratch, source: Source, wish: Wish, env: dict[str, str], label: str, tell: Tell
) -> Done:
    python = str(wish.interpreter or sys.executable)
    words = [sys.executable, "-P", "-m", "provenote.reproducing.guard", python]
    words += ["-m", source.module] if source.module else [str(scratch.top / source.path)]
    words += source.arguments
    folder = scratch.place.dvc_root if source.folder is None else scratch.top / source.folder
    folder.mkdir(parents=True, exist_ok=True)
    outer = ("PROVENOTE_RUN", "PROVENOTE_JOB", "PROVENOTE_DOC", "JPY_SESSION_NAME", "JPY_PARENT_PID")
    given = {name: value for name, value in os.environ.items() if name not in outer}
    log = scratch.place.home / "script.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    tell(Progress(label, detail=source.path))
    with log.open("wb") as stream:
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=stream, stderr=stream, cwd=folder,
            env={**given, **env}, start_new_session=True,
        )  # fmt: skip
        try:
            while process.poll() is None:
                time.sleep(_LOOK_EVERY)
        finally:
            if process.stdin is not None:
                process.stdin.close()  # whatever of it is left ends now
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
    status = "finished" if process.returncode == 0 else "failed"
    said = log.read_text(encoding="utf-8", errors="replace")[-_LAST:].strip().splitlines()
    reason = "" if status == "finished" else (said[-1] if said else f"exit status {process.returncode}")
    tell(Progress(label, state="done" if status == "finished" else "failed", detail=reason))
    chosen, commit = _answering(wish, _made(scratch, wish))
    if chosen:
        status = str(chosen["status"])
    elif status == "finished":
        raise UsageError(
            f"the script ran, and tracked no run called {wish.label!r}", "Look at what it does: `git log`"
        )
    return Done(_gave(scratch.place, chosen, commit, status, reason, ()), chosen)


# ---------------------------------------------------------------------- the run that it made


def _made(scratch: Scratch, wish: Wish, but: str = "") -> list[tuple[dict[str, Any], str]]:
    """Return the runs of this name that were made, with their commits, in the order in which they began."""
    found = [
        (index.document(scratch.place, commit), commit) for commit in scratch.new_runs() if commit != but
    ]
    return sorted(
        (one for one in found if one[0]["label"] == wish.label), key=lambda one: float(one[0]["started"])
    )


def _answering(wish: Wish, made: Sequence[tuple[dict[str, Any], str]]) -> tuple[dict[str, Any], str]:
    """Choose the run that answers to the one reproduced: by parameters, by what it logged, else the last.

    The first ``track`` of a job is the job's own run, which stands last in ``made``; more are children.
    """

    def likeness(one: tuple[int, tuple[dict[str, Any], str]]) -> tuple[bool, bool, bool, int]:
        place, (document, _) = one
        logged = set(document["metrics"]) == set(wish.document.get("metrics") or ())
        return document["params"] == wish.params, logged, document.get("kind") != "job", place

    return max(enumerate(made), key=likeness)[1] if made else ({}, "")


def _gave(
    place: Workspace,
    document: Mapping[str, Any],
    commit: str,
    status: str,
    reason: str,
    cells: Sequence[NotebookCell | None],
) -> Gave:
    if not document:
        return Gave(status, reason, {}, {}, cells)
    row = Row(
        document["id"], document["label"], document["label"], "finished", None, 0.0, None,
        document["params"], document["metrics"], document["baseline"], commit,
    )  # fmt: skip
    return Gave(status, reason, document["metrics"], index.series(place, row), cells)
