"""A mixture of two runs, made and run: files of one, data of the other, in a repository of its own.

What came out is kept by the digest of all that went in, so the same question costs no run when it is asked
again, and neither does a part of another question.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provenote.blame.factors import (
    CODE,
    DATA,
    PACKAGES,
    PARAMS,
    SEED,
    TEST,
    THREADS,
    Differing,
    is_seed,
    is_test,
)
from provenote.blame.halves import Half
from provenote.blame.shapley import Chosen
from provenote.compare.columns import flat
from provenote.errors import WorldError
from provenote.events import Tell
from provenote.git import objects
from provenote.jobs import notebook as notebooks
from provenote.reproducing import execution, scratch, surroundings

if TYPE_CHECKING:
    from pathlib import Path

    from provenote.model import Row
    from provenote.reproducing.scratch import Scratch
    from provenote.workspace import Workspace

FOLDER = "why"
"""Where outcomes are kept, in `Workspace.home`."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A change of the data before the cells run.

    Parameters
    ----------
    name : str
        What it does, for the digest.
    path : str
        Of the data, from the DVC root.
    apply : callable
        Takes the file's path in the scratch repository and rewrites it.
    """

    name: str
    path: str
    apply: Callable[[Path], None] = field(compare=False)


@dataclass(frozen=True, slots=True)
class State:
    """What is to be run.

    Parameters
    ----------
    half : Half
        Whose cells and files of code.
    changes : mapping
        Path from the Git root -> what stands there instead.
    reads, omitted : tuple of mapping
        As in ``run.json``, of the mixture.
    values : mapping
        Parameters of the notebook.
    machine : mapping
        Threads and hash seed.
    environment : Row or None
        The run in whose environment it runs; None: this one.
    cells : mapping or None
        Another notebook than the half's.
    patches : tuple of Patch
    again : int
        Which repetition of an equal state, from 0.
    """

    half: Half
    changes: Mapping[str, Any] = field(default_factory=dict)
    reads: tuple[Mapping[str, Any], ...] = ()
    omitted: tuple[Mapping[str, Any], ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    environment: Row | None = None
    cells: Mapping[str, Any] | None = None
    patches: tuple[Patch, ...] = ()
    again: int = 0

    @property
    def notebook(self) -> Mapping[str, Any] | None:
        """The notebook that runs; None for a script."""
        return self.cells if self.cells is not None else self.half.source.notebook


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a state gave.

    Parameters
    ----------
    metrics : mapping
        Flat, the last value of each.
    status, reason : str
        ``finished`` or ``failed``, and why.
    seconds : float
        How long it took when it ran.
    ran : bool
        Whether it ran just now; else it was known.
    """

    metrics: Mapping[str, Any]
    status: str
    reason: str = ""
    seconds: float = 0.0
    ran: bool = False


def mixed(old: Half, new: Half, found: Differing, chosen: Chosen, crossed_packages: bool) -> State:
    """Return the mixture in which the chosen factors are as in the new run, and all others as in the old one.

    Parameters
    ----------
    old, new : Half
    found : Differing
    chosen : frozenset of str
    crossed_packages : bool
        Whether packages are mixed too; else all runs in this environment.
    """

    def side(factor: str) -> Half:
        return new if factor in chosen else old

    half = side(CODE) if CODE in found.factors else new
    fresh = half is new
    changes: dict[str, Any] = {}
    for path, deltas in found.data.items():
        from_new = (TEST if is_test(path) else DATA) in chosen
        if from_new != fresh:
            for delta in deltas:
                changes[delta.path] = delta.new if from_new else delta.old
    values = {}
    for name, own in half.values.items():
        other = side(SEED if is_seed(name) else PARAMS).values
        values[name] = other.get(name, own)
    return State(
        half,
        changes,
        tuple(_reads(old, new, half, found, side)),
        tuple(_omitted(old, new, half, found, side)),
        values,
        side(THREADS).document.get("machine") or {},
        side(PACKAGES).row if crossed_packages else None,
    )


def _reads(
    old: Half, new: Half, half: Half, found: Differing, side: Callable[[str], Half]
) -> Iterable[Mapping[str, Any]]:
    listed = [(half, read) for read in half.document.get("reads") or ()]
    listed += [
        (one, read) for one in (old, new) if one is not half for read in one.document.get("reads") or ()
    ]
    for owner, read in listed:
        path = os.path.normpath(str(read.get("path")))
        mixed_in = path in found.data and not read.get("rev")
        wanted = side(TEST if is_test(path) else DATA) if mixed_in else half
        if owner is wanted:
            yield read


def _omitted(
    old: Half, new: Half, half: Half, found: Differing, side: Callable[[str], Half]
) -> Iterable[Mapping[str, Any]]:
    for owner in (old, new):
        for one in owner.document.get("omitted") or ():
            path = str(one.get("path", ""))
            data = next((name for name in found.data if path == name or path.endswith(f"/{name}")), None)
            wanted = half if data is None else side(TEST if is_test(data) else DATA)
            if owner is wanted:
                yield one


class Bench:
    """Where states are run: one repository for all of them, made when the first one is.

    Use it as a context: it removes the repository at its end.

    Parameters
    ----------
    workspace : Workspace
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._stack = contextlib.ExitStack()
        self._made: Scratch | None = None

    def __enter__(self) -> Bench:
        """Return itself."""
        return self

    def __exit__(self, *error: Any) -> None:
        """Remove the repository."""
        self._stack.__exit__(*error)

    def place(self, row: Row) -> Scratch:
        """Return the repository with the files of a run in it."""
        if self._made is None:
            self._made = self._stack.enter_context(scratch.made(self.workspace, row, ""))
        else:
            self._made = scratch.refilled(self.workspace, self._made, row, "")
        return self._made


def run(bench: Bench, state: State, label: str, tell: Tell) -> Outcome:
    """Return what a state gives, from what is kept or by running it.

    Parameters
    ----------
    bench : Bench
    state : State
    label : str
        What is told while it runs.
    tell : Tell

    Raises
    ------
    WorldError
        If data are nowhere, or the environment cannot be built.
    """
    workspace = bench.workspace
    tree = objects.build(workspace.common_dir, state.half.tree, state.changes)
    path = workspace.home / FOLDER / f"{_digest(state, tree)}.json"
    known = _known(path)
    if known is not None:
        return known
    began = time.monotonic()
    commit = objects.commit(workspace.common_dir, tree, [state.half.row.baseline], "A mixture of two runs\n")
    row = dataclasses.replace(state.half.row, commit=commit)
    document = {
        **state.half.document,
        "reads": list(state.reads),
        "omitted": list(state.omitted),
        "machine": dict(state.machine),
        "params": dict(state.values) or state.half.document["params"],
    }
    source = dataclasses.replace(state.half.source, notebook=_with_values(state))
    place = bench.place(row)
    wish, _ = surroundings.prepare(workspace, row, document, source, place, False, label, tell)
    if state.environment is not None:
        wish = dataclasses.replace(wish, **_built(workspace, state.environment, tell))
    for patch in state.patches:
        patch.apply(place.place.dvc_root / patch.path)
    try:
        done = execution.run(place, source, wish, label, tell)
    except WorldError as error:  # the kernel died: of this mixture, not of the world
        return Outcome({}, "failed", error.what, time.monotonic() - began, True)
    made = Outcome(
        {key: value for key, value in flat(done.gave.metrics).items()},
        done.gave.status,
        done.gave.reason,
        time.monotonic() - began,
        True,
    )
    _keep(path, made)
    return made


def _with_values(state: State) -> Mapping[str, Any] | None:
    """Return the notebook that runs, with the values of the mixture injected."""
    from pathlib import Path

    if not state.notebook or not state.half.known:
        return state.notebook
    book = notebooks.Notebook(Path(state.half.source.path), b"", dict(state.notebook))
    made = notebooks.prepare(book, state.values)
    for cell in made["cells"]:  # by its tag it would be taken for one of an earlier run, and left out
        cell["metadata"]["tags"] = [tag for tag in notebooks.tags(cell) if tag != notebooks.INJECTED]
    return made


def _built(workspace: Workspace, row: Row, tell: Tell) -> dict[str, Any]:
    from provenote.environments import create, known

    built = create.create(workspace, known.of_run(workspace, row.id), skip_missing=True, tell=tell)
    lacking = any(name.split("==")[0] == "provenote" for name in built.skipped)
    return {"interpreter": built.interpreter, "lacking": lacking}


def _digest(state: State, tree: str) -> str:
    """Digest all that can change the outcome."""
    from provenote.tracking import environment

    source = state.half.source
    where = state.environment.id if state.environment is not None else environment.lock().sha256
    cells = notebooks.dump(_bare(state.notebook)) if state.notebook else b""
    told = {
        "tree": tree,
        "cells": hashlib.sha256(cells).hexdigest(),
        "source": [
            source.kind,
            source.path,
            source.kernel,
            source.module,
            list(source.arguments),
            source.folder,
        ],
        "reads": [[read.get("path"), read.get("md5"), read.get("rev")] for read in state.reads],
        "values": {name: repr(value) for name, value in sorted(state.values.items())},
        "machine": execution.environment({"machine": state.machine}),
        "environment": where,
        "patches": [[patch.path, patch.name] for patch in state.patches],
        "again": state.again,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _bare(notebook: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a notebook without outputs and counts, which are not run."""
    cells = []
    for cell in notebook.get("cells") or ():
        if cell.get("cell_type") == "code":
            cells.append({"source": notebooks.text(cell), "tags": notebooks.tags(cell)})
    return {"cells": cells}


def _known(path: Path) -> Outcome | None:
    try:
        told = json.loads(path.read_bytes())
        return Outcome(
            dict(told["metrics"]), str(told["status"]), str(told["reason"]), float(told["seconds"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(path: Path, made: Outcome) -> None:
    told = {"metrics": made.metrics, "status": made.status, "reason": made.reason, "seconds": made.seconds}
    with contextlib.suppress(OSError, ValueError):  # a full disk takes the memory, not the answer
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}-{os.getpid()}")
        temporary.write_text(json.dumps(told), encoding="utf-8")
        temporary.replace(path)
