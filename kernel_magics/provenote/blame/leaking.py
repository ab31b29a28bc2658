"""Put the table of a run before the leak screen: which data, which target, which columns the model gets."""

from __future__ import annotations

import ast
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from provenote.checks.verdict import Finding
from provenote.data import tables
from provenote.errors import ProvenoteError
from provenote.events import Tell
from provenote.jobs import notebook as notebooks
from provenote.stores import cache, remotes
from provenote.travel import contents

if TYPE_CHECKING:
    from pathlib import Path

    import pandas

    from provenote.blame.halves import Half
    from provenote.workspace import Workspace

LARGEST = 200_000_000
"""Bytes of a table up to which it is screened."""
_DROPS = ("drop", "pop")


def screen(
    workspace: Workspace, half: Half, label: str | None, time: Sequence[str], tell: Tell
) -> tuple[Finding, ...]:
    """Screen the data of a run for leaks.

    Parameters
    ----------
    workspace : Workspace
    half : Half
    label : str or None
        The target's column; None: what the data's contract says.
    time : sequence of str
        Columns that tell the time; empty: what the contract says.
    tell : Tell
    """
    named = mentioned(half)
    table = _table(workspace, half, label, named, tell)
    if table is None:
        return (_unjudged("no table of the run is here"),)
    path, frame = table
    said = contract(workspace, path)
    target = label or said.get("label")
    if not target:
        return (
            _unjudged(
                f"the target is not known among {len(frame.columns)} columns", "Name it: `--label COLUMN`"
            ),
        )
    if target not in frame.columns:
        return (_unjudged(f"{path} has no column {target!r}", "Name another: `--label COLUMN`"),)
    times = [name for name in (time or said.get("time") or ()) if name in frame.columns]
    used = [name for name in frame.columns if name in named and name not in (target, *times)]
    used = used or [name for name in frame.columns if name not in (target, *times)]
    from provenote.screens import leaks

    return leaks.screen(frame, target, used, times)


def mentioned(half: Half) -> set[str]:
    """Return the texts that a run's code names, but those that it drops: among them the columns it uses."""
    found: set[str] = set()
    for cell in (half.source.notebook or {}).get("cells") or ():
        if cell.get("cell_type") != "code":
            continue
        lines = [
            line for line in notebooks.text(cell).splitlines() if not line.lstrip().startswith(("%", "!"))
        ]
        try:
            tree = ast.parse("\n".join(lines))
        except (SyntaxError, ValueError):
            continue
        dropped = {
            id(inner)
            for call in ast.walk(tree)
            if isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr in _DROPS
            for inner in ast.walk(call)
        }
        for node in ast.walk(tree):
            if id(node) in dropped:
                continue
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
            elif isinstance(node, ast.Attribute):
                found.add(node.attr)
    return found


def _table(
    workspace: Workspace, half: Half, label: str | None, named: set[str], tell: Tell
) -> tuple[str, pandas.DataFrame] | None:
    """Return the table of a run whose columns its code names most."""
    best: tuple[int, str, Any] | None = None
    for path, stored in contents.wanted(workspace, str(half.row.commit), half.document).items():
        if tables.kind(path) is None or stored.nfiles is not None or (stored.size or 0) > LARGEST:
            continue
        try:
            remotes.require(workspace, stored.md5, tell)
        except ProvenoteError:
            continue
        where = cache.locate(workspace.cache_dir, stored.md5)
        frame = None if where is None else _frame(where, path)
        if frame is None:
            continue
        score = sum(name in named for name in frame.columns) + (label in frame.columns)
        if best is None or score > best[0]:
            best = score, path, frame
    return None if best is None else (best[1], best[2])


def _frame(where: Path, path: str) -> pandas.DataFrame | None:
    import pandas

    try:
        kind = tables.kind(path)
        if kind == "parquet":
            return pandas.read_parquet(where)
        if kind == "csv":
            return pandas.read_csv(where, sep="\t" if path.endswith(".tsv") else ",")
        if kind == "jsonl":
            return pandas.read_json(where, lines=True)
    except (ValueError, OSError):
        return None
    return None


def contract(workspace: Workspace, path: str) -> Mapping[str, Any]:
    """Return what the contract of data says about their target and time; empty without one."""
    import yaml

    file = workspace.dvc_root / f"{os.path.normpath(path)}.contract.yaml"
    try:
        said = yaml.safe_load(file.read_text(encoding="utf-8"))
        times = said.get("time") or {}
        return {"label": said.get("label"), "time": list(times.get("columns") or ())}
    except (OSError, ValueError, AttributeError, TypeError, yaml.YAMLError):
        return {}


def _unjudged(why: str, mend: str = "") -> Finding:
    return Finding("leaks", "not judged", why, mend=mend)
