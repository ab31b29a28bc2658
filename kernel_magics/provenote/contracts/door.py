"""The door before training: which data code is about to read, checked before its first cell runs.

Light, since every run passes through it: only where something is to be checked is `contracts.gate` loaded.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from provenote.contracts import naming
from provenote.data import guards
from provenote.errors import ProvenoteError
from provenote.events import Tell, silent
from provenote.git.command import git
from provenote.stores import live
from provenote.stores.disk import shown
from provenote.workspace import Workspace


def before(
    workspace: Workspace, sources: Iterable[str], values: Mapping[str, Any], folder: str, tell: Tell = silent
) -> list[dict[str, Any]]:
    """Check the data that code names, before it runs.

    Parameters
    ----------
    workspace : Workspace
    sources : iterable of str
        The code's cells.
    values : mapping
        Its parameters.
    folder : str
        Where it runs, from the DVC root.
    tell : Tell

    Returns
    -------
    list of dict
        What the run records of each input: ``{path, md5, contract, outcome, alerts, left_out}``.

    Raises
    ------
    Refused
        If an input is not as its contract says and the contract refuses that; nothing was run.
    """
    texts = naming.texts(sources, values.values())
    known = guarded(workspace) if naming.may_name_data(texts) else []
    wanted = naming.named(texts, known, folder) if known else []
    if not wanted:
        return []
    from provenote.contracts import gate

    wanted = [
        path for path in wanted if os.path.lexists(workspace.dvc_root / path) or gate.is_out(workspace, path)
    ]
    for path in wanted:
        gate.quick(workspace, path)
    return [gate.passed(workspace, path, tell) for path in wanted]


def of_scope(workspace: Workspace, sources: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Check the data that a tracked scope names: the cells that ran in this kernel, or this script.

    Parameters
    ----------
    workspace : Workspace
    sources : iterable of str
        The cell that is about to run, where it is known.

    Raises
    ------
    Refused
        As `before`.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None:
        history = getattr(shell, "history_manager", None)
        cells = [*(history.input_hist_raw if history is not None else ()), *sources]
    else:
        script = getattr(sys.modules.get("__main__"), "__file__", None)
        try:
            cells = [Path(script).read_text(encoding="utf-8"), *sources] if script else list(sources)
        except (OSError, UnicodeDecodeError):
            cells = list(sources)
    try:
        folder = workspace.relative(os.getcwd())
    except ProvenoteError:
        folder = "."
    return before(workspace, cells, {}, folder)


def guarded(workspace: Workspace) -> list[str]:
    """Return the paths that have a contract, or of which something is left out."""
    query = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"]
    query += [f":(glob)**/*{ending}" for ending in guards.ENDINGS]
    found = set()
    for raw in git(workspace.dvc_root, *query).split(b"\0"):
        name = os.fsdecode(raw)
        ending = next((one for one in guards.ENDINGS if name.endswith(one)), None)
        if ending and (workspace.dvc_root / name).exists():
            found.add(name.removesuffix(ending))
    return sorted(found)


def watch_end(run: Any, inputs: Sequence[Mapping[str, Any]]) -> None:
    """Record which inputs of a run changed while it went on; call it at the run's end.

    Parameters
    ----------
    run : ActiveRun
    inputs : sequence of mapping
        As `before` gave them; what the run told that it read is looked at too.
    """
    read: list[dict[str, Any]] = []
    with contextlib.suppress(OSError):
        if b'"read"' in (run.folder / live.EVENTS).read_bytes():
            read = live.read_events(run.folder).reads
    found = changed(run.workspace, [*inputs, *read])
    if found:
        run.record({"extra": {"inputs_changed": found}})


def changed(workspace: Workspace, inputs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return which inputs are no longer what they were: ``{path, before, now}``; what is gone has no ``now``.

    Parameters
    ----------
    workspace : Workspace
    inputs : sequence of mapping
        ``path`` and ``md5`` of each, as at the start; those of another revision are passed over.
    """
    from provenote.data import travel

    found: dict[str, dict[str, Any]] = {}
    for one in inputs:
        path, md5 = one.get("path"), one.get("md5")
        if not path or not md5 or one.get("rev"):
            continue
        try:
            now: str | None = travel.measure(workspace, path).md5
        except ProvenoteError:
            now = None
        if now != md5:
            found[path] = {"path": path, "before": md5, "now": now}
    return list(found.values())


def lines(inputs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what a run's inputs have to tell: alerts, and what was left out."""
    told_: list[str] = []
    for one in inputs:
        told_ += [f"alert: {line}" for line in one.get("alerts") or ()]
        path = one.get("path")
        for entry in one.get("left_out") or ():
            name = f"{path}/{entry['file']}" if entry.get("file") else path
            told_.append(f"left out: {shown(str(name))} ({shown(str(entry.get('why', '')))})")
    return told_


def stops_promotion(document: Mapping[str, Any]) -> str:
    """Return the file of the test split that a run went without, or an empty text. Pure.

    Parameters
    ----------
    document : mapping
        The run's record.
    """
    extra = document.get("extra") or {}
    inputs = [*(extra.get("inputs") or ()), *(document.get("reads") or ())]
    for one in inputs:
        for entry in (one.get("left_out") or ()) if isinstance(one, Mapping) else ():
            if entry.get("touches_test"):
                return f"{one.get('path')}/{entry['file']}" if entry.get("file") else str(one.get("path"))
    return ""
