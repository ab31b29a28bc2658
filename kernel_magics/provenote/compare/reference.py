"""What a run is held against when nobody says: who holds production, else the run before of the same label.

The holder is taken from the stage tags, which are a projection of the signed ledger: good enough to draw a
line in a plot, never to decide anything (`provenote.registry` decides).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from provenote.model import Row

if TYPE_CHECKING:
    from provenote.workspace import Workspace

STAGE = "production"
LOOKED = 20
"""Earlier runs of the same label in which models are looked for."""


def stage_holders(tags: Iterable[tuple[str, str]], overlay: str) -> dict[tuple[str, str], str]:
    """Return which commit holds each ``(model, stage)``: that of the tag with the greatest number. Pure.

    Parameters
    ----------
    tags : iterable of (str, str)
        Names and commits of tags, those of stages in GTO's form ``overlay=model#stage#3``.
    overlay : str
        Folder of the runs' files from the Git root.
    """
    last: dict[tuple[str, str], tuple[int, str]] = {}
    for tag, commit in tags:
        path, equal, rest = tag.partition("=")
        model, _, rest = rest.partition("#")
        stage, _, count = rest.partition("#")
        if equal and path == overlay and stage and not stage.startswith("!"):
            number = int(count) if count.isdecimal() else 0
            last[model, stage] = max(last.get((model, stage), (-1, "")), (number, commit))
    return {key: commit for key, (_, commit) in last.items()}


def choose(
    rows: Sequence[Row], run_id: str, label: str, models: dict[str, str], kept: Sequence[str]
) -> tuple[Row, str] | None:
    """Choose what a run is held against, with the word for it. Pure.

    Parameters
    ----------
    rows : sequence of Row
        Newest first.
    run_id, label : str
        The run's own.
    models : dict
        Model -> commit of the run that holds production.
    kept : sequence of str
        Models that earlier runs of the label kept, the newest first.
    """
    by_commit = {row.commit: row for row in rows if row.commit and row.id != run_id}
    for name in kept:
        if models.get(name) in by_commit:
            return by_commit[models[name]], STAGE
    before = earlier(rows, run_id, label)
    return (before[0], before[0].name) if before else None


def earlier(rows: Sequence[Row], run_id: str, label: str) -> list[Row]:
    """Return the finished runs of the same label but this one, newest first."""
    return [row for row in rows if row.label == label and row.id != run_id and row.status == "finished"]


def find(workspace: Workspace, run_id: str, label: str) -> tuple[Row, str] | None:
    """Find what a run is held against, None when it is the first of its kind.

    Parameters
    ----------
    workspace : Workspace
    run_id, label : str
        The run's own.
    """
    from provenote.stores import index

    rows, _ = index.rows(workspace)
    kept: dict[str, None] = {}
    overlay = ""
    for before in earlier(rows, run_id, label)[:LOOKED]:
        document = index.document(workspace, str(before.commit))
        overlay = overlay or str(document.get("overlay", ""))
        artifacts = document.get("artifacts") or {}
        kept.update({name: None for name, one in artifacts.items() if one.get("type") == "model"})
    holders = stage_holders(all_tags(workspace), overlay) if kept else {}
    models = {model: commit for (model, stage), commit in holders.items() if stage == STAGE}
    return choose(rows, run_id, label, models, list(kept))


def all_tags(workspace: Workspace) -> list[tuple[str, str]]:
    """Return the names of all tags, each with the commit it points at."""
    from provenote.git.command import git

    form = "--format=%(refname:strip=2)%00%(if)%(*objectname)%(then)%(*objectname)%(else)%(objectname)%(end)"
    lines = git(workspace.top, "for-each-ref", form, "refs/tags").decode("utf-8", "replace").splitlines()
    return [(name, commit) for name, _, commit in (line.partition("\0") for line in lines)]
