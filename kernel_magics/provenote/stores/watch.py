"""See cheaply that the runs of a project may have changed: by file status alone, nothing is read.

- a run that ends, a rename, an annotation: a file appears below ``refs/exps`` or ``refs/provenote``, which
  gives its folder another time, or ``packed-refs`` becomes another file;
- another commit or branch hides other runs: ``HEAD`` or its log is another;
- a running run logs: its event file grows;
- a running run is killed: no file changes, so while one lives the project counts as changed every two
  seconds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from provenote.workspace import Workspace

LOST_SECONDS = 2.0
"""A killed run is seen within this time."""

Signature = tuple[object, ...]


def signature(workspace: Workspace) -> Signature:
    """Return a value that differs from an earlier one when the runs may have changed."""
    common = workspace.common_dir
    seen: list[object] = [_status(common / "packed-refs")]
    seen += [_status(workspace.git_dir / "HEAD"), _status(workspace.git_dir / "logs" / "HEAD")]
    for tree in ("exps", "provenote"):
        seen += _folders(common / "refs" / tree)
    live = sorted(_entries(workspace.home / "live"))
    for run in live:
        seen.append(
            (run, _status(os.path.join(run, "events.jsonl")), _status(os.path.join(run, "meta.json")))
        )
    if live:
        seen.append(int(time.monotonic() / LOST_SECONDS))
    return tuple(seen)


def _status(path: str | Path) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _folders(top: Path) -> Iterator[tuple[str, int]]:
    """Yield each folder below ``top`` with its time; a ref is written by a rename, which changes it."""
    waiting = [str(top)]
    while waiting:
        folder = waiting.pop()
        try:
            yield folder, os.stat(folder).st_mtime_ns
        except OSError:
            continue
        waiting += sorted(_entries(folder))


def _entries(folder: str | Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
