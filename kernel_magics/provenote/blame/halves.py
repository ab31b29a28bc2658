"""One of the two runs as it can be mixed with the other: its cells, values, data, files and settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provenote.errors import UsageError
from provenote.git import objects, trees
from provenote.git.command import git
from provenote.jobs import notebook as notebooks
from provenote.jobs import replay
from provenote.jobs.notebook import PARAMETERS, tags
from provenote.jobs.parameters import Parameter, defaults
from provenote.reproducing import source
from provenote.reproducing.source import Source
from provenote.stores import index, runs

if TYPE_CHECKING:
    from pathlib import Path

    from provenote.model import Row
    from provenote.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Half:
    """A run that has ended.

    Parameters
    ----------
    row : Row
    document : mapping
        Its ``run.json``.
    tree : str
        Id of the tree of its files, without its own folder.
    source : Source
        What runs; of a job the notebook without injected values.
    values : dict
        Of a job's parameters, defaults among them.
    known : tuple of Parameter
        What its notebook declares.
    """

    row: Row
    document: Mapping[str, Any]
    tree: str
    source: Source
    values: Mapping[str, Any] = field(default_factory=dict)
    known: tuple[Parameter, ...] = ()

    @property
    def code(self) -> tuple[Any, ...]:
        """What runs, apart from files and values: equal for two runs of the same cells."""
        if self.source.kind == "script":
            return ("script", self.source.path, self.source.module, self.source.arguments)
        cells = (self.source.notebook or {}).get("cells") or ()
        code = [cell for cell in cells if cell.get("cell_type") == "code"]
        return ("cells", *(self._plain(cell) for cell in code if notebooks.text(cell).strip()))

    def _plain(self, cell: Mapping[str, Any]) -> str:
        if self.known and PARAMETERS in tags(cell):  # its values are a factor of their own
            return " ".join(sorted(parameter.name for parameter in self.known))
        return notebooks.text(cell)


def read(workspace: Workspace, name: str) -> Half:
    """Read a run.

    Raises
    ------
    UsageError
        If there is no such run, it has not finished, or nothing of it can be run again.
    """
    row = index.find(workspace, name)
    if row.commit is None or row.status != "finished":
        raise UsageError(
            f"run {row.name} is {row.status}: only a finished run can be asked why",
            "See its state: `provenote runs -A`",
        )
    document = index.document(workspace, row.commit)
    tree = files(workspace.common_dir, row.commit, str(document.get("overlay") or ""))
    if document.get("kind") == "job":
        return _job(workspace, row, document, tree)
    executed = runs.file(trees.repository(workspace.common_dir), row.commit, "executed.ipynb")
    listed = git(workspace.top, "ls-tree", "-r", "-z", "--name-only", row.commit)
    found = source.find(row.name, document, executed, os.fsdecode(listed).split("\0"))
    return Half(row, document, tree, found)


def _job(workspace: Workspace, row: Row, document: Mapping[str, Any], tree: str) -> Half:
    from pathlib import Path

    path, content = replay.kept(workspace, row, document)
    notebook = notebooks.parse(Path(path), content)
    known = tuple(notebook.parameters() or ())
    job = replay.job_of(document)
    values = {**defaults(known), **replay.given(notebook, job.get("given"), known)}
    kernel = str(job.get("kernel") or notebook.kernel or "python3")
    return Half(row, document, tree, Source("job", path, kernel, notebook.data), values, known)


def files(common_dir: Path, commit: str, overlay: str) -> str:
    """Return the tree of a run's files: its commit's without the folder that we added."""
    tree = objects.tree_of(common_dir, commit)
    return objects.build(common_dir, tree, {overlay: None}) if overlay else tree
