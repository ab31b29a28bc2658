"""What of a run can be run again: its notebook as it ran, or its script; and what cannot. Pure.

- A job: the very cells that its kernel got, the injected parameters among them.
- A notebook run by hand: each cell that ran once, with the source that it had last, in the order of the
  document. A cell that was deleted or edited after it ran is no longer there, so it does not run. What only
  worked out of order shows here.
- A script: its file, where one file of the recorded name is in the snapshot.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from provenote.compare import notebooks
from provenote.compare.notebooks import NotebookCell
from provenote.compare.numbers import counted
from provenote.errors import UsageError
from provenote.jobs.replay import captured
from provenote.travel.contents import inside

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_FEW = 4


@dataclass(frozen=True, slots=True)
class Source:
    """What is run.

    Parameters
    ----------
    kind : {'job', 'cells', 'script'}
    path : str
        Of the notebook or script, from the DVC root (of a script: from the Git root).
    kernel : str
        Name of the kernel specification.
    notebook : dict
        The notebook to run; empty for a script.
    cells : tuple of NotebookCell or None
        What its code cells were and gave, in the notebook's order; None where one did not run, or where its
        outputs are not known.
    arguments : tuple of str
        Of a script.
    folder : str or None
        Where a script was started, from the Git root; None: not known.
    module : str
        The name by which a script was started as a module, else empty.
    remarks : tuple of str
        What is not as it was.
    """

    kind: Literal["job", "cells", "script"]
    path: str
    kernel: str = "python3"
    notebook: Mapping[str, Any] | None = None
    cells: tuple[NotebookCell | None, ...] = ()
    arguments: tuple[str, ...] = ()
    folder: str | None = None
    module: str = ""
    remarks: tuple[str, ...] = ()


def find(name: str, document: Mapping[str, Any], executed: bytes | None, files: Sequence[str]) -> Source:
    """Find out what ran.

    Parameters
    ----------
    name : str
        Name of the run.
    document : mapping
        Its ``run.json``.
    executed : bytes or None
        Its ``executed.ipynb``.
    files : sequence of str
        Paths of its snapshot, from the Git root.

    Raises
    ------
    UsageError
        If nothing of it can be run again.
    """
    evidence = document.get("evidence")
    evidence = evidence if isinstance(evidence, Mapping) else {}
    if "script" in evidence:
        return _script(name, document, evidence, files)
    if executed is None:
        raise UsageError(
            f"{name} kept no cells that ran, so there is nothing to run again",
            f"See what it kept: `provenote show {name}`",
        )
    try:
        book = json.loads(executed)
        assert isinstance(book["cells"], list) and isinstance(book["metadata"], dict)
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise UsageError(f"the executed notebook of {name} cannot be read") from error
    code = [cell for cell in book["cells"] if isinstance(cell, dict) and cell.get("cell_type") == "code"]
    remarks = []
    if document.get("redacted"):
        remarks.append("secrets were taken out of its cells before they were stored, and are not there now")
    path = str(document.get("notebook") or "")
    if not inside(path) or not path.endswith(".ipynb"):
        path = "executed.ipynb"
    if document.get("kind") == "job":
        job = document.get("job")
        kernel = str(job.get("kernel") or "python3") if isinstance(job, Mapping) else "python3"
        return _of_job(path, kernel, book, remarks)
    chosen, more = in_document_order(code, evidence)
    return _of_cells(path, book, [code[place] for place in chosen], [*remarks, *more])


# ---------------------------------------------------------------------- a job


def _of_job(path: str, kernel: str, book: dict[str, Any], remarks: list[str]) -> Source:
    cells = [dict(cell) for cell in book["cells"]]
    for cell in cells:
        metadata = dict(cell.get("metadata") or {})
        # The injected cell runs as it is: what we would inject anew was read back from JSON.
        metadata["tags"] = [tag for tag in metadata.get("tags") or () if tag != notebooks.INJECTED]
        cell["metadata"] = {key: metadata[key] for key in metadata if key not in ("papermill", "provenote")}
    return Source(
        "job", path, kernel, {**book, "cells": cells}, tuple(_gave(book["cells"])), remarks=tuple(remarks)
    )


def _gave(cells: Sequence[Mapping[str, Any]]) -> list[NotebookCell | None]:
    code = [cell for cell in cells if cell.get("cell_type") == "code"]
    read = notebooks.parse(json.dumps({"cells": code}).encode())
    return [one if _ran(cell) else None for cell, one in zip(code, read, strict=True)]


def _ran(cell: Mapping[str, Any]) -> bool:
    """Tell whether a cell ran; in a job, the cells behind a failed one did not."""
    metadata = cell.get("metadata") or {}
    status = (metadata.get("papermill") or {}).get("status")
    return status is None or status in ("completed", "failed", "running")


# ---------------------------------------------------------------------- a notebook run by hand


def _of_cells(path: str, book: dict[str, Any], chosen: list[dict[str, Any]], remarks: list[str]) -> Source:
    cells, taken = [], set()
    for cell in chosen:
        ours = captured(cell)
        name = str(ours.get("cell") or "")
        name = name if _ID.fullmatch(name) and name not in taken else str(cell["id"])
        taken.add(name)
        # A cell that failed stopped nothing: the next one was run by hand.
        tags = ["raises-exception"] if ours.get("ok") is False else []
        cells.append({
            "cell_type": "code", "id": name, "metadata": {"tags": tags}, "source": cell["source"],
            "outputs": [], "execution_count": None,
        })  # fmt: skip
    metadata = {
        key: book["metadata"][key] for key in ("kernelspec", "language_info") if key in book["metadata"]
    }
    made = {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}
    kernel = str((metadata.get("kernelspec") or {}).get("name") or "python3")
    read = notebooks.parse(json.dumps({"cells": chosen}).encode())
    # Of what ran before the extension was loaded the outputs are not known.
    gave = [
        None if captured(cell).get("before_load") else one for cell, one in zip(chosen, read, strict=True)
    ]
    return Source("cells", path, kernel, made, tuple(gave), remarks=tuple(remarks))


def in_document_order(
    cells: Sequence[Mapping[str, Any]], evidence: Mapping[str, Any]
) -> tuple[list[int], list[str]]:
    """Choose, of all executions, the last of each cell, in the order of the document.

    Parameters
    ----------
    cells : sequence of mapping
        The executed notebook's code cells: one an execution, in the order in which they ran.
    evidence : mapping
        Of the run's linearity: the document, and the executions in the same order.

    Returns
    -------
    places : list of int
        Which executions, by their place in ``cells``.
    remarks : list of str
        What is not as it was, and why.
    """
    last: dict[str, int] = {}
    for place, cell in enumerate(cells):
        ours = captured(cell)
        if ours.get("counts") is not False and "".join(cell.get("source") or ()).strip():
            last[str(ours.get("cell") or f"#{place}")] = place
    document = evidence.get("document")
    if not isinstance(document, Mapping):
        return sorted(last.values()), [
            "the notebook is not known: its cells run in the order of their last runs"
        ]
    order = [(str(name or ""), str(source)) for name, source in document["cells"]]
    by_name = {name: index for index, (name, _) in enumerate(order) if name}
    sources = [source for _, source in order]
    executions = evidence.get("executions") or ()
    placed: list[tuple[int, int]] = []
    others: list[int] = []
    gone: list[str] = []
    for name, place in last.items():
        ran = executions[place] if place < len(executions) else {}
        index = by_name.get(name)
        if index is None and sources.count(str(ran.get("source"))) == 1:
            index = sources.index(str(ran.get("source")))
        if index is not None:
            placed.append((index, place))
        elif name in (evidence.get("deleted") or {}) or float(document["at"]) > float(ran.get("at") or 0):
            gone.append(f"In[{ran.get('n')}]")
        else:
            others.append(place)
    chosen = [place for _, place in sorted(placed)]
    for place in sorted(others):  # not saved since it ran: behind the cell that ran before it
        before = [index for index, other in enumerate(chosen) if other < place]
        chosen.insert(max(before, key=lambda index: chosen[index]) + 1 if before else 0, place)
    remarks = []
    if gone:
        few = ", ".join(gone[:_FEW]) + (f" and {len(gone) - _FEW} more" if len(gone) > _FEW else "")
        was = "was" if len(gone) == 1 else "were"
        remarks.append(f"{few} {was} deleted or edited after running, and {was} not run")
    if others:
        remarks.append(f"the place of {counted(len(others), 'cell')} in the notebook is not known")
    return chosen, remarks


# ---------------------------------------------------------------------- a script


def _script(
    name: str, document: Mapping[str, Any], evidence: Mapping[str, Any], files: Sequence[str]
) -> Source:
    script = str(evidence["script"])
    mend = f"Look at its files: `provenote restore {name}`"
    told = evidence.get("path")
    found = [told] if told in files else [path for path in files if path.rsplit("/", 1)[-1] == script]
    if len(found) != 1:
        where = "is not in its snapshot" if not found else f"is there {len(found)} times in its snapshot"
        raise UsageError(f"{name} was the script {script}, which {where}, so it cannot be run again", mend)
    command = [str(word) for word in document.get("command") or ()]
    if not command or command[0] != script:
        how = f"{name} was the script {script}, but how it was started is not recorded"
        raise UsageError(how, mend)
    many = evidence.get("arguments")
    if isinstance(many, int) and many > len(command) - 1:
        few = f"{name} was the script {script} with {many} arguments, of which the first {len(command) - 1}"
        raise UsageError(f"{few} alone are recorded", mend)
    remarks = []
    if many is None and len(command) > 2:
        remarks.append("of its arguments only the first two are recorded: there may have been more")
    folder, module = evidence.get("folder"), evidence.get("module")
    return Source(
        "script",
        str(found[0]),
        arguments=tuple(command[1:]),
        folder=folder if isinstance(folder, str) and inside(folder) else None,
        module=module if isinstance(module, str) and _MODULE.fullmatch(module) else "",
        remarks=tuple(remarks),
    )
