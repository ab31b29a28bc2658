"""Reproduce a run: its files, its data, its cells, a clean kernel; then a verdict that is kept with the run.

Nothing of the user's changes: no file, no index, no HEAD, no run in any listing. The verdict is an annotation
of the run; a later one takes its place, and all stay in the history.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from provenote import config
from provenote.compare.columns import flat
from provenote.errors import UsageError, WorldError
from provenote.events import Progress, Tell, silent
from provenote.git import trees
from provenote.git.command import git
from provenote.reproducing import (
    execution,
    reasons,
    reproduction,
    scratch,
    source,
    surroundings,
    tolerance,
    verdict,
)
from provenote.reproducing.reproduction import Reproduction, Surroundings
from provenote.reproducing.verdict import Gave, Verdict
from provenote.stores import annotating, digest, index, runs
from provenote.stores.live import HOST
from provenote.travel import restored

if TYPE_CHECKING:
    from provenote.model import Row
    from provenote.reproducing.source import Source
    from provenote.workspace import Workspace

AGAIN = "-again"
"""What the name of a kept reproduction's folder ends with."""
REPORTS = "reproduced"
"""Folder of the reports, by their SHA-256, in `Workspace.home`."""


def reproduce(
    workspace: Workspace,
    name: str,
    tolerances: Iterable[str] = (),
    *,
    build: bool = False,
    keep: bool = False,
    tell: Tell = silent,
) -> Reproduction:
    """Run a run again and judge whether it gives the same.

    Parameters
    ----------
    workspace : Workspace
    name : str
        The run: name, label, id, or the start of its id or commit.
    tolerances : iterable of str
        How far metrics may be off (`provenote.reproducing.tolerance.parse`); the setting ``tolerance`` holds
        for the others.
    build : bool
        Whether it runs in the environment of its own lock, built with uv.
    keep : bool
        Whether what it ran in stays, in ``past/<run>-again``.
    tell : Tell
        Where progress goes.

    Raises
    ------
    UsageError
        If there is no such run, or nothing of it can be run again or compared.
    WorldError
        If its data are nowhere, or the kernel or the disk fails: there is no verdict then.
    """
    began = time.monotonic()
    row = index.find(workspace, name)
    document = _ended(workspace, row)
    commit = str(row.commit)
    settings = config.load(workspace.dvc_root)
    allowed = tolerance.parse([settings.tolerance, *tolerances])
    tolerance.check(tolerance.parse(tolerances), flat(document["metrics"]))
    files = os.fsdecode(git(workspace.top, "ls-tree", "-r", "-z", "--name-only", commit)).split("\0")
    executed = runs.file(trees.repository(workspace.common_dir), commit, "executed.ipynb")
    what = source.find(row.name, document, executed, files)
    then = Gave(str(document["status"]), str(document["reason"] or ""), document["metrics"],
                index.series(workspace, row), what.cells)  # fmt: skip
    if not verdict.comparable(then):
        raise UsageError(
            f"{row.name} logged no metric and kept no output, so nothing can be held against it",
            f"See what it kept: `provenote show {row.name}`",
        )
    target = restored.place(workspace, f"{row.name}{AGAIN}") if keep else None
    if target is not None and os.path.lexists(target):
        where = os.path.relpath(target)
        raise UsageError(f"{where} is there already", f"Move it away: `mv {where} OTHER`")
    label = f"reproduce {row.name}"
    tell(Progress(label, detail="its files"))
    try:
        with scratch.made(workspace, row, str(document["overlay"])) as place:
            wish, around = surroundings.prepare(workspace, row, document, what, place, build, label, tell)
            done = execution.run(place, what, wish, label, tell)
            if around.absent and done.gave.status == "failed" and then.status != "failed":
                gone = surroundings.few(around.absent)
                raise WorldError(
                    f"{row.name} cannot be reproduced: {done.gave.reason}; not there: {gone}",
                    "Fetch or bring what is not there, then try again: `provenote data pull`",
                )
            folders = [str(place.top), str(place.place.dvc_root), *surroundings.folders(workspace)]
            found = verdict.judge(then, done.gave, allowed, folders)
            if target is not None:
                scratch.keep(place, target)
    except BaseException:
        tell(Progress(label, state="failed"))
        raise
    why = _why(document, done.document, found, around, what) if found.word != "identical" else []
    given = {key: str(value) for key, value in allowed.items()}
    made = Reproduction(
        row, document, what, done.gave, found, around,
        reproduction.artifacts(document, done.document), tuple(why), given, "",
        round(time.monotonic() - began, 1), target,
    )  # fmt: skip
    return _recorded(workspace, made)


def _ended(workspace: Workspace, row: Row) -> dict[str, Any]:
    """Return the ``run.json`` of a run that came to its own end.

    Raises
    ------
    UsageError
        If it still runs or was stopped from outside.
    """
    if row.commit is None:
        raise UsageError(
            f"run {row.name} still runs, and can be reproduced when it has ended", "See: `provenote runs`"
        )
    if row.status == "killed" or row.reason in ("timed_out", "KeyboardInterrupt"):
        how = row.reason or row.status
        raise UsageError(
            f"run {row.name} was stopped on its way ({how}): there is no end to reach again",
            f"See how far it came: `provenote show {row.name}`",
        )
    return index.document(workspace, row.commit)


def _why(
    document: Mapping[str, Any], again: Mapping[str, Any], found: Verdict, around: Surroundings, what: Source
) -> list[str]:
    return reasons.likely(
        document,
        again,
        found,
        environment=around.environment,
        imported=around.imported,
        remarks=what.remarks,
        absent=around.absent,
    )


# ---------------------------------------------------------------------- keeping the verdict


def _recorded(workspace: Workspace, made: Reproduction) -> Reproduction:
    """Keep the report beside the repository, and the verdict as an annotation that names it."""
    report = (json.dumps(reproduction.report(made), indent=1, sort_keys=True) + "\n").encode()
    sha256 = digest.sha256_bytes(report)
    made = dataclasses.replace(made, evidence=sha256)
    with contextlib.suppress(OSError):  # a full disk takes the report, not the verdict
        folder = workspace.home / REPORTS
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{sha256}-{os.getpid()}"
        temporary.write_bytes(report)
        temporary.replace(folder / f"{sha256}.json")
    annotating.reproduced(
        workspace,
        made.row.id,
        made.verdict.word,
        commit=made.row.commit,
        tolerance=dict(made.tolerances),
        environment=made.around.compared,
        host=HOST,
        evidence=sha256,
    )
    return made


def reports(workspace: Workspace, name: str) -> tuple[Row, list[dict[str, Any]]]:
    """Return what was said about reproductions of a run: the oldest first.

    Parameters
    ----------
    workspace : Workspace
    name : str
        The run: name, label, id, or the start of its id or commit.

    Returns
    -------
    row : Row
    said : list of dict
        ``verdict``, ``by``, ``at``, ``tolerance``, ``environment``, ``host``, ``evidence``; and ``report``,
        where this clone has it.

    Raises
    ------
    UsageError
        If there is no such run.
    """
    row = index.find(workspace, name)
    found = []
    for event in annotating.history(workspace, row.id):
        if event.type != "reproduced":
            continue
        keys = ("verdict", "by", "at", "tolerance", "environment", "host", "evidence")
        said = {key: event.body.get(key) for key in keys}
        path = workspace.home / REPORTS / f"{said['evidence']}.json"
        with contextlib.suppress(OSError, ValueError):
            content = path.read_bytes()
            if digest.sha256_bytes(content) == said["evidence"]:
                said["report"] = json.loads(content)
        found.append(said)
    return row, found
