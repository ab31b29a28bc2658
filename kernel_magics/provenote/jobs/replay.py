"""What a past run kept of its notebook: which cells run again, and with which values.

- of a job, the notebook that it ran and the values it was given;
- else the saved notebook, where the run says that it equals what ran;
- else the cells that were captured, in the order in which they ran.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.errors import UsageError
from provenote.jobs import notebook as notebooks
from provenote.jobs.notebook import INJECTED, PARAMETERS, Notebook, tags
from provenote.jobs.parameters import Parameter, declared

if TYPE_CHECKING:
    from provenote.model import Row
    from provenote.workspace import Workspace


def given(found: Notebook, values: Any, known: Sequence[Parameter]) -> dict[str, Any]:
    """Return the values that a past run was given. Pure.

    Parameters
    ----------
    found : Notebook
        The notebook that ran.
    values : object
        ``job.given`` of its ``run.json``; anything else than a map says nothing, and then a cell that plain
        papermill injected tells.
    known : sequence of Parameter
        What the notebook declares. Other names are left out.
    """
    if not isinstance(values, Mapping):
        values = {}
        for cell in found.data["cells"]:
            if INJECTED in tags(cell):
                values = {p.name: p.default for p in declared(notebooks.text(cell)) if p.text}
    return {p.name: _typed(p, values[p.name]) for p in known if p.name in values}


def _typed(parameter: Parameter, value: Any) -> Any:
    """Return a value that has been JSON: NaN and infinity travel there as text."""
    if isinstance(value, str) and value in ("nan", "inf", "-inf") and not parameter.kind.takes_text():
        return float(value)
    return value


def kept(workspace: Workspace, row: Row, document: Mapping[str, Any]) -> tuple[str, bytes]:
    """Return the notebook that ran: its path from the DVC root, and its bytes.

    Raises
    ------
    UsageError
        If the run kept none.
    """
    from provenote.git import trees
    from provenote.git.command import blobs
    from provenote.stores import runs

    job = job_of(document)
    repo = trees.repository(workspace.common_dir)
    commit = str(row.commit)
    name = inside(job.get("notebook")) or inside(document.get("notebook"))
    blob = job.get("blob")
    if name and isinstance(blob, str) and len(blob) in (40, 64):
        content = next(blobs(workspace.top, [blob]), None)
        if content is not None and notebooks.blob(content) == blob:
            return name, content
    path = f"{workspace.prefix}/{name}".lstrip("/") if name else ""
    saved = trees.content(repo, trees.tree(repo, commit), path) if path else None
    if name and saved is not None and document.get("disk") == "same":
        return name, saved
    executed = runs.file(repo, commit, "executed.ipynb")
    if executed is not None:
        return name or "executed.ipynb", replayed(executed, saved, document.get("linearity") == "rerun")
    raise UsageError(*_without(row, document))


def _without(row: Row, document: Mapping[str, Any]) -> tuple[str, str]:
    """Say what a run without a notebook was, and what can be done."""
    if job_of(document).get("sweep") or document.get("kind") == "sweep":
        return (
            f"run {row.name} is a sweep, not one notebook",
            "Start from one of its runs: `provenote runs -A`",
        )
    command = document.get("command")
    what = f"ran {' '.join(map(str, command))}" if isinstance(command, list) and command else "kept no cells"
    return (
        f"run {row.name} {what}, and no notebook of it is known",
        f"Go back to it, and run that there: `provenote restore {row.name}`",
    )


def replayed(executed: bytes, saved: bytes | None, last_only: bool) -> bytes:
    """Return the captured cells as a notebook that runs from top to bottom as they did. Pure.

    Parameters
    ----------
    executed : bytes
        The captured cells, in the order in which they ran.
    saved : bytes or None
        The saved notebook of that time: it knows which cell is tagged ``parameters``.
    last_only : bool
        Whether only the last execution of each cell counts (linearity ``rerun``).

    Returns
    -------
    bytes
        Without executions that failed or ran nothing: what they left behind is not known.
    """
    data = json.loads(executed)
    tagged = _tagged(saved)
    cells = [cell for cell in data["cells"] if _replays(cell)]
    if last_only:
        last = {_true_id(cell): place for place, cell in enumerate(cells)}
        cells = [cell for place, cell in enumerate(cells) if last[_true_id(cell)] == place]
    if not any(PARAMETERS in tags(cell) for cell in cells):
        first = next((cell for cell in cells if _true_id(cell) in tagged), None)
        if first is not None:
            first.setdefault("metadata", {})["tags"] = [PARAMETERS]
    return notebooks.dump({**data, "cells": cells})


def captured(cell: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the capture wrote down about a cell: its true id, whether it went well."""
    metadata = cell.get("metadata")
    facts = metadata.get("provenote") if isinstance(metadata, Mapping) else None
    return facts if isinstance(facts, Mapping) else {}


def _replays(cell: Mapping[str, Any]) -> bool:
    if cell.get("cell_type") != "code":
        return True
    facts = captured(cell)
    return facts.get("ok") is not False and facts.get("counts") is not False


def _true_id(cell: Mapping[str, Any]) -> str:
    return str(captured(cell).get("cell") or cell.get("id"))


def _tagged(saved: bytes | None) -> set[str]:
    """Return the ids of the cells of a saved notebook that are tagged ``parameters``."""
    try:
        cells = json.loads(saved or b"{}").get("cells", [])
        return {str(cell["id"]) for cell in cells if PARAMETERS in tags(cell) and cell.get("id")}
    except (ValueError, AttributeError, TypeError):
        return set()


def job_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the supervisor wrote down, of a run that was a job; else nothing."""
    job = document.get("job")
    return job if isinstance(job, Mapping) else {}


def inside(name: Any) -> str | None:
    """Return a path if it is one inside the project: a run may be a colleague's."""
    if not isinstance(name, str) or not name.endswith(".ipynb") or os.path.isabs(name):
        return None
    plain = os.path.normpath(name)
    return None if plain.split(os.sep)[0] in ("..", ".git", ".dvc") else Path(plain).as_posix()
