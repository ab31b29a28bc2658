"""What is known of one run: from its commit, its live folder, its family and the tags that name it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provenote.compare.reference import all_tags, stage_holders
from provenote.model import Row

if TYPE_CHECKING:
    from provenote.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of one run.

    Parameters
    ----------
    row : Row
    document : dict
        Its ``run.json``; of a running one what its events say so far.
    series : dict
        Metric -> points ``(step, value)``.
    parent : Row or None
    children : list of Row
    origin : str
        Name of the run that its job started from, or its id where that run is not here.
    versions : list of (str, str)
        Model version or stage that names this run's commit, and what it is.
    pushed : tuple of str
        Git remotes that are known to have it.
    packages : int
        Number of packages in its lock.
    outputs : tuple of int
        Cells that ran, outputs and pictures among them, as stored.
    """

    row: Row
    document: Mapping[str, Any]
    series: Mapping[str, Sequence[tuple[Any, Any]]]
    parent: Row | None = None
    children: Sequence[Row] = ()
    versions: Sequence[tuple[str, str]] = ()
    pushed: tuple[str, ...] = ()
    packages: int = 0
    outputs: tuple[int, int, int] = field(default=(0, 0, 0))
    origin: str = ""


def gather(workspace: Workspace, row: Row) -> Account:
    """Read all that is known of a run."""
    from provenote.sharing import pushed
    from provenote.stores import environments, index

    rows, _ = index.rows(workspace, everything=True)
    family = {
        "parent": next(
            (each for each in rows if row.parent and each.id == row.parent and each.id != row.id), None
        ),
        "children": [each for each in rows if each.parent == row.id and each.id != row.id],
    }
    series = index.series(workspace, row)
    if row.commit is None:
        return Account(row, so_far(workspace, row), series, **family)  # type: ignore[arg-type]
    document = index.document(workspace, row.commit)
    return Account(
        row,
        document,
        series,
        **family,  # type: ignore[arg-type]
        versions=_versions(workspace, row.commit, str(document.get("overlay", ""))),
        pushed=tuple(pushed(workspace).get(row.commit, ())),
        packages=len(environments.packages(environments.text_of(workspace, row) or "")),
        outputs=_outputs(_file(workspace, row.commit, "executed.ipynb")),
        origin=_origin(document, rows),
    )


def _origin(document: Mapping[str, Any], rows: Sequence[Row]) -> str:
    job = document.get("job")
    origin = str(job.get("from") or "") if isinstance(job, Mapping) else ""
    return next((each.name for each in rows if each.id == origin), origin)


def so_far(workspace: Workspace, row: Row) -> dict[str, Any]:
    """Return what a running run has recorded, in the form of its later document."""
    from provenote.stores import live

    folder = workspace.home / "live" / row.id
    events = live.read_events(folder)
    try:
        meta = json.loads((folder / live.META).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        meta = {}
    meta = {key: value for key, value in meta.items() if key not in ("lock", "tree")}
    return meta | {
        "artifacts": events.artifacts,
        "reads": events.reads,
        "resources": events.resources,
        "extra": events.extra,
    }


def _file(workspace: Workspace, commit: str, path: str) -> bytes:
    from provenote.git import trees
    from provenote.stores import runs

    return runs.file(trees.repository(workspace.common_dir), commit, path) or b""


def _outputs(notebook: bytes) -> tuple[int, int, int]:
    """Count the cells, outputs and pictures of an executed notebook."""
    try:
        cells = json.loads(notebook)["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", ())]
        pictures = sum(
            any(kind.startswith("image/") for kind in output.get("data", ())) for output in outputs
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return 0, 0, 0
    return len(cells), len(outputs), pictures


def _versions(workspace: Workspace, commit: str, overlay: str) -> list[tuple[str, str]]:
    """Return the model versions and stages whose tags (in GTO's form) point at a commit.

    Tags are what anybody may have set; `provenote.registry` says what was approved.
    """
    tags = all_tags(workspace)
    start = f"{overlay}="
    versions = [
        (name.removeprefix(start), "version")
        for name, target in tags
        if target == commit and name.startswith(start) and "@" in name
    ]
    held = [
        (f"{model} #{stage}", "stage")
        for (model, stage), target in stage_holders(tags, overlay).items()
        if target == commit
    ]
    return sorted(versions) + sorted(held)
